//! What the store must do, whatever the dialect: the same cases on an SQLite file and on a PostgreSQL database of their own,
//! through the slices that use it.

mod accounts;
mod books;
mod catalog;
mod edits;
#[cfg(feature = "sabotage")]
mod gateway;
#[cfg(feature = "sabotage")]
mod interrupted;
#[cfg(feature = "sabotage")]
mod order_writer;
mod orders;
mod pictures;
mod plans;
mod postgres;
mod postgres_migrations;
mod rebuild;
mod schema;
mod terms;
mod tls;

use doorbuster::app::App;
use doorbuster::catalog::{PriceInput, ProductInput};
use doorbuster::config::{Config, Secret, Size, Span};
use doorbuster::kernel::{Currency, Epoch, ManualClock, Rng, SaleId, TicketId, Timestamp, UserId, next_epoch};
use doorbuster::model::facts::{Facts, ReadyUser};
use doorbuster::model::order_requests::OrderRequest;
use doorbuster::model::orders::Order;
use doorbuster::model::snapshot::Offer;
use doorbuster::sales::{SaleInput, SessionInput};
use doorbuster::store::Database;
use tempfile::TempDir;

use crate::support::proxy::Proxy;
use crate::support::servers::FreshDatabase;

/// Runs a body on a connection, as the program does: `on!(db, write, |conn| sql::orders::lock_sale(conn, sale).await)`.
macro_rules! on {
    ($db:expr, $how:ident, |$conn:ident| $body:expr) => {
        match $db {
            doorbuster::store::Database::Postgres(store) => {
                #[allow(unused_imports, reason = "a body may use the connection alone")]
                use doorbuster::store::postgres::sql;
                store.$how(move |$conn: &mut doorbuster::store::postgres::Conn| Box::pin(async move { $body })).await
            }
            doorbuster::store::Database::Sqlite(store) => {
                #[allow(unused_imports, reason = "a body may use the connection alone")]
                use doorbuster::store::sqlite::sql;
                store.$how(move |$conn: &mut doorbuster::store::sqlite::Conn| Box::pin(async move { $body })).await
            }
        }
    };
}
pub(crate) use on;

/// Makes a test of each case in each dialect.
macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::conformance::store::Place::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                super::$case(crate::conformance::store::Place::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_both;

/// 2026-11-23T10:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_428_000_000);

/// A shop that nobody serves on a database of its own.
pub struct Place {
    pub app: App,
    pub clock: ManualClock,
    pub config: Config,
    pub operator: UserId,
    keep: Keep,
}

enum Keep {
    Folder(TempDir),
    Database(FreshDatabase),
}

pub fn config(url: &str) -> Config {
    let mut config = Config::default_embedded();
    config.store.url = Secret::new(url);
    config.accounts.hash_memory = Size(8 * 1024);
    config.accounts.hash_passes = 1;
    // A page of payments is smaller than what the tests have due.
    (config.payments.concurrency, config.payments.batch) = (5, 8);
    config.payments.poll_every = Span(std::time::Duration::from_millis(10));
    config
}

impl Place {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&format!("sqlite://{}", folder.path().join("shop.db").display()));
        Self::open(config, Keep::Folder(folder)).await
    }

    pub async fn postgres() -> Self {
        Self::postgres_with(|_| ()).await
    }

    /// With other settings.
    pub async fn postgres_with(change: impl FnOnce(&mut Config)) -> Self {
        let database = FreshDatabase::create().await;
        let mut config = config(&database.url());
        change(&mut config);
        Self::open(config, Keep::Database(database)).await
    }

    /// With a proxy between the program and the server.
    pub async fn postgres_behind_proxy() -> (Self, Proxy) {
        let database = FreshDatabase::create().await;
        let proxy = Proxy::before(&database.url()).await;
        let mut config = config(&proxy.url());
        // The proxy counts statements: none may come by itself.
        config.broker.poll_every = Span(std::time::Duration::from_secs(3_600));
        (Self::open(config, Keep::Database(database)).await, proxy)
    }

    async fn open(config: Config, keep: Keep) -> Self {
        let clock = ManualClock::at(NOW);
        let app = App::build(config.clone(), clock.clock(), Rng::system()).await.unwrap();
        let operator = app.accounts().create_operator("operator", "password123", "Operator").await.unwrap().unwrap();
        Self { app, clock, config, operator: operator.id, keep }
    }

    /// Another node on the same database.
    pub async fn other_node(&self) -> App {
        App::build(self.config.clone(), self.clock.clock(), Rng::system()).await.unwrap()
    }

    pub fn db(&self) -> &Database {
        self.app.db()
    }

    /// Statements outside of the program's own connections.
    pub async fn execute(&self, statements: &str) {
        match &self.keep {
            Keep::Folder(folder) => {
                use diesel::connection::{Connection as _, SimpleConnection as _};
                let path = folder.path().join("shop.db");
                let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
                conn.batch_execute(statements).unwrap();
            }
            Keep::Database(database) => crate::support::servers::execute(&database.url(), statements).await,
        }
    }

    /// The same, with what the database says against it, and its hint.
    pub async fn attempt(&self, statements: &str) -> Result<(), String> {
        use diesel::connection::{Connection as _, SimpleConnection as _};
        let done = match &self.keep {
            Keep::Folder(folder) => {
                let path = folder.path().join("shop.db");
                let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
                conn.batch_execute(statements)
            }
            Keep::Database(database) => crate::support::servers::attempt(&database.url(), statements).await,
        };
        done.map_err(|error| match error {
            diesel::result::Error::DatabaseError(_, told) => {
                format!("{} {}", told.message(), told.hint().unwrap_or_default()).trim_end().to_owned()
            }
            other => other.to_string(),
        })
    }

    /// Buyers numbered from `first`.
    pub async fn buyers(&self, first: u64, count: u64) -> Vec<UserId> {
        buyers(self.db(), first, count).await
    }

    /// A published sale in a session that runs from an hour ago for five hours.
    pub async fn sale(&self, stock: i64, limit_per_buyer: i64) -> SaleId {
        published(&self.app, self.operator, stock, limit_per_buyer).await.sale.id
    }

    pub async fn facts(&self) -> Facts {
        Facts::read(self.db()).await.unwrap()
    }

    /// Units free, and the sum of the units of live orders.
    pub async fn units(&self, sale: SaleId) -> (i64, i64) {
        let facts = self.facts().await;
        let live = facts.orders.iter().filter(|order| order.sale == sale && order.state.is_live());
        (facts.sale(sale).unwrap().stock_left, live.map(|order| order.quantity).sum())
    }

    pub async fn find(&self, ticket: TicketId) -> Option<Order> {
        on!(self.db(), read, |conn| sql::orders::find(conn, ticket).await).unwrap()
    }
}

pub async fn buyers(db: &Database, first: u64, count: u64) -> Vec<UserId> {
    let user = |n: u64| {
        let mut bytes = [7; 16];
        bytes[8..].copy_from_slice(&n.to_be_bytes());
        let mut token_hash = [0; 32];
        token_hash[..8].copy_from_slice(&n.to_be_bytes());
        ReadyUser { id: UserId::from_bytes(bytes), username: format!("buyer{n}"), role: "BUYER", token_hash }
    };
    let users: Vec<ReadyUser> = (first..first + count).map(user).collect();
    let until = NOW.plus(std::time::Duration::from_secs(86_400));
    for users in users.chunks(500) {
        let users = users.to_vec();
        on!(db, write, |conn| sql::audit::insert_ready_users(conn, &users, NOW, until).await).unwrap();
    }
    users.into_iter().map(|user| user.id).collect()
}

pub async fn published(app: &App, operator: UserId, stock: i64, limit_per_buyer: i64) -> Offer {
    let hour = std::time::Duration::from_secs(3_600);
    let session = SessionInput { name: None, starts_at: NOW.minus(hour), ends_at: Some(NOW.plus(4 * hour)) };
    let price = PriceInput { amount: "9.90".into(), currency: Currency::Cny };
    let product =
        ProductInput { name: "Lamp".into(), title: None, description: None, image_url: None, price: price.clone() };
    let session_id = app.sales().session_create(operator, session).await.unwrap().id;
    let product_id = app.sales().product_create(operator, product).await.unwrap().id;
    let input = SaleInput {
        session_id,
        product_id,
        price,
        points_price: None,
        stock,
        limit_per_buyer,
        pay_within_seconds: 900,
        returns_on_refund: true,
    };
    let draft = app.sales().sale_create(operator, input).await.unwrap();
    app.sales().sale_publish(operator, draft.sale.id).await.unwrap()
}

/// The epoch that a sale gets when it is published at [`NOW`].
pub fn first_epoch() -> Epoch {
    next_epoch(0, NOW)
}

/// A ticket of the sale's first epoch.
pub fn request(sale: SaleId, seq: u64, buyer: UserId, key: &str, quantity: u32) -> OrderRequest {
    let ticket = TicketId { sale, epoch: first_epoch(), seq };
    OrderRequest { ticket, buyer, key: key.into(), quantity, at: NOW, price: None }
}
