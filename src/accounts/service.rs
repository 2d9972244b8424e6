//! Signing up, in and out.

mod limits;
mod lists;
mod own;
mod second_factor;
mod sign_in;
mod staff;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use own::{PasswordChanged, PasswordRefusal};
pub use second_factor::{Begun, Confirmed, FactorRefusal, FactorState};
pub use sign_in::{Credentials, SignInRefusal};
pub use staff::{RoleChange, StaffRefusal};

use prometheus_client::registry::Registry;

use super::device::{self, DeviceToken};
use super::messages::LoginLog;
use super::metrics::Metrics;
use super::password::{HashError, Hasher};
use super::rules::{self, SignUpRefusal};
use super::shared::{Shared, SharedTokens};
use super::sign_outs::SignOuts;
use super::tokens::{NewToken, TellEnd, Tokens};
use super::vault::{Vault, VaultError};
use crate::broker::Broker;
use crate::config;
use crate::kernel::{Clock, LoginEventId, Rng, Timestamp, UserId};
use crate::limits::SignIns;
use crate::model::accounts::{AccessToken, LoginEvent, LoginOutcome, Role, User, Viewer};
use crate::store::{self, Database, StoreError};

/// When to come again after too many passwords waited to be hashed.
const BUSY_RETRY: Duration = Duration::from_secs(2);

/// Why there is no answer now. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccountsError {
    /// Too many attempts from this address or for this account.
    #[error("too many attempts")]
    Throttled {
        /// When the next one will be let through.
        retry_after: Duration,
    },
    /// Too many attempts in the whole node: they wait for the processor.
    #[error("too many sign-ins at once")]
    Busy {
        /// When to come again.
        retry_after: Duration,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Passwords can't be hashed: wrong parameters, or no memory.
    #[error("{0}")]
    Hashing(String),
    /// A second factor can't be read.
    #[error(transparent)]
    SecondFactor(#[from] VaultError),
}

impl From<HashError> for AccountsError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => Self::Busy { retry_after: BUSY_RETRY },
            HashError::Failed(reason) => Self::Hashing(reason),
        }
    }
}

/// Where an attempt comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The address.
    pub address: IpAddr,
    /// The proof that the device got at an earlier sign-in.
    pub device: Option<&'a str>,
}

impl From<IpAddr> for Origin<'_> {
    /// A device that nobody knows.
    fn from(address: IpAddr) -> Self {
        Self { address, device: None }
    }
}

/// Somebody who signed in or up just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The new access token.
    pub access_token: AccessToken,
    /// The device's proof for the next sign-in.
    pub device: DeviceToken,
}

/// The accounts of the shop. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    db: Database,
    clock: Clock,
    rng: Rng,
    hasher: Hasher,
    tokens: Tokens,
    limits: SignIns,
    log: LoginLog,
    sign_outs: SignOuts,
    metrics: Metrics,
    vault: Vault,
    second_factor: config::SecondFactor,
    sign_up_open: bool,
}

/// A sign-up whose parts are all in order.
struct Application {
    username: String,
    display_name: String,
    password_hash: String,
}

impl Accounts {
    /// Starts the service and its background tasks on the current runtime. Fails when argon2id refuses the parameters.
    pub fn new(
        db: Database,
        broker: Arc<dyn Broker>,
        shared: Option<Arc<dyn SharedTokens>>,
        clock: Clock,
        rng: Rng,
        config: &config::Accounts,
    ) -> Result<Self, AccountsError> {
        let metrics = Metrics::default();
        let shared = Shared::start(shared, clock.clone(), rng.clone(), config, metrics.clone());
        Ok(Self(Arc::new(Inner {
            hasher: Hasher::new(config, rng.clone())?,
            tokens: Tokens::new(&db, shared, clock.clone(), rng.clone(), config, metrics.clone()),
            limits: SignIns::new(config),
            log: LoginLog::new(broker.clone(), config, metrics.clone()),
            sign_outs: SignOuts::new(broker, config, metrics.clone()),
            vault: Vault::new(config),
            second_factor: config.second_factor,
            sign_up_open: config.sign_up_open,
            metrics,
            db,
            clock,
            rng,
        })))
    }

    /// Creates a buyer and signs them in. Everything that is wrong is reported at once.
    pub async fn sign_up(
        &self,
        username: &str,
        password: &str,
        display_name: &str,
        address: IpAddr,
    ) -> Result<Result<SignedIn, Vec<SignUpRefusal>>, AccountsError> {
        self.count_attempt(address)?;
        let result = self.try_sign_up(username, password, display_name).await;
        let (user, outcome) = match &result {
            Ok(Ok(signed_in)) => (Some(signed_in.user.id), LoginOutcome::SignedUp),
            Ok(Err(_)) => (None, LoginOutcome::SignUpRefused),
            Err(_) => (None, LoginOutcome::Unavailable),
        };
        self.record(user, username, address, outcome);
        result
    }

    /// Ends a token: on this node at once, on others as soon as they hear of it (see [`super::watch_sign_outs`]), and on one
    /// that does not hear when it asks for the token. `false` when it was none.
    pub async fn sign_out(&self, token: &str) -> Result<bool, AccountsError> {
        let ended = self.0.tokens.end(token).await?;
        if let Some(hash) = ended {
            self.0.sign_outs.announce(hash);
            self.0.tokens.mark_ended(hash).await;
        }
        Ok(ended.is_some())
    }

    /// Calls `tell` with each token that is revoked from now on, here or on another node, once it is invalid.
    pub fn when_tokens_end(&self, tell: TellEnd) {
        self.0.tokens.when_tokens_end(tell);
    }

    pub(super) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    #[cfg(test)]
    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Whose token it is; `None` when it is malformed, unknown, expired or signed out. For every request: while the node
    /// remembers the token, this is one hash and one look into memory.
    pub async fn viewer(&self, token: &str) -> Result<Option<Viewer>, AccountsError> {
        Ok(self.0.tokens.viewer(token).await?)
    }

    /// When this token expires unless it is used; `None` when it is invalid.
    pub async fn signed_in_until(&self, token: &str) -> Result<Option<Timestamp>, AccountsError> {
        Ok(self.0.tokens.expires_at(token).await?)
    }

    /// The user with this id.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, AccountsError> {
        Ok(store::read!(&self.0.db, |conn| sql::accounts::find_user(conn, id).await)?)
    }

    /// Removes expired tokens from the database, and throttling state that no longer matters; says how many tokens. A
    /// periodic job.
    pub async fn purge_expired(&self) -> Result<usize, AccountsError> {
        self.0.limits.forget_idle();
        Ok(self.0.tokens.purge_expired().await?)
    }

    /// Waits until what goes on in the background so far (login events, renewals of tokens) is done: before the process ends.
    pub async fn flush(&self) {
        self.0.tokens.flush().await;
        self.0.log.flush().await;
        self.0.sign_outs.flush().await;
    }

    /// Makes the slice's counters part of `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
    }

    async fn try_sign_up(
        &self,
        username: &str,
        password: &str,
        display_name: &str,
    ) -> Result<Result<SignedIn, Vec<SignUpRefusal>>, AccountsError> {
        if !self.0.sign_up_open {
            return Ok(Err(vec![SignUpRefusal::SignUpClosed]));
        }
        let application = match self.apply(username, password, display_name).await? {
            Ok(application) => application,
            Err(refusals) => return Ok(Err(refusals)),
        };
        let id = UserId::generate(&self.0.clock, &self.0.rng);
        let (access_token, new_token) = self.0.tokens.generate(Viewer::new(id, Role::Buyer));
        let password_hash = application.password_hash.clone();
        let Some(user) = self.insert(id, application, Role::Buyer, Some(new_token)).await? else {
            return Ok(Err(vec![SignUpRefusal::UsernameTaken]));
        };
        self.0.tokens.remember(&new_token);
        let device = DeviceToken::issue(&self.0.rng, user.id, &password_hash);
        Ok(Ok(SignedIn { user, access_token, device }))
    }

    /// Checks a sign-up against the rules and hashes its password.
    async fn apply(
        &self,
        username: &str,
        password: &str,
        display_name: &str,
    ) -> Result<Result<Application, Vec<SignUpRefusal>>, AccountsError> {
        let mut refusals = Vec::new();
        let username = rules::username(username);
        match &username {
            Some(name) if self.find(name).await?.is_some() => refusals.push(SignUpRefusal::UsernameTaken),
            Some(_) => {}
            None => refusals.push(SignUpRefusal::UsernameInvalid),
        }
        refusals.extend(rules::password(password));
        let display_name = rules::display_name(display_name);
        if display_name.is_none() {
            refusals.push(SignUpRefusal::DisplayNameInvalid);
        }
        match (username, display_name) {
            (Some(username), Some(display_name)) if refusals.is_empty() => {
                let password_hash = self.0.hasher.hash(password).await?;
                Ok(Ok(Application { username, display_name, password_hash }))
            }
            _ => Ok(Err(refusals)),
        }
    }

    /// Stores a user, with a token if there is one; `None` when somebody was faster with the name.
    async fn insert(
        &self,
        id: UserId,
        application: Application,
        role: Role,
        token: Option<NewToken>,
    ) -> Result<Option<User>, StoreError> {
        let Application { username, display_name, password_hash } = application;
        let created_at = self.0.clock.now();
        let user = User { id, username, display_name, role, created_at };
        store::write!(&self.0.db, |conn| {
            if !sql::accounts::insert_user(conn, &user, &password_hash).await? {
                return Ok(None);
            }
            if let Some(token) = token {
                sql::accounts::insert_token(conn, &token.hash, &token.stored()).await?;
            }
            Ok(Some(user))
        })
    }

    async fn find(&self, username: &str) -> Result<Option<(User, String)>, StoreError> {
        let username = username.to_owned();
        store::read!(&self.0.db, |conn| sql::accounts::find_by_username(conn, &username).await)
    }

    /// Attempts that are turned away here are counted but not logged: or a flood of them would fill the log.
    fn count_attempt(&self, address: IpAddr) -> Result<(), AccountsError> {
        self.0.limits.attempt(address).map_err(|retry_after| self.throttled(retry_after))
    }

    fn throttled(&self, retry_after: Duration) -> AccountsError {
        self.0.metrics.attempts("throttled").inc();
        AccountsError::Throttled { retry_after }
    }

    /// The device, if somebody has signed in to this account on it before. Who shows none costs no query.
    async fn known_device(&self, username: &str, shown: Option<&str>) -> Result<Option<device::Number>, StoreError> {
        let (Some(shown), Some(name)) = (shown, rules::username(username)) else { return Ok(None) };
        let found = self.find(&name).await?;
        Ok(found.and_then(|(user, hash)| device::recognise(shown, user.id, &hash)))
    }

    fn record(&self, user_id: Option<UserId>, username: &str, address: IpAddr, outcome: LoginOutcome) {
        self.0.metrics.attempts(outcome.as_str()).inc();
        self.0.log.record(LoginEvent {
            event_id: LoginEventId::generate(&self.0.clock, &self.0.rng),
            user_id,
            username: rules::username(username).unwrap_or_default(),
            address,
            outcome,
            at: self.0.clock.now(),
        });
    }
}

#[cfg(test)]
mod tests;
