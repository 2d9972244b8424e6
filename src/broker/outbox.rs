//! Events that are written together with the state they announce.

use bytes::Bytes;

use super::Topic;
use crate::kernel::Timestamp;

/// An event to publish after the transaction that wrote it.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Where to.
    pub topic: Topic,
    /// Its key.
    pub key: String,
    /// The envelope.
    pub payload: Bytes,
    /// Not before this moment.
    pub deliver_at: Option<Timestamp>,
}
