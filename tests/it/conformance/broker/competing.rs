//! Messages that are lent to one of many, now or later.

use std::collections::BTreeSet;

use super::*;

pub async fn competing_share(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut workers = tokio::task::JoinSet::new();
    let all = Arc::new(tokio::sync::Mutex::new(Vec::new()));
    for _ in 0..3 {
        let (broker, all) = (broker.clone(), all.clone());
        workers.spawn(async move {
            let mut consumer = logins(&*broker).await;
            loop {
                for message in consumer.receive(4, NONE).await.unwrap() {
                    assert_eq!(message.redeliveries, 0);
                    consumer.ack(message.position).await.unwrap();
                    all.lock().await.push(text(&message));
                }
            }
        });
    }
    for start in (0..120).step_by(10) {
        broker.publish(Topic::LoginEvents, messages("k", start..start + 10)).await.unwrap();
    }
    eventually(async || all.lock().await.len() >= 120).await;
    // Long after they might have been delivered again.
    rig.pass(REDELIVERY * 2).await;
    let mut idle = logins(&*broker).await;
    nothing_comes(&mut idle).await;
    workers.shutdown().await;
    let all = all.lock().await;
    assert_eq!(all.len(), 120);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 120);
    drop(idle);
    broker.close().await;
    nothing_comes(&mut logins(&*rig.open().await).await).await;
}

pub async fn competing_gets_unacknowledged_again(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::LoginEvents, messages("k", 0..2)).await.unwrap();
    let mut slow = logins(&*broker).await;
    let mut other = logins(&*broker).await;
    let first = take(&mut slow, 2).await;
    slow.ack(first[0].position).await.unwrap();
    nothing_comes(&mut other).await;
    rig.pass(REDELIVERY - 10).await;
    nothing_comes(&mut other).await;
    rig.pass(11).await;
    let again = take(&mut other, 1).await;
    assert_eq!(texts(&again), ["1"]);
    assert_eq!(again[0].redeliveries, 1);
    // A crash brings it back, too.
    drop((slow, other, broker));
    let broker = rig.open().await;
    let mut consumer = logins(&*broker).await;
    // The acknowledgement of the other need not have been written.
    while texts(&take(&mut consumer, 1).await) != ["1"] {}
}

pub async fn competing_gives_back(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::LoginEvents, messages("k", 0..2)).await.unwrap();
    let mut first = logins(&*broker).await;
    let taken = take(&mut first, 2).await;
    first.ack(taken[0].position).await.unwrap();
    first.rewind().await.unwrap();
    let again = take(&mut first, 1).await;
    assert_eq!((text(&again[0]), again[0].redeliveries), ("1".to_owned(), 1));
    let mut second = logins(&*broker).await;
    drop(first);
    assert_eq!(texts(&take(&mut second, 1).await), ["1"]);
}

pub async fn competing_has_one_group(rig: &dyn Rig) {
    let broker = rig.open().await;
    let _one = logins(&*broker).await;
    let other = broker.subscribe(Topic::LoginEvents, 0, "another").await;
    assert!(matches!(other.err(), Some(BrokerError::Refused(_))));
}

pub fn due(text: &str, at: Timestamp) -> Message {
    Message { deliver_at: Some(at), ..message("k", text) }
}

pub async fn delayed_is_never_early(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut consumer = broker.subscribe(Topic::PaymentTimeouts, 0, GROUP).await.unwrap();
    let start = rig.now();
    let at = |seconds| start.plus(rig.second() * seconds);
    let batch = vec![due("late", at(60)), due("soon", at(20)), due("past", start.minus(rig.second() * 9))];
    broker.publish(Topic::PaymentTimeouts, batch).await.unwrap();
    let past = take(&mut consumer, 1).await;
    assert_eq!(texts(&past), ["past"]);
    consumer.ack(past[0].position).await.unwrap();
    nothing_comes(&mut consumer).await;
    rig.pass_until(at(19)).await;
    nothing_comes(&mut consumer).await;
    // Due earlier than what the consumer waits for.
    broker.publish(Topic::PaymentTimeouts, vec![due("sooner", at(19))]).await.unwrap();
    let sooner = take(&mut consumer, 1).await;
    assert_eq!(texts(&sooner), ["sooner"]);
    consumer.ack(sooner[0].position).await.unwrap();
    rig.pass_until(at(21)).await;
    let soon = take(&mut consumer, 1).await;
    assert_eq!(texts(&soon), ["soon"]);
    consumer.ack(soon[0].position).await.unwrap();
    nothing_comes(&mut consumer).await;
    broker.publish(Topic::PaymentTimeouts, vec![due("later", at(70))]).await.unwrap();
    rig.pass_until(at(81)).await;
    assert_eq!(texts(&take(&mut consumer, 2).await), ["late", "later"]);
}

pub async fn delayed_survives(rig: &dyn Rig) {
    let (broker, start) = (rig.open().await, rig.now());
    let at = |seconds| start.plus(rig.second() * seconds);
    broker.publish(Topic::PaymentTimeouts, vec![due("b", at(40)), due("a", at(30))]).await.unwrap();
    drop(broker);
    let broker = rig.open().await;
    let mut consumer = broker.subscribe(Topic::PaymentTimeouts, 0, GROUP).await.unwrap();
    nothing_comes(&mut consumer).await;
    rig.pass_until(at(35)).await;
    assert_eq!(texts(&take(&mut consumer, 1).await), ["a"]);
    nothing_comes(&mut consumer).await;
    rig.pass_until(at(45)).await;
    assert_eq!(texts(&take(&mut consumer, 1).await), ["b"]);
}
