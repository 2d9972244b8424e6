//! One partition of an ordered topic: a log that each group reads forward from its cursor.

pub(super) mod reader;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use crate::model::messages::{Cursor, Received, Topic};

/// A partition. Positions up to `end` are committed; those after `tail_from` are in memory as well.
pub(super) struct Log {
    pub(super) topic: Topic,
    pub(super) partition: u32,
    state: Mutex<State>,
    end: watch::Sender<u64>,
}

struct State {
    /// The newest messages, every one after `tail_from`.
    tail: VecDeque<Received>,
    tail_from: u64,
    tail_bytes: usize,
    tail_max: usize,
    groups: BTreeMap<String, Group>,
    /// Consumers that are active, of all groups.
    active: usize,
}

struct Group {
    acked: u64,
    /// `acked` is further than the stored cursor.
    dirty: bool,
    /// The furthest position ever handed out, and how often the group went back since `acked` last moved.
    handed: u64,
    rewinds: u32,
    /// One permit: the right to be the active consumer.
    turn: Arc<Semaphore>,
}

impl State {
    fn drop_front(&mut self) {
        if let Some(first) = self.tail.pop_front() {
            self.tail_from = first.position;
            self.tail_bytes -= size(&first);
        }
    }

    fn forget_tail(&mut self, through: u64) {
        self.tail = VecDeque::new();
        self.tail_bytes = 0;
        self.tail_from = self.tail_from.max(through);
    }
}

fn size(message: &Received) -> usize {
    message.payload.len() + message.key.len() + size_of::<Received>()
}

impl Log {
    /// A partition of which everything up to `end` must be read from the table.
    pub(super) fn new(topic: Topic, partition: u32, end: u64, tail_max: usize) -> Self {
        let state = State {
            tail: VecDeque::new(),
            tail_from: end,
            tail_bytes: 0,
            tail_max,
            groups: BTreeMap::new(),
            active: 0,
        };
        Self { topic, partition, state: Mutex::new(state), end: watch::Sender::new(end) }
    }

    /// Makes the group known; `acked` counts only if it was not.
    pub(super) fn add_group(&self, name: &str, acked: u64) {
        self.state.lock().groups.entry(name.to_owned()).or_insert_with(|| Group {
            acked,
            dirty: false,
            handed: acked,
            rewinds: 0,
            turn: Arc::new(Semaphore::new(1)),
        });
    }

    pub(super) fn has_group(&self, name: &str) -> bool {
        self.state.lock().groups.contains_key(name)
    }

    /// A message was committed. Called in the order of positions.
    pub(super) fn push(&self, message: Received) {
        let mut state = self.state.lock();
        let position = message.position;
        if position > state.tail_from {
            if state.active == 0 {
                state.forget_tail(position);
            } else {
                state.tail_bytes += size(&message);
                state.tail.push_back(message);
                while state.tail_bytes > state.tail_max {
                    state.drop_front();
                }
            }
        }
        drop(state);
        self.advance(position);
    }

    /// Somebody else may have appended up to `position`: what stands there must be read from the table.
    pub(super) fn look_through(&self, position: u64) {
        self.state.lock().forget_tail(position);
        self.advance(position);
    }

    fn advance(&self, position: u64) {
        self.end.send_if_modified(|end| {
            let further = position > *end;
            *end = position.max(*end);
            further
        });
    }

    /// Messages after `after` from memory; `None` when they may be missing there.
    fn read_tail(&self, after: u64, max: usize) -> Option<Vec<Received>> {
        let state = self.state.lock();
        if after < state.tail_from {
            return None;
        }
        let start = state.tail.partition_point(|message| message.position <= after);
        Some(state.tail.iter().skip(start).take(max).cloned().collect())
    }

    /// The last position that the group acknowledged.
    pub(super) fn acked(&self, group: &str) -> u64 {
        self.state.lock().groups.get(group).map_or(0, |group| group.acked)
    }

    /// Moves the group forward. Returns whether there is something to write down.
    fn acknowledge(&self, name: &str, position: u64) -> bool {
        let mut state = self.state.lock();
        let Some(group) = state.groups.get_mut(name) else { return false };
        let through = position.min(group.handed);
        if through <= group.acked {
            return false;
        }
        group.acked = through;
        group.rewinds = 0;
        group.dirty = true;
        let passed = state.groups.values().map(|group| group.acked).min().unwrap_or(0);
        while state.tail.front().is_some_and(|first| first.position <= passed) {
            state.drop_front();
        }
        true
    }

    /// Counts what is handed out, and says which of it was handed out before.
    fn hand_out(&self, name: &str, messages: &mut [Received]) {
        let mut state = self.state.lock();
        let Some(group) = state.groups.get_mut(name) else { return };
        for message in messages.iter_mut().filter(|message| message.position <= group.handed) {
            message.redeliveries = group.rewinds;
        }
        if let Some(last) = messages.last() {
            group.handed = group.handed.max(last.position);
        }
    }

    /// Goes back to the first message that is not acknowledged; returns the position before it.
    fn go_back(&self, name: &str) -> u64 {
        let mut state = self.state.lock();
        let Some(group) = state.groups.get_mut(name) else { return 0 };
        group.rewinds = group.rewinds.saturating_add(1);
        group.acked
    }

    /// Cursors that moved since they were taken last.
    pub(super) fn take_moved(&self) -> Vec<Cursor> {
        let mut state = self.state.lock();
        let mut moved = Vec::new();
        for (name, group) in state.groups.iter_mut().filter(|(_, group)| group.dirty) {
            group.dirty = false;
            moved.push(Cursor {
                topic: self.topic.name().to_owned(),
                partition: self.partition,
                subscription: name.clone(),
                acked_through: group.acked,
            });
        }
        moved
    }

    /// Cursors that were taken could not be written.
    pub(super) fn put_back(&self, name: &str) {
        if let Some(group) = self.state.lock().groups.get_mut(name) {
            group.dirty = true;
        }
    }

    fn turn(&self, name: &str) -> Option<Arc<Semaphore>> {
        self.state.lock().groups.get(name).map(|group| group.turn.clone())
    }
}
