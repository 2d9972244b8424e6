//! Accounts without a sign-up, written directly to the database before the server starts.

use std::time::Duration;

use super::shopper::Account;
use crate::accounts::seal::{self, Contents, Seals};
use crate::config::Config;
use crate::kernel::{Clock, Rng, Timestamp, UserId};
use crate::model::accounts::{Role, TokenHash};
use crate::model::facts::ReadyUser;
use crate::store::{self, Database, StoreError};

/// Users in one transaction at most.
const CHUNK: usize = 100;

/// How long ago ready buyers signed in: nothing to renew yet, and before the server started, which judges their tokens by what is in them.
const SIGNED_IN_AGO: Duration = Duration::from_secs(1_800);

/// Adds `count` users named `<prefix>-<number>` with tokens that nodes look up.
pub async fn users(
    db: &Database,
    clock: &Clock,
    rng: &Rng,
    prefix: &str,
    count: u32,
    operator: bool,
) -> Result<Vec<Account>, StoreError> {
    let role = if operator { Role::Operator } else { Role::Buyer };
    Crowd { db, clock, rng, prefix, role, signed_in_at: clock.now() }.add(count, |_, _| seal::random(rng)).await
}

/// Adds `count` buyers likewise. Nodes with the key judge their tokens themselves.
pub async fn buyers(
    db: &Database,
    clock: &Clock,
    rng: &Rng,
    prefix: &str,
    count: u32,
    seals: Option<&Seals>,
) -> Result<Vec<Account>, StoreError> {
    let signed_in_at = clock.now().minus(SIGNED_IN_AGO);
    let crowd = Crowd { db, clock, rng, prefix, role: Role::Buyer, signed_in_at };
    let sealed = |user, expires_at| {
        let contents = Contents { user, created_at: signed_in_at, expires_at };
        seals.and_then(|seals| seals.seal(rng, &contents)).unwrap_or_else(|| seal::random(rng))
    };
    crowd.add(count, sealed).await
}

struct Crowd<'a> {
    db: &'a Database,
    clock: &'a Clock,
    rng: &'a Rng,
    prefix: &'a str,
    role: Role,
    signed_in_at: Timestamp,
}

impl Crowd<'_> {
    async fn add(
        &self,
        count: u32,
        token: impl Fn(UserId, Timestamp) -> (String, TokenHash),
    ) -> Result<Vec<Account>, StoreError> {
        let signed_in_at = self.signed_in_at;
        let expires_at = signed_in_at.plus(*Config::default_embedded().accounts.token_lifetime);
        let (mut accounts, mut rows) = (Vec::new(), Vec::new());
        for number in 0..count {
            let id = UserId::generate(self.clock, self.rng);
            let (token, token_hash) = token(id, expires_at);
            let username = format!("{}-{number}", self.prefix);
            rows.push(ReadyUser { id, username, role: self.role.as_str(), token_hash });
            accounts.push(Account { buyer: id, token });
        }
        for rows in rows.chunks(CHUNK) {
            let rows = rows.to_vec();
            store::write!(self.db, |conn| sql::audit::insert_ready_users(conn, &rows, signed_in_at, expires_at).await)?;
        }
        Ok(accounts)
    }
}
