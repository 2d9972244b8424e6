//! The events of an operation.

use bytes::Bytes;

/// The events of an operation.
#[derive(Debug, Clone)]
pub enum Event {
    /// An answer: the JSON of an execution result.
    Next(Bytes),
    /// It was not executed: the JSON of an array of errors. The last event.
    Error(Bytes),
    /// It has ended. The last event.
    Complete,
}
