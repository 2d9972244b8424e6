//! Operators' reviews: closing a discrepancy between a bill and the records, or clearing the flag of a payment, with a
//! reason. Neither moves money; both are audited.

use serde_json::json;

use super::Payments;
use super::refund::is_reason;
use crate::kernel::{AuditId, BillDifferenceId, PaymentId, UserId};
use crate::model::audit::Audit;
use crate::model::bills::{Closure, Item, ItemList, ItemPage};
use crate::model::payments::{LogEntry, Payment};
use crate::orders::OrdersError;
use crate::payments::{Flag, PaymentState};
use crate::store;

/// Why a difference is not closed, or a mark not taken away. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookRefusal {
    /// There is no such difference, or no such payment.
    NotFound,
    /// The difference is resolved or closed already, or the payment has no such mark.
    NotOpen,
    /// The money is another amount than was asked for and pays nothing: it has to go back first.
    MoneyWaits,
    /// Empty, too long, or with control characters.
    ReasonInvalid,
}

type Answer<T> = Result<Result<T, LookRefusal>, OrdersError>;

impl Payments {
    /// A page of the differences between bills and books.
    pub async fn differences(&self, page: ItemPage) -> Result<ItemList, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::bills::list(conn, page).await)?)
    }

    /// A difference.
    pub async fn difference(&self, id: BillDifferenceId) -> Result<Option<Item>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::bills::find(conn, id).await)?)
    }

    /// Closes an open difference for the audit and the list. Saying the same again gets the same answer.
    pub async fn close_difference(&self, operator: UserId, id: Option<BillDifferenceId>, reason: &str) -> Answer<Item> {
        let reason = reason.trim();
        if reason.is_empty() || !is_reason(reason) {
            return Ok(Err(LookRefusal::ReasonInvalid));
        }
        let Some(id) = id else { return Ok(Err(LookRefusal::NotFound)) };
        let closure = Closure { at: self.0.clock.now(), by: operator, reason: reason.to_owned() };
        let audit_id = AuditId::generate(&self.0.clock, &self.0.rng);
        let closed = store::write!(&self.0.db, |conn| {
            let now = sql::bills::close(conn, id, &closure).await?;
            let Some(item) = sql::bills::find(conn, id).await? else { return Ok(Err(LookRefusal::NotFound)) };
            if now {
                sql::catalog::write_down(conn, &audit_of_closing(audit_id, &item, &closure)).await?;
            }
            let same = |known: &Closure| known.by == closure.by && known.reason == closure.reason;
            Ok(if item.closure.as_ref().is_some_and(same) { Ok(item) } else { Err(LookRefusal::NotOpen) })
        })?;
        self.0.counts_due.notify_one();
        Ok(closed)
    }

    /// Takes the mark away by which a payment is in the list of those that somebody must look at. Money is moved by refunds only: a payment
    /// of another amount than was asked for keeps its mark until all of it is back.
    pub async fn clear_flag(
        &self,
        operator: UserId,
        payment: Option<PaymentId>,
        flag: Flag,
        reason: &str,
    ) -> Answer<Payment> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() || !is_reason(&reason) {
            return Ok(Err(LookRefusal::ReasonInvalid));
        }
        let Some(id) = payment else { return Ok(Err(LookRefusal::NotFound)) };
        let (now, audit_id) = (self.0.clock.now(), AuditId::generate(&self.0.clock, &self.0.rng));
        Ok(store::write!(&self.0.db, |conn| {
            let Some(known) = sql::payments::find(conn, id).await? else { return Ok(Err(LookRefusal::NotFound)) };
            sql::orders::lock(conn, &[known.order.ticket()]).await?;
            let payment = sql::payments::find_locked(conn, id).await?.unwrap_or(known);
            if payment.flag != Some(flag) {
                return Ok(Err(LookRefusal::NotOpen));
            }
            let all_back = payment.refunded == payment.captured;
            if flag == Flag::AmountMismatch && payment.state == PaymentState::Surplus && !all_back {
                return Ok(Err(LookRefusal::MoneyWaits));
            }
            sql::payments::set_flag(conn, id, None).await?;
            let state = payment.state.as_str();
            let entry = LogEntry::new(now, "operator", "resolved", Some(state), state).code(Some(flag.as_str()));
            sql::payments::log(conn, id, &entry.detail(&reason)).await?;
            let audit = Audit {
                id: audit_id,
                operator,
                act: "payment.flag_clear",
                subject: id.to_string(),
                detail: json!({ "flag": flag.as_str(), "reason": reason }),
                at: now,
            };
            sql::catalog::write_down(conn, &audit).await?;
            Ok(Ok(Payment { flag: None, ..payment }))
        })?)
    }
}

fn audit_of_closing(id: AuditId, item: &Item, closure: &Closure) -> Audit {
    let Item { day, number, kind, ours, theirs, .. } = item;
    let detail = json!({
        "day": day, "number": number, "kind": kind.as_str(), "ours": ours, "theirs": theirs, "reason": closure.reason,
    });
    let subject = item.id.to_string();
    Audit { id, operator: closure.by, act: "bill.difference_close", subject, detail, at: closure.at }
}

#[cfg(test)]
mod tests;
