//! Events waiting to be published.

use bytes::Bytes;
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::schema::outbox;
use super::super::{Conn, bulk};
use crate::kernel::Timestamp;
use crate::model::messages::{NewEvent, Scope, StoredEvent};
use crate::store::StoreError;

/// Ids in one statement at most.
const CHUNK: usize = 500;

type Row = (i64, String, String, Vec<u8>, Option<Timestamp>);

/// Writes the events in the transaction of `conn`, in their order. Wake the relay after the commit.
pub async fn append(conn: &mut Conn, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
    bulk::insert_events(conn, events, now).await
}

/// The oldest events after `after` of this scope, in the order they were written, without those that are `sent`: each may be
/// hundreds of kilobytes, and they stand there until they are removed.
pub async fn claim(
    conn: &mut Conn,
    scope: &Scope,
    after: i64,
    sent: &[i64],
    limit: usize,
) -> Result<Vec<StoredEvent>, StoreError> {
    let waiting = outbox::table.filter(outbox::id.gt(after)).filter(outbox::id.ne_all(sent));
    let waiting = waiting.order(outbox::id).limit(limit as i64).select((
        outbox::id,
        outbox::topic,
        outbox::key,
        outbox::payload,
        outbox::deliver_at,
    ));
    let rows: Vec<Row> = match scope {
        Scope::Own(origin) => waiting.filter(outbox::origin.eq(origin)).load(conn).await?,
        Scope::WrittenBefore(moment) => waiting.filter(outbox::created_at.lt(*moment)).load(conn).await?,
    };
    let event = |(id, topic, key, payload, deliver_at): Row| StoredEvent {
        id,
        topic,
        key,
        payload: Bytes::from(payload),
        deliver_at,
    };
    Ok(rows.into_iter().map(event).collect())
}

/// Removes published events.
pub async fn delete(conn: &mut Conn, ids: &[i64]) -> Result<(), StoreError> {
    for chunk in ids.chunks(CHUNK) {
        diesel::delete(outbox::table.filter(outbox::id.eq_any(chunk))).execute(conn).await?;
    }
    Ok(())
}
