//! The gate in memory.

use doorbuster::gate::MemoryGate;
use doorbuster::kernel::ManualClock;
use tokio::runtime::Builder;

use super::properties::{self, Time};
use super::*;

all_cases!(Rig::of(Arc::new(MemoryGate::new(Clock::system()))));

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
