//! Upgrades. Programs have a **data version**, which rises with each release that writes something that its predecessor can't read: a new
//! version of a message, a new value in a column. A program works with data of its own version and of the one before, so that both run
//! side by side while nodes are replaced, in either direction. What only the newer one can read is written after the upgrade is finalised;
//! from then on there is no way back but a backup.

use crate::kernel::Timestamp;

/// The data version of this program.
pub const DATA_VERSION: u32 = 2;

/// What was introduced with a data version, and is refused until it is in force. Entries older than the previous version can be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Users with the roles `OBSERVER` and `SUPPORT`.
    StaffRoles,
    /// Access tokens that nodes judge by themselves.
    SealedTokens,
    /// Second factors: the previous version lets staff in without asking for one.
    SecondFactors,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::StaffRoles, Self::SealedTokens, Self::SecondFactors];

    /// The data version since which it can be used.
    pub const fn since(self) -> u32 {
        match self {
            Self::StaffRoles | Self::SealedTokens | Self::SecondFactors => 2,
        }
    }

    /// What does not exist before that.
    pub const fn title(self) -> &'static str {
        match self {
            Self::StaffRoles => "users with the roles OBSERVER and SUPPORT",
            Self::SealedTokens => "access tokens that nodes verify without a lookup",
            Self::SecondFactors => "second factors of staff",
        }
    }
}

/// The data version that this process works with: [`DATA_VERSION`], but in fault tests, where a program can stand in for its predecessor.
pub fn data_version() -> u32 {
    #[cfg(feature = "sabotage")]
    if crate::kernel::sabotage::active("previous-data-version") {
        return DATA_VERSION - 1;
    }
    DATA_VERSION
}

/// The release that this process is, for people and metrics. In fault tests a program can say that it is another one.
pub fn program_version() -> &'static str {
    #[cfg(feature = "sabotage")]
    if crate::kernel::sabotage::active("another-version") {
        return "another";
    }
    env!("CARGO_PKG_VERSION")
}

/// What a database says of the programs that can work with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaState {
    /// The lowest data version whose programs can use the tables.
    pub min_program: u32,
    /// What programs may write.
    pub version: u32,
    /// When a node of an older program was last seen since the upgrade began; `None` before anybody looked.
    pub older_seen_at: Option<Timestamp>,
}

impl SchemaState {
    /// Whether a program of this data version has an upgrade to finalise.
    pub const fn is_pending(&self, program: u32) -> bool {
        self.version < program
    }

    /// When the upgrade is finalised automatically, if nobody sees a node of the previous version until then.
    pub fn due(&self, finalise_after: std::time::Duration) -> Option<Timestamp> {
        self.older_seen_at.filter(|_| !finalise_after.is_zero()).map(|seen| seen.plus(finalise_after))
    }
}

/// Why a program can't work with a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// The upgrade to a later release was finalised.
    #[error(
        "the upgrade to data version {version} was finalised, and this program knows data up to version {program}; start the newer \
         program, or restore a backup from before"
    )]
    Finalised {
        /// What is written there.
        version: u32,
        /// What the program knows.
        program: u32,
    },
    /// A migration of a later release does not allow it.
    #[error(
        "the tables were changed by a newer program, and need one of data version {min_program} or higher; this one has {program}. \
         Start the newer program, or restore a backup from before"
    )]
    Tables {
        /// The lowest that can use the tables.
        min_program: u32,
        /// What the program has.
        program: u32,
    },
    /// A release was left out.
    #[error(
        "the database has data of version {version}, and this program (data version {program}) upgrades from version {} only; \
         start the release in between and finalise its upgrade first", program - 1
    )]
    Skipped {
        /// What is written there.
        version: u32,
        /// What the program has.
        program: u32,
    },
}

/// Whether a program of this data version can work with the database.
pub const fn suits(program: u32, state: &SchemaState) -> Result<(), Unsuitable> {
    let SchemaState { min_program, version, .. } = *state;
    if version > program {
        return Err(Unsuitable::Finalised { version, program });
    }
    if min_program > program {
        return Err(Unsuitable::Tables { min_program, program });
    }
    if version + 1 < program {
        return Err(Unsuitable::Skipped { version, program });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_works_with_its_own_data_version_and_the_one_before() {
        let state = |min_program, version| SchemaState { min_program, version, older_seen_at: None };
        for (program, state, expected) in [
            (2, state(1, 2), Ok(())),
            (2, state(1, 1), Ok(())),
            (2, state(2, 2), Ok(())),
            (1, state(1, 1), Ok(())),
            (1, state(1, 2), Err(Unsuitable::Finalised { version: 2, program: 1 })),
            (1, state(2, 2), Err(Unsuitable::Finalised { version: 2, program: 1 })),
            // A contracting migration before the upgrade was finalised would be a mistake of the release; the program still does not start.
            (1, state(2, 1), Err(Unsuitable::Tables { min_program: 2, program: 1 })),
            (3, state(1, 1), Err(Unsuitable::Skipped { version: 1, program: 3 })),
        ] {
            assert_eq!(suits(program, &state), expected, "{program} {state:?}");
        }
    }

    #[test]
    fn no_feature_needs_a_version_that_this_program_does_not_have() {
        assert!(Feature::ALL.iter().all(|feature| feature.since() <= DATA_VERSION));
    }

    #[test]
    fn an_upgrade_is_due_some_time_after_the_last_older_node() {
        let seen = Timestamp::from_millis(1_000);
        let state = |older_seen_at| SchemaState { min_program: 1, version: 1, older_seen_at };
        let day = std::time::Duration::from_secs(86_400);
        assert_eq!(state(Some(seen)).due(day), Some(seen.plus(day)));
        assert_eq!((state(None).due(day), state(Some(seen)).due(std::time::Duration::ZERO)), (None, None));
    }
}
