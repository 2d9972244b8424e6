//! Purchases: sale, gate, broker, ticket. All reasons for a rejection are in [`PurchaseRefusal`].

use tokio::time::Instant;

use super::{Orders, OrdersError};
use crate::broker::BrokerError;
use crate::gate::{AdmitError, Attempt, Decision, GateError};
use crate::kernel::{SaleId, TicketId, Timestamp, UserId};
use crate::model::answers::Answer;
use crate::model::gate::SaleVersion;
use crate::model::messages::Topic;
use crate::model::order_requests::{OrderRequest, TicketPrice};
use crate::model::orders::{Ticket, is_key};
use crate::model::sales::SaleState;
use crate::model::snapshot::Offer;

/// A buyer's purchase request.
#[derive(Debug, Clone)]
pub struct PurchaseRequest {
    /// Which sale; `None` when the id was not one.
    pub sale: Option<SaleId>,
    /// How many units, as asked.
    pub quantity: i32,
    /// Idempotency key, as asked.
    pub key: String,
}

/// Why a purchase was refused. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseRefusal {
    /// No such sale, or it is a draft.
    SaleNotFound,
    /// The window begins later.
    NotStarted {
        /// When it begins.
        starts_at: Timestamp,
    },
    /// The window is over, or the operator ended the sale.
    Ended,
    /// The operator paused the sale.
    Paused,
    /// Fewer units are left than asked for.
    SoldOut,
    /// The buyer has a live order in this sale.
    AlreadyBought,
    /// Not between 1 and the sale's limit per buyer.
    QuantityInvalid {
        /// The limit.
        limit: u32,
    },
    /// Not 8 to 64 of `A-Z a-z 0-9 _ -`.
    KeyInvalid,
    /// The buyer used the key before, for something else.
    KeyReused,
    /// The sale can't be bought from at this moment.
    TryLater,
}

impl PurchaseRefusal {
    /// What it is counted as.
    const fn answer(self) -> Answer {
        match self {
            Self::SaleNotFound => Answer::SaleNotFound,
            Self::NotStarted { .. } => Answer::SaleNotStarted,
            Self::Ended => Answer::SaleEnded,
            Self::Paused => Answer::SalePaused,
            Self::SoldOut => Answer::SoldOut,
            Self::AlreadyBought => Answer::AlreadyBought,
            Self::QuantityInvalid { .. } => Answer::QuantityInvalid,
            Self::KeyInvalid => Answer::IdempotencyKeyInvalid,
            Self::KeyReused => Answer::IdempotencyKeyReused,
            Self::TryLater => Answer::TryLater,
        }
    }
}

/// A ticket, and whether this very request got it admitted.
struct Accepted {
    ticket: Ticket,
    is_new: bool,
}

impl Accepted {
    const fn new(ticket: Ticket) -> Self {
        Self { ticket, is_new: true }
    }

    const fn again(ticket: Ticket) -> Self {
        Self { ticket, is_new: false }
    }
}

/// What a purchase comes to.
type Answered = Result<Result<Accepted, PurchaseRefusal>, OrdersError>;

impl Orders {
    /// Buys. `Ok(Ok)` is a promise: the ticket will end in exactly one recorded outcome, whatever crashes. `Err` means that
    /// it is unknown whether there is a ticket; asking again with the same key tells.
    pub async fn purchase(
        &self,
        buyer: UserId,
        request: PurchaseRequest,
    ) -> Result<Result<Ticket, PurchaseRefusal>, OrdersError> {
        let started = Instant::now();
        let snapshot = self.0.sales.snapshot();
        let found = request.sale.and_then(|id| snapshot.listed(id));
        let result = self.decide_purchase(buyer, request, found.map(|(offer, _)| offer), started).await;
        let metrics = &self.0.metrics;
        let answer = match &result {
            Ok(Ok(accepted)) => {
                let took = started.elapsed();
                metrics.purchase.record(took);
                metrics.watched.purchases.record(took);
                if accepted.is_new { Answer::Admitted } else { Answer::Replayed }
            }
            Ok(Err(refusal)) => refusal.answer(),
            Err(_) => Answer::Unavailable,
        };
        metrics.purchase_results.count(answer.name());
        if let Some((_, tally)) = found {
            tally.count(answer);
        }
        Ok(result?.map(|accepted| accepted.ticket))
    }

    /// Counts a purchase of whom nobody knows.
    pub fn purchase_unauthenticated(&self) {
        self.0.metrics.purchase_results.count(Answer::Unauthenticated.name());
    }

    async fn decide_purchase(
        &self,
        buyer: UserId,
        request: PurchaseRequest,
        offer: Option<&Offer>,
        started: Instant,
    ) -> Answered {
        if !is_key(&request.key) {
            return Ok(Err(PurchaseRefusal::KeyInvalid));
        }
        let Some(offer) = offer else { return self.purchase_unlisted(buyer, request).await };
        let sale = &offer.sale;
        let quantity = match u32::try_from(request.quantity) {
            Ok(quantity) if quantity > 0 => quantity,
            _ => return Ok(Err(PurchaseRefusal::QuantityInvalid { limit: sale.limit_per_buyer })),
        };
        let attempt = Attempt { buyer, key: request.key, quantity };
        let decision = match self.ask_gate(offer, &attempt).await {
            Ok(decision) => {
                // Nothing was waited for before.
                self.0.metrics.gate.record(started.elapsed());
                decision
            }
            Err(AdmitError::Busy) => return Ok(Err(PurchaseRefusal::TryLater)),
            Err(AdmitError::Unavailable(error)) => return Err(OrdersError::Gate(error)),
        };
        self.act_on(decision, offer, attempt).await
    }

    /// A gate that has not heard of the node's version of the sale gets it first. So nobody is admitted to a sale that this node
    /// knows to be ended or paused; and a key that was used before gets its ticket, as the gate looks for keys first.
    async fn ask_gate(&self, offer: &Offer, attempt: &Attempt) -> Result<Decision, AdmitError> {
        let (sale, known) = (offer.sale.id, offer.sale.sale_version());
        match self.0.coalescer.admit(sale, known, attempt).await? {
            Decision::Behind => {
                self.0.gate.update(offer.terms()).await?;
                self.0.coalescer.admit(sale, known, attempt).await
            }
            decision => Ok(decision),
        }
    }

    async fn act_on(&self, decision: Decision, offer: &Offer, attempt: Attempt) -> Answered {
        let refusal = match decision {
            Decision::Admitted { ticket, at } => {
                // What this node shows, and so what the buyer agreed to.
                let price = TicketPrice { unit: offer.sale.price, points: offer.sale.points_price };
                let published = self.publish(ticket, at, attempt, Some(price)).await?;
                return Ok(published.map(Accepted::new).ok_or(PurchaseRefusal::TryLater));
            }
            Decision::Replayed { ticket, at: Some(at), pending: true } => {
                let promised = self.promised(ticket, at, attempt).await?;
                return Ok(promised.map(Accepted::again).ok_or(PurchaseRefusal::TryLater));
            }
            Decision::Replayed { ticket, .. } => {
                let known = self.ticket_of_buyer(attempt.buyer, ticket).await?;
                return Ok(known.map(Accepted::again).ok_or(PurchaseRefusal::TryLater));
            }
            Decision::WrongEpoch => return self.purchase_closed(offer, attempt).await,
            // It was rebuilt in between with what another node had read.
            Decision::Behind => PurchaseRefusal::TryLater,
            Decision::KeyReused => PurchaseRefusal::KeyReused,
            Decision::AlreadyBought => PurchaseRefusal::AlreadyBought,
            Decision::OverLimit => PurchaseRefusal::QuantityInvalid { limit: offer.sale.limit_per_buyer },
            Decision::SoldOut => PurchaseRefusal::SoldOut,
            Decision::NotOpen => PurchaseRefusal::NotStarted { starts_at: offer.session.starts_at },
            Decision::Ended => PurchaseRefusal::Ended,
            Decision::Paused => PurchaseRefusal::Paused,
        };
        Ok(Err(refusal))
    }

    /// A ticket that is pending in the gate, once it may be shown: decided already, or stored by the broker. `None` when the
    /// sale was closed meanwhile.
    pub(super) async fn promised(
        &self,
        ticket: TicketId,
        at: Timestamp,
        attempt: Attempt,
    ) -> Result<Option<Ticket>, OrdersError> {
        // The gate hears of a decision a moment after the buyer may have seen it. Without a database it waits still.
        if let Ok(Some(order)) = self.find(ticket).await {
            return Ok(Some(Ticket::decided(order)));
        }
        // The sale may have cost something else then.
        self.publish(ticket, at, attempt, None).await
    }

    /// Promises only after the broker's receipt. The ticket is pending in the gate from before, so nothing is lost when this
    /// fails or the buyer hangs up: reconciliation publishes it again.
    async fn publish(
        &self,
        ticket: TicketId,
        at: Timestamp,
        attempt: Attempt,
        price: Option<TicketPrice>,
    ) -> Result<Option<Ticket>, OrdersError> {
        let (buyer, key, quantity) = (attempt.buyer, attempt.key.clone(), attempt.quantity);
        let sent = Instant::now();
        self.0.publisher.publish(OrderRequest { ticket, buyer, key, quantity, at, price }).await?;
        self.0.metrics.broker_publish.get(Topic::OrderRequests.name()).record(sent.elapsed());
        if !self.still_admitted(ticket, &attempt).await? {
            return Ok(None);
        }
        #[cfg(feature = "sabotage")]
        crate::kernel::sabotage::pause("purchase.slow_answer").await;
        Ok(Some(Ticket { id: ticket, buyer, quantity, created_at: at, decision: None }))
    }

    /// Asks the gate once more, after the broker's receipt: another node may have closed and rebuilt it since the admission,
    /// without this ticket, which was not in the broker yet. The order writer then voids it, and its key gets another ticket,
    /// so it must not be returned to the buyer. While the gate still knows it, each later rebuild finds it in the broker.
    async fn still_admitted(&self, ticket: TicketId, attempt: &Attempt) -> Result<bool, OrdersError> {
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("purchase.trust_the_admission") {
            return Ok(true);
        }
        match self.0.coalescer.admit(ticket.sale, SaleVersion::of_epoch(ticket.epoch), attempt).await {
            Ok(decision) => Ok(matches!(decision, Decision::Replayed { ticket: known, .. } if known == ticket)),
            Err(AdmitError::Busy) => Err(OrdersError::Gate(GateError("too many purchases are waiting".to_owned()))),
            Err(AdmitError::Unavailable(error)) => Err(OrdersError::Gate(error)),
        }
    }

    /// The gate does not hold the sale. Either it is being rebuilt: then everybody comes again, at no cost, and a key gets its
    /// ticket once the gate is open. Or the sale was over long ago: then the database still knows the keys.
    async fn purchase_closed(&self, Offer { sale, session, .. }: &Offer, attempt: Attempt) -> Answered {
        let over = session.ends_at <= self.0.clock.now() || sale.state == SaleState::Ended;
        if !over {
            return Ok(Err(PurchaseRefusal::TryLater));
        }
        if let Some(order) = self.find_by_key(attempt.buyer, attempt.key).await? {
            let same = order.sale() == sale.id && order.quantity == attempt.quantity;
            return Ok(if same {
                Ok(Accepted::again(Ticket::decided(order)))
            } else {
                Err(PurchaseRefusal::KeyReused)
            });
        }
        Ok(Err(PurchaseRefusal::Ended))
    }

    /// A sale that is not listed: unknown, a draft, or so old that only its orders remember it.
    async fn purchase_unlisted(&self, buyer: UserId, request: PurchaseRequest) -> Answered {
        let Some(sale) = request.sale else { return Ok(Err(PurchaseRefusal::SaleNotFound)) };
        let known = self.find_by_key(buyer, request.key).await?;
        let same =
            known.filter(|order| order.sale() == sale && i64::from(order.quantity) == i64::from(request.quantity));
        Ok(same.map(Ticket::decided).map(Accepted::again).ok_or(PurchaseRefusal::SaleNotFound))
    }
}

impl From<BrokerError> for OrdersError {
    fn from(error: BrokerError) -> Self {
        Self::Broker(error)
    }
}

#[cfg(test)]
mod tests {
    use crate::model::orders::is_key;

    #[test]
    fn keys_are_8_to_64_plain_characters() {
        for good in ["abcdefgh", "A-Z_0-9_", &"k".repeat(64)] {
            assert!(is_key(good), "{good}");
        }
        for bad in ["", "short_7", &"k".repeat(65), "with space", "naïve-key", "semi;colon", "tab\tkey1"] {
            assert!(!is_key(bad), "{bad}");
        }
    }
}
