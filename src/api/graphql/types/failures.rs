//! Messages that could not be handled, for operators.

use async_graphql::{Context, ID, Object, Result};

use super::connection::{PageArgs, Position, connection};
use super::scalars::DateTime;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::failures_fault;
use crate::control::failures::DeadLetter;
use crate::kernel::{FailureId, Place};

/// Bytes of a message that are shown at most.
const SHOWN_MAX: usize = 64 * 1024;

connection! {
    /// A page of dead-letter messages, newest first.
    FailureConnection, FailureEdge, Failure
}

/// A dead-letter message: one that could not be processed. Its buyer has been notified.
#[derive(Clone)]
pub struct Failure(pub DeadLetter);

impl Failure {
    /// What is shown of it, and whether that is not all.
    fn shown(&self) -> (String, bool) {
        let mut text = self.0.failure.readable();
        let end = (0..=SHOWN_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let cut = end < text.len();
        text.truncate(end);
        (text, cut)
    }
}

/// A dead-letter message: one that could not be processed. Its buyer has been notified.
#[Object]
impl Failure {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The topic that the message came from.
    async fn topic(&self) -> &str {
        &self.0.failure.topic
    }

    /// Why the message could not be processed.
    async fn reason(&self) -> &str {
        &self.0.failure.reason
    }

    /// When the message was moved to the dead-letter queue.
    async fn failed_at(&self) -> DateTime {
        DateTime(self.0.failure.at)
    }

    /// Its key and payload as JSON, each as far as it can be read: `{"key": {"text": …}, "payload": {"json": …}}`; what can't be read is
    /// `base64`. At most 64 KiB, then cut.
    async fn payload(&self) -> String {
        self.shown().0
    }

    /// Whether `payload` was truncated.
    async fn truncated(&self) -> bool {
        self.shown().1
    }

    /// The ticket in the message, whose buyer has been notified. Null if it contains none or several.
    async fn ticket_id(&self) -> Option<ID> {
        self.0.ticket().map(|ticket| ID(ticket.to_string()))
    }

    /// When the message was replayed or dismissed. Null if it is still waiting.
    async fn handled_at(&self) -> Option<DateTime> {
        self.0.handled_at.map(DateTime)
    }
}

/// A page of the dead-letter messages.
pub async fn list_failures(ctx: &Context<'_>, topic: Option<&str>, args: &PageArgs) -> Result<FailureConnection> {
    let services = ctx.services();
    let request = args.check::<8>(&services.config.graphql)?;
    let wanted = request.wanted(ctx, |place| Place { at: place.at, id: FailureId::from_bytes(place.id) });
    let listed = services.control.failures(topic, wanted).await.map_err(|error| failures_fault(&error))?;
    let cursor =
        |dead_letter: &DeadLetter| Position { at: dead_letter.place().at, id: dead_letter.id.to_bytes() }.encode();
    Ok(FailureConnection(request.page(listed, cursor, Failure)))
}
