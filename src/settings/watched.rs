//! Which nodes live, as this one sees it.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::kernel::Timestamp;
use crate::model::nodes::NodeRow;

/// When the word of each node last changed, by the clock of who watches. Clocks of nodes are never compared.
#[derive(Debug, Default)]
pub(super) struct Watched(HashMap<String, (Timestamp, Instant)>);

impl Watched {
    pub(super) fn note(&mut self, nodes: &[NodeRow]) {
        self.0.retain(|name, _| nodes.iter().any(|node| node.name == *name));
        for node in nodes {
            let seen = self.0.entry(node.name.clone()).or_insert_with(|| (node.seen_at, Instant::now()));
            if seen.0 != node.seen_at {
                *seen = (node.seen_at, Instant::now());
            }
        }
    }

    /// Whether the node said something within that time; one that was just seen for the first time is given that time.
    pub(super) fn lives(&self, name: &str, within: Duration) -> bool {
        self.0.get(name).is_none_or(|(_, since)| since.elapsed() <= within)
    }
}
