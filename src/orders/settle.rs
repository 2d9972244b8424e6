//! Applies the gateway's messages about a payment: notifications, queries and browser returns all end here. [`decide`]
//! is a pure function of the stored state and the message. Its outcome is applied in the transaction that read the
//! stored state.

use super::record::result_event;
use super::{Order, OrderState, Orders, OrdersError};
use crate::hub::events::ResultEvent;
use crate::kernel::{Money, PaymentId};
use crate::payments::gateway::Notification;
use crate::payments::{
    BadMessage, Flag, Method, Payment, PaymentState, RefundCause, StoredNotification, TradeSnapshot, TradeStatus,
    Verdict,
};
use crate::store;
use crate::telemetry::OrderEvent;

/// The action to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The money pays the order.
    Keep,
    /// The money is here and pays nothing: it goes back.
    SendBack(RefundCause),
    /// So much is here, which is not what was asked for: it is kept aside until a person has looked, and has sent it back.
    SetAside(Money),
    /// The attempt ended without payment.
    Close,
    /// A person must look.
    Flag(Flag),
    /// Paid and partly refunded, but we do not know it as paid: the gateway is asked what is so.
    AskAgain,
    /// It tells of a refund of ours.
    RefundNotice,
    /// Nothing.
    Nothing(Verdict),
}

/// A message about a trade, and how it came.
#[derive(Debug, Clone)]
pub struct Message {
    /// The contents of the message.
    pub snapshot: TradeSnapshot,
    /// `notification`, `query`.
    pub actor: &'static str,
}

impl Message {
    /// The contents of the message, for a log.
    pub fn detail(&self) -> String {
        let TradeSnapshot { status, amount, gateway_trade_no, refund, .. } = &self.snapshot;
        let amount = amount.map_or_else(|| "no amount".to_owned(), |amount| amount.to_string());
        let trade = gateway_trade_no.as_deref().unwrap_or("none");
        let refunded = refund.as_ref().and_then(|refund| refund.total).map(|total| format!(", refunded {total}"));
        format!("{status:?} with {amount}, trade {trade}{}", refunded.unwrap_or_default())
    }
}

impl Step {
    /// Its name for who sent the message.
    pub const fn verdict(self) -> Verdict {
        match self {
            Self::Keep | Self::SendBack(_) | Self::Close => Verdict::Accepted,
            Self::SetAside(_) | Self::Flag(Flag::AmountMismatch) => Verdict::AmountMismatch,
            Self::Flag(_) => Verdict::Flagged,
            Self::AskAgain | Self::RefundNotice => Verdict::RefundNotice,
            Self::Nothing(verdict) => verdict,
        }
    }

    const fn event(self) -> Option<&'static str> {
        match self {
            Self::Keep => Some("succeeded"),
            Self::SendBack(_) => Some("surplus"),
            Self::Close => Some("closed"),
            Self::Flag(_) | Self::SetAside(_) => Some("flagged"),
            Self::AskAgain | Self::RefundNotice | Self::Nothing(_) => None,
        }
    }
}

/// What a message means for a payment, whose order is in this state. `owner` is the payment that holds the message's trade already.
pub fn decide(payment: &Payment, order: OrderState, owner: Option<PaymentId>, said: &TradeSnapshot) -> Step {
    if payment.method != Method::Alipay {
        return Step::Nothing(Verdict::WrongMethod);
    }
    let other_trade = match (&payment.gateway_trade_no, &said.gateway_trade_no) {
        (Some(known), Some(said)) => known != said,
        _ => false,
    };
    if other_trade || owner.is_some_and(|owner| owner != payment.id) {
        return Step::Flag(Flag::TradeMismatch);
    }
    match said.status {
        TradeStatus::Absent | TradeStatus::Waiting => Step::Nothing(Verdict::Stale),
        TradeStatus::Paid => paid(payment, order, said),
        TradeStatus::Closed if payment.state == PaymentState::Pending => Step::Close,
        TradeStatus::Closed if payment.state.is_captured() => {
            // A trade is closed by its last refund. If that is none of ours, somebody acted at the gateway.
            let all_goes_back = payment.refundable() == 0;
            if all_goes_back { Step::RefundNotice } else { Step::Flag(Flag::ChangedOutside) }
        }
        TradeStatus::Closed => Step::Nothing(Verdict::Duplicate),
    }
}

fn paid(payment: &Payment, order: OrderState, said: &TradeSnapshot) -> Step {
    // What was taken instead is known, once it is set aside.
    let expected = if payment.state.is_captured() { payment.captured } else { payment.amount.units() };
    if said.amount.is_none() || said.amount != payment.amount.with_units(expected).money() {
        return match said.amount {
            Some(taken) if !payment.state.is_captured() && taken.minor > 0 && payment.is_in(taken.currency) => {
                Step::SetAside(taken)
            }
            _ => Step::Flag(Flag::AmountMismatch),
        };
    }
    if let Some(refund) = &said.refund {
        let ours = payment.refund_pending + payment.refunded;
        return match refund.total {
            _ if !payment.state.is_captured() => Step::AskAgain,
            Some(total) if total.minor.unsigned_abs() > ours => Step::Flag(Flag::ChangedOutside),
            _ => Step::RefundNotice,
        };
    }
    match (payment.state, order) {
        (PaymentState::Succeeded | PaymentState::Surplus, _) => Step::Nothing(Verdict::Duplicate),
        // No gateway's payment fails: it is closed.
        (PaymentState::Failed, _) => Step::Flag(Flag::ChangedOutside),
        (PaymentState::Pending | PaymentState::Closed, OrderState::AwaitingPayment) => Step::Keep,
        (_, OrderState::Paid | OrderState::Refunding | OrderState::Refunded) => Step::SendBack(RefundCause::Surplus),
        (_, _) => Step::SendBack(RefundCause::LatePayment),
    }
}

impl Orders {
    /// Applies what a notification or a query says, in one transaction: payment, order, refund, logs, event. Saying it again
    /// changes nothing. `heard` is the notification, if it is one.
    pub async fn apply_trade(
        &self,
        snapshot: TradeSnapshot,
        actor: &'static str,
        heard: Option<Notification>,
    ) -> Result<Verdict, OrdersError> {
        let now = self.0.clock.now();
        let number = snapshot.number.clone();
        let id = PaymentId::from_number(&number);
        let message = Message { snapshot, actor };
        type Applied = (Step, Option<Order>, Message);
        let (step, order, message): Applied = store::write!(&self.0.db, |conn| {
            let known = match id {
                Some(id) => sql::payments::find(conn, id).await?,
                None => None,
            };
            let (mut step, mut changed) = (Step::Nothing(Verdict::UnknownPayment), None);
            if let Some(known) = known {
                // The order before the payment, everywhere; then what is read is as the last writer left it.
                let ticket = known.order.ticket();
                sql::orders::lock(conn, &[ticket]).await?;
                sql::payments::lock(conn, known.id).await?;
                let payment = sql::payments::find(conn, known.id).await?.unwrap_or(known);
                let order = sql::orders::find(conn, ticket).await?;
                let owner = match &message.snapshot.gateway_trade_no {
                    Some(trade) => sql::payments::owner_of_trade(conn, Method::Alipay, trade).await?,
                    None => None,
                };
                let state = order.map_or(OrderState::Voided, |order| order.state);
                step = decide(&payment, state, owner, &message.snapshot);
                changed = sql::settle::carry_out(conn, &payment, step, &message, now).await?;
            }
            if let Some(order) = &changed {
                sql::held::note_paid(conn, order.sale(), order.quantity).await?;
                let events = vec![ResultEvent::Order(order.clone())];
                sql::outbox::append(conn, &[result_event(order.sale(), events)?], now).await?;
            }
            if let Some(heard) = heard {
                let Notification { id, status, masked, .. } = heard;
                let verdict = step.verdict();
                let stored = StoredNotification { id, number, status, verdict, masked, received_at: now };
                sql::payments::insert_notification(conn, &stored).await?;
            }
            super::fail_point("settle.before_commit");
            Ok((step, changed, message))
        })?;
        super::fail_point("settle.after_commit");
        self.announce(&message, step, order.as_ref());
        Ok(step.verdict())
    }

    fn announce(&self, message: &Message, step: Step, paid: Option<&Order>) {
        if let Some(event) = step.event() {
            self.0.metrics.payments.count(event);
        }
        let flag = match step {
            Step::Flag(flag) => Some(flag),
            Step::SetAside(_) => Some(Flag::AmountMismatch),
            _ => None,
        };
        if let Some(flag) = flag {
            let (number, said) = (&message.snapshot.number, message.detail());
            tracing::error!(number, flag = flag.as_str(), said, "a payment was flagged; an operator must review it");
        }
        if let Some(order) = paid {
            self.0.metrics.orders.count("paid");
            let (units, revenue) = (order.quantity, order.total().minor);
            self.0.metrics.watched.events.happened(order.sale(), OrderEvent::Paid, units, revenue);
            self.0.relay.wake();
        }
        if matches!(step, Step::SendBack(_) | Step::RefundNotice) {
            self.0.refunds_due.notify_one();
        }
        if matches!(step, Step::Keep | Step::AskAgain) {
            self.0.checks_due.notify_one();
        }
    }

    /// Takes a notification as it was posted. Whether it is durably recorded, or of no use to record, so that the gateway need not send
    /// it again.
    pub async fn notified(&self, body: &[u8]) -> Result<bool, OrdersError> {
        let Some(gateway) = &self.0.gateway else { return Ok(false) };
        let heard = match gateway.verify_notification(body) {
            Ok(heard) => heard,
            Err(error) => {
                self.refuse(error);
                return Ok(false);
            }
        };
        let verdict = self.apply_trade(heard.snapshot.clone(), "notification", Some(heard)).await?;
        self.0.metrics.notifications.count(&verdict.as_str().to_ascii_lowercase());
        Ok(!matches!(verdict, Verdict::UnknownPayment | Verdict::WrongMethod | Verdict::AmountMismatch))
    }

    /// Forged messages are counted, not kept: whoever sends them must not fill anything.
    pub(super) fn refuse(&self, error: BadMessage) {
        self.0.metrics.notifications.count(error.as_str());
        tracing::debug!(%error, "rejected a message from the gateway");
    }
}

#[cfg(test)]
mod tests;
