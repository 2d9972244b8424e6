//! What the shoppers did and saw, in the order in which they did and saw it. The checker believes nothing else about
//! the outside of the server.

use std::io::{BufRead, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::kernel::{Clock, OrderId, SaleId, TicketId, Timestamp, UserId};

/// One line of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the history began, by the monotonic clock.
    pub mono_us: u64,
    /// The same moment by the wall clock.
    pub wall: Timestamp,
    /// Which shopper.
    pub shopper: u32,
    /// Which of the shopper's calls; an answer has its invocation's number. 0 for what belongs to none.
    pub call: u32,
    /// What happened.
    #[serde(flatten)]
    pub step: Step,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// The shopper is signed in.
    Begin {
        /// As whom.
        buyer: UserId,
    },
    /// A request is about to be sent.
    Invoke {
        /// Which.
        request: Request,
    },
    /// The request was answered as wanted.
    Ok {
        /// With what.
        reply: Reply,
    },
    /// The request was refused.
    Fail {
        /// The stable code of the refusal.
        code: String,
    },
    /// No answer arrived, or one that leaves open what happened.
    Unknown {
        /// Why.
        why: String,
    },
    /// A subscription delivered.
    Push {
        /// What.
        seen: Reply,
    },
    /// A subscription ended.
    End {
        /// How.
        how: Ending,
    },
}

/// How a subscription ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The server completed it.
    Completed,
    /// The connection was lost or closed.
    Lost,
    /// The shopper would not wait any longer; the connection was good.
    GaveUp,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// `salePurchase`
    Purchase {
        /// In which sale.
        sale: SaleId,
        /// Idempotency key.
        key: String,
        /// Units; may be nonsense.
        quantity: i64,
    },
    /// `purchaseTicket` of one's own ticket.
    Ticket {
        /// Which.
        id: TicketId,
    },
    /// `orderCancel`
    Cancel {
        /// Which.
        id: OrderId,
    },
    /// `purchaseTicketUpdated` of one's own ticket.
    Follow {
        /// Which.
        id: TicketId,
        /// The version seen last.
        after: Option<u32>,
    },
    /// `purchaseTicket` or `purchaseTicketUpdated` of somebody else's ticket.
    Peek {
        /// Which.
        id: TicketId,
    },
    /// `saleStockChanged`
    Stock {
        /// Which.
        sale: SaleId,
    },
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "got", rename_all = "snake_case")]
pub enum Reply {
    /// A ticket.
    Ticket(TicketSeen),
    /// An order.
    Order(OrderSeen),
    /// A sale's stock.
    Stock {
        /// Which sale.
        sale: SaleId,
        /// Units free.
        left: i64,
        /// Grows with every change.
        version: u32,
    },
    /// There is no such thing for this shopper.
    Nothing,
}

/// A ticket as a shopper saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketSeen {
    /// Identity.
    pub id: TicketId,
    /// In which sale.
    pub sale: SaleId,
    /// Units.
    pub quantity: u32,
    /// Where it stands.
    pub status: TicketStatus,
    /// Grows with each change.
    pub version: u32,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// What it became.
    pub order: Option<OrderSeen>,
}

/// An order as a shopper saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderSeen {
    /// Identity.
    pub id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Grows with each change.
    pub version: u32,
    /// Units.
    pub quantity: u32,
    /// When the time to pay is over.
    pub pay_before: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// `PurchaseTicketStatus`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TicketStatus {
    /// Not decided.
    Queued,
    /// Became an order.
    Confirmed,
    /// Got nothing.
    Refused,
}

/// `OrderStatus`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OrderStatus {
    /// Holds units, not paid.
    AwaitingPayment,
    /// Holds units, paid.
    Paid,
    /// Money on its way back.
    Refunding,
    /// Money gone back.
    Refunded,
    /// Given up by the buyer.
    Cancelled,
    /// Not paid in time.
    Expired,
}

impl OrderStatus {
    /// Whether an order may come from this status into `later`, in one step or several.
    pub const fn leads_to(self, later: Self) -> bool {
        matches!(
            (self, later),
            (Self::AwaitingPayment, _)
                | (Self::Paid | Self::Refunding, Self::Paid | Self::Refunding | Self::Refunded)
                | (Self::Refunded, Self::Refunded)
                | (Self::Cancelled, Self::Cancelled)
                | (Self::Expired, Self::Expired)
        )
    }
}

/// Collects the entries of all shoppers. Cheap to clone; clones share the history.
#[derive(Clone)]
pub struct Recorder(Arc<Inner>);

struct Inner {
    began: Instant,
    clock: Clock,
    entries: Mutex<Vec<Entry>>,
}

impl Recorder {
    /// An empty history that begins now.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner { began: Instant::now(), clock, entries: Mutex::new(Vec::new()) }))
    }

    /// Adds an entry that happens now.
    pub fn record(&self, shopper: u32, call: u32, step: Step) {
        let mut entries = self.0.entries.lock();
        // Taken under the lock, so that the order of entries is the order of time.
        let mono_us = self.0.began.elapsed().as_micros() as u64;
        entries.push(Entry { mono_us, wall: self.0.clock.now(), shopper, call, step });
    }

    /// What was recorded so far.
    pub fn snapshot(&self) -> Vec<Entry> {
        self.0.entries.lock().clone()
    }
}

/// Writes entries as JSON lines.
pub fn write_lines(entries: &[Entry], out: &mut impl Write) -> std::io::Result<()> {
    for entry in entries {
        serde_json::to_writer(&mut *out, entry)?;
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Reads JSON lines; fails on a line that is not an entry.
pub fn read_lines(input: impl BufRead) -> std::io::Result<Vec<Entry>> {
    let parse = |line: std::io::Result<String>| serde_json::from_str(&line?).map_err(Into::into);
    input.lines().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_round_trip() {
        let recorder = Recorder::new(Clock::system());
        let sale = SaleId::from_bytes([1; 16]);
        let ticket = TicketId { sale, epoch: 1, seq: 2 };
        recorder.record(3, 0, Step::Begin { buyer: UserId::from_bytes([2; 16]) });
        let request = Request::Purchase { sale, key: "key-12345".into(), quantity: -1 };
        recorder.record(3, 1, Step::Invoke { request });
        let order = OrderSeen {
            id: ticket.order(),
            status: OrderStatus::AwaitingPayment,
            version: 2,
            quantity: 1,
            pay_before: Timestamp::from_millis(9),
            closed_at: None,
        };
        let seen = TicketSeen {
            id: ticket,
            sale,
            quantity: 1,
            status: TicketStatus::Confirmed,
            version: 2,
            refusal: None,
            order: Some(order),
        };
        recorder.record(3, 1, Step::Ok { reply: Reply::Ticket(seen) });
        recorder.record(3, 1, Step::Fail { code: "SOLD_OUT".into() });
        let entries = recorder.snapshot();
        let mut text = Vec::new();
        write_lines(&entries, &mut text).unwrap();
        assert_eq!(read_lines(text.as_slice()).unwrap(), entries);
        assert!(read_lines(&b"{}\n"[..]).is_err());
    }
}
