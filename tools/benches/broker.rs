//! How much the embedded broker can store. `cargo bench -p doorbuster-tools --bench broker`.
//!
//! Each line: durable publishes per second, median and 99th percentile of the wait for a receipt, CPU time of the whole
//! process per message.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doorbuster::broker::Broker;
use doorbuster::broker::embedded::EmbeddedBroker;
use doorbuster::config::{self, Config, Secret, Size, Span};
use doorbuster::demo::usage;
use doorbuster::kernel::{Clock, Rng};
use doorbuster::model::messages::{Message, Topic};
use doorbuster::store::Database;
use hdrhistogram::Histogram;
use tokio::time::Instant;

const RUN: Duration = Duration::from_secs(3);

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    // `cargo test --benches` only wants to know that it runs.
    let run = if std::env::args().any(|arg| arg == "--bench") { RUN } else { Duration::from_millis(100) };
    println!("{:<44} {:>9} {:>9} {:>9} {:>12}", "", "per s", "p50 us", "p99 us", "CPU us/msg");
    for (name, publishers, size, consume) in [
        ("100 B, 1 publisher", 1, 100, false),
        ("100 B, 64 publishers", 64, 100, false),
        ("6 KiB (64 tickets), 1 publisher", 1, 6_144, false),
        ("6 KiB (64 tickets), 16 publishers", 16, 6_144, false),
        ("100 B, 64 publishers, consumed, acknowledged", 64, 100, true),
        ("6 KiB, 16 publishers, consumed, acknowledged", 16, 6_144, true),
    ] {
        measure(name, publishers, size, consume, run).await?;
    }
    Ok(())
}

async fn measure(name: &str, publishers: usize, size: usize, consume: bool, run: Duration) -> anyhow::Result<()> {
    let folder = tempfile::tempdir_in(std::env::var("BENCH_DIR").unwrap_or_else(|_| ".".into()))?;
    let broker = Arc::new(open(&folder.path().join("bench.db").display().to_string()).await?);
    let mut consumers = tokio::task::JoinSet::new();
    for partition in 0..broker.partitions(Topic::OrderRequests) {
        if consume {
            let mut consumer = broker.subscribe(Topic::OrderRequests, partition, "bench").await?;
            consumers.spawn(async move {
                while let Ok(batch) = consumer.receive(64, Duration::ZERO).await {
                    if let Some(last) = batch.last() {
                        let _ = consumer.ack(last.position).await;
                    }
                }
            });
        }
    }
    let (cpu, start) = (cpu_time(), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..publishers {
        let broker = broker.clone();
        tasks.spawn(async move {
            let mut waits = Histogram::<u64>::new(3)?;
            let key = Bytes::from(publisher.to_string());
            let payload = Bytes::from(vec![b'x'; size]);
            while start.elapsed() < run {
                let begun = Instant::now();
                let message = Message { key: key.clone(), payload: payload.clone(), deliver_at: None };
                broker.publish(Topic::OrderRequests, vec![message]).await?;
                waits.record(begun.elapsed().as_micros() as u64)?;
            }
            anyhow::Ok(waits)
        });
    }
    let mut waits = Histogram::<u64>::new(3)?;
    while let Some(done) = tasks.join_next().await {
        waits.add(done??)?;
    }
    let (elapsed, cpu) = (start.elapsed(), cpu_time().saturating_sub(cpu));
    println!(
        "{name:<44} {:>9.0} {:>9} {:>9} {:>12.1}",
        waits.len() as f64 / elapsed.as_secs_f64(),
        waits.value_at_quantile(0.5),
        waits.value_at_quantile(0.99),
        cpu.as_micros() as f64 / waits.len().max(1) as f64,
    );
    broker.close().await;
    Ok(())
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    usage::cpu_time(std::process::id()).unwrap_or_default()
}

async fn open(path: &str) -> anyhow::Result<EmbeddedBroker> {
    let store = config::Store {
        url: Secret::new(format!("sqlite://{path}")),
        readers: 4,
        writer_queue: 4_096,
        writer_batch: 256,
        busy_timeout: Span(Duration::from_secs(5)),
        ..Config::default_embedded().store
    };
    let broker = config::Broker {
        url: Secret::new("embedded:"),
        partitions: 4,
        envelope_items: 64,
        in_flight: 16,
        envelope_queue: 4_096,
        publish_timeout: Span(Duration::from_secs(10)),
        redelivery_after: Span(Duration::from_secs(30)),
        broadcast_buffer: 1_024,
        message_max: Size(1 << 20),
        publish_queue: Size(64 << 20),
        tail: Size(4 << 20),
        ack_flush: Span(Duration::from_millis(100)),
        poll_every: Span(Duration::from_secs(1)),
        relay_batch: 256,
        relay_sweep: Span(Duration::from_secs(5)),
        ..Config::default_embedded().broker
    };
    let db = Database::open(&store).await?;
    db.migrate().await?;
    Ok(EmbeddedBroker::open(db, Clock::system(), Rng::system(), &broker).await?)
}
