//! Bill comparisons and their results.

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension as _, QueryDsl, Queryable, Selectable,
    SelectableHelper as _,
};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{payments, reconciliation_items, reconciliations, refunds};
use super::catalog::{corrupt, money};
use crate::kernel::{BillDifferenceId, PaymentId, RefundId, Timestamp, UserId};
use crate::model::bills::{
    BillReport, BilledRefund, Closure, Compared, Difference, Item, ItemKey, ItemList, ItemPage, Kind, Ours,
};
use crate::payments::{Method, PaymentState, RefundState};
use crate::store::StoreError;

type PaymentColumns = (PaymentId, i64, i64, Option<String>, String);
type RefundColumns = (RefundId, i64, Option<String>, String, Option<String>);

const REFUND: (refunds::id, refunds::amount, refunds::currency, refunds::status, refunds::gateway_number) =
    (refunds::id, refunds::amount, refunds::currency, refunds::status, refunds::gateway_number);

fn payment((id, amount, captured, currency, status): PaymentColumns) -> Result<Ours, StoreError> {
    let state = PaymentState::parse(&status).ok_or_else(|| corrupt("payment status"))?;
    let units = if state.is_captured() { captured } else { amount };
    let amount = money(units, currency.as_deref().unwrap_or_default())?;
    Ok(Ours { number: id.number(), amount, moved: state.is_captured(), state: status })
}

fn refund((id, amount, currency, status, gateway_number): RefundColumns) -> Result<Ours, StoreError> {
    let moved = status == RefundState::Succeeded.as_str();
    let amount = money(amount, currency.as_deref().unwrap_or_default())?;
    Ok(Ours { number: gateway_number.unwrap_or_else(|| id.number()), amount, moved, state: status })
}

/// Alipay payments and refunds with these ids, and refunds that were made at the gateway, by its numbers.
pub async fn of_numbers(
    conn: &mut Conn,
    payment_ids: &[PaymentId],
    refund_ids: &[RefundId],
    others: &[String],
) -> Result<Vec<Ours>, StoreError> {
    let paid: Vec<PaymentColumns> = payments::table
        .filter(payments::id.eq_any(payment_ids.to_vec()).and(payments::method.eq(Method::Alipay.as_str())))
        .select((payments::id, payments::amount, payments::captured, payments::currency, payments::status))
        .load(conn)
        .await?;
    let back: Vec<RefundColumns> = refunds::table
        .filter(refunds::id.eq_any(refund_ids.to_vec()).and(refunds::method.eq(Method::Alipay.as_str())))
        .select(REFUND)
        .load(conn)
        .await?;
    let external: Vec<RefundColumns> =
        refunds::table.filter(refunds::gateway_number.eq_any(others.to_vec())).select(REFUND).load(conn).await?;
    paid.into_iter().map(payment).chain(back.into_iter().chain(external).map(refund)).collect()
}

/// Money that moved, as we learnt between these moments.
pub async fn learnt(conn: &mut Conn, from: Timestamp, to: Timestamp) -> Result<Vec<Ours>, StoreError> {
    let captured = [PaymentState::Succeeded.as_str(), PaymentState::Surplus.as_str()].to_vec();
    let paid: Vec<PaymentColumns> = payments::table
        .filter(payments::method.eq(Method::Alipay.as_str()).and(payments::status.eq_any(captured)))
        .filter(payments::settled_at.ge(from).and(payments::settled_at.lt(to)))
        .select((payments::id, payments::amount, payments::captured, payments::currency, payments::status))
        .load(conn)
        .await?;
    let back: Vec<RefundColumns> = refunds::table
        .filter(refunds::method.eq(Method::Alipay.as_str()).and(refunds::status.eq(RefundState::Succeeded.as_str())))
        .filter(refunds::settled_at.ge(from).and(refunds::settled_at.lt(to)))
        .select(REFUND)
        .load(conn)
        .await?;
    paid.into_iter().map(payment).chain(back.into_iter().map(refund)).collect()
}

/// Those of the numbers that the bill of another day had before we knew them as paid.
pub async fn seen_on_other_days(conn: &mut Conn, day: &str, numbers: Vec<String>) -> Result<Vec<String>, StoreError> {
    let kinds = [Kind::Status.as_str(), Kind::MissingHere.as_str(), Kind::Amount.as_str()].to_vec();
    Ok(reconciliation_items::table
        .filter(reconciliation_items::day.ne(day).and(reconciliation_items::number.eq_any(numbers)))
        .filter(reconciliation_items::kind.eq_any(kinds))
        .select(reconciliation_items::number)
        .load(conn)
        .await?)
}

/// Writes a comparison down, over the one before of the same day. Differences that it does not find any more are resolved; one that is as
/// it was stays as it was, closed or not; one with other amounts is open, under its new id.
pub async fn record(
    conn: &mut Conn,
    day: &str,
    compared: &Compared,
    differences: &[(BillDifferenceId, Difference)],
    now: Timestamp,
) -> Result<(), StoreError> {
    let sums = (
        reconciliations::rows_found.eq(compared.rows as i64),
        reconciliations::matched.eq(compared.matched as i64),
        reconciliations::paid.eq(compared.paid),
        reconciliations::refunded.eq(compared.refunded),
        reconciliations::compared_at.eq(now),
    );
    // First this row: it keeps two comparisons of a day from mixing.
    diesel::insert_into(reconciliations::table)
        .values((reconciliations::day.eq(day), sums, reconciliations::runs.eq(1_i64)))
        .on_conflict(reconciliations::day)
        .do_update()
        .set((sums, reconciliations::runs.eq(reconciliations::runs + 1)))
        .execute(conn)
        .await?;
    let unresolved = reconciliation_items::table
        .filter(reconciliation_items::day.eq(day).and(reconciliation_items::resolved_at.is_null()));
    diesel::update(unresolved).set(reconciliation_items::resolved_at.eq(Some(now))).execute(conn).await?;
    for (id, found) in differences {
        record_one(conn, day, *id, found, now).await?;
    }
    Ok(())
}

async fn record_one(
    conn: &mut Conn,
    day: &str,
    id: BillDifferenceId,
    found: &Difference,
    now: Timestamp,
) -> Result<(), StoreError> {
    let kind = found.kind.as_str();
    let refund = found.refund.as_ref();
    let billed = (
        reconciliation_items::refund_of.eq(refund.map(|refund| &refund.payment)),
        reconciliation_items::refund_amount.eq(refund.map(|refund| refund.amount.minor)),
        reconciliation_items::refund_currency.eq(refund.map(|refund| refund.amount.currency.code())),
        reconciliation_items::refund_at.eq(refund.map(|refund| refund.at)),
    );
    let facts = (
        reconciliation_items::id.eq(id),
        reconciliation_items::ours.eq(&found.ours),
        reconciliation_items::theirs.eq(&found.theirs),
        reconciliation_items::found_at.eq(now),
        billed,
    );
    let of_number = reconciliation_items::table.find((day, &found.number, kind));
    let otherwise = reconciliation_items::ours.ne(&found.ours).or(reconciliation_items::theirs.ne(&found.theirs));
    let open = (
        reconciliation_items::resolved_at.eq(None::<Timestamp>),
        reconciliation_items::closed_at.eq(None::<Timestamp>),
        reconciliation_items::closed_by.eq(None::<UserId>),
        reconciliation_items::close_reason.eq(None::<String>),
    );
    if diesel::update(of_number.filter(otherwise)).set((facts, open)).execute(conn).await? == 1 {
        return Ok(());
    }
    diesel::insert_into(reconciliation_items::table)
        .values((
            reconciliation_items::day.eq(day),
            reconciliation_items::number.eq(&found.number),
            reconciliation_items::kind.eq(kind),
            facts,
        ))
        .on_conflict((reconciliation_items::day, reconciliation_items::number, reconciliation_items::kind))
        .do_update()
        .set((reconciliation_items::resolved_at.eq(None::<Timestamp>), billed))
        .execute(conn)
        .await?;
    Ok(())
}

/// Closes a difference that is open; whether it was.
pub async fn close(conn: &mut Conn, id: BillDifferenceId, closure: &Closure) -> Result<bool, StoreError> {
    let open = reconciliation_items::table
        .filter(reconciliation_items::id.eq(id))
        .filter(reconciliation_items::resolved_at.is_null().and(reconciliation_items::closed_at.is_null()));
    let rows = diesel::update(open)
        .set((
            reconciliation_items::closed_at.eq(Some(closure.at)),
            reconciliation_items::closed_by.eq(Some(closure.by)),
            reconciliation_items::close_reason.eq(Some(&closure.reason)),
        ))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = reconciliation_items)]
struct ItemRow {
    id: BillDifferenceId,
    day: String,
    number: String,
    kind: String,
    ours: String,
    theirs: String,
    found_at: Timestamp,
    resolved_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    closed_by: Option<UserId>,
    close_reason: Option<String>,
    refund_of: Option<String>,
    refund_amount: Option<i64>,
    refund_currency: Option<String>,
    refund_at: Option<Timestamp>,
}

impl TryFrom<ItemRow> for Item {
    type Error = StoreError;

    fn try_from(row: ItemRow) -> Result<Self, StoreError> {
        let closure = match (row.closed_at, row.closed_by, row.close_reason) {
            (Some(at), Some(by), Some(reason)) => Some(Closure { at, by, reason }),
            _ => None,
        };
        let refund = match (row.refund_of, row.refund_amount, row.refund_currency, row.refund_at) {
            (Some(payment), Some(minor), Some(currency), Some(at)) => {
                Some(BilledRefund { payment, amount: money(minor, &currency)?, at })
            }
            _ => None,
        };
        Ok(Self {
            id: row.id,
            day: row.day,
            number: row.number,
            kind: Kind::parse(&row.kind).ok_or_else(|| corrupt("kind of a difference"))?,
            ours: row.ours,
            theirs: row.theirs,
            refund,
            found_at: row.found_at,
            resolved_at: row.resolved_at,
            closure,
        })
    }
}

/// A difference.
pub async fn find(conn: &mut Conn, id: BillDifferenceId) -> Result<Option<Item>, StoreError> {
    let of_id = reconciliation_items::table.filter(reconciliation_items::id.eq(id));
    let row: Option<ItemRow> = of_id.select(ItemRow::as_select()).first(conn).await.optional()?;
    row.map(Item::try_from).transpose()
}

/// A page of the differences.
pub async fn list(conn: &mut Conn, page: ItemPage) -> Result<ItemList, StoreError> {
    let open = reconciliation_items::resolved_at.is_null().and(reconciliation_items::closed_at.is_null());
    let mut count = reconciliation_items::table.count().into_boxed();
    let mut query = reconciliation_items::table.select(ItemRow::as_select()).limit(page.limit as i64 + 1).into_boxed();
    if page.open {
        count = count.filter(open);
        query = query.filter(open);
    }
    if let Some(ItemKey { at, id }) = page.after {
        let same = reconciliation_items::found_at.eq(at).and(reconciliation_items::id.gt(id));
        query = query.filter(reconciliation_items::found_at.gt(at).or(same));
    }
    if let Some(ItemKey { at, id }) = page.before {
        let same = reconciliation_items::found_at.eq(at).and(reconciliation_items::id.lt(id));
        query = query.filter(reconciliation_items::found_at.lt(at).or(same));
    }
    query = if page.from_end {
        query.order((reconciliation_items::found_at.desc(), reconciliation_items::id.desc()))
    } else {
        query.order((reconciliation_items::found_at.asc(), reconciliation_items::id.asc()))
    };
    let total: i64 = count.get_result(conn).await?;
    let rows: Vec<ItemRow> = query.load(conn).await?;
    let more = rows.len() > page.limit;
    let mut items = rows.into_iter().take(page.limit).map(Item::try_from).collect::<Result<Vec<_>, _>>()?;
    if page.from_end {
        items.reverse();
    }
    Ok(ItemList { items, more, total: total as usize })
}

/// The last comparison of a day.
pub async fn report(conn: &mut Conn, day: &str) -> Result<Option<BillReport>, StoreError> {
    type Columns = (i64, i64, i64, i64, i64, Timestamp);
    let found: Option<Columns> = reconciliations::table
        .find(day)
        .select((
            reconciliations::rows_found,
            reconciliations::matched,
            reconciliations::paid,
            reconciliations::refunded,
            reconciliations::runs,
            reconciliations::compared_at,
        ))
        .first(conn)
        .await
        .optional()?;
    let Some((rows, matched, paid, refunded, runs, compared_at)) = found else { return Ok(None) };
    let items: Vec<ItemRow> = reconciliation_items::table
        .filter(reconciliation_items::day.eq(day))
        .order((reconciliation_items::number, reconciliation_items::kind))
        .select(ItemRow::as_select())
        .load(conn)
        .await?;
    Ok(Some(BillReport {
        day: day.to_owned(),
        rows: rows as u64,
        matched: matched as u64,
        paid,
        refunded,
        runs: runs as u64,
        compared_at,
        items: items.into_iter().map(Item::try_from).collect::<Result<_, StoreError>>()?,
    }))
}

/// The days since `from` that were compared.
pub async fn compared_since(conn: &mut Conn, from: &str) -> Result<Vec<String>, StoreError> {
    let days = reconciliations::table.filter(reconciliations::day.ge(from)).select(reconciliations::day);
    Ok(days.load(conn).await?)
}

/// The days that have open differences.
pub async fn days_with_differences(conn: &mut Conn) -> Result<Vec<String>, StoreError> {
    let open = reconciliation_items::table
        .filter(reconciliation_items::resolved_at.is_null().and(reconciliation_items::closed_at.is_null()));
    // DISTINCT would have SQLite go through the primary key, which begins with the day, instead of the few that are open.
    let mut days: Vec<String> = open.select(reconciliation_items::day).load(conn).await?;
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// How many differences are open, by kind.
pub async fn open_by_kind(conn: &mut Conn) -> Result<Vec<(String, i64)>, StoreError> {
    let open = reconciliation_items::table
        .filter(reconciliation_items::resolved_at.is_null().and(reconciliation_items::closed_at.is_null()));
    let counts =
        open.group_by(reconciliation_items::kind).select((reconciliation_items::kind, diesel::dsl::count_star()));
    Ok(counts.load(conn).await?)
}
