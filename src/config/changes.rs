//! The history of stored settings: one change for each revision.

use crate::kernel::{Timestamp, UserId};

/// What a change was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SettingAct {
    /// A value was stored.
    Set,
    /// A stored value was removed.
    Unset,
    /// An earlier change was taken back.
    Rollback,
    /// What was tried on some nodes became everybody's.
    Promote,
    /// A change that would have ended by itself stays.
    Confirm,
    /// Nobody confirmed a change in time.
    Expire,
}

impl SettingAct {
    /// Every act.
    pub const ALL: [Self; 6] = [Self::Set, Self::Unset, Self::Rollback, Self::Promote, Self::Confirm, Self::Expire];

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Unset => "UNSET",
            Self::Rollback => "ROLLBACK",
            Self::Promote => "PROMOTE",
            Self::Confirm => "CONFIRM",
            Self::Expire => "EXPIRE",
        }
    }

    /// The act that is stored so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == text)
    }
}

/// A change of one key in one scope. Values are as they would be written in the file; `None`: nothing is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// Its number: one more than that of the change before.
    pub revision: u64,
    /// `section.key`.
    pub key: String,
    /// Where the value holds, as written.
    pub scope: String,
    /// What was stored before.
    pub old: Option<String>,
    /// What is stored since.
    pub new: Option<String>,
    /// What it was.
    pub act: SettingAct,
    /// Who made it; `None`: it ended by itself.
    pub operator: Option<UserId>,
    /// Their username.
    pub username: Option<String>,
    /// The way it came: `graphql` or `cli`.
    pub via: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The change that it takes back, confirms or promotes.
    pub undoes: Option<u64>,
    /// It ends by itself if it is not confirmed before.
    pub confirm_before: Option<Timestamp>,
}
