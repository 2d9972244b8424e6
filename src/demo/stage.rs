//! What the shoppers of one sale share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::history::Recorder;
use super::tally::Tally;
use crate::kernel::{SaleId, TicketId, UserId};

/// What the shoppers of one sale share.
pub struct Stage {
    /// Where the nodes are.
    pub addresses: Vec<SocketAddr>,
    /// What they want.
    pub sale: SaleId,
    /// How long they wait for an answer.
    pub timeout: Duration,
    /// How long they go on trying to get an answer, from their planned press.
    pub patience: Duration,
    /// How long shoppers go on trying after "sold out", from their planned press.
    pub persistence: Duration,
    /// Whether they read the list and the details first.
    pub browse: bool,
    /// Where they write what they did and saw.
    pub recorder: Recorder,
    /// Live counts.
    pub tally: Arc<Tally>,
    /// Tickets for others to peek at.
    pub board: Mutex<Vec<(UserId, TicketId)>>,
}

impl Stage {
    /// The nodes, a different one first for each shopper.
    pub fn addresses_for(&self, shopper: u32) -> Vec<SocketAddr> {
        let mut addresses = self.addresses.clone();
        addresses.rotate_left(shopper as usize % self.addresses.len());
        addresses
    }

    /// Shows a ticket to those who peek.
    pub fn post(&self, owner: UserId, ticket: TicketId) {
        self.board.lock().push((owner, ticket));
    }

    /// A ticket of somebody else, if the pick hits one.
    pub fn someone_elses(&self, than: UserId, pick: usize) -> Option<TicketId> {
        let board = self.board.lock();
        let (owner, ticket) = board.get(pick.checked_rem(board.len())?)?;
        (*owner != than).then_some(*ticket)
    }
}
