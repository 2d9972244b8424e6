//! The suite on a real Pulsar, and what only there can happen. Each rig has a tenant of its own.

use super::*;
use crate::support::servers::{self, OwnServers};
use doorbuster::broker::partition_for;
use doorbuster::broker::pulsar::PulsarBroker;
use doorbuster::config::{self, Secret, Size, Span};
use doorbuster::kernel::{Clock, Rng};
use serde_json::json;

/// Time can't be moved on a server, so a second is a quarter of one.
const SECOND: Duration = Duration::from_millis(250);

pub struct Pulsar {
    pub config: config::Broker,
    own: Option<Arc<OwnServers>>,
}

impl Pulsar {
    /// A tenant of the shared server.
    pub fn shared() -> Self {
        Self { config: settings(&servers::pulsar(), &servers::pulsar_admin()), own: None }
    }

    /// A server that may be killed.
    pub fn own() -> Self {
        let own = OwnServers::up("pulsar");
        let config = settings(&own.find("DOORBUSTER_TEST_PULSAR"), &own.find("DOORBUSTER_TEST_PULSAR_ADMIN"));
        Self { config, own: Some(Arc::new(own)) }
    }

    pub fn server(&self) -> Arc<OwnServers> {
        self.own.clone().expect("a server of its own")
    }

    pub async fn broker(&self) -> PulsarBroker {
        PulsarBroker::open(&self.config, "node", Clock::system(), Rng::system()).await.unwrap()
    }

    /// A request to the admin API of the server.
    pub async fn admin(&self, method: reqwest::Method, path: &str) -> reqwest::Response {
        let url = format!("{}/admin/v2/{path}", self.config.admin_url.expose());
        reqwest::Client::new().request(method, url).send().await.unwrap()
    }
}

fn settings(url: &str, admin_url: &str) -> config::Broker {
    config::Broker {
        url: Secret::new(url),
        partitions: 4,
        envelope_items: 64,
        in_flight: 16,
        envelope_queue: 4_096,
        publish_timeout: Span(Duration::from_secs(10)),
        redelivery_after: Span(SECOND * REDELIVERY),
        broadcast_buffer: BUFFER,
        message_max: Size(LARGEST),
        publish_queue: Size(1 << 20),
        tail: Size(0),
        ack_flush: Span(Duration::from_millis(20)),
        poll_every: Span(Duration::from_millis(2)),
        relay_batch: 100,
        orphaned_after: Span(Duration::from_secs(2)),
        relay_sweep: Span(Duration::from_secs(1)),
        tls_roots: String::new(),
        admin_url: Secret::new(admin_url),
        token: Secret::new(""),
        token_file: String::new(),
        tenant: format!("test-{}", uuid::Uuid::new_v4().simple()),
        send_window: 64,
        receive_queue: 64,
        operation_timeout: Span(Duration::from_secs(10)),
        reconnect_max: Span(Duration::from_secs(1)),
        refuse_after: Span(Duration::from_secs(1)),
        keep_alive: Span(Duration::from_secs(5)),
        stall_after: Span(Duration::from_secs(10)),
        start_timeout: Span(Duration::from_secs(60)),
        results_kept: Span(Duration::from_secs(600)),
    }
}

#[async_trait]
impl Rig for Pulsar {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(self.broker().await)
    }

    fn now(&self) -> Timestamp {
        Clock::system().now()
    }

    fn second(&self) -> Duration {
        SECOND
    }

    async fn pass_until(&self, moment: Timestamp) {
        tokio::time::sleep(moment.since(self.now())).await;
    }

    async fn outage(&self) -> Box<dyn Any + Send> {
        struct Paused(Arc<OwnServers>);
        impl Drop for Paused {
            fn drop(&mut self) {
                self.0.resume("pulsar");
            }
        }
        let server = self.server();
        server.pause("pulsar");
        Box::new(Paused(server))
    }
}

quiet_cases!(Pulsar::shared());
outage_cases!(Pulsar::own());

/// The text of each message, `key:number`, by key in the order of arrival, until `count` have come from any partition.
async fn collect(broker: &PulsarBroker, partitions: u32, count: usize) -> Vec<(String, u32)> {
    let (sender, mut all) = tokio::sync::mpsc::unbounded_channel();
    let mut readers = tokio::task::JoinSet::new();
    for partition in 0..partitions {
        let mut consumer = broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap();
        let sender = sender.clone();
        readers.spawn(async move {
            while let Ok(batch) = consumer.receive(7, NONE).await {
                for message in &batch {
                    let text = text(message);
                    let (key, number) = text.split_once(':').unwrap();
                    sender.send((key.to_owned(), number.parse().unwrap())).unwrap();
                }
                consumer.ack(batch.last().unwrap().position).await.unwrap();
            }
        });
    }
    let mut seen = Vec::new();
    while seen.len() < count {
        seen.push(within(all.recv()).await.unwrap());
    }
    seen
}

/// Keys move to other partitions while an older node still publishes, and no message overtakes another of its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_keep_their_order_when_the_partitions_are_raised() {
    let mut rig = Pulsar::shared();
    let old = Arc::new(rig.broker().await);
    let keys: Vec<String> = (0..8).map(|number| format!("key-{number}")).collect();
    let publish = async |broker: &PulsarBroker, round: u32| {
        let batch = keys.iter().map(|key| message(key, format!("{key}:{round}"))).collect();
        broker.publish(Topic::OrderRequests, batch).await.unwrap();
    };
    for round in 0..10 {
        publish(&old, round).await;
    }
    rig.config.partitions = 7;
    assert!(keys.iter().any(|key| partition_for(key.as_bytes(), 4) != partition_for(key.as_bytes(), 7)));
    let new = rig.broker().await;
    assert_eq!((old.partitions(Topic::OrderRequests), new.partitions(Topic::OrderRequests)), (4, 7));
    // The old node has not noticed.
    for round in 10..20 {
        publish(if round % 2 == 0 { &old } else { &new }, round).await;
    }
    assert_eq!(old.partitions(Topic::OrderRequests), 7);
    let barrier = new.end_position(Topic::OrderRequests, 0).await.unwrap();
    assert!(new.acked_through(Topic::OrderRequests, 0, GROUP).await.unwrap() < barrier);
    assert_eq!(new.backlog(Topic::OrderRequests, GROUP).await.unwrap(), 160);
    let seen = collect(&new, 7, 160).await;
    for key in &keys {
        let numbers: Vec<u32> = seen.iter().filter(|(of, _)| of == key).map(|(_, number)| *number).collect();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "{key}");
    }
    eventually(async || new.acked_through(Topic::OrderRequests, 0, GROUP).await.unwrap() >= barrier).await;
    rig.config.partitions = 4;
    let lower = PulsarBroker::open(&rig.config, "node", Clock::system(), Rng::system()).await;
    assert!(matches!(lower.err(), Some(BrokerError::Refused(_))));
}

/// Who only looks makes nothing, attaches to nothing, and finds what is there, whatever its own settings say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_changes_nothing() {
    let mut rig = Pulsar::shared();
    let look = async |config: &config::Broker| PulsarBroker::look(config, Clock::system(), Rng::system()).await;
    assert!(matches!(look(&rig.config).await.err(), Some(BrokerError::Refused(_))), "there is no such tenant yet");
    let tenant = rig.admin(reqwest::Method::GET, &format!("tenants/{}", rig.config.tenant)).await;
    assert_eq!(tenant.status().as_u16(), 404);
    let broker = rig.broker().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..3)).await.unwrap();
    rig.config.partitions = 7;
    let seen = look(&rig.config).await.unwrap();
    assert_eq!(seen.partitions(Topic::OrderRequests), 4);
    assert_eq!(seen.backlog(Topic::OrderRequests, GROUP).await.unwrap(), 3);
    assert_eq!(seen.shares(Topic::OrderRequests, GROUP).await.unwrap().len(), 4);
    assert_eq!(broker.partitions(Topic::OrderRequests), 4, "no other layout was made");
}

/// A consumer that was attached to the partitions before they were raised goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_follows_when_the_partitions_are_raised() {
    let mut rig = Pulsar::shared();
    rig.config.partitions = 1;
    let old = rig.broker().await;
    let mut consumer = old.subscribe(Topic::OrderRequests, 0, GROUP).await.unwrap();
    old.publish(Topic::OrderRequests, messages("k", 0..3)).await.unwrap();
    let first = take(&mut consumer, 3).await;
    rig.config.partitions = 2;
    let new = rig.broker().await;
    let key = (0..).map(|number| format!("k{number}")).find(|key| partition_for(key.as_bytes(), 2) == 0).unwrap();
    new.publish(Topic::OrderRequests, messages(&key, 3..6)).await.unwrap();
    old.publish(Topic::OrderRequests, messages(&key, 6..9)).await.unwrap();
    nothing_comes(&mut consumer).await;
    consumer.ack(first[2].position).await.unwrap();
    let rest = take(&mut consumer, 6).await;
    assert_eq!(texts(&rest), ["3", "4", "5", "6", "7", "8"]);
    assert!(rest[0].position > first[2].position);
}

/// A node whose subscription the server has given up is told that it missed something; a closed node leaves none behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_whose_subscription_ended_is_told() {
    let rig = Pulsar::shared();
    let broker = rig.broker().await;
    let topic = format!("persistent/{}/results/purchase-results", rig.config.tenant);
    let mut consumer = broker.subscribe(Topic::PurchaseResults, 0, "node-1").await.unwrap();
    let twin = broker.subscribe(Topic::PurchaseResults, 0, "node-1").await;
    assert!(matches!(twin.err(), Some(BrokerError::Unavailable(_))), "one name, two listeners");
    broker.publish(Topic::PurchaseResults, messages("k", 0..2)).await.unwrap();
    let heard = take(&mut consumer, 2).await;
    consumer.ack(heard[1].position).await.unwrap();
    let gone = rig.admin(reqwest::Method::DELETE, &format!("{topic}/subscription/node-1?force=true")).await;
    assert!(gone.status().is_success(), "{gone:?}");
    broker.publish(Topic::PurchaseResults, messages("k", 2..3)).await.unwrap();
    let told = within(consumer.receive(1, NONE)).await;
    assert!(matches!(told, Err(BrokerError::Lagged(_))), "{told:?}");
    broker.publish(Topic::PurchaseResults, messages("k", 3..4)).await.unwrap();
    assert_eq!(texts(&take(&mut consumer, 1).await), ["3"]);
    drop(consumer);
    broker.close().await;
    let left: serde_json::Value =
        rig.admin(reqwest::Method::GET, &format!("{topic}/subscriptions")).await.json().await.unwrap();
    assert_eq!(left, json!([]));
}
