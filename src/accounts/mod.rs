//! Accounts: users, roles, passwords, access tokens and the login log.

mod batcher;
mod device;
mod look_ups;
pub mod messages;
mod metrics;
pub mod model;
mod password;
mod rules;
mod service;
pub mod shared;
mod sign_outs;
pub mod throttle;
mod tokens;

#[cfg(test)]
pub(crate) mod testing;

pub use device::DeviceToken;
pub use messages::{LoginEvent, LoginOutcome};
pub use model::{AccessToken, Role, SignInAttempt, User, Viewer};
pub use rules::SignUpRefusal;
pub use service::{Accounts, AccountsError, Origin, PasswordChanged, PasswordRefusal, SignInRefusal, SignedIn};
pub use shared::{Found, Kept, Life, Live, SharedError, SharedTokens};
pub use sign_outs::{say_so, watch_sign_outs};
pub use tokens::{TellEnd, TokenHash, hash_of as token_hash};
