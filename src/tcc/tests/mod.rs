//! The cases that a transaction coordinator must be able to stand, by their numbers, with real points: with one database and with two, on
//! both dialects. What stands in for an order is a row that changes hands once.

mod crash;
mod fence;
mod race;
mod storm;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Attempt, Coordinator, Failure, Initiator, Participant, Tried};
use crate::config::{Config, Secret};
use crate::kernel::{Clock, ManualClock, Rng, Timestamp, UserId, Xid};
use crate::model::nodes::LeaseRow;
use crate::model::points::{Account, Direction, ReservationState};
use crate::model::tcc::{BranchKey, Transaction};
use crate::points::{self, Hold, PARTICIPANT, Points};
use crate::store::testing::TestDatabase;
use crate::store::{self, Database, StoreError};
use crate::telemetry::Metrics;

/// Makes a test of each case for each topology.
macro_rules! on_both_topologies {
    ($($case:ident),* $(,)?) => {
        mod one_database {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case($crate::tcc::tests::Rig::open(1).await).await;
            })*
        }
        mod two_databases {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case($crate::tcc::tests::Rig::open(2).await).await;
            })*
        }
    };
}
use on_both_topologies;

/// Points that may be cut off.
pub struct Wire {
    points: Points,
    trouble: AtomicU8,
    calls: Mutex<Vec<&'static str>>,
}

/// What happens to calls.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Trouble {
    None,
    /// They do not arrive.
    Down,
    /// They take effect, and the answer gets lost.
    Deaf,
}

impl Wire {
    fn set(&self, trouble: Trouble) {
        self.trouble.store(trouble as u8, Ordering::SeqCst);
    }

    async fn over<T>(&self, name: &'static str, call: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let lost = || Failure::Store(StoreError::unavailable("cut off"));
        self.calls.lock().push(name);
        if self.trouble.load(Ordering::SeqCst) == Trouble::Down as u8 {
            return Err(lost());
        }
        let answer = call.await;
        if self.trouble.load(Ordering::SeqCst) == Trouble::Deaf as u8 { Err(lost()) } else { answer }
    }
}

#[async_trait]
impl Participant for Wire {
    fn name(&self) -> &'static str {
        PARTICIPANT
    }

    async fn attempt(&self, key: BranchKey, args: &str) -> Result<Tried, Failure> {
        self.over("try", self.points.attempt(key, args)).await
    }

    async fn confirm(&self, key: BranchKey, args: &str) -> Result<(), Failure> {
        self.over("confirm", self.points.confirm(key, args)).await
    }

    async fn cancel(&self, key: BranchKey, args: &str) -> Result<(), Failure> {
        self.over("cancel", self.points.cancel(key, args)).await
    }
}

/// Nobody to tell.
pub struct Nobody;

#[async_trait]
impl Initiator for Nobody {
    async fn cancelled(&self, _: &Transaction) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What came of paying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paid {
    Yes,
    Lost,
    Rejected(&'static str),
    Failed(String),
}

/// A coordinator with points, on databases of its own.
#[derive(Clone)]
pub struct Rig {
    pub shop: Database,
    pub points: Points,
    pub wire: Arc<Wire>,
    pub tcc: Coordinator,
    pub clock: ManualClock,
    config: Config,
    _databases: Arc<Vec<TestDatabase>>,
}

impl Rig {
    pub async fn open(databases: usize) -> Self {
        let (mut kept, mut opened) = (Vec::new(), Vec::new());
        for _ in 0..databases {
            let database = TestDatabase::create().await;
            let mut config = Config::default_embedded();
            config.store.url = Secret::new(&database.url);
            let db = Database::open(&config.store).await.unwrap();
            db.migrate().await.unwrap();
            opened.push((db, config));
            kept.push(database);
        }
        let clock = ManualClock::at(Timestamp::from_millis(1_795_428_000_000));
        let (shop, config) = opened[0].clone();
        let points = Points::new(points::Parts {
            shop: shop.clone(),
            db: opened[databases - 1].0.clone(),
            clock: clock.clock(),
            rng: Rng::system(),
            config: config.points.clone().into(),
        });
        let wire = Wire { points: points.clone(), trouble: AtomicU8::new(0), calls: Mutex::default() };
        let wire = Arc::new(wire);
        let tcc = coordinator(&shop, &wire, &clock.clock(), &config, "one");
        Self { shop, points, wire, tcc, clock, config, _databases: Arc::new(kept) }
    }

    /// The same after a restart, or another node.
    pub fn node(&self, name: &str) -> Coordinator {
        coordinator(&self.shop, &self.wire, &self.clock.clock(), &self.config, name)
    }

    /// A buyer with so many points.
    pub async fn buyer(&self, points: i64) -> UserId {
        let user = UserId::generate(&self.clock.clock(), &Rng::system());
        self.give(user, points).await;
        user
    }

    pub async fn give(&self, user: UserId, points: i64) {
        self.points.open(user).await.unwrap();
        if points > 0 {
            let transfer = points::Transfer {
                id: crate::kernel::TransferId::generate(&self.clock.clock(), &Rng::system()),
                kind: points::TransferKind::Grant,
                user,
                points,
                reference: Some(format!("gift {}", self.xid())),
                branch: None,
                operator: None,
                reason: None,
                subject: None,
                at: self.clock.clock().now(),
            };
            let given = store::write!(self.points.db(), |conn| sql::points::grant(conn, &transfer, i64::MAX / 2).await);
            assert!(given.unwrap());
        }
    }

    pub fn xid(&self) -> Xid {
        Xid::generate(&self.clock.clock(), &Rng::system())
    }

    pub fn key(&self) -> BranchKey {
        BranchKey { xid: self.xid(), branch: 1 }
    }

    /// `(posted, reserved)`.
    pub async fn sums(&self, user: UserId) -> (i64, i64) {
        let Account { posted, reserved, .. } = self.points.account(user).await.unwrap();
        (posted, reserved)
    }

    pub async fn state(&self, key: BranchKey) -> Option<ReservationState> {
        let found = store::read!(self.points.db(), |conn| sql::reservations::find(conn, key).await);
        found.unwrap().map(|found| found.state)
    }

    pub async fn transaction(&self, xid: Xid) -> Transaction {
        store::read!(&self.shop, |conn| sql::tcc::find(conn, xid).await).unwrap().unwrap()
    }

    /// The only transaction there is.
    pub async fn only(&self) -> Transaction {
        let page = store::read!(&self.shop, |conn| sql::tcc::page(conn, None, 10).await).unwrap();
        assert_eq!(page.len(), 1);
        self.transaction(page[0].0).await
    }

    /// Whoever holds the row that stands in for the order.
    pub async fn order(&self, order: &str) -> Option<String> {
        let order = order.to_owned();
        let row = store::read!(&self.shop, |conn| sql::nodes::find_lease(conn, &order).await).unwrap();
        row.map(|row: LeaseRow| row.holder)
    }

    /// The transition of the order: whether it was the first.
    pub async fn close(&self, order: &str, how: &str) -> bool {
        let (order, how) = (order.to_owned(), how.to_owned());
        store::write!(&self.shop, |conn| sql::nodes::take_lease(conn, &order, &how, None).await).unwrap().is_some()
    }

    /// A whole payment, by the book.
    pub async fn pay(&self, tcc: &Coordinator, user: UserId, order: &str, points: i64) -> Paid {
        let hold = Hold { user, points, direction: Direction::Debit, subject: order.to_owned() };
        tcc.pass("before_begin").await;
        let transaction = tcc.open(self.xid(), "test.pay", "{}".into(), vec![(PARTICIPANT, hold.encode())]);
        let begun = transaction.clone();
        if let Err(error) = store::write!(&self.shop, |conn| sql::tcc::begin(conn, &begun).await) {
            return Paid::Failed(error.to_string());
        }
        tcc.pass("after_begin").await;
        match tcc.attempt(&transaction, &Nobody).await {
            Ok(Attempt::Ready) => {}
            Ok(Attempt::Rejected(reason)) => return Paid::Rejected(reason),
            Ok(Attempt::TooLate) => return Paid::Lost,
            Err(error) => return Paid::Failed(error.to_string()),
        }
        tcc.pass("before_decide").await;
        let (xid, now, retry_at, order) = (transaction.xid, self.clock.clock().now(), tcc.retry_at(), order.to_owned());
        let decided = store::write!(&self.shop, |conn| {
            if sql::nodes::take_lease(conn, &order, "paid", None).await?.is_none() {
                return Ok(false);
            }
            sql::tcc::decide(conn, xid, now, retry_at).await?;
            Ok(true)
        });
        tcc.pass("after_decide").await;
        match tcc.conclude(transaction, decided, &Nobody).await {
            Ok(true) => Paid::Yes,
            Ok(false) => Paid::Lost,
            Err(error) => Paid::Failed(error.to_string()),
        }
    }

    /// Lets time pass and recovers, until nothing is left.
    pub async fn settle(&self) {
        for _ in 0..20 {
            self.clock.advance(Duration::from_secs(120));
            self.node("recovery").recover_once(&Nobody).await.unwrap();
        }
        self.check().await;
    }

    /// Everything has ended, and the records are right.
    pub async fn check(&self) {
        assert_eq!(points::audit::check(&self.shop, self.points.db(), true).await.unwrap(), []);
    }

    /// The ledger alone is right.
    pub async fn check_ledger(&self) {
        assert_eq!(points::audit::check(&self.shop, self.points.db(), false).await.unwrap(), []);
    }
}

fn coordinator(shop: &Database, wire: &Arc<Wire>, clock: &Clock, config: &Config, node: &str) -> Coordinator {
    Coordinator::new(super::Parts {
        db: shop.clone(),
        participants: vec![wire.clone()],
        clock: clock.clone(),
        rng: Rng::system(),
        metrics: Metrics::new(),
        config: config.tcc.clone(),
        node: node.into(),
    })
}

pub fn debit(user: UserId, points: i64) -> String {
    Hold { user, points, direction: Direction::Debit, subject: "order".into() }.encode()
}

pub fn credit(user: UserId, points: i64, of: BranchKey) -> String {
    Hold { user, points, direction: Direction::Credit { of }, subject: "order".into() }.encode()
}

pub fn breach<T: std::fmt::Debug>(result: Result<T, Failure>) -> bool {
    matches!(result, Err(Failure::Breach(_)))
}
