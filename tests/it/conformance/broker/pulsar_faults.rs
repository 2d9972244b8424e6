//! Pulsar killed, stopped and unloaded under load. Each test has a server of its own; what it measures goes to standard error.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::pulsar::Pulsar;
use super::*;
use doorbuster::broker::pulsar::PulsarBroker;

/// Publishers, each with a key of its own.
const PUBLISHERS: u32 = 8;

/// A broker that is up again recovers its topics, one after the other, on a machine that may have other things to do.
const RECOVERY: Duration = Duration::from_secs(90);

/// Publishes and consumes until it is stopped, and remembers everything.
struct Load {
    broker: Arc<PulsarBroker>,
    stop: CancellationToken,
    publishers: tokio::task::JoinSet<()>,
    readers: tokio::task::JoinSet<()>,
    story: Arc<parking_lot::Mutex<Story>>,
}

#[derive(Default, Clone)]
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

    /// Whoever publishes or reads goes on until it is told to stop: one that has ended has something to say.
    fn check_tasks(&mut self) {
        if let Some(ended) = self.publishers.try_join_next().or_else(|| self.readers.try_join_next()) {
            panic!("a publisher or a reader is gone: {ended:?}; {}", self.story.lock().tell());
        }
    }

    /// Waits until messages are stored and arrive again; returns how long each of both took.
    async fn recovered(&mut self) -> (Duration, Duration) {
        let since = Instant::now();
        let after = |moment: Option<Instant>| moment.filter(|moment| *moment > since);
        let mut found = (None, None);
        while found.0.is_none() || found.1.is_none() {
            self.check_tasks();
            wait(Duration::from_millis(10)).await;
            let story = self.story.lock();
            assert!(since.elapsed() < RECOVERY, "stored {:?}, came {:?}; {}", found.0, found.1, story.tell());
            found.0 = found.0.or(after(story.last_stored));
            found.1 = found.1.or(after(story.last_seen));
        }
        (found.0.unwrap() - since, found.1.unwrap() - since)
    }

    /// Stops publishing, reads to the end, and compares.
    async fn check(mut self) {
        self.check_tasks();
        self.stop.cancel();
        while let Some(ended) = self.publishers.join_next().await {
            ended.unwrap();
        }
        let since = Instant::now();
        loop {
            self.check_tasks();
            let story = self.story.lock().clone();
            if story.missing().is_empty() {
                break;
            }
            assert!(since.elapsed() < RECOVERY, "never came: {:?}; {}", story.missing(), story.tell());
            wait(Duration::from_millis(50)).await;
        }
        self.broker.close().await;
        while let Some(ended) = self.readers.join_next().await {
            ended.unwrap();
        }
        let story = self.story.lock();
        eprintln!("  {}", story.tell());
        story.check_order();
        assert!(story.stored.values().all(|stored| !stored.is_empty()));
    }
}

impl Story {
    /// What was stored and has not come, by key.
    fn missing(&self) -> BTreeMap<u32, BTreeSet<u32>> {
        let came = |key: &u32| self.seen.get(key).into_iter().flatten().copied().collect();
        let missing = |(key, stored): (&u32, &BTreeSet<u32>)| (*key, stored - &came(key));
        self.stored.iter().map(missing).filter(|(_, missing)| !missing.is_empty()).collect()
    }

    /// Each for the first time in order, whatever is repeated.
    fn check_order(&self) {
        for (key, seen) in &self.seen {
            let mut highest = None;
            let mut came = BTreeSet::new();
            for (place, number) in seen.iter().enumerate() {
                if !came.insert(*number) {
                    continue;
                }
                let around = &seen[place.saturating_sub(5)..seen.len().min(place + 5)];
                assert!(highest < Some(*number), "of key {key}, {number} was overtaken: {around:?}");
                highest = Some(*number);
            }
        }
    }

    /// All of it in one line.
    fn tell(&self) -> String {
        let came: usize = self.seen.values().map(Vec::len).sum();
        let again = came - self.seen.values().map(|seen| seen.iter().collect::<BTreeSet<_>>().len()).sum::<usize>();
        let ago = |moment: Option<Instant>| moment.map(|moment| moment.elapsed());
        format!(
            "{came} messages came, {again} of them again, the last {:?} ago; the last was stored {:?} ago; \
             {} publishes refused, the slowest after {:?}",
            ago(self.last_seen),
            ago(self.last_stored),
            self.refused,
            self.slowest_refusal,
        )
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
    loop {
        let batch = match consumer.receive(32, NONE).await {
            Ok(batch) => batch,
            Err(BrokerError::Closed) => return,
            Err(error) => panic!("{error}"),
        };
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
    // So long that the broker is back when the client's patience with what it sent before has run out, but not that with what
    // came after.
    rig.config.publish_timeout = doorbuster::config::Span(Duration::from_secs(6));
    // The message of which nobody learns what became of it is to enter all the same.
    rig.config.refuse_after = doorbuster::config::Span(Duration::from_secs(600));
    let broker = Arc::new(rig.broker().await);
    let start = rig.now();
    let delayed = competing::due("delayed", start.plus(Duration::from_secs(15)));
    broker.publish(Topic::PaymentTimeouts, vec![delayed]).await.unwrap();
    let mut timeouts = broker.subscribe(Topic::PaymentTimeouts, 0, GROUP).await.unwrap();
    let mut load = Load::start(broker.clone()).await;
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
        match broker.end_position(Topic::OrderRequests, partition).await {
            Ok(barrier) => break barrier,
            Err(error) => assert!(killed.elapsed() < up + RECOVERY, "no barrier: {error}"),
        }
        load.check_tasks();
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
    let mut before = 0;
    let position = loop {
        let next = take(&mut late, 1).await;
        if text(&next[0]) == "99:0" {
            break next[0].position;
        }
        assert!(next[0].position <= barrier, "not among the {before} in front of the barrier: {:?}", next[0]);
        before += 1;
    };
    assert!(position <= barrier, "it stood behind the barrier: {position} > {barrier}, after {before} others");
    drop((timeouts, late));
    load.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stands_still_or_gives_its_topics_away_loses_nothing() {
    let mut rig = Pulsar::own();
    rig.config.publish_timeout = doorbuster::config::Span(Duration::from_secs(3));
    let mut load = Load::start(Arc::new(rig.broker().await)).await;
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
    let mut load = Load::start(Arc::new(rig.broker().await)).await;
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
