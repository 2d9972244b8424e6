//! Users, access tokens, the login log.

use std::collections::HashMap;

use diesel::{ExpressionMethods, OptionalExtension as _, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::schema::{access_tokens, login_log, users};
use super::super::{Conn, bulk};
use crate::kernel::{Timestamp, UserId};
use crate::model::accounts::{LoginEvent, Proof, Role, StoredToken, TokenHash, User, Viewer};
use crate::store::StoreError;

/// Tokens removed by one statement: SQLite counts the values of a list one by one.
const TOKENS_TOGETHER: usize = 500;

/// The hash of a token, its user and their role, since when and until when, and whether it was proven with a second factor.
pub type TokenRow = (Vec<u8>, UserId, String, Timestamp, Timestamp, bool);

pub(super) type UserRow = (UserId, String, String, String, Timestamp);

pub(super) const USER: (users::id, users::username, users::display_name, users::role, users::created_at) =
    (users::id, users::username, users::display_name, users::role, users::created_at);

fn role(text: &str) -> Result<Role, StoreError> {
    Role::parse(text).ok_or_else(|| StoreError::internal(format!("unknown role {text:?}")))
}

pub(super) fn user((id, username, display_name, role_text, created_at): UserRow) -> Result<User, StoreError> {
    Ok(User { id, username, display_name, role: role(&role_text)?, created_at })
}

/// The user with this id.
pub async fn find_user(conn: &mut Conn, id: UserId) -> Result<Option<User>, StoreError> {
    let row: Option<UserRow> = users::table.find(id).select(USER).first(conn).await.optional()?;
    row.map(user).transpose()
}

/// The user with this name, and the hash of the password.
pub async fn find_by_username(conn: &mut Conn, username: &str) -> Result<Option<(User, String)>, StoreError> {
    let row: Option<(UserRow, String)> = users::table
        .filter(users::username.eq(username))
        .select((USER, users::password_hash))
        .first(conn)
        .await
        .optional()?;
    row.map(|(row, password_hash)| Ok((user(row)?, password_hash))).transpose()
}

/// Adds a user; `false` when the name is taken.
pub async fn insert_user(conn: &mut Conn, user: &User, password_hash: &str) -> Result<bool, StoreError> {
    let rows = diesel::insert_into(users::table)
        .values((
            users::id.eq(user.id),
            users::username.eq(&user.username),
            users::display_name.eq(&user.display_name),
            users::password_hash.eq(password_hash),
            users::role.eq(user.role.as_str()),
            users::created_at.eq(user.created_at),
        ))
        .on_conflict(users::username)
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// Replaces the hash of a password, and keeps its row until the end of the transaction; `false` when the password was changed
/// meanwhile.
pub async fn replace_hash(conn: &mut Conn, id: UserId, old: &str, new: &str) -> Result<bool, StoreError> {
    let rows = diesel::update(users::table.find(id).filter(users::password_hash.eq(old)))
        .set(users::password_hash.eq(new))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// Adds a token.
pub async fn insert_token(conn: &mut Conn, hash: &TokenHash, token: &StoredToken) -> Result<(), StoreError> {
    diesel::insert_into(access_tokens::table)
        .values((
            access_tokens::token_hash.eq(hash.as_slice()),
            access_tokens::user_id.eq(token.viewer.id),
            access_tokens::created_at.eq(token.created_at),
            access_tokens::expires_at.eq(token.expires_at),
            access_tokens::second_factor.eq(token.viewer.proof == Proof::SecondFactor),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Whose tokens these are and until when, expired or not; a token that is missing in the result is invalid.
pub async fn find_tokens(conn: &mut Conn, hashes: &[TokenHash]) -> Result<HashMap<TokenHash, StoredToken>, StoreError> {
    let rows = bulk::find_tokens(conn, hashes).await?;
    let found = rows.into_iter().map(|(hash, id, role_text, created_at, expires_at, proven): TokenRow| {
        let hash = TokenHash::try_from(hash).map_err(|_| StoreError::internal("a token's hash is cut"))?;
        let proof = if proven { Proof::SecondFactor } else { Proof::Password };
        Ok((hash, StoredToken { viewer: Viewer { id, role: role(&role_text)?, proof }, created_at, expires_at }))
    });
    found.collect()
}

/// Removes a token; `false` when it is not there.
pub async fn delete_token(conn: &mut Conn, hash: &TokenHash) -> Result<bool, StoreError> {
    let token = access_tokens::table.find(hash.as_slice());
    Ok(diesel::delete(token).execute(conn).await? == 1)
}

/// Removes all tokens of a user but one, and says which.
pub async fn delete_tokens_of(
    conn: &mut Conn,
    user: UserId,
    kept: Option<TokenHash>,
) -> Result<Vec<TokenHash>, StoreError> {
    let tokens: Vec<Vec<u8>> = access_tokens::table
        .filter(access_tokens::user_id.eq(user))
        .select(access_tokens::token_hash)
        .load(conn)
        .await?;
    let mut ended: Vec<TokenHash> = tokens.into_iter().filter_map(|token| token.try_into().ok()).collect();
    ended.retain(|token| Some(*token) != kept);
    for some in ended.chunks(TOKENS_TOGETHER) {
        let these = some.iter().map(TokenHash::as_slice);
        diesel::delete(access_tokens::table.filter(access_tokens::token_hash.eq_any(these))).execute(conn).await?;
    }
    Ok(ended)
}

/// Moves the expiry of tokens forward, never back.
pub async fn renew_tokens(conn: &mut Conn, renewals: &[(TokenHash, Timestamp)]) -> Result<(), StoreError> {
    bulk::renew_tokens(conn, renewals).await
}

/// Removes tokens that expired at `now` or before, `max` at most, and says how many.
pub async fn purge_tokens(conn: &mut Conn, now: Timestamp, max: usize) -> Result<usize, StoreError> {
    let expired: Vec<Vec<u8>> = access_tokens::table
        .filter(access_tokens::expires_at.le(now))
        .order(access_tokens::expires_at)
        .limit(max as i64)
        .select(access_tokens::token_hash)
        .load(conn)
        .await?;
    // The condition again: on PostgreSQL a token may be renewed between the two statements.
    let purge = access_tokens::table
        .filter(access_tokens::token_hash.eq_any(&expired))
        .filter(access_tokens::expires_at.le(now));
    Ok(diesel::delete(purge).execute(conn).await?)
}

/// Writes login events; those that are already there stay as they are.
pub async fn insert_login_events(conn: &mut Conn, events: &[LoginEvent]) -> Result<(), StoreError> {
    for event in events {
        diesel::insert_into(login_log::table)
            .values((
                login_log::event_id.eq(event.event_id),
                login_log::user_id.eq(event.user_id),
                login_log::username.eq(&event.username),
                login_log::address.eq(event.address.to_string()),
                login_log::outcome.eq(event.outcome.as_str()),
                login_log::at.eq(event.at),
            ))
            .on_conflict(login_log::event_id)
            .do_nothing()
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Makes every stored password unreadable.
#[cfg(test)]
pub async fn break_password_hashes(conn: &mut Conn) -> Result<(), StoreError> {
    diesel::update(users::table).set(users::password_hash.eq("broken")).execute(conn).await?;
    Ok(())
}

/// Takes the login log away.
#[cfg(test)]
pub async fn drop_login_log(conn: &mut Conn) -> Result<(), StoreError> {
    diesel::sql_query("DROP TABLE login_log").execute(conn).await?;
    Ok(())
}

/// The login log, oldest first.
#[cfg(test)]
pub async fn login_log_rows(
    conn: &mut Conn,
) -> Result<Vec<(Option<UserId>, String, String, String, Timestamp)>, StoreError> {
    let columns = (login_log::user_id, login_log::username, login_log::address, login_log::outcome, login_log::at);
    Ok(login_log::table.order(login_log::id).select(columns).load(conn).await?)
}
