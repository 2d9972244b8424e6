//! Global transactions and their branches.

use crate::kernel::{Timestamp, Xid};

/// Declares an enum with its stored form.
macro_rules! stored_enum {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$state_doc:meta])* $state:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$state_doc])* $state,)* }

        impl $name {
            /// As stored.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$state => $text,)* }
            }

            /// From its stored form.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$state),)* _ => None }
            }
        }
    };
}
pub(crate) use stored_enum;

stored_enum! {
    /// How far a global transaction is. `Trying` becomes `Confirming` or `Cancelling`, once; each of these ends.
    pub enum GlobalState {
        /// Not decided.
        Trying = "TRYING",
        /// Decided: every branch will be confirmed.
        Confirming = "CONFIRMING",
        /// Decided: every branch will be cancelled.
        Cancelling = "CANCELLING",
        /// Every branch is confirmed. Final.
        Confirmed = "CONFIRMED",
        /// Every branch is cancelled. Final.
        Cancelled = "CANCELLED",
    }
}

impl GlobalState {
    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Confirmed | Self::Cancelled)
    }
}

stored_enum! {
    /// How far a branch is, as the coordinator knows; its participant may be further.
    pub enum BranchState {
        /// Written down before anything was tried, so that recovery always knows whom to cancel.
        Registered = "REGISTERED",
        /// Its Confirm took effect.
        Confirmed = "CONFIRMED",
        /// Its Cancel took effect.
        Cancelled = "CANCELLED",
    }
}

/// One participant's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Which.
    pub key: BranchKey,
    /// The name of who does it.
    pub participant: String,
    /// The task, as JSON that the participant understands.
    pub args: String,
    /// How far it is.
    pub state: BranchState,
}

/// A global transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Which.
    pub xid: Xid,
    /// The kind of transaction, such as `order.pay`.
    pub kind: String,
    /// The data that its initiator needs to clean up, as JSON.
    pub args: String,
    /// How far it is.
    pub state: GlobalState,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// The last trouble in driving it to its end.
    pub last_error: Option<String>,
    /// If it is not decided by then, it is cancelled.
    pub deadline: Timestamp,
    /// Times that driving it to its end failed.
    pub attempts: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// Its parts, in the order in which they are tried.
    pub branches: Vec<Branch>,
}

/// Names one branch of one global transaction, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchKey {
    /// The transaction.
    pub xid: Xid,
    /// Its number within it, from 1.
    pub branch: u32,
}

/// The "constraint" that the commit point's transaction fails with when the decision is taken already, or is too late.
pub const NOT_DECIDED: &str = "global_transactions.decision";
