//! What all parts of the embedded broker share.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::broadcast::Channel;
use super::competing::Queue;
use super::journal::Journal;
use super::ordered::Log;
use crate::broker::BrokerError;
use crate::kernel::{Clock, Rng};
use crate::model::messages::Topic;
use crate::store::{Database, StoreError};

pub(super) struct Shared {
    pub(super) db: Database,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) journal: Journal,
    pub(super) logs: Vec<Arc<Log>>,
    pub(super) queues: Vec<Arc<Queue>>,
    pub(super) channels: Vec<(Topic, Channel)>,
    pub(super) redelivery_after: Duration,
    pub(super) poll_every: Duration,
    pub(super) closed: CancellationToken,
}

impl Shared {
    pub(super) fn log(&self, topic: Topic, partition: u32) -> Option<&Arc<Log>> {
        self.logs.iter().find(|log| log.topic == topic && log.partition == partition)
    }

    pub(super) fn queue(&self, topic: Topic) -> Option<&Arc<Queue>> {
        self.queues.iter().find(|queue| queue.topic == topic)
    }

    pub(super) fn channel(&self, topic: Topic) -> Option<&Channel> {
        self.channels.iter().find(|(name, _)| *name == topic).map(|(_, channel)| channel)
    }
}

/// Whatever the database says of a broker's statement, trying again is all that the caller can do.
pub(super) fn unavailable(error: StoreError) -> BrokerError {
    match error {
        StoreError::Unavailable { reason, .. } => BrokerError::Unavailable(reason),
        other => {
            tracing::error!(error = %other, "the database rejected a statement of the broker");
            BrokerError::Unavailable(other.to_string())
        }
    }
}
