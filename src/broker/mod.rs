//! Messaging between components: durable, partitioned, at least once.
//!
//! [`Broker`] is the contract; [`embedded`] keeps it inside the database of one process, [`pulsar`] among many nodes.
//! [`envelope`] is the outer form of every payload, [`failure`] the form of what could not be handled, [`outbox`] the way of
//! events that are written together with the state they announce.

pub mod embedded;
pub mod envelope;
pub mod failure;
pub mod outbox;
pub mod pulsar;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(feature = "sabotage")]
pub mod unruly;

pub use crate::model::messages::{Delivery, Message, NewEvent, Received, Topic};
pub use failure::{Failure, dead_letter};
pub use outbox::Relay;

use std::time::Duration;

use async_trait::async_trait;

use crate::kernel::{Backoff, Rng};

/// Dead-letter messages read in one call.
const FAILURES_PAGE: usize = 100;

/// The wait after the first failed try to reach a server; doubled with each further one, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// For tries to reach a server.
const fn backoff(rng: Rng) -> Backoff {
    Backoff::new(rng, FIRST_WAIT, LONGEST_WAIT)
}

/// A partition of an ordered topic, as a group sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The topic's name and the partition's number.
    pub partition: String,
    /// The process whose turn it is, unless nobody reads or the broker keeps no account of it.
    pub reader: Option<String>,
    /// Messages that wait for the group.
    pub waiting: u64,
}

/// The broker could not be reached or did not answer in time.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// Nothing was stored, or it is unknown whether it was: publishing again is safe, consumers are idempotent.
    #[error("broker unavailable: {0}")]
    Unavailable(String),
    /// A broadcast consumer was too slow and missed messages: it must read the state afresh.
    #[error("missed {0} messages")]
    Lagged(u64),
    /// The call can never succeed as it is: a message that is too large, a second group on a competing topic. Nothing was stored.
    #[error("broker refused: {0}")]
    Refused(String),
    /// The broker is shutting down.
    #[error("the broker is closed")]
    Closed,
}

/// The contract of every broker.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Stores the messages, in order per key. `Ok` only when they will survive a crash of any process (broadcast topics: of any
    /// process but the consumer's). The messages of one call share their fate if they are for one partition; of those for several, some may
    /// be stored when it fails. Dropping the future does not take them back.
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError>;

    /// How many partitions the topic has (1 unless it is ordered).
    fn partitions(&self, topic: Topic) -> u32;

    /// The partition that messages with this key go to.
    fn partition_of(&self, topic: Topic, key: &[u8]) -> u32;

    /// Attaches a consumer. `subscription` names the group (ordered, competing) or the node (broadcast). A group begins with
    /// the oldest message that is kept. Of an ordered group one consumer per partition is active at a time, the others
    /// wait in [`Consumer::receive`] until it is dropped (or, between processes, until the broker spreads the partitions
    /// anew because one came or went; what was not acknowledged then comes to the next one). A competing topic has one group.
    async fn subscribe(
        &self,
        topic: Topic,
        partition: u32,
        subscription: &str,
    ) -> Result<Box<dyn Consumer>, BrokerError>;

    /// A position such that every message whose publishing began before this call, whatever its caller was answered, stands
    /// at or before it or was acknowledged by all; 0 when there is none. With [`Broker::acked_through`] it makes a
    /// barrier: when the group has acknowledged it, nothing older is on its way.
    async fn end_position(&self, topic: Topic, partition: u32) -> Result<u64, BrokerError>;

    /// The last position that the group acknowledged (ordered topics), 0 when none.
    async fn acked_through(&self, topic: Topic, partition: u32, subscription: &str) -> Result<u64, BrokerError>;

    /// Messages that wait for the group, delayed ones included, for metrics. 0 for broadcast topics.
    async fn backlog(&self, topic: Topic, subscription: &str) -> Result<u64, BrokerError>;

    /// The partitions of an ordered topic, for people; none of other topics.
    async fn shares(&self, topic: Topic, subscription: &str) -> Result<Vec<Share>, BrokerError>;

    /// A partition may store nothing for this long from now on before it refuses. Without effect where none ever does.
    fn set_patience(&self, _: Duration) {}

    /// Whether some partition refuses what is published to it at once, because for some time it stored nothing.
    fn refuses(&self) -> bool {
        false
    }

    /// Dead-letter messages, oldest first, after `after`.
    async fn failures(&self, after: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError>;

    /// Dead-letter messages before the position `before`, newest first.
    async fn failures_before(&self, before: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        // Right for every broker; those that can read backwards need not read all.
        let (mut after, mut newest) = (0, std::collections::VecDeque::new());
        loop {
            let page = self.failures(after, FAILURES_PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            for letter in page.into_iter().filter(|(position, _)| *position < before) {
                newest.push_front(letter);
                newest.truncate(max);
            }
        }
        Ok(newest.into())
    }

    /// Publishes a dead-letter message to its topic again and removes it from the queue. Returns whether it existed.
    /// A crash in between leaves it in both.
    async fn replay(&self, position: u64) -> Result<bool, BrokerError>;

    /// Deletes a dead-letter message. Returns whether it existed.
    async fn discard(&self, position: u64) -> Result<bool, BrokerError>;

    /// Writes down what is still to be written (publishes that wait, acknowledgements) and ends: consumers and later
    /// calls get [`BrokerError::Closed`]. Stop the workers first.
    async fn close(&self);
}

/// One end of a subscription.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for messages and returns `max` at most: as soon as there is one, or up to `linger` later if that fills the
    /// batch. Dropping the future loses nothing. Messages that were received but not acknowledged come again after
    /// [`Consumer::rewind`], after a crash, and (competing) after the redelivery time.
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError>;

    /// Ordered and broadcast: acknowledges everything up to and including `position`, as far as it was received. Competing:
    /// just that message. Call it after the work is committed. It need not be durable at once: a crash may bring the message again.
    async fn ack(&mut self, position: u64) -> Result<(), BrokerError>;

    /// Makes what this consumer received and did not acknowledge come again at once, from the start (ordered, competing).
    /// Nothing happens on broadcast topics. Back off before: it is for a retry.
    async fn rewind(&mut self) -> Result<(), BrokerError>;
}

/// The partition of a key: FNV-1a over its bytes (64 bits, offset basis 0xcbf29ce484222325, prime 0x100000001b3), the upper
/// half folded into the lower by XOR, modulo the number of partitions. Every node and every version must agree on it:
/// it decides where the messages of a key wait.
pub fn partition_for(key: &[u8], partitions: u32) -> u32 {
    let hash = key
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let folded = (hash >> 32) as u32 ^ hash as u32;
    folded.checked_rem(partitions).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_never_move() {
        // Fixed values: a change here strands the messages that wait in somebody's database.
        let of = |key: &[u8]| partition_for(key, 8);
        assert_eq!([of(b""), of(b"a"), of(b"sale-1"), of(b"sale-2"), of(&[7; 16])], [1, 0, 1, 0, 5]);
        assert_eq!(partition_for(b"anything", 0), 0);
    }

    #[test]
    fn neighbouring_keys_spread() {
        let mut counts = [0_u32; 4];
        for number in 0..4_000_u64 {
            counts[partition_for(&number.to_be_bytes(), 4) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn names_are_unique_and_parse() {
        for topic in Topic::ALL {
            assert_eq!(Topic::parse(topic.name()), Some(topic));
        }
        assert_eq!(Topic::parse("order-request"), None);
    }
}
