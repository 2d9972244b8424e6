//! The GraphQL edge against the least that an axum server can do: a list, sockets being opened, and one value to many sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::load::{Shot, cpu_now, cpu_since, drive, drive_at};
use super::memory::{self, Stage};
use super::report::{Row, Target};
use super::{Baseline, Scratch, scaled};
use doorbuster::demo::client::{Client, body};
use doorbuster::demo::socket::{self, Event, Socket};

/// Lists of a round.
const LISTS: usize = 4_000;
/// Handshakes of a round.
const HANDSHAKES: usize = 2_000;
/// Handshakes at the same time.
const AT_ONCE: usize = 64;
/// Sockets that hear of each change.
const LISTENERS: usize = 5_000;
/// Changes of a round.
const CHANGES: usize = 10;
/// What no change takes that arrives at all.
const PATIENCE: Duration = Duration::from_secs(20);

const LIST: &str = "query List { sales(first: 20) { nodes { id status stockRemaining stockTotal limitPerBuyer startsAt \
    endsAt price { amount currencyCode } product { name imageUrl } } } }";
const BUY: &str = "mutation Buy($input: SalePurchaseInput!) { salePurchase(input: $input) { \
    ticket { id status } userErrors { code message } } }";

/// The list of sales, answers per CPU second.
pub async fn list(rounds: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new("list")?;
    let stage = memory::stage(&scratch, 20).await?;
    let baseline = Baseline::start().await?;
    let shots = || -> anyhow::Result<Vec<Shot>> {
        let shot = Shot { token: stage.token.clone(), body: body(LIST, &json!({}))? };
        Ok(vec![shot; scaled(LISTS)])
    };
    let (mut product, mut bare) = (Vec::new(), Vec::new());
    // The first round warms up caches and is not counted.
    for round in 0..=rounds {
        let before = cpu_now(baseline.pid())?;
        drive_at(baseline.address, "/list", shots()?, b"currencyCode").await?;
        let bare_rate = scaled(LISTS) as f64 / cpu_since(baseline.pid(), before)?;
        let before = cpu_now(stage.server.pid())?;
        drive(stage.address(), shots()?, b"currencyCode").await?;
        let rate = scaled(LISTS) as f64 / cpu_since(stage.server.pid(), before)?;
        if round > 0 {
            bare.push(bare_rate);
            product.push(rate);
        }
    }
    Ok(Row { name: "lists of 20 sales", unit: "per CPU s", product, baseline: Some(bare), target: Target::None })
}

/// Sockets opened, signed in and subscribed, up to their first payload, per CPU second; against bare accepts.
pub async fn handshakes(rounds: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new("handshake")?;
    let stage = Arc::new(memory::stage(&scratch, 1).await?);
    let baseline = Baseline::start().await?;
    let (mut product, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let address = baseline.address;
        let before = cpu_now(baseline.pid())?;
        many(move || async move { socket::raw(address, "/socket").await.map(drop).map_err(Into::into) }).await?;
        let bare_rate = scaled(HANDSHAKES) as f64 / cpu_since(baseline.pid(), before)?;
        let before = cpu_now(stage.server.pid())?;
        let opened = stage.clone();
        many(move || {
            let stage = opened.clone();
            async move { memory::follow(stage.address(), &stage.token, stage.sale).await.map(drop) }
        })
        .await?;
        let rate = scaled(HANDSHAKES) as f64 / cpu_since(stage.server.pid(), before)?;
        if round > 0 {
            bare.push(bare_rate);
            product.push(rate);
        }
    }
    let target = Target::AtLeast(0.4);
    Ok(Row { name: "handshakes to a first payload", unit: "per CPU s", product, baseline: Some(bare), target })
}

/// Does it [`HANDSHAKES`] times, some at once.
async fn many<F>(task: impl Fn() -> F + Clone + Send + 'static) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let task = task.clone();
        workers.spawn(async move {
            for _ in 0..scaled(HANDSHAKES) / AT_ONCE {
                task().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = workers.join_next().await {
        done??;
    }
    Ok(())
}

/// A value that changes, to many sockets: payloads per CPU second, against a loop that serialises once and writes.
pub async fn fan_out(rounds: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new("fan-out")?;
    let stage = memory::stage(&scratch, 1).await?;
    let baseline = Baseline::start().await?;
    let (heard, raw_heard) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut listeners = JoinSet::new();
    for _ in 0..scaled(LISTENERS) {
        let socket = memory::follow(stage.address(), &stage.token, stage.sale).await?;
        listeners.spawn(listen(socket, heard.clone()));
        let socket = socket::raw(baseline.address, "/feed").await?;
        listeners.spawn(listen_raw(socket, raw_heard.clone()));
    }
    let mut buyers = stage.buyers.iter();
    let (mut product, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let mut feed = Client::new(baseline.address, PATIENCE);
        let before = (cpu_now(baseline.pid())?, raw_heard.load(Ordering::SeqCst));
        for _ in 0..CHANGES {
            let known = raw_heard.load(Ordering::SeqCst);
            feed.post("/feed", Bytes::new()).await?;
            reaches(&raw_heard, known + scaled(LISTENERS)).await?;
        }
        let delivered = raw_heard.load(Ordering::SeqCst) - before.1;
        let bare_rate = delivered as f64 / cpu_since(baseline.pid(), before.0)?;
        let before = (cpu_now(stage.server.pid())?, heard.load(Ordering::SeqCst));
        for buyer in buyers.by_ref().take(CHANGES) {
            let known = heard.load(Ordering::SeqCst);
            let input = json!({ "saleId": stage.sale, "quantity": 1, "idempotencyKey": "fan-out-1" });
            let shot = Shot { token: buyer.token.clone(), body: body(BUY, &json!({ "input": input }))? };
            drive(stage.address(), vec![shot], b"QUEUED").await?;
            reaches(&heard, known + scaled(LISTENERS)).await?;
        }
        let delivered = heard.load(Ordering::SeqCst) - before.1;
        let rate = delivered as f64 / cpu_since(stage.server.pid(), before.0)?;
        if round > 0 {
            bare.push(bare_rate);
            product.push(rate);
        }
    }
    let target = Target::AtLeast(0.7);
    Ok(Row { name: "fan-out of a sale's stock", unit: "per CPU s", product, baseline: Some(bare), target })
}

async fn reaches(heard: &AtomicUsize, count: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while heard.load(Ordering::SeqCst) < count {
        anyhow::ensure!(Instant::now() < deadline, "{} of {count} payloads came", heard.load(Ordering::SeqCst));
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn listen(mut socket: Socket, heard: Arc<AtomicUsize>) {
    while let Ok(Event::Next(..)) = socket.next().await {
        heard.fetch_add(1, Ordering::SeqCst);
    }
}

async fn listen_raw(mut socket: WebSocketStream<TcpStream>, heard: Arc<AtomicUsize>) {
    while let Some(Ok(message)) = socket.next().await {
        heard.fetch_add(usize::from(matches!(message, Message::Text(_))), Ordering::SeqCst);
    }
}

impl Stage {
    fn address(&self) -> SocketAddr {
        self.server.launch().address
    }
}
