//! A competing topic: messages are lent to one consumer at a time and removed when it acknowledges. Who has what is known
//! only in memory; after a crash everything that is still in the table is free again.

pub(super) mod worker;

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::broker::BrokerError;
use crate::kernel::Timestamp;
use crate::model::messages::{Received, Topic};

/// A competing topic.
pub(super) struct Queue {
    pub(super) topic: Topic,
    state: Mutex<State>,
    /// Held by the consumer that looks into the table.
    scan: tokio::sync::Mutex<()>,
    /// Grows whenever something may have become due earlier than was known.
    news: watch::Sender<u64>,
}

struct State {
    group: Option<String>,
    consumers: u64,
    /// Every message that was ever lent and is still in the table.
    lent: HashMap<u64, Lent>,
    /// Acknowledged and to be removed from the table.
    done: Vec<u64>,
    /// Nothing is due before this moment.
    next_due: Timestamp,
    /// Somebody looks into the table and may still see rows that are removed meanwhile: those stay in `lent` until then.
    scanning: bool,
    gone: Vec<u64>,
}

struct Lent {
    times: u32,
    hold: Hold,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hold {
    Free,
    By { consumer: u64, until: Timestamp },
    Done,
}

/// Before every other moment.
const PAST: Timestamp = Timestamp::from_millis(i64::MIN);
/// After every other moment.
const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);
/// The operator, as a holder.
const OPERATOR: u64 = 0;

impl Queue {
    pub(super) fn new(topic: Topic) -> Self {
        let state = State {
            group: None,
            consumers: 0,
            lent: HashMap::new(),
            done: Vec::new(),
            next_due: PAST,
            scanning: false,
            gone: Vec::new(),
        };
        let scan = tokio::sync::Mutex::new(());
        Self { topic, state: Mutex::new(state), scan, news: watch::Sender::new(0) }
    }

    /// Registers a consumer and returns its number.
    pub(super) fn join(&self, group: &str) -> Result<u64, BrokerError> {
        let mut state = self.state.lock();
        let present = state.group.get_or_insert_with(|| group.to_owned());
        if present != group {
            return Err(BrokerError::Refused(format!(
                "{} is already consumed by the group {present}",
                self.topic.name()
            )));
        }
        state.consumers += 1;
        Ok(state.consumers)
    }

    /// A message was committed, or may have been, that is due at `at`.
    pub(super) fn added(&self, at: Timestamp) {
        let mut state = self.state.lock();
        state.next_due = state.next_due.min(at);
        // Under the lock, so that a task about to set `next_due` sees that it is out of date.
        self.news.send_modify(|version| *version += 1);
    }

    /// Somebody else may have added messages.
    pub(super) fn look(&self) {
        self.added(PAST);
    }

    /// Lends out of `found`, what is due, up to `max` messages to the consumer until `until`.
    fn lend(&self, consumer: u64, found: Vec<Received>, max: usize, now: Timestamp, until: Timestamp) -> Vec<Received> {
        let mut state = self.state.lock();
        let mut taken = Vec::with_capacity(max.min(found.len()));
        for mut message in found {
            if taken.len() == max {
                break;
            }
            let lent = state.lent.entry(message.position).or_insert(Lent { times: 0, hold: Hold::Free });
            let free = match lent.hold {
                Hold::Free => true,
                Hold::By { until, .. } => until <= now,
                Hold::Done => false,
            };
            if free {
                message.redeliveries = lent.times;
                *lent = Lent { times: lent.times.saturating_add(1), hold: Hold::By { consumer, until } };
                taken.push(message);
            }
        }
        taken
    }

    /// Waits for the turn to look into the table.
    async fn begin_scan(&self) -> Scan<'_> {
        let turn = self.scan.lock().await;
        self.state.lock().scanning = true;
        Scan { queue: self, _turn: turn }
    }

    /// Everything that is due is lent. Remembers when to look next, unless something came in since `version`.
    fn nothing_until(&self, version: u64, next: Option<Timestamp>) {
        let mut state = self.state.lock();
        let back = state.lent.values().filter_map(|lent| match lent.hold {
            Hold::By { until, .. } => Some(until),
            Hold::Free | Hold::Done => None,
        });
        let next = back.chain(next).min().unwrap_or(NEVER);
        if *self.news.borrow() == version {
            state.next_due = next;
        }
    }

    /// How many messages of the table are not to be had, at most.
    fn lent(&self) -> usize {
        self.state.lock().lent.len()
    }

    /// The message is done. Returns whether that is news.
    fn acknowledge(&self, position: u64) -> bool {
        let mut state = self.state.lock();
        match state.lent.get_mut(&position) {
            Some(lent) if lent.hold != Hold::Done => lent.hold = Hold::Done,
            _ => return false,
        }
        state.done.push(position);
        true
    }

    /// Gives back what the consumer holds.
    fn release(&self, consumer: u64) {
        let mut state = self.state.lock();
        let mut any = false;
        for lent in state.lent.values_mut() {
            if matches!(lent.hold, Hold::By { consumer: holder, .. } if holder == consumer) {
                lent.hold = Hold::Free;
                any = true;
            }
        }
        drop(state);
        if any {
            self.look();
        }
    }

    /// Messages to remove from the table.
    pub(super) fn take_done(&self) -> Vec<u64> {
        std::mem::take(&mut self.state.lock().done)
    }

    /// They could not be removed.
    pub(super) fn put_back(&self, mut ids: Vec<u64>) {
        self.state.lock().done.append(&mut ids);
    }

    /// They are removed.
    pub(super) fn removed(&self, ids: &[u64]) {
        let mut state = self.state.lock();
        if state.scanning {
            state.gone.extend_from_slice(ids);
        } else {
            for id in ids {
                state.lent.remove(id);
            }
        }
    }

    /// Messages of the table that are done.
    pub(super) fn done(&self) -> u64 {
        self.state.lock().lent.values().filter(|lent| lent.hold == Hold::Done).count() as u64
    }

    /// Whether the message is done though it is still in the table.
    pub(super) fn is_done(&self, position: u64) -> bool {
        self.state.lock().lent.get(&position).is_some_and(|lent| lent.hold == Hold::Done)
    }

    /// Lends one message to the operator, if nobody has it.
    pub(super) fn hold(&self, position: u64, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let lent = state.lent.entry(position).or_insert(Lent { times: 0, hold: Hold::Free });
        let taken = match lent.hold {
            Hold::Free => false,
            Hold::By { until, .. } => until > now,
            Hold::Done => true,
        };
        if !taken {
            lent.hold = Hold::By { consumer: OPERATOR, until: NEVER };
        }
        !taken
    }

    /// Ends [`Self::hold`]: the message is gone, or free again.
    pub(super) fn let_go(&self, position: u64, gone: bool) {
        if gone {
            self.removed(&[position]);
        } else if let Some(lent) = self.state.lock().lent.get_mut(&position) {
            lent.hold = Hold::Free;
        }
        self.look();
    }
}

/// The turn to look into the table, until it is dropped.
struct Scan<'q> {
    queue: &'q Queue,
    _turn: tokio::sync::MutexGuard<'q, ()>,
}

impl Drop for Scan<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        state.scanning = false;
        for id in std::mem::take(&mut state.gone) {
            state.lent.remove(&id);
        }
    }
}
