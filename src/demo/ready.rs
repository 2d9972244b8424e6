//! Accounts without a sign-up, written directly to the database before the server starts.

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};

use super::shopper::Account;
use crate::config::Config;
use crate::kernel::{Clock, Rng, UserId};
use crate::model::facts::ReadyUser;
use crate::store::{self, Database, StoreError};

/// Users in one transaction at most.
const CHUNK: usize = 500;

/// Adds `count` users named `<prefix>-<number>` with tokens.
pub async fn users(
    db: &Database,
    clock: &Clock,
    rng: &Rng,
    prefix: &str,
    count: u32,
    operator: bool,
) -> Result<Vec<Account>, StoreError> {
    let role = if operator { "OPERATOR" } else { "BUYER" };
    let now = clock.now();
    // As of somebody who has just signed in: nothing to renew for an hour.
    let expires_at = now.plus(*Config::default_embedded().accounts.token_lifetime);
    let (mut accounts, mut rows) = (Vec::new(), Vec::new());
    for number in 0..count {
        let secret = rng.bytes::<32>();
        let (id, token) = (UserId::generate(clock, rng), format!("doorbuster_{}", BASE64URL_NOPAD.encode(&secret)));
        let username = format!("{prefix}-{number}");
        rows.push(ReadyUser { id, username, role, token_hash: Sha256::digest(secret).into() });
        accounts.push(Account { buyer: id, token });
    }
    for rows in rows.chunks(CHUNK) {
        let rows = rows.to_vec();
        store::write!(db, |conn| sql::audit::insert_ready_users(conn, &rows, now, expires_at).await)?;
    }
    Ok(accounts)
}
