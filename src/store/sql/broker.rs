//! The embedded broker's log and cursors.

use std::sync::Arc;

use bytes::Bytes;
use diesel::dsl::{max, min};
use diesel::upsert::excluded;
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, TextExpressionMethods as _};
use diesel_async::RunQueryDsl;

use super::super::schema::{broker_cursors, broker_messages};
use super::super::{Conn, bulk};
use crate::kernel::Timestamp;
use crate::model::messages::{Cursor, LogMessage, NewMessage, Received};
use crate::store::StoreError;

/// Ids in one statement at most.
const CHUNK: usize = 500;

type Row = (i64, Vec<u8>, Vec<u8>);

fn received((id, key, payload): Row) -> Received {
    Received { position: id as u64, key: Bytes::from(key), payload: Bytes::from(payload), redeliveries: 0 }
}

/// Appends the messages and returns the id of the last; theirs are that one and those right before it. Only one
/// transaction may append at a time.
pub async fn append(conn: &mut Conn, messages: Arc<[NewMessage]>, now: Timestamp) -> Result<u64, StoreError> {
    bulk::insert_messages(conn, messages, now).await?;
    last_id(conn).await
}

/// The id of the newest message that is kept, 0 when there is none.
pub async fn last_id(conn: &mut Conn) -> Result<u64, StoreError> {
    let last: Option<i64> = broker_messages::table.select(max(broker_messages::id)).first(conn).await?;
    Ok(last.unwrap_or(0) as u64)
}

/// The id of the newest message of the partition that is kept, 0 when there is none.
pub async fn end_of(conn: &mut Conn, topic: &'static str, partition: u32) -> Result<u64, StoreError> {
    let last: Option<i64> = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(broker_messages::partition.eq(i64::from(partition))))
        .filter(broker_messages::deliver_at.is_null())
        .select(max(broker_messages::id))
        .first(conn)
        .await?;
    Ok(last.unwrap_or(0) as u64)
}

/// Messages of an ordered partition after `after`.
pub async fn read_forward(
    conn: &mut Conn,
    topic: &'static str,
    partition: u32,
    after: u64,
    limit: usize,
) -> Result<Vec<Received>, StoreError> {
    let rows: Vec<Row> = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(broker_messages::partition.eq(i64::from(partition))))
        .filter(broker_messages::deliver_at.is_null().and(broker_messages::id.gt(after as i64)))
        .order(broker_messages::id)
        .limit(limit as i64)
        .select((broker_messages::id, broker_messages::key, broker_messages::payload))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(received).collect())
}

/// Messages of a competing topic that are due, in the order they became so, and when the next one after `now` will be.
pub async fn due(
    conn: &mut Conn,
    topic: &'static str,
    now: Timestamp,
    limit: usize,
) -> Result<(Vec<Received>, Option<Timestamp>), StoreError> {
    let rows: Vec<Row> = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(broker_messages::deliver_at.le(now)))
        .order((broker_messages::deliver_at, broker_messages::id))
        .limit(limit as i64)
        .select((broker_messages::id, broker_messages::key, broker_messages::payload))
        .load(conn)
        .await?;
    let next: Option<Timestamp> = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(broker_messages::deliver_at.gt(now)))
        .select(min(broker_messages::deliver_at))
        .first(conn)
        .await?;
    Ok((rows.into_iter().map(received).collect(), next))
}

/// Messages of a competing topic in the order they were published, after `after`, due or not.
pub async fn list(conn: &mut Conn, topic: &'static str, after: u64, limit: usize) -> Result<Vec<Received>, StoreError> {
    // By the index of the topic, however many messages of others there are: SQLite would rather go through all ids.
    let place = || broker_messages::id + 0_i64;
    let rows: Vec<Row> = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(place().gt(after as i64)))
        .filter(broker_messages::deliver_at.is_not_null())
        .order(place())
        .limit(limit as i64)
        .select((broker_messages::id, broker_messages::key, broker_messages::payload))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(received).collect())
}

/// Messages of a competing topic in the order against which they were published, before `before`, due or not.
pub async fn list_back(
    conn: &mut Conn,
    topic: &'static str,
    before: u64,
    limit: usize,
) -> Result<Vec<Received>, StoreError> {
    let place = || broker_messages::id + 0_i64;
    let rows: Vec<Row> = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(place().lt(i64::try_from(before).unwrap_or(i64::MAX))))
        .filter(broker_messages::deliver_at.is_not_null())
        .order(place().desc())
        .limit(limit as i64)
        .select((broker_messages::id, broker_messages::key, broker_messages::payload))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(received).collect())
}

/// One message of a competing topic.
pub async fn find(conn: &mut Conn, topic: &'static str, id: u64) -> Result<Option<Received>, StoreError> {
    let row: Option<Row> = broker_messages::table
        .filter(broker_messages::id.eq(id as i64).and(broker_messages::topic.eq(topic)))
        .select((broker_messages::id, broker_messages::key, broker_messages::payload))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(received))
}

/// Removes messages; returns how many were there.
pub async fn delete(conn: &mut Conn, ids: &[u64]) -> Result<usize, StoreError> {
    let mut deleted = 0;
    for chunk in ids.chunks(CHUNK) {
        let chunk = chunk.iter().map(|id| *id as i64).collect::<Vec<_>>();
        deleted +=
            diesel::delete(broker_messages::table.filter(broker_messages::id.eq_any(chunk))).execute(conn).await?;
    }
    Ok(deleted)
}

/// Moves a cursor forward, or sets it down where it was not.
pub async fn move_cursor(conn: &mut Conn, cursor: &Cursor) -> Result<(), StoreError> {
    let insert = diesel::insert_into(broker_cursors::table)
        .values((
            broker_cursors::topic.eq(&cursor.topic),
            broker_cursors::partition.eq(i64::from(cursor.partition)),
            broker_cursors::subscription.eq(&cursor.subscription),
            broker_cursors::acked_through.eq(cursor.acked_through as i64),
        ))
        .on_conflict((broker_cursors::topic, broker_cursors::partition, broker_cursors::subscription))
        .do_update()
        .set(broker_cursors::acked_through.eq(excluded(broker_cursors::acked_through)));
    let further = broker_cursors::acked_through.lt(excluded(broker_cursors::acked_through));
    diesel::query_dsl::methods::FilterDsl::filter(insert, further).execute(conn).await?;
    Ok(())
}

/// Removes the messages of an ordered partition that every cursor has passed.
pub async fn trim(conn: &mut Conn, topic: &str, partition: u32) -> Result<(), StoreError> {
    let passed: Option<i64> = broker_cursors::table
        .filter(broker_cursors::topic.eq(topic).and(broker_cursors::partition.eq(i64::from(partition))))
        .select(min(broker_cursors::acked_through))
        .first(conn)
        .await?;
    diesel::delete(
        broker_messages::table
            .filter(broker_messages::topic.eq(topic).and(broker_messages::partition.eq(i64::from(partition))))
            .filter(broker_messages::deliver_at.is_null().and(broker_messages::id.le(passed.unwrap_or(0)))),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Every cursor.
pub async fn cursors(conn: &mut Conn) -> Result<Vec<Cursor>, StoreError> {
    let rows: Vec<(String, i64, String, i64)> = broker_cursors::table.load(conn).await?;
    let cursor = |(topic, partition, subscription, acked): (String, i64, String, i64)| Cursor {
        topic,
        partition: partition as u32,
        subscription,
        acked_through: acked as u64,
    };
    Ok(rows.into_iter().map(cursor).collect())
}

/// Messages of an ordered partition after `after`.
pub async fn count_after(conn: &mut Conn, topic: &'static str, partition: u32, after: u64) -> Result<u64, StoreError> {
    let count: i64 = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(broker_messages::partition.eq(i64::from(partition))))
        .filter(broker_messages::deliver_at.is_null().and(broker_messages::id.gt(after as i64)))
        .count()
        .get_result(conn)
        .await?;
    Ok(count as u64)
}

/// Messages of a competing topic.
pub async fn count(conn: &mut Conn, topic: &'static str) -> Result<u64, StoreError> {
    let count: i64 = broker_messages::table
        .filter(broker_messages::topic.eq(topic).and(broker_messages::deliver_at.is_not_null()))
        .count()
        .get_result(conn)
        .await?;
    Ok(count as u64)
}

/// Messages of an ordered topic after `after`, in the order they were published, with the partition they stand in.
pub async fn read_topic(
    conn: &mut Conn,
    topic: &'static str,
    after: u64,
    limit: usize,
) -> Result<Vec<LogMessage>, StoreError> {
    // Not the topic itself: SQLite would read and sort all of it for each page, where the ids give them in their order.
    let of_topic = broker_messages::topic.concat("").eq(topic);
    let rows: Vec<(i64, i64, Vec<u8>, Vec<u8>)> = broker_messages::table
        .filter(of_topic.and(broker_messages::id.gt(after as i64)))
        .filter(broker_messages::deliver_at.is_null())
        .order(broker_messages::id)
        .limit(limit as i64)
        .select((broker_messages::id, broker_messages::partition, broker_messages::key, broker_messages::payload))
        .load(conn)
        .await?;
    let message = |(id, partition, key, payload): (i64, i64, Vec<u8>, Vec<u8>)| LogMessage {
        id: id as u64,
        partition: partition as u32,
        key: Bytes::from(key),
        payload: Bytes::from(payload),
    };
    Ok(rows.into_iter().map(message).collect())
}
