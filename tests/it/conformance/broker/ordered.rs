//! Partitions read in order, and what holds for every kind of topic.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;

use super::*;

pub async fn what_was_published_survives(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..3)).await.unwrap();
    broker.publish(Topic::LoginEvents, messages("k", 0..3)).await.unwrap();
    drop(broker);
    let broker = rig.open().await;
    let found = take(&mut orders(&*broker, "k").await, 3).await;
    assert_eq!(texts(&found), ["0", "1", "2"]);
    assert!(found.iter().all(|message| message.key == "k"));
    assert!(found.is_sorted_by(|a, b| a.position < b.position));
    assert_eq!(texts(&take(&mut logins(&*broker).await, 3).await), ["0", "1", "2"]);
}

pub async fn keys_keep_their_order(rig: &dyn Rig) {
    const PUBLISHERS: usize = 8;
    const EACH: usize = 60;
    let broker = rig.open().await;
    assert_eq!(broker.partitions(Topic::OrderRequests), 4);
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let broker = broker.clone();
        tasks.spawn(async move {
            for number in 0..EACH {
                let text = format!("{publisher}:{number}");
                broker.publish(Topic::OrderRequests, vec![message(&publisher.to_string(), text)]).await.unwrap();
            }
        });
    }
    let mut readers = tokio::task::JoinSet::new();
    for partition in 0..4 {
        let broker = broker.clone();
        let wanted = (0..PUBLISHERS)
            .filter(|key| broker.partition_of(Topic::OrderRequests, key.to_string().as_bytes()) == partition)
            .count();
        readers.spawn(async move {
            let mut consumer = broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap();
            let mut seen = Vec::new();
            // Small and large batches, and acknowledgements in between, as a worker does.
            while seen.len() < wanted * EACH {
                let batch = consumer.receive(1 + seen.len() % 7, NONE).await.unwrap();
                consumer.ack(batch.last().unwrap().position).await.unwrap();
                seen.extend(batch);
            }
            seen
        });
    }
    tasks.join_all().await;
    let mut next = BTreeMap::<String, usize>::new();
    for seen in within(readers.join_all()).await {
        assert!(seen.is_sorted_by(|a, b| a.position < b.position));
        for message in &seen {
            let text = text(message);
            let (publisher, number) = text.split_once(':').unwrap();
            let expected = next.entry(publisher.to_owned()).or_default();
            assert_eq!(number.parse::<usize>().unwrap(), *expected, "publisher {publisher}");
            *expected += 1;
        }
    }
    assert!(next.len() == PUBLISHERS && next.values().all(|count| *count == EACH), "{next:?}");
}

pub async fn one_call_keeps_its_order(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut consumer = orders(&*broker, "k").await;
    broker.publish(Topic::OrderRequests, messages("k", 0..1_200)).await.unwrap();
    let found = texts(&take(&mut consumer, 1_200).await);
    assert_eq!(found, (0..1_200).map(|number| number.to_string()).collect::<Vec<_>>());
}

pub async fn acknowledges_cumulatively(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..5)).await.unwrap();
    let mut consumer = orders(&*broker, "k").await;
    let first = take(&mut consumer, 5).await;
    assert!(first.iter().all(|message| message.redeliveries == 0));
    consumer.ack(first[2].position).await.unwrap();
    consumer.rewind().await.unwrap();
    let again = take(&mut consumer, 2).await;
    assert_eq!(texts(&again), ["3", "4"]);
    assert_eq!(again[0].position, first[3].position);
    // An older acknowledgement changes nothing.
    consumer.ack(first[0].position).await.unwrap();
    consumer.rewind().await.unwrap();
    assert_eq!(texts(&take(&mut consumer, 2).await), ["3", "4"]);
    drop(consumer);
    broker.close().await;
    drop(broker);
    let broker = rig.open().await;
    let mut consumer = orders(&*broker, "k").await;
    assert_eq!(texts(&take(&mut consumer, 2).await), ["3", "4"]);
    broker.publish(Topic::OrderRequests, messages("k", 5..6)).await.unwrap();
    let last = take(&mut consumer, 1).await;
    assert_eq!(texts(&last), ["5"]);
    assert!(last[0].position > first[4].position, "a position was used twice");
    consumer.ack(last[0].position).await.unwrap();
    drop(consumer);
    broker.close().await;
    drop(broker);
    let broker = rig.open().await;
    nothing_comes(&mut orders(&*broker, "k").await).await;
    broker.publish(Topic::OrderRequests, messages("k", 6..7)).await.unwrap();
    assert_eq!(texts(&take(&mut orders(&*broker, "k").await, 1).await), ["6"]);
}

pub async fn never_acknowledges_what_was_not_received(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..5)).await.unwrap();
    let mut consumer = orders(&*broker, "k").await;
    assert_eq!(texts(&take(&mut consumer, 2).await), ["0", "1"]);
    consumer.ack(u64::MAX >> 1).await.unwrap();
    consumer.rewind().await.unwrap();
    assert_eq!(texts(&take(&mut consumer, 3).await), ["2", "3", "4"]);
}

pub async fn waits_in_standby(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..4)).await.unwrap();
    let mut active = orders(&*broker, "k").await;
    let first = take(&mut active, 3).await;
    let mut standby = orders(&*broker, "k").await;
    nothing_comes(&mut standby).await;
    active.ack(first[0].position).await.unwrap();
    drop(active);
    let taken_over = take(&mut standby, 3).await;
    assert_eq!(texts(&taken_over), ["1", "2", "3"]);
}

pub async fn groups_are_independent(rig: &dyn Rig) {
    let broker = rig.open().await;
    let partition = broker.partition_of(Topic::OrderRequests, b"k");
    let mut one = broker.subscribe(Topic::OrderRequests, partition, "one").await.unwrap();
    let mut two = broker.subscribe(Topic::OrderRequests, partition, "two").await.unwrap();
    broker.publish(Topic::OrderRequests, messages("k", 0..3)).await.unwrap();
    let seen = take(&mut one, 3).await;
    one.ack(seen[2].position).await.unwrap();
    drop((one, take(&mut two, 1).await, two));
    broker.close().await;
    let broker = rig.open().await;
    let mut two = broker.subscribe(Topic::OrderRequests, partition, "two").await.unwrap();
    assert_eq!(texts(&take(&mut two, 3).await), ["0", "1", "2"]);
    let mut one = broker.subscribe(Topic::OrderRequests, partition, "one").await.unwrap();
    nothing_comes(&mut one).await;
}

pub async fn a_group_that_comes_later_begins_with_what_is_kept(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut early = orders(&*broker, "k").await;
    broker.publish(Topic::OrderRequests, messages("k", 0..2)).await.unwrap();
    take(&mut early, 2).await;
    let partition = broker.partition_of(Topic::OrderRequests, b"k");
    let mut late = broker.subscribe(Topic::OrderRequests, partition, "late").await.unwrap();
    assert_eq!(texts(&take(&mut late, 2).await), ["0", "1"]);
}

pub async fn dropped_receives_lose_nothing(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut ordered = orders(&*broker, "k").await;
    let mut competing = logins(&*broker).await;
    let mut heard = broker.subscribe(Topic::PurchaseResults, 0, "node").await.unwrap();
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..200_u32 {
        if round < 40 {
            broker.publish(Topic::OrderRequests, messages("k", round..round + 1)).await.unwrap();
            broker.publish(Topic::LoginEvents, messages("k", round..round + 1)).await.unwrap();
            broker.publish(Topic::PurchaseResults, messages("k", round..round + 1)).await.unwrap();
        }
        // Each is polled a few times only, then dropped wherever it stands.
        for (consumer, seen) in [(&mut ordered, &mut a), (&mut competing, &mut b), (&mut heard, &mut c)] {
            tokio::select! {
                biased;
                batch = consumer.receive(3, Duration::from_millis(1)) => seen.extend(texts(&batch.unwrap())),
                () = async { for _ in 0..round % 5 { tokio::task::yield_now().await; } } => {}
            }
        }
    }
    for (mut consumer, mut seen) in [(ordered, a), (competing, b), (heard, c)] {
        let rest = take(&mut consumer, 40 - seen.len()).await;
        seen.extend(texts(&rest));
        assert_eq!(seen, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

pub async fn lingers_for_more(rig: &dyn Rig) {
    let broker = rig.open().await;
    for topic in [Topic::OrderRequests, Topic::LoginEvents, Topic::PurchaseResults] {
        let partition = broker.partition_of(topic, b"k");
        let mut consumer = broker.subscribe(topic, partition, GROUP).await.unwrap();
        broker.publish(topic, messages("k", 0..1)).await.unwrap();
        let more = async {
            tokio::task::yield_now().await;
            broker.publish(topic, messages("k", 1..3)).await.unwrap();
        };
        let (batch, ()) = tokio::join!(consumer.receive(3, Duration::from_secs(20)), more);
        assert_eq!(texts(&batch.unwrap()), ["0", "1", "2"], "{}", topic.name());
        broker.publish(topic, messages("k", 3..4)).await.unwrap();
        assert_eq!(texts(&consumer.receive(3, Duration::from_millis(5)).await.unwrap()), ["3"], "{}", topic.name());
    }
}

pub async fn barrier_passes_when_everything_before_is_done(rig: &dyn Rig) {
    let broker = rig.open().await;
    let (topic, partition) = (Topic::OrderRequests, broker.partition_of(Topic::OrderRequests, b"k"));
    let passed = async |barrier| broker.acked_through(topic, partition, GROUP).await.unwrap() >= barrier;
    let empty = broker.end_position(topic, partition).await.unwrap();
    assert!(passed(empty).await, "an empty partition holds nothing up");
    broker.publish(topic, messages("k", 0..3)).await.unwrap();
    let barrier = broker.end_position(topic, partition).await.unwrap();
    assert!(!passed(barrier).await);
    broker.publish(topic, messages("k", 3..5)).await.unwrap();
    let mut consumer = orders(&*broker, "k").await;
    let seen = take(&mut consumer, 5).await;
    assert!(!passed(barrier).await);
    consumer.ack(seen[1].position).await.unwrap();
    assert!(!passed(barrier).await);
    consumer.ack(seen[2].position).await.unwrap();
    assert!(passed(barrier).await);
    assert!(!passed(broker.end_position(topic, partition).await.unwrap()).await);
    // Publishes whose callers gave up stand before a later barrier, or nowhere.
    for number in 5..30 {
        tokio::select! {
            biased;
            stored = broker.publish(topic, messages("k", number..number + 1)) => stored.unwrap(),
            () = tokio::task::yield_now() => {}
        }
    }
    let barrier = broker.end_position(topic, partition).await.unwrap();
    broker.publish(topic, vec![message("k", "after")]).await.unwrap();
    loop {
        let next = take(&mut consumer, 1).await;
        if text(&next[0]) == "after" {
            assert!(passed(barrier).await, "something stood behind the barrier");
            break;
        }
        consumer.ack(next[0].position).await.unwrap();
    }
    consumer.rewind().await.unwrap();
    let last = take(&mut consumer, 1).await;
    consumer.ack(last[0].position).await.unwrap();
    drop(consumer);
    broker.close().await;
    let broker = rig.open().await;
    assert!(broker.acked_through(topic, partition, GROUP).await.unwrap() >= barrier);
}

pub async fn barrier_stands_behind_what_was_given_up(rig: &dyn Rig) {
    let broker = rig.open().await;
    let (topic, partition) = (Topic::OrderRequests, broker.partition_of(Topic::OrderRequests, b"k"));
    // Asked once and dropped: nobody will learn what became of them.
    let given_up = (0..50).map(|number| broker.publish(topic, messages("k", number..number + 1)).now_or_never());
    assert!(given_up.filter(Option::is_none).count() > 0, "all were stored at once");
    let barrier = broker.end_position(topic, partition).await.unwrap();
    broker.publish(topic, vec![message("k", "after")]).await.unwrap();
    let mut consumer = orders(&*broker, "k").await;
    let mut before = 0;
    loop {
        let next = take(&mut consumer, 1).await.remove(0);
        if text(&next) == "after" {
            break;
        }
        assert!(next.position <= barrier, "it stood behind the barrier: {next:?}, {barrier}");
        before += 1;
    }
    assert!(before > 0, "none of them was under way");
}
