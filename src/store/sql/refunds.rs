//! Refunds and their log.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Queryable, SelectableHelper,
};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{refund_log, refunds};
use super::catalog::{corrupt, narrow};
use super::payments::{Reason, amount_of, currency_of};
use crate::kernel::{OrderId, PaymentId, RefundId, Timestamp, UserId};
use crate::model::lists::MoneyKey;
use crate::model::payments::{LogEntry, Refund};
use crate::payments::{Method, RefundCause, RefundState};
use crate::store::StoreError;

#[derive(Queryable, Insertable, diesel::Selectable)]
#[diesel(table_name = refunds)]
pub(super) struct Row {
    id: RefundId,
    payment_id: PaymentId,
    order_id: OrderId,
    method: String,
    amount: i64,
    currency: Option<String>,
    cause: String,
    reason: Option<String>,
    requested_by: Option<UserId>,
    idempotency_key: Option<String>,
    status: String,
    attempts: i64,
    last_code: Option<String>,
    created_at: Timestamp,
    tried_at: Option<Timestamp>,
    next_try_at: Option<Timestamp>,
    settled_at: Option<Timestamp>,
    gateway_number: Option<String>,
}

impl From<&Refund> for Row {
    fn from(refund: &Refund) -> Self {
        Self {
            id: refund.id,
            payment_id: refund.payment,
            order_id: refund.order,
            method: refund.method.as_str().to_owned(),
            amount: refund.amount.units() as i64,
            currency: currency_of(refund.amount),
            cause: refund.cause.as_str().to_owned(),
            reason: refund.reason.clone(),
            requested_by: refund.requested_by,
            idempotency_key: refund.key.clone(),
            status: refund.state.as_str().to_owned(),
            attempts: i64::from(refund.attempts),
            last_code: refund.last_code.clone(),
            created_at: refund.created_at,
            tried_at: refund.tried_at,
            next_try_at: refund.next_try_at,
            settled_at: refund.settled_at,
            gateway_number: refund.gateway_number.clone(),
        }
    }
}

impl TryFrom<Row> for Refund {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            payment: row.payment_id,
            order: row.order_id,
            method: Method::parse(&row.method).ok_or_else(|| corrupt("payment method"))?,
            amount: amount_of(row.amount, row.currency.as_deref())?,
            cause: RefundCause::parse(&row.cause).ok_or_else(|| corrupt("refund cause"))?,
            reason: row.reason,
            requested_by: row.requested_by,
            key: row.idempotency_key,
            gateway_number: row.gateway_number,
            state: RefundState::parse(&row.status).ok_or_else(|| corrupt("refund status"))?,
            attempts: narrow(row.attempts)?,
            last_code: row.last_code,
            created_at: row.created_at,
            tried_at: row.tried_at,
            next_try_at: row.next_try_at,
            settled_at: row.settled_at,
        })
    }
}

/// Writes a new refund; `false` when there is one of this id already.
pub async fn insert(conn: &mut Conn, refund: &Refund) -> Result<bool, StoreError> {
    let row = diesel::insert_into(refunds::table).values(Row::from(refund));
    Ok(row.on_conflict(refunds::id).do_nothing().execute(conn).await? == 1)
}

/// A refund.
pub async fn find(conn: &mut Conn, id: RefundId) -> Result<Option<Refund>, StoreError> {
    let row: Option<Row> = refunds::table.find(id).select(Row::as_select()).first(conn).await.optional()?;
    row.map(Refund::try_from).transpose()
}

/// The refund that a person's key belongs to.
pub async fn find_by_key(conn: &mut Conn, person: UserId, key: &str) -> Result<Option<Refund>, StoreError> {
    let row: Option<Row> = refunds::table
        .filter(refunds::requested_by.eq(person).and(refunds::idempotency_key.eq(key)))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Refund::try_from).transpose()
}

/// All refunds of an order, the oldest first.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Vec<Refund>, StoreError> {
    let rows: Vec<Row> = refunds::table
        .filter(refunds::order_id.eq(order))
        .order((refunds::created_at, refunds::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Refund::try_from).collect()
}

/// Refunds that are to be brought further now, the longest due first; and those among them that can't be read.
pub async fn due(
    conn: &mut Conn,
    method: Method,
    now: Timestamp,
    max: usize,
) -> Result<(Vec<Refund>, Vec<RefundId>), StoreError> {
    let rows: Vec<Row> = refunds::table
        .filter(refunds::next_try_at.le(now).and(refunds::method.eq(method.as_str())))
        .order(refunds::next_try_at)
        .limit(max as i64)
        .select(Row::as_select())
        .load(conn)
        .await?;
    let read = rows.into_iter().map(|row| (row.id, Refund::try_from(row)));
    let (readable, unreadable): (Vec<_>, Vec<_>) = read.partition(|(_, refund)| refund.is_ok());
    Ok((
        readable.into_iter().filter_map(|(_, refund)| refund.ok()).collect(),
        unreadable.into_iter().map(|(id, _)| id).collect(),
    ))
}

/// Puts these refunds off.
pub async fn put_off(conn: &mut Conn, ids: &[RefundId], until: Timestamp) -> Result<(), StoreError> {
    let these = refunds::table.filter(refunds::id.eq_any(ids));
    diesel::update(these).set(refunds::next_try_at.eq(Some(until))).execute(conn).await?;
    Ok(())
}

/// When the gateway was last asked for another refund of the payment.
pub async fn last_try_of_others(conn: &mut Conn, refund: &Refund) -> Result<Option<Timestamp>, StoreError> {
    let others = refunds::table.filter(refunds::payment_id.eq(refund.payment).and(refunds::id.ne(refund.id)));
    Ok(others.select(diesel::dsl::max(refunds::tried_at)).first(conn).await?)
}

/// Notes that the gateway is about to be asked; whether the refund is still open and was at this try.
pub async fn begin_try(conn: &mut Conn, refund: &Refund, now: Timestamp, next: Timestamp) -> Result<bool, StoreError> {
    let open = [RefundState::Requested.as_str(), RefundState::Processing.as_str()].to_vec();
    let expected = refunds::table
        .filter(refunds::id.eq(refund.id).and(refunds::status.eq_any(open)))
        .filter(refunds::attempts.eq(i64::from(refund.attempts)));
    let changed = diesel::update(expected)
        .set((
            refunds::status.eq(RefundState::Processing.as_str()),
            refunds::attempts.eq(refunds::attempts + 1),
            refunds::tried_at.eq(Some(now)),
            refunds::next_try_at.eq(Some(next)),
        ))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// Notes what the gateway said, and when to ask again, of a refund that is still open.
pub async fn postpone(conn: &mut Conn, id: RefundId, next: Timestamp, code: Option<&str>) -> Result<(), StoreError> {
    let open = refunds::table.filter(refunds::id.eq(id).and(refunds::settled_at.is_null()));
    match code {
        Some(code) => {
            diesel::update(open)
                .set((refunds::next_try_at.eq(Some(next)), refunds::last_code.eq(Some(code))))
                .execute(conn)
                .await?;
        }
        None => {
            diesel::update(open).set(refunds::next_try_at.eq(Some(next))).execute(conn).await?;
        }
    }
    Ok(())
}

/// The payment's refunds that the gateway was asked for are to be looked at at once.
pub async fn hurry(conn: &mut Conn, payment: PaymentId, now: Timestamp) -> Result<(), StoreError> {
    let asked = refunds::table
        .filter(refunds::payment_id.eq(payment))
        .filter(refunds::status.eq(RefundState::Processing.as_str()));
    diesel::update(asked).set(refunds::next_try_at.eq(Some(now))).execute(conn).await?;
    Ok(())
}

/// Ends a refund that is still open; whether it was.
pub async fn settle(
    conn: &mut Conn,
    id: RefundId,
    to: RefundState,
    code: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let open = [RefundState::Requested.as_str(), RefundState::Processing.as_str()].to_vec();
    let changed = diesel::update(refunds::table.filter(refunds::id.eq(id).and(refunds::status.eq_any(open))))
        .set((
            refunds::status.eq(to.as_str()),
            refunds::settled_at.eq(Some(now)),
            refunds::next_try_at.eq(None::<Timestamp>),
            refunds::last_code.eq(code),
        ))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// Refunds that have been open since before `since`, behind `after`, the oldest first.
pub async fn stuck(conn: &mut Conn, since: Timestamp, after: MoneyKey, max: usize) -> Result<Vec<Refund>, StoreError> {
    let MoneyKey { at, id } = after;
    let rows: Vec<Row> = refunds::table
        .filter(refunds::settled_at.is_null().and(refunds::created_at.lt(since)))
        .filter(refunds::created_at.ge(at))
        .filter(refunds::created_at.gt(at).or(refunds::id.gt(RefundId::from_bytes(id))))
        .order((refunds::created_at, refunds::id))
        .limit(max as i64)
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Refund::try_from).collect()
}

/// Adds a line to the refund's log.
pub async fn log(conn: &mut Conn, id: RefundId, entry: &LogEntry) -> Result<(), StoreError> {
    diesel::insert_into(refund_log::table)
        .values((
            refund_log::refund_id.eq(id),
            refund_log::at.eq(entry.at),
            refund_log::actor.eq(&entry.actor),
            refund_log::event.eq(&entry.event),
            refund_log::from_state.eq(&entry.from),
            refund_log::to_state.eq(&entry.to),
            refund_log::code.eq(&entry.code),
            refund_log::detail.eq(&entry.detail),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Code and detail of the last line of the refund's log about this event.
pub async fn last_reason(conn: &mut Conn, id: RefundId, event: &str) -> Result<Option<Reason>, StoreError> {
    Ok(refund_log::table
        .filter(refund_log::refund_id.eq(id).and(refund_log::event.eq(event)))
        .order(refund_log::id.desc())
        .select((refund_log::code, refund_log::detail))
        .first(conn)
        .await
        .optional()?)
}

/// The first `max` lines of the refund's log.
pub async fn log_of(conn: &mut Conn, id: RefundId, max: usize) -> Result<Vec<LogEntry>, StoreError> {
    type Columns = (Timestamp, String, String, Option<String>, String, Option<String>, Option<String>);
    let rows: Vec<Columns> = refund_log::table
        .filter(refund_log::refund_id.eq(id))
        .order(refund_log::id)
        .limit(max as i64)
        .select((
            refund_log::at,
            refund_log::actor,
            refund_log::event,
            refund_log::from_state,
            refund_log::to_state,
            refund_log::code,
            refund_log::detail,
        ))
        .load(conn)
        .await?;
    let entry = |(at, actor, event, from, to, code, detail)| LogEntry { at, actor, event, from, to, code, detail };
    Ok(rows.into_iter().map(entry).collect())
}
