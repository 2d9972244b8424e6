//! Sections (placeholder until one file per section).
use super::{Secret, Size, Span};
use serde::Deserialize;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// Store.
    pub store: Store,
    /// Gate.
    pub gate: Gate,
    /// Broker.
    pub broker: Broker,
    /// Accounts.
    pub accounts: Accounts,
    /// Sales.
    pub sales: Sales,
    /// Orders.
    pub orders: Orders,
    /// Server.
    pub server: Server,
    /// GraphQL.
    pub graphql: Graphql,
    /// Hub.
    pub hub: Hub,
    /// Log.
    pub log: Log,
}

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
pub struct Store {
    /// `sqlite://path` or `postgres://…`
    pub url: Secret,
    /// Read connections (SQLite).
    pub readers: usize,
    /// Writes that may wait for the writer (SQLite).
    pub writer_queue: usize,
    /// Writes that share one commit at most (SQLite).
    pub writer_batch: usize,
    /// How long to wait for a lock that another process holds (SQLite).
    pub busy_timeout: Span,
    /// Connections in the pool (PostgreSQL).
    pub connections: u32,
    /// How long to wait for a pooled connection (PostgreSQL).
    pub acquire_timeout: Span,
}
/// `[gate]`
#[derive(Debug, Clone, Deserialize)]
pub struct Gate {
    /// `memory:` or `redis://…`
    pub url: Secret,
    /// Purchases that share one gate call at most.
    pub batch: usize,
    /// Purchases of one sale that may wait for the gate.
    pub queue: usize,
    /// How long after its end a sale stays in the gate.
    pub retention: Span,
}
/// `[broker]`
#[derive(Debug, Clone, Deserialize)]
pub struct Broker {
    /// `embedded:` or `pulsar://…`
    pub url: Secret,
    /// Partitions of `order-requests`.
    pub partitions: u32,
    /// Tickets in one message at most.
    pub envelope_items: usize,
    /// Messages on their way to the broker at the same time, per partition.
    pub in_flight: usize,
    /// How long a publish may take before the answer is "unknown".
    pub publish_timeout: Span,
    /// How long until an unacknowledged message is delivered again (competing consumers).
    pub redelivery_after: Span,
    /// Messages buffered for one broadcast consumer before it is told that it lagged.
    pub broadcast_buffer: usize,
}
/// `[accounts]`
#[derive(Debug, Clone, Deserialize)]
pub struct Accounts {
    /// argon2id memory.
    pub hash_memory: Size,
    /// argon2id passes.
    pub hash_passes: u32,
    /// Hashes computed at the same time.
    pub hash_concurrency: usize,
    /// Sign-ins that may wait for a hash.
    pub hash_queue: usize,
    /// How long an unused token lives.
    pub token_lifetime: Span,
    /// How stale `expires_at` may get before use renews it.
    pub token_renew_after: Span,
    /// Tokens remembered by the node.
    pub token_cache: u64,
    /// How long a remembered token is trusted without asking the database.
    pub token_cache_ttl: Span,
    /// Sign-in attempts per account per minute; 0 lifts the limit.
    pub sign_ins_per_account_per_minute: u32,
    /// Sign-in and sign-up attempts per address per minute; 0 lifts the limit.
    pub attempts_per_address_per_minute: u32,
}
/// `[sales]`
#[derive(Debug, Clone, Deserialize)]
pub struct Sales {
    /// IANA name of the shop's time zone.
    pub time_zone: String,
    /// How often the snapshot is checked against the database, should a change event be lost.
    pub poll_every: Span,
    /// How long after its end a session stays in lists and in memory.
    pub history: Span,
}
/// `[orders]`
#[derive(Debug, Clone, Deserialize)]
pub struct Orders {
    /// Tickets in one writer transaction at most.
    pub writer_batch: usize,
    /// How long the writer waits for more tickets before it commits what it has.
    pub writer_linger: Span,
    /// How often unpaid orders past their time are looked for.
    pub sweep_every: Span,
    /// Orders expired in one transaction at most.
    pub sweep_batch: usize,
    /// How often pending tickets are compared with orders.
    pub reconcile_every: Span,
    /// How long a ticket may be pending before it is published again.
    pub pending_after: Span,
    /// Tries of one ticket before it is parked.
    pub poison_tries: u32,
}
/// `[server]`
#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: std::net::SocketAddr,
    /// Body limit.
    pub body_max: Size,
    /// How long a request's head or body may take to arrive.
    pub read_timeout: Span,
    /// Open connections at most.
    pub connections_max: usize,
    /// How long a graceful shutdown may take.
    pub shutdown_timeout: Span,
    /// Serve GraphiQL.
    pub graphiql: bool,
}
/// `[graphql]`
#[derive(Debug, Clone, Deserialize)]
pub struct Graphql {
    /// Bytes of a document.
    pub document_max: Size,
    /// Tokens of a document.
    pub tokens_max: usize,
    /// Nested brackets.
    pub nesting_max: usize,
    /// Aliases in a document.
    pub aliases_max: usize,
    /// Root fields of an operation.
    pub root_fields_max: usize,
    /// Fields after expansion of fragments.
    pub fields_max: usize,
    /// Depth after expansion of fragments.
    pub depth_max: usize,
    /// Cost (fields times `first`).
    pub cost_max: usize,
    /// Parsed documents remembered.
    pub document_cache: u64,
    /// How long a query or mutation may run.
    pub execution_timeout: Span,
    /// Page size when `first` is absent.
    pub page_default: usize,
    /// Largest page.
    pub page_max: usize,
    /// Introspection allowed.
    pub introspection: bool,
    /// Time a socket has to send `connection_init`.
    pub init_timeout: Span,
    /// Server pings.
    pub ping_every: Span,
    /// Operations on one socket.
    pub operations_per_socket: usize,
    /// Bytes queued for one socket.
    pub socket_queue: Size,
    /// How long one write to a socket may take.
    pub socket_write_timeout: Span,
    /// Largest incoming message.
    pub socket_message_max: Size,
    /// Sockets at most.
    pub sockets_max: usize,
}
/// `[hub]`
#[derive(Debug, Clone, Deserialize)]
pub struct Hub {
    /// Live stock is pushed at most this often.
    pub stock_tick: Span,
    /// Sales in one stock subscription.
    pub sales_per_subscription: usize,
}
/// `[log]`
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// `text` or `json`.
    pub format: String,
    /// Filter, `info,doorbuster=debug`.
    pub filter: String,
}
