//! What the purchases of a sale became, counted.

use diesel::dsl::{count_star, sql};
use diesel::sql_types::BigInt;
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::orders;
use super::catalog::{corrupt, narrow};
use crate::kernel::{Epoch, SaleId, Seq, TicketId};
use crate::model::orders::OrderState;
use crate::model::sales::Counted;
use crate::store::StoreError;

/// The purchases of a sale, as of one moment (one statement). Their tickets stand together.
pub async fn count(conn: &mut Conn, sale: SaleId) -> Result<Counted, StoreError> {
    let first = TicketId { sale, epoch: Epoch::MIN, seq: Seq::MIN };
    let last = TicketId { sale, epoch: Epoch::MAX, seq: Seq::MAX };
    let rows: Vec<(String, i64, i64)> = orders::table
        .filter(orders::id.ge(first))
        .filter(orders::id.le(last))
        .group_by(orders::status)
        .select((orders::status, count_star(), sql::<BigInt>("CAST(SUM(quantity) AS BIGINT)")))
        .load(conn)
        .await?;
    let mut counted = Counted::default();
    for (status, tickets, units) in rows {
        let state = OrderState::parse(&status).ok_or_else(|| corrupt("order status"))?;
        add(&mut counted, state, narrow(tickets)?, narrow(units)?);
    }
    Ok(counted)
}

fn add(counted: &mut Counted, state: OrderState, tickets: u64, units: u64) {
    counted.tickets += tickets;
    let became = match state {
        OrderState::AwaitingPayment => &mut counted.unpaid,
        OrderState::Paid => &mut counted.paid,
        OrderState::Refunding => &mut counted.refunding,
        OrderState::Refunded => &mut counted.refunded,
        OrderState::Cancelled | OrderState::Expired => {
            counted.orders += tickets;
            return;
        }
        OrderState::RefusedSoldOut
        | OrderState::RefusedAlreadyBought
        | OrderState::RefusedSaleEnded
        | OrderState::Voided => return,
    };
    *became += units;
    counted.orders += tickets;
}
