//! Sends refunds to the gateway under the refund's own number and amount, with retries until the outcome is known. It
//! is safe to run twice: the gateway pays a number once, and the outcome is recorded once.

use futures_util::{TryStreamExt as _, stream};

use super::Payments;
use super::due::{Pace, work_off};
use crate::gateway::{Outcome, PaymentGateway, RefundFound, Unclear};
use crate::kernel::retry::Delays;
use crate::kernel::{Money, Timestamp};
use crate::model::orders::{Order, OrderState};
use crate::model::payments::{LogEntry, Refund};
use crate::model::results::ResultEvent;
use crate::orders::record::result_event;
use crate::orders::{OrdersError, fail_point};
use crate::payments::{Flag, Method, RefundState};
use crate::store;
use crate::telemetry::OrderEvent;

/// The gateway has our number with another amount: a defect, never a reason to change state.
const DISCORDANT: &str = "ACQ.DISCORDANT_REPEAT_REQUEST";

/// The result of an attempt.
enum Tried {
    /// The money is back.
    Back,
    /// The gateway refused for good.
    Refused(String),
    /// Ask again after this long, for this reason.
    Later(std::time::Duration, Unclear),
    /// The gateway knows something else under our number.
    Mismatch(String),
}

impl Payments {
    /// Brings refunds further, for ever.
    pub async fn drive_refunds(&self) -> Result<(), OrdersError> {
        let pace = Pace::new(&self.0.payments.now(), &self.0.refunds_due);
        let one = |refund: Refund| async move { self.drive_or_put_back(&refund).await };
        work_off(pace, || self.due_refunds(), |refund: &Refund| refund.id, one).await
    }

    /// Brings the refunds further that are due now, one page of them.
    pub(super) async fn drive_due_refunds(&self) -> Result<(), OrdersError> {
        let due = self.due_refunds().await?;
        let drive = |refund: Refund| async move { self.drive_or_put_back(&refund).await };
        stream::iter(due.into_iter().map(Ok)).try_for_each_concurrent(self.0.payments.now().concurrency, drive).await
    }

    async fn due_refunds(&self) -> Result<Vec<Refund>, OrdersError> {
        let (now, max) = (self.0.clock.now(), self.0.payments.now().batch);
        let methods: &[Method] = if self.0.gateway.is_some() { Method::ALL } else { &[Method::Points] };
        let mut all = Vec::new();
        for method in methods.iter().copied() {
            let (due, unreadable) = store::read!(&self.0.db, |conn| sql::refunds::due(conn, method, now, max).await)?;
            if !unreadable.is_empty() {
                self.0.metrics.refunds.add("error", unreadable.len() as u64);
                tracing::error!(?unreadable, "could not read refunds; they are deferred");
                let until = now.plus(*self.0.payments.now().refund_retry_max);
                store::write!(&self.0.db, |conn| sql::refunds::put_off(conn, &unreadable, until).await)?;
            }
            all.extend(due);
        }
        Ok(all)
    }

    async fn drive_or_put_back(&self, refund: &Refund) -> Result<(), OrdersError> {
        let driven = match (refund.method, &self.0.gateway) {
            (Method::Points, _) => self.return_points(refund).await,
            (Method::Alipay, Some(gateway)) => self.drive(&**gateway, refund).await,
            (Method::Alipay, None) => Ok(()),
        };
        let Err(error) = driven else { return Ok(()) };
        self.0.metrics.refunds.count("error");
        tracing::error!(number = refund.number(), %error, "could not process a refund; will retry");
        // As long again as it has been open: so the waits double, however it fails.
        let (now, config) = (self.0.clock.now(), self.0.payments.now());
        let wait = now.since(refund.created_at).clamp(*config.refund_check_after, *config.refund_retry_max);
        self.postpone(refund, now.plus(wait), None).await
    }

    async fn drive(&self, gateway: &dyn PaymentGateway, refund: &Refund) -> Result<(), OrdersError> {
        let Some(Amounts { money, number, refund_number }) = Amounts::of(refund) else { return Ok(()) };
        if let Some(at) = self.too_soon(refund).await? {
            return self.postpone(refund, at, None).await;
        }
        // Asked before: perhaps it is done.
        if refund.attempts > 0 {
            match gateway.query_refund(&number, &refund_number).await {
                Outcome::Succeeded(RefundFound::NotFound) => {}
                Outcome::Succeeded(RefundFound::Done(paid)) => return self.end(refund, found(paid, money)).await,
                unclear => return self.end(refund, self.unclear_refund(refund, "query", &unclear)).await,
            }
        }
        let now = self.0.clock.now();
        if !self.begin_try(refund, now).await? {
            return Ok(());
        }
        fail_point("refund.before_call");
        let reason = refund.reason.as_deref().unwrap_or_else(|| refund.cause.as_str());
        let answer = gateway.refund(&number, &refund_number, money, reason).await;
        fail_point("refund.after_call");
        let tried = match answer {
            Outcome::Succeeded(()) => Tried::Back,
            Outcome::Rejected { code } if code == DISCORDANT => Tried::Mismatch(code),
            Outcome::Rejected { code } => self.refused(gateway, refund, code).await,
            Outcome::Pending { code } => Tried::Later(*self.0.payments.now().refund_check_after, said(code)),
            unclear => self.unclear_refund(refund, "refund", &unclear),
        };
        self.end(refund, tried).await
    }

    /// A no is definite if the number never reached the gateway before, or if it says no again after it said that it does not know
    /// the number: an earlier try could still be under way.
    async fn refused(&self, gateway: &dyn PaymentGateway, refund: &Refund, code: String) -> Tried {
        let Some(Amounts { money, number, refund_number }) = Amounts::of(refund) else {
            return Tried::Mismatch(code);
        };
        match gateway.query_refund(&number, &refund_number).await {
            Outcome::Succeeded(RefundFound::Done(paid)) => found(paid, money),
            Outcome::Succeeded(RefundFound::NotFound) => {
                let again = refund.last_code.as_deref() == Some(code.as_str());
                if refund.attempts == 0 || again {
                    Tried::Refused(code)
                } else {
                    Tried::Later(*self.0.payments.now().refund_check_after, said(code))
                }
            }
            unclear => self.unclear_refund(refund, "query", &unclear),
        }
    }

    fn unclear_refund<T: std::fmt::Debug>(&self, refund: &Refund, asked: &str, outcome: &Outcome<T>) -> Tried {
        let config = self.0.payments.now();
        let (number, max) = (refund.number(), *config.refund_retry_max);
        let why = outcome.unclear(asked).unwrap_or_else(|| said("UNKNOWN".to_owned()));
        if let Outcome::Misconfigured { reason } = outcome {
            tracing::error!(number, reason, "the gateway rejects this shop's credentials");
            return Tried::Later(max, Unclear { code: reason.clone(), ..why });
        }
        tracing::warn!(number, ?outcome, "the gateway gave no definite response about a refund");
        let first = *config.refund_check_after;
        let wait = Delays::new(first, max).after(refund.attempts.saturating_add(1), &self.0.rng);
        Tried::Later(wait.max(first), why)
    }

    /// Alipay wants some seconds between two refunds of a payment.
    async fn too_soon(&self, refund: &Refund) -> Result<Option<Timestamp>, OrdersError> {
        let asked = refund.clone();
        let last = store::read!(&self.0.db, |conn| sql::refunds::last_try_of_others(conn, &asked).await)?;
        let from = last.map(|last| last.plus(*self.0.payments.now().refund_spacing));
        Ok(from.filter(|from| *from > self.0.clock.now()))
    }

    /// The gateway is about to be asked. Whether nobody else is.
    async fn begin_try(&self, refund: &Refund, now: Timestamp) -> Result<bool, OrdersError> {
        let refund = refund.clone();
        let next = now.plus(*self.0.payments.now().refund_check_after);
        let spacing = *self.0.payments.now().refund_spacing;
        Ok(store::write!(&self.0.db, |conn| {
            // Two refunds of a payment take turns by its lock.
            sql::payments::lock(conn, refund.payment).await?;
            let last = sql::refunds::last_try_of_others(conn, &refund).await?;
            if last.is_some_and(|last| last.plus(spacing) > now) {
                return Ok(false);
            }
            let begun = sql::refunds::begin_try(conn, &refund, now, next).await?;
            if begun {
                let (from, to) = (refund.state.as_str(), RefundState::Processing.as_str());
                sql::refunds::log(conn, refund.id, &LogEntry::new(now, "worker", "asked", Some(from), to)).await?;
            }
            Ok(begun)
        })?)
    }

    async fn end(&self, refund: &Refund, tried: Tried) -> Result<(), OrdersError> {
        match tried {
            Tried::Back => self.end_refund(refund, RefundState::Succeeded, None, "worker").await,
            Tried::Refused(code) => {
                let number = refund.number();
                tracing::error!(number, code, "the gateway rejected a refund; an operator must review it");
                self.end_refund(refund, RefundState::Failed, Some(code), "worker").await
            }
            Tried::Later(wait, why) => {
                self.0.metrics.refunds.count("postponed");
                self.postpone(refund, self.0.clock.now().plus(wait), Some(why)).await
            }
            Tried::Mismatch(code) => self.mismatch(refund, code).await,
        }
    }

    async fn postpone(&self, refund: &Refund, at: Timestamp, why: Option<Unclear>) -> Result<(), OrdersError> {
        let refund = refund.clone();
        let now = self.0.clock.now();
        store::write!(&self.0.db, |conn| {
            sql::refunds::postpone(conn, refund.id, at, why.as_ref().map(|why| why.code.as_str())).await?;
            let Some(Unclear { code, detail }) = why else { return Ok(()) };
            // Each reason once, not each try: a gateway that is away for a day must not fill the log.
            let last = sql::refunds::last_reason(conn, refund.id, "postponed").await?;
            if last.as_ref() != Some(&(Some(code.clone()), Some(detail.clone()))) {
                let state = RefundState::Processing.as_str();
                let entry = LogEntry::new(now, "worker", "postponed", Some(state), state).code(Some(code));
                sql::refunds::log(conn, refund.id, &entry.detail(detail)).await?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// A defect: state stays, a person must look.
    async fn mismatch(&self, refund: &Refund, detail: String) -> Result<(), OrdersError> {
        self.0.metrics.refunds.count("mismatch");
        let number = refund.number();
        tracing::error!(number, detail, "the gateway has a different refund with this number");
        let (refund, now) = (refund.clone(), self.0.clock.now());
        let next = now.plus(*self.0.payments.now().refund_retry_max);
        store::write!(&self.0.db, |conn| {
            if let Some(payment) = sql::payments::find_locked(conn, refund.payment).await? {
                let detail = format!("refund {number}: {detail}");
                sql::settle::flag(conn, &payment, Flag::RefundMismatch, "worker", detail, now).await?;
            }
            sql::refunds::postpone(conn, refund.id, next, Some("MISMATCH")).await
        })?;
        Ok(())
    }

    /// Writes the end of a refund down: payment, order, units, logs and events in one transaction. Doing it again changes nothing.
    pub(super) async fn end_refund(
        &self,
        refund: &Refund,
        to: RefundState,
        code: Option<String>,
        actor: &'static str,
    ) -> Result<(), OrdersError> {
        let ticket = refund.order.ticket();
        let restocks = self.0.orders.restocks(ticket.sale).await?;
        let (refund, now) = (refund.clone(), self.0.clock.now());
        let refunded = refund.clone();
        let (changed, returned): (Option<Order>, bool) = store::write!(&self.0.db, |conn| {
            sql::orders::lock(conn, &[ticket]).await?;
            sql::payments::lock(conn, refund.payment).await?;
            let (changed, returned) = sql::settle::end_refund(conn, &refund, to, code.as_deref(), actor, now).await?;
            if let Some(order) = &changed {
                let mut events = vec![ResultEvent::Order(order.clone())];
                if order.state == OrderState::Refunded && restocks {
                    let stock = sql::orders::restock(conn, order.sale(), order.quantity, now).await?;
                    events.push(ResultEvent::Stock(stock));
                }
                sql::outbox::append(conn, &[result_event(order.sale(), events)?], now).await?;
            }
            fail_point("refund.before_end");
            Ok((changed, returned))
        })?;
        fail_point("refund.after_end");
        self.0.metrics.refunds.count(if to == RefundState::Succeeded { "succeeded" } else { "failed" });
        if changed.as_ref().is_some_and(|order| order.state == OrderState::Refunded) {
            self.0.metrics.orders.count("refunded");
        }
        self.note_returned(&refunded, changed.as_ref(), returned);
        if changed.is_some() {
            self.0.relay.wake();
        }
        Ok(())
    }
}

impl Payments {
    /// Tells the control room what was committed about a refund: the order if it changed, and whether its money went back.
    pub(super) fn note_returned(&self, refund: &Refund, changed: Option<&Order>, returned: bool) {
        let (sale, events) = (refund.order.ticket().sale, &self.0.metrics.watched.events);
        if let Some(money) = refund.amount.money().filter(|_| returned) {
            events.returned(sale, money.minor);
        }
        if let Some(order) = changed.filter(|order| order.state == OrderState::Refunded) {
            events.happened(sale, OrderEvent::Refunded, order.quantity, 0);
        }
    }
}

/// The request to the gateway.
struct Amounts {
    money: Money,
    number: String,
    refund_number: String,
}

impl Amounts {
    fn of(refund: &Refund) -> Option<Self> {
        let money = refund.amount.money()?;
        Some(Self { money, number: refund.payment.number(), refund_number: refund.number() })
    }
}

/// The gateway answered the refund with this code, clearly, and it is asked again.
fn said(code: String) -> Unclear {
    Unclear { detail: format!("refund: {code}"), code }
}

/// The gateway says that so much went back under our number.
fn found(paid: Money, wanted: Money) -> Tried {
    if paid == wanted { Tried::Back } else { Tried::Mismatch(format!("{paid} instead of {wanted}")) }
}
