//! Nodes, jobs and queues, for operators.

use async_graphql::{Object, SimpleObject};

use super::int::clamped;
use super::scalars::DateTime;
use super::settings::RejectedSetting;
use crate::config::Ignored;
use crate::control::nodes;
use crate::model::nodes as model;

/// A node.
pub struct ServerNode(pub nodes::NodeState);

/// A node.
#[Object]
impl ServerNode {
    /// Its name; unique.
    async fn name(&self) -> &str {
        &self.0.row.name
    }

    /// What it does.
    async fn roles(&self) -> Vec<&str> {
        self.0.row.roles.split(',').filter(|role| !role.is_empty()).collect()
    }

    /// Where it listens.
    async fn address(&self) -> &str {
        &self.0.row.address
    }

    /// Its program's version.
    async fn version(&self) -> &str {
        &self.0.row.version
    }

    /// When it began, by its own clock.
    async fn started_at(&self) -> DateTime {
        DateTime(self.0.row.started_at)
    }

    /// When it last said that it runs, by its own clock.
    async fn seen_at(&self) -> DateTime {
        DateTime(self.0.row.seen_at)
    }

    /// Whether it has not said for so long that it runs, by three of its heartbeats, that it is probably not running.
    async fn silent(&self) -> bool {
        self.0.silent
    }

    /// The newest change of settings that the node follows. Null if its version knows none.
    async fn settings_revision(&self) -> Option<i32> {
        self.0.row.settings.revision.map(clamped)
    }

    /// Stored settings that are not in force on the node.
    async fn rejected_settings(&self) -> Vec<RejectedSetting> {
        let told = self.0.row.settings.rejected.as_deref();
        let rejected: Option<Vec<Ignored>> = told.and_then(|text| serde_json::from_str(text).ok());
        rejected.unwrap_or_default().into_iter().map(Into::into).collect()
    }

    /// Whether it is ready, and of each thing that it needs why not, as of its last heartbeat. Null if its version does not say so.
    async fn readiness(&self) -> Option<NodeReadiness> {
        let vitals = self.0.row.vitals.as_ref()?;
        let check = |check: &model::NodeCheck| NodeCheck {
            name: check.name.clone(),
            ready: check.ready,
            reason: check.reason.clone(),
        };
        Some(NodeReadiness { ready: vitals.is_ready(), checks: vitals.checks.iter().map(check).collect() })
    }

    /// Share of one processor that it used of late, such as 0.25; null where it is not known.
    async fn cpu(&self) -> Option<f64> {
        self.0.row.vitals.as_ref()?.cpu
    }

    /// Memory that it holds, in bytes; null where it is not known.
    async fn memory_bytes(&self) -> Option<f64> {
        self.0.row.vitals.as_ref()?.memory.map(|bytes| bytes as f64)
    }

    /// Its open sockets and event streams; null where it is not known.
    async fn sockets(&self) -> Option<i32> {
        self.0.row.vitals.as_ref().map(|vitals| clamped(vitals.sockets))
    }
}

/// The readiness of a node.
#[derive(SimpleObject)]
pub struct NodeReadiness {
    /// Whether all dependencies are available.
    ready: bool,
    /// The dependencies of the node.
    checks: Vec<NodeCheck>,
}

/// A dependency of a node.
#[derive(SimpleObject)]
pub struct NodeCheck {
    /// The name of the dependency, such as `database`.
    name: String,
    /// Whether the dependency is available.
    ready: bool,
    /// Why the dependency is not available. Null if it is.
    reason: Option<String>,
}

/// A job that runs on one node at a time.
#[derive(SimpleObject)]
pub struct Job {
    /// Its name.
    name: String,
    /// The node that runs the job. Null if none does.
    holder: Option<String>,
    /// Increases each time a node takes over the job.
    token: i32,
}

impl From<nodes::Job> for Job {
    fn from(job: nodes::Job) -> Self {
        Self { name: job.name, holder: job.holder, token: clamped(job.token) }
    }
}

/// What waits in one topic.
#[derive(SimpleObject)]
pub struct Queue {
    /// Its name.
    topic: &'static str,
    /// Its partitions.
    partitions: i32,
    /// Messages that wait.
    waiting: i32,
    /// Who reads which partition; none of topics that are not read in order.
    shares: Vec<QueueShare>,
}

/// A partition and its reader.
#[derive(SimpleObject)]
pub struct QueueShare {
    /// The partition.
    partition: String,
    /// Who reads it; null: nobody, or it is not known.
    reader: Option<String>,
    /// Messages that wait in it.
    waiting: i32,
}

impl From<nodes::Queue> for Queue {
    fn from(queue: nodes::Queue) -> Self {
        let share = |share: crate::broker::Share| QueueShare {
            partition: share.partition,
            reader: share.reader,
            waiting: clamped(share.waiting),
        };
        Self {
            topic: queue.topic,
            partitions: clamped(queue.partitions),
            waiting: clamped(queue.waiting),
            shares: queue.shares.into_iter().map(share).collect(),
        }
    }
}
