//! Subscriptions whose answers are the same for everyone: executed once, serialised once, sent to many.
//!
//! A group keeps the newest payload of each slot (for stock, a sale). Who joins gets those first, then what changes;
//! who reads slowly skips what was replaced meanwhile and never holds up anybody. The execution ends with its last
//! subscriber.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock, Weak};

use async_graphql::{Response, Variables};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use parking_lot::Mutex;
use tokio::task::AbortHandle;

use super::engine::{Engine, Executable};
use super::event::Event;
use super::wheel::{NEWS, Seat, shrink};
use crate::api::graphql::context::{RequestInfo, TokenIn};
use crate::api::graphql::edge::response::answer::Answer;

/// Where the resolver of a shared field says which slot its next item is the newest value of. In the request's data of
/// shared executions; the resolver pushes one key before it yields an item.
#[derive(Debug, Clone, Default)]
pub struct SlotReporter(Arc<Mutex<VecDeque<u64>>>);

impl SlotReporter {
    /// The next item belongs to this slot.
    pub fn push(&self, slot: u64) {
        self.0.lock().push_back(slot);
    }

    fn pop(&self) -> Option<u64> {
        self.0.lock().pop_front()
    }
}

/// The key of identical subscriptions: text, operation and variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    document: Arc<str>,
    operation: Option<Box<str>>,
    variables: String,
}

impl Key {
    /// Variables are compared in their serialised form, sorted by name.
    pub fn new(document: &Arc<str>, operation: Option<&str>, variables: &Variables) -> Self {
        // Variables were JSON when they came in: they can be JSON again.
        let variables = serde_json::to_string(variables).unwrap_or_default();
        Self { document: document.clone(), operation: operation.map(Into::into), variables }
    }
}

/// All groups.
pub struct Shared {
    engine: Arc<dyn Engine>,
    groups: Mutex<HashMap<Key, Weak<Group>>>,
}

struct Group {
    key: Key,
    home: Weak<Shared>,
    state: Mutex<State>,
    driver: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct State {
    version: u64,
    /// The newest event of each slot, by version.
    newest: BTreeMap<u64, Event>,
    slots: HashMap<Option<u64>, u64>,
    seats: HashMap<u64, Arc<Seat>>,
    joined: u64,
    done: bool,
}

/// One reader of a group.
pub struct Subscriber {
    group: Arc<Group>,
    key: u64,
    seen: u64,
}

impl Shared {
    /// Without groups.
    pub fn new(engine: Arc<dyn Engine>) -> Arc<Self> {
        Arc::new(Self { engine, groups: Mutex::default() })
    }

    /// Joins the group of this key, or begins it with `request`. `seat` is woken by new events.
    pub fn join(self: &Arc<Self>, key: Key, seat: &Arc<Seat>, request: impl FnOnce() -> Executable) -> Subscriber {
        let mut groups = self.groups.lock();
        let present = groups.get(&key).and_then(Weak::upgrade);
        let subscriber = present.as_ref().and_then(|group| group.admit(seat)).unwrap_or_else(|| {
            let group = self.begin(key.clone(), request());
            groups.insert(key, Arc::downgrade(&group));
            group.admit_first(seat)
        });
        // A group that ends here takes this lock.
        drop(groups);
        drop(present);
        subscriber
    }

    /// Groups that are being executed.
    pub fn groups(&self) -> usize {
        self.groups.lock().len()
    }

    fn begin(self: &Arc<Self>, key: Key, request: Executable) -> Arc<Group> {
        let home = Arc::downgrade(self);
        let group = Arc::new(Group { key, home, state: Mutex::default(), driver: OnceLock::new() });
        let reporter = SlotReporter::default();
        let info = RequestInfo {
            viewer: None,
            token: None,
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            request_id: "shared".into(),
            known_version: None,
            device: None,
            token_in: TokenIn::Answer,
        };
        let stream = self.engine.stream(request.data(info).data(reporter.clone()));
        let driver = tokio::spawn(drive(Ending(Arc::downgrade(&group)), stream, reporter));
        // Just created: nobody else can have set it.
        let _ = group.driver.set(driver.abort_handle());
        group
    }
}

/// Ends the group however its execution ends, by a panic too.
struct Ending(Weak<Group>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(group) = self.0.upgrade() {
            group.finish();
        }
    }
}

async fn drive(group: Ending, mut stream: BoxStream<'static, Response>, reporter: SlotReporter) {
    while let Some(response) = stream.next().await {
        let Some(group) = group.0.upgrade() else { return };
        match Answer::new(response, "shared") {
            Ok(answer) => group.publish(reporter.pop(), Event::Next(answer.body)),
            Err(refusal) => return group.publish(reporter.pop(), Event::Error(refusal.errors_json())),
        }
    }
}

impl Group {
    fn admit_first(self: Arc<Self>, seat: &Arc<Seat>) -> Subscriber {
        let mut state = self.state.lock();
        let key = state.admit(seat);
        drop(state);
        Subscriber { group: self, key, seen: 0 }
    }

    /// `None` when the execution has ended.
    fn admit(self: &Arc<Self>, seat: &Arc<Seat>) -> Option<Subscriber> {
        let mut state = self.state.lock();
        let key = (!state.done).then(|| state.admit(seat))?;
        drop(state);
        Some(Subscriber { group: self.clone(), key, seen: 0 })
    }

    fn publish(&self, slot: Option<u64>, event: Event) {
        let mut state = self.state.lock();
        state.version += 1;
        let version = state.version;
        if let Some(replaced) = state.slots.insert(slot, version) {
            state.newest.remove(&replaced);
        }
        state.newest.insert(version, event);
        state.wake();
    }

    fn finish(&self) {
        let mut state = self.state.lock();
        state.done = true;
        state.wake();
    }
}

impl State {
    fn admit(&mut self, seat: &Arc<Seat>) -> u64 {
        self.joined += 1;
        self.seats.insert(self.joined, seat.clone());
        self.joined
    }

    fn wake(&self) {
        self.seats.values().for_each(|seat| seat.raise(NEWS));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(driver) = self.driver.get() {
            driver.abort();
        }
        if let Some(home) = self.home.upgrade() {
            let mut groups = home.groups.lock();
            if groups.get(&self.key).is_some_and(|group| group.strong_count() == 0) {
                groups.remove(&self.key);
            }
        }
    }
}

impl Subscriber {
    /// The next event not seen yet, if there is one. When there is none, the seat will be woken by the next one.
    #[allow(clippy::should_implement_trait, reason = "an empty answer is not the end")]
    pub fn next(&mut self) -> Option<Event> {
        let state = self.group.state.lock();
        match state.newest.range(self.seen + 1..).next() {
            Some((version, event)) => {
                self.seen = *version;
                Some(event.clone())
            }
            None => state.done.then_some(Event::Complete),
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut state = self.group.state.lock();
        state.seats.remove(&self.key);
        shrink(&mut state.seats);
    }
}
