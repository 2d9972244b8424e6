//! The writes of one change of a payment's state. Callers hold the locks: the order's, then the payment's.

use super::super::Conn;
use super::{orders, payments, refunds};
use crate::kernel::{PaymentId, Timestamp};
use crate::model::orders::{Order, OrderState};
use crate::model::payments::{LogEntry, Payment, Refund};
use crate::model::settlement::{Message, Step};
use crate::payments::{Flag, PaymentState, RefundCause, RefundState};
use crate::store::StoreError;

/// Carries out what was decided about a payment. Returns the order if it changed.
pub async fn carry_out(
    conn: &mut Conn,
    payment: &Payment,
    step: Step,
    message: &Message,
    now: Timestamp,
) -> Result<Option<Order>, StoreError> {
    match step {
        Step::Keep => {
            settle(conn, payment, PaymentState::Succeeded, payment.amount.units(), message, now).await?;
            let (ticket, from) = (payment.order.ticket(), OrderState::AwaitingPayment);
            let order = orders::advance(conn, ticket, from, OrderState::Paid, now).await?.ok_or_else(moved)?;
            payments::hurry_others(conn, payment.order, payment.id, now).await?;
            Ok(Some(order))
        }
        Step::SendBack(cause) => {
            settle(conn, payment, PaymentState::Surplus, payment.amount.units(), message, now).await?;
            let refund = Refund::of_surplus(payment, cause, now);
            if refunds::insert(conn, &refund).await? {
                if !payments::reserve_refund(conn, payment.id, refund.amount.units()).await? {
                    return Err(moved());
                }
                let entry = LogEntry::new(now, message.actor, "requested", None, RefundState::Requested.as_str());
                refunds::log(conn, refund.id, &entry.detail(cause.as_str())).await?;
            }
            Ok(None)
        }
        Step::Close => {
            settle(conn, payment, PaymentState::Closed, 0, message, now).await?;
            Ok(None)
        }
        Step::Flag(found) => {
            flag(conn, payment, found, message.actor, message.detail(), now).await?;
            Ok(None)
        }
        Step::SetAside(money) => {
            flag(conn, payment, Flag::AmountMismatch, message.actor, message.detail(), now).await?;
            settle(conn, payment, PaymentState::Surplus, money.minor.unsigned_abs(), message, now).await?;
            Ok(None)
        }
        Step::AskAgain => {
            payments::schedule(conn, payment.id, Some(now), payment.checks).await?;
            Ok(None)
        }
        Step::RefundNotice => {
            refunds::hurry(conn, payment.id, now).await?;
            Ok(None)
        }
        Step::Nothing(_) => Ok(None),
    }
}

/// Marks the payment for people, once.
pub async fn flag(
    conn: &mut Conn,
    payment: &Payment,
    found: Flag,
    actor: &str,
    detail: String,
    now: Timestamp,
) -> Result<(), StoreError> {
    if payment.flag == Some(found) {
        return Ok(());
    }
    payments::set_flag(conn, payment.id, Some(found)).await?;
    let state = payment.state.as_str();
    let entry = LogEntry::new(now, actor, "flagged", Some(state), state).code(Some(found.as_str())).detail(detail);
    payments::log(conn, payment.id, &entry).await
}

async fn settle(
    conn: &mut Conn,
    payment: &Payment,
    to: PaymentState,
    captured: u64,
    message: &Message,
    now: Timestamp,
) -> Result<(), StoreError> {
    let trade = message.snapshot.gateway_trade_no.as_deref();
    if !payments::advance(conn, payment.id, payment.state, to, captured, trade, now).await? {
        return Err(moved());
    }
    let entry = LogEntry::new(now, message.actor, "settled", Some(payment.state.as_str()), to.as_str()).code(trade);
    payments::log(conn, payment.id, &entry).await
}

/// Ends attempts that the gateway will take no money for, as far as they are still pending; `check_at`: when to make sure.
pub async fn close_attempts(
    conn: &mut Conn,
    attempts: &[PaymentId],
    actor: &str,
    detail: &str,
    check_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (from, to) = (PaymentState::Pending, PaymentState::Closed);
    for id in attempts {
        payments::lock(conn, *id).await?;
        if payments::advance(conn, *id, from, to, 0, None, now).await? {
            payments::schedule(conn, *id, check_at, 0).await?;
            let entry = LogEntry::new(now, actor, "settled", Some(from.as_str()), to.as_str()).detail(detail);
            payments::log(conn, *id, &entry).await?;
        }
    }
    Ok(())
}

/// Writes down that money is to go back: sets it aside, and moves the order along when nothing of what was paid would stay.
/// `None`: so much is not there. Otherwise the order, if it changed.
pub async fn intend(
    conn: &mut Conn,
    refund: &Refund,
    order: &Order,
    actor: &str,
    now: Timestamp,
) -> Result<Option<Option<Order>>, StoreError> {
    if !payments::reserve_refund(conn, refund.payment, refund.amount.units()).await? {
        return Ok(None);
    }
    refunds::insert(conn, refund).await?;
    let entry = LogEntry::new(now, actor, "requested", None, RefundState::Requested.as_str());
    let entry = LogEntry { detail: refund.reason.clone(), ..entry };
    refunds::log(conn, refund.id, &entry).await?;
    let payment = payments::find(conn, refund.payment).await?.ok_or_else(moved)?;
    let all = payment.state == PaymentState::Succeeded && payment.refundable() == 0;
    if !all || order.state != OrderState::Paid {
        return Ok(Some(None));
    }
    let moved_on = orders::advance(conn, order.ticket, OrderState::Paid, OrderState::Refunding, now).await?;
    Ok(Some(Some(moved_on.ok_or_else(moved)?)))
}

/// Writes down how a refund ended: the money is back, or stays for good. Returns the order if it changed, and whether money that had
/// paid an order went back by this; does nothing when the refund had ended already.
pub async fn end_refund(
    conn: &mut Conn,
    refund: &Refund,
    to: RefundState,
    code: Option<&str>,
    actor: &str,
    now: Timestamp,
) -> Result<(Option<Order>, bool), StoreError> {
    let Some(found) = refunds::find(conn, refund.id).await? else { return Err(moved()) };
    if !refunds::settle(conn, refund.id, to, code, now).await? {
        return Ok((None, false));
    }
    let back = to == RefundState::Succeeded;
    payments::settle_refund(conn, refund.payment, refund.amount.units(), back).await?;
    let entry = LogEntry::new(now, actor, "settled", Some(found.state.as_str()), to.as_str()).code(code);
    refunds::log(conn, refund.id, &entry).await?;
    let payment = payments::find(conn, refund.payment).await?.ok_or_else(moved)?;
    let settled = payment.refundable() == 0 && payment.refund_pending == 0;
    let explained = match payment.flag {
        Some(Flag::AmountMismatch | Flag::RefundRejected) => true,
        // This is what was done outside.
        Some(Flag::ChangedOutside) => found.cause == RefundCause::External,
        _ => false,
    };
    if settled && explained {
        // Nothing is left that somebody would have to look at.
        payments::set_flag(conn, payment.id, None).await?;
        let state = payment.state.as_str();
        let code = payment.flag.map(Flag::as_str);
        payments::log(conn, payment.id, &LogEntry::new(now, actor, "resolved", Some(state), state).code(code)).await?;
    }
    if !back {
        let detail = format!("refund {}: {}", refund.number(), code.unwrap_or_default());
        flag(conn, &payment, Flag::RefundRejected, actor, detail, now).await?;
    }
    if payment.state != PaymentState::Succeeded {
        return Ok((None, false));
    }
    let next = match back {
        true if payment.refunded == payment.amount.units() => OrderState::Refunded,
        true => return Ok((None, true)),
        false => OrderState::Paid,
    };
    Ok((orders::advance(conn, payment.order.ticket(), OrderState::Refunding, next, now).await?, back))
}

/// What was read under its lock is not as it was: the transaction ends without effect.
fn moved() -> StoreError {
    StoreError::internal("a locked row changed")
}
