//! A run against the real program: seeded shops and shoppers, kills at planned instants, and the checker at the end.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use doorbuster::demo::checker::{self, Evidence, Invariant, Report, Violation};
use doorbuster::demo::crowd::{self, Accounts, Rush, Stream};
use doorbuster::demo::history::{Recorder, write_lines};
use doorbuster::demo::plan::Habits;
use doorbuster::demo::ready;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::server::{Launch, Server};
use doorbuster::demo::shopper::Account;
use doorbuster::demo::stage::Stage;
use doorbuster::demo::tally::Tally;
use doorbuster::demo::verdict::settle;
use doorbuster::kernel::{Clock, Rng, SaleId, TicketId};
use doorbuster::model::facts::Facts;
use doorbuster::model::orders::OrderState;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, sleep_until};

use super::monitor::{Ended, Ending, Monitor, cancellations, push_latencies, ticket_of};

const READY_WITHIN: Duration = Duration::from_secs(60);
const SETTLE_WITHIN: Duration = Duration::from_secs(60);
/// How long a buyer may take to cancel. Where nobody wants to any more, the kill comes all the same.
const LOADED_WITHIN: Duration = Duration::from_secs(5);
/// Buyers who press while a sale is being ended.
const PRESSING: usize = 50;

/// What to run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Chooses shoppers and kills.
    pub seed: u64,
    /// How many times the server is killed.
    pub kills: u32,
    /// How long each load phase before a kill, or the whole load without kills, lasts at least and at most.
    pub load: (Duration, Duration),
    /// Sales that run at once.
    pub sales: usize,
    /// How long shoppers go on trying to get an answer.
    pub patience: Duration,
    /// Units of each.
    pub stock: u32,
    /// How long an order waits for its payment.
    pub pay_within: Duration,
    /// Shoppers a second.
    pub per_second: u32,
    /// What they do.
    pub habits: Habits,
    /// Settings of the server over the defaults.
    pub settings: Vec<(&'static str, &'static str)>,
    /// A deliberate mistake, in builds that have them.
    pub sabotage: Option<&'static str>,
    /// Pauses, in builds that have deliberate mistakes: not wrong, but what makes a fault find its moment.
    pub pauses: Option<&'static str>,
    /// Whether to stop as soon as something is wrong.
    pub until_wrong: bool,
    /// Whether nothing is done to the servers that the crowd may notice.
    pub calm: bool,
    /// How long a unit that was given back may take to be for sale again.
    pub return_grace: Duration,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            kills: 0,
            load: (Duration::from_secs(3), Duration::from_secs(3)),
            sales: 2,
            patience: Duration::from_secs(60),
            stock: 30,
            pay_within: Duration::from_secs(1),
            per_second: 120,
            habits: Habits { cancel: 25, persistent: 10, ..Habits::default() },
            settings: Vec::new(),
            sabotage: None,
            pauses: None,
            until_wrong: false,
            calm: true,
            return_grace: checker::RETURN_GRACE,
        }
    }
}

/// What happened.
pub struct Outcome {
    /// The checker's report.
    pub report: Report,
    /// What was wrong at the instants in between.
    pub at_once: Vec<Violation>,
    /// How many times the server was killed.
    pub kills: u32,
    /// From the decision of a ticket until its buyer was told.
    pub pushes: Vec<Duration>,
    /// Where the data, the history and the server's log are, if something was wrong.
    pub kept: Option<PathBuf>,
}

impl Outcome {
    /// Everything that was wrong, a line each; empty when nothing was.
    pub fn faults(&self) -> String {
        let mut lines: Vec<String> = self.at_once.iter().take(10).map(ToString::to_string).collect();
        lines.extend(self.report.summary().lines().map(str::to_owned));
        lines.extend(self.kept.iter().map(|folder| format!("the evidence is in {}", folder.display())));
        lines.join("\n")
    }

    /// Whether this promise was broken, in between or at the end.
    pub fn broke(&self, invariant: Invariant) -> bool {
        self.at_once.iter().chain(&self.report.violations).any(|violation| violation.invariant == invariant)
    }
}

/// The moments of the kills, from the end of each preparation: part of the plan that the seed fixes.
pub fn kill_plan(scenario: &Scenario) -> Vec<Duration> {
    let rng = Rng::seeded(scenario.seed.wrapping_mul(31).wrapping_add(7));
    let (least, most) = scenario.load;
    let span = (most - least).as_micros() as u64;
    (0..scenario.kills.max(1)).map(|_| least + Duration::from_micros(rng.below(span.max(1)))).collect()
}

/// A run that goes on: nodes that sell, and a crowd that buys.
pub struct Run {
    scenario: Scenario,
    /// How each node is started the next time.
    pub launches: Vec<Launch>,
    /// In the order of the launches.
    pub nodes: Vec<Server>,
    /// What the crowd did and saw so far.
    pub recorder: Recorder,
    /// What the crowd buys from.
    pub sales: Vec<SaleId>,
    /// A sale that the crowd leaves alone.
    quiet: SaleId,
    /// Another, to be ended.
    doomed: SaleId,
    /// Runs the shop.
    pub operator: Account,
    stream: Option<Stream>,
    /// Accounts that are kept for the end.
    late: Vec<Account>,
    at_once: Vec<Violation>,
    checked: usize,
    kills: u32,
    /// A sale whose rows were edited, and checked by whoever did so.
    pub apart: OnceLock<SaleId>,
}

/// One run at a time: a crowd and its servers fill a small machine, and two of each would only time out.
pub async fn stage() -> tokio::sync::MutexGuard<'static, ()> {
    static STAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    STAGE.lock().await
}

impl Scenario {
    const fn is_calm(&self) -> bool {
        self.calm && self.kills == 0
    }

    /// Plays it on one node.
    pub async fn run(self) -> Outcome {
        let _stage = stage().await;
        let folder = tempfile::tempdir().unwrap();
        let launch = self.launch(folder.path());
        let mut run = Run::begin(self, vec![launch]).await;
        for pause in kill_plan(&run.scenario) {
            run.load(pause).await;
            if run.scenario.kills > 0 {
                run.kill(0).await;
            }
            if run.is_decided() {
                break;
            }
        }
        run.end(folder).await
    }

    /// How a node of this scenario is started, with its data and its log in the folder.
    pub fn launch(&self, folder: &Path) -> Launch {
        let program = std::env::var_os("DOORBUSTER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_doorbuster").into());
        let mut launch = Launch::new(Path::new(&program), folder).unwrap();
        launch.log = Some(folder.join("server.log"));
        for (key, value) in &self.settings {
            launch = launch.set(key, value);
        }
        // And what this process itself is to do wrong: so its tests can be tested.
        let own = std::env::var("DOORBUSTER_SABOTAGE").ok();
        let switches: Vec<_> = [self.sabotage, self.pauses, own.as_deref()].into_iter().flatten().collect();
        launch.environment.push(("DOORBUSTER_SABOTAGE".into(), switches.join(",")));
        launch
    }

    /// The accounts of an operator, of the crowd, and of those who come at the end.
    async fn accounts(&self, launch: &Launch) -> (Account, Vec<Account>, Vec<Account>) {
        let db = launch.open_database().await.unwrap();
        let (clock, rng) = (Clock::system(), Rng::system());
        // A restart takes about as long as a load phase; should they run out, the stream just ends earlier.
        let seconds = (self.load.1.as_secs_f64() + 1.0) * f64::from(self.kills.max(1)) + 5.0;
        let late = self.stock * self.sales as u32 + 20 + PRESSING as u32;
        let count = (seconds * f64::from(self.per_second)) as u32 + late;
        let operator = ready::users(&db, &clock, &rng, "operator", 1, true).await.unwrap().remove(0);
        let seals = launch.seals(&rng);
        let mut buyers = ready::buyers(&db, &clock, &rng, "buyer", count, seals.as_ref()).await.unwrap();
        let early = buyers.split_off(late as usize);
        (operator, early, buyers)
    }

    /// A shop whose sales have just begun, the last two of them not for the crowd.
    async fn open_shop(&self, launch: &Launch, operator: &Account) -> Vec<SaleId> {
        let mut operator = Operator::new(launch.address, &operator.token);
        let starts_at = operator.server_time().await.unwrap().plus(Duration::from_millis(500));
        let ends_at = starts_at.plus(Duration::from_secs(3600));
        let session = operator.session("now", starts_at, ends_at).await.unwrap();
        let product = operator.product("Lamp", "Light", "A lamp.", "/pictures/lamp.svg", "20.00").await.unwrap();
        let terms = Terms { price: "10.00", stock: self.stock, limit_per_buyer: 1, pay_within: self.pay_within };
        let mut sales = Vec::new();
        for _ in 0..self.sales + 2 {
            sales.push(operator.sale(&session, &product, terms).await.unwrap());
        }
        let opens = Instant::now() + starts_at.since(operator.server_time().await.unwrap());
        sleep_until(opens).await;
        sales
    }
}

impl Run {
    /// Starts the nodes and sends the crowd. The first node is there before the others start.
    pub async fn begin(scenario: Scenario, launches: Vec<Launch>) -> Self {
        let (operator, early, late) = scenario.accounts(&launches[0]).await;
        let mut nodes = Vec::new();
        for launch in &launches {
            nodes.push(launch.start(READY_WITHIN).await.unwrap());
        }
        let mut sales = scenario.open_shop(&launches[0], &operator).await;
        let (quiet, doomed) = (sales.pop().expect("a sale"), sales.pop().expect("a sale"));
        let mut run = Self {
            scenario,
            launches,
            nodes,
            recorder: Recorder::new(Clock::system()),
            sales,
            quiet,
            doomed,
            operator,
            stream: None,
            late,
            at_once: Vec::new(),
            checked: 0,
            kills: 0,
            apart: OnceLock::new(),
        };
        let Scenario { seed, per_second, habits, .. } = run.scenario;
        run.stream = Some(Stream::start(run.stages(), seed, per_second, 300, habits, early.into(), 0));
        run
    }

    /// The crowd buys for this long, and before a kill until a buyer cancelled: a kill before which nothing happened proves nothing.
    async fn load(&self, pause: Duration) {
        let cancelled = || cancellations(&self.recorder.snapshot());
        let (before, deadline) = (cancelled(), Instant::now() + LOADED_WITHIN);
        sleep(pause).await;
        while self.scenario.kills > 0 && cancelled() == before && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the load, lets everything settle, and checks.
    pub async fn end(self, folder: TempDir) -> Outcome {
        self.end_with(folder, None).await
    }

    /// The same, for a sale that was ended in between.
    pub async fn end_with(mut self, folder: TempDir, ended: Option<Ended>) -> Outcome {
        let sent = if let Some(stream) = self.stream.take() { stream.finish().await } else { 0 };
        if !self.is_decided() {
            self.wait_until_returned().await;
            self.mop_up(sent).await;
        }
        let facts = self.settled().await;
        let entries = self.recorder.snapshot();
        let (calm, return_grace) = (self.scenario.is_calm(), self.scenario.return_grace);
        let report = checker::check(Evidence { history: &entries, facts: &facts, settled: true, calm, return_grace });
        for node in std::mem::take(&mut self.nodes) {
            if !node.stop(Duration::from_secs(30)).await.unwrap() {
                self.fault(Invariant::Answered, "a server did not stop well".into());
            }
        }
        for order in ended.iter().flat_map(|ended| ended.sold_on(&facts)) {
            self.fault(Invariant::Answered, format!("{order} was admitted after its sale had ended"));
        }
        let pushes = push_latencies(&entries, &facts).into_iter().map(|(_, took)| took).collect();
        let mut outcome = Outcome { report, at_once: self.at_once, kills: self.kills, pushes, kept: None };
        if self.scenario.sabotage.is_none() && !outcome.faults().is_empty() {
            let mut file = std::io::BufWriter::new(std::fs::File::create(folder.path().join("history.jsonl")).unwrap());
            write_lines(&entries, &mut file).unwrap();
            outcome.kept = Some(folder.keep());
        }
        outcome
    }

    fn stages(&self) -> Vec<Arc<Stage>> {
        self.sales.iter().map(|sale| Arc::new(self.stage_on(*sale, self.addresses()))).collect()
    }

    fn stage_on(&self, sale: SaleId, addresses: Vec<SocketAddr>) -> Stage {
        Stage {
            addresses,
            sale,
            timeout: Duration::from_secs(5),
            patience: self.scenario.patience,
            persistence: Duration::from_secs(3),
            browse: false,
            recorder: self.recorder.clone(),
            tally: Arc::new(Tally::default()),
            board: parking_lot::Mutex::default(),
        }
    }

    /// Waits until so many more tickets of each sale were given: what happens next happens in the middle of a rush.
    pub async fn until_each_sale_sells(&self, more: usize) {
        let deadline = Instant::now() + READY_WITHIN;
        let before = self.tickets();
        loop {
            let now = self.tickets();
            let new = |sale: &SaleId| now.difference(&before).filter(|ticket| ticket.sale == *sale).count();
            let least = self.sales.iter().map(new).min().unwrap_or_default();
            if least >= more {
                return;
            }
            assert!(Instant::now() < deadline, "a sale gave {least} of {more} tickets");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Those that shoppers were given so far.
    pub fn tickets(&self) -> HashSet<TicketId> {
        self.recorder.snapshot().iter().filter_map(ticket_of).collect()
    }

    /// Looks at the nodes until it is stopped.
    pub fn monitor(&self) -> Monitor {
        Monitor::start(&self.addresses())
    }

    /// An operator ends a sale for which buyers press meanwhile.
    pub fn end_a_sale(&mut self) -> Ending {
        let buyers = self.late.split_off(self.late.len() - PRESSING);
        Ending::start(self.addresses(), self.doomed, self.operator.clone(), buyers)
    }

    /// Waits until the sale is over on each node.
    pub async fn ended(&mut self, ending: Ending) -> Ended {
        let late = self.late.split_off(self.late.len() - self.launches.len());
        ending.finish(late).await
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        self.launches.iter().map(|launch| launch.address).collect()
    }

    /// Waits until a shopper of each node has bought: in a sale with units enough, so that being told that there are none is no
    /// answer. Returns how long that took.
    pub async fn until_sold_on_each_node(&mut self) -> Duration {
        let begun = Instant::now();
        let (mut shoppers, mut tallies) = (tokio::task::JoinSet::new(), Vec::new());
        for launch in &self.launches {
            let stage = Arc::new(self.stage_on(self.quiet, vec![launch.address]));
            let first = 2_000_000 + self.late.len() as u32;
            let buyer = self.late.pop().expect("an account");
            let rush = Rush {
                seed: self.scenario.seed,
                first,
                count: 1,
                over: Duration::from_millis(1),
                habits: Habits::none(),
                accounts: Accounts::Ready(vec![buyer].into()),
                opens: Instant::now(),
            };
            tallies.push(stage.tally.clone());
            shoppers.spawn(crowd::rush(stage, rush));
        }
        shoppers.join_all().await;
        for (node, tally) in tallies.iter().enumerate() {
            if tally.ordered.load(Relaxed) != 1 {
                self.fault(Invariant::Answered, format!("nobody could buy at node {node} any more"));
            }
        }
        begun.elapsed()
    }

    /// Kills a node, looks at the rows it left, starts it again, and looks whether everything that had been accepted
    /// is recorded; on one node, as soon as it says that it is ready.
    pub async fn kill(&mut self, node: usize) {
        let number = self.kills;
        self.kills += 1;
        self.nodes[node].kill().unwrap();
        let accepted: HashSet<_> = {
            let entries = self.recorder.snapshot();
            let new = entries[self.checked..].iter().filter_map(ticket_of).collect();
            self.checked = entries.len();
            new
        };
        self.look(&format!("after kill {number}")).await;
        self.nodes[node] = self.launches[node].start(READY_WITHIN).await.unwrap();
        let facts = self.look(&format!("after restart {number}")).await;
        if self.launches.len() > 1 {
            // The others' tickets are still on their way.
            return;
        }
        let rows: HashSet<_> = facts.orders.iter().map(|order| order.id).collect();
        for lost in accepted.difference(&rows) {
            let evidence = format!("after restart {number}: {lost} was accepted and is nowhere");
            self.fault(Invariant::AcceptedIsRecorded, evidence);
        }
    }

    /// Stops a node as an operator would (SIGTERM), and starts it again.
    pub async fn restart(&mut self, node: usize) {
        let stopped = self.nodes.remove(node).stop(Duration::from_secs(30)).await.unwrap();
        if !stopped {
            self.fault(Invariant::Answered, format!("node {node} did not stop well"));
        }
        self.nodes.insert(node, self.launches[node].start(READY_WITHIN).await.unwrap());
    }

    async fn look(&mut self, when: &str) -> Facts {
        let facts = self.facts().await;
        for violation in checker::check_rows(&facts) {
            self.fault(violation.invariant, format!("{when}: {}", violation.evidence));
        }
        facts
    }

    fn fault(&mut self, invariant: Invariant, evidence: String) {
        self.at_once.push(Violation { invariant, evidence });
    }

    /// Whether the rest of the run would tell nothing new.
    fn is_decided(&self) -> bool {
        self.scenario.until_wrong && !self.at_once.is_empty()
    }

    /// Waits until no order waits for its payment any more: all units that were held are free again.
    async fn wait_until_returned(&mut self) {
        let deadline = Instant::now() + self.settle_within();
        loop {
            let facts = self.facts().await;
            let waiting = facts.orders.iter().filter(|order| order.state == OrderState::AwaitingPayment).count();
            if waiting == 0 {
                return;
            }
            if Instant::now() > deadline {
                self.fault(Invariant::Conservation, format!("{waiting} orders did not expire"));
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Demand that is greater than the stock, when nothing else is on its way: everything must be sold.
    async fn mop_up(&mut self, sent: u32) {
        // Returned units may take this long to get back to the gate. Where faults allow them longer, what is not back by now is not sold.
        sleep(self.scenario.return_grace.min(3 * checker::RETURN_GRACE)).await;
        let (late, mut first) = (std::mem::take(&mut self.late), sent + 1_000_000);
        let each = late.len() / self.sales.len();
        let mut rushes = tokio::task::JoinSet::new();
        for (stage, buyers) in self.stages().into_iter().zip(late.chunks(each)) {
            let rush = Rush {
                seed: self.scenario.seed.wrapping_add(u64::from(first)),
                first,
                count: buyers.len() as u32,
                over: Duration::from_millis(300),
                habits: Habits { persistent: 0, cancel: 0, ..self.scenario.habits },
                accounts: Accounts::Ready(buyers.to_vec().into()),
                opens: Instant::now(),
            };
            first += rush.count;
            rushes.spawn(crowd::rush(stage, rush));
        }
        rushes.join_all().await;
    }

    /// After a deliberate mistake things may never settle.
    const fn settle_within(&self) -> Duration {
        if self.scenario.sabotage.is_some() { Duration::from_secs(6) } else { SETTLE_WITHIN }
    }

    async fn settled(&self) -> Facts {
        let db = self.launches[0].open_database().await.unwrap();
        self.but_for_apart(settle(&db, &self.recorder.snapshot(), self.settle_within()).await.unwrap())
    }
}
