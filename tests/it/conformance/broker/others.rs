//! Broadcast, failures, numbers for operators, and bad days.

use super::competing::due;
use super::*;

pub async fn broadcast_reaches_everyone(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::PurchaseResults, messages("k", 0..1)).await.unwrap();
    let mut one = broker.subscribe(Topic::PurchaseResults, 0, "node-1").await.unwrap();
    let mut two = broker.subscribe(Topic::PurchaseResults, 0, "node-2").await.unwrap();
    let mut other = broker.subscribe(Topic::CatalogChanges, 0, "node-1").await.unwrap();
    broker.publish(Topic::PurchaseResults, messages("k", 1..4)).await.unwrap();
    for consumer in [&mut one, &mut two] {
        let heard = take(consumer, 3).await;
        assert_eq!(texts(&heard), ["1", "2", "3"]);
        consumer.ack(heard[2].position).await.unwrap();
        nothing_comes(consumer).await;
    }
    nothing_comes(&mut other).await;
}

pub async fn broadcast_says_when_it_lagged(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut slow = broker.subscribe(Topic::PurchaseResults, 0, "slow").await.unwrap();
    let mut fast = broker.subscribe(Topic::PurchaseResults, 0, "fast").await.unwrap();
    let all = BUFFER as u32 + 5;
    for number in 0..all {
        broker.publish(Topic::PurchaseResults, messages("k", number..number + 1)).await.unwrap();
        assert_eq!(texts(&take(&mut fast, 1).await), [number.to_string()]);
    }
    match slow.receive(100, NONE).await {
        Err(BrokerError::Lagged(missed)) => {
            assert_eq!(missed, 5);
            let rest = take(&mut slow, BUFFER).await;
            assert_eq!(text(&rest[BUFFER - 1]), (all - 1).to_string());
        }
        // A broker that keeps them may deliver everything.
        Ok(mut heard) => {
            heard.extend(take(&mut slow, all as usize - heard.len()).await);
            assert_eq!(texts(&heard), (0..all).map(|number| number.to_string()).collect::<Vec<_>>());
        }
        Err(error) => panic!("{error}"),
    }
    broker.publish(Topic::PurchaseResults, messages("k", 99..100)).await.unwrap();
    assert_eq!(texts(&take(&mut slow, 1).await), ["99"]);
}

pub async fn backlog_counts_what_waits(rig: &dyn Rig) {
    let broker = rig.open().await;
    for key in ["a", "b", "c", "d"] {
        broker.publish(Topic::OrderRequests, messages(key, 0..2)).await.unwrap();
    }
    let later = rig.now().plus(Duration::from_secs(3_600));
    broker.publish(Topic::PaymentTimeouts, vec![due("x", later), message("k", "y")]).await.unwrap();
    assert_eq!(broker.backlog(Topic::OrderRequests, GROUP).await.unwrap(), 8);
    assert_eq!(broker.backlog(Topic::PaymentTimeouts, GROUP).await.unwrap(), 2);
    assert_eq!(broker.backlog(Topic::PurchaseResults, GROUP).await.unwrap(), 0);
    let mut consumer = orders(&*broker, "a").await;
    let first = take(&mut consumer, 1).await;
    assert_eq!(broker.backlog(Topic::OrderRequests, GROUP).await.unwrap(), 8);
    consumer.ack(first[0].position).await.unwrap();
    // An acknowledgement may still be on its way to a server.
    eventually(async || broker.backlog(Topic::OrderRequests, GROUP).await.unwrap() == 7).await;
    let shares = broker.shares(Topic::OrderRequests, GROUP).await.unwrap();
    assert_eq!(shares.len() as u32, broker.partitions(Topic::OrderRequests));
    assert_eq!(shares.iter().map(|share| share.waiting).sum::<u64>(), 7, "{shares:?}");
    assert_eq!(broker.shares(Topic::PurchaseResults, GROUP).await.unwrap(), []);
    let mut timeouts = broker.subscribe(Topic::PaymentTimeouts, 0, GROUP).await.unwrap();
    let first = take(&mut timeouts, 1).await;
    timeouts.ack(first[0].position).await.unwrap();
    eventually(async || broker.backlog(Topic::PaymentTimeouts, GROUP).await.unwrap() == 1).await;
}

fn failure(payload: &[u8]) -> Failure {
    Failure {
        topic: Topic::OrderRequests.name().to_owned(),
        key: Bytes::from_static(b"\xff\x00key"),
        reason: "no such sale".to_owned(),
        at: Timestamp::from_millis(5),
        payload: Bytes::copy_from_slice(payload),
    }
}

pub async fn failures_come_back_verbatim(rig: &dyn Rig) {
    let broker = rig.open().await;
    let payloads: [&[u8]; 4] = [br#"{"b":1,  "a":1.50}"#, b"not JSON", b"\x00\xff\xfe", b" {} "];
    for payload in payloads {
        dead_letter(&*broker, &failure(payload)).await.unwrap();
    }
    drop(broker);
    let broker = rig.open().await;
    let letters = broker.failures(0, 100).await.unwrap();
    assert_eq!(letters.iter().map(|(_, letter)| letter.clone()).collect::<Vec<_>>(), payloads.map(failure));
    assert_eq!(broker.failures(letters[1].0, 1).await.unwrap(), vec![letters[2].clone()]);
    let newest = broker.failures_before(u64::MAX, 3).await.unwrap();
    assert_eq!(newest, [letters[3].clone(), letters[2].clone(), letters[1].clone()]);
    assert_eq!(broker.failures_before(letters[1].0, 3).await.unwrap(), vec![letters[0].clone()]);
    assert!(broker.failures_before(letters[0].0, 3).await.unwrap().is_empty());
    for (position, _) in &letters {
        assert!(broker.replay(*position).await.unwrap());
        assert!(!broker.replay(*position).await.unwrap(), "replayed twice");
    }
    assert!(broker.failures(0, 100).await.unwrap().is_empty());
    let partition = broker.partition_of(Topic::OrderRequests, b"\xff\x00key");
    let mut consumer = broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap();
    for (found, payload) in take(&mut consumer, 4).await.iter().zip(payloads) {
        assert_eq!((&found.key[..], &found.payload[..]), (&b"\xff\x00key"[..], payload));
    }
}

pub async fn failures_are_taken_once(rig: &dyn Rig) {
    let broker = rig.open().await;
    dead_letter(&*broker, &failure(b"1")).await.unwrap();
    dead_letter(&*broker, &failure(b"2")).await.unwrap();
    let letters = broker.failures(0, 10).await.unwrap();
    let (one, two) = (letters[0].0, letters[1].0);
    let takes = futures_util::future::join_all((0..8).map(|_| broker.replay(one))).await;
    assert_eq!(takes.into_iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1);
    assert!(broker.discard(two).await.unwrap());
    assert!(!broker.discard(two).await.unwrap());
    assert!(!broker.replay(two).await.unwrap());
    assert!(!broker.replay(1 << 40).await.unwrap());
    drop(broker);
    let broker = rig.open().await;
    assert!(broker.failures(0, 10).await.unwrap().is_empty());
    assert_eq!(broker.backlog(Topic::OrderRequests, GROUP).await.unwrap(), 1);
}

pub async fn refuses_what_is_too_large(rig: &dyn Rig) {
    let broker = rig.open().await;
    let large = "x".repeat(LARGEST);
    broker.publish(Topic::LoginEvents, vec![message("k", &large)]).await.unwrap();
    let batch = vec![message("k", "small"), message("k", large + "x")];
    let refused = broker.publish(Topic::LoginEvents, batch).await;
    assert!(matches!(refused, Err(BrokerError::Refused(_))), "{refused:?}");
    assert_eq!(broker.backlog(Topic::LoginEvents, GROUP).await.unwrap(), 1);
    // What was let in can always be dead-lettered.
    let largest = Failure { payload: Bytes::from("\u{1}".repeat(LARGEST)), ..failure(b"") };
    dead_letter(&*broker, &largest).await.unwrap();
    assert_eq!(broker.failures(0, 1).await.unwrap()[0].1, largest);
}

pub async fn outage_is_told_and_survived(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut consumer = orders(&*broker, "k").await;
    broker.publish(Topic::OrderRequests, vec![message("k", "before")]).await.unwrap();
    // Before the storage is gone: a broker need not have anything at hand that it stored.
    let before = take(&mut consumer, 1).await;
    let outage = rig.outage().await;
    let told = broker.publish(Topic::OrderRequests, vec![message("k", "during")]).await;
    assert!(matches!(told, Err(BrokerError::Unavailable(_))), "{told:?}");
    consumer.ack(before[0].position).await.unwrap();
    drop(outage);
    let publish = async || broker.publish(Topic::OrderRequests, vec![message("k", "after")]).await.is_ok();
    eventually(publish).await;
    let mut seen = vec![text(&before[0])];
    while seen.last().is_none_or(|last| last != "after") {
        let next = take(&mut consumer, 1).await;
        consumer.ack(next[0].position).await.unwrap();
        seen.push(text(&next[0]));
    }
    // What was answered with "unknown" may have been stored.
    seen.dedup();
    seen.retain(|text| text != "during");
    assert_eq!(seen, ["before", "after"]);
    drop(consumer);
    broker.close().await;
    let broker = rig.open().await;
    let mut consumer = orders(&*broker, "k").await;
    while let Ok(batch) = tokio::time::timeout(Duration::from_millis(60), consumer.receive(9, NONE)).await {
        assert!(!texts(&batch.unwrap()).contains(&"before".to_owned()), "an acknowledgement was forgotten");
    }
}

pub async fn closed_says_so(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut waiting: Vec<Box<dyn Consumer>> = Vec::new();
    for topic in [Topic::OrderRequests, Topic::LoginEvents, Topic::PurchaseResults] {
        waiting.push(broker.subscribe(topic, 0, GROUP).await.unwrap());
    }
    let end = futures_util::future::join_all(waiting.iter_mut().map(|consumer| consumer.receive(1, NONE)));
    let (ends, ()) = tokio::join!(end, broker.close());
    assert!(ends.iter().all(|end| matches!(end, Err(BrokerError::Closed))), "{ends:?}");
    for topic in [Topic::OrderRequests, Topic::LoginEvents, Topic::PurchaseResults] {
        let told = broker.publish(topic, messages("k", 0..1)).await;
        assert!(matches!(told, Err(BrokerError::Closed)), "{told:?}");
    }
    broker.close().await;
}
