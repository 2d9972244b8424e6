//! How many orders a second go through Pulsar: tickets published in envelopes, confirmed, received, decoded and acknowledged,
//! against `pulsar-perf produce` sending messages of the same size to the same broker, which only confirms them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::process::Command;
use tokio::time::Instant;

use super::report::{Row, Target};
use crate::broker::pulsar::PulsarBroker;
use crate::broker::{Broker, Message, Topic, envelope};
use crate::config::{self, Span};
use crate::kernel::{Clock, Rng, SaleId, TicketId, UserId};
use crate::orders::messages::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};

/// Orders of a round.
const ORDERS: usize = 1_280_000;
/// Envelopes on their way at the same time.
const IN_FLIGHT: usize = 64;
/// How long a receipt may take: as many as fit are on their way, and no buyer waits for them.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sales, which are spread over the partitions.
const SALES: usize = 16;
/// The group that reads. It begins with the oldest message, so a round reads what it publishes.
const GROUP: &str = "bench";

/// Measures both in turns. `tickets`: in one envelope. `perf`: the program `pulsar-perf` of the broker's own distribution.
pub async fn run(rounds: usize, tickets: usize, config: &config::Broker, perf: &Path) -> anyhow::Result<Row> {
    let (clock, rng) = (Clock::system(), Rng::system());
    let patient = config::Broker { publish_timeout: Span(PATIENCE), ..config.clone() };
    let broker = Arc::new(PulsarBroker::open(&patient, "bench", clock.clone(), rng.clone()).await?);
    let envelopes: Vec<Message> =
        (0..SALES).map(|_| message(&clock, &rng, tickets)).collect::<anyhow::Result<_>>().context("envelope")?;
    let size = envelopes.iter().map(|message| message.payload.len()).max().unwrap_or_default();
    let (mut product, mut baseline) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        baseline.push(produce(config, perf, size, round).await? * tickets as f64);
        product.push(through(&broker, &envelopes, ORDERS / tickets).await? * tickets as f64);
    }
    broker.close().await;
    let target = Target::AtLeast(0.5);
    Ok(Row { name: "orders through Pulsar", unit: "per s", product, baseline: Some(baseline), target })
}

fn message(clock: &Clock, rng: &Rng, tickets: usize) -> anyhow::Result<Message> {
    let (sale, at) = (SaleId::generate(clock, rng), clock.now());
    let request = |seq| OrderRequest {
        ticket: TicketId { sale, epoch: 1, seq },
        buyer: UserId::generate(clock, rng),
        key: format!("bench-{seq:010}"),
        quantity: 1,
        at,
    };
    let tickets = OrderRequests { tickets: (1..=tickets as u64).map(request).collect() };
    let payload = envelope::encode(REQUESTS, REQUESTS_VERSION, &tickets)?;
    Ok(Message { key: Bytes::copy_from_slice(&sale.to_bytes()), payload, deliver_at: None })
}

/// Envelopes per second, from the first one sent to the last one acknowledged.
async fn through(broker: &Arc<PulsarBroker>, envelopes: &[Message], count: usize) -> anyhow::Result<f64> {
    let (counted, mut acked) = tokio::sync::mpsc::unbounded_channel();
    let mut readers = tokio::task::JoinSet::new();
    for partition in 0..broker.partitions(Topic::OrderRequests) {
        let mut consumer = broker.subscribe(Topic::OrderRequests, partition, GROUP).await?;
        let counted = counted.clone();
        readers.spawn(async move {
            loop {
                let batch = consumer.receive(64, Duration::ZERO).await?;
                for message in &batch {
                    envelope::decode::<OrderRequests>(REQUESTS, REQUESTS_VERSION, &message.payload)?;
                }
                if let Some(last) = batch.last() {
                    consumer.ack(last.position).await?;
                }
                if counted.send(batch.len()).is_err() {
                    return anyhow::Ok(());
                }
            }
        });
    }
    let begun = Instant::now();
    let publishing = async {
        let mut in_flight = FuturesUnordered::new();
        for message in envelopes.iter().cycle().take(count) {
            if in_flight.len() >= IN_FLIGHT {
                in_flight.next().await.unwrap_or(Ok(()))?;
            }
            in_flight.push(broker.publish(Topic::OrderRequests, vec![message.clone()]));
        }
        while let Some(stored) = in_flight.next().await {
            stored?;
        }
        anyhow::Ok(())
    };
    let receiving = async {
        let mut received = 0;
        while received < count {
            received += acked.recv().await.context("no reader left")?;
        }
        anyhow::Ok(())
    };
    let limit = Duration::from_secs(120);
    tokio::time::timeout(limit, async { tokio::try_join!(publishing, receiving) }).await.context("too slow")??;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    readers.shutdown().await;
    Ok(rate)
}

/// Messages per second of `pulsar-perf produce`, over as many partitions and with as many in flight, once it is warm: it
/// says every ten seconds how many it sent.
async fn produce(config: &config::Broker, perf: &Path, size: usize, round: usize) -> anyhow::Result<f64> {
    let (size, partitions) = (size.to_string(), config.partitions.to_string());
    let in_flight = (IN_FLIGHT / config.partitions as usize).max(1).to_string();
    let topic = format!("persistent://public/default/bench-{}-{round}", config.tenant);
    let output = Command::new(perf)
        .args(["produce", &topic, "--service-url", config.url.expose(), "--admin-url", config.admin_url.expose()])
        .args(["--partitions", &partitions, "--max-outstanding", &in_flight, "--size", &size])
        .args(["--test-duration", "21", "--rate", "1000000", "--disable-batching"])
        .output()
        .await
        .with_context(|| perf.display().to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rfind(|line| line.contains("Throughput produced:"));
    last.and_then(rate).with_context(|| format!("pulsar-perf said nothing usable:\n{text}"))
}

/// The number in front of `msg/s`.
fn rate(line: &str) -> Option<f64> {
    line.split("msg/s").next()?.split_whitespace().next_back()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_found_in_a_line() {
        let line =
            "… - Throughput produced:   12000 msg ---   3999.6 msg/s ---   31.2 Mbit/s  --- failure      0.0 msg/s";
        assert_eq!(rate(line), Some(3999.6));
    }
}
