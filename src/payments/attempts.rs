//! Queries the gateway about payment attempts with an unknown outcome, and closes attempts of overdue orders there
//! before the order is closed here.

use super::Payments;
use super::due::{Pace, work_off};
use crate::gateway::{Closed, Outcome, TradeStatus, Unclear};
use crate::kernel::retry::Delays;
use crate::kernel::{OrderId, PaymentId, Timestamp};
use crate::model::orders::Closing;
use crate::model::payments::{LogEntry, Payment};
use crate::orders::OrdersError;
use crate::payments::{Flag, Method, PaymentState, Verdict};
use crate::store;

/// The result of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// The gateway has a final answer, and it is applied.
    Settled,
    /// Not paid: the gateway has no trade (yet).
    Absent,
    /// Not paid: the trade waits.
    Waiting,
    /// No clear answer: none at all, or one that contradicts what is stored, for which the payment is flagged.
    Unknown,
}

impl Payments {
    /// Asks for the payments that are due, for ever, so that none depends on its notification.
    pub async fn check_payments(&self) -> Result<(), OrdersError> {
        let pace = Pace::new(&self.0.payments.now(), &self.0.checks_due);
        let one = |payment: Payment| async move { self.check_or_put_back(&payment).await };
        work_off(pace, || self.due_payments(), |payment: &Payment| payment.id, one).await
    }

    async fn due_payments(&self) -> Result<Vec<Payment>, OrdersError> {
        let (now, max) = (self.0.clock.now(), self.0.payments.now().batch);
        let (due, unreadable) = store::read!(&self.0.db, |conn| sql::payments::due(conn, now, max).await)?;
        if !unreadable.is_empty() {
            self.0.metrics.payments.add("error", unreadable.len() as u64);
            tracing::error!(?unreadable, "could not read payments; they are deferred");
            let until = now.plus(*self.0.payments.now().check_max);
            store::write!(&self.0.db, |conn| sql::payments::put_off(conn, &unreadable, until).await)?;
        }
        Ok(due)
    }

    async fn check_or_put_back(&self, payment: &Payment) -> Result<(), OrdersError> {
        let Err(error) = self.check(payment).await else { return Ok(()) };
        self.0.metrics.payments.count("error");
        tracing::error!(number = payment.number(), %error, "could not process a payment; will retry");
        self.ask_later(payment, self.0.clock.now()).await
    }

    /// Brings one payment as far as the gateway's answers allow.
    async fn check(&self, payment: &Payment) -> Result<(), OrdersError> {
        let asked = self.ask(payment).await?;
        let now = self.0.clock.now();
        if asked == Asked::Settled {
            return Ok(());
        }
        if payment.state != PaymentState::Pending {
            return self.check_late(payment, asked, now).await;
        }
        let over = now >= payment.expires_at || !self.awaits_payment(payment.order).await?;
        if !over {
            return self.ask_later(payment, now).await;
        }
        match self.shut(payment, asked).await? {
            Asked::Absent | Asked::Waiting => {
                self.close_with(payment.order, Closing::Expiry { due_by: now }, &[payment.id]).await
            }
            // Applied meanwhile.
            Asked::Settled => Ok(()),
            Asked::Unknown if self.is_given_up(payment) => {
                self.close_with(payment.order, Closing::Expiry { due_by: now }, &[payment.id]).await
            }
            Asked::Unknown => self.ask_later(payment, now).await,
        }
    }

    /// Whether the order is closed although the gateway gives no clear answer: it must not hold its units for ever. Money that comes
    /// later goes back, and a flag stays for people.
    fn is_given_up(&self, payment: &Payment) -> bool {
        let given_up = self.0.clock.now() >= payment.expires_at.plus(*self.0.payments.now().close_within);
        if given_up {
            let (number, flag) = (payment.number(), payment.flag.map(Flag::as_str));
            tracing::error!(
                number,
                flag,
                "the gateway gave no definite response; the order expires and late payments are refunded"
            );
        }
        given_up
    }

    /// A payment that is closed here: is it unpaid at the gateway for good?
    async fn check_late(&self, payment: &Payment, asked: Asked, now: Timestamp) -> Result<(), OrdersError> {
        let last = payment.expires_at.plus(*self.0.payments.now().late_check_after);
        let asked = if asked == Asked::Waiting { self.shut(payment, asked).await? } else { asked };
        match asked {
            Asked::Unknown => self.ask_later(payment, now).await,
            Asked::Absent if now < last => self.schedule(payment.id, Some(last), 0).await,
            Asked::Settled | Asked::Absent | Asked::Waiting => self.schedule(payment.id, None, payment.checks).await,
        }
    }

    /// Asks where the trade stands and applies a final answer.
    pub(super) async fn ask(&self, payment: &Payment) -> Result<Asked, OrdersError> {
        let Some(gateway) = &self.0.gateway else { return Ok(Asked::Unknown) };
        match gateway.query(&payment.number()).await {
            Outcome::Succeeded(snapshot) => match snapshot.status {
                TradeStatus::Absent => Ok(Asked::Absent),
                TradeStatus::Waiting => Ok(Asked::Waiting),
                TradeStatus::Paid | TradeStatus::Closed => {
                    let verdict = match self.apply_trade(snapshot, "query", None).await {
                        Err(OrdersError::Store(error)) if !error.is_transient() => {
                            let outcome = Outcome::<()>::Unknown { reason: error.to_string() };
                            return Ok(self.unclear(payment, "query", &outcome).await);
                        }
                        applied => applied?,
                    };
                    if payment.state != PaymentState::Pending {
                        self.schedule(payment.id, None, payment.checks).await?;
                        return Ok(Asked::Settled);
                    }
                    let settled = verdict == Verdict::Accepted || !self.is_pending(payment.id).await?;
                    Ok(if settled { Asked::Settled } else { Asked::Unknown })
                }
            },
            unclear => Ok(self.unclear(payment, "query", &unclear).await),
        }
    }

    /// Sees to it that the gateway takes no money for the attempt any more. `Absent` and `Waiting` mean that it is so, as far as the
    /// gateway can say: a page that is open somewhere can still begin a trade until its time is over.
    async fn shut(&self, payment: &Payment, asked: Asked) -> Result<Asked, OrdersError> {
        let Some(gateway) = &self.0.gateway else { return Ok(Asked::Unknown) };
        if asked != Asked::Waiting {
            return Ok(asked);
        }
        match gateway.close(&payment.number()).await {
            Outcome::Succeeded(Closed::Closed) => Ok(Asked::Waiting),
            Outcome::Succeeded(Closed::Absent) => Ok(Asked::Absent),
            // It was paid, or closed, since it was asked for.
            Outcome::Succeeded(Closed::NotWaiting) => match self.ask(payment).await? {
                Asked::Settled => Ok(Asked::Settled),
                _ => Ok(Asked::Unknown),
            },
            unclear => Ok(self.unclear(payment, "close", &unclear).await),
        }
    }

    /// `asked`: the question that was not answered clearly. The reason is kept in the payment's log, as far as that can be written.
    async fn unclear<T: std::fmt::Debug>(&self, payment: &Payment, asked: &str, outcome: &Outcome<T>) -> Asked {
        self.0.metrics.payments.count("unknown");
        let number = payment.number();
        if matches!(outcome, Outcome::Misconfigured { .. }) {
            tracing::error!(number, ?outcome, "the gateway rejects this shop's credentials");
        } else {
            tracing::warn!(number, ?outcome, "the gateway gave no definite response");
        }
        if let Some(why) = outcome.unclear(asked)
            && let Err(error) = self.note_unclear(payment.id, why).await
        {
            tracing::warn!(number, %error, "the reason could not be written to the payment's log");
        }
        Asked::Unknown
    }

    /// Each reason once, not each try: a gateway that is away for a day must not fill the log.
    async fn note_unclear(&self, id: PaymentId, Unclear { code, detail }: Unclear) -> Result<(), OrdersError> {
        let event = "unclear";
        let reason = (Some(code.clone()), Some(detail.clone()));
        if store::read!(&self.0.db, |conn| sql::payments::last_reason(conn, id, event).await)?.as_ref() == Some(&reason)
        {
            return Ok(());
        }
        let now = self.0.clock.now();
        store::write!(&self.0.db, |conn| {
            // A line begins where the one before it ended: nobody may move the payment meanwhile.
            let Some(payment) = sql::payments::find_locked(conn, id).await? else { return Ok(()) };
            let state = payment.state.as_str();
            let entry = LogEntry::new(now, "worker", event, Some(state), state).code(Some(code)).detail(detail);
            sql::payments::log(conn, id, &entry).await
        })?;
        Ok(())
    }

    /// Before the buyer's own order is closed: asks and closes at the gateway. The attempts that may be closed with the order; `None`
    /// when the gateway gave no clear answer.
    pub(super) async fn shut_attempts(&self, order: OrderId) -> Result<Option<Vec<PaymentId>>, OrdersError> {
        let attempts = store::read!(&self.0.db, |conn| sql::payments::of_order(conn, order).await)?;
        let open = |payment: &Payment| payment.state == PaymentState::Pending && payment.method == Method::Alipay;
        let mut shut = Vec::new();
        for payment in attempts.into_iter().filter(open) {
            let asked = self.ask(&payment).await?;
            match self.shut(&payment, asked).await? {
                Asked::Absent | Asked::Waiting => shut.push(payment.id),
                Asked::Settled => {}
                Asked::Unknown if self.is_given_up(&payment) => shut.push(payment.id),
                Asked::Unknown => return Ok(None),
            }
        }
        Ok(Some(shut))
    }

    async fn is_pending(&self, id: PaymentId) -> Result<bool, OrdersError> {
        Ok(self.payment(id).await?.is_some_and(|payment| payment.state == PaymentState::Pending))
    }

    async fn awaits_payment(&self, order: OrderId) -> Result<bool, OrdersError> {
        let found = self.0.orders.find(order.ticket()).await?;
        Ok(found.is_some_and(|order| order.state == crate::model::orders::OrderState::AwaitingPayment))
    }

    async fn ask_later(&self, payment: &Payment, now: Timestamp) -> Result<(), OrdersError> {
        let (first, max) = (*self.0.payments.now().check_after, *self.0.payments.now().check_max);
        let checks = payment.checks.saturating_add(1);
        let mut next = now.plus(Delays::new(first, max).after(checks, &self.0.rng));
        // Not later than something can be done about it.
        for moment in [payment.expires_at, payment.expires_at.plus(*self.0.payments.now().close_within)] {
            if now < moment {
                next = next.min(moment);
            }
        }
        self.schedule(payment.id, Some(next), checks).await
    }

    async fn schedule(&self, id: PaymentId, at: Option<Timestamp>, checks: u32) -> Result<(), OrdersError> {
        store::write!(&self.0.db, |conn| sql::payments::schedule(conn, id, at, checks).await)?;
        Ok(())
    }
}
