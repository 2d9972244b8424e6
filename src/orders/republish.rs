//! Republishes tickets that stay pending in the gate, unless they are already waiting for the order writer.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::timeout;

use super::rebuild::WRITER;
use super::{Orders, OrdersError};
use crate::gate::PendingTicket;
use crate::kernel::{SaleId, TicketId, Timestamp};
use crate::model::messages::Topic;
use crate::model::order_requests::OrderRequest;
use crate::store;

/// Pending tickets looked at together.
const PAGE: usize = 500;

/// How long one sale's tickets may keep the other sales waiting, whose partitions may be well.
const BROKER_WAIT: Duration = Duration::from_secs(10);

/// Remembers from round to round what the order writer has still to pass.
#[derive(Debug, Default)]
pub struct Republisher {
    marks: HashMap<SaleId, Mark>,
}

/// When the order writer has passed this position, whatever was published of the tickets admitted before is decided.
#[derive(Debug, Clone, Copy)]
struct Mark {
    admitted_before: Timestamp,
    position: u64,
}

impl Republisher {
    /// Publishes tickets again that are pending for longer than `after` and do not wait for the order writer: the promise was
    /// made, or may have been, and the message was lost. The gate gets the results of those that are decided. Returns how many were
    /// published.
    /// While the broker can't be asked nothing is published.
    pub async fn round(&mut self, orders: &Orders, sale: SaleId, after: Duration) -> Result<usize, OrdersError> {
        match timeout(BROKER_WAIT, self.publish_lost(orders, sale, after)).await {
            Ok(Err(OrdersError::Broker(error))) => {
                tracing::warn!(%error, %sale, "could not publish pending tickets yet");
            }
            Ok(result) => return result,
            Err(_) => tracing::warn!(%sale, "timed out publishing pending tickets"),
        }
        Ok(0)
    }

    async fn publish_lost(&mut self, orders: &Orders, sale: SaleId, after: Duration) -> Result<usize, OrdersError> {
        let before = orders.0.clock.now().minus(after);
        if orders.0.gate.pending(sale, before, 0, 1).await?.is_empty() {
            self.marks.remove(&sale);
            return Ok(0);
        }
        let broker = &orders.0.broker;
        let partition = broker.partition_of(Topic::OrderRequests, &sale.to_bytes());
        let mark = match self.marks.get(&sale) {
            Some(mark) => *mark,
            None => {
                let position = broker.end_position(Topic::OrderRequests, partition).await?;
                Mark { admitted_before: before, position }
            }
        };
        if broker.acked_through(Topic::OrderRequests, partition, WRITER).await? < mark.position {
            self.marks.insert(sale, mark);
            return Ok(0);
        }
        // What is published now stands behind the next mark.
        self.marks.remove(&sale);
        orders.republish(sale, mark.admitted_before).await
    }

    /// Forgets all other sales.
    pub fn retain(&mut self, is_gated: impl Fn(&SaleId) -> bool) {
        self.marks.retain(|sale, _| is_gated(sale));
    }
}

impl Orders {
    async fn republish(&self, sale: SaleId, before: Timestamp) -> Result<usize, OrdersError> {
        let (mut after, mut republished) = (0, 0);
        loop {
            let page = self.0.gate.pending(sale, before, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(republished) };
            after = last.ticket.seq;
            let tickets: Vec<TicketId> = page.iter().map(|pending| pending.ticket).collect();
            let found = store::read!(&self.0.db, |conn| sql::orders::find_all(conn, &tickets).await)?;
            let decided: HashSet<TicketId> = found.into_iter().map(|order| order.ticket).collect();
            if !decided.is_empty() {
                self.0.gate.settle(&decided.iter().copied().collect::<Vec<_>>()).await?;
            }
            let lost = page.into_iter().filter(|pending| !decided.contains(&pending.ticket));
            let requests: Vec<OrderRequest> = lost
                .map(|PendingTicket { ticket, buyer, key, quantity, at }| OrderRequest {
                    ticket,
                    buyer,
                    key,
                    quantity,
                    at,
                    price: None,
                })
                .collect();
            if !requests.is_empty() {
                tracing::info!(%sale, tickets = requests.len(), "republished pending tickets");
            }
            republished += requests.len();
            // Together they fill few messages.
            try_join_all(requests.into_iter().map(|request| self.0.publisher.publish(request))).await?;
        }
    }
}
