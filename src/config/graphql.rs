//! `[graphql]`: limits of documents, operations and sockets.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Size, Span};

/// Which HTTP statuses answers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Statuses {
    /// What the audits of `graphql-http` 1.23 check.
    #[serde(rename = "audit-1.23")]
    Audit,
    /// The draft of GraphQL over HTTP of August 2026: 422, 294, and the same for both media types.
    #[serde(rename = "draft-2026-08")]
    Draft,
}

/// Limits of documents, operations and sockets.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// Bytes of a document.
    #[schemars(extend("x-min" = "256B", "x-max" = "16MiB"))]
    pub document_max: Size,
    /// Tokens of a document.
    #[schemars(range(min = 10, max = 100_000))]
    pub tokens_max: usize,
    /// Nested brackets.
    #[schemars(range(min = 1, max = 200))]
    pub nesting_max: usize,
    /// Aliases in a document.
    #[schemars(range(min = 0, max = 10_000))]
    pub aliases_max: usize,
    /// Root fields of an operation.
    #[schemars(range(min = 1, max = 1_000))]
    pub root_fields_max: usize,
    /// Fields after expansion of fragments.
    #[schemars(range(min = 1, max = 100_000))]
    pub fields_max: usize,
    /// Depth after expansion of fragments.
    #[schemars(range(min = 1, max = 200))]
    pub depth_max: usize,
    /// Lists within lists, after expansion of fragments.
    #[schemars(range(min = 1, max = 200))]
    pub lists_max: usize,
    /// Cost of an operation (fields times `first`).
    #[schemars(range(min = 1, max = 10_000_000))]
    pub cost_max: usize,
    /// Parsed documents remembered; 0 remembers none.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub document_cache: u64,
    /// Documents that clients registered by their hash, remembered; 0 remembers none.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub persisted_cache: u64,
    /// Only documents that were compiled in are executed, but for operators.
    pub trusted_only: bool,
    /// HTTP statuses.
    pub statuses: Statuses,
    /// Bytes of an answer to a query or mutation.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "256MiB"))]
    pub answer_max: Size,
    /// How long a query or mutation may run.
    #[schemars(extend("x-min" = "10ms", "x-max" = "10m"))]
    pub execution_timeout: Span,
    /// Page size when `first` is absent.
    #[schemars(range(min = 1, max = 1_000))]
    pub page_default: usize,
    /// Largest page.
    #[schemars(range(min = 1, max = 1_000))]
    pub page_max: usize,
    /// Introspection allowed.
    pub introspection: bool,
    /// Time a socket has to send `connection_init`.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub init_timeout: Span,
    /// Time between two pings of the server on a socket.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub ping_every: Span,
    /// Operations on one socket.
    #[schemars(range(min = 1, max = 1_000))]
    pub operations_per_socket: usize,
    /// Bytes queued for one socket.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "16MiB"))]
    pub socket_queue: Size,
    /// How long one write to a socket may take.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub socket_write_timeout: Span,
    /// Largest incoming message.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "16MiB"))]
    pub socket_message_max: Size,
    /// Sockets at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sockets_max: usize,
}

impl Graphql {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        check.require(
            self.page_default <= self.page_max,
            &["graphql.page_default", "graphql.page_max"],
            "page_default must not be larger than page_max",
        );
    }
}
