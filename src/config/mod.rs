//! The configuration: one TOML file with sections. `default.toml` documents each key and its default.
//!
//! A key is a field of a section's struct, with its bounds as an attribute, and a line of `default.toml`. Everything else is
//! derived: the layers (`layers.rs`: default < file < environment < stored settings < flags), the checks (`check.rs`), the JSON Schema
//! (`schema.rs`). All problems are reported at once, each with the place that it comes from.

mod access;
mod accounts;
mod bounds;
mod broker;
mod changes;
mod check;
mod document;
mod gate;
mod graphql;
mod hub;
mod layers;
mod limits;
mod live;
mod loading;
mod log;
mod network;
mod node;
mod orders;
mod payments;
mod points;
mod problem;
mod sales;
pub mod schema;
mod secret;
mod server;
mod settings;
mod shop;
mod store;
mod stored;
mod tcc;
#[cfg(test)]
mod tests;
mod units;
mod upgrade;

use schemars::JsonSchema;
use serde::Deserialize;

pub use access::{Access, AddressHeader};
pub use accounts::{Accounts, SecondFactor};
pub use broker::Broker;
pub use changes::{SettingAct, SettingChange};
use check::Check;
pub use gate::Gate;
pub use graphql::{Graphql, Statuses};
pub use hub::Hub;
pub use layers::{Flag, KeptLayers, Layers, Sources};
pub use limits::Limits;
pub use live::{Live, Now, Section, Ticker};
pub use log::{Log, LogFormat, colours_are_welcome};
pub use network::Network;
pub use node::{Node, Role};
pub use orders::Orders;
pub use payments::Payments;
pub use points::Points;
pub use problem::{ConfigErrors, Objection, Problem};
pub use sales::Sales;
pub use secret::Secret;
pub use server::Server;
pub use settings::{Setting, Settings};
pub use shop::Shop;
pub use store::Store;
pub use stored::{Ignored, LocalValue, Overlaid, Scope, StoredValue, Unfit};
pub use tcc::Tcc;
pub use units::{Size, Span};
pub use upgrade::Upgrade;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The identity and roles of this node.
    pub node: Node,
    /// Public information about the shop.
    pub shop: Shop,
    /// The database.
    pub store: Store,
    /// The admission gate.
    pub gate: Gate,
    /// The message broker.
    pub broker: Broker,
    /// Passwords, access tokens and throttling.
    pub accounts: Accounts,
    /// Sessions and sales.
    pub sales: Sales,
    /// The order writer, expiry and reconciliation.
    pub orders: Orders,
    /// The payment gateway, refunds and reconciliation.
    pub payments: Payments,
    /// Loyalty points.
    pub points: Points,
    /// Global transactions (Try, Confirm, Cancel).
    pub tcc: Tcc,
    /// The HTTP server.
    pub server: Server,
    /// Limits of documents, operations and sockets.
    pub graphql: Graphql,
    /// Browser origins, cookies and trusted proxies.
    pub access: Access,
    /// Rate limits and concurrency limits.
    pub limits: Limits,
    /// The delivery of events to subscriptions.
    pub hub: Hub,
    /// Upgrades to a new version of the program.
    pub upgrade: Upgrade,
    /// Logging.
    pub log: Log,
    /// All of these as they can be shown, with the place that each comes from.
    #[serde(skip)]
    pub settings: Settings,
    /// The layers that it was made of, which stored settings are put between.
    #[serde(skip)]
    pub layers: KeptLayers,
    /// Whether this node passes over what is stored in the database (`serve --without-stored-settings`).
    #[serde(skip)]
    pub without_stored: bool,
}

impl Config {
    fn validate(&self, check: &mut Check<'_>) {
        self.node.validate(check);
        self.server.validate(check);
        self.shop.validate(check);
        self.store.validate(check);
        self.gate.validate(check);
        self.broker.validate(check);
        self.accounts.validate(check);
        self.sales.validate(check);
        self.payments.validate(check);
        self.tcc.validate(check);
        self.graphql.validate(check);
        self.access.validate(check);
        self.limits.validate(check);
        self.log.validate(check);
        self.validate_across(check);
    }

    /// Checks that involve two sections.
    fn validate_across(&self, check: &mut Check<'_>) {
        self.validate_profile(check);
        check.require(
            *self.graphql.document_max <= *self.server.body_max,
            &["graphql.document_max", "server.body_max"],
            "document_max must not be larger than server.body_max, which would reject such documents first",
        );
        check.require(
            *self.graphql.execution_timeout > *self.broker.publish_timeout,
            &["graphql.execution_timeout", "broker.publish_timeout"],
            "execution_timeout must be longer than broker.publish_timeout, or a purchase times out before it gets its own response",
        );
        check.require(
            *self.orders.pending_after >= *self.broker.publish_timeout,
            &["orders.pending_after", "broker.publish_timeout"],
            "pending_after must not be shorter than broker.publish_timeout, or tickets in flight are published twice",
        );
        check.require(
            *self.graphql.socket_write_timeout <= *self.server.write_timeout,
            &["graphql.socket_write_timeout", "server.write_timeout"],
            "socket_write_timeout must not be longer than server.write_timeout: each socket is a connection",
        );
        check.require(
            self.graphql.sockets_max <= self.server.connections_max,
            &["graphql.sockets_max", "server.connections_max"],
            "sockets_max must not be larger than server.connections_max: each socket is a connection",
        );
    }

    /// The three URLs must be of one profile: a mixture can't keep the promises.
    fn validate_profile(&self, check: &mut Check<'_>) {
        const KEYS: [&str; 3] = ["store.url", "gate.url", "broker.url"];
        let sqlite = self.store.url.scheme() == Some("sqlite");
        let memory = self.gate.url.scheme() == Some("memory");
        let embedded = self.broker.url.scheme() == Some("embedded");
        let reason = match (sqlite, memory, embedded) {
            (true, true, true) | (false, false, false) => return,
            (false, true, _) => "several nodes could share the database, and each would admit buyers by its own count",
            (false, false, true) => {
                "several nodes could share the database, and the embedded broker serves only the process that it is in"
            }
            (true, _, false) => {
                "an SQLite file belongs to one process, and other nodes could take messages from the broker"
            }
            (true, false, true) => {
                "an SQLite file belongs to one process, where an in-memory gate is faster and equally safe"
            }
        };
        let message = format!(
            "{reason}; use \"sqlite://…\", \"memory:\" and \"embedded:\" for one node, or \"postgres://…\", \"redis://…\" and \
             \"pulsar://…\" for many"
        );
        check.require(false, &KEYS, &message);
    }
}
