use super::*;
use crate::kernel::{Currency, Money, OrderId, PaymentId, RefundId, TicketId, Timestamp, UserId};
use crate::model::order_requests::OrderRequest;
use crate::model::payments::Amount;
use crate::orders::decide::decide;
use crate::payments::{Flag, Method, PaymentState, RefundCause, RefundState};
use crate::sales::testing::{NOW, Stall};
use crate::store::StoreError;

/// How many payments there are, and how many refunds.
const COUNT: usize = 60;

fn at(second: usize) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + second as i64 * 1_000)
}

fn id(n: usize) -> [u8; 16] {
    // Not in the order of the moments.
    let mut bytes = [0; 16];
    bytes[0] = (n * 37 % 101) as u8;
    bytes[15] = n as u8;
    bytes
}

/// Some of each kind; several begin at the same moment.
fn payment(n: usize, order: OrderId, buyer: UserId) -> Payment {
    let (method, state) = (Method::ALL[n % 2], PaymentState::ALL[n / 2 % PaymentState::ALL.len()]);
    let amount = match method {
        Method::Alipay => Amount::Money(Money { minor: 990, currency: Currency::Cny }),
        Method::Points => Amount::Points(30),
    };
    Payment {
        id: PaymentId::from_bytes(id(n)),
        order,
        buyer,
        key: format!("key-{n:05}"),
        method,
        amount,
        state,
        gateway_trade_no: None,
        return_url: None,
        captured: if state.is_captured() { amount.units() } else { 0 },
        refund_pending: 0,
        refunded: 0,
        flag: (n % 7 == 3).then_some(Flag::ChangedOutside),
        created_at: at(n / 4),
        expires_at: at(n / 4 + 900),
        settled_at: (state != PaymentState::Pending).then(|| at(n)),
        next_check_at: None,
        checks: 0,
    }
}

fn refund(n: usize, payment: &Payment) -> Refund {
    let (state, cause) = (RefundState::ALL[n % 4], RefundCause::ALL[n / 4 % RefundCause::ALL.len()]);
    let plain = Refund::requested(RefundId::from_bytes(id(n)), payment, payment.amount, cause, at(n / 4));
    let settled_at = state.is_final().then(|| at(n));
    let gateway_number = (cause == RefundCause::External).then(|| format!("2026{n:04}"));
    Refund { state, settled_at, next_try_at: None, gateway_number, ..plain }
}

struct Books {
    stall: Stall,
    payments: Vec<Payment>,
    refunds: Vec<Refund>,
}

impl Books {
    async fn open() -> Self {
        let stall = Stall::open().await;
        let sale = stall.published().await.sale.id;
        let buyer = stall.operator;
        let request = |n: usize| {
            let ticket = TicketId { sale, epoch: 1, seq: n as u64 + 1 };
            OrderRequest { ticket, buyer, key: format!("key-{n:05}"), quantity: 1, at: NOW, price: None }
        };
        let requests: Vec<_> = (0..COUNT).map(request).collect();
        let payments: Vec<_> = (0..COUNT).map(|n| payment(n, requests[n].ticket.order(), buyer)).collect();
        let refunds: Vec<_> = payments.iter().enumerate().map(|(n, payment)| refund(n, payment)).collect();
        let (all, back) = (payments.clone(), refunds.clone());
        let written: Result<(), StoreError> = store::write!(&stall.db, |conn| {
            let facts = sql::orders::sale_facts(conn, sale).await?.unwrap();
            let orders = decide(&facts, &[], &requests, NOW).orders;
            sql::orders::insert(conn, &orders).await?;
            for payment in &all {
                sql::payments::insert(conn, payment).await?;
            }
            for refund in &back {
                assert!(sql::refunds::insert(conn, refund).await?);
            }
            Ok(())
        });
        written.unwrap();
        Self { stall, payments, refunds }
    }

    async fn page_of_payments(&self, filter: &PaymentFilter, page: &MoneyPage) -> MoneyList<Payment> {
        let (filter, page) = (filter.clone(), page.clone());
        let found: Result<_, StoreError> =
            store::read!(&self.stall.db, |conn| sql::money_lists::payments(conn, &filter, &page).await);
        found.unwrap()
    }

    async fn page_of_refunds(&self, filter: &RefundFilter, page: &MoneyPage) -> MoneyList<Refund> {
        let (filter, page) = (filter.clone(), page.clone());
        let found: Result<_, StoreError> =
            store::read!(&self.stall.db, |conn| sql::money_lists::refunds(conn, &filter, &page).await);
        found.unwrap()
    }

    async fn count_payments(&self, filter: &PaymentFilter, page: &MoneyPage) -> usize {
        let (filter, page) = (filter.clone(), page.clone());
        let found: Result<_, StoreError> =
            store::read!(&self.stall.db, |conn| sql::money_lists::count_payments(conn, &filter, &page).await);
        found.unwrap()
    }
}

fn everything() -> PaymentFilter {
    PaymentFilter { states: PaymentState::ALL.to_vec(), methods: Method::ALL.to_vec(), flagged: None, buyer: None }
}

/// The list page by page, from either end.
async fn walk<T: Clone>(
    page: MoneyPage,
    key: impl Fn(&T) -> MoneyKey,
    ask: impl AsyncFn(MoneyPage) -> MoneyList<T>,
) -> Vec<T> {
    let (mut walked, mut page) = (Vec::new(), page);
    loop {
        let MoneyList { items, more } = ask(page.clone()).await;
        assert!(items.len() <= page.limit && (!more || items.len() == page.limit));
        if page.from_end {
            page.before = items.first().map(&key);
            walked = items.into_iter().chain(walked).collect();
        } else {
            page.after = items.last().map(&key);
            walked.extend(items);
        }
        if !more {
            return walked;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_payments_are_the_list_newest_first() {
    let books = Books::open().await;
    let nobody = UserId::from_bytes([7; 16]);
    let filters = [
        everything(),
        PaymentFilter { states: vec![PaymentState::Closed, PaymentState::Closed], ..everything() },
        PaymentFilter {
            states: vec![PaymentState::Pending, PaymentState::Surplus],
            methods: vec![Method::Points],
            ..everything()
        },
        PaymentFilter { flagged: Some(true), ..everything() },
        PaymentFilter { flagged: Some(true), methods: vec![Method::Alipay], ..everything() },
        PaymentFilter { flagged: Some(false), ..everything() },
        PaymentFilter { buyer: Some(books.stall.operator), ..everything() },
        PaymentFilter {
            buyer: Some(books.stall.operator),
            flagged: Some(false),
            states: vec![PaymentState::Failed],
            ..everything()
        },
        PaymentFilter { buyer: Some(nobody), ..everything() },
        PaymentFilter { states: vec![], ..everything() },
    ];
    let spans = [
        (None, None),
        (Some(at(3)), None),
        (None, Some(at(9))),
        (Some(at(3)), Some(at(9))),
        (Some(at(9)), Some(at(3))),
    ];
    for filter in &filters {
        for (from, until) in spans {
            let wanted = |payment: &&Payment| {
                filter.states.contains(&payment.state)
                    && filter.methods.contains(&payment.method)
                    && filter.flagged.is_none_or(|flagged| payment.flag.is_some() == flagged)
                    && filter.buyer.is_none_or(|buyer| payment.buyer == buyer)
                    && from.is_none_or(|from| payment.created_at >= from)
                    && until.is_none_or(|until| payment.created_at < until)
            };
            let mut right: Vec<Payment> = books.payments.iter().filter(wanted).cloned().collect();
            right.sort_by_key(MoneyKey::of_payment);
            right.reverse();
            for (limit, from_end) in [(7, false), (7, true), (100, false)] {
                let page = MoneyPage { from, until, limit, from_end, ..MoneyPage::default() };
                let walked = walk(page, MoneyKey::of_payment, async |page| books.page_of_payments(filter, &page).await);
                assert_eq!(walked.await, right, "{filter:?} {from:?} {until:?} {limit} {from_end}");
            }
            for limit in [5, 100] {
                let all = MoneyPage { from, until, limit, ..MoneyPage::default() };
                assert_eq!(books.count_payments(filter, &all).await, right.len().min(limit), "{filter:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_refunds_are_the_list_newest_first() {
    let books = Books::open().await;
    let (states, causes) = (RefundState::ALL.to_vec(), RefundCause::ALL.to_vec());
    for filter in [
        RefundFilter { states: states.clone(), causes: causes.clone() },
        RefundFilter { states: vec![RefundState::Requested, RefundState::Processing], causes },
        RefundFilter { states, causes: vec![RefundCause::Surplus] },
    ] {
        let wanted = |refund: &&Refund| filter.states.contains(&refund.state) && filter.causes.contains(&refund.cause);
        let mut right: Vec<Refund> = books.refunds.iter().filter(wanted).cloned().collect();
        right.sort_by_key(MoneyKey::of_refund);
        right.reverse();
        for (limit, from_end) in [(7, false), (7, true), (100, false)] {
            let page = MoneyPage { limit, from_end, ..MoneyPage::default() };
            let walked = walk(page, MoneyKey::of_refund, async |page| books.page_of_refunds(&filter, &page).await);
            assert_eq!(walked.await, right, "{filter:?} {limit} {from_end}");
        }
        let all = MoneyPage { limit: 100, ..MoneyPage::default() };
        let filter = filter.clone();
        let count: Result<usize, StoreError> =
            store::read!(&books.stall.db, |conn| sql::money_lists::count_refunds(conn, &filter, &all).await);
        assert_eq!(count.unwrap(), right.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stuck_comes_page_by_page_the_oldest_first() {
    let books = Books::open().await;
    let since = at(908);
    let is_stuck = |payment: &&Payment| {
        payment.flag.is_some() || payment.state == PaymentState::Pending && payment.expires_at < since
    };
    let mut right: Vec<MoneyKey> = books.payments.iter().filter(is_stuck).map(MoneyKey::of_payment).collect();
    right.sort_unstable();
    let (mut after, mut walked) = (MoneyKey::START, Vec::new());
    loop {
        let found: Result<Vec<Payment>, StoreError> =
            store::read!(&books.stall.db, |conn| sql::payments::stuck(conn, since, after, 4).await);
        let found = found.unwrap();
        walked.extend(found.iter().map(MoneyKey::of_payment));
        let Some(last) = found.last() else { break };
        after = MoneyKey::of_payment(last);
    }
    assert_eq!(walked, right);
    let mut open: Vec<MoneyKey> =
        books.refunds.iter().filter(|refund| refund.settled_at.is_none()).map(MoneyKey::of_refund).collect();
    open.sort_unstable();
    let (mut after, mut walked) = (MoneyKey::START, Vec::new());
    loop {
        let found: Result<Vec<Refund>, StoreError> =
            store::read!(&books.stall.db, |conn| sql::refunds::stuck(conn, at(1_000), after, 4).await);
        let found = found.unwrap();
        walked.extend(found.iter().map(MoneyKey::of_refund));
        let Some(last) = found.last() else { break };
        after = MoneyKey::of_refund(last);
    }
    assert_eq!(walked, open);
}
