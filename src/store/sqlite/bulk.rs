//! Inserts of many rows: one prepared statement, run once per row on the thread that holds the connection. SQLite gains
//! nothing from a longer statement, and parsing one for each number of rows would cost.

use std::io::Write as _;
use std::sync::Arc;

use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::Conn;
use super::schema::{
    access_tokens, broker_messages, global_transactions, orders, outbox, points_entries, schema_state,
    token_revocations,
};
use super::sql::accounts::TokenRow;
use super::sql::orders::{RecordedRow, Row as OrderRow};
use super::sql::tcc::open_transaction;
use crate::kernel::{PaymentId, SaleId, TicketId, Timestamp, UserId, Xid};
use crate::model::accounts::TokenHash;
use crate::model::messages::{NewEvent, NewMessage};
use crate::model::order_requests::OrderRequest;
use crate::model::orders::Order;
use crate::model::payments::Payment;
use crate::model::points::Transfer;
use crate::store::StoreError;

/// Moves the expiry of tokens forward, never back.
pub async fn renew_tokens(conn: &mut Conn, renewals: &[(TokenHash, Timestamp)]) -> Result<(), StoreError> {
    let renewals = renewals.to_vec();
    let renew = move |conn: &mut _| {
        for (hash, expires_at) in &renewals {
            let earlier = access_tokens::table.find(hash.as_slice()).filter(access_tokens::expires_at.lt(*expires_at));
            diesel::update(earlier).set(access_tokens::expires_at.eq(*expires_at)).execute(conn)?;
        }
        QueryResult::Ok(())
    };
    Ok(conn.spawn_blocking(renew).await?)
}

/// The number after the last one that was given out and is still there: writers come one after the other.
pub async fn revocations_end(conn: &mut Conn) -> Result<i64, StoreError> {
    let last: Option<i64> = conn
        .spawn_blocking(|conn| token_revocations::table.select(diesel::dsl::max(token_revocations::seq)).first(conn))
        .await?;
    Ok(last.unwrap_or(0) + 1)
}

/// What programs may write. Who raises it waits for the end of this transaction.
pub async fn version_kept(conn: &mut Conn) -> Result<u32, StoreError> {
    let version: i64 =
        conn.spawn_blocking(|conn| schema_state::table.select(schema_state::version).first(conn)).await?;
    Ok(version as u32)
}

/// Appends messages to the broker's log.
pub async fn insert_messages(conn: &mut Conn, messages: Arc<[NewMessage]>, now: Timestamp) -> Result<(), StoreError> {
    let insert = move |conn: &mut _| {
        for message in messages.iter() {
            diesel::insert_into(broker_messages::table)
                .values((
                    broker_messages::topic.eq(message.topic.name()),
                    broker_messages::partition.eq(i64::from(message.partition)),
                    broker_messages::key.eq(&message.key[..]),
                    broker_messages::payload.eq(&message.payload[..]),
                    broker_messages::deliver_at.eq(message.deliver_at),
                    broker_messages::published_at.eq(now),
                ))
                .execute(conn)?;
        }
        Ok(())
    };
    Ok(conn.spawn_blocking(insert).await?)
}

/// Writes events into the outbox.
pub async fn insert_events(conn: &mut Conn, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
    let events = events.to_vec();
    let insert = move |conn: &mut _| {
        for event in &events {
            diesel::insert_into(outbox::table)
                .values((
                    outbox::topic.eq(event.topic.name()),
                    outbox::key.eq(&event.key),
                    outbox::payload.eq(&event.payload[..]),
                    outbox::deliver_at.eq(event.deliver_at),
                    outbox::created_at.eq(now),
                ))
                .execute(conn)?;
        }
        Ok(())
    };
    Ok(conn.spawn_blocking(insert).await?)
}

/// The rows of these tokens and of their users.
pub async fn find_tokens(conn: &mut Conn, hashes: &[TokenHash]) -> Result<Vec<TokenRow>, StoreError> {
    let find = FindTokens(hashes.concat());
    Ok(conn.spawn_blocking(move |conn| find.load(conn)).await?)
}

/// Hashes of tokens, one after the other in one value: SQLite has no arrays, and a statement with a parameter for each would be
/// another one for each number of them.
#[derive(QueryId)]
struct FindTokens(Vec<u8>);

impl Query for FindTokens {
    type SqlType = (Binary, Binary, Text, BigInt, BigInt, Bool);
}

impl<C> diesel::RunQueryDsl<C> for FindTokens {}

impl QueryFragment<Sqlite> for FindTokens {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("WITH RECURSIVE given (hashes) AS (SELECT ");
        out.push_bind_param::<Binary, _>(&self.0)?;
        // CROSS JOIN also says in which order: SQLite never turns it round.
        out.push_sql(
            "), asked (place, hash) AS (\
             SELECT 1, substr(hashes, 1, 32) FROM given \
             UNION ALL SELECT place + 32, substr(hashes, place + 32, 32) FROM asked CROSS JOIN given \
             WHERE place + 32 < length(hashes)) \
             SELECT token.token_hash, buyer.id, buyer.role, token.created_at, token.expires_at, \
             token.second_factor FROM asked \
             CROSS JOIN access_tokens AS token ON token.token_hash = asked.hash \
             CROSS JOIN users AS buyer ON buyer.id = token.user_id",
        );
        Ok(())
    }
}

/// The entries of a transfer: the account, the one that they are against, and by how much the first changes.
pub async fn insert_entries(
    conn: &mut Conn,
    transfer: &Transfer,
    entries: [(UserId, UserId, i64); 2],
) -> Result<(), StoreError> {
    let (transfer, at) = (transfer.id, transfer.at);
    let insert = move |conn: &mut _| {
        for (account, against, points) in entries {
            diesel::insert_into(points_entries::table)
                .values((
                    points_entries::transfer_id.eq(transfer),
                    points_entries::account_id.eq(account),
                    points_entries::amount.eq(points),
                    points_entries::against_id.eq(against),
                    points_entries::opposite.eq(-points),
                    points_entries::at.eq(at),
                ))
                .execute(conn)?;
        }
        Ok(())
    };
    Ok(conn.spawn_blocking(insert).await?)
}

/// There is one writer.
#[allow(clippy::unnecessary_wraps, reason = "the twin of PostgreSQL's")]
pub async fn lock_sale(_: &mut Conn, _: SaleId) -> Result<(), StoreError> {
    Ok(())
}

/// There is one writer.
#[allow(clippy::unnecessary_wraps, reason = "the twin of PostgreSQL's")]
pub async fn lock_orders(_: &mut Conn, _: &[TicketId]) -> Result<(), StoreError> {
    Ok(())
}

/// There is one writer.
pub async fn find_order_locked(conn: &mut Conn, ticket: TicketId) -> Result<Option<Order>, StoreError> {
    super::sql::orders::find(conn, ticket).await
}

/// There is one writer.
pub async fn find_payment_locked(conn: &mut Conn, payment: PaymentId) -> Result<Option<Payment>, StoreError> {
    super::sql::payments::find(conn, payment).await
}

/// There is one writer.
#[allow(clippy::unnecessary_wraps, reason = "the twin of PostgreSQL's")]
pub async fn lock_payment(_: &mut Conn, _: PaymentId) -> Result<(), StoreError> {
    Ok(())
}

/// See [`find_recorded`](super::sql::orders::find_recorded).
pub async fn find_recorded(
    conn: &mut Conn,
    sale: SaleId,
    requests: &[OrderRequest],
) -> Result<Vec<RecordedRow>, StoreError> {
    let find = FindRecorded { asked: FindRecorded::encode(requests), sale };
    Ok(conn.spawn_blocking(move |conn| find.load(conn)).await?)
}

/// Tickets with their buyers and keys, one after the other in one value, as in [`FindTokens`]. A query for each of them took twice as
/// long.
#[derive(QueryId)]
struct FindRecorded {
    asked: Vec<u8>,
    sale: SaleId,
}

impl FindRecorded {
    /// A ticket (28 bytes), its buyer (16), and its key behind the number of its bytes (10 digits).
    fn encode(requests: &[OrderRequest]) -> Vec<u8> {
        let mut asked = Vec::with_capacity(requests.len() * 96);
        for OrderRequest { ticket, buyer, key, .. } in requests {
            asked.extend_from_slice(&ticket.to_bytes());
            asked.extend_from_slice(&buyer.to_bytes());
            // Ten digits for any length: this can't fail.
            let _ = write!(asked, "{:010}", key.len());
            asked.extend_from_slice(key.as_bytes());
        }
        asked
    }
}

impl Query for FindRecorded {
    type SqlType = (Binary, Binary, Nullable<Text>, Text);
}

impl<C> diesel::RunQueryDsl<C> for FindRecorded {}

impl QueryFragment<Sqlite> for FindRecorded {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("WITH RECURSIVE asked (place, size) AS MATERIALIZED (SELECT 1, CAST(substr(");
        out.push_bind_param::<Binary, _>(&self.asked)?;
        // `?1` is that value again. A row of a table with it would be copied for each ticket.
        out.push_sql(
            ", 45, 10) AS INTEGER) \
             UNION ALL SELECT place + 54 + size, CAST(substr(?1, place + 98 + size, 10) AS INTEGER) FROM asked \
             WHERE place + 54 + size < length(?1)) \
             SELECT found.id, found.buyer_id, found.idempotency_key, found.status \
             FROM asked CROSS JOIN orders AS found ON found.id = substr(?1, place, 28) \
             UNION ALL SELECT found.id, found.buyer_id, found.idempotency_key, found.status \
             FROM asked CROSS JOIN orders AS found ON found.status IN ('AWAITING_PAYMENT', 'PAID', 'REFUNDING') \
             AND found.buyer_id = substr(?1, place + 28, 16) AND found.sale_id = ",
        );
        out.push_bind_param::<Binary, _>(&self.sale)?;
        out.push_sql(
            " UNION ALL SELECT found.id, found.buyer_id, found.idempotency_key, found.status \
             FROM asked CROSS JOIN orders AS found ON found.buyer_id = substr(?1, place + 28, 16) \
             AND found.idempotency_key = CAST(substr(?1, place + 54, size) AS TEXT)",
        );
        Ok(())
    }
}

/// Writes new orders; returns how many did not conflict with a recorded one.
pub async fn insert_orders(conn: &mut Conn, orders: &[Order]) -> Result<usize, StoreError> {
    let rows: Vec<OrderRow> = orders.iter().map(OrderRow::from).collect();
    let insert = move |conn: &mut _| {
        let mut written = 0;
        for row in rows {
            written += diesel::insert_into(orders::table).values(row).on_conflict_do_nothing().execute(conn)?;
        }
        QueryResult::Ok(written)
    };
    Ok(conn.spawn_blocking(insert).await?)
}

/// Global transactions that are due and under no lease, the longest due first.
pub async fn lock_due_transactions(conn: &mut Conn, now: Timestamp, max: usize) -> Result<Vec<Xid>, StoreError> {
    let due = global_transactions::table
        .filter(open_transaction())
        .filter(global_transactions::next_run_at.le(now))
        .filter(global_transactions::lease_until.le(now))
        .order(global_transactions::next_run_at)
        .limit(max as i64)
        .select(global_transactions::xid);
    Ok(diesel_async::RunQueryDsl::load(due, conn).await?)
}

/// What keeps invariants by itself: number and name.
pub const GUARDS: [(u8, &str); 22] = [
    (4, "payments_kept"),
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
    (11, "payment_log_no_update"),
    (11, "payment_log_no_delete"),
    (11, "refund_log_no_update"),
    (11, "refund_log_no_delete"),
    (11, "gateway_notifications_no_update"),
    (11, "gateway_notifications_no_delete"),
    (11, "points_transfers_are_kept"),
    (11, "points_transfers_are_not_deleted"),
    (11, "points_entries_are_kept"),
    (11, "points_entries_are_not_deleted"),
];

/// The names of indexes and triggers.
pub const GUARDS_IN_FORCE: &str =
    "SELECT name AS id, '' AS stored, '' AS found FROM sqlite_master WHERE type IN ('index', 'trigger')";
