//! What a node measures about itself.

use parking_lot::Mutex;

/// What is found out now and then, so that asking costs nothing.
#[derive(Default)]
pub(super) struct Measured {
    /// Why the database can't be written to, if so.
    pub(super) database_fault: Mutex<Option<String>>,
    /// Share of one processor that this process used of late.
    pub(super) cpu: Mutex<Option<f64>>,
    /// Jobs of this node's roles that one node at a time does.
    pub(super) jobs: Mutex<Vec<&'static str>>,
}
