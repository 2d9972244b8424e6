//! Benchmarks: ratios taken in one run on one machine. Each pair is measured in turns (A B A B …), each side in a
//! process of its own, and costs are CPU time per operation of that process: the load that shares the machine does not count.
//!
//! The server is the program `doorbuster` beside this one, as it is shipped. What it is compared with is here: the [`baseline`] servers
//! and the [`bare`] loops.

mod arrivals;
mod bare;
mod baseline;
mod cluster;
mod durable;
mod edge;
pub mod gate;
mod goodput;
mod load;
mod memory;
pub mod messages;
mod payments;
mod pulse;
mod purchase;
pub mod report;
mod strangers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};

pub use cluster::Servers;
use doorbuster::demo::server::free_address;
use doorbuster::kernel::{Epoch, SaleId};
use doorbuster::lifecycle::allow_open_files;
use doorbuster::store::Database;
use report::Table;

/// Rounds of each pair.
const ROUNDS: usize = 5;

/// Rounds of those that begin each with a new server, and whose results differ little.
const FEW_ROUNDS: usize = 3;

/// The benchmarks of one node that needs nothing else, by name.
pub const NAMES: [&str; 15] = [
    "purchase",
    "sold-out",
    "strangers",
    "durable",
    "idle",
    "socket",
    "gone",
    "list",
    "handshake",
    "fan-out",
    "goodput",
    "pulse",
    "edge",
    "points",
    "notifications",
];

/// What `edge` stands for.
const EDGE: [&str; 8] = ["purchase", "sold-out", "list", "handshake", "fan-out", "socket", "gone", "goodput"];

/// What stands for all of [`cluster::NAMES`], each of which begins with it.
const CLUSTER: &str = "cluster";

/// Set if the benchmarks only have to show that they work.
static QUICK: AtomicBool = AtomicBool::new(false);

/// The least that is left of a number of operations: more than there are connections.
const QUICK_LEAST: u32 = 256;

/// So many operations, or a fraction of them if nothing is to be measured.
fn scaled(count: usize) -> usize {
    scaled_u32(count as u32) as usize
}

fn scaled_u32(count: u32) -> u32 {
    if QUICK.load(Ordering::Relaxed) { (count / 100).max(QUICK_LEAST).min(count) } else { count }
}

/// Rounds: one if nothing is to be measured.
fn rounds(count: usize) -> usize {
    if QUICK.load(Ordering::Relaxed) { 1 } else { count }
}

/// The epoch of a sale's gate.
async fn epoch(db: &Database, sale: SaleId) -> anyhow::Result<Epoch> {
    use doorbuster::store::{postgres, sqlite};
    let facts = match db {
        Database::Postgres(store) => {
            store.read(move |conn| Box::pin(postgres::sql::orders::sale_facts(conn, sale))).await
        }
        Database::Sqlite(store) => store.read(move |conn| Box::pin(sqlite::sql::orders::sale_facts(conn, sale))).await,
    };
    Ok(facts?.context("there is no such sale")?.epoch)
}

/// The server's program, which lies beside this one.
fn server() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("doorbuster");
    anyhow::ensure!(program.exists(), "{} is missing: `cargo build` makes it", program.display());
    Ok(program)
}

/// How to run benchmarks.
#[derive(Debug, Clone, Default)]
pub struct How {
    /// They do a hundredth of their work, once, and the numbers mean nothing.
    pub quick: bool,
    /// A Markdown file that gets the table.
    pub record: Option<PathBuf>,
}

/// Runs the named benchmarks, or all that need no servers, and prints the table, also of what was measured before something failed.
/// Returns whether every target was met.
pub async fn run(names: &[String], servers: &Servers, how: &How) -> anyhow::Result<bool> {
    QUICK.store(how.quick, Ordering::Relaxed);
    for name in names {
        let known = [NAMES.as_slice(), &cluster::NAMES, &[CLUSTER]].concat();
        anyhow::ensure!(known.contains(&name.as_str()), "no benchmark {name}; there are {}", known.join(", "));
    }
    let mut table = Table::default();
    let measured = measure(names, servers, &mut table).await;
    table.print()?;
    if let Some(file) = &how.record {
        table.record(file)?;
    }
    measured.map(|()| how.quick || table.is_met())
}

async fn measure(names: &[String], servers: &Servers, table: &mut Table) -> anyhow::Result<()> {
    single(names, table).await?;
    if names.iter().any(|name| name.starts_with(CLUSTER)) {
        let wanted = |name: &str| names.iter().any(|given| given == name || given == CLUSTER);
        cluster::run(wanted, servers, table).await.context(CLUSTER)?;
    }
    Ok(())
}

/// Those of one node.
async fn single(names: &[String], table: &mut Table) -> anyhow::Result<()> {
    let wanted = |name: &str| {
        let is_named = |given: &String| given == name || (given == "edge" && EDGE.contains(&name));
        names.is_empty() || names.iter().any(is_named)
    };
    // Both ends of thousands of sockets are in this process and in those that it starts.
    allow_open_files();
    if wanted("purchase") || wanted("sold-out") {
        let [accepted, sold_out, written] = purchase::run(rounds(ROUNDS)).await.context("purchase")?;
        table.add(wanted("purchase").then_some([accepted, written]).into_iter().flatten());
        table.add(wanted("sold-out").then_some(sold_out));
    }
    if wanted("strangers") {
        table.add(strangers::run(rounds(FEW_ROUNDS)).await.context("strangers")?);
    }
    if wanted("durable") {
        table.add([durable::run(rounds(ROUNDS)).await.context("durable")?]);
    }
    if wanted("points") {
        table.add([Box::pin(payments::with_points(rounds(ROUNDS))).await.context("points")?]);
    }
    if wanted("notifications") {
        table.add([tokio::task::block_in_place(|| payments::notifications(rounds(ROUNDS))).context("notifications")?]);
    }
    if wanted("list") {
        table.add([edge::list(rounds(ROUNDS)).await.context("list")?]);
    }
    if wanted("handshake") {
        table.add([edge::handshakes(rounds(ROUNDS)).await.context("handshake")?]);
    }
    if wanted("fan-out") {
        table.add([edge::fan_out(rounds(ROUNDS)).await.context("fan-out")?]);
    }
    if wanted("goodput") {
        table.add([goodput::run(rounds(ROUNDS)).await.context("goodput")?]);
    }
    if wanted("pulse") {
        table.add([pulse::run(rounds(ROUNDS)).await.context("pulse")?]);
    }
    if wanted("idle") {
        table.add([memory::idle(rounds(ROUNDS)).await.context("idle")?]);
    }
    if wanted("socket") {
        table.add([memory::socket(rounds(FEW_ROUNDS)).await.context("socket")?]);
    }
    if wanted("gone") {
        table.add(memory::gone(rounds(FEW_ROUNDS)).await.context("gone")?);
    }
    Ok(())
}

/// Runs a baseline in this process until it is killed.
pub async fn child(address: SocketAddr) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    Ok(baseline::serve(listener).await?)
}

/// The bare axum server in a process of its own; killed when dropped.
struct Baseline {
    child: Child,
    address: SocketAddr,
}

impl Baseline {
    async fn start() -> anyhow::Result<Self> {
        let address = free_address()?;
        let child = Command::new(std::env::current_exe()?)
            .args(["--baseline", &address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let baseline = Self { child, address };
        let deadline = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(address).await.is_err() {
            anyhow::ensure!(Instant::now() < deadline, "the baseline did not start");
            sleep(Duration::from_millis(10)).await;
        }
        Ok(baseline)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder for a benchmark's data, removed when dropped. On the disk of the working directory: a folder in memory would
/// make every flush free.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> std::io::Result<Self> {
        let path = PathBuf::from("data").join(format!("bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
