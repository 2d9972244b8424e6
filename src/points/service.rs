//! Looking at accounts, and giving points.

use std::sync::Arc;

use serde_json::json;

use crate::config;
use crate::kernel::text::is_line;
use crate::kernel::{AuditId, Clock, Rng, Timestamp, TransferId, UserId};
use crate::model::audit::Audit;
use crate::model::points::{Account, Entry, EntryList, EntryPage, Grant, GrantRefusal, Transfer, TransferKind};
use crate::store::{self, Database, StoreError};

/// Longest reason of a grant, in characters.
const REASON_MAX: usize = 200;

/// The dependencies of [`Points`].
pub struct Parts {
    /// The shop's database, for the log of operators' acts.
    pub shop: Database,
    /// The database with the accounts: the shop's, or another.
    pub db: Database,
    /// Time.
    pub clock: Clock,
    /// Ids.
    pub rng: Rng,
    /// Settings.
    pub config: config::Section<config::Points>,
}

/// Loyalty points. Cheap to clone.
#[derive(Clone)]
pub struct Points(Arc<Parts>);

/// A grant that was made, now or by an earlier call with the same key.
#[derive(Debug, Clone)]
pub struct Granted {
    /// To whom.
    pub user: UserId,
    /// The line in the account.
    pub entry: Entry,
    /// The account as it now is.
    pub account: Account,
}

impl Points {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The database with the accounts.
    pub fn db(&self) -> &Database {
        &self.0.db
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) fn transfer_id(&self) -> TransferId {
        TransferId::generate(&self.0.clock, &self.0.rng)
    }

    /// The initial balance of a new account.
    pub(crate) fn welcome(&self, user: UserId) -> Transfer {
        Transfer {
            id: self.transfer_id(),
            kind: TransferKind::Welcome,
            user,
            points: self.0.config.now().welcome,
            reference: Some(format!("welcome/{user}")),
            branch: None,
            operator: None,
            reason: None,
            subject: None,
            at: self.now(),
        }
    }

    /// Opens the account with the points that everybody gets, once. For sign-up; a user without an account gets it on the first read.
    pub async fn open(&self, user: UserId) -> Result<(), StoreError> {
        let welcome = self.welcome(user);
        store::write!(&self.0.db, |conn| sql::points::open_account(conn, &welcome).await)?;
        Ok(())
    }

    /// A user's account.
    pub async fn account(&self, user: UserId) -> Result<Account, StoreError> {
        if let Some(account) = self.find(user).await? {
            return Ok(account);
        }
        self.open(user).await?;
        self.find(user).await?.ok_or_else(|| StoreError::internal(format!("the points account of {user} is missing")))
    }

    async fn find(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        store::read!(&self.0.db, |conn| sql::points::find_account(conn, user).await)
    }

    /// A page of a user's entries, newest first.
    pub async fn entries(&self, user: UserId, page: EntryPage) -> Result<EntryList, StoreError> {
        store::read!(&self.0.db, |conn| sql::points::entries(conn, user, page).await)
    }

    /// A user's own entry.
    pub async fn entry(&self, user: UserId, transfer: TransferId) -> Result<Option<Entry>, StoreError> {
        store::read!(&self.0.db, |conn| sql::points::find_entry(conn, user, transfer).await)
    }

    /// The user of this name, whatever its case.
    pub async fn user_named(&self, username: &str) -> Result<Option<UserId>, StoreError> {
        let username = username.trim().to_ascii_lowercase();
        let found = store::read!(&self.0.shop, |conn| sql::accounts::find_by_username(conn, &username).await)?;
        Ok(found.map(|(user, _)| user.id))
    }

    /// Gives points to a user, once per operator and key: a repeated call gets the same answer. The log of operators' acts, which may be in
    /// another database, is written first, so that nothing is given that is not in it.
    pub async fn grant(
        &self,
        operator: UserId,
        grant: Grant,
    ) -> Result<Result<Granted, Vec<GrantRefusal>>, StoreError> {
        let refusals = self.check(&grant);
        let Some(user) = grant.user.filter(|_| refusals.is_empty()) else { return Ok(Err(refusals)) };
        let reference = format!("grant/{operator}/{}", grant.key);
        if let Some(before) = self.granted(&reference).await? {
            return self.repeat(&grant, user, before).await;
        }
        let account = self.account(user).await?;
        if account.posted + grant.points > self.0.config.now().balance_max {
            return Ok(Err(vec![GrantRefusal::BalanceTooLarge]));
        }
        self.record(operator, user, &grant, &reference).await?;
        let transfer = Transfer {
            kind: TransferKind::Grant,
            points: grant.points,
            reference: Some(reference.clone()),
            operator: Some(operator),
            reason: Some(grant.reason.trim().to_owned()),
            ..self.welcome(user)
        };
        let max = self.0.config.now().balance_max;
        let posted = store::write!(&self.0.db, |conn| sql::points::grant(conn, &transfer, max).await);
        match posted {
            Ok(true) => {}
            Ok(false) => return Ok(Err(vec![GrantRefusal::BalanceTooLarge])),
            // Somebody was faster with the key.
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
        match self.granted(&reference).await? {
            Some(before) => self.repeat(&grant, user, before).await,
            None => Err(StoreError::internal("a grant is missing")),
        }
    }

    async fn granted(&self, reference: &str) -> Result<Option<(UserId, Entry)>, StoreError> {
        let reference = reference.to_owned();
        store::read!(&self.0.db, |conn| sql::points::find_by_reference(conn, &reference).await)
    }

    async fn repeat(
        &self,
        grant: &Grant,
        user: UserId,
        (before, entry): (UserId, Entry),
    ) -> Result<Result<Granted, Vec<GrantRefusal>>, StoreError> {
        let same =
            before == user && entry.points == grant.points && entry.reason.as_deref() == Some(grant.reason.trim());
        if !same {
            return Ok(Err(vec![GrantRefusal::IdempotencyKeyReused]));
        }
        Ok(Ok(Granted { user, entry, account: self.account(user).await? }))
    }

    /// Everything that is wrong with it.
    fn check(&self, grant: &Grant) -> Vec<GrantRefusal> {
        let reason = grant.reason.trim();
        let key = grant.key.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        [
            (grant.user.is_some(), GrantRefusal::UserNotFound),
            ((1..=self.0.config.now().grant_max).contains(&grant.points), GrantRefusal::PointsInvalid),
            (is_line(reason, REASON_MAX), GrantRefusal::ReasonInvalid),
            ((8..=64).contains(&key.len()) && key.iter().all(plain), GrantRefusal::IdempotencyKeyInvalid),
        ]
        .into_iter()
        .filter_map(|(holds, refusal)| (!holds).then_some(refusal))
        .collect()
    }

    /// The row of the act; the same for a repeated call, which so leaves one.
    async fn record(&self, operator: UserId, user: UserId, grant: &Grant, reference: &str) -> Result<(), StoreError> {
        use sha2::Digest as _;
        let mut id = [0; 16];
        id.copy_from_slice(&sha2::Sha256::digest(reference.as_bytes())[..16]);
        let audit = Audit {
            id: AuditId::from_bytes(id),
            operator,
            act: "points.grant",
            subject: user.to_string(),
            detail: json!({ "points": grant.points, "reason": grant.reason.trim(), "idempotencyKey": grant.key }),
            at: self.now(),
        };
        store::write!(&self.0.shop, |conn| sql::catalog::write_down(conn, &audit).await)
    }
}
