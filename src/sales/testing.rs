//! Test fixtures: sales on a fresh SQLite file, a manual clock, and a broker and a gate that record calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Parts, SaleInput, Sales, SessionInput};
use crate::accounts::testing::NotingBroker;
use crate::broker::{Broker, Relay};
use crate::catalog::{ActError, PriceInput, ProductInput, Reason};
use crate::config::{Config, Secret, Span};
use crate::gate::{Attempt, Counts, Decision, Gate, GateError, Loading, PendingTicket, Release};
use crate::kernel::{Currency, ManualClock, ProductId, Rng, SaleId, Seq, SessionId, TicketId, Timestamp, UserId};
use crate::model::accounts::{Role, User};
use crate::model::catalog::Product;
use crate::model::gate::{KnownTicket, SaleTerms, SaleVersion};
use crate::model::sales::Session;
use crate::model::snapshot::Offer;
use crate::store::testing::TestDatabase;
use crate::store::{self, Database, StoreError};

/// 2026-11-23T10:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_428_000_000);

/// Sales and everything below them.
pub struct Stall {
    pub sales: Sales,
    pub db: Database,
    pub clock: ManualClock,
    pub broker: Arc<NotingBroker>,
    pub gate: Arc<NotingGate>,
    pub operator: UserId,
    pub config: Config,
    _database: TestDatabase,
}

impl Stall {
    pub async fn open() -> Self {
        let database = TestDatabase::create().await;
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(&database.url);
        config.sales.poll_every = Span(Duration::from_secs(3_600));
        let db = Database::open(&config.store).await.unwrap();
        db.migrate().await.unwrap();
        let clock = ManualClock::at(NOW);
        let operator = operator(&db).await;
        let broker = Arc::new(NotingBroker::default());
        let gate = Arc::new(NotingGate::default());
        let sales = node(&db, broker.clone(), &gate, &clock, &config);
        sales.refresh().await.unwrap();
        Self { sales, db, clock, broker, gate, operator, config, _database: database }
    }

    /// Another node on the same database.
    pub async fn other_node(&self, broker: Arc<dyn Broker>) -> Sales {
        let sales = node(&self.db, broker, &self.gate, &self.clock, &self.config);
        sales.refresh().await.unwrap();
        sales
    }

    pub async fn product(&self) -> Arc<Product> {
        self.sales.product_create(self.operator, lamp()).await.unwrap()
    }

    /// A session from so many minutes after [`NOW`] to so many.
    pub async fn session(&self, from: i64, to: i64) -> Arc<Session> {
        let at = |minutes: i64| Timestamp::from_millis(NOW.as_millis() + minutes * 60_000);
        let input = SessionInput { name: None, starts_at: at(from), ends_at: Some(at(to)) };
        self.sales.session_create(self.operator, input).await.unwrap()
    }

    /// A draft of 100 units in a session that runs from now for an hour.
    pub async fn draft(&self) -> Offer {
        let input = sale(self.session(0, 60).await.id, self.product().await.id);
        self.sales.sale_create(self.operator, input).await.unwrap()
    }

    pub async fn published(&self) -> Offer {
        let id = self.draft().await.sale.id;
        self.sales.sale_publish(self.operator, id).await.unwrap()
    }

    /// The acts on a subject, newest first, with their details.
    pub async fn audit(&self, subject: &impl ToString) -> Vec<(UserId, String, serde_json::Value)> {
        let subject = subject.to_string();
        let acts = store::read!(&self.db, |conn| sql::catalog::acts_on(conn, &subject, 100).await).unwrap();
        acts.into_iter().map(|(who, act, detail)| (who, act, serde_json::from_str(&detail).unwrap())).collect()
    }

    pub async fn revision(&self) -> u64 {
        store::read!(&self.db, |conn| sql::catalog::revision(conn).await).unwrap()
    }

    pub async fn outbox(&self) -> Vec<crate::model::messages::StoredEvent> {
        let scope = crate::model::messages::Scope::Own(self.db.origin().to_owned());
        store::read!(&self.db, |conn| sql::outbox::claim(conn, &scope, 0, &[], 100).await).unwrap()
    }
}

pub fn lamp() -> ProductInput {
    let price = PriceInput { amount: "19.90".into(), currency: Currency::Cny };
    ProductInput { name: "Lamp".into(), title: None, description: None, image_url: None, price }
}

pub fn sale(session_id: SessionId, product_id: ProductId) -> SaleInput {
    SaleInput {
        session_id,
        product_id,
        price: PriceInput { amount: "9.90".into(), currency: Currency::Cny },
        points_price: None,
        stock: 100,
        limit_per_buyer: 2,
        pay_within_seconds: 900,
        returns_on_refund: true,
    }
}

/// The reasons of a refusal.
pub fn reasons<T: std::fmt::Debug>(acted: Result<T, ActError>) -> Vec<Reason> {
    match acted {
        Err(ActError::Refused(problems)) => problems.into_iter().map(|problem| problem.reason).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

async fn operator(db: &Database) -> UserId {
    let id = UserId::from_bytes([9; 16]);
    let user = User { id, username: "boss".into(), display_name: "Boss".into(), role: Role::Operator, created_at: NOW };
    let added: Result<bool, StoreError> =
        store::write!(db, |conn| sql::accounts::insert_user(conn, &user, "no hash").await);
    assert!(added.unwrap());
    id
}

fn node(db: &Database, broker: Arc<dyn Broker>, gate: &Arc<NotingGate>, clock: &ManualClock, config: &Config) -> Sales {
    let rng = Rng::system();
    Sales::new(Parts {
        db: db.clone(),
        relay: Relay::new(db.clone(), broker.clone(), clock.clock(), rng.clone(), &config.broker),
        broker,
        gate: gate.clone(),
        clock: clock.clock(),
        rng,
        config: config.sales.clone().into(),
    })
    .unwrap()
}

/// The calls that a gate received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Rebuild(SaleTerms, usize),
    Update(SaleTerms),
}

/// Records its calls; fails on request.
#[derive(Default)]
pub struct NotingGate {
    pub told: Mutex<Vec<Told>>,
    pub broken: AtomicBool,
    /// Calls so far.
    pub asked: AtomicUsize,
}

impl NotingGate {
    fn answers(&self) -> Result<(), GateError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let broken = self.broken.load(Ordering::SeqCst);
        if broken { Err(GateError("told to fail".into())) } else { Ok(()) }
    }

    fn note(&self, told: Told) -> Result<(), GateError> {
        self.answers()?;
        self.told.lock().push(told);
        Ok(())
    }
}

fn unused<T>() -> Result<T, GateError> {
    Err(GateError("not part of these tests".into()))
}

#[async_trait]
impl Gate for NotingGate {
    async fn admit(&self, _: SaleId, _: SaleVersion, _: Vec<Attempt>) -> Result<Vec<Decision>, GateError> {
        unused()
    }

    async fn rebuild(&self, terms: SaleTerms, tickets: Vec<KnownTicket>) -> Result<(), GateError> {
        self.note(Told::Rebuild(terms, tickets.len()))
    }

    async fn begin(&self, _: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError> {
        unused()
    }

    async fn update(&self, terms: SaleTerms) -> Result<(), GateError> {
        self.note(Told::Update(terms))
    }

    async fn terms(&self, sale: SaleId) -> Result<Option<SaleTerms>, GateError> {
        self.answers()?;
        let told = self.told.lock();
        let mut of_sale = told.iter().map(|told| match told {
            Told::Rebuild(terms, _) | Told::Update(terms) => terms,
        });
        Ok(of_sale.rfind(|terms| terms.sale == sale).cloned())
    }

    async fn settle(&self, _: &[TicketId]) -> Result<(), GateError> {
        unused()
    }

    async fn release_all(&self, _: &[Release]) -> Result<usize, GateError> {
        unused()
    }

    async fn pending(&self, _: SaleId, _: Timestamp, _: Seq, _: usize) -> Result<Vec<PendingTicket>, GateError> {
        unused()
    }

    async fn find_pending(&self, _: TicketId) -> Result<Option<PendingTicket>, GateError> {
        unused()
    }

    async fn find_pending_of(&self, _: SaleId, _: UserId) -> Result<Option<PendingTicket>, GateError> {
        unused()
    }

    async fn counts(&self, _: SaleId) -> Result<Option<Counts>, GateError> {
        unused()
    }

    async fn sales(&self) -> Result<Vec<SaleId>, GateError> {
        unused()
    }

    async fn forget(&self, _: SaleId) -> Result<(), GateError> {
        unused()
    }
}
