//! Payments, refunds, and the gateway's bills.

use diesel_async::AsyncConnection as _;
use doorbuster::kernel::Timestamp;
use doorbuster::model::bills::{Closure, ItemKey, ItemPage};
use doorbuster::model::bills::{Compared, Difference, Kind};
use doorbuster::model::lists::{MoneyKey, MoneyPage, PaymentFilter, RefundFilter};
use doorbuster::model::payments::{Amount, LogEntry, Payment, Refund, StoredNotification};
use doorbuster::payments::{Flag, Method, PaymentState, RefundCause, RefundState, Verdict};
use doorbuster::store::{Database, StoreError};

use super::super::super::{NOW, on};
use super::super::capture::Recorder;
use super::super::data;
use super::{EARLIER, LATER, Page, pages, yuan};

fn new_payment() -> Payment {
    Payment {
        id: data::payment(900_000),
        order: data::ticket(100).order(),
        buyer: data::buyer(100),
        key: "key-new".into(),
        method: Method::Alipay,
        amount: Amount::Money(yuan(10)),
        state: PaymentState::Pending,
        gateway_trade_no: None,
        return_url: None,
        captured: 0,
        refund_pending: 0,
        refunded: 0,
        flag: None,
        created_at: NOW,
        expires_at: LATER,
        settled_at: None,
        next_check_at: None,
        checks: 0,
    }
}

pub async fn payments(db: &Database, recorder: &Recorder) {
    let (new, kept) = (new_payment(), data::payment(1));
    let (of, entry) = (new.order, LogEntry::new(NOW, "buyer", "begun", None, "PENDING"));
    let heard = StoredNotification {
        id: "notice-new".into(),
        number: new.number(),
        status: "TRADE_SUCCESS".into(),
        verdict: Verdict::Accepted,
        masked: "{}".into(),
        received_at: NOW,
    };
    let number = kept.number();
    recorded!(db, recorder, |conn| {
        sql::payments::insert(conn, &new);
        sql::payments::lock(conn, new.id);
        sql::payments::find_locked(conn, new.id);
        sql::payments::find(conn, kept);
        sql::payments::find_by_key(conn, data::buyer(7), "key-7");
        sql::payments::of_order(conn, of);
        sql::payments::count_of_order(conn, of);
        sql::payments::owner_of_trade(conn, Method::Alipay, "trade-1");
        sql::payments::order_of_trade(conn, "trade-1");
        sql::payments::due(conn, NOW, 100);
        sql::payments::put_off(conn, &[new.id], LATER);
        sql::payments::stuck(conn, EARLIER, MoneyKey::START, 100);
        sql::payments::hurry_others(conn, of, kept, NOW);
        sql::payments::schedule(conn, new.id, Some(LATER), 1);
        sql::payments::set_flag(conn, new.id, Some(Flag::TradeMismatch));
        sql::payments::advance(conn, new.id, PaymentState::Pending, PaymentState::Closed, 0, None, NOW);
        sql::payments::advance(
            conn,
            new.id,
            PaymentState::Closed,
            PaymentState::Surplus,
            1_000,
            Some("trade-new"),
            NOW,
        );
        sql::payments::reserve_refund(conn, new.id, 500);
        sql::payments::settle_refund(conn, new.id, 500, true);
        sql::payments::log(conn, kept, &entry);
        sql::payments::last_reason(conn, kept, "unclear");
        sql::payments::log_of(conn, kept, 10);
        sql::payments::insert_notification(conn, &heard);
        sql::payments::notifications_of(conn, &number, 10);
    });
}

pub async fn refunds(db: &Database, recorder: &Recorder) {
    let payment = Payment { id: data::payment(1), ..new_payment() };
    let new = Refund::requested(data::refund(900_000), &payment, payment.amount, RefundCause::Surplus, NOW);
    let (known, entry) = (data::refund(5), LogEntry::new(NOW, "buyer", "requested", None, "REQUESTED"));
    recorded!(db, recorder, |conn| {
        sql::refunds::insert(conn, &new);
        sql::refunds::find(conn, known);
        sql::refunds::find_by_key(conn, data::user(7), "key-7");
        sql::refunds::of_order(conn, data::ticket(5).order());
        sql::refunds::due(conn, Method::Alipay, NOW, 100);
        sql::refunds::put_off(conn, &[new.id], LATER);
        sql::refunds::stuck(conn, NOW, MoneyKey::START, 100);
        sql::refunds::last_try_of_others(conn, &new);
        sql::refunds::begin_try(conn, &new, NOW, LATER);
        sql::refunds::postpone(conn, new.id, LATER, None);
        sql::refunds::postpone(conn, new.id, LATER, Some("SYSTEM_ERROR"));
        sql::refunds::hurry(conn, payment.id, NOW);
        sql::refunds::settle(conn, new.id, RefundState::Failed, None, NOW);
        sql::refunds::log(conn, known, &entry);
        sql::refunds::last_reason(conn, known, "postponed");
        sql::refunds::log_of(conn, known, 10);
    });
}

/// Lists of all payments and refunds, in each of their forms.
pub async fn lists(db: &Database, recorder: &Recorder) {
    let key = |n: u64| MoneyKey { at: data::created(n), id: data::payment(n).to_bytes() };
    let all =
        PaymentFilter { states: PaymentState::ALL.to_vec(), methods: Method::ALL.to_vec(), flagged: None, buyer: None };
    let filters = [
        PaymentFilter { states: vec![PaymentState::Pending, PaymentState::Surplus], ..all.clone() },
        PaymentFilter { flagged: Some(true), ..all.clone() },
        PaymentFilter { flagged: Some(false), ..all.clone() },
        PaymentFilter { buyer: Some(data::buyer(7)), ..all.clone() },
        PaymentFilter { buyer: Some(data::buyer(7)), flagged: Some(true), ..all.clone() },
        PaymentFilter { buyer: Some(data::buyer(7)), flagged: Some(false), ..all.clone() },
        all,
    ];
    let back = RefundFilter { states: RefundState::ALL.to_vec(), causes: RefundCause::ALL.to_vec() };
    for (from, until) in [(None, None), (Some(data::created(500)), Some(data::created(600)))] {
        for Page { after, before, from_end } in pages(key) {
            let (is_first, page) =
                (after.is_none() && !from_end, MoneyPage { from, until, after, before, limit: 10, from_end });
            // The moments are in each statement, whatever they are.
            for filter in &filters[..if from.is_some() { 1 } else { filters.len() }] {
                let (filter, page) = (filter.clone(), page.clone());
                recorded!(db, recorder, |conn| {
                    sql::money_lists::payments(conn, &filter, &page);
                    async {
                        if is_first {
                            drop(sql::money_lists::count_payments(conn, &filter, &page).await);
                        }
                    };
                });
            }
            let back = back.clone();
            recorded!(db, recorder, |conn| {
                sql::money_lists::refunds(conn, &back, &page);
                sql::money_lists::count_refunds(conn, &back, &page);
            });
        }
    }
    let (payments, refunds) = (key(10_000), MoneyKey { at: NOW, id: data::refund(5).to_bytes() });
    recorded!(db, recorder, |conn| {
        sql::payments::stuck(conn, EARLIER, payments, 100);
        sql::refunds::stuck(conn, NOW, refunds, 100);
    });
}

pub async fn bills(db: &Database, recorder: &Recorder) {
    let (id, day) = (data::difference(900_000), "00000009");
    let found = |ours: &str| {
        let (number, ours) = ("number-new".to_owned(), ours.to_owned());
        vec![(id, Difference { number, kind: Kind::Amount, ours, theirs: "5".into(), refund: None })]
    };
    let (first, second) = (found("1"), found("2"));
    let closure = Closure { at: NOW, by: data::user(0), reason: "looked at".into() };
    let numbers: Vec<String> = (0..20).map(|n| format!("number-{n}")).collect();
    recorded!(db, recorder, |conn| {
        sql::bills::of_numbers(conn, &[data::payment(1)], &[data::refund(5)], &["2026-1".to_owned()]);
        sql::bills::learnt(conn, Timestamp::from_millis(NOW.as_millis() - 100_000), NOW);
        sql::bills::seen_on_other_days(conn, day, numbers);
        sql::bills::record(conn, day, &Compared::default(), &first, NOW);
        sql::bills::record(conn, day, &Compared::default(), &second, NOW);
        sql::bills::close(conn, id, &closure);
        sql::bills::find(conn, id);
        sql::bills::report(conn, day);
        sql::bills::compared_since(conn, "000026f0");
        sql::bills::days_with_differences(conn);
        sql::bills::open_by_kind(conn);
    });
    for open in [true, false] {
        let key = |n: u64| ItemKey { at: Timestamp::from_millis(NOW.as_millis() + n as i64), id: data::difference(n) };
        for Page { after, before, from_end } in pages(key) {
            let page = ItemPage { open, after, before, limit: 10, from_end };
            recorded!(db, recorder, |conn| {
                sql::bills::list(conn, page);
            });
        }
    }
}
