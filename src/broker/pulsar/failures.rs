//! Dead-letter messages: looked at through the admin API, which shows what is not acknowledged, and taken by acknowledging them.

use std::sync::Arc;
use std::time::Duration;

use ::pulsar::SubType;
use ::pulsar::message::proto::MessageIdData;

use super::admin::{Begin, Peeked};
use super::clients::Use;
use super::feed::{Feed, Plan};
use super::names::{COMPETING, Place};
use super::position;
use super::shared::Shared;
use crate::broker::{BrokerError, Failure};
use crate::model::messages::Topic;

/// How often it is looked whether an acknowledgement has arrived.
const ACK_POLL: Duration = Duration::from_millis(20);

fn place(shared: &Shared) -> Result<Place, BrokerError> {
    shared.names.competing(Topic::Failures).pop().ok_or(BrokerError::Closed)
}

async fn peek(shared: &Shared, number: u64) -> Result<Option<Peeked>, BrokerError> {
    shared.admin.peek(&place(shared)?, COMPETING, number).await
}

/// The number of the first dead-letter message at or after `position`. They are numbered from 1 in their order.
async fn first_at(shared: &Shared, position: u64) -> Result<u64, BrokerError> {
    let (mut low, mut high) = (1, shared.admin.internal(&place(shared)?).await?.backlog(COMPETING) + 1);
    while low < high {
        let middle = low.midpoint(high);
        match peek(shared, middle).await? {
            Some(found) if found.position < position => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Dead-letter messages behind `after`.
pub(super) async fn list(shared: &Shared, after: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
    let mut failures = Vec::new();
    let mut number = first_at(shared, after.saturating_add(1)).await?;
    while failures.len() < max {
        let Some(Peeked { position, payload }) = peek(shared, number).await? else { break };
        number += 1;
        match Failure::decode(&payload) {
            Ok(failure) => failures.push((position, failure)),
            Err(error) => tracing::error!(position, %error, "could not decode a dead-letter message"),
        }
    }
    Ok(failures)
}

/// Dead-letter messages before the position `before`, newest first.
pub(super) async fn list_back(shared: &Shared, before: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
    let mut failures = Vec::new();
    let mut number = first_at(shared, before).await?;
    while failures.len() < max && number > 1 {
        number -= 1;
        // One that is taken meanwhile moves those behind it: what has been seen is not shown again.
        let Some(Peeked { position, payload }) = peek(shared, number).await? else { continue };
        if position >= failures.last().map_or(before, |(seen, _)| *seen) {
            continue;
        }
        match Failure::decode(&payload) {
            Ok(failure) => failures.push((position, failure)),
            Err(error) => tracing::error!(position, %error, "could not decode a dead-letter message"),
        }
    }
    Ok(failures)
}

/// The dead-letter message at this position.
pub(super) async fn find(shared: &Shared, position: u64) -> Result<Option<Peeked>, BrokerError> {
    let number = first_at(shared, position).await?;
    Ok(peek(shared, number).await?.filter(|found| found.position == position))
}

/// Removes a dead-letter message and confirms that it is gone.
pub(super) async fn remove(shared: &Arc<Shared>, position: u64) -> Result<(), BrokerError> {
    let Some((ledger_id, entry_id)) = position::unpack(position) else { return Ok(()) };
    let plan = Plan {
        place: place(shared)?,
        subscription: COMPETING.to_owned(),
        kind: SubType::Shared,
        begin: Begin::Earliest,
        purpose: Use::Consume,
        priority: 0,
        redeliver_after: None,
    };
    let mut feed = Feed::new(shared.clone(), plan).attached().await?;
    feed.ack(MessageIdData { ledger_id, entry_id, ..MessageIdData::default() }, false).await;
    // The answer to this comes behind the acknowledgement.
    feed.leave(false).await;
    while find(shared, position).await?.is_some() {
        tokio::time::sleep(ACK_POLL).await;
    }
    Ok(())
}
