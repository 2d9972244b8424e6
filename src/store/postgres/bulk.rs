//! Many rows in one statement. The rows travel as arrays, one per column, so that the statement is the same for any number of
//! them and stays prepared.

use std::sync::Arc;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Uuid};
use diesel::{ExpressionMethods, JoinOnDsl as _, OptionalExtension as _, QueryDsl, QueryResult, SelectableHelper as _};
use diesel_async::RunQueryDsl;

use super::schema::{
    access_tokens, broker_messages, global_transactions, orders, payments, points_entries, sales, schema_state, users,
};
use super::sql::accounts::TokenRow;
use super::sql::orders::RecordedRow;
use super::sql::tcc::open_transaction;
use super::{Conn, sql};
use crate::kernel::{PaymentId, SaleId, TicketId, Timestamp, UserId, Xid};
use crate::model::accounts::TokenHash;
use crate::model::messages::{NewEvent, NewMessage};
use crate::model::order_requests::OrderRequest;
use crate::model::orders::Order;
use crate::model::payments::Payment;
use crate::model::points::Transfer;
use crate::store::StoreError;

/// Rows in one statement of the log at most; a statement may have 65535 parameters.
const CHUNK: usize = 1_000;

/// Appends messages to the broker's log.
pub async fn insert_messages(conn: &mut Conn, messages: Arc<[NewMessage]>, now: Timestamp) -> Result<(), StoreError> {
    for chunk in messages.chunks(CHUNK) {
        let row = |message: &NewMessage| {
            (
                broker_messages::topic.eq(message.topic.name()),
                broker_messages::partition.eq(i64::from(message.partition)),
                broker_messages::key.eq(message.key.to_vec()),
                broker_messages::payload.eq(message.payload.to_vec()),
                broker_messages::deliver_at.eq(message.deliver_at),
                broker_messages::published_at.eq(now),
            )
        };
        let rows = chunk.iter().map(row).collect::<Vec<_>>();
        diesel::insert_into(broker_messages::table).values(rows).execute(conn).await?;
    }
    Ok(())
}

/// The rows of these tokens and of their users.
pub async fn find_tokens(conn: &mut Conn, hashes: &[TokenHash]) -> Result<Vec<TokenRow>, StoreError> {
    Ok(access_tokens::table
        .inner_join(users::table.on(users::id.eq(access_tokens::user_id)))
        .filter(access_tokens::token_hash.eq_any(hashes.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>()))
        .select((
            access_tokens::token_hash,
            users::id,
            users::role,
            access_tokens::created_at,
            access_tokens::expires_at,
            access_tokens::second_factor,
        ))
        .load(conn)
        .await?)
}

/// Moves the expiry of tokens forward, never back, in one statement: many buyers come back in the same second.
pub async fn renew_tokens(conn: &mut Conn, renewals: &[(TokenHash, Timestamp)]) -> Result<(), StoreError> {
    // In one order on every node: rows that two nodes renew are locked alike.
    let mut renewals = renewals.to_vec();
    renewals.sort_unstable();
    let (tokens, expiries) = renewals.into_iter().map(|(token, at)| (token.to_vec(), at)).unzip();
    RenewTokens { tokens, expiries }.execute(conn).await?;
    Ok(())
}

#[derive(QueryId)]
struct RenewTokens {
    tokens: Vec<Vec<u8>>,
    expiries: Vec<Timestamp>,
}

impl<C> diesel::RunQueryDsl<C> for RenewTokens {}

impl QueryFragment<Pg> for RenewTokens {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("UPDATE access_tokens SET expires_at = given.expires_at FROM UNNEST (");
        out.push_bind_param::<Array<Binary>, _>(&self.tokens)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.expiries)?;
        out.push_sql(
            ") AS given (token_hash, expires_at) \
             WHERE access_tokens.token_hash = given.token_hash AND access_tokens.expires_at < given.expires_at",
        );
        Ok(())
    }
}

/// The number of the oldest transaction that is running.
pub async fn revocations_end(conn: &mut Conn) -> Result<i64, StoreError> {
    let oldest = diesel::dsl::sql::<BigInt>("pg_snapshot_xmin(pg_current_snapshot())::TEXT::BIGINT");
    Ok(diesel::select(oldest).get_result(conn).await?)
}

/// What programs may write. Who raises it waits for the end of this transaction.
pub async fn version_kept(conn: &mut Conn) -> Result<u32, StoreError> {
    let version: i64 = schema_state::table.select(schema_state::version).for_share().first(conn).await?;
    Ok(version as u32)
}

/// The entries of a transfer: the account, the one that they are against, and by how much the first changes.
pub async fn insert_entries(
    conn: &mut Conn,
    transfer: &Transfer,
    entries: [(UserId, UserId, i64); 2],
) -> Result<(), StoreError> {
    let rows = entries.map(|(account, against, points)| {
        (
            points_entries::transfer_id.eq(transfer.id),
            points_entries::account_id.eq(account),
            points_entries::amount.eq(points),
            points_entries::against_id.eq(against),
            points_entries::opposite.eq(-points),
            points_entries::at.eq(transfer.at),
        )
    });
    diesel::insert_into(points_entries::table).values(rows).execute(conn).await?;
    Ok(())
}

/// Keeps every other writer from the sale's row until the transaction ends. Foreign keys to it may still be checked.
pub async fn lock_sale(conn: &mut Conn, sale: SaleId) -> Result<(), StoreError> {
    let row = sales::table.find(sale).select(sales::id).for_no_key_update();
    let _locked: Vec<SaleId> = row.load(conn).await?;
    Ok(())
}

/// Keeps every other writer from these orders until the transaction ends. A statement of its own: what is read after it is as the
/// last writer left it.
pub async fn lock_orders(conn: &mut Conn, tickets: &[TicketId]) -> Result<(), StoreError> {
    let rows = orders::table.filter(orders::id.eq_any(tickets.to_vec())).order(orders::id).select(orders::id);
    let _locked: Vec<TicketId> = rows.for_no_key_update().load(conn).await?;
    Ok(())
}

/// The order, locked.
pub async fn find_order_locked(conn: &mut Conn, ticket: TicketId) -> Result<Option<Order>, StoreError> {
    let row = orders::table.find(ticket).select(sql::orders::Row::as_select()).for_no_key_update();
    row.first(conn).await.optional()?.map(Order::try_from).transpose()
}

/// The payment, locked.
pub async fn find_payment_locked(conn: &mut Conn, payment: PaymentId) -> Result<Option<Payment>, StoreError> {
    let row = payments::table.find(payment).select(sql::payments::Row::as_select()).for_no_key_update();
    row.first(conn).await.optional()?.map(Payment::try_from).transpose()
}

/// Keeps every other writer from the payment until the transaction ends. Lock its order before.
pub async fn lock_payment(conn: &mut Conn, payment: PaymentId) -> Result<(), StoreError> {
    let row = payments::table.find(payment).select(payments::id).for_no_key_update();
    let _locked: Vec<PaymentId> = row.load(conn).await?;
    Ok(())
}

/// See [`find_recorded`](super::sql::orders::find_recorded). The sale is locked: nobody else records or frees its orders meanwhile.
///
/// Looked for, not left to the indexes: an insert would wait for whoever is just closing a buyer's order, who waits for the sale that is
/// locked here.
pub async fn find_recorded(
    conn: &mut Conn,
    sale: SaleId,
    requests: &[OrderRequest],
) -> Result<Vec<RecordedRow>, StoreError> {
    let recorded = FindRecorded {
        sale,
        tickets: requests.iter().map(|request| request.ticket).collect(),
        buyers: requests.iter().map(|request| request.buyer).collect(),
        keys: requests.iter().map(|request| request.key.clone()).collect(),
    };
    Ok(recorded.load(conn).await?)
}

/// The orders that have one of the tickets, one of the keys of its buyer, or are the live one of a buyer.
///
/// Each ticket is looked up by itself, in the three unique indexes: what a batch costs must not depend on what the planner believes
/// of a sale that fills while it plans. Asked for as a whole, it read all live orders of a sale that its statistics did not know
/// yet, and started parallel workers for every batch.
#[derive(QueryId)]
struct FindRecorded {
    sale: SaleId,
    tickets: Vec<TicketId>,
    buyers: Vec<UserId>,
    keys: Vec<String>,
}

impl Query for FindRecorded {
    type SqlType = (Binary, Uuid, Nullable<Text>, Text);
}

impl QueryFragment<Pg> for FindRecorded {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT found.id, found.buyer_id, found.idempotency_key, found.status FROM UNNEST (");
        out.push_bind_param::<Array<Binary>, _>(&self.tickets)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Uuid>, _>(&self.buyers)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.keys)?;
        out.push_sql(
            ") AS asked (ticket, buyer, key) CROSS JOIN LATERAL (\
             SELECT id, buyer_id, idempotency_key, status FROM orders WHERE id = asked.ticket \
             UNION ALL SELECT id, buyer_id, idempotency_key, status FROM orders \
             WHERE status IN ('AWAITING_PAYMENT', 'PAID', 'REFUNDING') AND buyer_id = asked.buyer AND sale_id = ",
        );
        out.push_bind_param::<Uuid, _>(&self.sale)?;
        out.push_sql(
            " UNION ALL SELECT id, buyer_id, idempotency_key, status FROM orders \
             WHERE buyer_id = asked.buyer AND idempotency_key = asked.key) AS found",
        );
        Ok(())
    }
}

/// Writes new orders of one sale, decided together, in one statement; returns how many did not conflict with a recorded one.
pub async fn insert_orders(conn: &mut Conn, orders: &[Order]) -> Result<usize, StoreError> {
    match InsertOrders::of(orders) {
        Some(insert) => Ok(insert.execute(conn).await?),
        None => Ok(0),
    }
}

/// New orders of one sale, decided together.
#[derive(QueryId)]
struct InsertOrders {
    sale: SaleId,
    number: i64,
    product_name: String,
    decided_at: Timestamp,
    pay_before: Timestamp,
    version: i64,
    tickets: Vec<TicketId>,
    buyers: Vec<UserId>,
    quantities: Vec<i64>,
    keys: Vec<Option<String>>,
    states: Vec<&'static str>,
    created: Vec<Timestamp>,
    prices: Vec<i64>,
    currencies: Vec<&'static str>,
    points_prices: Vec<Option<i64>>,
}

impl InsertOrders {
    fn of(orders: &[Order]) -> Option<Self> {
        let first = orders.first()?;
        Some(Self {
            sale: first.sale(),
            number: first.sale_number as i64,
            product_name: first.product_name.clone(),
            decided_at: first.decided_at,
            pay_before: first.pay_before,
            version: i64::from(first.version),
            tickets: orders.iter().map(|order| order.ticket).collect(),
            buyers: orders.iter().map(|order| order.buyer).collect(),
            quantities: orders.iter().map(|order| i64::from(order.quantity)).collect(),
            keys: orders.iter().map(|order| order.key.clone()).collect(),
            states: orders.iter().map(|order| order.state.as_str()).collect(),
            created: orders.iter().map(|order| order.created_at).collect(),
            prices: orders.iter().map(|order| order.unit_price.minor).collect(),
            currencies: orders.iter().map(|order| order.unit_price.currency.code()).collect(),
            points_prices: orders.iter().map(|order| order.points_price.map(i64::from)).collect(),
        })
    }
}

impl QueryFragment<Pg> for InsertOrders {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO orders (id, buyer_id, quantity, idempotency_key, status, created_at, price_minor, currency, \
             points_price, sale_id, sale_number, product_name, decided_at, pay_before, version) \
             SELECT ticket, buyer, quantity, key, status, created_at, price_minor, currency, points_price, ",
        );
        out.push_bind_param::<Uuid, _>(&self.sale)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.number)?;
        out.push_sql(", ");
        out.push_bind_param::<Text, _>(&self.product_name)?;
        for moment in [&self.decided_at, &self.pay_before] {
            out.push_sql(", ");
            out.push_bind_param::<BigInt, _>(moment)?;
        }
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.version)?;
        out.push_sql(" FROM UNNEST (");
        out.push_bind_param::<Array<Binary>, _>(&self.tickets)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Uuid>, _>(&self.buyers)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.quantities)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<Text>>, _>(&self.keys)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.states)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.created)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.prices)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.currencies)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<BigInt>>, _>(&self.points_prices)?;
        out.push_sql(
            ") AS decided (ticket, buyer, quantity, key, status, created_at, price_minor, currency, points_price) \
             ON CONFLICT DO NOTHING",
        );
        Ok(())
    }
}

/// Writes events into the outbox, in their order.
pub async fn insert_events(conn: &mut Conn, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
    InsertEvents {
        topics: events.iter().map(|event| event.topic.name()).collect(),
        keys: events.iter().map(|event| event.key.clone()).collect(),
        payloads: events.iter().map(|event| event.payload.to_vec()).collect(),
        deliver_at: events.iter().map(|event| event.deliver_at).collect(),
        now,
    }
    .execute(conn)
    .await?;
    Ok(())
}

#[derive(QueryId)]
struct InsertEvents {
    topics: Vec<&'static str>,
    keys: Vec<String>,
    payloads: Vec<Vec<u8>>,
    deliver_at: Vec<Option<Timestamp>>,
    now: Timestamp,
}

impl QueryFragment<Pg> for InsertEvents {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO outbox (topic, key, payload, deliver_at, created_at) \
             SELECT topic, key, payload, deliver_at, ",
        );
        out.push_bind_param::<BigInt, _>(&self.now)?;
        out.push_sql(" FROM UNNEST (");
        out.push_bind_param::<Array<Text>, _>(&self.topics)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Text>, _>(&self.keys)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.payloads)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Nullable<BigInt>>, _>(&self.deliver_at)?;
        out.push_sql(") WITH ORDINALITY AS event (topic, key, payload, deliver_at, place) ORDER BY place");
        Ok(())
    }
}

/// Global transactions that are due and under nobody's lease, the longest due first; those that another instance is taking
/// just now are left out.
pub async fn lock_due_transactions(conn: &mut Conn, now: Timestamp, max: usize) -> Result<Vec<Xid>, StoreError> {
    Ok(global_transactions::table
        .filter(open_transaction())
        .filter(global_transactions::next_run_at.le(now))
        .filter(global_transactions::lease_until.le(now))
        .order(global_transactions::next_run_at)
        .limit(max as i64)
        .select(global_transactions::xid)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?)
}

/// What keeps invariants by itself: number and name.
pub const GUARDS: [(u8, &str); 18] = [
    (4, "payments_kept"),
    (5, "payments_not_over_refunded"),
    (6, "payments_by_trade"),
    (6, "payments_by_key"),
    (6, "refunds_by_key"),
    (7, "payments_transition"),
    (8, "refunds_transition"),
    (9, "points_reservations_are_kept"),
    (9, "points_reservations_resolve_once"),
    (9, "points_transfers_by_branch"),
    (9, "points_transfers_by_reference"),
    (9, "global_transactions_decide_once"),
    (10, "orders_transition"),
    (11, "payment_log_kept"),
    (11, "refund_log_kept"),
    (11, "gateway_notifications_kept"),
    (11, "points_transfers_are_kept"),
    (11, "points_entries_are_kept"),
];

/// The names of indexes, checks and triggers that are in force.
pub const GUARDS_IN_FORCE: &str = "SELECT CAST(name AS TEXT) AS id, '' AS stored, '' AS found FROM (
     SELECT relname AS name FROM pg_class WHERE relkind = 'i'
     UNION ALL SELECT conname FROM pg_constraint WHERE convalidated
     UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')) guards";
