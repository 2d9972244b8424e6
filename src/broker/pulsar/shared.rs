//! What all parts of the broker's client share.

use std::collections::{HashMap, HashSet};
use std::future::Future;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::Admin;
use super::clients::Clients;
use super::names::Names;
use crate::config;
use crate::kernel::{Breaker, Clock, Rng};

pub(super) struct Shared {
    pub(super) config: config::Broker,
    /// Never asked: it keeps the patience of lanes that are still to start.
    pub(super) patience: Breaker,
    pub(super) clock: Clock,
    pub(super) rng: Rng,
    pub(super) admin: Admin,
    pub(super) clients: Clients,
    pub(super) names: Names,
    /// Unlike that of any other process: what producers and consumers are called.
    pub(super) process: String,
    /// The numbers of partitions that there were, and at the end the one that there is.
    pub(super) layouts: watch::Sender<Vec<u32>>,
    pub(super) groups: Mutex<HashMap<(u32, String), Group>>,
    /// Sealed layouts, and the groups that have read them to their end.
    pub(super) drained: Mutex<HashSet<(u32, String)>>,
    pub(super) tasks: TaskTracker,
    /// No calls any more.
    pub(super) closed: CancellationToken,
    /// No sending any more either.
    pub(super) ended: CancellationToken,
}

impl Shared {
    /// Lets something end by itself; [`close`](crate::broker::Broker::close) waits for it. Without a runtime there is nothing left to end.
    pub(super) fn finish(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = Handle::try_current() {
            self.tasks.spawn_on(work, &runtime);
        }
    }

    pub(super) fn newest(&self) -> u32 {
        self.layouts.borrow().last().copied().unwrap_or(1)
    }

    /// A reader more; returns how many there were.
    pub(super) fn join(&self, partition: u32, group: &str) -> i32 {
        let mut groups = self.groups.lock();
        let group = groups.entry((partition, group.to_owned())).or_default();
        group.readers += 1;
        group.readers - 1
    }

    pub(super) fn part(&self, partition: u32, group: &str) {
        self.groups.lock().entry((partition, group.to_owned())).or_default().readers -= 1;
    }

    pub(super) fn acknowledged(&self, partition: u32, group: &str, position: u64) {
        let mut groups = self.groups.lock();
        let group = groups.entry((partition, group.to_owned())).or_default();
        group.acked = group.acked.max(position);
    }
}

/// This process's state of an ordered group in a partition.
#[derive(Default)]
pub(super) struct Group {
    pub(super) acked: u64,
    pub(super) readers: i32,
}
