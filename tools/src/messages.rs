//! How many orders a second go to Pulsar, and through it: tickets published in envelopes and confirmed, and such that are
//! received, decoded and acknowledged too. Against `pulsar-perf produce` with messages of the same size to the same broker, alone
//! and with `pulsar-perf consume` beside it.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::Instant;

use super::report::{Row, Target};
use doorbuster::broker::pulsar::PulsarBroker;
use doorbuster::broker::{Broker, envelope};
use doorbuster::config::{self, Span};
use doorbuster::kernel::{Clock, Rng, SaleId, TicketId, UserId};
use doorbuster::model::messages::{Message, Topic};
use doorbuster::model::order_requests::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};

/// Orders of a round.
const ORDERS: usize = 1_280_000;
/// Envelopes on their way at the same time.
const IN_FLIGHT: usize = 64;
/// How long a receipt may take: as many as fit are on their way, and no buyer waits for them.
const PATIENCE: Duration = Duration::from_secs(60);
/// A measurement must end.
const LIMIT: Duration = Duration::from_secs(120);
/// Sales, which are spread over the partitions.
const SALES: usize = 16;
/// The group that reads. It begins with the oldest message, so a round reads what it publishes.
const GROUP: &str = "bench";

/// Measures all in turns. `tickets`: in one envelope. `perf`: the program `pulsar-perf` of the broker's own distribution.
pub async fn run(rounds: usize, tickets: usize, config: &config::Broker, perf: &Path) -> anyhow::Result<[Row; 2]> {
    let (clock, rng) = (Clock::system(), Rng::system());
    let open = async |purpose: &str| {
        let tenant = format!("{}_{purpose}", config.tenant);
        let patient = config::Broker { publish_timeout: Span(PATIENCE), tenant, ..config.clone() };
        PulsarBroker::open(&patient, "bench", clock.clone(), rng.clone()).await.map(Arc::new)
    };
    // Apart, because what is only published waits for readers.
    let (one_way, both_ways) = (open("published").await?, open("through").await?);
    let envelopes: Vec<Message> =
        (0..SALES).map(|_| message(&clock, &rng, tickets)).collect::<anyhow::Result<_>>().context("envelope")?;
    let size = envelopes.iter().map(|message| message.payload.len()).max().unwrap_or_default();
    let [mut published, mut produced, mut through, mut consumed] = [const { Vec::new() }; 4];
    let count = ORDERS / tickets;
    // What runs for the first time runs slowly, in the broker above all. `pulsar-perf` runs for ten seconds before it counts.
    publish(&one_way, &envelopes, count).await?;
    pass(&both_ways, &envelopes, count).await?;
    for round in 0..rounds {
        let perf = Perf { program: perf, config, size, round };
        produced.push(perf.produce().await? * tickets as f64);
        published.push(publish(&one_way, &envelopes, count).await? * tickets as f64);
        consumed.push(perf.consume().await? * tickets as f64);
        through.push(pass(&both_ways, &envelopes, count).await? * tickets as f64);
    }
    one_way.close().await;
    both_ways.close().await;
    let row = |name, product, baseline| {
        let (baseline, target) = (Some(baseline), Target::AtLeast(0.5));
        Row { name, unit: "per s", product, baseline, target }
    };
    Ok([row("orders published to Pulsar", published, produced), row("orders through Pulsar", through, consumed)])
}

fn message(clock: &Clock, rng: &Rng, tickets: usize) -> anyhow::Result<Message> {
    let (sale, at) = (SaleId::generate(clock, rng), clock.now());
    let request = |seq| OrderRequest {
        ticket: TicketId { sale, epoch: 1, seq },
        buyer: UserId::generate(clock, rng),
        key: format!("bench-{seq:010}"),
        quantity: 1,
        at,
        price: None,
    };
    let tickets = OrderRequests { tickets: (1..=tickets as u64).map(request).collect() };
    let payload = envelope::encode(REQUESTS, REQUESTS_VERSION, &tickets)?;
    Ok(Message { key: Bytes::copy_from_slice(&sale.to_bytes()), payload, deliver_at: None })
}

/// Envelopes per second, from the first one sent to the last one confirmed.
async fn publish(broker: &Arc<PulsarBroker>, envelopes: &[Message], count: usize) -> anyhow::Result<f64> {
    let begun = Instant::now();
    tokio::time::timeout(LIMIT, send(broker, envelopes, count)).await.context("too slow")??;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// Envelopes per second, from the first one sent to the last one acknowledged.
async fn pass(broker: &Arc<PulsarBroker>, envelopes: &[Message], count: usize) -> anyhow::Result<f64> {
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
    let receiving = async {
        let mut received = 0;
        while received < count {
            received += acked.recv().await.context("no reader left")?;
        }
        anyhow::Ok(())
    };
    let both = async { tokio::try_join!(send(broker, envelopes, count), receiving) };
    tokio::time::timeout(LIMIT, both).await.context("too slow")??;
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    readers.shutdown().await;
    Ok(rate)
}

/// Publishes so many envelopes, some at a time, and waits until all are confirmed.
async fn send(broker: &PulsarBroker, envelopes: &[Message], count: usize) -> anyhow::Result<()> {
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
    Ok(())
}

/// `pulsar-perf` with messages of the same size, over as many partitions and with as many in flight. It says every ten seconds
/// how many there were; what it says last counts.
struct Perf<'a> {
    program: &'a Path,
    config: &'a config::Broker,
    size: usize,
    round: usize,
}

impl Perf<'_> {
    /// Messages per second that are sent and confirmed.
    async fn produce(&self) -> anyhow::Result<f64> {
        let output = self.producer("produced", 21).output().await.context("pulsar-perf produce")?;
        last_rate(&String::from_utf8_lossy(&output.stdout), "Throughput produced:")
    }

    /// Messages per second that are sent, received and acknowledged.
    async fn consume(&self) -> anyhow::Result<f64> {
        let mut producer = self.producer("consumed", 60).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(producer.stdout.take().context("no output")?).lines();
        // Its topic is there, and it is warm.
        while !lines.next_line().await?.context("pulsar-perf produce has ended")?.contains("Throughput produced:") {}
        let output = self.command("consume", "consumed").args(["--test-duration", "21"]).output();
        let drain = async { while let Ok(Some(_)) = lines.next_line().await {} };
        let output = tokio::select! {
            output = output => output.context("pulsar-perf consume")?,
            () = drain => anyhow::bail!("pulsar-perf produce has ended"),
        };
        producer.kill().await?;
        last_rate(&String::from_utf8_lossy(&output.stdout), "Throughput received:")
    }

    fn producer(&self, purpose: &str, seconds: u32) -> Command {
        let Self { config, size, .. } = self;
        let partitions = config.partitions.to_string();
        let in_flight = (IN_FLIGHT / config.partitions as usize).max(1).to_string();
        let mut command = self.command("produce", purpose);
        command
            .args(["--admin-url", config.admin_url.expose(), "--partitions", &partitions])
            .args(["--max-outstanding", &in_flight, "--size", &size.to_string()])
            .args(["--test-duration", &seconds.to_string(), "--rate", "1000000", "--disable-batching"]);
        command
    }

    fn command(&self, task: &str, purpose: &str) -> Command {
        let topic = format!("persistent://public/default/bench-{}-{purpose}-{}", self.config.tenant, self.round);
        let mut command = Command::new(self.program);
        command.args([task, &topic, "--service-url", self.config.url.expose()]);
        command
    }
}

fn last_rate(text: &str, beginning: &str) -> anyhow::Result<f64> {
    let last = text.lines().rfind(|line| line.contains(beginning));
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
