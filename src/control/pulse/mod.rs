//! The shop in numbers, second by second, for operators who watch it.
//!
//! Each node reads its counters once a second ([`part`]), tells the others (topic `pulses`), and puts together what all say ([`merge`],
//! [`frame`]). A frame is closed 1.2 s after its second. Parts that arrive later are added to it; only queries of past frames include
//! them. Nothing here asks the database because somebody watches: the sums of sales are read once ([`sums`]) and kept up from what is
//! committed; gates, and what waits for a person, are looked at by one node for all, whether anybody watches or not.

pub mod alert;
pub mod alerts;
pub mod frame;
pub mod merge;
pub mod part;
pub mod sums;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::kernel::{SaleId, Timestamp};
pub use alert::{Alert, AlertCode};
pub use frame::{Frame, Latency, SaleNumbers};
use merge::Merge;
pub use merge::{Bounds, KEPT, SaleFacts};
use part::Reader;
pub use part::{Gauge, Gauges, Part};
pub use worker::{Parts, Worker};

/// What this node has heard. Cheap to clone.
#[derive(Clone)]
pub struct Pulse(Arc<Inner>);

struct Inner {
    merge: Mutex<Merge>,
    reader: Mutex<Reader>,
    newest: watch::Sender<Option<Arc<Frame>>>,
}

impl Pulse {
    /// Nothing was heard. `node` began to count at `started`.
    pub fn new(node: &str, started: Timestamp, bounds: Bounds) -> Self {
        Self(Arc::new(Inner {
            merge: Mutex::new(Merge::new(bounds)),
            reader: Mutex::new(Reader::new(node, started)),
            newest: watch::Sender::new(None),
        }))
    }

    /// The newest closed frame, and each that follows.
    pub fn newest(&self) -> watch::Receiver<Option<Arc<Frame>>> {
        self.0.newest.subscribe()
    }

    /// The newest frames, at most so many, the oldest first.
    pub fn last(&self, frames: usize) -> Vec<Arc<Frame>> {
        self.0.merge.lock().last(frames)
    }

    /// A sale in numbers.
    pub fn numbers(&self, facts: &SaleFacts, now: Timestamp) -> SaleNumbers {
        self.0.merge.lock().numbers(facts, now)
    }

    fn close(&self, second: i64, now: Timestamp, facts: &HashMap<SaleId, SaleFacts>) {
        let closed = self.0.merge.lock().close(second, now, facts);
        if let Some(frame) = closed {
            self.0.newest.send_replace(Some(frame));
        }
    }
}
