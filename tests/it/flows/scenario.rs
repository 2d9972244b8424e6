//! A run against the real program: seeded shops and shoppers, kills at planned instants, and the checker at the end.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use doorbuster::demo::checker::{self, Evidence, Invariant, Report, Violation};
use doorbuster::demo::crowd::{self, Accounts, Rush, Stage, Stream};
use doorbuster::demo::facts::Facts;
use doorbuster::demo::history::{Entry, Recorder, Reply, Step, write_lines};
use doorbuster::demo::plan::Habits;
use doorbuster::demo::ready;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::server::{Launch, Server};
use doorbuster::demo::shopper::Account;
use doorbuster::demo::tally::Tally;
use doorbuster::demo::verdict::settle;
use doorbuster::kernel::{Clock, Rng, SaleId};
use doorbuster::orders::OrderState;
use tokio::time::{Instant, sleep, sleep_until};

const READY_WITHIN: Duration = Duration::from_secs(60);
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

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
    /// Whether to stop as soon as something is wrong.
    pub until_wrong: bool,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            kills: 0,
            load: (Duration::from_secs(3), Duration::from_secs(3)),
            sales: 2,
            stock: 30,
            pay_within: Duration::from_secs(1),
            per_second: 120,
            habits: Habits { cancel: 25, persistent: 10, ..Habits::default() },
            settings: Vec::new(),
            sabotage: None,
            until_wrong: false,
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

struct Run {
    scenario: Scenario,
    launch: Launch,
    recorder: Recorder,
    sales: Vec<SaleId>,
    at_once: Vec<Violation>,
    checked: usize,
}

impl Scenario {
    /// Plays it.
    pub async fn run(self) -> Outcome {
        // One at a time: a crowd and its server fill a small machine, and two of each would only time out.
        static STAGE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _stage = STAGE.lock().await;
        let folder = tempfile::tempdir().unwrap();
        let (launch, operator, buyers) = self.prepare(folder.path()).await;
        let mut server = launch.start(READY_WITHIN).await.unwrap();
        let sales = self.open_shop(&launch, &operator).await;
        let recorder = Recorder::new(Clock::system());
        let mut run = Run { scenario: self, launch, recorder, sales, at_once: Vec::new(), checked: 0 };

        let stages = run.stages();
        let habits = run.scenario.habits;
        let (seed, per_second) = (run.scenario.seed, run.scenario.per_second);
        let mop_up = run.scenario.stock as usize * run.scenario.sales + 20;
        let (late, early) = buyers.split_at(mop_up);
        let stream = Stream::start(stages, seed, per_second, 300, habits, early.to_vec().into(), 0);
        let mut kills = 0;
        for pause in kill_plan(&run.scenario) {
            sleep(pause).await;
            if run.scenario.kills > 0 {
                run.kill(&mut server, kills).await;
                kills += 1;
            }
            if run.is_decided() {
                break;
            }
        }
        let sent = stream.finish().await;
        if !run.is_decided() {
            run.wait_until_returned().await;
            run.mop_up(late, sent).await;
        }
        let facts = run.settled().await;
        let entries = run.recorder.snapshot();
        let calm = kills == 0;
        let report = checker::check(Evidence {
            history: &entries,
            facts: &facts,
            settled: true,
            calm,
            return_grace: checker::RETURN_GRACE,
        });
        if !server.stop(Duration::from_secs(30)).await.unwrap() {
            run.fault(Invariant::Answered, "the server did not stop well".into());
        }
        let mut outcome = Outcome { report, at_once: run.at_once, kills, kept: None };
        if run.scenario.sabotage.is_none() && !outcome.faults().is_empty() {
            let mut file = std::io::BufWriter::new(std::fs::File::create(folder.path().join("history.jsonl")).unwrap());
            write_lines(&entries, &mut file).unwrap();
            outcome.kept = Some(folder.keep());
        }
        outcome
    }

    async fn prepare(&self, folder: &Path) -> (Launch, Account, Vec<Account>) {
        let program = std::env::var_os("DOORBUSTER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_doorbuster").into());
        let mut launch = Launch::new(Path::new(&program), folder).unwrap();
        launch.log = Some(folder.join("server.log"));
        for (key, value) in &self.settings {
            launch = launch.set(key, value);
        }
        if let Some(name) = self.sabotage {
            launch.environment.push(("DOORBUSTER_SABOTAGE".into(), name.into()));
        }
        let db = launch.open_database().await.unwrap();
        let (clock, rng) = (Clock::system(), Rng::system());
        // A restart takes about as long as a load phase; should they run out, the stream just ends earlier.
        let seconds = (self.load.1.as_secs_f64() + 1.0) * f64::from(self.kills.max(1)) + 5.0;
        let count = (seconds * f64::from(self.per_second)) as u32 + self.stock * self.sales as u32 + 20;
        let operator = ready::users(&db, &clock, &rng, "operator", 1, true).await.unwrap().remove(0);
        let buyers = ready::users(&db, &clock, &rng, "buyer", count, false).await.unwrap();
        (launch, operator, buyers)
    }

    async fn open_shop(&self, launch: &Launch, operator: &Account) -> Vec<SaleId> {
        let mut operator = Operator::new(launch.address, &operator.token);
        let starts_at = operator.server_time().await.unwrap().plus(Duration::from_millis(500));
        let ends_at = starts_at.plus(Duration::from_secs(3600));
        let session = operator.session("now", starts_at, ends_at).await.unwrap();
        let product = operator.product("Lamp", "Light", "A lamp.", "/pictures/lamp.svg", "20.00").await.unwrap();
        let terms = Terms { price: "10.00", stock: self.stock, limit_per_buyer: 1, pay_within: self.pay_within };
        let mut sales = Vec::new();
        for _ in 0..self.sales {
            sales.push(operator.sale(&session, &product, terms).await.unwrap());
        }
        let opens = Instant::now() + starts_at.since(operator.server_time().await.unwrap());
        sleep_until(opens).await;
        sales
    }
}

impl Run {
    fn stages(&self) -> Vec<Arc<Stage>> {
        let stage = |sale: &SaleId| Stage {
            addresses: vec![self.launch.address],
            sale: *sale,
            timeout: Duration::from_secs(5),
            patience: Duration::from_secs(60),
            persistence: Duration::from_secs(3),
            browse: false,
            recorder: self.recorder.clone(),
            tally: Arc::new(Tally::default()),
            board: parking_lot::Mutex::default(),
        };
        self.sales.iter().map(stage).map(Arc::new).collect()
    }

    async fn facts(&self) -> Facts {
        let db = self.launch.open_database().await.unwrap();
        Facts::read(&db).await.unwrap()
    }

    /// Kills the server, looks at the rows it left, starts it again, and looks whether everything that had been accepted
    /// is recorded as soon as the server says that it is ready.
    async fn kill(&mut self, server: &mut Server, number: u32) {
        server.kill().unwrap();
        let accepted: HashSet<_> = {
            let entries = self.recorder.snapshot();
            let new = entries[self.checked..].iter().filter_map(ticket_of).collect();
            self.checked = entries.len();
            new
        };
        self.look(&format!("after kill {number}")).await;
        *server = self.launch.start(READY_WITHIN).await.unwrap();
        let facts = self.look(&format!("after restart {number}")).await;
        let rows: HashSet<_> = facts.orders.iter().map(|order| order.id).collect();
        for lost in accepted.difference(&rows) {
            let evidence = format!("after restart {number}: {lost} was accepted and is nowhere");
            self.fault(Invariant::AcceptedIsRecorded, evidence);
        }
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
    async fn mop_up(&mut self, late: &[Account], sent: u32) {
        // The promise allows a returned unit this long to get back to the gate.
        sleep(checker::RETURN_GRACE).await;
        let each = late.len() / self.sales.len();
        let mut first = sent + 1_000_000;
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
        let db = self.launch.open_database().await.unwrap();
        settle(&db, &self.recorder.snapshot(), self.settle_within()).await.unwrap()
    }
}

fn ticket_of(entry: &Entry) -> Option<doorbuster::kernel::TicketId> {
    match &entry.step {
        Step::Ok { reply: Reply::Ticket(seen) } => Some(seen.id),
        _ => None,
    }
}
