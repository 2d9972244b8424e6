//! Sealed tokens (see [`crate::accounts::seal`]): a node that has never seen one judges it by its contents, without a look-up, as long as
//! it knows what was revoked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::sealing::{Progress, Read};
use super::{Seen, Tokens};
use crate::accounts::look_ups::Answer;
use crate::accounts::seal::{self, Contents, Opened, Seals, Shown};
use crate::kernel::Timestamp;
use crate::model::accounts::{Revocation, Role, Session, TokenHash, Viewer};
use crate::model::upgrade::Feature;
use crate::store::{self, StoreError};

/// Revocations read by one statement at most.
const PAGE: usize = 10_000;

/// Tokens are stored in the order in which they were made but for this.
const STORED_WITHIN: Duration = Duration::from_secs(60);

impl Tokens {
    /// Opens tokens with these keys from now on, as far as revocations are read. Nothing happens without a key.
    pub(in crate::accounts) async fn use_keys(&self, keys: &[[u8; 32]]) -> Result<bool, StoreError> {
        let (seen, Some(seals)) = (&self.seen, Seals::new(keys)) else { return Ok(false) };
        let newest = store::read!(&seen.db, |conn| sql::revocations::newest_token(conn).await)?;
        let now = seen.clock.now();
        let stored = newest.map_or(i64::MIN, |newest| newest.min(now).minus(STORED_WITHIN).as_millis());
        let [from, until] = &seen.sealing.gap;
        until.store(now.as_millis(), Ordering::Release);
        from.store(stored, Ordering::Release);
        // The first keys stay: they change with a restart.
        let _ = seen.sealing.seals.set(seals);
        Ok(true)
    }

    /// Reads what was revoked since the last call.
    pub(in crate::accounts) async fn read_revocations(&self, progress: &mut Progress) -> Result<Read, StoreError> {
        let (seen, began_at) = (&self.seen, self.seen.clock.now());
        let (end, allowed) = store::read!(&seen.db, |conn| {
            // First: what is added after it is read next time.
            let end = sql::revocations::end(conn).await?;
            Ok((end, sql::upgrade::allows(conn, Feature::SealedTokens).await?))
        })?;
        let revoked = &seen.sealing.revoked;
        let mut place = (progress.place, Vec::new());
        loop {
            let from = place.clone();
            let page = store::read!(&seen.db, |conn| sql::revocations::after(conn, &from, PAGE).await)?;
            let Some(new) = revoked.add(&page) else {
                *progress = Progress::default();
                revoked.clear();
                return Ok(Read::TooMany);
            };
            if progress.complete {
                for revocation in &new {
                    seen.revoke(revocation);
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => place = (last.seq, last.token.to_vec()),
                _ => break,
            }
        }
        *progress = Progress { place: end.max(progress.place), complete: true };
        revoked.completed(began_at);
        seen.sealing.in_use.store(allowed, Ordering::Release);
        seen.metrics.revocations.set(revoked.len() as i64);
        Ok(Read::Complete)
    }
}

impl Seen {
    /// The text of a new token and its hash: sealed if it is a buyer's, and all nodes can open it.
    pub(super) fn new_token(
        &self,
        viewer: Viewer,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> (String, TokenHash) {
        let contents = Contents { user: viewer.id, created_at, expires_at };
        let seals = self.sealing.seals.get().filter(|_| self.seals(viewer));
        let sealed = seals.and_then(|seals| seals.seal(&self.rng, &contents));
        sealed.unwrap_or_else(|| seal::random(&self.rng))
    }

    /// Whether new tokens of such a user are sealed.
    pub(super) fn seals(&self, viewer: Viewer) -> bool {
        viewer.role == Role::Buyer && self.sealing.in_use.load(Ordering::Acquire)
    }

    /// Judges a token by its contents: its owner, or that it is invalid. `None` when it has to be looked up.
    pub(super) fn judge(&self, shown: &Shown) -> Option<Answer> {
        let contents = match self.sealing.seals.get()?.open(shown) {
            Opened::Unknown => return None,
            Opened::Forged => {
                self.metrics.tokens_forged.inc();
                return Some(Ok(None));
            }
            Opened::Genuine(contents) => contents,
        };
        let (now, hash) = (self.clock.now(), shown.hash);
        let read_at = self.sealing.revoked.complete_at()?;
        let Contents { user, created_at, expires_at } = contents;
        // One that has expired by its contents may have been used since, which its row says.
        if !self.is_fresh(read_at, now) || self.sealing.is_in_gap(created_at) || expires_at <= now {
            return None;
        }
        let (viewer, ends_at) = (Viewer::new(user, Role::Buyer), Timestamp::MAX);
        // Remembered first, looked for second: `revoke` does it the other way round, so a token that is being revoked ends up forgotten.
        let known = self.learn(hash, Session { viewer, expires_at, ends_at }, read_at)?;
        if self.sealing.revoked.contains(&hash) {
            self.known.remove(&hash);
            return None;
        }
        self.metrics.tokens_opened.inc();
        self.renew(&hash, &known, now).then_some(Ok(Some(viewer)))
    }

    /// Takes note of a revocation that was read.
    fn revoke(&self, revocation: &Revocation) {
        if revocation.gone {
            self.end(revocation.token, self.clock.now());
        } else {
            self.known.remove(&revocation.token);
            self.tell(&revocation.token);
        }
    }
}

#[cfg(test)]
mod tests;
