//! Users and their roles.

use crate::kernel::{LoginEventId, Timestamp, UserId};

/// The role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Buys.
    Buyer,
    /// Runs the shop, and may buy too.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Buyer, Self::Operator];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buyer => "BUYER",
            Self::Operator => "OPERATOR",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// A signed-up person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Identity.
    pub id: UserId,
    /// Sign-in name, unique, lower case.
    pub username: String,
    /// The name that other users see.
    pub display_name: String,
    /// The user's role.
    pub role: Role,
    /// When they signed up.
    pub created_at: Timestamp,
}

/// The authenticated sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub id: UserId,
    /// With which role.
    pub role: Role,
}

/// An attempt to sign in or up, or a change of who is signed in, as the login log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInAttempt {
    /// Identity.
    pub id: LoginEventId,
    /// The user, if there is one of that name.
    pub user: Option<UserId>,
    /// The name that was tried; empty when it can't be a name.
    pub username: String,
    /// Where the attempt came from.
    pub address: String,
    /// How it ended, such as `SIGNED_IN`.
    pub outcome: String,
    /// When.
    pub at: Timestamp,
}

/// The access token of a signed-in user.
#[derive(Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The secret. Only its hash is stored: it cannot be shown again.
    pub token: String,
    /// When it stops working unless it is used.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken").field("token", &"***").field("expires_at", &self.expires_at).finish()
    }
}
