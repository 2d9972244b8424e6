use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::accounts::testing::{HOME, PASSWORD, Shop, eventually};
use crate::broker::embedded::EmbeddedBroker;
use crate::config::Config;
use crate::kernel::{Clock, Rng};

/// Two nodes on one database and one broker.
struct Two {
    shop: Shop,
    broker: Arc<EmbeddedBroker>,
    nodes: [Accounts; 2],
}

impl Two {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let config = Config::default_embedded().broker;
        let broker = EmbeddedBroker::open(shop.db.clone(), Clock::system(), Rng::system(), &config).await.unwrap();
        let broker = Arc::new(broker);
        let node = || {
            let (clock, rng) = (shop.clock.clock(), Rng::system());
            Accounts::new(shop.db.clone(), broker.clone(), None, clock, rng, &shop.config).unwrap()
        };
        let nodes = [node(), node()];
        Self { shop, broker, nodes }
    }

    async fn watch(&self, node: usize) -> AbortOnDropHandle<()> {
        let mut consumer = self.broker.subscribe(Topic::SessionChanges, 0, &format!("node-{node}")).await.unwrap();
        let accounts = self.nodes[node].clone();
        AbortOnDropHandle::new(tokio::spawn(async move {
            watch_sign_outs(&accounts, &mut *consumer).await.unwrap();
        }))
    }

    /// A token that both nodes remember.
    async fn signed_in(&self, name: &str) -> String {
        let signed_in = self.nodes[0].sign_up(name, PASSWORD, "Somebody", HOME).await.unwrap().unwrap();
        let token = signed_in.access_token.token;
        for node in &self.nodes {
            assert!(node.viewer(&token).await.unwrap().is_some());
        }
        token
    }

    /// Whether the second node still knows the token, in a time that stands still.
    async fn is_known(&self, token: &str) -> bool {
        self.nodes[1].viewer(token).await.unwrap().is_some()
    }

    async fn until_unknown(&self, token: &str) {
        let waiting = async {
            while self.is_known(token).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(1), waiting).await.expect("a sign-out is seen within a second");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_out_is_seen_on_every_node_within_a_second() {
    let two = Two::open().await;
    let _watching = (two.watch(0).await, two.watch(1).await);
    let (gone, stays) = (two.signed_in("alice").await, two.signed_in("bob").await);
    assert!(two.nodes[0].sign_out(&gone).await.unwrap());
    two.until_unknown(&gone).await;
    assert!(two.is_known(&stays).await);
    assert_eq!(two.nodes[0].viewer(&gone).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_announcements_the_time_to_live_is_the_fallback() {
    let two = Two::open().await;
    let token = two.signed_in("alice").await;
    assert!(two.nodes[0].sign_out(&token).await.unwrap());
    two.nodes[0].flush().await;
    assert!(two.is_known(&token).await, "nobody has told this node");
    two.shop.clock.advance(*two.shop.config.token_cache_ttl);
    assert!(!two.is_known(&token).await);
}

/// The broker is away for one of two nodes, or for both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hears_nobody_trusts_a_token_for_a_second() {
    let two = Two::open().await;
    let (silence, ttl) = (*two.shop.config.sign_out_heartbeat * 2, *two.shop.config.token_cache_ttl);
    assert!(silence <= Duration::from_secs(1) && silence < ttl);
    let (broker, accounts) = (two.broker.clone(), two.nodes[1].clone());
    let beating = AbortOnDropHandle::new(tokio::spawn(async move {
        say_so(&accounts, &*broker, Duration::from_millis(1)).await.unwrap();
    }));
    let watching = two.watch(1).await;
    let token = two.signed_in("alice").await;
    let lookups = || two.nodes[1].metrics().token_lookups.get();
    // It hears itself, so it remembers for long.
    let hears = || async {
        two.shop.clock.advance(silence);
        tokio::time::timeout(Duration::from_secs(5), async {
            loop {
                let before = lookups();
                assert!(two.is_known(&token).await);
                if lookups() == before {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("it hears");
    };
    hears().await;
    // An aborted task still runs to its next await: without waiting for its end, a heartbeat on its way could be heard after
    // the clock has moved.
    for task in [watching, beating] {
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    assert!(two.nodes[0].sign_out(&token).await.unwrap());
    two.shop.clock.advance(silence);
    assert!(!two.is_known(&token).await, "it trusted a memory although it heard nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_announced_before_a_node_listens_is_not_believed_any_more() {
    let two = Two::open().await;
    let token = two.signed_in("alice").await;
    assert!(two.nodes[0].sign_out(&token).await.unwrap());
    two.nodes[0].flush().await;
    assert!(two.is_known(&token).await);
    let _watching = two.watch(1).await;
    two.until_unknown(&token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_announcement_costs_look_ups_and_nothing_else() {
    let two = Two::open().await;
    let _watching = two.watch(1).await;
    let (gone, stays) = (two.signed_in("alice").await, two.signed_in("bob").await);
    let newer = br#"{"v":2,"type":"session-change","ended":[]}"#;
    let message = |payload: &'static [u8]| Message { key: "k".into(), payload: payload.into(), deliver_at: None };
    let odd = br#"{"v":1,"type":"session-change","ended":["!", "AAAA"]}"#;
    two.broker.publish(Topic::SessionChanges, vec![message(newer), message(odd)]).await.unwrap();
    assert!(two.nodes[0].sign_out(&gone).await.unwrap());
    two.until_unknown(&gone).await;
    assert!(two.is_known(&stays).await);
}

#[tokio::test]
async fn sign_outs_that_the_broker_does_not_take_are_counted() {
    let shop = Shop::open().await;
    let signed_in = shop.accounts.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap();
    shop.accounts.flush().await;
    shop.broker.refusals.store(u32::MAX, std::sync::atomic::Ordering::SeqCst);
    assert!(shop.accounts.sign_out(&signed_in.access_token.token).await.unwrap());
    shop.accounts.flush().await;
    eventually(|| shop.accounts.metrics().sign_outs_not_broadcast.get() == 1).await;
}
