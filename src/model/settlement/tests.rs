use super::*;
use crate::gateway::RefundFacts;
use crate::kernel::{Currency, Money, OrderId, Timestamp, UserId};
use crate::model::payments::Amount;

fn cny(minor: i64) -> Money {
    Money { minor, currency: Currency::Cny }
}

fn payment(state: PaymentState) -> Payment {
    Payment {
        id: PaymentId::from_bytes([3; 16]),
        order: OrderId::from_bytes([1; 28]),
        buyer: UserId::from_bytes([2; 16]),
        key: "key-00001".into(),
        method: Method::Alipay,
        amount: Amount::Money(cny(990)),
        state,
        gateway_trade_no: None,
        return_url: None,
        captured: if state.is_captured() { 990 } else { 0 },
        refund_pending: 0,
        refunded: 0,
        flag: None,
        created_at: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(1),
        settled_at: None,
        next_check_at: None,
        checks: 0,
    }
}

fn said(status: TradeStatus, minor: i64) -> TradeSnapshot {
    let number = PaymentId::from_bytes([3; 16]).number();
    TradeSnapshot { number, gateway_trade_no: Some("T1".into()), status, amount: Some(cny(minor)), refund: None }
}

#[test]
fn money_pays_a_waiting_order_and_goes_back_otherwise() {
    let paid = said(TradeStatus::Paid, 990);
    for state in [PaymentState::Pending, PaymentState::Closed] {
        let decide = |order| decide(&payment(state), order, None, &paid);
        assert_eq!(decide(OrderState::AwaitingPayment), Step::Keep);
        for order in [OrderState::Paid, OrderState::Refunding, OrderState::Refunded] {
            assert_eq!(decide(order), Step::SendBack(RefundCause::Surplus));
        }
        for order in [OrderState::Cancelled, OrderState::Expired, OrderState::Voided] {
            assert_eq!(decide(order), Step::SendBack(RefundCause::LatePayment));
        }
    }
}

#[test]
fn what_is_known_changes_nothing() {
    for state in [PaymentState::Succeeded, PaymentState::Surplus] {
        let step = decide(&payment(state), OrderState::Paid, None, &said(TradeStatus::Paid, 990));
        assert_eq!(step, Step::Nothing(Verdict::Duplicate));
        let step = decide(&payment(state), OrderState::Paid, None, &said(TradeStatus::Waiting, 990));
        assert_eq!(step, Step::Nothing(Verdict::Stale), "case 24");
    }
}

#[test]
fn another_amount_never_pays() {
    let step = |amount| {
        let said = TradeSnapshot { amount, ..said(TradeStatus::Paid, 0) };
        decide(&payment(PaymentState::Pending), OrderState::AwaitingPayment, None, &said)
    };
    for amount in [None, Some(cny(0)), Some(Money { minor: 990, currency: Currency::Usd })] {
        assert_eq!(step(amount), Step::Flag(Flag::AmountMismatch), "case 12: {amount:?}");
    }
    for amount in [cny(989), cny(991)] {
        assert_eq!(step(Some(amount)), Step::SetAside(amount), "case 12: {amount:?}");
    }
    let aside = Payment { captured: 989, ..payment(PaymentState::Surplus) };
    let again = |minor| decide(&aside, OrderState::AwaitingPayment, None, &said(TradeStatus::Paid, minor));
    assert_eq!(again(989), Step::Nothing(Verdict::Duplicate));
    assert_eq!(again(990), Step::Flag(Flag::AmountMismatch));
    assert_eq!(step(Some(cny(990))), Step::Keep);
}

#[test]
fn a_refund_notice_is_no_payment() {
    let notice = |total| TradeSnapshot {
        refund: Some(RefundFacts { number: None, total: Some(cny(total)) }),
        ..said(TradeStatus::Paid, 990)
    };
    let kept = Payment { refund_pending: 100, refunded: 200, ..payment(PaymentState::Succeeded) };
    assert_eq!(decide(&kept, OrderState::Paid, None, &notice(300)), Step::RefundNotice, "case 23");
    assert_eq!(decide(&kept, OrderState::Paid, None, &notice(301)), Step::Flag(Flag::ChangedOutside));
    let pending = payment(PaymentState::Pending);
    assert_eq!(decide(&pending, OrderState::AwaitingPayment, None, &notice(300)), Step::AskAgain);
}

#[test]
fn a_trade_closed_behind_our_back_is_flagged() {
    let closed = said(TradeStatus::Closed, 990);
    let decide = |payment: &Payment| decide(payment, OrderState::Paid, None, &closed);
    assert_eq!(decide(&payment(PaymentState::Pending)), Step::Close);
    assert_eq!(decide(&payment(PaymentState::Succeeded)), Step::Flag(Flag::ChangedOutside), "case 22");
    assert_eq!(decide(&Payment { refund_pending: 990, ..payment(PaymentState::Succeeded) }), Step::RefundNotice);
    assert_eq!(decide(&payment(PaymentState::Closed)), Step::Nothing(Verdict::Duplicate));
}

#[test]
fn one_trade_belongs_to_one_payment() {
    let paid = said(TradeStatus::Paid, 990);
    let other = Some(PaymentId::from_bytes([9; 16]));
    let pending = payment(PaymentState::Pending);
    assert_eq!(decide(&pending, OrderState::AwaitingPayment, other, &paid), Step::Flag(Flag::TradeMismatch));
    let moved = Payment { gateway_trade_no: Some("T2".into()), ..payment(PaymentState::Succeeded) };
    assert_eq!(decide(&moved, OrderState::Paid, None, &paid), Step::Flag(Flag::TradeMismatch));
    let points = Payment { method: Method::Points, ..pending };
    assert_eq!(decide(&points, OrderState::Paid, None, &paid), Step::Nothing(Verdict::WrongMethod), "case 11");
}
