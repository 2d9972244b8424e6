//! What the edge counts.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// How an operation came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Transport {
    /// A request and its answer.
    Http,
    /// A socket.
    WebSocket,
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
#[derive(Debug, Clone, Default)]
pub struct Meters {
    operations: Family<Outcome, Counter>,
    closed: Family<Closing, Counter>,
    delivered: Counter,
    shed: Family<Shed, Counter>,
}

impl Meters {
    /// Adds the counters to what `/metrics` shows.
    pub fn register(&self, registry: &mut Registry) {
        let edge = registry.sub_registry_with_prefix("graphql");
        edge.register("operations", "Operations by transport and error code (OK: none)", self.operations.clone());
        edge.register("sockets_closed", "Sockets closed by the server, by close code", self.closed.clone());
        edge.register("delivered", "Payloads sent to sockets and event streams", self.delivered.clone());
        edge.register("shed", "Operations turned away because of overload, by class", self.shed.clone());
    }

    /// An operation was answered or begun (`code` is `None`), or refused.
    pub fn operation(&self, transport: Transport, code: Option<&'static str>) {
        self.operations.get_or_create(&Outcome { transport, code: code.unwrap_or("OK") }).inc();
    }

    /// The server closed a socket.
    pub fn closed(&self, code: u16) {
        self.closed.get_or_create(&Closing { code }).inc();
    }

    /// An operation of this class was turned away because of overload.
    pub fn shed(&self, class: &'static str) {
        self.shed.get_or_create(&Shed { class }).inc();
    }

    /// A payload was sent.
    pub fn delivered(&self) {
        self.delivered.inc();
    }
}
