//! What the control room asks of the shop as a whole: who did what, which nodes run, what is set, what could not be handled.

pub mod audit_log;
pub mod backup;
mod books;
pub mod dump;
pub mod failures;
pub mod nodes;
pub mod pulse;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::broker::Broker;
use crate::config::{Live, Setting};
use crate::kernel::{Clock, Rng};
use crate::store::Database;

/// The shop as its operators look at it. Cheap to clone.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    parts: Parts,
    /// Held while the records are verified.
    checking: Mutex<()>,
}

impl std::ops::Deref for Inner {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// What [`Control`] is made of.
pub struct Parts {
    /// The truth.
    pub db: Database,
    /// Messages.
    pub broker: Arc<dyn Broker>,
    /// The node that answers.
    pub own: Arc<dyn nodes::OwnNode>,
    /// The shop in numbers.
    pub pulse: pulse::Pulse,
    /// The configuration in force.
    pub live: Live,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub rng: Rng,
}

impl Control {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, checking: Mutex::default() }))
    }

    /// The shop in numbers, second by second.
    pub fn pulse(&self) -> &pulse::Pulse {
        &self.0.pulse
    }

    /// The settings with this in their keys, in the order of the reference.
    pub fn settings(&self, search: Option<&str>) -> Vec<Setting> {
        let search = search.unwrap_or_default().to_ascii_lowercase();
        self.0.live.now().settings.iter().filter(|setting| setting.key.contains(&search)).cloned().collect()
    }
}
