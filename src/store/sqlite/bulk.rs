//! Inserts of many rows: one prepared statement, run once per row on the thread that holds the connection. SQLite gains
//! nothing from a longer statement, and parsing one for each number of rows would cost.

use std::sync::Arc;

use diesel::{ExpressionMethods, RunQueryDsl};

use super::Conn;
use super::schema::{broker_messages, outbox};
use crate::broker::embedded::rows::NewMessage;
use crate::broker::outbox::NewEvent;
use crate::kernel::Timestamp;
use crate::store::StoreError;

/// Appends messages to the broker's log.
pub async fn insert_messages(conn: &mut Conn, messages: Arc<[NewMessage]>, now: Timestamp) -> Result<(), StoreError> {
    let insert = move |conn: &mut _| {
        for message in messages.iter() {
            diesel::insert_into(broker_messages::table)
                .values((
                    broker_messages::topic.eq(message.topic.name()),
                    broker_messages::partition.eq(i64::from(message.partition)),
                    broker_messages::key.eq(&message.key[..]),
                    broker_messages::payload.eq(&message.payload[..]),
                    broker_messages::deliver_at.eq(message.deliver_at),
                    broker_messages::published_at.eq(now),
                ))
                .execute(conn)?;
        }
        Ok(())
    };
    Ok(conn.spawn_blocking(insert).await?)
}

/// Writes events into the outbox.
pub async fn insert_events(conn: &mut Conn, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
    let events = events.to_vec();
    let insert = move |conn: &mut _| {
        for event in &events {
            diesel::insert_into(outbox::table)
                .values((
                    outbox::topic.eq(event.topic.name()),
                    outbox::key.eq(&event.key),
                    outbox::payload.eq(&event.payload[..]),
                    outbox::deliver_at.eq(event.deliver_at),
                    outbox::created_at.eq(now),
                ))
                .execute(conn)?;
        }
        Ok(())
    };
    Ok(conn.spawn_blocking(insert).await?)
}
