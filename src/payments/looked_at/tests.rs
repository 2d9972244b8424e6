use super::*;
use crate::config::{Config, Secret};
use crate::kernel::Timestamp;
use crate::model::accounts::{Role, User};
use crate::model::bills::{Compared, Difference, Kind};
use crate::store::testing::TestDatabase;
use crate::store::{Database, StoreError};

const DAY: &str = "2026-11-23";

struct Book {
    db: Database,
    operator: UserId,
    _database: TestDatabase,
}

fn id(byte: u8) -> BillDifferenceId {
    BillDifferenceId::from_bytes([byte; 16])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_795_428_000_000 + second * 1_000)
}

fn differs(theirs: &str) -> Difference {
    Difference { number: "p1".into(), kind: Kind::Amount, ours: "9.90 CNY".into(), theirs: theirs.into(), refund: None }
}

impl Book {
    async fn open() -> Self {
        let database = TestDatabase::create().await;
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(&database.url);
        let db = Database::open(&config.store).await.unwrap();
        db.migrate().await.unwrap();
        let operator = UserId::from_bytes([9; 16]);
        let (username, display_name) = ("boss".into(), "Boss".into());
        let user = User { id: operator, username, display_name, role: Role::Operator, created_at: at(0) };
        let added: Result<bool, StoreError> =
            store::write!(&db, |conn| sql::accounts::insert_user(conn, &user, "no hash").await);
        assert!(added.unwrap());
        Self { db, operator, _database: database }
    }

    /// A comparison that finds this, if anything, at this second.
    async fn compare(&self, found: Option<(u8, &str)>, second: i64) {
        let found: Vec<_> = found.into_iter().map(|(byte, theirs)| (id(byte), differs(theirs))).collect();
        let differences = found.iter().map(|(_, difference)| difference.clone()).collect();
        let compared = Compared { differences, ..Compared::default() };
        let recorded: Result<(), StoreError> =
            store::write!(&self.db, |conn| sql::bills::record(conn, DAY, &compared, &found, at(second)).await);
        recorded.unwrap();
    }

    async fn close(&self, byte: u8, reason: &str) -> bool {
        let closure = Closure { at: at(100), by: self.operator, reason: reason.to_owned() };
        let closed: Result<bool, StoreError> =
            store::write!(&self.db, |conn| sql::bills::close(conn, id(byte), &closure).await);
        closed.unwrap()
    }

    async fn find(&self, byte: u8) -> Option<Item> {
        let found: Result<Option<Item>, StoreError> =
            store::read!(&self.db, |conn| sql::bills::find(conn, id(byte)).await);
        found.unwrap()
    }

    /// How many are open, as the list, the count by kind, and the days to compare again say.
    async fn open_count(&self) -> (usize, i64, usize) {
        let page = ItemPage { open: true, after: None, before: None, limit: 10, from_end: false };
        let counts: Result<_, StoreError> = store::read!(&self.db, |conn| {
            let listed = sql::bills::list(conn, page).await?;
            assert_eq!(listed.items.len(), listed.total);
            let kinds: i64 = sql::bills::open_by_kind(conn).await?.into_iter().map(|(_, count)| count).sum();
            Ok((listed.total, kinds, sql::bills::days_with_differences(conn).await?.len()))
        });
        counts.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_difference_stays_closed_while_it_is_the_same() {
    let book = Book::open().await;
    book.compare(Some((1, "9.00 CNY")), 1).await;
    assert_eq!(book.open_count().await, (1, 1, 1));
    assert!(book.close(1, "their mistake").await);
    assert!(!book.close(1, "their mistake, again").await, "once");
    assert_eq!(book.open_count().await, (0, 0, 0));
    // Found again, gone, and found once more.
    for (found, second) in [(Some((2, "9.00 CNY")), 2), (None, 3), (Some((3, "9.00 CNY")), 4)] {
        book.compare(found, second).await;
        let item = book.find(1).await.unwrap();
        assert_eq!(item.resolved_at, found.is_none().then_some(at(second)));
        assert_eq!(item.closure.unwrap().reason, "their mistake");
        assert_eq!((item.found_at, book.open_count().await), (at(1), (0, 0, 0)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_otherwise_is_open_again_under_another_id() {
    let book = Book::open().await;
    book.compare(Some((1, "9.00 CNY")), 1).await;
    assert!(book.close(1, "their mistake").await);
    book.compare(Some((2, "8.00 CNY")), 2).await;
    assert_eq!(book.find(1).await, None, "who looked at the other one can't close this one");
    assert!(!book.close(1, "their mistake").await);
    let item = book.find(2).await.unwrap();
    assert_eq!((item.theirs.as_str(), item.found_at, item.closure), ("8.00 CNY", at(2), None));
    assert_eq!(book.open_count().await, (1, 1, 1));
    // What is gone needs no closing.
    book.compare(None, 3).await;
    assert!(!book.close(2, "gone").await);
    assert_eq!((book.find(2).await.unwrap().closure, book.open_count().await), (None, (0, 0, 0)));
}
