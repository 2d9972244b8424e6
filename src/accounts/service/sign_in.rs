//! Signing in: the password, and the second factor of staff.

use super::second_factor::Answer;
use super::{Accounts, AccountsError, DeviceToken, Origin, SignedIn};
use crate::accounts::password::Verdict;
use crate::accounts::rules;
use crate::config::SecondFactor;
use crate::kernel::UserId;
use crate::model::accounts::{LoginOutcome, Proof, User, Viewer};
use crate::store;

/// What somebody signs in with.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The name.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// A code of the authenticator app, or a recovery code.
    pub code: Option<&'a str>,
}

/// Why nobody was signed in. It does not tell an unknown name from a wrong password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInRefusal {
    /// There is no such user, or it has another password.
    InvalidCredentials,
    /// The password is right, and a code is needed too.
    SecondFactorRequired,
    /// The password is right; the code is wrong, or was used before.
    SecondFactorInvalid,
}

impl SignInRefusal {
    /// A sentence for the person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::InvalidCredentials => "The username or the password is wrong.",
            Self::SecondFactorRequired => "Please enter the code of your authenticator app, or a recovery code.",
            Self::SecondFactorInvalid => "The code is wrong, or was already used. Please wait for the next one.",
        }
    }

    /// What the login log says.
    const fn outcome(self) -> LoginOutcome {
        match self {
            Self::InvalidCredentials => LoginOutcome::InvalidCredentials,
            Self::SecondFactorRequired => LoginOutcome::SecondFactorRequired,
            Self::SecondFactorInvalid => LoginOutcome::SecondFactorInvalid,
        }
    }
}

/// Why a sign-in stored no token.
enum NotSignedIn {
    /// For good.
    Refused(SignInRefusal),
    /// The stored hash or the role changed between the check and the commit: a new password, or a new hash of the same one.
    Changed,
}

/// How often a sign-in looks at the stored hash, should it change meanwhile: a new hash of the same password replaces it once.
const SIGN_IN_TRIES: usize = 2;

/// A user whose password was right.
struct Verified {
    user: User,
    old_hash: String,
    new_hash: String,
}

impl Accounts {
    /// Signs in with a password alone.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        origin: impl Into<Origin<'_>>,
    ) -> Result<Result<SignedIn, SignInRefusal>, AccountsError> {
        self.sign_in_with(Credentials { username, password, code: None }, origin).await
    }

    /// Signs in with a new token. An unknown name and a wrong password get the same answer after the same work. A wrong code counts like a
    /// wrong password, and has a limit of its own.
    pub async fn sign_in_with(
        &self,
        credentials: Credentials<'_>,
        origin: impl Into<Origin<'_>>,
    ) -> Result<Result<SignedIn, SignInRefusal>, AccountsError> {
        let origin = origin.into();
        let (username, address) = (credentials.username, origin.address);
        self.count_attempt(address)?;
        let device = self.known_device(username, origin.device).await?;
        let begun = self.0.limits.begin(&username.to_ascii_lowercase(), address, device);
        let begun = begun.map_err(|retry_after| self.throttled(retry_after))?;
        let mut tried = None;
        let result = self.try_sign_in(credentials, device.is_some(), &mut tried).await;
        let wrong = [SignInRefusal::InvalidCredentials, SignInRefusal::SecondFactorInvalid];
        if !matches!(result, Ok(Err(refusal)) if wrong.contains(&refusal)) {
            self.0.limits.take_back(begun);
        }
        let outcome = match &result {
            Ok(Ok(_)) => LoginOutcome::SignedIn,
            Ok(Err(refusal)) => refusal.outcome(),
            // After the password nothing but codes is counted.
            Err(AccountsError::Throttled { .. }) => LoginOutcome::SecondFactorInvalid,
            Err(_) => LoginOutcome::Unavailable,
        };
        self.record(tried, username, address, outcome);
        result
    }

    /// `known`: on a device on which this account signed in before. `tried` is set to the user of that name, whatever comes of it.
    async fn try_sign_in(
        &self,
        credentials: Credentials<'_>,
        known: bool,
        tried: &mut Option<UserId>,
    ) -> Result<Result<SignedIn, SignInRefusal>, AccountsError> {
        let code = credentials.code.map(str::trim).filter(|code| !code.is_empty());
        for _ in 0..SIGN_IN_TRIES {
            let Some(verified) = self.verify(credentials, tried).await? else { break };
            // Codes are counted only after a correct password. Otherwise anybody could lock the owner out.
            let begun = code.map(|_| self.begin_code(&verified.user.username, known)).transpose()?;
            let stored = self.store_sign_in(verified, code).await;
            let wrong = matches!(stored, Ok(Err(NotSignedIn::Refused(SignInRefusal::SecondFactorInvalid))));
            if let Some(begun) = begun
                && !wrong
            {
                self.0.limits.take_back_code(begun);
            }
            match stored? {
                Ok(signed_in) => return Ok(Ok(signed_in)),
                Err(NotSignedIn::Refused(refusal)) => return Ok(Err(refusal)),
                Err(NotSignedIn::Changed) => {}
            }
        }
        Ok(Err(SignInRefusal::InvalidCredentials))
    }

    /// The user, if the password is right.
    async fn verify(
        &self,
        credentials: Credentials<'_>,
        tried: &mut Option<UserId>,
    ) -> Result<Option<Verified>, AccountsError> {
        let found = match rules::username(credentials.username) {
            Some(name) => self.find(&name).await?,
            None => None,
        };
        *tried = found.as_ref().map(|(user, _)| user.id);
        let stored = found.as_ref().map(|(_, hash)| hash.as_str());
        let verdict = self.0.hasher.verify(credentials.password, stored).await?;
        let (Some((user, old_hash)), Verdict::Right { rehash }) = (found, verdict) else { return Ok(None) };
        let new_hash = rehash.unwrap_or_else(|| old_hash.clone());
        Ok(Some(Verified { user, old_hash, new_hash }))
    }

    /// Uses up the code, if there has to be one, and stores a token.
    async fn store_sign_in(
        &self,
        verified: Verified,
        code: Option<&str>,
    ) -> Result<Result<SignedIn, NotSignedIn>, AccountsError> {
        let Verified { user, old_hash, new_hash } = verified;
        let (id, role) = (user.id, user.role);
        let proof = match self.factor_asked_of(&user).await? {
            None => None,
            Some(factor) => {
                let Some(code) = code else {
                    return Ok(Err(NotSignedIn::Refused(SignInRefusal::SecondFactorRequired)));
                };
                let Some(answer) = self.answer(id, &factor, code)? else {
                    return Ok(Err(NotSignedIn::Refused(SignInRefusal::SecondFactorInvalid)));
                };
                Some(answer)
            }
        };
        let asks = role.is_staff() && self.0.second_factor != SecondFactor::Off;
        let viewer = Viewer { proof: proof.map_or(Proof::Password, |_| Proof::SecondFactor), ..Viewer::new(id, role) };
        let (access_token, token) = self.0.tokens.generate(viewer);
        let device = DeviceToken::issue(&self.0.rng, id, &new_hash);
        let (now, audit) = (self.0.clock.now(), self.audit(id, id, "second_factor.recovery_code_used"));
        let stored = store::write!(&self.0.db, |conn| {
            // Also if nothing changes: it keeps the user's row, so that no change of the password or the role comes between.
            if !sql::accounts::replace_hash(conn, id, &old_hash, &new_hash).await? {
                return Ok(Err(NotSignedIn::Changed));
            }
            let present = sql::accounts::find_user(conn, id).await?;
            let factor = sql::second_factors::find(conn, id).await?.filter(|factor| factor.confirmed_at.is_some());
            if present.is_none_or(|user| user.role != role) || (asks && factor.is_some() != proof.is_some()) {
                return Ok(Err(NotSignedIn::Changed));
            }
            let accepted = match proof {
                None => true,
                Some(Answer::Step(step)) => sql::second_factors::use_step(conn, id, step).await?,
                Some(Answer::Recovery(hash)) => sql::second_factors::use_recovery_code(conn, id, &hash, now).await?,
            };
            if !accepted {
                return Ok(Err(NotSignedIn::Refused(SignInRefusal::SecondFactorInvalid)));
            }
            if matches!(proof, Some(Answer::Recovery(_))) {
                sql::catalog::write_down(conn, &audit).await?;
            }
            sql::accounts::insert_token(conn, &token.hash, &token.stored()).await?;
            Ok(Ok(()))
        })?;
        if let Err(refused) = stored {
            return Ok(Err(refused));
        }
        self.0.tokens.remember(&token);
        Ok(Ok(SignedIn { user, access_token, device }))
    }
}
