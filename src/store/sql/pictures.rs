//! Uploaded pictures: the files that pages show.

use bytes::Bytes;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::picture_files;
use crate::kernel::Timestamp;
use crate::store::StoreError;

/// Writes the files of a picture, each in its width; those that are there already stay.
pub async fn insert(conn: &mut Conn, name: &str, files: &[(u32, Bytes)], now: Timestamp) -> Result<(), StoreError> {
    for (width, bytes) in files {
        diesel::insert_into(picture_files::table)
            .values((
                picture_files::name.eq(name),
                picture_files::width.eq(i64::from(*width)),
                picture_files::content.eq(bytes.to_vec()),
                picture_files::created_at.eq(now),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// The bytes of one of them.
pub async fn find(conn: &mut Conn, name: &str, width: u32) -> Result<Option<Bytes>, StoreError> {
    let file = picture_files::table.find((name, i64::from(width))).select(picture_files::content);
    let found = file.first::<Vec<u8>>(conn).await.optional()?;
    Ok(found.map(Bytes::from))
}
