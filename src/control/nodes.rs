//! The nodes, the jobs that one of them does at a time, and what waits in the broker.

use super::Control;
use crate::broker::{BrokerError, Share};
use crate::model::nodes::{LeaseRow, NodeRow, NodeVitals};
use crate::nodes::{Leases, Registry};
use crate::store::StoreError;
use crate::workers::GROUPS;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnFacts {
    /// Its name.
    pub name: String,
    /// How it is.
    pub vitals: NodeVitals,
    /// Jobs that it does, or would do if no other node did.
    pub jobs: Vec<&'static str>,
}

/// The node that answers.
pub trait OwnNode: Send + Sync + 'static {
    /// What it says of itself now. Quick.
    fn facts(&self) -> OwnFacts;
}

/// A node that runs, or ran until a moment ago.
#[derive(Debug, Clone)]
pub struct NodeState {
    /// What it wrote down.
    pub row: NodeRow,
    /// Whether it missed so many heartbeats that it is probably not running.
    pub silent: bool,
}

/// A job that runs on one node at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Who does it.
    pub holder: Option<String>,
    /// Grows each time that somebody takes it over.
    pub token: u64,
}

/// What waits in one topic.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Its name.
    pub topic: &'static str,
    /// Its partitions.
    pub partitions: u32,
    /// Messages that wait.
    pub waiting: u64,
    /// Its partitions with who reads them; none of topics that are not read in order.
    pub shares: Vec<Share>,
}

impl Control {
    /// All nodes by name.
    pub async fn nodes(&self) -> Result<Vec<NodeState>, StoreError> {
        let own = self.0.own.facts();
        let (now, heartbeat) = (self.0.clock.now(), *self.0.live.now().node.heartbeat);
        let rows = Registry::list(&self.0.db).await?;
        let state = |row: NodeRow| {
            let is_own = row.name == own.name;
            let silent = !is_own && row.is_silent(now, heartbeat);
            // The node that answers knows how it is now.
            let vitals = if is_own { Some(own.vitals.clone()) } else { row.vitals };
            NodeState { row: NodeRow { vitals, ..row }, silent }
        };
        Ok(rows.into_iter().map(state).collect())
    }

    /// All jobs by name. Where nobody else can be, the node that answers does them all.
    pub async fn jobs(&self) -> Result<Vec<Job>, StoreError> {
        let leases = Leases::list(&self.0.db).await?;
        let OwnFacts { name: node, jobs: own, .. } = self.0.own.facts();
        let job = |LeaseRow { job, holder, token, .. }: LeaseRow| Job {
            name: job,
            holder: Some(holder).filter(|holder| !holder.is_empty()),
            token,
        };
        let mut jobs: Vec<Job> = leases.into_iter().map(job).collect();
        let holder = (!self.0.db.is_shared()).then_some(node);
        for name in own {
            if !jobs.iter().any(|job| job.name == name) {
                jobs.push(Job { name: name.to_owned(), holder: holder.clone(), token: 0 });
            }
        }
        jobs.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(jobs)
    }

    /// What waits in the broker.
    pub async fn queues(&self) -> Result<Vec<Queue>, BrokerError> {
        let broker = &self.0.broker;
        let mut queues = Vec::with_capacity(GROUPS.len());
        for (topic, group) in GROUPS {
            let (waiting, shares) = (broker.backlog(topic, group).await?, broker.shares(topic, group).await?);
            queues.push(Queue { topic: topic.name(), partitions: broker.partitions(topic), waiting, shares });
        }
        Ok(queues)
    }
}
