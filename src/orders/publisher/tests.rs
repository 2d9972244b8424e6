use super::*;
use crate::accounts::testing::NotingBroker;
use crate::broker::partition_for;
use crate::broker::testing::Double;
use crate::config::{Config, Secret, Span};
use crate::kernel::{TicketId, Timestamp, UserId};

const PARTITIONS: u32 = 4;

fn broker(stuck: &[u32]) -> Arc<Double> {
    let broker = Double::of(Arc::new(NotingBroker::default()), stuck.iter().copied());
    *broker.partitions.lock() = Some(PARTITIONS);
    broker
}

fn publisher(broker: &Arc<Double>) -> Publisher {
    let config = config::Broker {
        url: Secret::new("pulsar://broker"),
        envelope_items: 8,
        in_flight: 2,
        envelope_queue: 16,
        publish_timeout: Span(Duration::from_secs(3)),
        refuse_after: Span(Duration::from_secs(1)),
        ..Config::default_embedded().broker
    };
    Publisher::new(broker.clone(), &config)
}

/// The `number`th sale whose messages go to the partition.
fn sale_in(partition: u32, number: usize) -> SaleId {
    let sales = (0..=u8::MAX).map(|byte| SaleId::from_bytes([byte; 16]));
    sales.filter(|sale| partition_for(&sale.to_bytes(), PARTITIONS) == partition).nth(number).unwrap()
}

fn request(sale: SaleId, seq: u64) -> OrderRequest {
    OrderRequest {
        ticket: TicketId { sale, epoch: 1, seq },
        buyer: UserId::from_bytes([1; 16]),
        key: "key-00001".into(),
        quantity: 1,
        at: Timestamp::from_millis(1),
        price: None,
    }
}

fn publish(publisher: &Publisher, sale: SaleId, seq: u64) -> tokio::task::JoinHandle<Receipt> {
    let publisher = publisher.clone();
    tokio::spawn(async move { publisher.publish(request(sale, seq)).await })
}

#[tokio::test(start_paused = true)]
async fn a_stuck_partition_keeps_only_its_own_sales_waiting() {
    let broker = broker(&[2]);
    let publisher = publisher(&broker);
    // More than a window and a queue can hold.
    let waiting: Vec<_> = (0..60).map(|seq| publish(&publisher, sale_in(2, 0), seq)).collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for partition in [0, 1, 3] {
        let healthy = publish(&publisher, sale_in(partition, 0), 1);
        let receipt = tokio::time::timeout(Duration::from_millis(1), healthy).await;
        receipt.expect("a healthy partition waits for a stuck one").unwrap().unwrap();
    }
    assert!(waiting.iter().all(|task| !task.is_finished()), "it may be a moment's trouble");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(publisher.refused_partitions(), [2]);
    // What is on its way is stored sooner or later; everybody else is told to come again, and so is who comes now.
    let on_their_way = waiting.iter().filter(|task| !task.is_finished()).count();
    assert!(on_their_way <= 2 * 8, "{on_their_way} still wait");
    assert!(publish(&publisher, sale_in(2, 1), 1).await.unwrap().is_err(), "the first may be a try");
    let begun = Instant::now();
    let refused = publisher.publish(request(sale_in(2, 1), 2)).await;
    assert!(matches!(refused, Err(BrokerError::Unavailable(_))) && begun.elapsed().is_zero(), "{refused:?}");
    publisher.publish(request(sale_in(0, 1), 1)).await.unwrap();
    broker.free();
    let mut stored = 0;
    for task in waiting {
        stored += usize::from(task.await.unwrap().is_ok());
    }
    assert_eq!(stored, on_their_way);
    assert!(publisher.refused_partitions().is_empty());
    publisher.publish(request(sale_in(2, 1), 3)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn sales_of_one_partition_share_a_publish_and_no_others_do() {
    let broker = broker(&[]);
    let publisher = publisher(&broker);
    let sales = [sale_in(0, 0), sale_in(1, 0), sale_in(0, 1), sale_in(3, 0)];
    let published: Vec<_> = sales.iter().map(|sale| publish(&publisher, *sale, 1)).collect();
    for task in published {
        task.await.unwrap().unwrap();
    }
    let stored = broker.stored.lock().clone();
    assert_eq!(stored.len(), 3, "{stored:?}");
    assert!(stored.iter().any(|keys| keys.len() == 2), "{stored:?}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_batch() {
    let broker = broker(&[]);
    let publisher = publisher(&broker);
    broker.panics.add_permits(1);
    let told = publisher.publish(request(sale_in(1, 0), 1)).await;
    assert!(matches!(told, Err(BrokerError::Unavailable(_))), "{told:?}");
    publisher.publish(request(sale_in(1, 0), 1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn tickets_that_wait_while_partitions_are_added_go_where_their_sale_goes_now() {
    let broker = broker(&[0]);
    let publisher = publisher(&broker);
    // Sales of one partition of four that are in different ones of eight.
    let sales: Vec<_> = (0..8).map(|number| sale_in(0, number)).collect();
    let moved = |sale: &SaleId| partition_for(&sale.to_bytes(), 2 * PARTITIONS) != 0;
    assert!(sales.iter().any(moved) && !sales.iter().all(moved));
    // The window is full before the others come.
    let first: Vec<_> = (0..2).map(|seq| (seq, publish(&publisher, sales[0], seq))).collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let rest: Vec<_> = sales.iter().map(|sale| publish(&publisher, *sale, 9)).collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    *broker.partitions.lock() = Some(2 * PARTITIONS);
    broker.free();
    for task in first.into_iter().map(|(_, task)| task).chain(rest) {
        task.await.unwrap().unwrap();
    }
    let stored: Vec<_> = broker.stored.lock().iter().flatten().cloned().collect();
    assert!(sales.iter().all(|sale| stored.contains(&Bytes::copy_from_slice(&sale.to_bytes()))));
}
