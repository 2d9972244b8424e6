//! Second factors and recovery codes of staff, and changes of roles.

use diesel::{BoolExpressionMethods as _, ExpressionMethods, OptionalExtension as _, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{recovery_codes, second_factors, users};
use crate::kernel::{Timestamp, UserId};
use crate::model::accounts::{Role, StoredFactor};
use crate::store::StoreError;

/// The second factor of a user, in force or not.
pub async fn find(conn: &mut Conn, user: UserId) -> Result<Option<StoredFactor>, StoreError> {
    let columns = (second_factors::secret, second_factors::confirmed_at, second_factors::last_step);
    let row: Option<(Vec<u8>, Option<Timestamp>, i64)> =
        second_factors::table.find(user).select(columns).first(conn).await.optional()?;
    Ok(row.map(|(secret, confirmed_at, last_step)| StoredFactor { secret, confirmed_at, last_step }))
}

/// Begins a second factor, in the place of one that was never confirmed; `false` when there is one in force.
pub async fn begin(conn: &mut Conn, user: UserId, secret: &[u8], now: Timestamp) -> Result<bool, StoreError> {
    diesel::delete(
        second_factors::table.filter(second_factors::user_id.eq(user).and(second_factors::confirmed_at.is_null())),
    )
    .execute(conn)
    .await?;
    let rows = diesel::insert_into(second_factors::table)
        .values((
            second_factors::user_id.eq(user),
            second_factors::secret.eq(secret),
            second_factors::created_at.eq(now),
            second_factors::confirmed_at.eq(None::<Timestamp>),
            second_factors::last_step.eq(0_i64),
        ))
        .on_conflict(second_factors::user_id)
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// Puts a second factor in force, if it is still this one and is not yet; the code of `step` is used up.
pub async fn confirm(
    conn: &mut Conn,
    user: UserId,
    secret: &[u8],
    step: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let begun = second_factors::table
        .find(user)
        .filter(second_factors::secret.eq(secret).and(second_factors::confirmed_at.is_null()));
    let rows = diesel::update(begun)
        .set((second_factors::confirmed_at.eq(Some(now)), second_factors::last_step.eq(step)))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// Uses up the code of a time step: `false` when that one or a later one is used up already, or nothing is in force.
pub async fn use_step(conn: &mut Conn, user: UserId, step: i64) -> Result<bool, StoreError> {
    let unused = second_factors::table
        .find(user)
        .filter(second_factors::confirmed_at.is_not_null().and(second_factors::last_step.lt(step)));
    Ok(diesel::update(unused).set(second_factors::last_step.eq(step)).execute(conn).await? == 1)
}

/// Uses up a recovery code: `false` when there is no such code, or it was used before.
pub async fn use_recovery_code(conn: &mut Conn, user: UserId, hash: &[u8], now: Timestamp) -> Result<bool, StoreError> {
    let unused = recovery_codes::table.find((user, hash)).filter(recovery_codes::used_at.is_null());
    Ok(diesel::update(unused).set(recovery_codes::used_at.eq(Some(now))).execute(conn).await? == 1)
}

/// Gives a user these recovery codes and no others.
pub async fn replace_recovery_codes(conn: &mut Conn, user: UserId, hashes: &[[u8; 32]]) -> Result<(), StoreError> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(conn).await?;
    for hash in hashes {
        diesel::insert_into(recovery_codes::table)
            .values((
                recovery_codes::user_id.eq(user),
                recovery_codes::code_hash.eq(hash.as_slice()),
                recovery_codes::used_at.eq(None::<Timestamp>),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// How many of a user's recovery codes are left.
pub async fn recovery_codes_left(conn: &mut Conn, user: UserId) -> Result<usize, StoreError> {
    let left: i64 = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user).and(recovery_codes::used_at.is_null()))
        .count()
        .get_result(conn)
        .await?;
    Ok(left as usize)
}

/// Removes a user's second factor and recovery codes; `false` when there was none.
pub async fn remove(conn: &mut Conn, user: UserId) -> Result<bool, StoreError> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(conn).await?;
    Ok(diesel::delete(second_factors::table.find(user)).execute(conn).await? == 1)
}

/// Gives a user another role, and keeps the row until the end of the transaction; `false` when it is not `old` any more.
pub async fn change_role(conn: &mut Conn, user: UserId, old: Role, new: Role) -> Result<bool, StoreError> {
    let row = users::table.find(user).filter(users::role.eq(old.as_str()));
    Ok(diesel::update(row).set(users::role.eq(new.as_str())).execute(conn).await? == 1)
}
