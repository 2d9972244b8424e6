//! Calls that reach every statement of the store, in each of its forms. What they answer is not looked at here.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};
use doorbuster::kernel::{AuditId, Currency, LoginEventId, Money, SaleId, Timestamp, Wanted};
use doorbuster::model::accounts::{LoginEvent, LoginOutcome, Role, StoredToken, User, Viewer};
use doorbuster::model::audit::Audit;
use doorbuster::model::catalog::Product;
use doorbuster::model::edits::{EditOp, EditedRow, Unexplained};
use doorbuster::model::facts::ReadyUser;
use doorbuster::model::messages::Topic;
use doorbuster::model::messages::{Cursor, NewMessage};
use doorbuster::model::messages::{NewEvent, Scope};
use doorbuster::model::nodes::{LeaseRow, NodeRow};
use doorbuster::model::order_requests::OrderRequest;
use doorbuster::model::orders::{Closing, ListKey, OrderPage, OrderState};
use doorbuster::model::points::{
    Direction, EntryKey, EntryPage, Reservation, ReservationState, Transfer, TransferKind,
};
use doorbuster::model::sales::{Sale, SaleState, Session, ShopState};
use doorbuster::model::tcc::{Branch, BranchKey, BranchState, GlobalState, Transaction};
use doorbuster::orders::decide::decide;
use doorbuster::store::{Database, StoreError};

use super::super::{NOW, on};
use super::capture::Recorder;
use super::data;

const LATER: Timestamp = Timestamp::from_millis(NOW.as_millis() + 600_000);
const EARLIER: Timestamp = Timestamp::from_millis(NOW.as_millis() - 86_400_000);
const TOPIC: &str = "order-requests";

/// Runs the calls on a connection that tells the recorder what it executes. Their errors are theirs: nothing else depends on them.
macro_rules! recorded {
    ($db:expr, $recorder:expr, |$conn:ident| { $($call:expr;)* }) => {{
        let recorder = $recorder.clone();
        let done: Result<(), StoreError> = on!($db, read, |$conn| {
            $conn.set_instrumentation(recorder.instrumentation());
            $(let _ = $call.await;)*
            Ok(())
        });
        done.unwrap();
    }};
}

mod lists;
mod money;
mod settings;
mod staff;

pub async fn all(db: &Database, recorder: &Recorder) {
    accounts(db, recorder).await;
    staff::all(db, recorder).await;
    catalog(db, recorder).await;
    sales(db, recorder).await;
    edits(db, recorder).await;
    orders(db, recorder).await;
    broker(db, recorder).await;
    money::payments(db, recorder).await;
    money::refunds(db, recorder).await;
    money::lists(db, recorder).await;
    money::bills(db, recorder).await;
    points(db, recorder).await;
    transactions(db, recorder).await;
    nodes(db, recorder).await;
    settings::all(db, recorder).await;
    audits(db, recorder).await;
    lists::all(db, recorder).await;
    restored(db, recorder).await;
}

/// Taken back: without tokens, the statements about them would have nothing to read.
async fn restored(db: &Database, recorder: &Recorder) {
    recorded!(db, recorder, |conn| {
        conn.batch_execute("BEGIN");
        sql::restored::end_tokens(conn);
        sql::restored::forget_nodes(conn);
        sql::restored::raise_epochs(conn, 5);
        conn.batch_execute("ROLLBACK");
    });
    recorded!(db, recorder, |conn| {
        conn.batch_execute("BEGIN");
        sql::backups::note(conn, NOW, 5);
        sql::backups::last(conn);
        conn.batch_execute("ROLLBACK");
    });
}

async fn accounts(db: &Database, recorder: &Recorder) {
    let id = data::user(900_000);
    let (username, display_name) = ("newcomer".to_owned(), "Newcomer".to_owned());
    let user = User { id, username, display_name, role: Role::Buyer, created_at: NOW };
    let hash = [7; 32];
    let token = StoredToken { viewer: Viewer::new(id, Role::Buyer), created_at: NOW, expires_at: LATER };
    let event = LoginEvent {
        event_id: LoginEventId::from_bytes([7; 16]),
        user_id: None,
        username: "newcomer".into(),
        address: [127, 0, 0, 1].into(),
        outcome: LoginOutcome::SignedIn,
        at: NOW,
    };
    let ready = ReadyUser { id: data::user(900_001), username: "ready".into(), role: "BUYER", token_hash: [8; 32] };
    recorded!(db, recorder, |conn| {
        sql::accounts::find_user(conn, data::user(7));
        sql::accounts::find_by_username(conn, "user-7");
        sql::accounts::insert_user(conn, &user, "hash");
        sql::accounts::replace_hash(conn, id, "hash", "other");
        sql::accounts::insert_token(conn, &hash, &token);
        sql::accounts::find_tokens(conn, &[hash]);
        sql::accounts::renew_tokens(conn, &[(hash, LATER)]);
        sql::accounts::delete_tokens_of(conn, id, None);
        sql::accounts::delete_token(conn, &hash);
        sql::accounts::purge_tokens(conn, NOW, 100);
        sql::revocations::end(conn);
        sql::revocations::after(conn, &(1, Vec::new()), 100);
        sql::revocations::newest_token(conn);
        sql::revocations::purge(conn, NOW, 100);
        sql::accounts::insert_login_events(conn, &[event]);
        sql::audit::insert_ready_users(conn, &[ready], NOW, LATER);
    });
}

async fn catalog(db: &Database, recorder: &Recorder) {
    let product = Product {
        id: data::product(900_000),
        name: "Lamp".into(),
        title: None,
        description: None,
        image_url: None,
        price: yuan(5),
        version: 1,
        created_at: NOW,
        updated_at: NOW,
    };
    let audit = Audit {
        id: AuditId::from_bytes([7; 16]),
        operator: data::user(0),
        act: "sale.pause",
        subject: "sale-7".into(),
        detail: serde_json::Value::Null,
        at: NOW,
    };
    recorded!(db, recorder, |conn| {
        sql::catalog::revision(conn);
        sql::catalog::take_turn(conn);
        sql::catalog::record(conn, &audit);
        sql::catalog::acts_on(conn, "sale-7", 5);
        sql::catalog::insert_product(conn, &product);
        sql::catalog::update_product(conn, &Product { version: 2, ..product });
        sql::catalog::find_product(conn, data::product(7));
        sql::catalog::find_products(conn, &[data::product(7), data::product(8)]);
    });
}

async fn edits(db: &Database, recorder: &Recorder) {
    let page = |after, before, from_end| Wanted { after, before, limit: 20, from_end, count: true };
    let (newest, oldest) = (page(None, None, false), page(Some(9_000), Some(100), true));
    let row = Some(EditedRow::Sale(data::sale(7)));
    let found = |row| Unexplained { row, op: EditOp::Update, before: None, after: None };
    let rows =
        [EditedRow::Product(data::product(7)), EditedRow::Session(data::session(7)), EditedRow::Sale(data::sale(7))];
    recorded!(db, recorder, |conn| {
        sql::edits::open(conn, 1_000);
        sql::edits::open_since(conn);
        sql::edits::mark(conn, &[500], NOW);
        sql::edits::sales_of(conn, data::session(7));
        sql::edits::raise_sale(conn, data::sale(7), 3, NOW);
        sql::edits::note(conn, &rows.map(found), NOW);
        sql::edits::list(conn, None, &newest);
        sql::edits::list(conn, None, &oldest);
        sql::edits::list(conn, row, &newest);
        sql::edits::list(conn, row, &oldest);
        sql::edits::former_prices(conn, data::sale(7));
        sql::edits::offers(conn, [data::sale(7)], NOW);
    });
}

async fn sales(db: &Database, recorder: &Recorder) {
    let (id, created_at) = (data::session(900_000), NOW);
    let session = Session { id, name: None, starts_at: NOW, ends_at: LATER, created_at };
    let sale = Sale {
        id: data::sale(900_000),
        number: 900_000,
        session_id: id,
        product_id: data::product(7),
        price: yuan(5),
        points_price: None,
        stock_total: 10,
        limit_per_buyer: 1,
        pay_within: Duration::from_secs(900),
        returns_on_refund: true,
        state: SaleState::Draft,
        held: false,
        epoch: 0,
        version: 1,
        created_at: NOW,
        updated_at: NOW,
        ended_at: None,
    };
    recorded!(db, recorder, |conn| {
        sql::sales::insert_session(conn, &session);
        sql::sales::find_session(conn, id);
        sql::sales::next_number(conn);
        sql::sales::id_of_number(conn, 2_007);
        sql::sales::insert_sale(conn, &sale);
        sql::sales::find_offer(conn, sale.id, NOW);
        sql::sales::update_draft(conn, &Sale { version: 2, ..sale.clone() });
        sql::sales::update_state(conn, &Sale { version: 3, ..sale.clone() });
        sql::sales::add_stock(conn, sale.id, 3, 5, NOW);
        sql::sales::insert_stock_add(conn, sale.id, "key-0001", 5, NOW);
        sql::sales::find_stock_add(conn, sale.id, "key-0001");
        sql::sales::published_since(conn, EARLIER, NOW);
        sql::sales::load(conn, EARLIER, NOW);
        sql::outcomes::count(conn, sale.id);
        sql::outcomes::sums(conn, sale.id);
        sql::sale_report::page(conn, data::sale(7), None, 100);
        sql::sale_report::live_buyers(conn, data::sale(7));
        sql::sale_report::doubled_buyers(conn, data::sale(7), 5);
        sql::sale_report::units_free(conn, data::sale(7));
        sql::sale_report::stock_history(conn, data::sale(7), 1);
        sql::pictures::insert(conn, "picture-x", &[(160, Bytes::from_static(b"x"))], NOW);
        sql::pictures::find(conn, "picture-7", 160);
        sql::pictures::renew(conn, "picture-7", NOW);
        sql::pictures::older(conn, NOW.plus(Duration::from_secs(1)), &(NOW, "picture-1".into()), 100);
        sql::pictures::used(conn, vec!["/pictures/7/160.jpg".into(), "/pictures/8/160.jpg".into()]);
        sql::pictures::remove(conn, vec!["picture-8".into(), "picture-9".into()], NOW.plus(Duration::from_secs(1)));
        sql::sales::shop(conn);
        sql::sales::set_shop(conn, ShopState { paused: true, since: NOW });
    });
}

fn request(sale: SaleId, seq: u64, buyer: u64, key: &str) -> OrderRequest {
    let ticket = doorbuster::kernel::TicketId { sale, epoch: 1, seq };
    OrderRequest { ticket, buyer: data::user(buyer), key: key.into(), quantity: 1, at: NOW, price: None }
}

async fn orders(db: &Database, recorder: &Recorder) {
    let sale = data::sale(3);
    // New ones, one that is recorded already, and one whose buyer used the key elsewhere.
    let requests = [
        request(sale, 9_001, 2_990, "key-new-1"),
        request(sale, 9_002, 2_991, "key-new-2"),
        request(sale, 1, 1_500, "key-3"),
        request(sale, 9_003, 1_500, "key-3"),
    ];
    let unpaid = [data::ticket(0), data::ticket(100), data::ticket(1_000)];
    recorded!(db, recorder, |conn| {
        async {
            sql::orders::lock_sale(conn, sale).await?;
            let facts = sql::orders::sale_facts(conn, sale).await?.unwrap();
            let recorded = sql::orders::find_recorded(conn, sale, &requests).await?;
            let decided = decide(&facts, &recorded, &requests, NOW);
            sql::orders::insert(conn, &decided.orders).await?;
            sql::orders::take_stock(conn, sale, decided.units, NOW).await
        };
        sql::orders::return_stock(conn, sale, 1, NOW);
        sql::orders::restock(conn, sale, 1, NOW);
        sql::held::note_paid(conn, sale, 1);
        sql::held::take_off(conn, 100, NOW);
        sql::orders::lock(conn, &unpaid);
        sql::orders::overdue(conn, NOW, NOW, 100);
        sql::orders::advance(conn, data::ticket(200), OrderState::AwaitingPayment, OrderState::Paid, NOW);
        sql::orders::advance(conn, data::ticket(1), OrderState::Paid, OrderState::Refunding, NOW);
        sql::orders::advance(conn, data::ticket(1), OrderState::Refunding, OrderState::Refunded, NOW);
        sql::orders::close(conn, &unpaid, Closing::Expiry { due_by: NOW }, NOW);
        sql::orders::close(conn, &unpaid[..1], Closing::Buyer(data::buyer(0)), NOW);
        sql::orders::find(conn, data::ticket(7));
        sql::orders::find_locked(conn, data::ticket(7));
        sql::orders::find_all(conn, &unpaid);
        sql::orders::find_by_key(conn, data::buyer(7), "key-7".to_owned());
        sql::orders::find_of_buyer(conn, data::sale(7), data::buyer(7));
        sql::orders::known_tickets(conn, sale, true, None, 100);
        sql::orders::known_tickets(conn, sale, true, Some(data::ticket(203)), 100);
        sql::orders::raise_epoch(conn, data::sale(5), 1, 2);
    });
    for page in pages(|at| ListKey { at: data::created(at), ticket: data::ticket(at) }) {
        let Page { after, before, from_end } = page;
        let states = vec![OrderState::Paid, OrderState::Expired, OrderState::Cancelled];
        let page = OrderPage { states, after, before, limit: 10, from_end };
        recorded!(db, recorder, |conn| {
            sql::orders::list_of_buyer(conn, data::buyer(7), page);
        });
    }
}

/// Where a page of a list begins.
struct Page<K> {
    after: Option<K>,
    before: Option<K>,
    from_end: bool,
}

/// The four pages that are asked for in different words.
fn pages<K>(key: impl Fn(u64) -> K) -> [Page<K>; 4] {
    [
        Page { after: None, before: None, from_end: false },
        Page { after: None, before: None, from_end: true },
        Page { after: Some(key(7)), before: None, from_end: false },
        Page { after: None, before: Some(key(7)), from_end: true },
    ]
}

async fn broker(db: &Database, recorder: &Recorder) {
    let (key, payload) = (Bytes::from_static(b"key"), Bytes::from_static(b"{}"));
    let message =
        |topic, deliver_at| NewMessage { topic, partition: 0, key: key.clone(), payload: payload.clone(), deliver_at };
    let messages: Arc<[NewMessage]> =
        [message(Topic::OrderRequests, None), message(Topic::LoginEvents, Some(NOW))].into();
    let event = NewEvent { topic: Topic::PurchaseResults, key: "key".into(), payload, deliver_at: None };
    let cursor = Cursor { topic: TOPIC.into(), partition: 0, subscription: "writer".into(), acked_through: 100 };
    let own = Scope::Own(db.origin().to_owned());
    recorded!(db, recorder, |conn| {
        sql::broker::append(conn, messages, NOW);
        sql::broker::end_of(conn, TOPIC, 0);
        sql::broker::read_forward(conn, TOPIC, 0, 500, 100);
        sql::broker::due(conn, "login-events", NOW, 100);
        sql::broker::list(conn, "failures", 0, 100);
        sql::broker::list_back(conn, "failures", u64::MAX, 100);
        sql::broker::find(conn, "login-events", 500);
        sql::broker::read_topic(conn, TOPIC, 500, 100);
        sql::broker::count_after(conn, TOPIC, 0, 9_900);
        sql::broker::count(conn, "login-events");
        sql::broker::move_cursor(conn, &cursor);
        sql::broker::cursors(conn);
        sql::broker::trim(conn, TOPIC, 0);
        sql::broker::delete(conn, &[501, 503]);
        sql::outbox::append(conn, &[event], NOW);
        sql::outbox::claim(conn, &own, 0, &[], 100);
        sql::outbox::claim(conn, &own, 0, &[1, 2, 3], 100);
        sql::outbox::claim(conn, &Scope::WrittenBefore(NOW), 0, &[], 100);
        sql::outbox::delete(conn, &[1, 2, 3]);
    });
}

fn yuan(units: i64) -> Money {
    Money { minor: units * 100, currency: Currency::Cny }
}

fn new_transfer(n: u64, points: i64) -> Transfer {
    Transfer {
        id: data::transfer(n),
        kind: TransferKind::Grant,
        user: data::user(n),
        points,
        reference: Some(format!("grant-{n}")),
        branch: None,
        operator: Some(data::user(0)),
        reason: Some("sorry".into()),
        subject: None,
        at: NOW,
    }
}

async fn points(db: &Database, recorder: &Recorder) {
    let key = BranchKey { xid: data::transaction(900_000), branch: 1 };
    let debit = Reservation {
        key,
        user: data::user(7),
        direction: Direction::Debit,
        points: 5,
        subject: "order".into(),
        state: ReservationState::Tried,
        reason: None,
        returned: 0,
    };
    let credit = |n: u64| Reservation {
        key: BranchKey { xid: data::transaction(n), branch: 1 },
        direction: Direction::Credit { of: BranchKey { xid: data::transaction(7), branch: 1 } },
        ..debit.clone()
    };
    let (credit, late) = (credit(900_001), Reservation { state: ReservationState::Suspended, ..credit(900_002) });
    let other = Reservation { key: BranchKey { branch: 2, ..key }, ..debit.clone() };
    let (welcome, grant) = (new_transfer(900_000, 100), new_transfer(7, 5));
    let grant = Transfer { id: data::transfer(900_001), ..grant };
    let of_branch = |reservation: &Reservation| Transfer {
        id: data::transfer(900_002),
        reference: None,
        branch: Some(reservation.key),
        user: reservation.user,
        ..new_transfer(900_002, -5)
    };
    recorded!(db, recorder, |conn| {
        sql::points::find_account(conn, data::user(7));
        sql::points::open_account(conn, &welcome);
        sql::points::grant(conn, &grant, 1_000_000);
        sql::points::find_by_reference(conn, "grant-7");
        sql::points::find_entry(conn, data::user(7), data::transfer(7));
        sql::reservations::attempt(conn, &debit, &welcome, NOW);
        sql::reservations::attempt(conn, &other, &welcome, NOW);
        sql::reservations::attempt(conn, &credit, &welcome, NOW);
        sql::reservations::find(conn, key);
        sql::reservations::of_transactions(conn, &[data::transaction(7), data::transaction(8)]);
        sql::reservations::confirm(conn, key, of_branch, NOW);
        sql::reservations::cancel(conn, &other, NOW);
        sql::reservations::cancel(conn, &credit, NOW);
        sql::reservations::cancel(conn, &late, NOW);
    });
    let key = |n: u64| EntryKey { at: Timestamp::from_millis(NOW.as_millis() + n as i64), transfer: data::transfer(n) };
    for Page { after, before, from_end } in pages(key) {
        let page = EntryPage { after, before, limit: 10, from_end };
        recorded!(db, recorder, |conn| {
            sql::points::entries(conn, data::user(7), page);
        });
    }
}

async fn transactions(db: &Database, recorder: &Recorder) {
    let xid = data::transaction(900_100);
    let new = |xid| Transaction {
        xid,
        kind: "order.pay".into(),
        args: "{}".into(),
        state: GlobalState::Trying,
        reason: None,
        last_error: None,
        deadline: LATER,
        attempts: 0,
        created_at: NOW,
        branches: vec![Branch {
            key: BranchKey { xid, branch: 1 },
            participant: "points".into(),
            args: "{}".into(),
            state: BranchState::Registered,
        }],
    };
    let (first, second) = (new(xid), new(data::transaction(900_101)));
    recorded!(db, recorder, |conn| {
        sql::tcc::begin(conn, &first);
        sql::tcc::begin(conn, &second);
        sql::tcc::decide(conn, xid, NOW, LATER);
        sql::tcc::abort(conn, second.xid, "too late", LATER);
        sql::tcc::postpone(conn, xid, 1, LATER, "away");
        sql::tcc::end(conn, &[xid], true, NOW);
        sql::tcc::claim(conn, "node", NOW, LATER, 50);
        sql::tcc::find(conn, xid);
        sql::tcc::page(conn, None, 100);
        sql::tcc::page(conn, Some(data::transaction(5_000)), 100);
        sql::tcc::oldest_open(conn);
    });
}

async fn nodes(db: &Database, recorder: &Recorder) {
    let node = NodeRow {
        name: "node".into(),
        roles: "api".into(),
        address: "::1".into(),
        version: "1".into(),
        started_at: NOW,
        seen_at: NOW,
        settings: doorbuster::nodes::NodeSettings::default(),
        data_version: 1,
        vitals: None,
    };
    let seen = LeaseRow { job: "sweep".into(), holder: "node".into(), token: 1, beat: 0 };
    recorded!(db, recorder, |conn| {
        sql::nodes::beat(conn, &node);
        sql::nodes::list(conn);
        sql::nodes::take_lease(conn, "sweep", "node", None);
        sql::nodes::take_lease(conn, "sweep", "other", Some(&seen));
        sql::nodes::leases(conn);
        sql::nodes::find_lease(conn, "sweep");
        sql::nodes::renew_lease(conn, "sweep", "other", 2);
        sql::nodes::release_leases(conn, "other");
        sql::nodes::forget(conn, EARLIER);
        sql::nodes::leave(conn, "node");
        sql::upgrade::state(conn);
        sql::upgrade::version_kept(conn);
        sql::upgrade::allows(conn, doorbuster::model::upgrade::Feature::StaffRoles);
        sql::upgrade::older_seen(conn, NOW);
        sql::upgrade::locked(conn);
        sql::upgrade::finalise(conn, 2);
    });
}

async fn audits(db: &Database, recorder: &Recorder) {
    recorded!(db, recorder, |conn| {
        sql::audit::facts(conn);
        sql::audit::sold(conn);
        sql::books::breaches(conn, 10);
        sql::books::missing_guards(conn);
        sql::books::paid_with_points(conn, None, 100);
        sql::books::paid_with_points(conn, Some(data::payment(100)), 100);
        sql::books::waiting(conn);
        sql::ledger::breaches(conn);
    });
}
