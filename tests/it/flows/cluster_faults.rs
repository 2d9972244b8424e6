//! Two nodes on servers of their own, a crowd, and a fault in the middle of it: every promise holds, and buying goes on.
//!
//! `DOORBUSTER_FAULTS` chooses the faults by their names (`F8,F11`), or `all` of them; unless set, those that are marked.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use doorbuster::broker::pulsar::PulsarBroker;
use doorbuster::broker::{Broker as _, partition_for};
use doorbuster::config::{Config, Secret};
use doorbuster::demo::history::{Entry, Step};
use doorbuster::kernel::{Clock, Rng, SaleId};
use doorbuster::model::messages::{Message, Topic};
use doorbuster::model::upgrade::DATA_VERSION;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::monitor::{Seen, quantile};
use super::scenario::{Run, Scenario, stage};
use super::surges::{MANY, PUBLISHED_ONCE, SOME, crowd, expire, hang_up};
use crate::support::proxy::{Network, Proxy};
use crate::support::servers::{FreshDatabase, OwnServers, TOKEN_KEY, execute};

/// What is done to a run, and how it is called.
struct Fault {
    name: &'static str,
    what: &'static str,
    /// Whether it is tried at each change, not only when asked for.
    each_change: bool,
    /// What is switched on inside the nodes: a pause, where the fault is to find them, or the fault itself.
    inside: Option<&'static str>,
}

const fn fault(name: &'static str, what: &'static str, each_change: bool, inside: Option<&'static str>) -> Fault {
    Fault { name, what, each_change, inside }
}

const FAULTS: [Fault; 33] = [
    fault("F1", "node killed between admission and publishing", true, Some("publisher.slow")),
    fault("F2", "node killed after publishing, before the answer", false, Some("purchase.slow_answer")),
    fault("F3", "node killed before the writer's commit", false, Some("writer.slow")),
    fault("F4", "node killed after the commit, before the acknowledgement", true, Some("writer.slow_ack")),
    fault("F5", "node killed after the commit, before the outbox is relayed", false, Some("relay.slow")),
    fault("F6", "Pulsar killed, back after 5 s", true, None),
    fault("F7", "Pulsar away for a minute", false, None),
    fault("F6-slow", "Pulsar stands still five sixths of the time, for 20 s", false, None),
    fault("F6-partition", "one partition closed again and again, for 30 s", false, None),
    fault("F8", "Redis killed, back empty", true, None),
    fault("F8-away", "no connections to Redis for a minute", false, None),
    fault("F9", "Redis back with an old dump", false, None),
    fault("F1+F8", "node killed before publishing, and Redis back empty", false, Some("publisher.slow")),
    fault("F11", "PostgreSQL killed, back at once", true, None),
    fault("F12", "all PostgreSQL sessions terminated, again and again", false, None),
    fault("F13-cut", "no connections to Redis and PostgreSQL for 3 s", false, None),
    fault("F13-half-open", "connections to Redis and PostgreSQL dead without a word", false, None),
    fault("F13-slow", "500 ms to Redis and PostgreSQL for 5 s", false, None),
    fault("F13-slow-redis", "500 ms to Redis for 10 s", false, None),
    fault("F13-slow-postgres", "500 ms to PostgreSQL for 10 s", false, None),
    fault("F13-reset", "connections to Redis and PostgreSQL reset, again and again", false, None),
    fault("F17", "messages come twice, late and out of order", true, Some("broker.unruly")),
    fault("F18", "messages that nobody can read", false, None),
    fault("F19", "delayed messages come at once, twice or never", false, Some("broker.unruly_timeouts")),
    fault("F23", "node stands still for 6 s", true, None),
    fault("F24", "a lock on the orders for 4 s", false, None),
    fault("UPGRADE", "nodes killed, each back as the next version, then as the previous one", true, Some(PREVIOUS)),
    fault("UPGRADE-20", "the same, 20 rounds", false, Some(PREVIOUS)),
    fault("HANG-UP", "2,000 buyers hang up before they are answered", true, None),
    fault("HANG-UP-20000", "20,000 of them", false, None),
    fault("EXPIRY", "2,000 orders of another sale expire in one second", true, None),
    fault("EXPIRY-20000", "20,000 of them", false, None),
    fault("SIGTERM", "node stopped in the middle of the rush, and started again", true, None),
];

/// What makes a node stand in for one of the previous version.
const PREVIOUS: &str = "previous-data-version";

const SLOW: Network = Network::Slow(Duration::from_millis(500));

/// Shoppers outlast each fault, so that every one of them is served in the end. On a busy machine Pulsar alone needs a minute to start.
const PATIENCE: Duration = Duration::from_secs(300);

/// Two nodes with a database, keys and topics of one fault's own.
struct Cluster<'a> {
    servers: &'a OwnServers,
    database: FreshDatabase,
    redis: Proxy,
    postgres: Proxy,
}

impl<'a> Cluster<'a> {
    async fn new(servers: &'a OwnServers) -> Self {
        let database = FreshDatabase::create_on(&servers.find("DOORBUSTER_TEST_POSTGRES")).await;
        let redis = Proxy::before(&servers.find("DOORBUSTER_TEST_REDIS")).await;
        let postgres = Proxy::before(&database.url()).await;
        Self { servers, database, redis, postgres }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("store.url", self.postgres.url()),
            ("gate.url", self.redis.url()),
            ("gate.prefix", self.database.name().to_owned()),
            ("broker.url", self.servers.find("DOORBUSTER_TEST_PULSAR")),
            ("broker.admin_url", self.servers.find("DOORBUSTER_TEST_PULSAR_ADMIN")),
            ("broker.tenant", self.database.name().to_owned()),
            ("accounts.token_key", TOKEN_KEY.to_owned()),
            ("broker.partitions", "2".to_owned()),
            ("node.lease", "2s".to_owned()),
        ]
    }

    async fn begin(&self, scenario: Scenario, folder: &std::path::Path) -> Run {
        let launches = ["one", "two"].map(|name| {
            let mut launch = scenario.launch(folder).set("node.name", name);
            for (key, value) in self.settings() {
                launch = launch.set(key, &value);
            }
            launch.log = Some(folder.join(format!("{name}.log")));
            launch
        });
        if scenario.pauses == Some(PREVIOUS) {
            // As the previous version made it.
            launches[0].open_database().await.unwrap().close().await;
            let previous = format!("UPDATE schema_state SET version = {}", DATA_VERSION - 1);
            execute(&self.database.url(), &previous).await;
        }
        Run::begin(scenario, launches.into()).await
    }

    /// Something that only this test's PostgreSQL hears.
    async fn tell_postgres(&self, statements: &str) {
        execute(&self.servers.find("DOORBUSTER_TEST_POSTGRES"), statements).await;
    }

    /// Does it, and returns when it is over.
    async fn strike(&self, name: &str, run: &mut Run) {
        let away = Duration::from_secs;
        match name {
            "F1" | "F2" | "F3" | "F4" | "F5" => {
                run.kill(1).await;
                run.kill(0).await;
            }
            "F1+F8" => drop(tokio::join!(run.kill(1), async { self.servers.wipe("redis") })),
            "F6" => self.without("pulsar", away(5)).await,
            "F7" => self.without("pulsar", away(60)).await,
            "F6-slow" => {
                repeated(40, Duration::from_millis(80), async || {
                    self.servers.pause("pulsar");
                    sleep(Duration::from_millis(400)).await;
                    self.servers.resume("pulsar");
                })
                .await;
            }
            "F6-partition" => self.without_a_partition(run).await,
            "F8" => self.servers.wipe("redis"),
            "F8-away" => network(&[&self.redis], Network::Cut, away(60)).await,
            "F9" => self.old_dump(run).await,
            "F11" => self.without("postgres", away(0)).await,
            "F12" => self.terminate_sessions().await,
            "F13-cut" => network(&[&self.redis, &self.postgres], Network::Cut, away(3)).await,
            "F13-half-open" => network(&[&self.redis, &self.postgres], Network::HalfOpen, away(1)).await,
            "F13-slow" => network(&[&self.redis, &self.postgres], SLOW, away(5)).await,
            "F13-slow-redis" => network(&[&self.redis], SLOW, away(10)).await,
            "F13-slow-postgres" => network(&[&self.postgres], SLOW, away(10)).await,
            "F13-reset" => {
                repeated(20, Duration::from_millis(100), async || {
                    self.redis.reset();
                    self.postgres.reset();
                })
                .await;
            }
            // From the start, and for so long that some of everything happens.
            "F17" | "F19" => sleep(away(10)).await,
            "F18" => self.garbage().await,
            "F23" => {
                let node = Pid::from_raw(run.nodes[1].pid() as i32).unwrap();
                kill_process(node, Signal::STOP).unwrap();
                sleep(away(6)).await;
                kill_process(node, Signal::CONT).unwrap();
            }
            "F24" => {
                let lock = "BEGIN; LOCK TABLE orders; SELECT pg_sleep(4); COMMIT";
                execute(&self.database.url(), lock).await;
            }
            "UPGRADE" => self.roll(run, 2).await,
            "UPGRADE-20" => self.roll(run, 20).await,
            "HANG-UP" => hang_up(run, SOME).await,
            "HANG-UP-20000" => hang_up(run, MANY).await,
            "EXPIRY" => expire(run, SOME).await,
            "EXPIRY-20000" => expire(run, MANY).await,
            "SIGTERM" => run.restart(1).await,
            other => panic!("there is no fault {other}"),
        }
    }

    fn connections(&self) -> [u64; 2] {
        [self.redis.connections(), self.postgres.connections()]
    }

    /// Whether the fault left its trace, where it is not certain by itself: bytes that were swallowed, connections made
    /// again, gates that had to be rebuilt, words in the nodes' logs.
    fn was_struck(&self, name: &str, before: [u64; 2], epochs: u64, said: &str) -> bool {
        match name {
            "F17" => ["arrives 200ms late", "arrives 5s late"].iter().all(|word| said.contains(word)),
            "F19" => ["arrives at once", "arrives twice", "arrives never"].iter().all(|word| said.contains(word)),
            "F8" | "F9" | "F1+F8" => epochs >= 4,
            "F13-half-open" => self.redis.swallowed() > 0 && self.postgres.swallowed() > 0,
            "F8-away" => self.redis.connections() > before[0],
            "F12" | "F13-cut" | "F13-reset" => {
                let now = self.connections();
                now[1] > before[1] && (name == "F12" || now[0] > before[0])
            }
            _ => true,
        }
    }

    /// Nodes of the next version, nodes of the previous one, and in the end the upgrade is finalised.
    async fn roll(&self, run: &mut Run, rounds: usize) {
        let replace = async |run: &mut Run, node: usize, switches: &str| {
            run.launches[node].environment = vec![("DOORBUSTER_SABOTAGE".into(), switches.into())];
            run.kill(node).await;
        };
        for _ in 0..rounds {
            for switches in ["", PREVIOUS] {
                for node in [1, 0] {
                    replace(run, node, switches).await;
                    run.until_each_sale_sells(1).await;
                }
            }
        }
        let upgrade = async |run: &Run| {
            let mut command = tokio::process::Command::from(run.nodes[0].launch().command());
            let done = command.env("DOORBUSTER_SABOTAGE", "").args(["upgrade", "finalise"]).output().await.unwrap();
            (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
        };
        replace(run, 1, "").await;
        let (done, why) = upgrade(run).await;
        assert!(!done && why.contains("one (") && !why.contains("two ("), "with a node of the previous version: {why}");
        replace(run, 0, "").await;
        let (done, why) = upgrade(run).await;
        assert!(done, "{why}");
        let broker = self.broker("upgrade").await;
        assert_eq!(broker.failures(0, 10).await.unwrap(), [], "a message that a version can't read");
        broker.close().await;
    }

    async fn without(&self, server: &str, away: Duration) {
        self.servers.kill(server);
        sleep(away).await;
        self.servers.restart(server);
    }

    /// Sales of the other partition go on meanwhile.
    async fn without_a_partition(&self, run: &Run) {
        let partition = |sale: &SaleId| partition_for(&sale.to_bytes(), 2);
        let away = partition(&run.sales[0]);
        let others: Vec<_> = run.sales.iter().filter(|sale| partition(sale) != away).collect();
        assert!(!others.is_empty(), "all sales are in one partition");
        let topic = format!("{}/trade/order-requests-2-partition-{away}", self.database.name());
        let url = format!("{}/admin/v2/persistent/{topic}/unload", self.servers.find("DOORBUSTER_TEST_PULSAR_ADMIN"));
        let client = reqwest::Client::new();
        let (before, closed) = (run.tickets(), AtomicU32::new(0));
        repeated(300, Duration::from_millis(100), async || {
            if client.put(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                closed.fetch_add(1, Ordering::Relaxed);
            }
        })
        .await;
        let closed = closed.into_inner();
        assert!(closed >= 100, "the partition was closed only {closed} times");
        let now = run.tickets();
        for sale in others {
            let sold = now.difference(&before).filter(|ticket| ticket.sale == *sale).count();
            assert!(sold >= 10, "a sale in the other partition sold {sold} in 30 s");
        }
    }

    async fn old_dump(&self, run: &Run) {
        let dump = self.servers.set().join("redis/dump.rdb");
        let redis = self.servers.find("DOORBUSTER_TEST_REDIS");
        let client = redis::Client::open(redis).unwrap();
        let mut conn = client.get_multiplexed_async_connection().await.unwrap();
        redis::cmd("SAVE").exec_async(&mut conn).await.unwrap();
        let old = std::fs::read(&dump).unwrap();
        run.until_each_sale_sells(5).await;
        self.servers.kill("redis");
        std::fs::write(&dump, old).unwrap();
        self.servers.restart("redis");
    }

    async fn terminate_sessions(&self) {
        let statement = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.database.name()
        );
        repeated(20, Duration::from_millis(100), async || self.tell_postgres(&statement).await).await;
    }

    /// The nodes' broker, for this test itself.
    async fn broker(&self, name: &str) -> PulsarBroker {
        let mut config = Config::default_embedded().broker;
        let settings = self.settings();
        let value = |key: &str| settings.iter().find(|(name, _)| *name == key).unwrap().1.clone();
        config.url = Secret::new(value("broker.url"));
        config.admin_url = Secret::new(value("broker.admin_url"));
        config.tenant = value("broker.tenant");
        config.partitions = value("broker.partitions").parse().unwrap();
        PulsarBroker::open(&config, name, Clock::system(), Rng::system()).await.unwrap()
    }

    /// Into every partition, between the tickets.
    async fn garbage(&self) {
        let broker = self.broker("garbage").await;
        for number in 0..20_u8 {
            let payload = vec![number; 64].into();
            let message = Message { key: vec![number].into(), payload, deliver_at: None };
            broker.publish(Topic::OrderRequests, vec![message]).await.unwrap();
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while broker.failures(0, 100).await.unwrap().len() < 20 {
            assert!(Instant::now() < deadline, "not all of them were dead-lettered");
            sleep(Duration::from_millis(50)).await;
        }
        broker.close().await;
    }
}

/// The way to these servers is like this for a while.
async fn network(ways: &[&Proxy], network: Network, lasts: Duration) {
    for way in ways {
        way.set(network);
    }
    sleep(lasts).await;
    for way in ways {
        way.set(Network::Fine);
    }
}

async fn repeated<F: Future<Output = ()>>(times: u32, pause: Duration, act: impl Fn() -> F) {
    for _ in 0..times {
        act().await;
        sleep(pause).await;
    }
}

/// Returned units come back to the gate by events: while Pulsar is away, and for as long as it takes to start, they don't.
fn return_grace(fault: &str) -> Duration {
    Duration::from_secs(match fault {
        "F6" => 60,
        "F7" => 150,
        _ => 20,
    })
}

/// Whether it is more of the same, and nothing that is away.
fn is_surge(fault: &str) -> bool {
    matches!(fault, "HANG-UP" | "HANG-UP-20000" | "EXPIRY" | "EXPIRY-20000")
}

/// Whether all nodes take traffic and answer lists during the fault: they are alive, and so is what that needs.
fn nodes_stay_good(fault: &str) -> bool {
    let good = ["F6", "F6-slow", "F6-partition", "F7", "F8", "F8-away", "F9", "F13-slow-redis", "F17", "F18", "F19"];
    good.contains(&fault) || is_surge(fault)
}

/// Returns lines for the table, and what was wrong.
async fn play(servers: &OwnServers, fault: &Fault) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let cluster = Cluster::new(servers).await;
    // There are buyers for this long.
    let load = Duration::from_secs(if fault.name.ends_with("-20") || is_surge(fault.name) { 400 } else { 60 });
    let scenario = Scenario {
        load: (load, load),
        pauses: fault.inside,
        patience: PATIENCE,
        return_grace: return_grace(fault.name),
        settings: if is_surge(fault.name) { PUBLISHED_ONCE.into() } else { Vec::new() },
        ..crowd()
    };
    let mut run = cluster.begin(scenario, folder.path()).await;
    run.until_each_sale_sells(10).await;
    let connections = cluster.connections();
    let (monitor, ending) = (run.monitor(), run.end_a_sale());
    cluster.strike(fault.name, &mut run).await;
    let seen = monitor.stop().await;
    let recovered = run.until_sold_on_each_node().await;
    let ended = run.ended(ending).await;
    let recorder = run.recorder.clone();
    let said = ["one", "two"].map(|name| std::fs::read_to_string(folder.path().join(format!("{name}.log"))).unwrap());
    let outcome = run.end_with(folder, Some(ended)).await;
    let counts = &outcome.report.counts;
    let mut faults = outcome.faults();
    if !cluster.was_struck(fault.name, connections, counts.epochs, &said.concat()) {
        faults = format!("{faults}\nthe fault did not happen");
    }
    if nodes_stay_good(fault.name) && !seen.iter().all(Seen::is_good) {
        faults = format!("{faults}\na node took no traffic or refused lists: {seen:?}");
    }
    // A run in which nothing happens proves nothing.
    if counts.accepted < 30 || counts.orders < 30 || counts.fully_sold != 2 {
        faults = format!("{faults}\ntoo little happened: {counts:?}");
    }
    if fault.name == "SIGTERM" {
        // Who knocks while the node is away goes to the other one. Who was let in is answered.
        let history = recorder.snapshot();
        // The other node has the load of two: shedding it is an answer. Any other UNAVAILABLE is not.
        let answered = |why: &str| why.starts_with("cannot connect") || why.contains("The server is overloaded");
        let lost = |entry: &&Entry| matches!(&entry.step, Step::Unknown { why } if !answered(why));
        for entry in history.iter().filter(lost) {
            faults = format!("{faults}\na request without an answer: {entry:?}");
        }
    }
    let [one, two] = seen.as_slice() else { panic!("two nodes") };
    let pushes = [0.5, 0.99].map(|part| quantile(&outcome.pushes, part));
    let line = format!(
        "{:17} {:62} {:5.1} s, {} accepted, {} unknown, {} epochs\n{:17} pushes p50 {:.0?}, p99 {:.0?} of {}; one: {one}; two: {two}",
        fault.name,
        fault.what,
        recovered.as_secs_f64(),
        counts.accepted,
        counts.unknown,
        counts.epochs,
        "",
        pushes[0],
        pushes[1],
        outcome.pushes.len()
    );
    (line, faults)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_through_node_server_and_network_faults() {
    let chosen = std::env::var("DOORBUSTER_FAULTS").ok();
    let wanted = |fault: &&Fault| match chosen.as_deref() {
        None => fault.each_change,
        Some("all") => true,
        Some(names) => names.split(',').any(|name| name == fault.name),
    };
    let faults: Vec<_> = FAULTS.iter().filter(wanted).collect();
    assert!(!faults.is_empty(), "no fault is called {chosen:?}");
    let _stage = stage().await;
    let servers = OwnServers::up("postgres,redis,pulsar");
    let mut wrong = String::new();
    for fault in faults {
        let (line, faults) = play(&servers, fault).await;
        println!("{line}");
        if !faults.is_empty() {
            println!("{faults}");
            wrong.push_str(&format!("{line}\n{faults}\n"));
        }
    }
    assert_eq!(wrong, "");
}
