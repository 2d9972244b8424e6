//! What a person has looked at: an operator closes a difference between a bill and the books, or takes a payment's mark away, and says
//! why. Neither moves money; both are audited.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::refund::is_reason;
use super::{Orders, OrdersError};
use crate::catalog::Audit;
use crate::kernel::{AuditId, BillDifferenceId, PaymentId, Timestamp, UserId};
use crate::payments::reconciliation::{BilledRefund, Kind};
use crate::payments::{Flag, LogEntry, Payment, PaymentState};
use crate::store;

/// A difference between a bill and the books, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Identity. It stands for what was seen: with other amounts it is another difference.
    pub id: BillDifferenceId,
    /// The bill's day in the gateway's zone, `2026-11-23`.
    pub day: String,
    /// The number of the payment or the refund.
    pub number: String,
    /// What differs.
    pub kind: Kind,
    /// What we have, or had.
    pub ours: String,
    /// What the bill has.
    pub theirs: String,
    /// The refund that the bill has and we have not, if it is one.
    #[serde(default)]
    pub refund: Option<BilledRefund>,
    /// When it was found first.
    pub found_at: Timestamp,
    /// When a comparison did not find it any more.
    pub resolved_at: Option<Timestamp>,
    /// That an operator closed it.
    pub closure: Option<Closure>,
}

impl Item {
    /// Whether somebody must look at it.
    pub const fn is_open(&self) -> bool {
        self.resolved_at.is_none() && self.closure.is_none()
    }
}

/// That an operator closed a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: UserId,
    /// Why.
    pub reason: String,
}

/// A place in the list of differences, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemKey {
    /// When it was found.
    pub at: Timestamp,
    /// Which.
    pub id: BillDifferenceId,
}

/// A page of differences: `limit` newer than `after` or older than `before`, those nearest to it.
#[derive(Debug, Clone)]
pub struct ItemPage {
    /// Only open ones.
    pub open: bool,
    /// Only newer ones.
    pub after: Option<ItemKey>,
    /// Only older ones.
    pub before: Option<ItemKey>,
    /// How many at most.
    pub limit: usize,
    /// Count from the newest end.
    pub from_end: bool,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct ItemList {
    /// The page, the oldest first.
    pub items: Vec<Item>,
    /// Whether there is more beyond it, in the direction that was asked for.
    pub more: bool,
    /// How many there are in all.
    pub total: usize,
}

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

impl Orders {
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
        self.count_differences().await?;
        Ok(closed)
    }

    /// Shows how many differences are open, by kind. Operators may have closed some on another node.
    pub(super) async fn count_differences(&self) -> Result<(), OrdersError> {
        let open = store::read!(&self.0.db, |conn| sql::bills::open_by_kind(conn).await)?;
        for kind in Kind::ALL {
            let count = open.iter().find(|(name, _)| name == kind.as_str()).map_or(0, |(_, count)| *count);
            self.0.metrics.bill_differences.get(kind.as_str()).set(count);
        }
        Ok(())
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
            sql::payments::lock(conn, id).await?;
            let payment = sql::payments::find(conn, id).await?.unwrap_or(known);
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
