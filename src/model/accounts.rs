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
    /// Helps buyers: looks up orders and refunds up to a limit.
    Support,
    /// Looks at everything and changes nothing.
    Observer,
    /// Runs the shop.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Buyer, Self::Support, Self::Observer, Self::Operator];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buyer => "BUYER",
            Self::Support => "SUPPORT",
            Self::Observer => "OBSERVER",
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
    /// How the sign-in was proven.
    pub proof: Proof,
}

/// How a sign-in was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// With the password.
    Password,
    /// With the password and the second factor.
    SecondFactor,
    /// With the password where the shop requires a second factor of its staff: without the rights of the role until one is set up.
    Wanting,
}

impl Viewer {
    /// Somebody who signed in with the password.
    pub const fn new(id: UserId, role: Role) -> Self {
        Self { id, role, proof: Proof::Password }
    }
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
    /// The right password, and the second factor is missing.
    SecondFactorRequired,
    /// The right password, and a code that is wrong, was used before, or came after too many wrong ones.
    SecondFactorInvalid,
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
            Self::SecondFactorRequired => "SECOND_FACTOR_REQUIRED",
            Self::SecondFactorInvalid => "SECOND_FACTOR_INVALID",
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

/// What the database says of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredToken {
    /// The owner.
    pub viewer: Viewer,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When it stops working unless it is used.
    pub expires_at: Timestamp,
}

/// A token whose sealed contents no longer hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Its place in the list. Nothing appears before a place that [`crate::store`] calls the end.
    pub seq: i64,
    /// The token's hash.
    pub token: TokenHash,
    /// When the token would have expired.
    pub expires_at: Timestamp,
    /// Whether the token was revoked. Otherwise its user got another role.
    pub gone: bool,
}

/// A session as nodes know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Whose.
    pub viewer: Viewer,
    /// When it ends unless it is used.
    pub expires_at: Timestamp,
    /// When it ends however much it is used.
    pub ends_at: Timestamp,
}

/// A second factor as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredFactor {
    /// The secret, encrypted if the shop has a key.
    pub secret: Vec<u8>,
    /// Since when it is in force; `None` until it is confirmed with a code.
    pub confirmed_at: Option<Timestamp>,
    /// The time step of the last code that was accepted.
    pub last_step: i64,
}

impl std::fmt::Debug for StoredFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredFactor").field("confirmed_at", &self.confirmed_at).finish_non_exhaustive()
    }
}
