//! What the purchases of a sale add up to, for the control room. Read when a node starts, and after it missed something.

use diesel::dsl::{count_star, sql};
use diesel::sql_types::{BigInt, Nullable};
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{orders, payments};
use super::catalog::{corrupt, narrow};
use crate::kernel::{Epoch, SaleId, Seq, TicketId};
use crate::model::orders::OrderState;
use crate::model::sums::SaleSums;
use crate::payments::{Method, PaymentState};
use crate::store::StoreError;

/// The sums of a sale. Its tickets stand together, and so do their payments.
pub async fn read(conn: &mut Conn, sale: SaleId) -> Result<SaleSums, StoreError> {
    let first = TicketId { sale, epoch: Epoch::MIN, seq: Seq::MIN };
    let last = TicketId { sale, epoch: Epoch::MAX, seq: Seq::MAX };
    let rows: Vec<(String, i64, i64)> = orders::table
        .filter(orders::id.ge(first))
        .filter(orders::id.le(last))
        .group_by(orders::status)
        .select((orders::status, count_star(), sql::<BigInt>("CAST(SUM(quantity) AS BIGINT)")))
        .load(conn)
        .await?;
    let mut sums = SaleSums::default();
    for (status, tickets, units) in rows {
        let state = OrderState::parse(&status).ok_or_else(|| corrupt("order status"))?;
        sums.tickets += narrow::<u64>(tickets)?;
        if let Some(refusal) = state.refusal() {
            sums.refused[refusal as usize] += narrow::<u64>(tickets)?;
        }
        if matches!(state, OrderState::Paid | OrderState::Refunding) {
            sums.units_paid += narrow::<u64>(units)?;
        }
    }
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
