//! What a decision means for the gate. It arrives as an event, perhaps twice: settling and releasing are idempotent.

use super::{Order, OrderState, Orders, OrdersError, Ticket};
use crate::hub::events::ResultEvent;
use crate::kernel::{SaleId, TicketId, UserId};
use crate::store;

impl Orders {
    /// Takes over what became so: the gate learns what is decided and which units are free again, the hub tells who waits.
    pub async fn apply(&self, events: Vec<ResultEvent>) -> Result<(), OrdersError> {
        let mut decided = Vec::new();
        let mut released = Vec::new();
        for event in &events {
            let ResultEvent::Order(order) = event else { continue };
            if order.version == Ticket::DECIDED {
                decided.push(order.ticket);
            }
            if let Some(release) = release_of(order) {
                let restock = match release {
                    Release::Units(restock) => restock,
                    Release::AsTheSaleSays => self.restocks(order.sale()).await?,
                };
                released.push((order.ticket, order.buyer, restock));
            }
        }
        // The gate first: who hears that an order is cancelled may buy again at once. But a gate that is down keeps nobody
        // from hearing; it is told when the events come again.
        let told = self.tell_gate(decided, released).await;
        self.0.hub.apply(events);
        told
    }

    /// Whether refunded units of the sale are sold again. It never changes once the sale is published.
    pub(super) async fn restocks(&self, sale: SaleId) -> Result<bool, OrdersError> {
        let offer = self.0.sales.find_offer(sale).await?;
        Ok(offer.is_some_and(|offer| offer.sale.returns_on_refund))
    }

    async fn tell_gate(
        &self,
        decided: Vec<TicketId>,
        released: Vec<(TicketId, UserId, bool)>,
    ) -> Result<(), OrdersError> {
        if !decided.is_empty() {
            self.0.gate.settle(&decided).await?;
        }
        for (ticket, buyer, restock) in released {
            self.0.gate.release(ticket, buyer, restock).await?;
        }
        Ok(())
    }

    /// After events were missed: reads afresh what somebody on this node waits for.
    pub async fn resync(&self) -> Result<(), OrdersError> {
        self.0.hub.forget_recent();
        let snapshot = self.0.sales.refresh().await?;
        self.0.hub.merge_stock(snapshot.offers().iter().map(|offer| offer.stock));
        for ticket in self.0.hub.watched() {
            let order = store::read!(&self.0.db, |conn| sql::orders::find(conn, ticket).await)?;
            if let Some(order) = order {
                self.apply(vec![ResultEvent::Order(order)]).await?;
            }
        }
        Ok(())
    }
}

/// What the gate lets go of.
enum Release {
    /// The buyer and, if so, the units.
    Units(bool),
    /// The buyer, and the units if the sale sells refunded ones again.
    AsTheSaleSays,
}

/// Whether the gate lets go of the ticket's buyer, and what becomes of its units.
const fn release_of(order: &Order) -> Option<Release> {
    match order.state {
        OrderState::AwaitingPayment | OrderState::Paid | OrderState::Refunding => None,
        // The gate had promised a unit that does not exist.
        OrderState::RefusedSoldOut => Some(Release::Units(false)),
        OrderState::Refunded => Some(Release::AsTheSaleSays),
        OrderState::Cancelled
        | OrderState::Expired
        | OrderState::RefusedAlreadyBought
        | OrderState::RefusedSaleEnded
        | OrderState::Voided => Some(Release::Units(true)),
    }
}
