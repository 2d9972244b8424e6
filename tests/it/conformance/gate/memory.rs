//! The gate in memory.

use std::sync::Arc;

use doorbuster::gate::{Gate, MemoryGate};
use doorbuster::kernel::{Clock, ManualClock, Rng, Timestamp};
use tokio::runtime::Builder;

use super::properties::{self, Time};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let clock = Clock::system();
    super::suite(Arc::new(MemoryGate::new(clock.clone())), clock, Rng::system()).await;
}

#[test]
fn answers_like_its_model() {
    let runtime = Builder::new_current_thread().build().unwrap();
    properties::answers_like_its_model(&runtime, 256, true, || {
        let clock = ManualClock::at(Timestamp::from_millis(0));
        (Arc::new(MemoryGate::new(clock.clock())), Time::Set(clock))
    });
}

#[test]
fn never_more_units_than_stock() {
    let runtime = Builder::new_current_thread().build().unwrap();
    properties::never_more_units_than_stock(&runtime, 256, || -> Arc<dyn Gate> {
        Arc::new(MemoryGate::new(Clock::system()))
    });
}
