//! `[graphql]`: limits of documents, operations and sockets.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::{Size, Span};

/// The HTTP status codes of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Statuses {
    /// The status codes that the audits of `graphql-http` 1.23 check.
    #[serde(rename = "audit-1.23")]
    Audit,
    /// The status codes of the GraphQL over HTTP draft of August 2026: 422, 294, and the same codes for both media types.
    #[serde(rename = "draft-2026-08")]
    Draft,
}

/// Limits of documents, operations and sockets.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// The maximum size of a document. It must not be larger than `server.body_max`.
    #[schemars(extend("x-min" = "256B", "x-max" = "16MiB"))]
    pub document_max: Size,
    /// The maximum number of tokens in a document, counted before it is parsed.
    #[schemars(range(min = 10, max = 100_000))]
    pub tokens_max: usize,
    /// The maximum nesting depth of brackets, counted before the document is parsed.
    #[schemars(range(min = 1, max = 200))]
    pub nesting_max: usize,
    /// The maximum number of aliases in a document.
    #[schemars(range(min = 0, max = 10_000))]
    pub aliases_max: usize,
    /// The maximum number of root fields of an operation.
    #[schemars(range(min = 1, max = 1_000))]
    pub root_fields_max: usize,
    /// The maximum number of fields of an operation, with fragments expanded.
    #[schemars(range(min = 1, max = 100_000))]
    pub fields_max: usize,
    /// The maximum depth of an operation, with fragments expanded.
    #[schemars(range(min = 1, max = 200))]
    pub depth_max: usize,
    /// The maximum number of nested lists in an operation, such as a page of items that each have a page of items.
    #[schemars(range(min = 1, max = 200))]
    pub lists_max: usize,
    /// The maximum cost of an operation: the number of its fields, with those inside a list multiplied by its `first`.
    #[schemars(range(min = 1, max = 10_000_000), extend("x-hot" = true))]
    pub cost_max: usize,
    /// The number of parsed and validated documents cached by this node. 0 disables the cache.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub document_cache: u64,
    /// The number of documents registered by clients under their SHA-256 (automatic persisted queries) that this node caches. 0
    /// disables the cache. Frequently used documents are kept, so a client that registers many does not evict the ones in use.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub persisted_cache: u64,
    /// Whether to execute only the documents of `frontend/persisted-documents.json`, which are compiled in. Clients can send them by
    /// `documentId`, by hash or in full. Signed-in operators may still send any document.
    #[schemars(extend("x-hot" = true))]
    pub trusted_only: bool,
    /// The HTTP status codes: "audit-1.23" follows the audits of graphql-http (400 and 200); "draft-2026-08" follows the newer draft
    /// of GraphQL over HTTP (422 for invalid requests, 294 for partial responses, and the same codes for application/json).
    pub statuses: Statuses,
    /// The maximum size of a response to a query or mutation. Larger ones are replaced with an error.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "256MiB"))]
    pub response_max: Size,
    /// The timeout for a query or mutation. It must be longer than `broker.publish_timeout`, so that a purchase gets its own
    /// response.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "10m"))]
    pub execution_timeout: Span,
    /// The page size when `first` and `last` are absent.
    #[schemars(range(min = 1, max = 1_000))]
    pub page_default: usize,
    /// The maximum page size.
    #[schemars(range(min = 1, max = 1_000))]
    pub page_max: usize,
    /// Whether introspection is enabled. GraphiQL requires it.
    #[schemars(extend("x-hot" = true))]
    pub introspection: bool,
    /// How long a new socket may take to send `connection_init`.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub init_timeout: Span,
    /// How often the server pings a socket. A client that does not respond before the next ping is disconnected.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub ping_every: Span,
    /// The maximum number of concurrent operations per socket.
    #[schemars(range(min = 1, max = 1_000))]
    pub operations_per_socket: usize,
    /// The maximum number of bytes queued for one slow socket. Beyond that, newer values replace older ones or the socket is closed.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "16MiB"))]
    pub socket_queue: Size,
    /// The timeout for one write to a socket, after which it is closed.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub socket_write_timeout: Span,
    /// The maximum size of a message from a client.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "16MiB"))]
    pub socket_message_max: Size,
    /// The maximum number of sockets. Further ones get status 503. It must not be larger than `server.connections_max`.
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
