//! Inserts of many rows: one statement with many rows, to save round trips.

use std::sync::Arc;

use diesel::ExpressionMethods;
use diesel_async::RunQueryDsl;

use super::Conn;
use super::schema::{broker_messages, outbox};
use crate::broker::embedded::rows::NewMessage;
use crate::broker::outbox::NewEvent;
use crate::kernel::Timestamp;
use crate::store::StoreError;

/// Rows in one statement at most; a statement may have 65535 parameters.
const CHUNK: usize = 1_000;

/// Appends messages to the broker's log.
pub async fn insert_messages(conn: &mut Conn, messages: Arc<[NewMessage]>, now: Timestamp) -> Result<(), StoreError> {
    for chunk in messages.chunks(CHUNK) {
        let row = |message: &NewMessage| {
            (
                broker_messages::topic.eq(message.topic.name()),
                broker_messages::partition.eq(i64::from(message.partition)),
                broker_messages::key.eq(message.key.to_vec()),
                broker_messages::payload.eq(message.payload.to_vec()),
                broker_messages::deliver_at.eq(message.deliver_at),
                broker_messages::published_at.eq(now),
            )
        };
        let rows = chunk.iter().map(row).collect::<Vec<_>>();
        diesel::insert_into(broker_messages::table).values(rows).execute(conn).await?;
    }
    Ok(())
}

/// Writes events into the outbox.
pub async fn insert_events(conn: &mut Conn, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
    for chunk in events.chunks(CHUNK) {
        let row = |event: &NewEvent| {
            (
                outbox::topic.eq(event.topic.name()),
                outbox::key.eq(event.key.clone()),
                outbox::payload.eq(event.payload.to_vec()),
                outbox::deliver_at.eq(event.deliver_at),
                outbox::created_at.eq(now),
            )
        };
        let rows = chunk.iter().map(row).collect::<Vec<_>>();
        diesel::insert_into(outbox::table).values(rows).execute(conn).await?;
    }
    Ok(())
}
