//! Messages that could not be handled: listing, replaying and dismissing them.

use serde_json::json;

use super::Control;
use crate::broker::{BrokerError, Failure, envelope};
use crate::kernel::text::is_line;
use crate::kernel::{AuditId, FailureId, Listed, Place, TicketId, Timestamp, UserId, Wanted};
use crate::model::audit::Audit;
use crate::model::messages::Topic;
use crate::model::order_requests::{OrderRequests, REQUESTS, REQUESTS_VERSION};
use crate::store::{self, StoreError};

/// Characters of a reason at most.
const REASON_MAX: usize = 500;
/// Dead-letter messages that are read at once.
const PAGE: usize = 100;
/// Dead-letter messages that are looked at for one page of a topic's, or to count them, at most.
const LOOKED_AT_MAX: usize = 10_000;
/// Acts on one message that are looked at.
const ACTS: i64 = 10;
const REPLAY: &str = "failure.replay";
const DISMISS: &str = "failure.dismiss";

/// A message that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Identity.
    pub id: FailureId,
    /// What is known of it.
    pub failure: Failure,
    /// When it was replayed or dismissed; `None`: it waits.
    pub handled_at: Option<Timestamp>,
}

impl DeadLetter {
    fn waiting((position, failure): (u64, Failure)) -> Self {
        Self { id: FailureId(position), failure, handled_at: None }
    }

    /// Its place among the others, the newest first.
    pub const fn place(&self) -> Place<FailureId> {
        Place { at: self.failure.at, id: self.id }
    }

    /// The ticket that it is about; `None` when it is about none, or about several.
    pub fn ticket(&self) -> Option<TicketId> {
        if self.failure.topic != Topic::OrderRequests.name() {
            return None;
        }
        let requests: OrderRequests = envelope::decode(REQUESTS, REQUESTS_VERSION, &self.failure.payload).ok()?;
        match &requests.tickets[..] {
            [one] => Some(one.ticket),
            _ => None,
        }
    }
}

/// What an operator wants done with a dead-letter message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Publish it to its topic again.
    Replay,
    /// Put it away without handling it.
    Dismiss,
}

/// Why nothing was done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureRefusal {
    /// No such message exists.
    NotFound,
    /// The message has already been replayed or dismissed.
    AlreadyHandled,
    /// Empty, too long, or with control characters.
    ReasonInvalid,
    /// This version can't read it.
    Unreadable,
}

/// The database or the broker does not answer now. What was wished for may have been done; wishing it again is safe.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FailuresError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

impl Control {
    /// A page of dead-letter messages, newest first: all, or those from this topic.
    pub async fn failures(
        &self,
        topic: Option<&str>,
        wanted: Wanted<Place<FailureId>>,
    ) -> Result<Listed<DeadLetter>, FailuresError> {
        let read =
            if wanted.from_end { self.oldest(topic, &wanted).await? } else { self.newest(topic, &wanted).await? };
        let total = match topic {
            _ if !wanted.count => 0,
            None => self.0.broker.backlog(Topic::Failures, "").await? as usize,
            Some(topic) => self.count(topic).await?,
        };
        Ok(Listed::of(read, &wanted, total))
    }

    async fn newest(
        &self,
        topic: Option<&str>,
        wanted: &Wanted<Place<FailureId>>,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        let mut before = wanted.after.map_or(u64::MAX, |place| place.id.0);
        let end = wanted.before.map_or(0, |place| place.id.0);
        let (mut read, mut looked_at) = (Vec::new(), 0);
        while read.len() < wanted.read() && looked_at < LOOKED_AT_MAX {
            let page = self.0.broker.failures_before(before, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            before = *last;
            looked_at += page.len();
            let here = page.into_iter().filter(|(position, _)| *position > end || wanted.before.is_none());
            read.extend(here.map(DeadLetter::waiting).filter(|dead_letter| is_of(dead_letter, topic)));
            if wanted.before.is_some() && before <= end {
                break;
            }
        }
        read.truncate(wanted.read());
        Ok(read)
    }

    async fn oldest(
        &self,
        topic: Option<&str>,
        wanted: &Wanted<Place<FailureId>>,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        let mut after = wanted.before.map_or(0, |place| place.id.0);
        let end = wanted.after.map_or(u64::MAX, |place| place.id.0);
        let (mut read, mut looked_at) = (Vec::new(), 0);
        while read.len() < wanted.read() && looked_at < LOOKED_AT_MAX {
            let page = self.0.broker.failures(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            looked_at += page.len();
            let here = page.into_iter().filter(|(position, _)| *position < end);
            read.extend(here.map(DeadLetter::waiting).filter(|dead_letter| is_of(dead_letter, topic)));
            if after >= end {
                break;
            }
        }
        read.truncate(wanted.read());
        Ok(read)
    }

    async fn count(&self, topic: &str) -> Result<usize, BrokerError> {
        let (mut after, mut count, mut looked_at) = (0, 0, 0);
        while looked_at < LOOKED_AT_MAX {
            let page = self.0.broker.failures(after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            looked_at += page.len();
            count += page.iter().filter(|(_, failure)| failure.topic == topic).count();
        }
        Ok(count)
    }

    /// A dead-letter message that waits.
    pub async fn failure(&self, id: FailureId) -> Result<Option<DeadLetter>, BrokerError> {
        let Some(before) = id.0.checked_sub(1) else { return Ok(None) };
        let found = self.0.broker.failures(before, 1).await?;
        Ok(found.into_iter().find(|(position, _)| *position == id.0).map(DeadLetter::waiting))
    }

    /// Does with a dead-letter message what an operator wishes, once, and writes it down first: nothing is done that is not in the log. If
    /// several wish at the same moment, one of them gets it, and the log has them all.
    pub async fn handle_failure(
        &self,
        operator: UserId,
        id: Option<FailureId>,
        wish: Wish,
        reason: &str,
    ) -> Result<Result<DeadLetter, FailureRefusal>, FailuresError> {
        let reason = reason.trim();
        if !is_line(reason, REASON_MAX) {
            return Ok(Err(FailureRefusal::ReasonInvalid));
        }
        let Some(id) = id else { return Ok(Err(FailureRefusal::NotFound)) };
        let Some(dead_letter) = self.failure(id).await? else {
            let handled = self.was_handled(id).await?;
            return Ok(Err(if handled { FailureRefusal::AlreadyHandled } else { FailureRefusal::NotFound }));
        };
        let DeadLetter { failure: Failure { topic, reason: why, .. }, .. } = &dead_letter;
        if wish == Wish::Replay && Topic::parse(topic).is_none() {
            return Ok(Err(FailureRefusal::Unreadable));
        }
        let now = self.0.clock.now();
        let audit = Audit {
            id: AuditId::generate(&self.0.clock, &self.0.rng),
            operator,
            act: if wish == Wish::Replay { REPLAY } else { DISMISS },
            subject: id.to_string(),
            detail: json!({ "topic": topic, "failure": why, "reason": reason }),
            at: now,
        };
        store::write!(&self.0.db, |conn| sql::catalog::write_down(conn, &audit).await)?;
        let done = match wish {
            Wish::Replay => self.0.broker.replay(id.0).await,
            Wish::Dismiss => self.0.broker.discard(id.0).await,
        };
        match done {
            Ok(true) => Ok(Ok(DeadLetter { handled_at: Some(now), ..dead_letter })),
            Ok(false) => Ok(Err(FailureRefusal::AlreadyHandled)),
            Err(BrokerError::Refused(reason)) => {
                tracing::warn!(%id, reason, "a dead-letter message was not replayed");
                Ok(Err(FailureRefusal::Unreadable))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn was_handled(&self, id: FailureId) -> Result<bool, StoreError> {
        let subject = id.to_string();
        let acts = store::read!(&self.0.db, |conn| sql::catalog::acts_on(conn, &subject, ACTS).await)?;
        Ok(acts.iter().any(|(_, act, _)| [REPLAY, DISMISS].contains(&act.as_str())))
    }
}

fn is_of(dead_letter: &DeadLetter, topic: Option<&str>) -> bool {
    topic.is_none_or(|topic| dead_letter.failure.topic == topic)
}
