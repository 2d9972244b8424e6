//! How long a changed setting takes until it is in force on the slowest of three nodes: when they hear of it from the broker, and when
//! they have to find it, because the change was made without one. And whether a change costs the shoppers anything: purchases in the
//! second that begins with it, over those in the second before.
//!
//! The time runs from the moment when the change is asked for, so it includes the transaction that stores it. A node has the setting
//! when it answers with the new value.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{Shop, percentile, purchases};
use crate::QUICK;
use crate::load::{CONNECTIONS, Shot};
use crate::report::{Row, Target};
use doorbuster::config::{Config, Scope};
use doorbuster::demo::client::Client;
use doorbuster::demo::ready;
use doorbuster::demo::server::Server;
use doorbuster::demo::shopper::Account;
use doorbuster::demo::socket::{Event, Socket, payload};
use doorbuster::kernel::{Clock, Rng};
use doorbuster::settings::{By, HotSettings, POLL_EVERY, Wish};

/// Nodes of the shop.
const NODES: usize = 3;
/// Changes of a round that the nodes hear of.
const HEARD: usize = 200;
/// Those that they have to find, each of which takes seconds.
const FOUND: usize = 20;
/// Rounds of purchases: the rates of two seconds differ by themselves.
const SECONDS_ROUNDS: usize = 7;
/// Buyers at once where nothing is to be measured.
const QUICK_CONNECTIONS: usize = 16;
/// What is left of a rate while a setting changes.
const LEAST: f64 = 0.98;
/// Changes that an operator makes at most; 60 a minute are allowed.
const PER_OPERATOR: usize = 50;
/// What no change and no answer takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Spreads the changes over the time between two looks of a node.
const GOLDEN: f64 = 0.618;

const KEY: &str = "points.welcome";
const SET: &str =
    "mutation Set($input: SettingSetInput!) { it: settingSet(input: $input) { userErrors { code message } } }";
const WELCOME: &str = "query Welcome { it: shop { welcomePoints } }";
const CHANGED: &str = "subscription Changed { it: settingChanged { revision } }";

/// Measures all with the same three nodes.
pub(super) async fn run(rounds: usize, shop: &Shop) -> anyhow::Result<Vec<Row>> {
    let nodes =
        [shop.node(&shop.launch).await?, shop.further("bench-2", &[]).await?, shop.further("bench-3", &[]).await?];
    let measured = measure(rounds, shop, &nodes).await;
    for node in nodes {
        node.stop(super::READY_WITHIN).await?;
    }
    measured
}

async fn measure(rounds: usize, shop: &Shop, nodes: &[Server; NODES]) -> anyhow::Result<Vec<Row>> {
    let (heard_each, found_each) = if is_quick() { (5, 2) } else { (HEARD, FOUND) };
    let most = rounds * (heard_each + found_each) + SECONDS_ROUNDS + 1;
    let mut desk = Desk::open(shop, nodes, most).await?;
    let [mut heard, mut found] = [const { [Vec::new(), Vec::new()] }; 2];
    for _ in 0..rounds {
        let mut took = Vec::new();
        for _ in 0..heard_each {
            took.push(desk.heard().await?);
        }
        add(&mut heard, &took);
        took.clear();
        for _ in 0..found_each {
            took.push(desk.found().await?);
        }
        add(&mut found, &took);
    }
    let [before, during] = seconds(shop, nodes, &mut desk).await?;
    let row = |name, product| Row { name, unit: "ms", product, baseline: None, target: Target::None };
    let [heard_p50, heard_p99] = heard;
    let [found_p50, found_p99] = found;
    Ok(vec![
        row("setting on three nodes, heard, p50", heard_p50),
        row("setting on three nodes, heard, p99", heard_p99),
        row("setting on three nodes, found, p50", found_p50),
        row("setting on three nodes, found, p99", found_p99),
        Row {
            name: "purchases, second of a change / before",
            unit: "per s",
            product: during,
            baseline: Some(before),
            target: Target::AtLeast(LEAST),
        },
    ])
}

fn is_quick() -> bool {
    QUICK.load(Ordering::Relaxed)
}

fn add(columns: &mut [Vec<f64>; 2], took: &[f64]) {
    columns[0].push(percentile(took, 50.0));
    columns[1].push(percentile(took, 99.0));
}

/// Who changes the setting, and who watches it on each node.
struct Desk {
    operators: Vec<(Account, Client)>,
    /// The same without a broker, as the command does it.
    command: HotSettings,
    /// Values that each watcher has seen.
    seen: mpsc::UnboundedReceiver<(usize, u64)>,
    _watchers: Vec<AbortOnDropHandle<anyhow::Result<()>>>,
    changes: usize,
}

impl Desk {
    /// For so many changes at most.
    async fn open(shop: &Shop, nodes: &[Server; NODES], changes: usize) -> anyhow::Result<Self> {
        let (clock, rng) = (Clock::system(), Rng::system());
        let count = changes.div_ceil(PER_OPERATOR) as u32;
        let accounts = ready::users(&shop.db, &clock, &rng, "setter", count, true).await?;
        let mut operators = Vec::new();
        for account in accounts {
            let mut client = Client::new(nodes[0].launch().address, PATIENCE).with_token(&account.token);
            // The node knows them, and they are connected, before anything is timed.
            client.call::<Value>(WELCOME, &json!({})).await?;
            operators.push((account, client));
        }
        let command = HotSettings::of_command(shop.db.clone(), &Config::default_embedded(), clock, rng);
        let (told, seen) = mpsc::unbounded_channel();
        let mut watchers = Vec::new();
        for (number, node) in nodes.iter().enumerate() {
            let watcher = Watcher::open(number, node, &operators[0].0.token, told.clone()).await?;
            watchers.push(AbortOnDropHandle::new(tokio::spawn(watcher.run())));
        }
        let mut desk = Self { operators, command, seen, _watchers: watchers, changes: 0 };
        // The first change finds out that all are watched, and begins the numbers.
        desk.heard().await?;
        Ok(desk)
    }

    /// The value of the next change.
    const fn next(&mut self) -> u64 {
        self.changes += 1;
        1_000 + self.changes as u64
    }

    /// Who makes it.
    fn operator(&mut self) -> &mut (Account, Client) {
        let number = self.changes % self.operators.len();
        &mut self.operators[number]
    }

    /// Changes the setting through a node, and returns how long it took until all had it, in milliseconds.
    async fn heard(&mut self) -> anyhow::Result<f64> {
        let begun = Instant::now();
        let value = self.ask().await?;
        self.everywhere(value).await?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    /// Changes it, and returns the new value.
    async fn ask(&mut self) -> anyhow::Result<u64> {
        let value = self.next();
        let input = json!({ "key": KEY, "value": value.to_string(), "reason": "a benchmark" });
        let (_, client) = self.operator();
        let answer: Option<Value> = client.call(SET, &json!({ "input": input })).await?;
        let answer = answer.unwrap_or_default();
        anyhow::ensure!(answer["userErrors"] == json!([]), "the setting was not changed: {answer}");
        Ok(value)
    }

    /// Changes the setting in the database as the command does, at different moments between two looks of the nodes.
    async fn found(&mut self) -> anyhow::Result<f64> {
        let value = self.next();
        sleep(POLL_EVERY.mul_f64((self.changes as f64 * GOLDEN).fract())).await;
        let by = By {
            operator: self.operator().0.buyer,
            username: "setter".to_owned(),
            via: "cli",
            reason: "a benchmark".to_owned(),
            expect: None,
            dry_run: false,
            force: false,
        };
        let wish = Wish::Set { values: vec![(KEY.to_owned(), Scope::All, value.to_string())], confirm_within: None };
        let begun = Instant::now();
        let done = self.command.act(wish, by).await?;
        done.map_err(|refusal| anyhow::anyhow!("the setting was not changed: {refusal:?}"))?;
        self.everywhere(value).await?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    /// Waits until each node answers with this value.
    async fn everywhere(&mut self, value: u64) -> anyhow::Result<()> {
        let mut has = [false; NODES];
        while has.contains(&false) {
            let told = timeout(PATIENCE, self.seen.recv()).await.context("a node does not take the setting over")?;
            let (node, seen) = told.context("the watchers have ended")?;
            has[node] |= seen == value;
        }
        Ok(())
    }
}

/// Hears from one node that it has taken a change over, and then asks it for the value.
struct Watcher {
    number: usize,
    socket: Socket,
    client: Client,
    told: mpsc::UnboundedSender<(usize, u64)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Welcome {
    welcome_points: u64,
}

impl Watcher {
    async fn open(
        number: usize,
        node: &Server,
        token: &str,
        told: mpsc::UnboundedSender<(usize, u64)>,
    ) -> anyhow::Result<Self> {
        let address = node.launch().address;
        let mut socket = Socket::open(address, token, PATIENCE).await?;
        socket.subscribe_as(1, CHANGED, &json!({})).await?;
        let mut client = Client::new(address, PATIENCE);
        client.warm_up().await;
        Ok(Self { number, socket, client, told })
    }

    async fn run(mut self) -> anyhow::Result<()> {
        loop {
            match self.socket.next().await? {
                Event::Next(_, news) => drop(payload::<Value>(&news)?),
                Event::Error(_, error) => anyhow::bail!("{}", error.message),
                Event::Complete(_) => anyhow::bail!("the subscription ended"),
            }
            let shop: Option<Welcome> = self.client.call(WELCOME, &json!({})).await?;
            let value = shop.context("the shop is gone")?.welcome_points;
            self.told.send((self.number, value))?;
        }
    }
}

/// Purchases a second before and after a change, in each round on a sale of its own.
async fn seconds(shop: &Shop, nodes: &[Server; NODES], desk: &mut Desk) -> anyhow::Result<[Vec<f64>; 2]> {
    let mut columns = [Vec::new(), Vec::new()];
    // The first round warms up.
    for round in 0..=crate::rounds(SECONDS_ROUNDS) {
        let rates = around(shop, nodes, desk).await?;
        shop.settle().await?;
        if round > 0 {
            columns.iter_mut().zip(rates).for_each(|(column, rate)| column.push(rate));
        }
    }
    Ok(columns)
}

/// How long purchases are counted on each side of a change.
fn window() -> Duration {
    if is_quick() { Duration::from_millis(200) } else { Duration::from_secs(1) }
}

async fn around(shop: &Shop, nodes: &[Server; NODES], desk: &mut Desk) -> anyhow::Result<[f64; 2]> {
    let crowd = Crowd::start(shop, nodes)?;
    sleep(window() * 3 / 2).await;
    let changed = Instant::now();
    let value = desk.ask().await?;
    desk.everywhere(value).await?;
    tokio::time::sleep_until(changed + window()).await;
    let answered = crowd.stop().await?;
    anyhow::ensure!(
        answered.iter().any(|at| *at >= changed + window()),
        "the crowd had no more buyers before the second was over"
    );
    let count = |from: Instant, to: Instant| answered.iter().filter(|at| (from..to).contains(*at)).count() as f64;
    let seconds = window().as_secs_f64();
    Ok([count(changed - window(), changed) / seconds, count(changed, changed + window()) / seconds])
}

/// Buyers who send one after the other, to all nodes, until they are stopped.
struct Crowd {
    going: Arc<AtomicBool>,
    buyers: JoinSet<Vec<Instant>>,
}

impl Crowd {
    fn start(shop: &Shop, nodes: &[Server; NODES]) -> anyhow::Result<Self> {
        let shots: Arc<[Shot]> = purchases(&shop.buyers, shop.next_sale()?)?.into();
        let (next, going) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
        let mut buyers = JoinSet::new();
        for number in 0..if is_quick() { QUICK_CONNECTIONS } else { CONNECTIONS } {
            let address = nodes[number % NODES].launch().address;
            let (shots, next, going) = (shots.clone(), next.clone(), going.clone());
            buyers.spawn(async move {
                let mut client = Client::new(address, PATIENCE);
                let mut answered = Vec::new();
                // The one on the way when the crowd is stopped shows that there were enough of them.
                while going.load(Ordering::Relaxed) {
                    let Some(shot) = shots.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                    client = client.with_token(&shot.token);
                    let answer = client.post("/graphql", shot.body.clone()).await;
                    if answer.is_ok_and(|answer| answer.windows(WANTED.len()).any(|window| window == WANTED)) {
                        answered.push(Instant::now());
                    }
                }
                answered
            });
        }
        Ok(Self { going, buyers })
    }

    /// When each purchase was accepted.
    async fn stop(self) -> anyhow::Result<Vec<Instant>> {
        self.going.store(false, Ordering::Relaxed);
        let answered = self.buyers.join_all().await.concat();
        anyhow::ensure!(!answered.is_empty(), "no purchase was accepted");
        Ok(answered)
    }
}

/// What the answer to an accepted purchase contains.
const WANTED: &[u8] = b"QUEUED";
