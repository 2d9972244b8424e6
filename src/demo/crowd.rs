//! The crowd: the shoppers of one sale, each in its own task.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::client::{Client, Fault};
use super::plan::{Arrivals, Habits, part};
use super::shopper::{Account, Shopper};
use super::stage::Stage;
use super::wire;

/// How shoppers get their accounts.
#[derive(Clone)]
pub enum Accounts {
    /// They sign up over the API, this many at a time.
    SignUp(Arc<Semaphore>),
    /// They have one already, by their number.
    Ready(Arc<[Account]>),
}

/// Signs up one user.
pub async fn sign_up(address: SocketAddr, username: &str, password: &str, name: &str) -> Result<Account, Fault> {
    let mut client = Client::new(address, Duration::from_secs(30));
    let input = json!({ "input": { "username": username, "password": password, "displayName": name } });
    signed(client.call(wire::SIGN_UP, &input).await?)
}

/// Signs in.
pub async fn sign_in(address: SocketAddr, username: &str, password: &str) -> Result<Account, Fault> {
    let mut client = Client::new(address, Duration::from_secs(30));
    let input = json!({ "input": { "username": username, "password": password } });
    signed(client.call(wire::SIGN_IN, &input).await?)
}

fn signed(answer: Option<wire::Signed>) -> Result<Account, Fault> {
    let signed = answer.ok_or_else(|| Fault::Malformed("no payload".into()))?;
    match (signed.user, signed.access_token) {
        (Some(user), Some(token)) => Ok(Account { buyer: user.id, token: token.token }),
        _ => {
            let why: Vec<String> =
                signed.user_errors.iter().map(|error| format!("{}: {}", error.code, error.message)).collect();
            Err(Fault::Malformed(why.join("; ")))
        }
    }
}

/// What a shopper that signs up is called.
pub fn username(seed: u64, index: u32) -> String {
    format!("shopper-{:06}-{index}", seed % 1_000_000)
}

/// The password of every demo shopper.
pub const PASSWORD: &str = "correct horse battery";

/// A crowd that comes at once.
#[derive(Clone)]
pub struct Rush {
    /// Chooses what they do.
    pub seed: u64,
    /// Number of the first shopper in the history.
    pub first: u32,
    /// How many.
    pub count: u32,
    /// How long they keep coming.
    pub over: Duration,
    /// What they are like.
    pub habits: Habits,
    /// The identities of the shoppers.
    pub accounts: Accounts,
    /// When the sale opens.
    pub opens: Instant,
}

/// Sends the crowd at the sale and waits until all are done.
pub async fn rush(stage: Arc<Stage>, rush: Rush) {
    let mut shoppers = JoinSet::new();
    for position in 0..rush.count {
        let (stage, rush) = (stage.clone(), rush.clone());
        shoppers.spawn(async move {
            let part = part(rush.seed, position, Arrivals::Rush(rush.over), &rush.habits);
            let part = super::plan::Part { index: rush.first + position, ..part };
            if let Some(account) = account(&stage, &rush.accounts, rush.seed, position).await {
                Shopper::new(stage, part, account).play(rush.opens).await;
            } else {
                stage.tally.unanswered.fetch_add(1, Relaxed);
            }
        });
    }
    while shoppers.join_next().await.is_some() {}
}

async fn account(stage: &Stage, accounts: &Accounts, seed: u64, index: u32) -> Option<Account> {
    match accounts {
        Accounts::Ready(ready) => ready.get(index as usize).cloned(),
        Accounts::SignUp(permits) => {
            let _permit = permits.acquire().await.ok()?;
            let name = username(seed, index);
            for (attempt, pause) in (0..).zip([0, 200, 1000, 3000]) {
                sleep(Duration::from_millis(pause)).await;
                let node = stage.addresses_for(index + attempt)[0];
                match sign_up(node, &name, PASSWORD, &format!("Shopper {index}")).await {
                    Ok(account) => return Some(account),
                    Err(error) => tracing::debug!(%error, name, "sign-up failed"),
                }
            }
            None
        }
    }
}

/// A stream of shoppers that does not end by itself: the load of the fault tests.
pub struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    task: tokio::task::JoinHandle<()>,
}

impl Stream {
    /// Sends `per_second` shoppers a second, in the order of their accounts, `active` at the same time at most. It ends when
    /// told to, or when no account is left.
    pub fn start(
        stages: Vec<Arc<Stage>>,
        seed: u64,
        per_second: u32,
        active: usize,
        habits: Habits,
        accounts: Arc<[Account]>,
        first: u32,
    ) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (stopped, counter) = (stop.clone(), sent.clone());
        let task = tokio::spawn(async move {
            let begun = Instant::now();
            let permits = Arc::new(Semaphore::new(active));
            let mut shoppers = JoinSet::new();
            for (position, account) in accounts.iter().enumerate() {
                let index = first + position as u32;
                let part = part(seed, position as u32, Arrivals::Steady(per_second), &habits);
                sleep_until(begun + part.arrives.unwrap_or_default()).await;
                let Ok(permit) = permits.clone().acquire_owned().await else { break };
                if stopped.load(Relaxed) {
                    break;
                }
                counter.fetch_add(1, Relaxed);
                let stage = stages[position % stages.len()].clone();
                let part = super::plan::Part { index, arrives: Some(Duration::ZERO), ..part };
                let shopper = Shopper::new(stage, part, account.clone());
                shoppers.spawn(async move {
                    let _permit = permit;
                    shopper.play(Instant::now()).await;
                });
                while shoppers.try_join_next().is_some() {}
            }
            while shoppers.join_next().await.is_some() {}
        });
        Self { stop, sent, task }
    }

    /// How many shoppers were sent so far.
    pub fn sent(&self) -> u32 {
        self.sent.load(Relaxed)
    }

    /// Sends no more, and waits until all are done. Returns how many were sent.
    pub async fn finish(self) -> u32 {
        self.stop.store(true, Relaxed);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the connection of a shopper broke");
        }
        self.sent.load(Relaxed)
    }
}
