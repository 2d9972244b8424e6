//! The metrics of the edge.

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::load::Class;
use crate::api::graphql::error::Code;

/// The code of what has none.
const OK: &str = "OK";

/// How an operation came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Transport {
    /// A request and its answer.
    Http,
    /// A socket.
    WebSocket,
    /// A socket of the older protocol.
    OldWebSocket,
    /// Server-Sent Events.
    EventStream,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    transport: Transport,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Closing {
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Shed {
    class: &'static str,
}

/// The edge's counters.
#[derive(Debug, Clone)]
pub struct Meters {
    operations: Family<Outcome, Counter>,
    /// Of those, the one that counts most: found without a look-up.
    answered: Counter,
    closed: Family<Closing, Counter>,
    delivered: Counter,
    shed: Family<Shed, Counter>,
    counted_locally: Counter,
    turned_away: Arc<[Counter; 3]>,
}

/// What was turned away so far by limits or overload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TurnedAway {
    /// Operations and requests.
    pub requests: u64,
    /// Purchases among them that were over a limit of their buyer.
    pub purchases_limited: u64,
    /// Purchases among them that found the server overloaded.
    pub purchases_shed: u64,
}

impl Default for Meters {
    fn default() -> Self {
        let operations = Family::<Outcome, Counter>::default();
        let answered = operations.get_or_create_owned(&Outcome { transport: Transport::Http, code: OK });
        let (closed, shed) = (Family::default(), Family::<Shed, Counter>::default());
        // From the start at zero: an increase from nothing is not seen.
        for class in [Class::List, Class::Query, Class::Change, Class::Purchase] {
            drop(shed.get_or_create(&Shed { class: class.as_str() }));
        }
        let (delivered, counted_locally, turned_away) = Default::default();
        Self { operations, answered, closed, delivered, shed, counted_locally, turned_away }
    }
}

impl Meters {
    /// Adds the counters to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let edge = registry.sub_registry_with_prefix("graphql");
        edge.register(
            "operations",
            "Operations by transport and error code (OK if there was no error)",
            self.operations.clone(),
        );
        edge.register("sockets_closed", "Sockets closed by the server, by close code", self.closed.clone());
        edge.register("delivered", "Payloads sent to sockets and event streams", self.delivered.clone());
        edge.register("shed", "Operations rejected because of overload, by class", self.shed.clone());
        let alone = "Operations counted by this node alone because the shared counters did not respond";
        edge.register("counted_locally", alone, self.counted_locally.clone());
    }

    /// Operations that only this node counted.
    pub fn counted_locally(&self) -> &Counter {
        &self.counted_locally
    }

    /// A purchase was over a limit of its buyer.
    pub fn purchase_limited(&self) {
        self.turned_away[1].inc();
    }

    /// What was turned away so far.
    pub fn turned_away(&self) -> TurnedAway {
        let [requests, limited, shed] = &*self.turned_away;
        TurnedAway { requests: requests.get(), purchases_limited: limited.get(), purchases_shed: shed.get() }
    }

    /// An operation was answered or begun (`code` is `None`), or refused.
    pub fn operation(&self, transport: Transport, code: Option<&'static str>) {
        if code == Some(Code::RateLimited.as_str()) {
            self.turned_away[0].inc();
        }
        match (transport, code) {
            (Transport::Http, None) => self.answered.inc(),
            _ => self.operations.get_or_create(&Outcome { transport, code: code.unwrap_or(OK) }).inc(),
        };
    }

    /// The server closed a socket.
    pub fn closed(&self, code: u16) {
        self.closed.get_or_create(&Closing { code }).inc();
    }

    /// An operation of this class was turned away because of overload.
    pub fn shed(&self, class: Class) {
        self.turned_away[0].inc();
        if class == Class::Purchase {
            self.turned_away[2].inc();
        }
        self.shed.get_or_create(&Shed { class: class.as_str() }).inc();
    }

    /// A payload was sent.
    pub fn delivered(&self) {
        self.delivered.inc();
    }
}
