//! The tokens that a node does not judge by their sealed contents: revoked ones, and those whose user got another role. Each node
//! has all of them that have not expired, in 16 bytes each. A token that only seems to be among them (one in 10^13, with a million)
//! is looked up, too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use crate::kernel::Timestamp;
use crate::model::accounts::{Revocation, TokenHash};

/// How often those are dropped that have expired.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);

/// Nothing has been read, or not everything found room.
const NEVER: i64 = i64::MIN;

/// The filter.
pub(super) struct Revoked {
    /// By the first eight bytes of their hash: when they expire, in seconds since the Unix epoch.
    tokens: RwLock<HashMap<u64, u32>>,
    capacity: usize,
    /// Milliseconds since the Unix epoch. Whatever was revoked by then is in `tokens`.
    complete_at: AtomicI64,
    swept_at: Mutex<Timestamp>,
}

impl Revoked {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            tokens: RwLock::default(),
            capacity,
            complete_at: AtomicI64::new(NEVER),
            swept_at: Mutex::new(Timestamp::from_millis(0)),
        }
    }

    /// The moment up to which all revocations are known; `None` if there is none.
    pub(super) fn complete_at(&self) -> Option<Timestamp> {
        Some(self.complete_at.load(Ordering::Acquire)).filter(|at| *at != NEVER).map(Timestamp::from_millis)
    }

    /// Whether the token has to be looked up.
    pub(super) fn contains(&self, token: &TokenHash) -> bool {
        self.tokens.read().contains_key(&short(token))
    }

    /// Adds revocations that were read, and says which of them are new. `None` when there is no room for all: no token is judged then
    /// without a look-up.
    pub(super) fn add(&self, revocations: &[Revocation]) -> Option<Vec<Revocation>> {
        let mut new = Vec::new();
        if revocations.is_empty() {
            return Some(new);
        }
        let mut tokens = self.tokens.write();
        for revocation in revocations {
            let (token, expires) = (short(&revocation.token), seconds(revocation.expires_at));
            if let Some(known) = tokens.get_mut(&token) {
                *known = expires.max(*known);
                continue;
            }
            if tokens.len() >= self.capacity {
                self.complete_at.store(NEVER, Ordering::Release);
                return None;
            }
            tokens.insert(token, expires);
            new.push(*revocation);
        }
        Some(new)
    }

    /// Everything was read that had been revoked at `at`.
    pub(super) fn completed(&self, at: Timestamp) {
        self.complete_at.store(at.as_millis(), Ordering::Release);
        let mut swept_at = self.swept_at.lock();
        if at.since(*swept_at) >= SWEEP_EVERY || *swept_at > at {
            *swept_at = at;
            let now = seconds(at);
            self.tokens.write().retain(|_, expires| *expires >= now);
        }
    }

    /// Begins anew.
    pub(super) fn clear(&self) {
        self.complete_at.store(NEVER, Ordering::Release);
        self.tokens.write().clear();
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.read().len()
    }
}

/// Hashes are uniformly distributed, so any eight bytes of one are.
fn short(token: &TokenHash) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|place| token[place]))
}

/// Rounded up.
fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_millis().max(0) / 1_000 + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_428_000_000);

    fn revocation(number: u32, lasting: Duration) -> Revocation {
        let mut token = TokenHash::default();
        token[..4].copy_from_slice(&number.to_le_bytes());
        Revocation { seq: i64::from(number), token, expires_at: NOW.plus(lasting), gone: true }
    }

    #[test]
    fn is_complete_only_while_everything_finds_room() {
        let revoked = Revoked::new(3);
        assert_eq!(revoked.complete_at(), None);
        let some: Vec<_> = (0..3).map(|number| revocation(number, SWEEP_EVERY * 2)).collect();
        assert_eq!(revoked.add(&some).as_ref(), Some(&some));
        assert_eq!(revoked.add(&some), Some(Vec::new()), "read again");
        revoked.completed(NOW);
        assert_eq!(revoked.complete_at(), Some(NOW));
        assert!(some.iter().all(|one| revoked.contains(&one.token)));
        let late = revocation(4, SWEEP_EVERY * 2);
        assert!(!revoked.contains(&late.token));
        assert_eq!(revoked.add(&[late]), None);
        assert_eq!(revoked.complete_at(), None);
        revoked.clear();
        assert_eq!((revoked.len(), revoked.complete_at()), (0, None));
    }

    #[test]
    fn what_has_expired_makes_room() {
        let revoked = Revoked::new(2);
        revoked.completed(NOW);
        assert!(revoked.add(&[revocation(1, Duration::from_secs(10)), revocation(2, SWEEP_EVERY * 3)]).is_some());
        revoked.completed(NOW.plus(SWEEP_EVERY / 2));
        assert_eq!(revoked.len(), 2, "swept too often");
        revoked.completed(NOW.plus(SWEEP_EVERY));
        assert_eq!(revoked.len(), 1);
        // Read a second time, as happens to the last ones.
        assert!(revoked.add(&[revocation(2, SWEEP_EVERY * 3), revocation(3, SWEEP_EVERY * 3)]).is_some());
        assert!(revoked.contains(&revocation(2, SWEEP_EVERY).token));
    }
}
