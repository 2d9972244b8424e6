//! Orders per second to and through a real Pulsar, against `pulsar-perf`. `cargo bench -p doorbuster-tools --bench pulsar` with
//! `DOORBUSTER_TEST_PULSAR` and `DOORBUSTER_TEST_PULSAR_ADMIN`, and `DOORBUSTER_TEST_PULSAR_PERF`, the path of the program
//! (`./justw services env`).

use std::path::PathBuf;

use doorbuster::config::{Config, Secret};
use doorbuster_tools::messages;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let variable = |name| std::env::var(name).ok();
    let (Some(url), Some(admin_url), Some(perf)) = (
        variable("DOORBUSTER_TEST_PULSAR"),
        variable("DOORBUSTER_TEST_PULSAR_ADMIN"),
        variable("DOORBUSTER_TEST_PULSAR_PERF").map(PathBuf::from),
    ) else {
        anyhow::bail!(
            "a broker and pulsar-perf are needed: scripts/with-services cargo bench -p doorbuster-tools --bench pulsar, or set \
             DOORBUSTER_TEST_PULSAR, DOORBUSTER_TEST_PULSAR_ADMIN and DOORBUSTER_TEST_PULSAR_PERF"
        );
    };
    let mut config = Config::default_embedded().broker;
    config.url = Secret::new(url);
    config.admin_url = Secret::new(admin_url);
    config.tenant = format!("bench-{}", std::process::id());
    for tickets in [64, 128, 256] {
        for row in messages::run(2, tickets, &config, &perf).await? {
            println!(
                "{}, {tickets} tickets in an envelope: {:.0?} a second, pulsar-perf {:.0?}, ratio {:.2}",
                row.name,
                row.product,
                row.baseline.as_deref().unwrap_or_default(),
                row.value()
            );
        }
    }
    Ok(())
}
