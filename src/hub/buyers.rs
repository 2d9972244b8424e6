//! Subscriptions to all orders of one buyer.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::kernel::{TicketId, UserId};
use crate::model::orders::Order;

/// Changes may have been missed: from here on, only reading the orders afresh tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed;

/// Subscribers to all of a buyer's orders.
#[derive(Default)]
pub struct Buyers(Mutex<HashMap<UserId, Vec<Arc<Mailbox>>>>);

impl Buyers {
    /// Attaches to a buyer's orders. Of `max` orders the newest change each may wait to be taken.
    pub fn watch(self: &Arc<Self>, buyer: UserId, max: usize) -> BuyerWatch {
        let mailbox = Arc::new(Mailbox { max, waiting: Mutex::default(), arrived: Notify::new() });
        self.0.lock().entry(buyer).or_default().push(mailbox.clone());
        BuyerWatch { buyers: self.clone(), buyer, mailbox }
    }

    /// Passes a change on. Purchases that became no order concern nobody here.
    pub fn apply(&self, order: &Arc<Order>) {
        if order.state.refusal().is_some() {
            return;
        }
        if let Some(mailboxes) = self.0.lock().get(&order.buyer) {
            for mailbox in mailboxes {
                mailbox.put(order.clone());
            }
        }
    }

    /// Tells everybody that changes may have been missed.
    pub fn miss(&self) {
        for mailbox in self.0.lock().values().flatten() {
            mailbox.miss();
        }
    }
}

/// Changes that wait for one subscription: the newest of each order, those first that have waited longest.
struct Mailbox {
    max: usize,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    line: VecDeque<TicketId>,
    newest: HashMap<TicketId, Arc<Order>>,
    missed: bool,
}

impl Mailbox {
    fn put(&self, order: Arc<Order>) {
        let mut guard = self.waiting.lock();
        let waiting = &mut *guard;
        match waiting.newest.get_mut(&order.ticket) {
            Some(held) if held.version < order.version => *held = order,
            Some(_) => return,
            None if waiting.line.len() < self.max => {
                waiting.line.push_back(order.ticket);
                waiting.newest.insert(order.ticket, order);
            }
            None => waiting.missed = true,
        }
        drop(guard);
        self.arrived.notify_one();
    }

    fn miss(&self) {
        self.waiting.lock().missed = true;
        self.arrived.notify_one();
    }

    fn take(&self) -> Option<Result<Arc<Order>, Missed>> {
        let mut waiting = self.waiting.lock();
        let next = waiting.line.pop_front();
        match next.and_then(|ticket| waiting.newest.remove(&ticket)) {
            Some(order) => Some(Ok(order)),
            None => waiting.missed.then_some(Err(Missed)),
        }
    }
}

/// An attachment to the orders of one buyer; detaches when dropped.
pub struct BuyerWatch {
    buyers: Arc<Buyers>,
    buyer: UserId,
    mailbox: Arc<Mailbox>,
}

impl BuyerWatch {
    /// Waits for the next change of any order.
    pub async fn next(&mut self) -> Result<Arc<Order>, Missed> {
        loop {
            if let Some(next) = self.mailbox.take() {
                return next;
            }
            self.mailbox.arrived.notified().await;
        }
    }
}

impl Drop for BuyerWatch {
    fn drop(&mut self) {
        let mut buyers = self.buyers.0.lock();
        let Some(mailboxes) = buyers.get_mut(&self.buyer) else { return };
        mailboxes.retain(|mailbox| !Arc::ptr_eq(mailbox, &self.mailbox));
        if mailboxes.is_empty() {
            buyers.remove(&self.buyer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::tests::order;
    use crate::model::orders::OrderState;

    fn version(seq: u64, version: u32) -> Arc<Order> {
        Arc::new(order(seq, version))
    }

    #[tokio::test]
    async fn each_order_waits_once_with_its_newest_version() {
        let buyers = Arc::new(Buyers::default());
        let mut watch = buyers.watch(version(1, 2).buyer, 10);
        for change in [version(1, 2), version(2, 2), version(1, 4), version(1, 3)] {
            buyers.apply(&change);
        }
        let refused = Order { state: OrderState::RefusedSoldOut, ..order(3, 2) };
        buyers.apply(&Arc::new(refused));
        let other = Order { buyer: UserId::from_bytes([9; 16]), ..order(4, 2) };
        buyers.apply(&Arc::new(other));
        assert_eq!(watch.next().await, Ok(version(1, 4)));
        assert_eq!(watch.next().await, Ok(version(2, 2)));
        let nothing = tokio::time::timeout(std::time::Duration::from_millis(1), watch.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
    }

    #[tokio::test]
    async fn who_falls_too_far_behind_is_told_after_what_was_kept() {
        let buyers = Arc::new(Buyers::default());
        let mut slow = buyers.watch(version(1, 2).buyer, 2);
        for seq in 1..=3 {
            buyers.apply(&version(seq, 2));
        }
        assert_eq!(slow.next().await, Ok(version(1, 2)));
        assert_eq!(slow.next().await, Ok(version(2, 2)));
        assert_eq!(slow.next().await, Err(Missed));
        let mut quick = buyers.watch(version(1, 2).buyer, 2);
        buyers.miss();
        assert_eq!(quick.next().await, Err(Missed));
    }

    #[test]
    fn a_dropped_watch_leaves_nothing_behind() {
        let buyers = Arc::new(Buyers::default());
        let (first, second) = (buyers.watch(version(1, 2).buyer, 2), buyers.watch(version(1, 2).buyer, 2));
        drop(first);
        assert_eq!(buyers.0.lock().len(), 1);
        drop(second);
        assert!(buyers.0.lock().is_empty());
    }
}
