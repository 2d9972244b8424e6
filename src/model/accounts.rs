//! Users and their roles.

use crate::kernel::{LoginEventId, Timestamp, UserId};
use serde::Deserialize;
use serde::Serialize;
use std::net::IpAddr;

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

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LoginOutcome {
    /// A new user.
    SignedUp,
    /// The sign-up broke a rule, or the name was taken.
    SignUpRefused,
    /// The right password.
    SignedIn,
    /// An unknown name or a wrong password.
    InvalidCredentials,
    /// The right password, and another one from now on.
    PasswordChanged,
    /// All sign-ins of the user were ended by themselves.
    SignedOutEverywhere,
    /// The server could not decide: too busy, or without its database.
    Unavailable,
}

impl LoginOutcome {
    /// As stored, sent and counted.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "SIGNED_UP",
            Self::SignUpRefused => "SIGN_UP_REFUSED",
            Self::SignedIn => "SIGNED_IN",
            Self::InvalidCredentials => "INVALID_CREDENTIALS",
            Self::PasswordChanged => "PASSWORD_CHANGED",
            Self::SignedOutEverywhere => "SIGNED_OUT_EVERYWHERE",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// One attempt to sign in or up: a message of `login-events`, and a row of the login log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginEvent {
    /// Identity: a message that comes twice is written once.
    pub event_id: LoginEventId,
    /// The user, if there is one of that name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// The name that was tried, in its normal form; empty when it can't be a name: people type passwords there.
    pub username: String,
    /// Where the attempt came from.
    pub address: IpAddr,
    /// How it ended.
    pub outcome: LoginOutcome,
    /// When.
    pub at: Timestamp,
}

/// SHA-256 of a token's random bytes: what is stored. With 256 random bits nothing slower is needed.
pub type TokenHash = [u8; 32];
