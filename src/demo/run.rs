//! `doorbuster demo`: a shop, a crowd and a result.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::checker::{Evidence, RETURN_GRACE};
use super::crowd::{self, Accounts, PASSWORD, Rush};
use super::gateway::Gateway;
use super::history::{self, Recorder};
use super::payers::{self, Till};
use super::plan::Habits;
use super::seed::{self, Operator};
use super::server::{self, Launch, Server};
use super::stage::Stage;
use super::tally::Tally;
use super::verdict::{self, Verdict, settle};
use super::{screen, usage};
use crate::kernel::{Clock, Rng, SaleId};
use crate::payments::reconciliation;
use crate::telemetry::print;

/// Sign-ups under way at the same time.
const SIGN_UPS: usize = 64;
/// Sign-ups a second that the countdown allows for.
const SIGN_UPS_PER_SECOND: u32 = 400;
/// How long a demo order waits for its payment.
const PAY_WITHIN: Duration = Duration::from_secs(15 * 60);
const READY_WITHIN: Duration = Duration::from_secs(30);
const SETTLE_WITHIN: Duration = Duration::from_secs(30);
/// How long a unit may be on its way back to a gate that is reached over a broker. Three nodes, three servers and a crowd
/// on one small machine make it seconds; on machines of their own it is a few milliseconds.
const RETURN_GRACE_OF_MANY: Duration = Duration::from_secs(20);

/// What to show.
#[derive(Debug, Clone)]
pub struct Options {
    /// Shoppers.
    pub crowd: u32,
    /// Units in their sale.
    pub stock: u32,
    /// Whether to end after the verdict.
    pub once: bool,
    /// How long after the shop is set up its first sale opens; longer if the crowd needs it to sign up.
    pub opens_in: Duration,
    /// How long shoppers keep arriving after the sale has opened.
    pub rush: Duration,
    /// How often the server is killed while they buy.
    pub kills: u32,
    /// Another build of the program, with which the nodes begin: a node changes to this one, or back, when it is killed.
    pub other_program: Option<PathBuf>,
    /// Chooses what the shoppers do.
    pub seed: u64,
    /// Where the nodes listen.
    pub addresses: Vec<SocketAddr>,
    /// Settings of the profile of many nodes; none for the embedded one.
    pub profile: Vec<(String, String)>,
    /// Where the demo's data goes; what a demo left there before is removed.
    pub data: PathBuf,
}

/// Runs the demo. Returns whether every promise was kept.
pub async fn run(options: Options, clock: Clock, rng: &Rng) -> anyhow::Result<bool> {
    let mut launches = prepare(&options)?;
    let gateway = Gateway::start(&options.data)?;
    for launch in &mut launches {
        launch.settings.extend(gateway.iter().flat_map(|gateway| gateway.settings(options.addresses[0])));
    }
    let launch = &launches[0];
    let password = data_encoding::BASE32_NOPAD.encode(&rng.bytes::<10>()).to_lowercase();
    create_operator(launch, &password)?;
    let mut nodes = start(&launches, &options.data).await?;
    let operator = crowd::sign_in(launch.address, "operator", &password).await.context("signing in the operator")?;
    let visitor = crowd::sign_up(launch.address, VISITOR, PASSWORD, "Grace").await;
    visitor.context("signing up the account for visitors")?;
    let signing_up = Duration::from_secs(5) + Duration::from_secs(1) * (options.crowd / SIGN_UPS_PER_SECOND);
    let opens_in = options.opens_in.max(signing_up);
    let mut operator = Operator::new(launch.address, &operator.token);
    let (sale, opens_at) = seed::shop(&mut operator, opens_in, options.stock, PAY_WITHIN).await?;
    let opens = Instant::now() + opens_at.since(operator.server_time().await?);
    let entrance = entrance(&options, &password, gateway.as_ref()).await;
    print(&format!(
        "{entrance}The first sale opens in {} s. Sign in and buy along with the crowd!\n\n",
        opens_in.as_secs()
    ))?;

    let tally = Arc::new(Tally::default());
    let recorder = Recorder::new(clock);
    let stage = stage(options.addresses.clone(), sale, recorder.clone(), tally.clone());
    let accounts = Accounts::SignUp(Arc::new(Semaphore::new(SIGN_UPS)));
    let (seed, count, habits) = (options.seed, options.crowd, Habits::default());
    let crowd = crowd::rush(stage, Rush { seed, first: 0, count, over: options.rush, habits, accounts, opens });
    tokio::select! {
        () = crowd => {}
        () = screen::watch(&tally, options.crowd, options.stock, opens) => {}
        result = kill_now_and_then(&mut nodes, &options, opens) => result?,
        result = interrupted() => { result?; return Ok(false) }
    }
    screen::draw(&tally, options.crowd, options.stock, opens, false, 0);

    let history = recorder.snapshot();
    write_history(&options, &history)?;
    let db = launch.open_database().await?;
    let crowd = settle(&db, &history, SETTLE_WITHIN).await?;
    let till = Till { address: options.addresses[0], sale, seed: options.seed, gateway: gateway.is_some() };
    let mut money = payers::pay(till, &db, &history).await?;
    money.bill_agrees = gateway.as_ref().map(|_| bill_agrees(launch)).transpose()?;
    let facts = settle(&db, &history, SETTLE_WITHIN).await?;
    db.close().await;
    let return_grace = if options.profile.is_empty() { RETURN_GRACE } else { RETURN_GRACE_OF_MANY };
    let evidence = Evidence { history: &history, facts: &facts, settled: true, calm: options.kills == 0, return_grace };
    let mut verdict = Verdict::of(evidence, sale, &tally);
    verdict.sold = verdict::units(&crowd, sale).0;
    verdict.server_memory = nodes.iter().filter_map(|node| usage::memory(node.pid())).map(|(_, peak)| peak).max();
    verdict.money = Some(money);
    print(&format!("\n{verdict}\n"))?;
    if !options.once {
        print(&(entrance + "The shop stays open. Press Ctrl-C to close it.\n"))?;
        interrupted().await?;
    }
    for node in nodes {
        node.stop(Duration::from_secs(20)).await?;
    }
    Ok(verdict.holds())
}

async fn start(launches: &[Launch], data: &Path) -> anyhow::Result<Vec<Server>> {
    let mut nodes = Vec::with_capacity(launches.len());
    for launch in launches {
        let log = launch.log.as_deref().unwrap_or(data).display();
        nodes.push(launch.start(READY_WITHIN).await.with_context(|| format!("see {log}"))?);
    }
    Ok(nodes)
}

fn stage(addresses: Vec<SocketAddr>, sale: SaleId, recorder: Recorder, tally: Arc<Tally>) -> Arc<Stage> {
    Arc::new(Stage {
        addresses,
        sale,
        timeout: Duration::from_secs(10),
        patience: Duration::from_secs(60),
        persistence: Duration::from_secs(12),
        browse: true,
        recorder,
        tally,
        board: Mutex::default(),
    })
}

/// Points that a shopper of the demo begins with: enough for a few of its products.
const WELCOME: &str = "5000";
/// An account for the person who watches.
const VISITOR: &str = "grace";

/// Settings under which thousands of shoppers from one address can sign up within seconds. Never for a real shop.
fn prepare(options: &Options) -> anyhow::Result<Vec<Launch>> {
    let logs: Vec<_> = (1..=options.addresses.len()).map(|number| format!("node-{number}.log")).collect();
    let data = ["doorbuster.db", "doorbuster.db-wal", "doorbuster.db-shm", "history.jsonl"];
    for name in data.into_iter().chain(logs.iter().map(String::as_str)) {
        match std::fs::remove_file(options.data.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {name} in {}", options.data.display()));
            }
            _ => {}
        }
    }
    std::fs::create_dir_all(&options.data).with_context(|| format!("creating {}", options.data.display()))?;
    let program = options.other_program.clone().map_or_else(std::env::current_exe, Ok)?;
    let mut launch = Launch::new(&program, &options.data)?
        .set("accounts.hash_memory", "64KiB")
        .set("accounts.hash_passes", "1")
        .set("accounts.hash_queue", "1000")
        .set("accounts.sign_ins_per_account_per_minute", "0")
        .set("accounts.attempts_per_address_per_minute", "0")
        .set("points.welcome", WELCOME)
        .set("shop.name", "Lantern Shop")
        // Safari keeps a `Secure` cookie over TLS only, also on this machine.
        .set("access.cookie_secure", "false");
    // An older program may not know the setting, and needs no key before the upgrade is finalised.
    if options.addresses.len() > 1 && options.other_program.is_none() {
        let key = data_encoding::BASE64.encode(&Rng::system().bytes::<32>());
        launch = launch.set("accounts.token_key", &key);
    }
    launch.settings.extend(options.profile.iter().cloned());
    let node = |(number, (address, log)): (usize, (&SocketAddr, &String))| {
        let launch = Launch { address: *address, log: Some(options.data.join(log)), ..launch.clone() };
        if options.profile.is_empty() { launch } else { launch.set("node.name", &format!("node-{}", number + 1)) }
    };
    Ok(options.addresses.iter().zip(&logs).enumerate().map(node).collect())
}

/// Creates the operator through the program's own command.
fn create_operator(launch: &Launch, password: &str) -> anyhow::Result<()> {
    let mut child = launch
        .command()
        .args(["operator", "create", "--username", "operator", "--display-name", "Operator", "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        std::io::Write::write_all(&mut stdin, format!("{password}\n").as_bytes())?;
    }
    anyhow::ensure!(child.wait()?.success(), "the operator was not created");
    Ok(())
}

/// Lets the program compare the gateway's bill of today with the records; whether they agree.
fn bill_agrees(launch: &Launch) -> anyhow::Result<bool> {
    let today = reconciliation::day_of(Clock::system().now()).to_string();
    let mut command = launch.command();
    command.args(["payments", "reconcile", "--day", &today]).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command.stderr(Stdio::null()).status()?.success())
}

/// Waits for Ctrl-C, or for a request to end the demo.
async fn interrupted() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminated.recv() => Ok(()),
    }
}

/// Where the shop is, and who can come in.
async fn entrance(options: &Options, password: &str, gateway: Option<&Gateway>) -> String {
    let first = options.addresses[0];
    // A build without the storefront has no page there.
    let built = server::status(first, "/").await == Some(200);
    let shop = |address| format!("shop      http://{address}/\n");
    let page = |address| format!("GraphiQL  http://{address}/graphiql\n");
    let shops = if built { options.addresses.iter().map(shop).collect() } else { String::new() };
    let pages: String = options.addresses.iter().map(page).collect();
    let paying = match gateway {
        Some(gateway) => {
            format!("payment   with the Alipay sandbox at {}, which moves no money, or with points\n", gateway.url())
        }
        None => "payment   with points only, because alipay-sandbox is not installed beside this program\n".to_owned(),
    };
    format!(
        "\n{shops}{pages}shopper   username {VISITOR}, password {PASSWORD}: has {WELCOME} points\n\
         operator  username operator, password {password}\n{paying}\n"
    )
}

fn write_history(options: &Options, entries: &[history::Entry]) -> anyhow::Result<()> {
    let path = options.data.join("history.jsonl");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    history::write_lines(entries, &mut file).with_context(|| format!("writing {}", path.display()))
}

/// Kills and restarts the nodes in turn as often as asked, evenly over the first half of the rush; then waits for ever.
async fn kill_now_and_then(nodes: &mut [Server], options: &Options, opens: Instant) -> anyhow::Result<()> {
    let count = nodes.len();
    for number in 0..options.kills {
        let pause = options.rush / (options.kills + 1) * (number + 1) / 2;
        tokio::time::sleep_until(opens + pause).await;
        let node = &mut nodes[(number as usize + 1) % count];
        if let Some(other) = &options.other_program {
            let this = std::env::current_exe()?;
            let next = if node.launch().program == *other { this } else { other.clone() };
            node.replace_with(next);
        }
        node.kill_and_restart(READY_WITHIN).await?;
    }
    loop {
        sleep(Duration::from_secs(3600)).await;
    }
}
