//! `doorbuster bench`: ratios taken in one run on one machine. Each pair is measured in turns (A B A B …), each side in a
//! process of its own, and costs are CPU time per operation of that process: the load that shares the machine does not count.

mod durable;
mod edge;
pub mod gate;
mod load;
mod memory;
pub mod messages;
mod purchase;
pub mod report;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

use crate::demo::server::free_address;
use report::Row;

/// Rounds of each pair.
const ROUNDS: usize = 5;

/// The benchmarks, by name.
pub const NAMES: [&str; 9] =
    ["purchase", "sold-out", "durable", "idle", "socket", "list", "handshake", "fan-out", "edge"];

/// What `edge` stands for.
const EDGE: [&str; 6] = ["purchase", "sold-out", "list", "handshake", "fan-out", "socket"];

/// Runs the named benchmarks, or all, and prints the table. Returns whether every target was met.
pub async fn run(names: &[String]) -> anyhow::Result<bool> {
    for name in names {
        anyhow::ensure!(NAMES.contains(&name.as_str()), "no benchmark {name}; there are {}", NAMES.join(", "));
    }
    let wanted = |name: &str| {
        let is_named = |given: &String| given == name || (given == "edge" && EDGE.contains(&name));
        names.is_empty() || names.iter().any(is_named)
    };
    let mut rows: Vec<Row> = Vec::new();
    if wanted("purchase") || wanted("sold-out") {
        let [accepted, sold_out, written] = purchase::run(ROUNDS).await.context("purchase")?;
        rows.extend(wanted("purchase").then_some([accepted, written]).into_iter().flatten());
        rows.extend(wanted("sold-out").then_some(sold_out));
    }
    if wanted("durable") {
        rows.push(durable::run(ROUNDS).await.context("durable")?);
    }
    if wanted("list") {
        rows.push(edge::list(ROUNDS).await.context("list")?);
    }
    if wanted("handshake") {
        rows.push(edge::handshakes(ROUNDS).await.context("handshake")?);
    }
    if wanted("fan-out") {
        rows.push(edge::fan_out(ROUNDS).await.context("fan-out")?);
    }
    if wanted("idle") {
        rows.push(memory::idle(ROUNDS).await.context("idle")?);
    }
    if wanted("socket") {
        rows.push(memory::socket(ROUNDS).await.context("socket")?);
    }
    report::print(&rows);
    Ok(rows.iter().all(Row::is_met))
}

/// Runs a baseline in this process until it is killed.
pub async fn child(address: SocketAddr) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(crate::api::baseline::serve(listener).await?)
}

/// The bare axum server in a process of its own; killed when dropped.
struct Baseline {
    child: Child,
    address: SocketAddr,
}

impl Baseline {
    async fn start() -> anyhow::Result<Self> {
        let address = free_address()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["bench", "--baseline", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let baseline = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            anyhow::ensure!(Instant::now() < deadline, "the baseline did not start");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(baseline)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for a benchmark's data, removed when dropped. On the disk of the working directory: a folder in memory would
/// make every flush free.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> std::io::Result<Self> {
        let path = PathBuf::from("data").join(format!("bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
