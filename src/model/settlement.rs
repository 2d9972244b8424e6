//! What a gateway's message means for a payment: a pure decision.

use super::orders::OrderState;
use super::payments::{Flag, Method, Payment, PaymentState, RefundCause, Verdict};
use crate::gateway::{TradeSnapshot, TradeStatus};
use crate::kernel::{Money, PaymentId};

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

    /// The name of the event in the payment's log, if it leaves one.
    pub const fn event(self) -> Option<&'static str> {
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

#[cfg(test)]
mod tests;
