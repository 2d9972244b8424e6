//! Applies the gateway's messages about a payment: notifications, queries and browser returns all end here. The decision
//! ([`decide`]) is a pure function of the stored state and the message. Its outcome is applied in the transaction that
//! read the stored state.

use super::Payments;
use crate::gateway::{BadMessage, Notification, TradeSnapshot};
use crate::kernel::PaymentId;
use crate::model::orders::{Order, OrderState};
use crate::model::payments::StoredNotification;
use crate::model::results::ResultEvent;
use crate::model::settlement::{Message, Step, decide};
use crate::orders::record::result_event;
use crate::orders::{OrdersError, fail_point};
use crate::payments::{Flag, Method, Verdict};
use crate::store;
use crate::telemetry::OrderEvent;

impl Payments {
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
                let order = sql::orders::find_locked(conn, ticket).await?;
                let payment = sql::payments::find_locked(conn, known.id).await?.unwrap_or(known);
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
            fail_point("settle.before_commit");
            Ok((step, changed, message))
        })?;
        fail_point("settle.after_commit");
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
            let (units, revenue) = (order.quantity, order.total().minor);
            self.0.metrics.watched.events.happened(order.sale(), OrderEvent::Paid, units, revenue);
            self.0.metrics.orders.count("paid");
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

    /// Forged messages are counted, not kept: their senders must not be able to fill a table.
    pub(super) fn refuse(&self, error: BadMessage) {
        self.0.metrics.notifications.count(error.as_str());
        tracing::debug!(%error, "rejected a message from the gateway");
    }
}
