//! Attempts to pay, their log, and the notifications of gateways.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Queryable, SelectableHelper,
};
use diesel_async::RunQueryDsl;

use super::super::schema::{gateway_notifications, payment_log, payments};
use super::super::{Conn, bulk};
use super::catalog::{corrupt, money, narrow};
use crate::kernel::{OrderId, PaymentId, Timestamp, UserId};
use crate::model::lists::MoneyKey;
use crate::model::payments::{Amount, LogEntry, Payment, StoredNotification};
use crate::payments::{Flag, Method, PaymentState};
use crate::store::StoreError;

#[derive(Queryable, Insertable, diesel::Selectable)]
#[diesel(table_name = payments)]
pub(in super::super) struct Row {
    id: PaymentId,
    order_id: OrderId,
    buyer_id: UserId,
    idempotency_key: String,
    method: String,
    amount: i64,
    currency: Option<String>,
    status: String,
    gateway_trade_no: Option<String>,
    return_url: Option<String>,
    captured: i64,
    refund_pending: i64,
    refunded: i64,
    flag: Option<String>,
    created_at: Timestamp,
    expires_at: Timestamp,
    settled_at: Option<Timestamp>,
    next_check_at: Option<Timestamp>,
    checks: i64,
}

/// Currency and amount as stored: points have no currency.
pub(super) fn amount_of(units: i64, currency: Option<&str>) -> Result<Amount, StoreError> {
    match currency {
        Some(currency) => Ok(Amount::Money(money(units, currency)?)),
        None => Ok(Amount::Points(narrow(units)?)),
    }
}

/// See [`amount_of`].
pub(super) fn currency_of(amount: Amount) -> Option<String> {
    amount.money().map(|money| money.currency.code().to_owned())
}

impl From<&Payment> for Row {
    fn from(payment: &Payment) -> Self {
        Self {
            id: payment.id,
            order_id: payment.order,
            buyer_id: payment.buyer,
            idempotency_key: payment.key.clone(),
            method: payment.method.as_str().to_owned(),
            amount: payment.amount.units() as i64,
            currency: currency_of(payment.amount),
            status: payment.state.as_str().to_owned(),
            gateway_trade_no: payment.gateway_trade_no.clone(),
            return_url: payment.return_url.clone(),
            captured: payment.captured as i64,
            refund_pending: payment.refund_pending as i64,
            refunded: payment.refunded as i64,
            flag: payment.flag.map(|flag| flag.as_str().to_owned()),
            created_at: payment.created_at,
            expires_at: payment.expires_at,
            settled_at: payment.settled_at,
            next_check_at: payment.next_check_at,
            checks: i64::from(payment.checks),
        }
    }
}

impl TryFrom<Row> for Payment {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let flag = row.flag.map(|flag| Flag::parse(&flag).ok_or_else(|| corrupt("payment flag"))).transpose()?;
        Ok(Self {
            id: row.id,
            order: row.order_id,
            buyer: row.buyer_id,
            key: row.idempotency_key,
            method: Method::parse(&row.method).ok_or_else(|| corrupt("payment method"))?,
            amount: amount_of(row.amount, row.currency.as_deref())?,
            state: PaymentState::parse(&row.status).ok_or_else(|| corrupt("payment status"))?,
            gateway_trade_no: row.gateway_trade_no,
            return_url: row.return_url,
            captured: narrow(row.captured)?,
            refund_pending: narrow(row.refund_pending)?,
            refunded: narrow(row.refunded)?,
            flag,
            created_at: row.created_at,
            expires_at: row.expires_at,
            settled_at: row.settled_at,
            next_check_at: row.next_check_at,
            checks: narrow(row.checks)?,
        })
    }
}

/// Writes a new attempt.
pub async fn insert(conn: &mut Conn, payment: &Payment) -> Result<(), StoreError> {
    diesel::insert_into(payments::table).values(Row::from(payment)).execute(conn).await?;
    Ok(())
}

/// Keeps every other writer from the payment until the transaction ends. Lock its order first.
pub async fn lock(conn: &mut Conn, id: PaymentId) -> Result<(), StoreError> {
    bulk::lock_payment(conn, id).await
}

/// A payment.
pub async fn find(conn: &mut Conn, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    let row: Option<Row> = payments::table.find(id).select(Row::as_select()).first(conn).await.optional()?;
    row.map(Payment::try_from).transpose()
}

/// The same, and keeps every other writer from it until the transaction ends: it is as the last writer left it. Lock its order before.
pub async fn find_locked(conn: &mut Conn, id: PaymentId) -> Result<Option<Payment>, StoreError> {
    bulk::find_payment_locked(conn, id).await
}

/// The order that the gateway's trade pays, by the trade's number.
pub async fn order_of_trade(conn: &mut Conn, trade_no: &str) -> Result<Option<OrderId>, StoreError> {
    Ok(payments::table
        .filter(payments::method.eq(Method::Alipay.as_str()).and(payments::gateway_trade_no.eq(trade_no)))
        .select(payments::order_id)
        .first(conn)
        .await
        .optional()?)
}

/// The attempt that a buyer's key belongs to.
pub async fn find_by_key(conn: &mut Conn, buyer: UserId, key: &str) -> Result<Option<Payment>, StoreError> {
    let row: Option<Row> = payments::table
        .filter(payments::buyer_id.eq(buyer).and(payments::idempotency_key.eq(key)))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Payment::try_from).transpose()
}

/// All attempts of an order, the oldest first.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Vec<Payment>, StoreError> {
    let rows: Vec<Row> = payments::table
        .filter(payments::order_id.eq(order))
        .order((payments::created_at, payments::id))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Payment::try_from).collect()
}

/// How many attempts of an order there are.
pub async fn count_of_order(conn: &mut Conn, order: OrderId) -> Result<usize, StoreError> {
    let count: i64 = payments::table.filter(payments::order_id.eq(order)).count().get_result(conn).await?;
    Ok(count as usize)
}

/// The payment that holds this trade of the gateway.
pub async fn owner_of_trade(conn: &mut Conn, method: Method, trade: &str) -> Result<Option<PaymentId>, StoreError> {
    Ok(payments::table
        .filter(payments::method.eq(method.as_str()).and(payments::gateway_trade_no.eq(trade)))
        .select(payments::id)
        .first(conn)
        .await
        .optional()?)
}

/// Changes a payment's state, if it is in `from`; whether it was. `captured` is how much has come in, in units. Nobody asks the gateway
/// any more, unless it is scheduled again.
pub async fn advance(
    conn: &mut Conn,
    id: PaymentId,
    from: PaymentState,
    to: PaymentState,
    captured: u64,
    gateway_trade_no: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let expected = payments::table.filter(payments::id.eq(id).and(payments::status.eq(from.as_str())));
    let state = (
        payments::status.eq(to.as_str()),
        payments::captured.eq(captured as i64),
        payments::settled_at.eq(Some(now)),
        payments::next_check_at.eq(None::<Timestamp>),
    );
    let changed = match gateway_trade_no {
        Some(trade) => {
            diesel::update(expected).set((state, payments::gateway_trade_no.eq(Some(trade)))).execute(conn).await?
        }
        None => diesel::update(expected).set(state).execute(conn).await?,
    };
    Ok(changed == 1)
}

/// Marks the payment for people, or takes the mark away.
pub async fn set_flag(conn: &mut Conn, id: PaymentId, flag: Option<Flag>) -> Result<(), StoreError> {
    diesel::update(payments::table.find(id)).set(payments::flag.eq(flag.map(Flag::as_str))).execute(conn).await?;
    Ok(())
}

/// When the gateway is to be asked next, and how often it was asked in vain.
pub async fn schedule(conn: &mut Conn, id: PaymentId, at: Option<Timestamp>, checks: u32) -> Result<(), StoreError> {
    diesel::update(payments::table.find(id))
        .set((payments::next_check_at.eq(at), payments::checks.eq(i64::from(checks))))
        .execute(conn)
        .await?;
    Ok(())
}

/// The order's other attempts that a gateway may still take money for are to be asked for at once.
pub async fn hurry_others(conn: &mut Conn, order: OrderId, kept: PaymentId, now: Timestamp) -> Result<(), StoreError> {
    let others = payments::table
        .filter(payments::order_id.eq(order).and(payments::id.ne(kept)))
        .filter(payments::status.eq(PaymentState::Pending.as_str()).and(payments::method.eq(Method::Alipay.as_str())));
    diesel::update(others).set(payments::next_check_at.eq(Some(now))).execute(conn).await?;
    Ok(())
}

/// Payments that the gateway is to be asked for now, the longest due first; and those among them that can't be read.
pub async fn due(conn: &mut Conn, now: Timestamp, max: usize) -> Result<(Vec<Payment>, Vec<PaymentId>), StoreError> {
    let rows: Vec<Row> = payments::table
        .filter(payments::next_check_at.le(now).and(payments::method.eq(Method::Alipay.as_str())))
        .order(payments::next_check_at)
        .limit(max as i64)
        .select(Row::as_select())
        .load(conn)
        .await?;
    let read = rows.into_iter().map(|row| (row.id, Payment::try_from(row)));
    let (readable, unreadable): (Vec<_>, Vec<_>) = read.partition(|(_, payment)| payment.is_ok());
    Ok((
        readable.into_iter().filter_map(|(_, payment)| payment.ok()).collect(),
        unreadable.into_iter().map(|(id, _)| id).collect(),
    ))
}

/// Puts the questions for these payments off.
pub async fn put_off(conn: &mut Conn, ids: &[PaymentId], until: Timestamp) -> Result<(), StoreError> {
    let these = payments::table.filter(payments::id.eq_any(ids));
    diesel::update(these).set(payments::next_check_at.eq(Some(until))).execute(conn).await?;
    Ok(())
}

/// Sets units aside that are to go back; `false` when so many are not there any more. The condition is in the statement: however
/// many ask at once, never more goes back than came in.
pub async fn reserve_refund(conn: &mut Conn, id: PaymentId, units: u64) -> Result<bool, StoreError> {
    let units = units as i64;
    let enough = (payments::refund_pending + payments::refunded + units).le(payments::captured);
    let changed = diesel::update(payments::table.filter(payments::id.eq(id).and(enough)))
        .set(payments::refund_pending.eq(payments::refund_pending + units))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

/// The units went back, or stay after all.
pub async fn settle_refund(conn: &mut Conn, id: PaymentId, units: u64, went_back: bool) -> Result<(), StoreError> {
    let (units, back) = (units as i64, if went_back { units as i64 } else { 0 });
    let reserved = payments::table.filter(payments::id.eq(id).and(payments::refund_pending.ge(units)));
    let changed = diesel::update(reserved)
        .set((
            payments::refund_pending.eq(payments::refund_pending - units),
            payments::refunded.eq(payments::refunded + back),
        ))
        .execute(conn)
        .await?;
    super::catalog::expect_one(changed, "payments.refund_pending")
}

/// Payments that a person should look at, behind `after`, the oldest first: flagged ones, and those pending since before `since`. Each
/// is asked for by itself: an index of its own answers it.
pub async fn stuck(conn: &mut Conn, since: Timestamp, after: MoneyKey, max: usize) -> Result<Vec<Payment>, StoreError> {
    let MoneyKey { at, id } = after;
    let later = payments::created_at.gt(at).or(payments::id.gt(PaymentId::from_bytes(id)));
    let behind = payments::created_at.ge(at).and(later);
    let order = (payments::created_at, payments::id);
    let flagged: Vec<Row> = payments::table
        .filter(payments::flag.is_not_null().and(behind))
        .order(order)
        .limit(max as i64)
        .select(Row::as_select())
        .load(conn)
        .await?;
    let waiting: Vec<Row> = payments::table
        .filter(pending_payment().and(payments::expires_at.lt(since)))
        .filter(payments::flag.is_null().and(behind))
        .order(order)
        .limit(max as i64)
        .select(Row::as_select())
        .load(conn)
        .await?;
    let mut rows: Vec<Row> = flagged.into_iter().chain(waiting).collect();
    rows.sort_by_key(|row| (row.created_at, row.id.to_bytes()));
    rows.truncate(max);
    rows.into_iter().map(Payment::try_from).collect()
}

/// The condition of the index on pending payments. A bound value would keep SQLite from using it.
fn pending_payment() -> SqlLiteral<Bool> {
    sql("payments.status = 'PENDING'")
}

/// Adds a line to the payment's log.
pub async fn log(conn: &mut Conn, id: PaymentId, entry: &LogEntry) -> Result<(), StoreError> {
    diesel::insert_into(payment_log::table)
        .values((
            payment_log::payment_id.eq(id),
            payment_log::at.eq(entry.at),
            payment_log::actor.eq(&entry.actor),
            payment_log::event.eq(&entry.event),
            payment_log::from_state.eq(&entry.from),
            payment_log::to_state.eq(&entry.to),
            payment_log::code.eq(&entry.code),
            payment_log::detail.eq(&entry.detail),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Code and detail of a line of a log.
pub type Reason = (Option<String>, Option<String>);

/// Code and detail of the last line of the payment's log about this event.
pub async fn last_reason(conn: &mut Conn, id: PaymentId, event: &str) -> Result<Option<Reason>, StoreError> {
    Ok(payment_log::table
        .filter(payment_log::payment_id.eq(id).and(payment_log::event.eq(event)))
        .order(payment_log::id.desc())
        .select((payment_log::code, payment_log::detail))
        .first(conn)
        .await
        .optional()?)
}

/// The first `max` lines of the payment's log.
pub async fn log_of(conn: &mut Conn, id: PaymentId, max: usize) -> Result<Vec<LogEntry>, StoreError> {
    type Columns = (Timestamp, String, String, Option<String>, String, Option<String>, Option<String>);
    let rows: Vec<Columns> = payment_log::table
        .filter(payment_log::payment_id.eq(id))
        .order(payment_log::id)
        .limit(max as i64)
        .select((
            payment_log::at,
            payment_log::actor,
            payment_log::event,
            payment_log::from_state,
            payment_log::to_state,
            payment_log::code,
            payment_log::detail,
        ))
        .load(conn)
        .await?;
    let entry = |(at, actor, event, from, to, code, detail)| LogEntry { at, actor, event, from, to, code, detail };
    Ok(rows.into_iter().map(entry).collect())
}

/// Writes a verified notification down, unless this one was before.
pub async fn insert_notification(conn: &mut Conn, heard: &StoredNotification) -> Result<(), StoreError> {
    diesel::insert_into(gateway_notifications::table)
        .values((
            gateway_notifications::notify_id.eq(&heard.id),
            gateway_notifications::number.eq(&heard.number),
            gateway_notifications::trade_status.eq(&heard.status),
            gateway_notifications::verdict.eq(heard.verdict.as_str()),
            gateway_notifications::masked.eq(&heard.masked),
            gateway_notifications::received_at.eq(heard.received_at),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

/// The first `max` notifications about a number.
pub async fn notifications_of(
    conn: &mut Conn,
    number: &str,
    max: usize,
) -> Result<Vec<StoredNotification>, StoreError> {
    type Columns = (String, String, String, String, String, Timestamp);
    let rows: Vec<Columns> = gateway_notifications::table
        .filter(gateway_notifications::number.eq(number))
        .order(gateway_notifications::id)
        .limit(max as i64)
        .select((
            gateway_notifications::notify_id,
            gateway_notifications::number,
            gateway_notifications::trade_status,
            gateway_notifications::verdict,
            gateway_notifications::masked,
            gateway_notifications::received_at,
        ))
        .load(conn)
        .await?;
    rows.into_iter()
        .map(|(id, number, status, verdict, masked, received_at)| {
            let verdict = crate::payments::Verdict::parse(&verdict).ok_or_else(|| corrupt("verdict"))?;
            Ok(StoredNotification { id, number, status, verdict, masked, received_at })
        })
        .collect()
}
