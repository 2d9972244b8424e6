//! Access tokens whose sealed contents no longer hold. Triggers write them down.

use diesel::sql_types::{BigInt, Binary, Bool};
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::schema::{access_tokens, token_revocations};
use super::super::{Conn, bulk};
use crate::kernel::Timestamp;
use crate::model::accounts::{Revocation, TokenHash};
use crate::store::StoreError;

/// Where a reader has come to: the place in the list, and the last token there.
pub type Place = (i64, Vec<u8>);

/// The first tokens to expire last that are looked at for the newest one.
const NEWEST_AMONG: i64 = 1_000;

/// The end of the list. What is added from now on, or is being added, has this place or a later one.
pub async fn end(conn: &mut Conn) -> Result<i64, StoreError> {
    bulk::revocations_end(conn).await
}

/// The next `max` behind this place, in the order of the list.
pub async fn after(conn: &mut Conn, place: &Place, max: usize) -> Result<Vec<Revocation>, StoreError> {
    let behind = diesel::dsl::sql::<Bool>("(seq, token_hash) > (").bind::<BigInt, _>(place.0);
    let behind = behind.sql(", ").bind::<Binary, _>(place.1.clone()).sql(")");
    let rows: Vec<(i64, Vec<u8>, Timestamp, bool)> = token_revocations::table
        .filter(token_revocations::seq.ge(place.0))
        .filter(behind)
        .order((token_revocations::seq, token_revocations::token_hash))
        .limit(max as i64)
        .load(conn)
        .await?;
    let revocation = |(seq, token, expires_at, gone): (i64, Vec<u8>, Timestamp, bool)| {
        let token = TokenHash::try_from(token).map_err(|_| StoreError::internal("a token's hash is cut"))?;
        Ok(Revocation { seq, token, expires_at, gone })
    };
    rows.into_iter().map(revocation).collect()
}

/// When a token was stored that is among the newest; `None` if there is none.
pub async fn newest_token(conn: &mut Conn) -> Result<Option<Timestamp>, StoreError> {
    let created: Vec<Timestamp> = access_tokens::table
        .order(access_tokens::expires_at.desc())
        .limit(NEWEST_AMONG)
        .select(access_tokens::created_at)
        .load(conn)
        .await?;
    Ok(created.into_iter().max())
}

/// Removes those of tokens that expired at `now` or before, `max` at most, and says how many.
pub async fn purge(conn: &mut Conn, now: Timestamp, max: usize) -> Result<usize, StoreError> {
    let expired: Vec<(i64, Vec<u8>)> = token_revocations::table
        .filter(token_revocations::expires_at.le(now))
        .order(token_revocations::expires_at)
        .limit(max as i64)
        .select((token_revocations::seq, token_revocations::token_hash))
        .load(conn)
        .await?;
    for (seq, token) in &expired {
        diesel::delete(token_revocations::table.find((seq, token))).execute(conn).await?;
    }
    Ok(expired.len())
}
