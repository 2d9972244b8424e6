//! When the last backup was made.

use diesel::upsert::excluded;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::last_backup;
use crate::kernel::Timestamp;
use crate::store::StoreError;

/// The one row of `last_backup`.
const LAST: i64 = 1;

/// Notes that a backup was made, of the database as it was then.
pub async fn note(conn: &mut Conn, at: Timestamp, bytes: u64) -> Result<(), StoreError> {
    let row = (last_backup::id.eq(LAST), last_backup::at.eq(at.as_millis()), last_backup::bytes.eq(bytes as i64));
    diesel::insert_into(last_backup::table)
        .values(row)
        .on_conflict(last_backup::id)
        .do_update()
        .set((last_backup::at.eq(excluded(last_backup::at)), last_backup::bytes.eq(excluded(last_backup::bytes))))
        .execute(conn)
        .await?;
    Ok(())
}

/// When the last one was made, if ever.
pub async fn last(conn: &mut Conn) -> Result<Option<Timestamp>, StoreError> {
    let at: Option<i64> = last_backup::table.find(LAST).select(last_backup::at).first(conn).await.optional()?;
    Ok(at.map(Timestamp::from_millis))
}
