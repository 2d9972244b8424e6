//! `[node]`: this process among the others.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Span};

/// What a node can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Answers shoppers and operators.
    Api,
    /// Decides tickets.
    Writer,
    /// Announces events that their own node did not.
    Relay,
    /// Expires orders when their message is due.
    Timeouts,
    /// Sweeps, reconciles, cleans up.
    Jobs,
}

impl Role {
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

/// This process among the others.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Unique among the nodes; made up when empty.
    pub name: String,
    /// What this node does.
    pub roles: Vec<Role>,
    /// How long a node may be silent before another takes over its jobs.
    #[schemars(extend("x-min" = "500ms", "x-max" = "5m"))]
    pub lease: Span,
    /// How often the node says that it runs.
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
