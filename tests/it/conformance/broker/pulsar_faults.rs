//! Pulsar killed, stopped and unloaded under load. Each test has a server of its own; what it measures goes to standard error.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pulsar::Pulsar;
use super::*;
use doorbuster::broker::pulsar::PulsarBroker;

/// Publishers, each with a key of its own.
const PUBLISHERS: u32 = 8;

/// Publishes and consumes until it is stopped, and remembers everything.
struct Load {
    broker: Arc<PulsarBroker>,
    stop: CancellationToken,
    publishers: tokio::task::JoinSet<()>,
    readers: tokio::task::JoinSet<()>,
    story: Arc<parking_lot::Mutex<Story>>,
}

#[derive(Default)]
struct Story {
    /// Numbers that the broker confirmed, by key.
    stored: BTreeMap<u32, BTreeSet<u32>>,
    /// Numbers in the order of arrival, by key.
    seen: BTreeMap<u32, Vec<u32>>,
    last_stored: Option<Instant>,
    last_seen: Option<Instant>,
    refused: u32,
    slowest_refusal: Duration,
}

impl Load {
    async fn start(broker: Arc<PulsarBroker>) -> Self {
        let mut load = Self {
            broker,
            stop: CancellationToken::new(),
            publishers: tokio::task::JoinSet::new(),
            readers: tokio::task::JoinSet::new(),
            story: Arc::default(),
        };
        for partition in 0..load.broker.partitions(Topic::OrderRequests) {
            let consumer = load.broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap();
            load.readers.spawn(read(consumer, load.story.clone()));
        }
        for publisher in 0..PUBLISHERS {
            load.publishers.spawn(publish(load.broker.clone(), publisher, load.stop.clone(), load.story.clone()));
        }
        load
    }

    /// Waits until messages are stored and arrive again; returns how long each of both took.
    async fn recovered(&self) -> (Duration, Duration) {
        let since = Instant::now();
        let after = |moment: Option<Instant>| moment.filter(|moment| *moment > since);
        let mut found = (None, None);
        while found.0.is_none() || found.1.is_none() {
            assert!(since.elapsed() < Duration::from_secs(90), "not recovered: {found:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
            let story = self.story.lock();
            found.0 = found.0.or(after(story.last_stored));
            found.1 = found.1.or(after(story.last_seen));
        }
        (found.0.unwrap() - since, found.1.unwrap() - since)
    }

    /// Stops publishing, reads to the end, and compares.
    async fn check(mut self) {
        self.stop.cancel();
        while self.publishers.join_next().await.is_some() {}
        let missing = || {
            let story = self.story.lock();
            let missing = |key: &u32, stored: &BTreeSet<u32>| {
                let seen: BTreeSet<u32> = story.seen.get(key).into_iter().flatten().copied().collect();
                stored.difference(&seen).count()
            };
            story.stored.iter().map(|(key, stored)| missing(key, stored)).sum::<usize>()
        };
        let since = Instant::now();
        while missing() > 0 {
            assert!(since.elapsed() < Duration::from_secs(60), "{} stored messages never came", missing());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.broker.close().await;
        while self.readers.join_next().await.is_some() {}
        let story = self.story.lock();
        let (mut messages, mut again) = (0, 0);
        for (key, seen) in &story.seen {
            // Each for the first time in order, whatever is repeated.
            let mut highest = None;
            for number in seen {
                messages += 1;
                if highest.is_none_or(|highest| *number > highest) {
                    highest = Some(*number);
                } else {
                    again += 1;
                }
            }
            let first: BTreeSet<u32> = seen.iter().copied().collect();
            let mut firsts = Vec::new();
            for number in seen {
                if !firsts.contains(number) {
                    firsts.push(*number);
                }
            }
            assert!(firsts.is_sorted(), "key {key} out of order");
            assert!(!first.is_empty());
        }
        let (refused, slowest) = (story.refused, story.slowest_refusal);
        eprintln!(
            "  {messages} messages, {again} of them again, {refused} publishes refused, the slowest after {slowest:?}"
        );
        assert!(story.stored.values().all(|stored| !stored.is_empty()));
    }
}

async fn publish(broker: Arc<PulsarBroker>, key: u32, stop: CancellationToken, story: Arc<parking_lot::Mutex<Story>>) {
    for number in 0.. {
        if stop.is_cancelled() {
            return;
        }
        let begun = Instant::now();
        let stored =
            broker.publish(Topic::OrderRequests, vec![message(&key.to_string(), format!("{key}:{number}"))]).await;
        let took = begun.elapsed();
        if stored.is_err() {
            // As a buyer who is told to come again.
            wait(Duration::from_millis(20)).await;
        }
        let mut story = story.lock();
        match stored {
            Ok(()) => {
                story.stored.entry(key).or_default().insert(number);
                story.last_stored = Some(Instant::now());
            }
            Err(BrokerError::Unavailable(_)) => {
                story.refused += 1;
                story.slowest_refusal = story.slowest_refusal.max(took);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn read(mut consumer: Box<dyn Consumer>, story: Arc<parking_lot::Mutex<Story>>) {
    while let Ok(batch) = consumer.receive(32, NONE).await {
        {
            let mut story = story.lock();
            for message in &batch {
                let text = text(message);
                let (key, number) = text.split_once(':').unwrap();
                story.seen.entry(key.parse().unwrap()).or_default().push(number.parse().unwrap());
            }
            story.last_seen = Some(Instant::now());
        }
        consumer.ack(batch.last().unwrap().position).await.unwrap();
    }
}

/// Runs blocking work beside the load.
async fn blocking(work: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap();
}

async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_broker_loses_nothing() {
    let mut rig = Pulsar::own();
    rig.config.publish_timeout = doorbuster::config::Span(Duration::from_secs(3));
    // The message of which nobody learns what became of it is to enter all the same.
    rig.config.refuse_after = doorbuster::config::Span(Duration::from_secs(600));
    let broker = Arc::new(rig.broker().await);
    let start = rig.now();
    let delayed = competing::due("delayed", start.plus(Duration::from_secs(15)));
    broker.publish(Topic::PaymentTimeouts, vec![delayed]).await.unwrap();
    let mut timeouts = broker.subscribe(Topic::PaymentTimeouts, 0, GROUP).await.unwrap();
    let load = Load::start(broker.clone()).await;
    load.recovered().await;
    let server = rig.server();
    blocking(move || server.kill("pulsar")).await;
    let killed = Instant::now();
    let unknown = broker.publish(Topic::OrderRequests, vec![message("unknown", "99:0")]).await;
    assert!(matches!(unknown, Err(BrokerError::Unavailable(_))), "{unknown:?}");
    let server = rig.server();
    blocking(move || server.restart("pulsar")).await;
    let up = killed.elapsed();
    let partition = broker.partition_of(Topic::OrderRequests, b"unknown");
    let barrier = loop {
        if let Ok(barrier) = broker.end_position(Topic::OrderRequests, partition).await {
            break barrier;
        }
    };
    let (stored, seen) = load.recovered().await;
    eprintln!("kill -9: up after {up:?}, stored again {stored:?} later, consumed again {seen:?} later");
    let delayed = take(&mut timeouts, 1).await;
    let late = rig.now().since(start.plus(Duration::from_secs(15)));
    eprintln!("  delayed message {late:?} after its time");
    assert!(rig.now() >= start.plus(Duration::from_secs(15)));
    assert_eq!(texts(&delayed), ["delayed"]);
    // What was given up is stored all the same, and in front of the barrier.
    let mut late = broker.subscribe(Topic::OrderRequests, partition, "late").await.unwrap();
    let position = loop {
        let next = take(&mut late, 1).await;
        if text(&next[0]) == "99:0" {
            break next[0].position;
        }
    };
    assert!(position <= barrier, "it stood behind the barrier");
    drop((timeouts, late));
    load.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stands_still_or_gives_its_topics_away_loses_nothing() {
    let mut rig = Pulsar::own();
    rig.config.publish_timeout = doorbuster::config::Span(Duration::from_secs(3));
    let load = Load::start(Arc::new(rig.broker().await)).await;
    load.recovered().await;
    for round in 0..3 {
        let path = format!("namespaces/{}/trade/unload", rig.config.tenant);
        let unloaded = rig.admin(reqwest::Method::PUT, &path).await;
        assert!(unloaded.status().is_success(), "{unloaded:?}");
        let (stored, seen) = load.recovered().await;
        eprintln!("unload {round}: stored again after {stored:?}, consumed again after {seen:?}");
    }
    let server = rig.server();
    blocking(move || server.pause("pulsar")).await;
    wait(Duration::from_secs(20)).await;
    let server = rig.server();
    blocking(move || server.resume("pulsar")).await;
    let (stored, seen) = load.recovered().await;
    eprintln!("stopped for 20 s: stored again after {stored:?}, consumed again after {seen:?}");
    assert!(load.story.lock().slowest_refusal < Duration::from_secs(4));
    load.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "soak"]
async fn an_outage_of_more_than_a_minute_heals() {
    let mut rig = Pulsar::own();
    rig.config.publish_timeout = doorbuster::config::Span(Duration::from_secs(3));
    let load = Load::start(Arc::new(rig.broker().await)).await;
    load.recovered().await;
    let server = rig.server();
    blocking(move || server.kill("pulsar")).await;
    wait(Duration::from_secs(100)).await;
    let server = rig.server();
    blocking(move || server.restart("pulsar")).await;
    let (stored, seen) = load.recovered().await;
    eprintln!("away for 100 s: stored again after {stored:?}, consumed again after {seen:?}");
    load.check().await;
}

/// A writer that dies between its commit and its acknowledgement: the next one gets the message again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_and_not_acknowledged_comes_again() {
    let rig = Pulsar::shared();
    let broker = rig.broker().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..3)).await.unwrap();
    let mut consumer = orders(&broker, "k").await;
    let batch = take(&mut consumer, 3).await;
    consumer.ack(batch[0].position).await.unwrap();
    // What a process leaves behind that is killed: nothing but its sockets, closed.
    drop((consumer, broker));
    let broker = rig.broker().await;
    assert_eq!(texts(&take(&mut orders(&broker, "k").await, 2).await), ["1", "2"]);
}
