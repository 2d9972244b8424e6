//! What the purchases of a sale became, counted.

use diesel::dsl::{count_star, sql};
use diesel::sql_types::{BigInt, Nullable};
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{orders, payments};
use super::catalog::{corrupt, narrow};
use crate::kernel::{Epoch, SaleId, Seq, TicketId};
use crate::model::orders::OrderState;
use crate::model::sales::{Counted, Moved};
use crate::model::sums::SaleSums;
use crate::payments::{Method, PaymentState};
use crate::store::StoreError;

/// The purchases of a sale that stand alike.
pub struct Alike {
    /// As stored.
    pub status: String,
    /// How many they are.
    pub tickets: u64,
    /// Their units.
    pub units: u64,
    /// The sum of their versions: grows with each change of one.
    pub versions: u64,
}

impl Alike {
    fn state(&self) -> Result<OrderState, StoreError> {
        OrderState::parse(&self.status).ok_or_else(|| corrupt("order status"))
    }
}

/// The first and the last ticket that a sale can have: its tickets stand together, and so do their payments.
pub(super) const fn bounds(sale: SaleId) -> (TicketId, TicketId) {
    (TicketId { sale, epoch: Epoch::MIN, seq: Seq::MIN }, TicketId { sale, epoch: Epoch::MAX, seq: Seq::MAX })
}

/// The purchases of a sale by their status, as of one moment (one statement).
pub async fn by_status(conn: &mut Conn, sale: SaleId) -> Result<Vec<Alike>, StoreError> {
    let (first, last) = bounds(sale);
    let rows: Vec<(String, i64, i64, i64)> = orders::table
        .filter(orders::id.ge(first))
        .filter(orders::id.le(last))
        .group_by(orders::status)
        .select((
            orders::status,
            count_star(),
            sql::<BigInt>("CAST(SUM(quantity) AS BIGINT)"),
            sql::<BigInt>("CAST(SUM(version) AS BIGINT)"),
        ))
        .load(conn)
        .await?;
    let alike = |(status, tickets, units, versions): (String, i64, i64, i64)| -> Result<Alike, StoreError> {
        Ok(Alike { status, tickets: narrow(tickets)?, units: narrow(units)?, versions: narrow(versions)? })
    };
    rows.into_iter().map(alike).collect()
}

/// The outcome of a sale's purchases so far.
pub async fn count(conn: &mut Conn, sale: SaleId) -> Result<Counted, StoreError> {
    let mut counted = Counted::default();
    for alike in by_status(conn, sale).await? {
        add(&mut counted, &alike)?;
    }
    counted.moved = moved(conn, sale).await?;
    Ok(counted)
}

fn add(counted: &mut Counted, alike: &Alike) -> Result<(), StoreError> {
    counted.tickets += alike.tickets;
    counted.versions += alike.versions;
    let became = match alike.state()? {
        OrderState::AwaitingPayment => &mut counted.unpaid,
        OrderState::Paid => &mut counted.paid,
        OrderState::Refunding => &mut counted.refunding,
        OrderState::Refunded => &mut counted.refunded,
        OrderState::Cancelled | OrderState::Expired => {
            counted.orders += alike.tickets;
            return Ok(());
        }
        OrderState::RefusedSoldOut
        | OrderState::RefusedAlreadyBought
        | OrderState::RefusedSaleEnded
        | OrderState::Voided => return Ok(()),
    };
    *became += alike.units;
    counted.orders += alike.tickets;
    Ok(())
}

/// What came in and went back by the payments of a sale, money and points together: no amount of anything, but it changes when one
/// does.
async fn moved(conn: &mut Conn, sale: SaleId) -> Result<Moved, StoreError> {
    let (first, last) = bounds(sale);
    let sums: (i64, Option<i64>, Option<i64>, Option<i64>) = payments::table
        .filter(payments::order_id.ge(first))
        .filter(payments::order_id.le(last))
        .select((
            count_star(),
            sql::<Nullable<BigInt>>("CAST(SUM(captured) AS BIGINT)"),
            sql::<Nullable<BigInt>>("CAST(SUM(refund_pending) AS BIGINT)"),
            sql::<Nullable<BigInt>>("CAST(SUM(refunded) AS BIGINT)"),
        ))
        .first(conn)
        .await?;
    let (payments, received, returning, returned) = sums;
    let sum = |sum: Option<i64>| narrow(sum.unwrap_or(0));
    Ok(Moved {
        payments: narrow(payments)?,
        received: sum(received)?,
        returning: sum(returning)?,
        returned: sum(returned)?,
    })
}

/// What the purchases of a sale add up to, for the control room. Read when a node starts, and after it missed something.
pub async fn sums(conn: &mut Conn, sale: SaleId) -> Result<SaleSums, StoreError> {
    let mut sums = SaleSums::default();
    for alike in by_status(conn, sale).await? {
        let state = alike.state()?;
        sums.tickets += alike.tickets;
        if let Some(refusal) = state.refusal() {
            sums.refused[refusal as usize] += alike.tickets;
        }
        if matches!(state, OrderState::Paid | OrderState::Refunding) {
            sums.units_paid += alike.units;
        }
    }
    let (first, last) = bounds(sale);
    let revenue: Option<i64> = payments::table
        .filter(payments::order_id.ge(first))
        .filter(payments::order_id.le(last))
        .filter(payments::status.eq(PaymentState::Succeeded.as_str()))
        .filter(payments::method.ne(Method::Points.as_str()))
        .select(sql::<Nullable<BigInt>>("CAST(SUM(amount - refunded) AS BIGINT)"))
        .first(conn)
        .await?;
    sums.revenue = revenue.unwrap_or(0);
    Ok(sums)
}
