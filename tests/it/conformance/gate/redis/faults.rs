//! A network between node and server that fails in every way: each call ends in time, and the node recovers by itself.

use doorbuster::config::Span;
use doorbuster::gate::Coalescer;
use doorbuster::redis_client::RedisClient;
use tokio::time::{Instant, timeout};

use super::*;
use crate::support::proxy::{Network, Proxy};
use crate::support::until;

/// Long against what a busy machine takes to get round to anybody.
const CALL: Duration = Duration::from_secs(1);

struct Line {
    proxy: Proxy,
    client: RedisClient,
    gate: RedisGate,
    settings: config::Gate,
    sale: SaleId,
}

impl Line {
    async fn open() -> Self {
        Self::with(CALL).await
    }

    /// Calls, and attempts to connect, may take `call`.
    async fn with(call: Duration) -> Self {
        let (proxy, prefix) = (Proxy::before(&servers::redis()).await, fresh_prefix());
        let wait = Span(Duration::from_millis(200));
        let settings = config::Gate {
            connections: 1,
            call_timeout: Span(call),
            connect_timeout: Span(call),
            reconnect_wait: wait,
            ..settings(&proxy.url(), &prefix)
        };
        let rng = Rng::system();
        let client = open_redis(&settings, &rng).await.unwrap();
        let gate = RedisGate::new(&client, &rng);
        let sale = new_sale();
        gate.rebuild(terms(sale, 1, 1_000_000), Vec::new()).await.unwrap();
        Self { proxy, client, gate, settings, sale }
    }

    /// One purchase of somebody new; never longer than a call may take.
    async fn try_buying(&self) -> Result<Decision, GateError> {
        let attempt = Attempt { buyer: new_buyer(), key: "key-0000".to_owned(), quantity: 1 };
        let call = *self.settings.call_timeout;
        let answer = timeout(call * 3 / 2, self.gate.admit(self.sale, SaleVersion::of_epoch(1), vec![attempt])).await;
        answer.expect("a call outlives its time").map(|mut decisions| decisions.remove(0))
    }

    /// Until purchases work; says how long it took.
    async fn until_well(&self) -> Duration {
        let begun = Instant::now();
        until("well", async || matches!(self.try_buying().await, Ok(Decision::Admitted { .. }))).await;
        begun.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_are_dropped() {
    let line = Line::open().await;
    line.until_well().await;
    line.proxy.set(Network::HalfOpen);
    let begun = Instant::now();
    let error = line.try_buying().await.unwrap_err();
    assert!(begun.elapsed() >= CALL && line.proxy.swallowed() > 0, "it was not half-open");
    assert!(error.to_string().contains("did not respond in time"), "{error}");
    line.try_buying().await.unwrap_err();
    line.proxy.set(Network::Fine);
    println!("recovered {:?} after the network", line.until_well().await);
}

/// Whoever waits for the gate when it hangs is told in time, however many they are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_network_turns_into_errors_and_keys_still_have_their_tickets() {
    let line = Line::open().await;
    let coalescer = Arc::new(Coalescer::new(Arc::new(line.gate.clone()), &line.settings));
    let buyers: Vec<UserId> = (0..300).map(|_| new_buyer()).collect();
    line.proxy.set(Network::Frozen);
    let attempt = |buyer: UserId| {
        let (coalescer, sale) = (coalescer.clone(), line.sale);
        let attempt = Attempt { buyer, key: "key-0000".to_owned(), quantity: 1 };
        tokio::spawn(async move { coalescer.admit(sale, SaleVersion::of_epoch(1), &attempt).await })
    };
    for waiting in buyers.iter().map(|buyer| attempt(*buyer)).collect::<Vec<_>>() {
        timeout(20 * CALL, waiting).await.expect("hangs").unwrap().unwrap_err();
    }
    line.proxy.set(Network::Fine);
    line.until_well().await;
    let mut seqs = Vec::new();
    for waiting in buyers.iter().map(|buyer| attempt(*buyer)).collect::<Vec<_>>() {
        // What was sent before the error may have been done: then the ticket is the one of then.
        match waiting.await.unwrap().unwrap() {
            Decision::Admitted { ticket, .. } | Decision::Replayed { ticket, pending: true, .. } => {
                seqs.push(ticket.seq)
            }
            other => panic!("{other:?}"),
        }
    }
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs.len(), buyers.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_fails_at_once_and_heals_by_itself() {
    let line = Line::open().await;
    line.until_well().await;
    line.proxy.set(Network::Cut);
    until("noticed", async || line.try_buying().await.is_err()).await;
    // While the server is known to be away nobody waits for it.
    until("at once", async || {
        let begun = Instant::now();
        line.try_buying().await.is_err() && begun.elapsed() < CALL / 4
    })
    .await;
    let connections = line.proxy.connections();
    line.proxy.set(Network::Fine);
    println!("recovered {:?} after the network", line.until_well().await);
    assert!(line.proxy.connections() > connections);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resets_cost_single_calls() {
    let line = Line::open().await;
    let (mut bought, mut failed) = (0, 0);
    for round in 0..200 {
        if round % 10 == 0 {
            line.proxy.reset();
        }
        match line.try_buying().await {
            Ok(decision) => {
                assert!(matches!(decision, Decision::Admitted { .. }), "{decision:?}");
                bought += 1;
            }
            Err(_) => {
                failed += 1;
                line.until_well().await;
            }
        }
    }
    assert!(line.proxy.connections() > 15, "nothing was reset");
    assert!(failed <= 40, "{bought} bought, {failed} failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_network_is_borne() {
    // Ten times what the network takes: a busy machine comes on top.
    let line = Line::with(5 * CALL).await;
    let connections = line.proxy.connections();
    line.proxy.set(Network::Slow(CALL / 4));
    for _ in 0..5 {
        let begun = Instant::now();
        assert!(matches!(line.try_buying().await, Ok(Decision::Admitted { .. })));
        assert!(begun.elapsed() >= CALL / 2, "it was not slow");
    }
    assert_eq!(line.proxy.connections(), connections);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_slower_than_a_call_may_take_fails_calls_until_it_is_fine() {
    let line = Line::open().await;
    line.proxy.set(Network::Slow(2 * CALL));
    line.try_buying().await.unwrap_err();
    line.proxy.set(Network::Fine);
    line.until_well().await;
    assert!(line.proxy.passed() > 0);
}

/// A server that is not there does not keep the node from starting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_without_its_server() {
    let (proxy, prefix) = (Proxy::before(&servers::redis()).await, fresh_prefix());
    proxy.set(Network::Cut);
    let gate = node(&proxy.url(), &prefix).await;
    gate.counts(new_sale()).await.unwrap_err();
    proxy.set(Network::Fine);
    until("well", async || gate.counts(new_sale()).await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_can_not_keep_promises_are_refused_with_the_reason() {
    let own = servers::OwnServers::up("redis");
    let url = own.find("DOORBUSTER_TEST_REDIS");
    let mut connection = connect(&url).await;
    let mut told = async |name: &str, value: &str| {
        let mut set = redis::cmd("CONFIG");
        let _: () = set.arg("SET").arg(name).arg(value).query_async(&mut connection).await.unwrap();
    };
    let refusal = async |url: &str| open(&settings(url, "p")).await.err().expect("refused").to_string();
    told("maxmemory", "100mb").await;
    told("maxmemory-policy", "allkeys-lru").await;
    assert!(refusal(&url).await.contains("may evict admissions"));
    told("maxmemory-policy", "noeviction").await;
    told("requirepass", "hunter2").await;
    for wrong in [url.clone(), url.replace("redis://", "redis://:hunter3@")] {
        let refusal = refusal(&wrong).await;
        assert!(!refusal.contains("hunter"), "{refusal}");
    }
    drop(node(&url.replace("redis://", "redis://:hunter2@"), "p").await);
    assert!(refusal("redis://a b").await.contains("redis://a b"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lasting_silence_is_told_at_once_and_one_connection_ends_it() {
    let line = Line::open().await;
    line.proxy.set(Network::Cut);
    until("open", async || line.client.breaker().is_open()).await;
    let error = line.try_buying().await.unwrap_err();
    assert!(error.to_string().contains("is not responding"), "{error}");
    line.proxy.set(Network::Fine);
    line.until_well().await;
    assert!(!line.client.breaker().is_open());
}
