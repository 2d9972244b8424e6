//! What the broker's tables hold.

use bytes::Bytes;

use crate::broker::Topic;
use crate::kernel::Timestamp;

/// A message to append.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Where it belongs.
    pub topic: Topic,
    /// Partition of the topic; 0 on competing topics.
    pub partition: u32,
    /// As published.
    pub key: Bytes,
    /// As published.
    pub payload: Bytes,
    /// When it is due; `None` on ordered topics and only there.
    pub deliver_at: Option<Timestamp>,
}

/// A message of an ordered topic.
#[derive(Debug, Clone)]
pub struct LogMessage {
    /// Its position.
    pub id: u64,
    /// Where it stands.
    pub partition: u32,
    /// As published.
    pub key: Bytes,
    /// As published.
    pub payload: Bytes,
}

/// How far a group has come in a partition.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// Name of the topic.
    pub topic: String,
    /// Partition of the topic.
    pub partition: u32,
    /// Name of the group.
    pub subscription: String,
    /// Last position that is done.
    pub acked_through: u64,
}
