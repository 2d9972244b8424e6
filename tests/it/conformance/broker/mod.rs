//! What every broker must do, through its public contract only. `suite!` runs each case on a fresh [`Rig`].

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use doorbuster::broker::{Broker, BrokerError, Consumer, Failure, dead_letter};
use doorbuster::kernel::Timestamp;
use doorbuster::model::messages::{Message, Received, Topic};

/// Declares one test per case; `$rig` makes a fresh rig.
macro_rules! suite {
    ($rig:expr; $($case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            super::run(async {
                let rig = $rig;
                super::within(super::$case(&rig)).await;
            });
        }
    )*};
}

/// On a runtime of its own, whose end is not waited for: a consumer that is at work then may never yield again (see
/// [`doorbuster::broker::pulsar`]).
fn run(case: impl Future<Output = ()>) {
    struct Ends(Option<tokio::runtime::Runtime>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.take().unwrap().shutdown_background();
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let runtime = Ends(Some(runtime));
    runtime.0.as_ref().unwrap().block_on(case);
}

/// Every case by name, for `suite!`, but those that take the storage away.
macro_rules! quiet_cases {
    ($rig:expr) => {
        suite! { $rig;
            what_was_published_survives, keys_keep_their_order, one_call_keeps_its_order, acknowledges_cumulatively,
            never_acknowledges_what_was_not_received, waits_in_standby, groups_are_independent,
            a_group_that_comes_later_begins_with_what_is_kept, dropped_receives_lose_nothing, lingers_for_more,
            competing_share, competing_gets_unacknowledged_again, competing_gives_back, competing_has_one_group,
            delayed_is_never_early, delayed_survives, broadcast_reaches_everyone, broadcast_says_when_it_lagged,
            barrier_passes_when_everything_before_is_done, barrier_stands_behind_what_was_given_up,
            backlog_counts_what_waits, failures_come_back_verbatim,
            failures_are_taken_once, refuses_what_is_too_large, closed_says_so,
        }
    };
}

/// The cases that need a storage of their own.
macro_rules! outage_cases {
    ($rig:expr) => {
        suite! { $rig; outage_is_told_and_survived }
    };
}

mod competing;
mod embedded;
mod ordered;
mod others;
mod pulsar;
mod pulsar_faults;
mod pulsar_tls;

pub use self::{competing::*, ordered::*, others::*};

/// Storage for one case, and the broker on it.
#[async_trait]
pub trait Rig: Send + Sync {
    /// Starts a broker on the rig's storage, as a new process would. It has four partitions, hands unacknowledged messages
    /// out again after [`REDELIVERY`] of its seconds, buffers [`BUFFER`] broadcast messages and takes messages of [`LARGEST`] bytes.
    async fn open(&self) -> Arc<dyn Broker>;

    /// The time by which delayed messages are due.
    fn now(&self) -> Timestamp;

    /// What a second is in the cases: less, where time can't be moved.
    fn second(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Lets time pass until this moment.
    async fn pass_until(&self, moment: Timestamp);

    /// Lets that many seconds pass.
    async fn pass(&self, seconds: u32) {
        self.pass_until(self.now().plus(self.second() * seconds)).await;
    }

    /// Makes the storage unavailable until the result is dropped.
    async fn outage(&self) -> Box<dyn Any + Send>;
}

pub const REDELIVERY: u32 = 30;
pub const BUFFER: usize = 16;
pub const LARGEST: usize = 64 * 1024;

const GROUP: &str = "group";
const NONE: Duration = Duration::ZERO;

/// A case must end in time; nothing here needs more than a fraction of it.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("the case hangs")
}

/// Long enough for anything that is going to come without time passing.
async fn nothing_comes(consumer: &mut Box<dyn Consumer>) {
    let come = tokio::time::timeout(Duration::from_millis(60), consumer.receive(1, NONE)).await;
    assert!(come.is_err(), "came: {come:?}");
}

fn message(key: &str, text: impl ToString) -> Message {
    Message { key: Bytes::copy_from_slice(key.as_bytes()), payload: text.to_string().into(), deliver_at: None }
}

fn messages(key: &str, numbers: std::ops::Range<u32>) -> Vec<Message> {
    numbers.map(|number| message(key, number)).collect()
}

fn text(received: &Received) -> String {
    String::from_utf8(received.payload.to_vec()).unwrap()
}

fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(text).collect()
}

/// Receives until there are `count`.
async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Received> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(within(consumer.receive(count - all.len(), NONE)).await.unwrap());
    }
    all
}

async fn orders(broker: &dyn Broker, key: &str) -> Box<dyn Consumer> {
    let partition = broker.partition_of(Topic::OrderRequests, key.as_bytes());
    broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap()
}

async fn logins(broker: &dyn Broker) -> Box<dyn Consumer> {
    broker.subscribe(Topic::LoginEvents, 0, GROUP).await.unwrap()
}

async fn eventually<F: Future<Output = bool>>(mut check: impl FnMut() -> F) {
    within(async {
        while !check().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
