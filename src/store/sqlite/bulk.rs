//! Inserts of many rows: one prepared statement, run once per row on the thread that holds the connection. SQLite gains
//! nothing from a longer statement, and parsing one for each number of rows would cost.

use std::sync::Arc;

use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Bool, Text};
use diesel::sqlite::Sqlite;
use diesel::{ExpressionMethods, QueryDsl, QueryResult, RunQueryDsl};

use super::Conn;
use super::schema::{broker_messages, global_transactions, outbox, schema_state};
use super::sql::accounts::TokenRow;
use super::sql::orders::{find, find_by_key, insert};
use super::sql::tcc::open_transaction;
use crate::kernel::{PaymentId, SaleId, TicketId, Timestamp, Xid};
use crate::model::accounts::TokenHash;
use crate::model::decide::Decider;
use crate::model::messages::{NewEvent, NewMessage};
use crate::model::order_requests::OrderRequest;
use crate::model::orders::{Order, OrderState};
use crate::store::StoreError;

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
#[allow(clippy::unnecessary_wraps, reason = "the twin of PostgreSQL's")]
pub async fn lock_payment(_: &mut Conn, _: PaymentId) -> Result<(), StoreError> {
    Ok(())
}

/// Decides the tickets in their order and writes each of them down. Tickets that are recorded already are left out.
pub async fn insert_decided(
    conn: &mut Conn,
    decider: &mut Decider,
    _: SaleId,
    requests: &[OrderRequest],
) -> Result<Vec<Order>, StoreError> {
    let mut decided = Vec::with_capacity(requests.len());
    for request in requests {
        let order = decider.decide(request);
        let recorded = if insert(conn, &order).await? { Some(order) } else { refuse(conn, order).await? };
        if let Some(order) = recorded {
            decider.take(&order);
            decided.push(order);
        } else {
            #[cfg(feature = "sabotage")]
            super::sql::orders::count_again(decider, request);
        }
    }
    Ok(decided)
}

/// The row did not go in. Either the ticket is recorded already (`None`), or its buyer has a live order or used the key for
/// another ticket: then it is recorded as refused.
async fn refuse(conn: &mut Conn, mut order: Order) -> Result<Option<Order>, StoreError> {
    if find(conn, order.ticket).await?.is_some() {
        return Ok(None);
    }
    let holder = match &order.key {
        Some(key) => find_by_key(conn, order.buyer, key.clone()).await?,
        None => None,
    };
    if holder.is_some() {
        order.key = None;
        order.state = OrderState::Voided;
    } else {
        order.state = OrderState::RefusedAlreadyBought;
    }
    if insert(conn, &order).await? {
        return Ok(Some(order));
    }
    Err(StoreError::Conflict { constraint: format!("orders of ticket {}", order.ticket) })
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
