//! Changing one's password and revoking one's own tokens.

use std::net::IpAddr;

use super::{Accounts, AccountsError, DeviceToken, Origin};
use crate::accounts::password::Verdict;
use crate::accounts::rules::{self, SignUpRefusal};
use crate::accounts::tokens::hash_of;
use crate::kernel::UserId;
use crate::limits::{Attempt, Counted};
use crate::model::accounts::{LoginOutcome, TokenHash, User, Viewer};
use crate::store;

/// Why a password was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordRefusal {
    /// The current password is another one.
    InvalidCredentials,
    /// The new password is too long.
    PasswordTooLong,
    /// The new password is too short.
    PasswordTooShort,
}

impl PasswordRefusal {
    /// A sentence for the person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::InvalidCredentials => "The current password is wrong.",
            Self::PasswordTooLong => SignUpRefusal::PasswordTooLong.message(),
            Self::PasswordTooShort => SignUpRefusal::PasswordTooShort.message(),
        }
    }

    fn of(password: &str) -> Option<Self> {
        rules::password(password).map(|refusal| match refusal {
            SignUpRefusal::PasswordTooLong => Self::PasswordTooLong,
            _ => Self::PasswordTooShort,
        })
    }
}

/// A password that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChanged {
    /// Whose.
    pub user: User,
    /// What the device is known by from now on: the new password ended what it was known by before.
    pub device: DeviceToken,
}

impl Accounts {
    /// Changes the user's own password and ends all sign-ins but the one with `token`. Attempts count like those to sign in.
    /// `Ok(None)`: there is no such user any more.
    pub async fn change_password(
        &self,
        viewer: Viewer,
        token: &str,
        (current, new): (&str, &str),
        origin: Origin<'_>,
    ) -> Result<Option<Result<PasswordChanged, PasswordRefusal>>, AccountsError> {
        self.count_attempt(origin.address)?;
        let Some(user) = self.user(viewer.id).await? else { return Ok(None) };
        if let Some(refusal) = PasswordRefusal::of(new) {
            return Ok(Some(Err(refusal)));
        }
        let begun = self.begin_guess(&user.username, origin).await?;
        let result = self.try_change(&user, token, current, new).await;
        if !matches!(result, Ok(Err(PasswordRefusal::InvalidCredentials))) {
            self.0.limits.take_back(begun);
        }
        let outcome = match &result {
            Ok(Ok(_)) => LoginOutcome::PasswordChanged,
            Ok(Err(_)) => LoginOutcome::InvalidCredentials,
            Err(_) => LoginOutcome::Unavailable,
        };
        self.record(Some(user.id), &user.username, origin.address, outcome);
        result.map(Some)
    }

    /// Ends all sign-ins of the user, and says how many there were. `Ok(None)`: there is no such user any more.
    pub async fn sign_out_everywhere(
        &self,
        user: UserId,
        address: IpAddr,
    ) -> Result<Option<(User, usize)>, AccountsError> {
        self.count_attempt(address)?;
        let Some(user) = self.user(user).await? else { return Ok(None) };
        let id = user.id;
        let ended = store::write!(&self.0.db, |conn| sql::accounts::delete_tokens_of(conn, id, None).await)?;
        self.ended(&ended).await;
        self.record(Some(id), &user.username, address, LoginOutcome::SignedOutEverywhere);
        Ok(Some((user, ended.len())))
    }

    pub(super) async fn begin_guess(&self, username: &str, origin: Origin<'_>) -> Result<Counted, AccountsError> {
        let device = self.known_device(username, origin.device).await?;
        self.0.limits.begin(username, origin.address, device).map_err(|retry_after| self.throttled(retry_after))
    }

    /// `known`: on a device on which this account signed in before.
    pub(super) fn begin_code(&self, username: &str, known: bool) -> Result<Attempt, AccountsError> {
        self.0.limits.begin_code(username, known).map_err(|retry_after| self.throttled(retry_after))
    }

    async fn try_change(
        &self,
        user: &User,
        token: &str,
        current: &str,
        new: &str,
    ) -> Result<Result<PasswordChanged, PasswordRefusal>, AccountsError> {
        let stored = self.find(&user.username).await?.map(|(_, hash)| hash);
        let verdict = self.0.hasher.verify(current, stored.as_deref()).await?;
        let (Some(old_hash), Verdict::Right { .. }) = (stored, verdict) else {
            return Ok(Err(PasswordRefusal::InvalidCredentials));
        };
        let new_hash = self.0.hasher.hash(new).await?;
        let (id, kept) = (user.id, hash_of(token));
        let device = DeviceToken::issue(&self.0.rng, id, &new_hash);
        let ended = store::write!(&self.0.db, |conn| {
            // Whoever signs in with the old password at this moment changes the same row: before this, and the sign-in is
            // among those that end here, or after it, and the old password is wrong.
            if !sql::accounts::replace_hash(conn, id, &old_hash, &new_hash).await? {
                return Ok(None);
            }
            sql::accounts::delete_tokens_of(conn, id, kept).await.map(Some)
        })?;
        let Some(ended) = ended else { return Ok(Err(PasswordRefusal::InvalidCredentials)) };
        self.ended(&ended).await;
        Ok(Ok(PasswordChanged { user: user.clone(), device }))
    }

    /// Tells this node, the other nodes, and what nodes share of tokens that these have ended.
    pub(super) async fn ended(&self, tokens: &[TokenHash]) {
        for token in tokens {
            self.0.tokens.heard(*token);
            self.0.sign_outs.announce(*token);
        }
        if let [only] = tokens {
            self.0.tokens.mark_ended(*only).await;
        }
    }
}
