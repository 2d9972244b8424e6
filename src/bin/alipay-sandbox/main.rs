//! `alipay-sandbox`: a gateway for development and tests that speaks Alipay's "v2" protocol as production does. Nothing of it is
//! linked into the server; both use the same core (`doorbuster::gateway::alipay`).
//!
//! Trades and the notifications that a shop has not acknowledged live in memory, or in a file with `--state`: then deliveries
//! go on after a restart.

mod admin;
mod cashier;
mod faults;
mod gateway;
mod keys;
mod notify;
mod trades;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::routing::{any, get, post};
use clap::Parser;
use doorbuster::kernel::{Clock, Rng, Timestamp};
use doorbuster::telemetry::{FlushOnDrop, print, say};
use parking_lot::Mutex;
use serde_json::json;

use faults::Faults;
use keys::Keys;
use notify::{Notification, Notifier};
use serde::{Deserialize, Serialize};
use trades::Trades;

/// A gateway that speaks Alipay's protocol, for development and tests. No money moves.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Where it listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:9280")]
    listen: SocketAddr,
    /// The folder with the keys; what is missing there is made.
    #[arg(long, default_value = "data/alipay-sandbox")]
    keys: PathBuf,
    /// How many times faster than in life notifications are repeated (4, 10, 10 minutes, 1, 2, 6, 15 hours), and the 3 seconds
    /// between two refunds of one trade are over.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// End when standard input ends, and so with the program at its other end.
    #[arg(long)]
    with_parent: bool,
    /// A file that keeps the trades and the notifications under way.
    #[arg(long)]
    state: Option<PathBuf>,
    /// By how many seconds its clock is ahead of this machine's; below zero: behind.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    clock_skew: i64,
}

/// The vendor's least time between two refunds of one trade.
const REFUND_GAP: Duration = Duration::from_secs(3);

/// Everything that a request may need.
struct Sandbox {
    keys: Keys,
    trades: Mutex<Trades>,
    faults: Mutex<Faults>,
    notifier: Notifier,
    clock: Clock,
    clock_skew: i64,
    rng: Rng,
    /// The least time between two refunds of one trade.
    refund_gap: Duration,
    base: String,
    state: Option<PathBuf>,
}

/// The contents of the state file.
#[derive(Default, Serialize, Deserialize)]
struct State {
    trades: Trades,
    notifications: Vec<Notification>,
}

/// The borrowed form of `State` for writing, without a copy.
#[derive(Serialize)]
struct StateRef<'a> {
    trades: &'a Trades,
    notifications: &'a [Notification],
}

impl Sandbox {
    /// The time of its clock.
    fn now(&self) -> Timestamp {
        let skew = Duration::from_secs(self.clock_skew.unsigned_abs());
        if self.clock_skew < 0 { self.clock.now().minus(skew) } else { self.clock.now().plus(skew) }
    }

    /// Keeps trades and notifications in the file, if there is one. The file is whole at any moment.
    fn save(&self) {
        let Some(path) = &self.state else { return };
        let trades = self.trades.lock();
        let notifications = self.notifier.sent.lock();
        let state = StateRef { trades: &trades, notifications: &notifications };
        let written = serde_json::to_vec(&state).map_err(std::io::Error::other).and_then(|text| {
            let beside = path.with_extension("new");
            std::fs::write(&beside, text)?;
            std::fs::rename(&beside, path)
        });
        if let Err(error) = written {
            say(&format!("alipay-sandbox: could not write the state: {error}"));
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let _flush = FlushOnDrop;
    anyhow::ensure!(options.speed.is_finite() && options.speed > 0.0, "--speed must be above 0");
    let keys = Keys::open(&options.keys)?;
    let state: State = match &options.state {
        Some(path) if path.exists() => {
            let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?
        }
        _ => State::default(),
    };
    let listener = tokio::net::TcpListener::bind(options.listen).await?;
    let base = format!("http://{}", listener.local_addr()?);
    let files = Keys::files(&options.keys);
    let sandbox = Arc::new(Sandbox {
        notifier: Notifier::new(options.speed, state.notifications)?,
        keys,
        trades: Mutex::new(state.trades),
        faults: Mutex::default(),
        clock: Clock::system(),
        clock_skew: options.clock_skew,
        rng: Rng::system(),
        refund_gap: REFUND_GAP.div_f64(options.speed),
        base: base.clone(),
        state: options.state,
    });
    notify::resume(&sandbox);
    // One line for programs: where it is, and what a shop's [payments] section needs.
    let told = json!({
        "listening": base, "alipay_url": format!("{base}/gateway.do"),
        "alipay_app_id": keys::APP_ID, "alipay_seller_id": keys::SELLER_ID,
        "alipay_private_key_file": files.0, "alipay_public_key_file": files.1,
    });
    print(&format!("{told}\n"))?;
    let orphaned = async {
        if options.with_parent {
            let mut input = tokio::io::stdin();
            let _ended = tokio::io::copy(&mut input, &mut tokio::io::sink()).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        served = axum::serve(listener, routes(sandbox)) => Ok(served?),
        () = orphaned => std::process::exit(0),
    }
}

fn routes(sandbox: Arc<Sandbox>) -> Router {
    Router::new()
        .route("/", get(cashier::front))
        .route("/gateway.do", any(gateway::serve))
        .route("/cashier/{number}", get(cashier::show).post(cashier::act))
        .route("/bill/{day}", get(admin::bill))
        .route("/sandbox/trades", get(admin::trades))
        .route("/sandbox/trades/{number}", get(admin::trade))
        .route("/sandbox/trades/{number}/{act}", post(admin::act))
        .route("/sandbox/refunds", get(admin::refunds))
        .route("/sandbox/notifications", get(admin::notifications))
        .route(
            "/sandbox/faults",
            get(admin::faults).put(admin::set_faults).post(admin::add_fault).delete(admin::clear_faults),
        )
        .with_state(sandbox)
}
