//! The nodes, the jobs that one of them does at a time, and what waits in the broker.

use super::Control;
use crate::broker::{BrokerError, Share};
use crate::model::nodes::{LeaseRow, NodeRow};
use crate::nodes::{Leases, Registry};
use crate::store::StoreError;
use crate::workers::GROUPS;

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnFacts {
    /// Its name.
    pub name: String,
    /// The dependencies of the node.
    pub checks: Vec<NodeCheck>,
    /// Share of one processor that it used of late; `None` where it is not known.
    pub cpu: Option<f64>,
    /// Memory that it holds, in bytes; `None` where it is not known.
    pub memory: Option<u64>,
    /// Its open sockets and event streams.
    pub sockets: usize,
    /// Jobs that it does, or would do if no other node did.
    pub jobs: Vec<&'static str>,
}

/// A dependency of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCheck {
    /// The name of the dependency, such as `database`.
    pub name: String,
    /// Whether the dependency is available.
    pub ready: bool,
    /// Why it does not.
    pub reason: Option<String>,
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
    /// What it says of itself; `None` for all nodes but the one that answers.
    pub own: Option<OwnFacts>,
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
        let mut own = Some(self.0.own.facts());
        let rows = Registry::list(&self.0.db).await?;
        let state = |row: NodeRow| {
            let own = own.take_if(|own| own.name == row.name);
            NodeState { row, own }
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
