//! Tickets, orders and their states.

use serde::{Deserialize, Serialize};

use crate::kernel::{Epoch, INT_MAX, Money, SaleId, Seq, TicketId, Timestamp, UserId};

/// What became of an admitted ticket. The refused states are final from the start; they are rows too, so that every
/// ticket has exactly one recorded outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderState {
    /// Has its units; waits for payment until `pay_before`.
    AwaitingPayment,
    /// Paid.
    Paid,
    /// Paid; the money is on its way back.
    Refunding,
    /// The money went back.
    Refunded,
    /// Cancelled by the buyer before it was paid.
    Cancelled,
    /// Not paid in time.
    Expired,
    /// No unit was left.
    RefusedSoldOut,
    /// The buyer has a live order in this sale already.
    RefusedAlreadyBought,
    /// The sale was over.
    RefusedSaleEnded,
    /// Taken back before it was decided.
    Voided,
}

/// Why a ticket became no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No unit was left.
    SoldOut,
    /// The buyer has a live order in this sale already.
    AlreadyBought,
    /// The sale was over.
    SaleEnded,
    /// Taken back before it was decided.
    Voided,
}

/// The cause of closing an unpaid order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Its time to pay was over by this moment.
    Expiry {
        /// The moment.
        due_by: Timestamp,
    },
    /// Its buyer.
    Buyer(UserId),
}

impl OrderState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::AwaitingPayment,
        Self::Paid,
        Self::Refunding,
        Self::Refunded,
        Self::Cancelled,
        Self::Expired,
        Self::RefusedSoldOut,
        Self::RefusedAlreadyBought,
        Self::RefusedSaleEnded,
        Self::Voided,
    ];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingPayment => "AWAITING_PAYMENT",
            Self::Paid => "PAID",
            Self::Refunding => "REFUNDING",
            Self::Refunded => "REFUNDED",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::RefusedSoldOut => "REFUSED_SOLD_OUT",
            Self::RefusedAlreadyBought => "REFUSED_ALREADY_BOUGHT",
            Self::RefusedSaleEnded => "REFUSED_SALE_ENDED",
            Self::Voided => "VOIDED",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether the order holds its units and keeps its buyer from buying again.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::AwaitingPayment | Self::Paid | Self::Refunding)
    }

    /// Why there is no order, if there is none.
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::RefusedSoldOut => Some(Refusal::SoldOut),
            Self::RefusedAlreadyBought => Some(Refusal::AlreadyBought),
            Self::RefusedSaleEnded => Some(Refusal::SaleEnded),
            Self::Voided => Some(Refusal::Voided),
            _ => None,
        }
    }

    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        !Self::ALL.into_iter().any(|next| self.may_become(next))
    }

    /// The allowed transitions; everything else is refused by the statements that change a state.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::AwaitingPayment, Self::Paid | Self::Cancelled | Self::Expired)
                | (Self::Paid, Self::Refunding)
                | (Self::Refunding, Self::Refunded | Self::Paid)
        )
    }
}

/// The decision on a ticket and, unless it was refused, the order it became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The ticket, which is also the order's identity.
    pub ticket: TicketId,
    /// The sale's short number.
    pub sale_number: u64,
    /// The buyer.
    pub buyer: UserId,
    /// Units.
    pub quantity: u32,
    /// The key it was asked for with; `None` only when the key belongs to another ticket.
    pub key: Option<String>,
    /// Where it stands.
    pub state: OrderState,
    /// The product's name when it was bought.
    pub product_name: String,
    /// Price of one unit when it was bought.
    pub unit_price: Money,
    /// Price of one unit in points, if points are taken.
    pub points_price: Option<u32>,
    /// When the gate admitted it.
    pub created_at: Timestamp,
    /// When the order writer decided.
    pub decided_at: Timestamp,
    /// Until when it can be paid.
    pub pay_before: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When it was cancelled, expired or refunded.
    pub closed_at: Option<Timestamp>,
    /// Grows with each change. A ticket is version 1 while queued; its decision is version 2.
    pub version: u32,
}

impl Order {
    /// The sale.
    pub const fn sale(&self) -> SaleId {
        self.ticket.sale
    }

    /// The human-readable number: unique, short, and in the order of admission.
    pub fn number(&self) -> String {
        format!("{}-{}-{:06}", self.sale_number, self.ticket.epoch, self.ticket.seq)
    }

    /// What is to be paid for all units in points. `None` when the sale takes no points, or when it would be more than the API can
    /// show, as orders of a sale may that was made before its price was bounded by this.
    pub fn points_total(&self) -> Option<u64> {
        let total = u64::from(self.points_price?) * u64::from(self.quantity);
        (total <= INT_MAX).then_some(total)
    }

    /// The total price of all units; saturates far above any accepted price.
    pub fn total(&self) -> Money {
        self.unit_price.times(self.quantity).unwrap_or(Money { minor: i64::MAX, ..self.unit_price })
    }
}

/// The parts of an order's number (see [`Order::number`]): the sale's number, the epoch and the seq. `None` for any other text.
pub fn number_parts(text: &str) -> Option<(u64, Epoch, Seq)> {
    let mut parts = text.split('-').map(|part| part.bytes().all(|byte| byte.is_ascii_digit()).then_some(part));
    let (sale, epoch, seq) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() {
        return None;
    }
    // What the database can hold.
    let fits = |number: &u64| i64::try_from(*number).is_ok();
    Some((sale.parse().ok().filter(fits)?, epoch.parse().ok()?, seq.parse().ok().filter(fits)?))
}

/// The response to an accepted purchase, and the result of later queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Identity.
    pub id: TicketId,
    /// The buyer that holds it.
    pub buyer: UserId,
    /// Units asked for.
    pub quantity: u32,
    /// When the gate admitted it.
    pub created_at: Timestamp,
    /// The decision; `None` while queued.
    pub decision: Option<std::sync::Arc<Order>>,
}

impl Ticket {
    /// Version of a ticket that is not decided.
    pub const QUEUED: u32 = 1;
    /// Version of a decided ticket: final.
    pub const DECIDED: u32 = 2;

    /// The ticket behind a decision.
    pub fn decided(order: std::sync::Arc<Order>) -> Self {
        Self {
            id: order.ticket,
            buyer: order.buyer,
            quantity: order.quantity,
            created_at: order.created_at,
            decision: Some(order),
        }
    }

    /// 1 while queued, 2 once decided.
    pub const fn version(&self) -> u32 {
        if self.decision.is_some() { Self::DECIDED } else { Self::QUEUED }
    }
}

/// A place in a buyer's list of orders, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListKey {
    /// When the order was admitted.
    pub at: Timestamp,
    /// Which order.
    pub ticket: TicketId,
}

/// A page of a buyer's orders: `limit` orders older than `after` or newer than `before`, those nearest to it.
#[derive(Debug, Clone)]
pub struct OrderPage {
    /// Only these states.
    pub states: Vec<OrderState>,
    /// Only older ones.
    pub after: Option<ListKey>,
    /// Only newer ones.
    pub before: Option<ListKey>,
    /// How many at most.
    pub limit: usize,
    /// Count from the oldest end.
    pub from_end: bool,
}

/// The result of `Orders::list_of_buyer`.
#[derive(Debug, Clone)]
pub struct OrderList {
    /// The page, newest first.
    pub orders: Vec<Order>,
    /// Whether there is more beyond it, in the direction that was asked for.
    pub more: bool,
    /// How many there are in all.
    pub total: usize,
}

/// What orders are looked for: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct OrderSearch {
    /// Their number, or its beginning from the sale's number on.
    pub number: Option<String>,
    /// The buyer's username, or its beginning.
    pub buyer: Option<String>,
    /// Only orders of this sale.
    pub sale: Option<SaleId>,
    /// Only orders with one of these statuses.
    pub states: Vec<OrderState>,
    /// Admitted at or after.
    pub from: Option<Timestamp>,
    /// Admitted before.
    pub until: Option<Timestamp>,
}

/// Where orders are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Among {
    /// All of them.
    All,
    /// Those of these buyers.
    Buyers(Vec<UserId>),
    /// Those with ids in these ranges, both ends included; the highest range first. In one sale the higher id is the newer order.
    Ids(Vec<(TicketId, TicketId)>, Option<Vec<UserId>>),
}

/// Whether the text can be an idempotency key.
pub fn is_key(text: &str) -> bool {
    (8..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_number_has_three_parts() {
        assert_eq!(number_parts("100017-3-000042"), Some((100_017, 3, 42)));
        assert_eq!(number_parts("1-1-1234567"), Some((1, 1, 1_234_567)));
        let most = u64::MAX.to_string();
        let too_large = [format!("{most}-1-1"), format!("1-{most}-1"), format!("1-1-{most}")];
        for bad in ["", "1", "1-2", "1-2-", "-1-2-3", "1-2-3-4", "1-+2-3", "1-2-3a", "١-2-3"] {
            assert_eq!(number_parts(bad), None, "{bad}");
        }
        assert!(too_large.iter().all(|bad| number_parts(bad).is_none()));
    }

    #[test]
    fn only_the_allowed_transitions_exist() {
        let allowed: Vec<_> = OrderState::ALL
            .into_iter()
            .flat_map(|from| OrderState::ALL.map(|to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .map(|(from, to)| format!("{}>{}", from.as_str(), to.as_str()))
            .collect();
        assert_eq!(
            allowed,
            [
                "AWAITING_PAYMENT>PAID",
                "AWAITING_PAYMENT>CANCELLED",
                "AWAITING_PAYMENT>EXPIRED",
                "PAID>REFUNDING",
                "REFUNDING>PAID",
                "REFUNDING>REFUNDED",
            ]
        );
    }

    #[test]
    fn a_refused_ticket_is_final_and_holds_nothing() {
        for state in OrderState::ALL {
            assert_eq!(OrderState::parse(state.as_str()), Some(state));
            if state.refusal().is_some() {
                assert!(state.is_final() && !state.is_live());
            }
        }
    }
}
