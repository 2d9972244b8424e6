//! Test fixtures: accounts on a fresh database, a manual clock, and a broker that records calls.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::Accounts;
use super::shared::testing::FakeShared;
use crate::broker::{Broker, BrokerError, Consumer, Failure, Share};
use crate::config::{self, Config, Secret, Size};
use crate::kernel::{Clock, ManualClock, Rng, Timestamp};
use crate::model::accounts::LoginEvent;
use crate::model::messages::{Message, Topic};
use crate::store::Database;
use crate::store::testing::TestDatabase;

/// Where test requests come from.
pub const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
/// A password that is in order.
pub const PASSWORD: &str = "correct horse";

/// Accounts and everything below them.
pub struct Shop {
    pub accounts: Accounts,
    pub db: Database,
    pub clock: ManualClock,
    pub broker: Arc<NotingBroker>,
    pub config: config::Accounts,
    pub database: TestDatabase,
}

impl Shop {
    /// With cheap hashes and without limits.
    pub async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// With other settings.
    pub async fn with(change: impl FnOnce(&mut config::Accounts)) -> Self {
        let database = TestDatabase::create().await;
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(&database.url);
        config.accounts.hash_memory = Size(8 * 1024);
        config.accounts.hash_passes = 1;
        config.accounts.hash_queue = 10_000;
        config.accounts.sign_ins_per_account_per_minute = 0;
        config.accounts.wrong_passwords_per_account_per_minute = 0;
        config.accounts.wrong_codes_per_account_per_5_minutes = 0;
        config.accounts.attempts_per_address_per_minute = 0;
        change(&mut config.accounts);
        let db = Database::open(&config.store).await.unwrap();
        db.migrate().await.unwrap();
        let clock = ManualClock::at(Timestamp::from_millis(1_795_428_000_000));
        let broker = Arc::new(NotingBroker::default());
        let accounts = node(&db, &broker, &clock.clock(), &config.accounts);
        Self { accounts, db, clock, broker, config: config.accounts, database }
    }

    /// Another node on the same database, or this one after a restart.
    pub fn other_node(&self) -> Accounts {
        self.other_node_with(|_| {})
    }

    /// Another node that shares what it knows of tokens.
    pub fn node_sharing(&self, shared: &Arc<FakeShared>) -> Accounts {
        let (clock, rng) = (self.clock.clock(), Rng::system());
        Accounts::new(self.db.clone(), self.broker.clone(), Some(shared.clone()), clock, rng, &self.config).unwrap()
    }

    /// Another node with other settings.
    pub fn other_node_with(&self, change: impl FnOnce(&mut config::Accounts)) -> Accounts {
        let mut config = self.config.clone();
        change(&mut config);
        node(&self.db, &self.broker, &self.clock.clock(), &config)
    }
}

fn node(db: &Database, broker: &Arc<NotingBroker>, clock: &Clock, config: &config::Accounts) -> Accounts {
    Accounts::new(db.clone(), broker.clone(), None, clock.clone(), Rng::system(), config).unwrap()
}

/// Keeps what was published; fails as often as configured.
#[derive(Default)]
pub struct NotingBroker {
    pub published: Mutex<Vec<(Topic, Message)>>,
    pub refusals: AtomicU32,
}

impl NotingBroker {
    /// The login events so far.
    pub fn login_events(&self) -> Vec<LoginEvent> {
        let published = self.published.lock();
        let events = published.iter().filter(|(topic, _)| *topic == Topic::LoginEvents);
        events.map(|(_, message)| LoginEvent::from_message(&message.payload).unwrap()).collect()
    }
}

#[async_trait]
impl Broker for NotingBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError> {
        let refused = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if refused.is_ok() {
            return Err(BrokerError::Unavailable("told to refuse".into()));
        }
        self.published.lock().extend(messages.into_iter().map(|message| (topic, message)));
        Ok(())
    }

    fn partitions(&self, _: Topic) -> u32 {
        1
    }

    fn partition_of(&self, _: Topic, _: &[u8]) -> u32 {
        0
    }

    async fn subscribe(&self, _: Topic, _: u32, _: &str) -> Result<Box<dyn Consumer>, BrokerError> {
        Err(BrokerError::Closed)
    }

    async fn end_position(&self, _: Topic, _: u32) -> Result<u64, BrokerError> {
        Ok(0)
    }

    async fn acked_through(&self, _: Topic, _: u32, _: &str) -> Result<u64, BrokerError> {
        Ok(u64::MAX)
    }

    async fn backlog(&self, _: Topic, _: &str) -> Result<u64, BrokerError> {
        Ok(0)
    }

    async fn shares(&self, _: Topic, _: &str) -> Result<Vec<Share>, BrokerError> {
        Ok(Vec::new())
    }

    async fn failures(&self, _: u64, _: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        Ok(Vec::new())
    }

    async fn replay(&self, _: u64) -> Result<bool, BrokerError> {
        Ok(false)
    }

    async fn discard(&self, _: u64) -> Result<bool, BrokerError> {
        Ok(false)
    }

    async fn close(&self) {}
}

/// Waits for something that happens on another task or thread; fails after ten seconds.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it never happened");
}
