//! Nodes and leases, as they are stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::kernel::Timestamp;

/// How many heartbeats a node may miss and still count as running.
pub const BEATS: u32 = 3;

/// How far the clocks of two nodes may be apart before one of them takes the other for silent.
const CLOCKS_APART: Duration = Duration::from_secs(1);

/// Checks in what a node says of its health, and the characters of each text.
const CHECKS_MAX: usize = 16;
const NAME_MAX: usize = 60;
const REASON_MAX: usize = 300;

/// A job's lease, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// The job.
    pub job: String,
    /// The holder; empty after a release.
    pub holder: String,
    /// Grows with each holder.
    pub token: u64,
    /// Grows while the holder lives.
    pub beat: u64,
}

/// A node that runs, or ran until a moment ago.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeRow {
    /// Its name; unique.
    pub name: String,
    /// The roles, separated by commas.
    pub roles: String,
    /// Where it listens.
    pub address: String,
    /// Its program's version.
    pub version: String,
    /// When it began, by its own clock.
    pub started_at: Timestamp,
    /// When it last said that it runs, by its own clock.
    pub seen_at: Timestamp,
    /// What it says of its settings.
    pub settings: NodeSettings,
    /// The data version of its program; see [`super::upgrade`].
    pub data_version: u32,
    /// What it says of its health; `None` if its program says nothing.
    pub vitals: Option<NodeVitals>,
}

impl NodeRow {
    /// Whether the node missed so many heartbeats that it is probably not running. `every` is how often a node that does not say it sends
    /// one.
    pub fn is_silent(&self, now: Timestamp, every: Duration) -> bool {
        let every = self.vitals.as_ref().map_or(every, NodeVitals::every);
        now.since(self.seen_at) > every * BEATS + CLOCKS_APART
    }
}

/// What a node says of its health with each heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeVitals {
    /// How often it sends a heartbeat, in milliseconds.
    pub every_ms: u32,
    /// The conditions of its readiness.
    pub checks: Vec<NodeCheck>,
    /// Share of one processor that it used of late; `None` where it is not known.
    pub cpu: Option<f64>,
    /// Memory that it holds, in bytes; `None` where it is not known.
    pub memory: Option<u64>,
    /// Its open sockets and event streams.
    pub sockets: u64,
}

/// A condition of a node's readiness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeCheck {
    /// The name of the dependency, such as `database`.
    pub name: String,
    /// Whether the dependency is available.
    pub ready: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Stored<V> {
    /// The heartbeat that this was said with, in milliseconds.
    at: i64,
    #[serde(flatten)]
    vitals: V,
}

impl NodeVitals {
    /// How often the node sends a heartbeat.
    pub const fn every(&self) -> Duration {
        Duration::from_millis(self.every_ms as u64)
    }

    /// Whether the node can do its work.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| check.ready)
    }

    /// As the heartbeat `at` carries it.
    pub(crate) fn stored(&self, at: Timestamp) -> String {
        let stored = Stored { at: at.as_millis(), vitals: self.clone().bounded() };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// What the heartbeat `at` carries; `None` if it carries nothing, so that this is of an earlier one.
    pub(crate) fn read(stored: &str, at: Timestamp) -> Option<Self> {
        let stored: Stored<Self> = serde_json::from_str(stored).ok()?;
        (stored.at == at.as_millis()).then(|| stored.vitals.bounded())
    }

    /// With nothing in it that is longer than allowed. Checks that fail come first, so that none of them is left out.
    fn bounded(mut self) -> Self {
        let cut = |text: &mut String, max| {
            if let Some((end, _)) = text.char_indices().nth(max) {
                text.truncate(end);
                text.push('…');
            }
        };
        if self.checks.len() > CHECKS_MAX {
            self.checks.sort_by_key(|check| check.ready);
            self.checks.truncate(CHECKS_MAX);
        }
        for check in &mut self.checks {
            cut(&mut check.name, NAME_MAX);
            check.reason.iter_mut().for_each(|reason| cut(reason, REASON_MAX));
        }
        self
    }
}

/// What a node says of its settings; nothing by a program that knows none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSettings {
    /// The revision of the stored settings that it follows.
    pub revision: Option<u64>,
    /// Stored values that are not in force on it, as JSON.
    pub rejected: Option<String>,
    /// What its own configuration says, as JSON.
    pub local: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn check(name: &str, reason: Option<&str>) -> NodeCheck {
        NodeCheck { name: name.into(), ready: reason.is_none(), reason: reason.map(Into::into) }
    }

    fn node(vitals: Option<NodeVitals>) -> NodeRow {
        let (name, seen_at) = ("one".to_owned(), at(100_000));
        NodeRow {
            name,
            roles: String::new(),
            address: String::new(),
            version: String::new(),
            started_at: seen_at,
            seen_at,
            settings: NodeSettings::default(),
            data_version: 1,
            vitals,
        }
    }

    #[test]
    fn what_a_heartbeat_carries_is_read_with_that_heartbeat_only() {
        let checks = vec![check("database", Some("too slow")), check("gates", None)];
        let vitals = NodeVitals { every_ms: 2_000, checks, cpu: Some(0.25), memory: Some(1 << 40), sockets: 7 };
        let stored = vitals.stored(at(5));
        assert_eq!(NodeVitals::read(&stored, at(5)), Some(vitals.clone()));
        assert!(!vitals.is_ready());
        assert_eq!(NodeVitals::read(&stored, at(6)), None, "left there by another program");
        for odd in ["", "null", "{}", "[1]", r#"{"at":"5"}"#] {
            assert_eq!(NodeVitals::read(odd, at(5)), None, "{odd}");
        }
        let newer = r#"{"at":5,"every_ms":10,"mood":"good","checks":[{"name":"database","ready":true,"since":3}]}"#;
        let read = NodeVitals::read(newer, at(5)).unwrap();
        assert_eq!((read.every(), read.is_ready(), read.checks.len()), (Duration::from_millis(10), true, 1));
    }

    #[test]
    fn a_reason_is_cut_and_no_failed_check_is_left_out() {
        let long = "長".repeat(5_000);
        let mut checks: Vec<NodeCheck> = (0..40).map(|number| check(&format!("{number}"), None)).collect();
        checks.push(check(&long, Some(&long)));
        let vitals = NodeVitals { checks, ..NodeVitals::default() };
        let read = NodeVitals::read(&vitals.stored(at(1)), at(1)).unwrap();
        assert_eq!(read.checks.len(), CHECKS_MAX);
        assert!(!read.is_ready());
        let NodeCheck { name, reason, .. } = &read.checks[0];
        assert_eq!(name.chars().count(), NAME_MAX + 1);
        assert_eq!(reason.as_ref().unwrap().chars().count(), REASON_MAX + 1);
        let foreign = format!(r#"{{"at":1,"checks":[{{"name":"{long}","reason":"{long}"}}]}}"#);
        assert!(NodeVitals::read(&foreign, at(1)).unwrap().checks[0].name.len() < 1_000);
    }

    #[test]
    fn a_node_is_silent_after_three_heartbeats_of_its_own() {
        let own = Duration::from_secs(2);
        let says = |every_ms| node(Some(NodeVitals { every_ms, ..NodeVitals::default() }));
        let silent_after = |node: NodeRow| (0..600).find(|second| node.is_silent(at(100_000 + second * 1_000), own));
        assert_eq!(silent_after(node(None)), Some(8), "as this node would");
        assert_eq!(silent_after(says(100)), Some(2));
        assert_eq!(silent_after(says(60_000)), Some(182));
        assert!(!says(100).is_silent(at(0), own), "its clock is ahead");
    }
}
