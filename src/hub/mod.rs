//! Fan-out on this node: from one copy of an event to many subscriptions. Events are hints that carry the latest row. A
//! subscriber attaches here first and then reads the current state, so no event is missed in between.

pub mod buyers;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use quick_cache::sync::Cache;
use tokio::sync::watch;

use crate::kernel::{self, SaleId, TicketId, UserId};
use crate::model::orders::Order;
use crate::model::results::ResultEvent;
use crate::model::sales::StockLevel;
use buyers::{BuyerWatch, Buyers};

/// The node's fan-out. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    orders: Mutex<HashMap<TicketId, watch::Sender<Option<Arc<Order>>>>>,
    buyers: Arc<Buyers>,
    recent: Cache<TicketId, Arc<Order>>,
    stock: RwLock<HashMap<SaleId, StockLevel>>,
    /// The latest ticket of each sale of which a decision was heard.
    decided: RwLock<HashMap<SaleId, TicketId>>,
    stock_changed: watch::Sender<()>,
}

impl Hub {
    /// An empty hub that remembers this many recent decisions.
    pub fn new(recent: u64) -> Self {
        Self(Arc::new(Inner {
            orders: Mutex::default(),
            buyers: Arc::default(),
            recent: kernel::recent(recent),
            stock: RwLock::default(),
            decided: RwLock::default(),
            stock_changed: watch::Sender::new(()),
        }))
    }

    /// Takes over what became so. Older versions than the held ones change nothing.
    pub fn apply(&self, events: Vec<ResultEvent>) {
        let (mut levels, mut decided) = (Vec::new(), Vec::new());
        for event in events {
            match event {
                ResultEvent::Stock(level) => levels.push(level),
                ResultEvent::Order(order) => {
                    decided.push(order.ticket);
                    self.apply_order(Arc::new(order));
                }
            }
        }
        self.pass(&decided);
        self.merge_stock(levels);
    }

    /// These tickets are decided.
    fn pass(&self, tickets: &[TicketId]) {
        if tickets.is_empty() {
            return;
        }
        let mut decided = self.0.decided.write();
        for ticket in tickets {
            let latest = decided.entry(ticket.sale).or_insert(*ticket);
            *latest = (*latest).max(*ticket);
        }
    }

    /// How many tickets of its sale are to be decided before this one, as far as this node has heard: tickets are decided in the
    /// order of their admission, but for a few that were on their way at the same moment. It only falls. `None`: nothing was heard
    /// of the sale.
    pub fn ahead_of(&self, ticket: TicketId) -> Option<u64> {
        let latest = *self.0.decided.read().get(&ticket.sale)?;
        // In a new epoch, all tickets of the old one are decided.
        let before = ticket.seq.saturating_sub(1);
        match latest.epoch.cmp(&ticket.epoch) {
            Ordering::Less => None,
            Ordering::Equal => Some(before.saturating_sub(latest.seq)),
            Ordering::Greater => Some(0),
        }
    }

    /// Takes over one order's row, unless a newer one is known.
    pub fn apply_order(&self, order: Arc<Order>) {
        let known = self.0.recent.get(&order.ticket);
        if known.is_some_and(|known| known.version >= order.version) {
            return;
        }
        self.0.recent.insert(order.ticket, order.clone());
        self.0.buyers.apply(&order);
        if let Some(watchers) = self.0.orders.lock().get(&order.ticket) {
            watchers.send_if_modified(|held| {
                let newer = held.as_ref().is_none_or(|held| held.version < order.version);
                if newer {
                    *held = Some(order);
                }
                newer
            });
        }
    }

    /// Takes over stock levels, each unless a newer one is known.
    pub fn merge_stock(&self, levels: impl IntoIterator<Item = StockLevel>) {
        let mut changed = false;
        {
            let mut stock = self.0.stock.write();
            for level in levels {
                let held = stock.entry(level.sale).or_insert(level);
                if held.version < level.version {
                    *held = level;
                }
                changed = true;
            }
        }
        if changed {
            self.0.stock_changed.send_replace(());
        }
    }

    /// Forgets the stock of sales that are not listed any more.
    pub fn retain_stock(&self, listed: impl Fn(SaleId) -> bool) {
        self.0.stock.write().retain(|sale, _| listed(*sale));
        self.0.decided.write().retain(|sale, _| listed(*sale));
    }

    /// Wakes the stock subscriptions: something else that they show may have changed.
    pub fn touch_stock(&self) {
        self.0.stock_changed.send_replace(());
    }

    /// The newest known stock of a sale.
    pub fn stock(&self, sale: SaleId) -> Option<StockLevel> {
        self.0.stock.read().get(&sale).copied()
    }

    /// Wakes on each change of any sale's stock; intermediate changes are merged.
    pub fn stock_changes(&self) -> watch::Receiver<()> {
        self.0.stock_changed.subscribe()
    }

    /// A decision that this node heard lately.
    pub fn recent(&self, ticket: TicketId) -> Option<Arc<Order>> {
        self.0.recent.get(&ticket)
    }

    /// Attaches to a ticket and the order it becomes.
    pub fn watch(&self, ticket: TicketId) -> OrderWatch {
        let changes = self.0.orders.lock().entry(ticket).or_insert_with(|| watch::Sender::new(None)).subscribe();
        OrderWatch { hub: self.clone(), ticket, changes }
    }

    /// Attaches to all orders of a buyer. Of `max` orders the newest change each may wait to be taken.
    pub fn watch_buyer(&self, buyer: UserId, max: usize) -> BuyerWatch {
        self.0.buyers.watch(buyer, max)
    }

    /// The tickets that somebody watches: to be read afresh after events were missed.
    pub fn watched(&self) -> Vec<TicketId> {
        self.0.orders.lock().keys().copied().collect()
    }

    /// Forgets recent decisions: after events were missed they may be stale. Subscriptions to all orders of a buyer are notified.
    pub fn forget_recent(&self) {
        self.0.recent.clear();
        self.0.buyers.miss();
    }
}

/// Live stock, as the node's hub hears of it.
pub trait StockView: Send + Sync + 'static {
    /// The newest level heard of; `None` when none was.
    fn level(&self, sale: SaleId) -> Option<StockLevel>;
}

impl StockView for Hub {
    fn level(&self, sale: SaleId) -> Option<StockLevel> {
        self.stock(sale)
    }
}

/// An attachment to one ticket; detaches when dropped.
pub struct OrderWatch {
    hub: Hub,
    ticket: TicketId,
    changes: watch::Receiver<Option<Arc<Order>>>,
}

impl OrderWatch {
    /// Waits for a row newer than `version`.
    pub async fn newer_than(&mut self, version: u32) -> Arc<Order> {
        loop {
            if let Some(order) = self.changes.borrow_and_update().as_ref().filter(|order| order.version > version) {
                return order.clone();
            }
            if self.changes.changed().await.is_err() {
                // The sender lives in the hub as long as this attachment does.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for OrderWatch {
    fn drop(&mut self) {
        let mut orders = self.hub.0.orders.lock();
        // This receiver still counts: at one, nobody else is attached.
        if orders.get(&self.ticket).is_some_and(|watchers| watchers.receiver_count() <= 1) {
            orders.remove(&self.ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Currency, Money, Timestamp};
    use crate::model::orders::OrderState;

    pub(super) fn order(seq: u64, version: u32) -> Order {
        let now = Timestamp::from_millis(1);
        Order {
            ticket: TicketId { sale: SaleId::from_bytes([1; 16]), epoch: 1, seq },
            sale_number: 1,
            buyer: UserId::from_bytes([2; 16]),
            quantity: 1,
            key: None,
            state: OrderState::AwaitingPayment,
            product_name: String::new(),
            unit_price: Money { minor: 1, currency: Currency::Cny },
            points_price: None,
            created_at: now,
            decided_at: now,
            pay_before: now,
            paid_at: None,
            closed_at: None,
            version,
        }
    }

    #[tokio::test]
    async fn a_watch_hears_only_its_ticket_and_only_newer_versions() {
        let hub = Hub::new(10);
        let mut watch = hub.watch(order(1, 0).ticket);
        hub.apply(vec![
            ResultEvent::Order(order(2, 2)),
            ResultEvent::Order(order(1, 3)),
            ResultEvent::Order(order(1, 2)),
        ]);
        assert_eq!(watch.newer_than(1).await.version, 3);
        assert_eq!(hub.recent(order(1, 0).ticket).map(|order| order.version), Some(3));
        let silent = tokio::time::timeout(std::time::Duration::from_millis(1), watch.newer_than(3)).await;
        assert!(silent.is_err());
    }

    #[test]
    fn a_dropped_watch_leaves_nothing_behind() {
        let hub = Hub::new(10);
        let (first, second) = (hub.watch(order(1, 0).ticket), hub.watch(order(1, 0).ticket));
        drop(first);
        assert_eq!(hub.watched().len(), 1);
        drop(second);
        assert!(hub.watched().is_empty());
    }

    #[test]
    fn the_line_before_a_ticket_only_gets_shorter() {
        let hub = Hub::new(10);
        let ticket = order(10, 1).ticket;
        assert_eq!(hub.ahead_of(ticket), None, "nothing was heard");
        for (heard, ahead) in [(3, 6), (2, 6), (8, 1), (9, 0), (12, 0), (4, 0)] {
            hub.apply(vec![ResultEvent::Order(order(heard, 2))]);
            assert_eq!(hub.ahead_of(ticket), Some(ahead), "after {heard}");
        }
        assert_eq!(hub.ahead_of(TicketId { epoch: 2, ..ticket }), None, "a new epoch counts anew");
        assert_eq!(hub.ahead_of(TicketId { epoch: 0, ..ticket }), Some(0));
        hub.retain_stock(|_| false);
        assert_eq!(hub.ahead_of(ticket), None);
    }

    #[test]
    fn stock_never_goes_back_to_an_older_version() {
        let hub = Hub::new(10);
        let level = |version, left| StockLevel {
            sale: SaleId::from_bytes([1; 16]),
            left,
            held: 0,
            total: 9,
            version,
            at: Timestamp::from_millis(0),
        };
        hub.merge_stock([level(2, 5), level(1, 9)]);
        assert_eq!(hub.stock(level(0, 0).sale).map(|level| level.left), Some(5));
    }
}
