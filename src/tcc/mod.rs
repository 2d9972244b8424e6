//! Global transactions by Try, Confirm and Cancel: work in several databases that is done in all of them or in none, without a lock
//! that one holds over the network for another.
//!
//! A *global transaction* ([`Xid`](crate::kernel::Xid)) has *branches*, each done by a [`Participant`]: points, so far. What begins it
//! owns the database with the tables of this module, and the *commit point*: the transition that all of it is about, an order becoming
//! paid, and the decision (`sql::tcc::decide`) are one local transaction. So the order is paid if and only if the decision is to
//! confirm, and no state in between is needed.
//!
//! | step | database | what |
//! | --- | --- | --- |
//! | a | the order's | the intent, the transaction (`TRYING`, with a deadline) and its branches are written |
//! | b | the participant's | Try |
//! | c | the order's | the commit point: the order's transition, and `TRYING` to `CONFIRMING` before the deadline; or neither |
//! | d | the participant's | Confirm, or Cancel if c did not happen; for ever, until it is done |
//!
//! The caller may get its answer after c. What a crash leaves behind is found by [`Coordinator::recover`]: a transaction that is still
//! `TRYING` after its deadline is cancelled (*presumed abort*), one that is decided is driven to its end, with growing waits and without
//! giving up. Several recovery loops share the work by row locks and leases; that a lease may run out while its holder works is harmless,
//! because each step is idempotent and each decision a conditional update.

mod coordinator;
mod endings;
mod fail_points;
mod participant;
mod recovery;

#[cfg(test)]
mod tests;

pub use crate::model::tcc::{Branch, BranchKey, BranchState, GlobalState, NOT_DECIDED, Transaction};
pub use coordinator::{Attempt, Coordinator, Initiator, Parts};
#[cfg(feature = "sabotage")]
pub use fail_points::FailPoints;
pub use participant::{Failure, Participant, Tried};
