//! Memory: of an idle server, and of a subscribed socket against a raw one.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::load::{Shot, drive};
use super::report::{Row, Target};
use super::{Baseline, Scratch, scaled};
use doorbuster::demo::client::body;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::server::{Launch, Server};
use doorbuster::demo::shopper::Account;
use doorbuster::demo::socket::{self, Event, Socket};
use doorbuster::demo::{ready, usage, wire};
use doorbuster::kernel::{Clock, Rng, SaleId};

/// Sockets of a round.
const SOCKETS: usize = 4_000;
/// Sockets that are opened before the first measurement, so that pools and tables have their size.
const FIRST: usize = 200;
/// Sockets that come and go.
const CROWD: usize = 10_000;
/// Requests of others meanwhile. Threads of the server give back what others freed for them when they next allocate.
const REQUESTS: usize = 10_000;
/// Seconds without a change of memory after which it is taken for settled.
const QUIET: usize = 3;
/// Buyers and units of a stage.
const BUYERS: u32 = 200;

const LIST: &str = "query List { sales(first: 20) { nodes { id status product { name } } } }";

/// An idle server's memory in MB, some seconds after its start.
pub async fn idle(rounds: usize) -> anyhow::Result<Row> {
    let mut product = Vec::new();
    for round in 0..rounds {
        let scratch = Scratch::new(&format!("idle-{round}"))?;
        let launch = Launch::new(&crate::server()?, scratch.path())?;
        let server = launch.start(Duration::from_secs(60)).await?;
        sleep(Duration::from_secs(3)).await;
        product.push(resident(server.pid())? / 1e6);
    }
    Ok(Row { name: "idle memory", unit: "MB", product, baseline: None, target: Target::AtMost(64.0) })
}

/// Bytes of a socket that follows a sale's stock, and of a raw one.
pub async fn socket(rounds: usize) -> anyhow::Result<Row> {
    let (mut product, mut baseline) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        baseline.push(raw().await?);
        product.push(subscribed(&format!("socket-{round}")).await?);
    }
    let target = Target::AtMost(4.0);
    Ok(Row { name: "subscribed socket", unit: "bytes", product, baseline: Some(baseline), target })
}

/// A server's memory with a crowd of subscribed sockets, and once they are gone, each against what it was before they came.
pub async fn gone(rounds: usize) -> anyhow::Result<[Row; 2]> {
    let [mut before, mut with, mut after] = [const { Vec::new() }; 3];
    for round in 0..rounds {
        let scratch = Scratch::new(&format!("gone-{round}"))?;
        let Stage { server, sale, token, .. } = stage(&scratch, 1).await?;
        let (pid, address) = (server.pid(), server.launch().address);
        // What is made once and kept (caches, tables, threads) is no memory of the crowd.
        drop(crowd(address, &token, sale, FIRST).await?);
        others(address, &token).await?;
        before.push(settled(pid).await? / 1e6);
        let sockets = crowd(address, &token, sale, scaled(CROWD)).await?;
        with.push(settled(pid).await? / 1e6);
        drop(sockets);
        others(address, &token).await?;
        after.push(settled(pid).await? / 1e6);
    }
    let row = |name, product, target| Row { name, unit: "MB", product, baseline: Some(before.clone()), target };
    Ok([
        row("memory with 10,000 sockets", with, Target::None),
        row("memory after 10,000 sockets", after, Target::AtMost(1.1)),
    ])
}

async fn crowd(address: SocketAddr, token: &str, sale: SaleId, count: usize) -> anyhow::Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        sockets.push(follow(address, token, sale).await?);
    }
    Ok(sockets)
}

/// The ordinary visitors that a shop has all the time.
async fn others(address: SocketAddr, token: &str) -> anyhow::Result<()> {
    let shot = Shot { token: token.to_owned(), body: body(LIST, &json!({}))? };
    drive(address, vec![shot; scaled(REQUESTS)], b"nodes").await?;
    Ok(())
}

fn resident(pid: u32) -> anyhow::Result<f64> {
    let (now, _) = usage::memory(pid).ok_or_else(|| anyhow::anyhow!("the process {pid} is gone"))?;
    Ok(now as f64)
}

/// Waits until memory has stopped growing.
async fn steady(pid: u32) -> anyhow::Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut last = resident(pid)?;
    loop {
        sleep(Duration::from_secs(1)).await;
        let now = resident(pid)?;
        if now <= last * 1.001 || Instant::now() > deadline {
            return Ok(now);
        }
        last = now;
    }
}

/// Waits until memory is the same for some seconds, having grown or shrunk.
async fn settled(pid: u32) -> anyhow::Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut last, mut quiet) = (resident(pid)?, 0);
    while quiet < QUIET && Instant::now() < deadline {
        sleep(Duration::from_secs(1)).await;
        let now = resident(pid)?;
        quiet = if (now - last).abs() <= last * 0.005 { quiet + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

async fn raw() -> anyhow::Result<f64> {
    let baseline = Baseline::start().await?;
    let mut sockets = Vec::new();
    let mut before = 0.0;
    for number in 0..FIRST + scaled(SOCKETS) {
        if number == FIRST {
            before = steady(baseline.pid()).await?;
        }
        let mut socket = socket::raw(baseline.address, "/socket").await?;
        socket.send(Message::text(r#"{"type":"connection_init"}"#)).await?;
        sockets.push(socket);
    }
    Ok((steady(baseline.pid()).await? - before) / scaled(SOCKETS) as f64)
}

async fn subscribed(name: &str) -> anyhow::Result<f64> {
    let scratch = Scratch::new(name)?;
    let Stage { server, sale, token, .. } = stage(&scratch, 1).await?;
    let mut sockets = Vec::new();
    let mut before = 0.0;
    for number in 0..FIRST + scaled(SOCKETS) {
        if number == FIRST {
            before = steady(server.pid()).await?;
        }
        sockets.push(follow(server.launch().address, &token, sale).await?);
    }
    Ok((steady(server.pid()).await? - before) / scaled(SOCKETS) as f64)
}

/// A socket that has its first payload of the sale's stock.
pub async fn follow(address: SocketAddr, token: &str, sale: SaleId) -> anyhow::Result<Socket> {
    let mut socket = Socket::open(address, token, Duration::from_secs(10)).await?;
    socket.subscribe_as(1, wire::STOCK, &json!({ "saleIds": [sale] })).await?;
    match socket.next().await? {
        Event::Next(..) => Ok(socket),
        other => anyhow::bail!("no snapshot, but {other:?}"),
    }
}

/// A shop that is open for measurements.
pub struct Stage {
    /// Its server.
    pub server: Server,
    /// The first sale.
    pub sale: SaleId,
    /// The operator's.
    pub token: String,
    /// The buyers.
    pub buyers: Vec<Account>,
}

/// Opens a shop with so many open sales, for a few buyers.
pub async fn stage(scratch: &Scratch, sales: usize) -> anyhow::Result<Stage> {
    stage_for(scratch, sales, BUYERS).await
}

/// Opens a shop with so many open sales, each with a unit for each of so many buyers.
pub async fn stage_for(scratch: &Scratch, sales: usize, crowd: u32) -> anyhow::Result<Stage> {
    let launch = Launch::new(&crate::server()?, scratch.path())?.set("log.filter", "warn");
    let db = launch.open_database().await?;
    let (clock, rng) = (Clock::system(), Rng::system());
    let account = ready::users(&db, &clock, &rng, "operator", 1, true).await?.remove(0);
    let buyers = ready::users(&db, &clock, &rng, "buyer", crowd, false).await?;
    let server = launch.start(Duration::from_secs(60)).await?;
    let mut operator = Operator::new(launch.address, &account.token);
    let opens = operator.server_time().await?.plus(Duration::from_millis(10));
    let session = operator.session("bench", opens, opens.plus(Duration::from_secs(7200))).await?;
    let product = operator.product("Lamp", "Light", "A lamp.", "/pictures/lamp.svg", "20.00").await?;
    let terms = Terms { price: "10.00", stock: crowd, limit_per_buyer: 1, pay_within: Duration::from_secs(3600) };
    let sale = operator.sale(&session, &product, terms).await?;
    for _ in 1..sales {
        operator.sale(&session, &product, terms).await?;
    }
    Ok(Stage { server, sale, token: account.token, buyers })
}
