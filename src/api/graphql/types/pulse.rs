//! The shop in numbers, second by second.

use std::sync::Arc;

use async_graphql::{Enum, ID, Object, SimpleObject};

use super::int::clamped;
use super::orders::PurchaseRefusalCode;
use super::sales::SaleStatus;
use super::scalars::{DateTime, Money};
use crate::control::pulse::{self, AlertCode, Frame, SaleNumbers};
use crate::kernel::SaleId;
use crate::model::orders::Refusal;
use crate::telemetry::{Answer, Committed, OrderEvent};

/// A result of `salePurchase`: the two kinds of acceptance, the refusals, and faults.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Answer")]
pub enum PurchaseAnswerCode {
    /// A new ticket was issued.
    Admitted,
    /// The ticket of an earlier request with the same idempotency key was returned.
    Replayed,
    /// Fewer units were left than requested.
    SoldOut,
    /// The buyer already had an order in the sale.
    AlreadyBought,
    /// No such sale existed.
    SaleNotFound,
    /// The sale had not started.
    SaleNotStarted,
    /// The sale had ended.
    SaleEnded,
    /// The sale, or the whole shop, was paused.
    SalePaused,
    /// The quantity was below 1 or above the sale's limit per buyer.
    QuantityInvalid,
    /// The idempotency key was too short, too long, or contained invalid characters.
    IdempotencyKeyInvalid,
    /// The idempotency key had been used for another sale or quantity.
    IdempotencyKeyReused,
    /// The sale was temporarily unavailable.
    TryLater,
    /// Nobody was signed in.
    Unauthenticated,
    /// The buyer exceeded a rate limit. Requests that exceed the limit of their address are rejected before they are read, and are counted
    /// in `requestsRefused` only.
    RateLimited,
    /// Something that purchases need was unavailable, or the server was overloaded. A ticket may exist nevertheless.
    Unavailable,
}

/// What happens to orders.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "OrderEvent")]
pub enum OrderEventCode {
    /// A ticket became an order.
    Created,
    /// The order was paid.
    Paid,
    /// The buyer cancelled the order.
    Cancelled,
    /// The order was not paid in time.
    Expired,
    /// All of the order's money was refunded.
    Refunded,
}

/// What an operator should look at.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "AlertCode")]
pub enum PulseAlertCode {
    /// A node has been silent for longer than its lease.
    NodeSilent,
    /// A node is not ready.
    NodeNotReady,
    /// The oldest undecided ticket is older than 2 seconds.
    DecisionsLate,
    /// 99 of 100 accepted purchases took longer than `limits.latency_target`, for 5 seconds.
    PurchasesSlow,
    /// The gate and the orders have differed for 10 seconds.
    GateDrift,
    /// The database, the gate, the broker or the payment gateway does not respond.
    DependencyDown,
    /// Messages are in the dead-letter queue.
    Failures,
    /// Payments, refunds or bills need an operator's attention.
    Money,
    /// More than 1 result in 20 was `TRY_LATER` or `UNAVAILABLE`, for 5 seconds.
    Overload,
}

/// The number of times that `salePurchase` gave one result.
#[derive(SimpleObject)]
pub struct PurchaseCount {
    /// The result.
    answer: PurchaseAnswerCode,
    /// The number of times.
    count: i32,
}

/// The number of orders to which one thing happened.
#[derive(SimpleObject)]
pub struct OrderEventCount {
    /// What happened.
    event: OrderEventCode,
    /// The number of orders.
    count: i32,
    /// The number of units in these orders.
    units: i32,
}

/// The number of accepted purchases that did not become an order for one reason.
#[derive(SimpleObject)]
pub struct RefusalCount {
    /// The reason.
    code: PurchaseRefusalCode,
    /// The number of purchases.
    count: i32,
}

/// A distribution of durations. Quantiles are upper bounds, at most a quarter above the exact value.
#[derive(SimpleObject)]
pub struct Latency {
    /// The number of durations.
    count: i32,
    /// The median, in milliseconds. Null if there were none.
    p50_ms: Option<f64>,
    /// The 99th percentile, in milliseconds. Null if there were none.
    p99_ms: Option<f64>,
    /// The longest duration, in milliseconds. Null if there were none.
    max_ms: Option<f64>,
}

/// Something that an operator should look at.
#[derive(SimpleObject)]
pub struct PulseAlert {
    /// What it is.
    code: PulseAlertCode,
    /// Since when it is so, without a break.
    since: DateTime,
    /// The number behind the alert, with its unit, or the names of the nodes and dependencies concerned. For `MONEY`, the payments and
    /// refunds, then the discrepancies of bills.
    detail: String,
    /// The sale that the alert is about. Null if it is about the shop.
    sale_id: Option<ID>,
}

/// What happened in one second, on all nodes together.
pub struct ShopPulse(pub Arc<Frame>);

/// What happened in one second, on all nodes together.
#[Object]
impl ShopPulse {
    /// The start of the second, by the clock of the server.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at())
    }

    /// The number of nodes whose counts are included. If it is lower than `nodesRunning`, the sums are too low.
    async fn nodes_heard(&self) -> i32 {
        clamped(self.0.heard as u64)
    }

    /// The number of nodes that ran in that second, as far as this node knows: nodes that were heard in the last 5 minutes and have not
    /// shut down.
    async fn nodes_running(&self) -> i32 {
        clamped(self.0.running as u64)
    }

    /// The results of `salePurchase` in that second. Results that were not given are omitted.
    async fn purchases(&self) -> Vec<PurchaseCount> {
        purchase_counts(&self.0.answers)
    }

    /// What happened to orders in that second. Events that did not happen are omitted.
    async fn order_events(&self) -> Vec<OrderEventCount> {
        order_events(&self.0.committed)
    }

    /// From the request of an accepted purchase to its receipt by the broker.
    async fn purchase_latency(&self) -> Latency {
        latency(&self.0.purchase)
    }

    /// From a purchase's admission to its decision.
    async fn decision_latency(&self) -> Latency {
        latency(&self.0.decision)
    }

    /// The number of accepted purchases that waited for their decision at the end of the second, in sales that run or ended in the last 10
    /// minutes. Null if the gate did not respond.
    async fn tickets_waiting(&self) -> Option<i32> {
        self.0.end.waiting.map(clamped)
    }

    /// The age of the oldest of them, in milliseconds: 0 if none waited, null if the gate did not respond.
    async fn oldest_ticket_ms(&self) -> Option<i32> {
        self.0.end.oldest_ms.map(clamped)
    }

    /// The number of open sockets and event streams.
    async fn sockets(&self) -> i32 {
        clamped(self.0.sockets)
    }

    /// The number of requests and operations that were rejected because of limits or overload in that second.
    async fn requests_refused(&self) -> i32 {
        clamped(self.0.refused)
    }

    /// The number of units by which the gates and the orders differ, over the sales that run or ended in the last 10 minutes and have no
    /// undecided purchase. It is 0 if all is well, except for a moment. Null if the gate did not respond.
    async fn gate_drift(&self) -> Option<i32> {
        self.0.end.drift.map(clamped)
    }

    /// The number of dead-letter messages, payments and refunds that need attention (at most 100 of each are counted), and open
    /// discrepancies of bills. It is counted every 15 seconds. Null if it could not be.
    async fn waiting_for_people(&self) -> Option<i32> {
        self.0.end.people.map(clamped)
    }

    /// What an operator should look at. Empty if all is well.
    async fn alerts(&self) -> Vec<PulseAlert> {
        let alert = |alert: &pulse::Alert| PulseAlert {
            code: alert.code.into(),
            since: DateTime(alert.since),
            detail: alert.detail.clone(),
            sale_id: alert.sale.map(|sale| ID(sale.to_string())),
        };
        self.0.end.alerts.iter().map(alert).collect()
    }

    /// The sales in which something happened in that second, the busiest first, at most 20.
    async fn sales(
        &self,
        #[graphql(desc = "Only this sale. If absent, all of them.")] sale_id: Option<ID>,
    ) -> Vec<SalePulse> {
        let only = sale_id.map(|id| id.parse::<SaleId>().ok());
        let wanted = |numbers: &&SaleNumbers| only.is_none_or(|only| only == Some(numbers.sale));
        self.0.end.sales.iter().filter(wanted).cloned().map(SalePulse).collect()
    }
}

/// The current numbers of a sale. Numbers that this node does not know are null: those of the gate while it does not respond and from 10
/// minutes after the end of the sale on, and sums of the database until they have been read. They are read when a node starts, and again
/// after a node was not heard or has shut down, in the first seconds in which the sale does not change.
pub struct SalePulse(pub SaleNumbers);

/// The current numbers of a sale. Numbers that this node does not know are null: those of the gate while it does not respond and from 10
/// minutes after the end of the sale on, and sums of the database until they have been read. They are read when a node starts, and again
/// after a node was not heard or has shut down, in the first seconds in which the sale does not change.
#[Object]
impl SalePulse {
    /// The ID of the sale.
    async fn sale_id(&self) -> ID {
        ID(self.0.sale.to_string())
    }

    /// When the numbers were collected.
    async fn as_of(&self) -> DateTime {
        DateTime(self.0.as_of)
    }

    /// The status of the sale.
    async fn status(&self) -> SaleStatus {
        self.0.status.into()
    }

    /// The total number of units, including added ones.
    async fn units_total(&self) -> i32 {
        clamped(self.0.total)
    }

    /// The number of available units in the database.
    async fn units_free(&self) -> i32 {
        clamped(self.0.free)
    }

    /// The number of available units in the gate. It differs from `unitsFree` by what is in progress. Null if it is not known.
    async fn units_free_in_gate(&self) -> Option<i32> {
        self.0.free_in_gate.map(clamped)
    }

    /// The number of units in unpaid orders. Paid units are deducted within a second.
    async fn units_held(&self) -> i32 {
        clamped(self.0.held)
    }

    /// The number of units in paid orders, including those being refunded. Null if it is not known.
    async fn units_paid(&self) -> Option<i32> {
        self.0.paid.map(clamped)
    }

    /// The number of accepted purchases. Null if it is not known.
    async fn tickets(&self) -> Option<i32> {
        self.0.tickets.map(clamped)
    }

    /// The number of accepted purchases that wait for their decision. Null if it is not known.
    async fn tickets_waiting(&self) -> Option<i32> {
        self.0.waiting.map(clamped)
    }

    /// The accepted purchases that did not become an order, by reason. Reasons that did not occur are omitted. Null if they are not known.
    async fn refusals(&self) -> Option<Vec<RefusalCount>> {
        use Refusal::{AlreadyBought, SaleEnded, SoldOut, Voided};
        let counts = self.0.refused?.into_iter().zip([SoldOut, AlreadyBought, SaleEnded, Voided]);
        let refusal = |(count, refusal): (u64, Refusal)| RefusalCount { code: refusal.into(), count: clamped(count) };
        Some(counts.filter(|(count, _)| *count > 0).map(refusal).collect())
    }

    /// The results of `salePurchase` in this sale that this node has heard of since it was started. `UNAUTHENTICATED`, `RATE_LIMITED` and
    /// overload concern no sale.
    async fn purchases(&self) -> Vec<PurchaseCount> {
        purchase_counts(&self.0.answers)
    }

    /// The money of paid orders, less refunds. Points are not included. Null if it is not known.
    async fn revenue(&self) -> Option<Money> {
        self.0.revenue.map(Money)
    }
}

fn purchase_counts(answers: &[u64; Answer::COUNT]) -> Vec<PurchaseCount> {
    let counts = Answer::ALL.into_iter().zip(answers).filter(|(_, count)| **count > 0);
    counts.map(|(answer, count)| PurchaseCount { answer: answer.into(), count: clamped(*count) }).collect()
}

fn order_events(committed: &Committed) -> Vec<OrderEventCount> {
    use OrderEvent::{Cancelled, Created, Expired, Paid, Refunded};
    let events = [Created, Paid, Cancelled, Expired, Refunded].map(|event| (event, committed.events[event as usize]));
    let happened = events.into_iter().filter(|(_, count)| count.orders > 0);
    let count = |(event, count): (OrderEvent, crate::telemetry::OrderCount)| OrderEventCount {
        event: event.into(),
        count: clamped(count.orders),
        units: clamped(count.units),
    };
    happened.map(count).collect()
}

fn latency(latency: &pulse::Latency) -> Latency {
    Latency {
        count: clamped(latency.count()),
        p50_ms: latency.quantile_ms(50),
        p99_ms: latency.quantile_ms(99),
        max_ms: latency.longest_ms(),
    }
}
