//! `[node]`: the identity and roles of this node.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;
use super::check::Check;

/// The roles of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves shoppers and operators.
    Api,
    /// Decides tickets.
    Writer,
    /// Publishes events that their own node could not publish.
    Relay,
    /// Expires orders when their timeout message is due.
    Timeouts,
    /// Sweeps, reconciles and cleans up.
    Jobs,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Api, Self::Writer, Self::Relay, Self::Timeouts, Self::Jobs];

    /// Its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Writer => "writer",
            Self::Relay => "relay",
            Self::Timeouts => "timeouts",
            Self::Jobs => "jobs",
        }
    }
}

/// The identity and roles of this node.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The name of this node, unique among the nodes of a shop. If empty, the host name plus a random suffix, which changes at each
    /// start.
    pub name: String,
    /// What this node does. "api" serves shoppers and operators; "writer" decides tickets; "relay" publishes events that their own
    /// node could not publish; "timeouts" expires orders when their timeout message is due; "jobs" sweeps, reconciles and cleans up.
    /// Work without a node that has its role waits: without a writer, tickets stay queued.
    pub roles: Vec<Role>,
    /// How long the lease on a singleton job lasts without renewal. After that, another node takes over the job.
    #[schemars(extend("x-min" = "500ms", "x-max" = "5m"))]
    pub lease: Span,
    /// How often the node records a heartbeat for `doorbuster status`.
    #[schemars(extend("x-min" = "100ms", "x-max" = "5m"))]
    pub heartbeat: Span,
}

impl Node {
    /// Whether this node does that.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let name = self.name.len() <= 60 && self.name.bytes().all(plain);
        check.require(name, &["node.name"], "must be at most 60 characters of A-Z a-z 0-9 - _ .");
        check.require(!self.roles.is_empty(), &["node.roles"], "must contain at least one role");
    }
}
