//! Accounts: users, roles, passwords, access tokens and the login log.

mod batcher;
mod device;
mod follow_sign_outs;
mod guesses;
mod look_ups;
pub mod messages;
mod metrics;
mod password;
mod recovery;
mod rules;
mod service;
pub mod shared;
mod sign_outs;
pub mod throttle;
mod tokens;
mod totp;
mod vault;

#[cfg(test)]
pub(crate) mod testing;

pub use crate::model::accounts::{AccessToken, LoginEvent, LoginOutcome, Role, SignInAttempt, TokenHash, User, Viewer};
pub use device::DeviceToken;
pub use follow_sign_outs::{say_so, watch_sign_outs};
pub use rules::SignUpRefusal;
pub use service::{
    Accounts, AccountsError, Begun, Confirmed, Credentials, FactorRefusal, FactorState, Origin, PasswordChanged,
    PasswordRefusal, RoleChange, SignInRefusal, SignedIn, StaffRefusal,
};
pub use shared::{Found, Kept, Life, Live, SharedError, SharedTokens};
pub use tokens::{TellEnd, hash_of as token_hash};
