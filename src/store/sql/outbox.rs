//! Events that wait to be published.

use diesel::ExpressionMethods;
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::outbox;
use crate::broker::outbox::NewEvent;
use crate::kernel::Timestamp;
use crate::store::StoreError;

/// Writes the events in the transaction of `conn`, in their order.
pub async fn append(conn: &mut Conn, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
    for event in events {
        diesel::insert_into(outbox::table)
            .values((
                outbox::topic.eq(event.topic.name()),
                outbox::key.eq(&event.key),
                outbox::payload.eq(event.payload.to_vec()),
                outbox::deliver_at.eq(event.deliver_at),
                outbox::created_at.eq(now),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}
