//! Follows what was revoked, so that the node can judge sealed tokens by itself (see [`super::seal`]). Revocations are broadcast as
//! well (see [`super::sign_outs`]), which is sooner; this is what misses none, and works while the broker is away.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::service::Accounts;
use super::tokens::{Progress, Read};
use crate::store::StoreError;

/// When there are more revocations than fit: how long until they are read anew. Some will have expired.
const ANEW_AFTER: Duration = Duration::from_secs(600);

/// Reads revocations again and again. Without a key, there is nothing to do. Fails only at the start, when the database is away.
pub async fn follow_revocations(accounts: &Accounts, keys: &[[u8; 32]], every: Duration) -> Result<(), StoreError> {
    if !accounts.tokens().use_keys(keys).await? {
        return std::future::pending().await;
    }
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut progress = Progress::default();
    loop {
        tick.tick().await;
        match accounts.tokens().read_revocations(&mut progress).await {
            Ok(Read::Complete) => {}
            Ok(Read::TooMany) => {
                tracing::warn!(
                    "more access tokens were revoked than accounts.revocations_max; all access tokens are looked up"
                );
                sleep(ANEW_AFTER).await;
            }
            // As long as the last read is recent enough, tokens are judged by it. Failures are logged.
            Err(error) => tracing::debug!(%error, "could not read which access tokens were revoked"),
        }
    }
}
