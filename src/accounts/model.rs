//! Users and their roles.

use crate::kernel::{Timestamp, UserId};

/// The role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Buys.
    Buyer,
    /// Runs the shop, and may buy too.
    Operator,
}

impl Role {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buyer => "BUYER",
            Self::Operator => "OPERATOR",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Buyer, Self::Operator].into_iter().find(|role| role.as_str() == text)
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
