//! Reads for the history checker, and bulk creation of accounts for load tests.

use diesel::{ExpressionMethods as _, JoinOnDsl as _, QueryDsl as _};
use diesel_async::{AsyncConnection as _, RunQueryDsl};

use super::super::schema::{access_tokens, orders, outbox, sale_sessions, sales, users};
use super::super::{Conn, one_moment};
use crate::kernel::{Epoch, SaleId, TicketId, Timestamp, UserId};
use crate::model::facts::{Facts, OrderFact, ReadyUser, SaleFact};
use crate::model::orders::OrderState;
use crate::store::StoreError;

/// Sales, orders and the outbox as of one moment.
pub async fn facts(conn: &mut Conn) -> Result<Facts, StoreError> {
    conn.transaction(async |conn| {
        one_moment(conn).await?;
        let outbox: i64 = outbox::table.count().get_result(conn).await?;
        Ok(Facts { sales: sale_facts(conn).await?, orders: order_facts(conn).await?, outbox: outbox as u64 })
    })
    .await
}

/// Units sold over all sales, and events that wait to be published.
pub async fn sold(conn: &mut Conn) -> Result<(u64, u64), StoreError> {
    let levels: Vec<(i64, i64)> = sales::table.select((sales::stock_total, sales::stock_left)).load(conn).await?;
    let outbox: i64 = outbox::table.count().get_result(conn).await?;
    Ok((levels.iter().map(|(total, left)| (total - left) as u64).sum(), outbox as u64))
}

async fn sale_facts(conn: &mut Conn) -> Result<Vec<SaleFact>, StoreError> {
    type Columns = (SaleId, i64, i64, i64, i64, bool, i64, Timestamp, Timestamp);
    let rows: Vec<Columns> = sales::table
        .inner_join(sale_sessions::table.on(sale_sessions::id.eq(sales::session_id)))
        .order(sales::id)
        .select((
            sales::id,
            sales::stock_total,
            sales::stock_left,
            sales::limit_per_buyer,
            sales::pay_within_ms,
            sales::returns_on_refund,
            sales::epoch,
            sale_sessions::starts_at,
            sale_sessions::ends_at,
        ))
        .load(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, stock_total, stock_left, limit, pay_within, returns_on_refund, epoch, starts_at, ends_at)| {
            SaleFact {
                id,
                stock_total,
                stock_left,
                limit_per_buyer: limit,
                pay_within: std::time::Duration::from_millis(pay_within as u64),
                returns_on_refund,
                epoch: epoch as Epoch,
                starts_at,
                ends_at,
            }
        })
        .collect())
}

async fn order_facts(conn: &mut Conn) -> Result<Vec<OrderFact>, StoreError> {
    type Moments = (Timestamp, Timestamp, Timestamp, Option<Timestamp>, Option<Timestamp>);
    type Columns = (TicketId, SaleId, UserId, i64, Option<String>, String, Moments, i64);
    let rows: Vec<Columns> = orders::table
        .order(orders::id)
        .select((
            orders::id,
            orders::sale_id,
            orders::buyer_id,
            orders::quantity,
            orders::idempotency_key,
            orders::status,
            (orders::created_at, orders::decided_at, orders::pay_before, orders::paid_at, orders::closed_at),
            orders::version,
        ))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(id, sale, buyer, quantity, key, status, moments, version)| {
            let unknown = || StoreError::internal(format!("unknown order status {status:?}"));
            let (created_at, decided_at, pay_before, paid_at, closed_at) = moments;
            Ok(OrderFact {
                id,
                sale,
                buyer,
                quantity,
                key,
                state: OrderState::parse(&status).ok_or_else(unknown)?,
                created_at,
                decided_at,
                pay_before,
                paid_at,
                closed_at,
                version: version as u32,
            })
        })
        .collect()
}

/// Adds users that no password opens, each with a token that is good until `expires_at`.
pub async fn insert_ready_users(
    conn: &mut Conn,
    ready: &[ReadyUser],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    for user in ready {
        diesel::insert_into(users::table)
            .values((
                users::id.eq(user.id),
                users::username.eq(&user.username),
                users::display_name.eq(&user.username),
                users::password_hash.eq("!"),
                users::role.eq(user.role),
                users::created_at.eq(now),
            ))
            .execute(conn)
            .await?;
        diesel::insert_into(access_tokens::table)
            .values((
                access_tokens::token_hash.eq(user.token_hash.as_slice()),
                access_tokens::user_id.eq(user.id),
                access_tokens::created_at.eq(now),
                access_tokens::expires_at.eq(expires_at),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}
