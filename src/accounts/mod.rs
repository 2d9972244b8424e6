//! Accounts: users, roles, passwords, access tokens and the login log.

mod batcher;
mod device;
mod follow_sign_outs;
mod look_ups;
pub mod messages;
mod metrics;
mod password;
mod recovery;
mod revocations;
mod revoked;
mod rules;
pub mod seal;
mod service;
pub mod shared;
mod sign_outs;
mod token_keys;
mod tokens;
mod totp;
mod vault;

#[cfg(test)]
pub(crate) mod testing;

pub use crate::model::accounts::{AccessToken, LoginEvent, LoginOutcome, Role, SignInAttempt, TokenHash, User, Viewer};
pub use device::DeviceToken;
pub use follow_sign_outs::{say_so, watch_sign_outs};
pub use revocations::follow_revocations;
pub use rules::SignUpRefusal;
pub use service::{
    Accounts, AccountsError, Begun, Confirmed, Credentials, FactorRefusal, FactorState, Origin, PasswordChanged,
    PasswordRefusal, RoleChange, SignInRefusal, SignedIn, StaffRefusal,
};
pub use shared::{Found, Kept, Life, Live, RedisTokens, SharedError, SharedTokens};
pub use token_keys::token_keys;
pub use tokens::{TellEnd, hash_of as token_hash};
