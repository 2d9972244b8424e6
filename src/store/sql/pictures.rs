//! Uploaded pictures: the files that pages show.

use bytes::Bytes;
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{picture_files, products};
use crate::kernel::Timestamp;
use crate::store::StoreError;

/// Writes the files of a picture, each in its width; those that are there already stay and are as new.
pub async fn insert(conn: &mut Conn, name: &str, files: &[(u32, Bytes)], now: Timestamp) -> Result<(), StoreError> {
    for (width, bytes) in files {
        diesel::insert_into(picture_files::table)
            .values((
                picture_files::name.eq(name),
                picture_files::width.eq(i64::from(*width)),
                picture_files::content.eq(bytes.to_vec()),
                picture_files::created_at.eq(now),
            ))
            .on_conflict((picture_files::name, picture_files::width))
            .do_update()
            .set(picture_files::created_at.eq(now))
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

/// Keeps a picture as if it had just been uploaded. Whether there is such a picture.
pub async fn renew(conn: &mut Conn, name: &str, now: Timestamp) -> Result<bool, StoreError> {
    let files = picture_files::table.filter(picture_files::name.eq(name));
    Ok(diesel::update(files).set(picture_files::created_at.eq(now)).execute(conn).await? > 0)
}

/// The pictures from before `before`, the oldest first, from after `after` on.
pub async fn older(
    conn: &mut Conn,
    before: Timestamp,
    after: &(Timestamp, String),
    max: usize,
) -> Result<Vec<(Timestamp, String)>, StoreError> {
    let (time, name) = after;
    let further =
        picture_files::created_at.gt(*time).or(picture_files::created_at.eq(*time).and(picture_files::name.gt(name)));
    Ok(picture_files::table
        .filter(picture_files::created_at.ge(*time))
        .filter(picture_files::created_at.lt(before))
        .filter(further)
        .select((picture_files::created_at, picture_files::name))
        .distinct()
        .order((picture_files::created_at, picture_files::name))
        .limit(max as i64)
        .load(conn)
        .await?)
}

/// Those of the addresses that are the picture of a product.
pub async fn used(conn: &mut Conn, addresses: Vec<String>) -> Result<Vec<String>, StoreError> {
    let products = products::table.filter(products::image_url.eq_any(addresses));
    let used: Vec<Option<String>> = products.select(products::image_url).distinct().load(conn).await?;
    Ok(used.into_iter().flatten().collect())
}

/// Removes pictures from before `before`; the number of their files.
pub async fn remove(conn: &mut Conn, names: Vec<String>, before: Timestamp) -> Result<usize, StoreError> {
    let files = picture_files::table.filter(picture_files::name.eq_any(names));
    Ok(diesel::delete(files.filter(picture_files::created_at.lt(before))).execute(conn).await?)
}
