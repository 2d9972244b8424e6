//! The second factor of staff: setting it up, switching it off, recovery codes.

use super::{Accounts, AccountsError, DeviceToken, Origin, SignedIn};
use crate::accounts::password::Verdict;
use crate::accounts::recovery::{self, CodeHash};
use crate::accounts::totp;
use crate::config::SecondFactor;
use crate::kernel::{AuditId, Timestamp, UserId};
use crate::limits::{Attempt, Counted};
use crate::model::accounts::{LoginOutcome, Proof, StoredFactor, TokenHash, User, Viewer};
use crate::model::audit::Audit;
use crate::model::upgrade::Feature;
use crate::store;

/// What somebody gave as the second factor.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// The code of this time step.
    Step(i64),
    /// A recovery code.
    Recovery(CodeHash),
}

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorRefusal {
    /// The shop asks nobody for a second factor.
    SwitchedOff,
    /// Nodes of the previous version may run, which let staff in without it.
    NotFinalised,
    /// The password is another one.
    InvalidCredentials,
    /// There is a second factor already.
    AlreadyEnabled,
    /// There is none, or none was begun.
    NotEnabled,
    /// The code is wrong, or was used before.
    CodeInvalid,
}

impl FactorRefusal {
    /// A sentence for the person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::SwitchedOff => "This shop does not use second factors.",
            Self::NotFinalised => {
                "The previous version does not ask for second factors. Finalise the upgrade first: doorbuster upgrade finalise"
            }
            Self::InvalidCredentials => "The password is wrong.",
            Self::AlreadyEnabled => "Your second factor is already set up. Switch it off first.",
            Self::NotEnabled => "You have no second factor. Begin to set one up first.",
            Self::CodeInvalid => "The code is wrong, or was already used. Please wait for the next one.",
        }
    }
}

/// A second factor that was begun. It is shown once, and in force once confirmed.
#[derive(Clone, PartialEq, Eq)]
pub struct Begun {
    /// The secret in base32, for typing.
    pub secret: String,
    /// The same for authenticator apps.
    pub url: String,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Begun(***)")
    }
}

/// A second factor that is in force now.
#[derive(Debug)]
pub struct Confirmed {
    /// The new session: all earlier ones have ended.
    pub signed_in: SignedIn,
    /// Recovery codes, shown once.
    pub recovery_codes: Vec<String>,
}

/// Where somebody stands with the second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorState {
    /// Since when it is in force.
    pub enabled_at: Option<Timestamp>,
    /// Recovery codes that were not used yet.
    pub recovery_codes_left: usize,
    /// What the shop asks for.
    pub policy: SecondFactor,
}

/// Somebody who is signed in, gave the right password, and a code that may be right: whether it was used before, the database knows.
struct Checked {
    user: User,
    password_hash: String,
    answer: Answer,
    begun: (Counted, Attempt),
}

type Outcome<T> = Result<Option<Result<T, FactorRefusal>>, AccountsError>;

impl Accounts {
    /// The second factor that this user has to show, if any.
    pub(super) async fn factor_asked_of(&self, user: &User) -> Result<Option<StoredFactor>, AccountsError> {
        if self.0.second_factor == SecondFactor::Off || !user.role.is_staff() {
            return Ok(None);
        }
        Ok(self.stored_factor(user.id).await?.filter(|factor| factor.confirmed_at.is_some()))
    }

    /// What a text answers; `None` when it is certainly wrong. Whether it was used before, only the database knows.
    pub(super) fn answer(
        &self,
        user: UserId,
        factor: &StoredFactor,
        text: &str,
    ) -> Result<Option<Answer>, AccountsError> {
        let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if !totp::is_code(&plain) {
            return Ok(recovery::hash(user, text).map(Answer::Recovery));
        }
        let secret = self.0.vault.open(user, &factor.secret)?;
        let step = totp::matching(&secret, &plain, self.0.clock.now());
        Ok(step.filter(|step| *step > factor.last_step).map(Answer::Step))
    }

    /// An entry of the audit log about somebody of the staff.
    pub(super) fn audit(&self, by: UserId, subject: UserId, act: &'static str) -> Audit {
        Audit {
            id: AuditId::generate(&self.0.clock, &self.0.rng),
            operator: by,
            act,
            subject: subject.to_string(),
            detail: serde_json::json!({}),
            at: self.0.clock.now(),
        }
    }

    /// Where this user stands with the second factor; `None` for buyers, who are never asked for one.
    pub async fn factor_state(&self, viewer: Viewer) -> Result<Option<FactorState>, AccountsError> {
        if !viewer.role.is_staff() {
            return Ok(None);
        }
        let id = viewer.id;
        let (factor, left) = store::read!(&self.0.db, |conn| {
            let factor = sql::second_factors::find(conn, id).await?;
            Ok((factor, sql::second_factors::recovery_codes_left(conn, id).await?))
        })?;
        let enabled_at = factor.and_then(|factor| factor.confirmed_at);
        Ok(Some(FactorState { enabled_at, recovery_codes_left: left, policy: self.0.second_factor }))
    }

    /// Begins to set up a second factor. `issuer`: the shop's name. `Ok(None)`: there is no such user any more.
    pub async fn begin_second_factor(
        &self,
        viewer: Viewer,
        password: &str,
        issuer: &str,
        origin: Origin<'_>,
    ) -> Outcome<Begun> {
        let user = match self.check_password(viewer, password, origin).await? {
            Some(Ok((user, _))) => user,
            Some(Err(refusal)) => return Ok(Some(Err(refusal))),
            None => return Ok(None),
        };
        if self.0.second_factor == SecondFactor::Off {
            return Ok(Some(Err(FactorRefusal::SwitchedOff)));
        }
        let secret = self.0.rng.bytes::<{ totp::SECRET_BYTES }>();
        let sealed = self.0.vault.seal(&self.0.rng, user.id, &secret)?;
        let (id, now) = (user.id, self.0.clock.now());
        let refusal = store::write!(&self.0.db, |conn| {
            if !sql::upgrade::allows(conn, Feature::SecondFactors).await? {
                return Ok(Some(FactorRefusal::NotFinalised));
            }
            let begun = sql::second_factors::begin(conn, id, &sealed, now).await?;
            Ok((!begun).then_some(FactorRefusal::AlreadyEnabled))
        })?;
        if let Some(refusal) = refusal {
            return Ok(Some(Err(refusal)));
        }
        let url = totp::url(issuer, &user.username, &secret);
        Ok(Some(Ok(Begun { secret: totp::text(&secret), url })))
    }

    /// Puts the second factor in force with a first code, and ends all sessions of the user but a new one.
    pub async fn confirm_second_factor(&self, viewer: Viewer, code: &str, origin: Origin<'_>) -> Outcome<Confirmed> {
        self.count_attempt(origin.address)?;
        let Some((user, password_hash)) = self.with_hash(viewer.id).await? else { return Ok(None) };
        let begun = self.stored_factor(user.id).await?.filter(|factor| factor.confirmed_at.is_none());
        let Some(begun) = begun else { return Ok(Some(Err(FactorRefusal::NotEnabled))) };
        let Some(Answer::Step(step)) = self.answer(user.id, &begun, code)? else {
            return Ok(Some(Err(FactorRefusal::CodeInvalid)));
        };
        let (codes, hashes) = self.new_recovery_codes(user.id);
        let (access_token, token) =
            self.0.tokens.generate(Viewer { id: user.id, role: user.role, proof: Proof::SecondFactor });
        let (id, now, audit) = (user.id, self.0.clock.now(), self.audit(user.id, user.id, "second_factor.enable"));
        let ended = store::write!(&self.0.db, |conn| {
            if !sql::second_factors::confirm(conn, id, &begun.secret, step, now).await? {
                return Ok(None);
            }
            sql::second_factors::replace_recovery_codes(conn, id, &hashes).await?;
            sql::catalog::write_down(conn, &audit).await?;
            let ended = sql::accounts::delete_tokens_of(conn, id, None).await?;
            sql::accounts::insert_token(conn, &token.hash, &token.stored()).await?;
            Ok(Some(ended))
        })?;
        let Some(ended) = ended else { return Ok(Some(Err(FactorRefusal::NotEnabled))) };
        self.ended(&ended).await;
        self.0.tokens.remember(&token);
        let device = DeviceToken::issue(&self.0.rng, id, &password_hash);
        Ok(Some(Ok(Confirmed { signed_in: SignedIn { user, access_token, device }, recovery_codes: codes })))
    }

    /// Switches the second factor off, and ends all sessions of the user but a new one.
    pub async fn disable_second_factor(
        &self,
        viewer: Viewer,
        (password, code): (&str, &str),
        origin: Origin<'_>,
    ) -> Outcome<SignedIn> {
        let checked = match self.check_both(viewer, password, code, origin).await? {
            Some(Ok(checked)) => checked,
            Some(Err(refusal)) => return Ok(Some(Err(refusal))),
            None => return Ok(None),
        };
        let Checked { user, password_hash, answer, begun } = checked;
        let (access_token, token) = self.0.tokens.generate(Viewer::new(user.id, user.role));
        let (id, now, audit) = (user.id, self.0.clock.now(), self.audit(user.id, user.id, "second_factor.disable"));
        let ended: Option<Vec<TokenHash>> = store::write!(&self.0.db, |conn| {
            let accepted = match answer {
                Answer::Step(step) => sql::second_factors::use_step(conn, id, step).await?,
                Answer::Recovery(hash) => sql::second_factors::use_recovery_code(conn, id, &hash, now).await?,
            };
            if !accepted {
                return Ok(None);
            }
            sql::second_factors::remove(conn, id).await?;
            sql::catalog::write_down(conn, &audit).await?;
            let ended = sql::accounts::delete_tokens_of(conn, id, None).await?;
            sql::accounts::insert_token(conn, &token.hash, &token.stored()).await?;
            Ok(Some(ended))
        })
        .inspect_err(|_| self.take_back_both(begun))?;
        let Some(ended) = ended else { return Ok(Some(Err(self.wrong_code(&user, origin)))) };
        self.take_back_both(begun);
        self.ended(&ended).await;
        self.0.tokens.remember(&token);
        let device = DeviceToken::issue(&self.0.rng, id, &password_hash);
        Ok(Some(Ok(SignedIn { user, access_token, device })))
    }

    /// Makes new recovery codes in the place of all that there were.
    pub async fn renew_recovery_codes(
        &self,
        viewer: Viewer,
        (password, code): (&str, &str),
        origin: Origin<'_>,
    ) -> Outcome<Vec<String>> {
        let checked = match self.check_both(viewer, password, code, origin).await? {
            Some(Ok(checked)) => checked,
            Some(Err(refusal)) => return Ok(Some(Err(refusal))),
            None => return Ok(None),
        };
        let Checked { user, answer, begun, .. } = checked;
        let (codes, hashes) = self.new_recovery_codes(user.id);
        let (id, now) = (user.id, self.0.clock.now());
        let audit = self.audit(id, id, "second_factor.recovery_codes");
        let accepted = store::write!(&self.0.db, |conn| {
            let accepted = match answer {
                Answer::Step(step) => sql::second_factors::use_step(conn, id, step).await?,
                Answer::Recovery(hash) => sql::second_factors::use_recovery_code(conn, id, &hash, now).await?,
            };
            if accepted {
                sql::second_factors::replace_recovery_codes(conn, id, &hashes).await?;
                sql::catalog::write_down(conn, &audit).await?;
            }
            Ok(accepted)
        })
        .inspect_err(|_| self.take_back_both(begun))?;
        if !accepted {
            return Ok(Some(Err(self.wrong_code(&user, origin))));
        }
        self.take_back_both(begun);
        Ok(Some(Ok(codes)))
    }

    fn new_recovery_codes(&self, user: UserId) -> (Vec<String>, Vec<CodeHash>) {
        let codes = recovery::generate(&self.0.rng);
        let hashes = codes.iter().filter_map(|code| recovery::hash(user, code)).collect();
        (codes, hashes)
    }

    async fn stored_factor(&self, user: UserId) -> Result<Option<StoredFactor>, AccountsError> {
        Ok(store::read!(&self.0.db, |conn| sql::second_factors::find(conn, user).await)?)
    }

    /// The user and the hash of the password.
    async fn with_hash(&self, user: UserId) -> Result<Option<(User, String)>, AccountsError> {
        match self.user(user).await? {
            Some(user) => Ok(self.find(&user.username).await?),
            None => Ok(None),
        }
    }

    /// Checks the password of who is signed in. Wrong ones count like those of sign-ins.
    async fn check_password(&self, viewer: Viewer, password: &str, origin: Origin<'_>) -> Outcome<(User, String)> {
        self.count_attempt(origin.address)?;
        let Some((user, hash)) = self.with_hash(viewer.id).await? else { return Ok(None) };
        let begun = self.begin_guess(&user.username, origin).await?;
        let verdict = self.0.hasher.verify(password, Some(&hash)).await;
        if matches!(verdict, Ok(Verdict::Wrong)) {
            self.record(Some(user.id), &user.username, origin.address, LoginOutcome::InvalidCredentials);
            return Ok(Some(Err(FactorRefusal::InvalidCredentials)));
        }
        self.0.limits.take_back(begun);
        verdict?;
        Ok(Some(Ok((user, hash))))
    }

    /// Checks the password and the second factor of who is signed in. Wrong ones of both count like those of sign-ins: a code is counted
    /// until the caller takes that back.
    async fn check_both(&self, viewer: Viewer, password: &str, code: &str, origin: Origin<'_>) -> Outcome<Checked> {
        let (user, password_hash) = match self.check_password(viewer, password, origin).await? {
            Some(Ok(checked)) => checked,
            Some(Err(refusal)) => return Ok(Some(Err(refusal))),
            None => return Ok(None),
        };
        let factor = self.stored_factor(user.id).await?.filter(|factor| factor.confirmed_at.is_some());
        let Some(factor) = factor else { return Ok(Some(Err(FactorRefusal::NotEnabled))) };
        let begun = self.begin_both(&user.username, origin).await?;
        let Some(answer) = self.answer(user.id, &factor, code)? else {
            return Ok(Some(Err(self.wrong_code(&user, origin))));
        };
        Ok(Some(Ok(Checked { user, password_hash, answer, begun })))
    }

    async fn begin_both(&self, username: &str, origin: Origin<'_>) -> Result<(Counted, Attempt), AccountsError> {
        let known = self.known_device(username, origin.device).await?.is_some();
        let code = self.begin_code(username, known)?;
        let guess = self.begin_guess(username, origin).await;
        Ok((guess.inspect_err(|_| self.0.limits.take_back_code(code))?, code))
    }

    fn take_back_both(&self, (guess, code): (Counted, Attempt)) {
        self.0.limits.take_back(guess);
        self.0.limits.take_back_code(code);
    }

    /// A code that is wrong or was used before is written down.
    fn wrong_code(&self, user: &User, origin: Origin<'_>) -> FactorRefusal {
        self.record(Some(user.id), &user.username, origin.address, LoginOutcome::SecondFactorInvalid);
        FactorRefusal::CodeInvalid
    }
}

#[cfg(test)]
mod tests;
