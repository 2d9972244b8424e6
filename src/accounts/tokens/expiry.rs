//! The expiry of a sign-in.

use std::sync::atomic::Ordering;

use super::{Tokens, hash_of};
use crate::kernel::Timestamp;
use crate::store::StoreError;

impl Tokens {
    /// When the token expires unless it is used; `None` when it is invalid. This call counts as a use.
    pub async fn expires_at(&self, token: &str) -> Result<Option<Timestamp>, StoreError> {
        let Some(hash) = hash_of(token) else { return Ok(None) };
        if self.viewer(token).await?.is_none() {
            return Ok(None);
        }
        // What was looked up is remembered, unless it ended meanwhile.
        let known = self.seen.known.get(&hash);
        Ok(known.map(|known| Timestamp::from_millis(known.expires_at.load(Ordering::Acquire))))
    }
}
