//! What operators do with messages that could not be handled.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, failures_fault};
use crate::api::graphql::types::failures::Failure;
use crate::api::graphql::types::user_error::user_error;
use crate::control::failures::{DeadLetter, FailureRefusal, Wish};
use crate::model::rights::Right;

const REASON: &str = "The reason must be 1 to 500 characters on one line.";
const NOT_FOUND: &str = "No such message exists.";
const HANDLED: &str = "The message has already been replayed or dismissed.";
const UNREADABLE: &str = "This version of the server can't read the message.";

/// The message to replay, and the reason.
#[derive(InputObject)]
pub struct FailureReplayInput {
    /// The dead-letter message.
    pub failure_id: ID,
    /// The reason, for the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why the message was not replayed. Values are stable, so programs may rely on them.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReplayErrorCode {
    /// The message has already been replayed or dismissed.
    FailureAlreadyHandled,
    /// No such message exists.
    FailureNotFound,
    /// The reason is missing, too long, or contains control characters.
    ReasonInvalid,
    /// This version of the program can't decode the message.
    Unreadable,
}

user_error! {
    /// Why the message was not replayed.
    FailureReplayUserError, FailureReplayErrorCode
}

/// The result of replaying a message.
#[derive(SimpleObject, Default)]
pub struct FailureReplayPayload {
    /// The replayed message. Null when there are user errors.
    pub failure: Option<Failure>,
    /// Why the message was not replayed. Empty on success.
    pub user_errors: Vec<FailureReplayUserError>,
}

/// The message to dismiss, and the reason.
#[derive(InputObject)]
pub struct FailureDismissInput {
    /// The dead-letter message.
    pub failure_id: ID,
    /// The reason, for the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why the message was not dismissed. Values are stable, so programs may rely on them.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureDismissErrorCode {
    /// The message has already been replayed or dismissed.
    FailureAlreadyHandled,
    /// No such message exists.
    FailureNotFound,
    /// The reason is missing, too long, or contains control characters.
    ReasonInvalid,
}

user_error! {
    /// Why the message was not dismissed.
    FailureDismissUserError, FailureDismissErrorCode
}

/// The result of dismissing a message.
#[derive(SimpleObject, Default)]
pub struct FailureDismissPayload {
    /// The dismissed message. Null when there are user errors.
    pub failure: Option<Failure>,
    /// Why the message was not dismissed. Empty on success.
    pub user_errors: Vec<FailureDismissUserError>,
}

fn replay_error(refusal: FailureRefusal) -> FailureReplayUserError {
    use FailureReplayErrorCode as Code;
    type Told = FailureReplayUserError;
    match refusal {
        FailureRefusal::NotFound => Told::about(Code::FailureNotFound, NOT_FOUND, "failureId"),
        FailureRefusal::AlreadyHandled => Told::about(Code::FailureAlreadyHandled, HANDLED, "failureId"),
        FailureRefusal::ReasonInvalid => Told::about(Code::ReasonInvalid, REASON, "reason"),
        FailureRefusal::Unreadable => Told::about(Code::Unreadable, UNREADABLE, "failureId"),
    }
}

fn dismiss_error(refusal: FailureRefusal) -> Result<FailureDismissUserError> {
    use FailureDismissErrorCode as Codes;
    type Told = FailureDismissUserError;
    Ok(match refusal {
        FailureRefusal::NotFound => Told::about(Codes::FailureNotFound, NOT_FOUND, "failureId"),
        FailureRefusal::AlreadyHandled => Told::about(Codes::FailureAlreadyHandled, HANDLED, "failureId"),
        FailureRefusal::ReasonInvalid => Told::about(Codes::ReasonInvalid, REASON, "reason"),
        FailureRefusal::Unreadable => {
            tracing::error!(?refusal, "refusal without a code");
            return Err(Code::InternalServerError.error("Something went wrong on our side."));
        }
    })
}

async fn handle(ctx: &Context<'_>, id: &ID, wish: Wish, reason: &str) -> Result<Result<DeadLetter, FailureRefusal>> {
    let operator = ctx.require(Right::HandleFailures)?;
    let answer = ctx.services().control.handle_failure(operator.id, id.parse().ok(), wish, reason).await;
    answer.map_err(|error| failures_fault(&error))
}

/// Mutations of messages that could not be handled.
#[derive(Default)]
pub struct FailuresMutation;

#[Object]
impl FailuresMutation {
    /// Replays a dead-letter message. Processing a message twice is safe. Operators only; audited.
    async fn failure_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to replay, and the reason.")] input: FailureReplayInput,
    ) -> Result<FailureReplayPayload> {
        Ok(match handle(ctx, &input.failure_id, Wish::Replay, &input.reason).await? {
            Ok(dead_letter) => FailureReplayPayload { failure: Some(Failure(dead_letter)), user_errors: Vec::new() },
            Err(refusal) => FailureReplayPayload { failure: None, user_errors: vec![replay_error(refusal)] },
        })
    }

    /// Dismisses a dead-letter message without processing it. Its buyer has already been notified. Operators only; audited.
    async fn failure_dismiss(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message to dismiss, and the reason.")] input: FailureDismissInput,
    ) -> Result<FailureDismissPayload> {
        Ok(match handle(ctx, &input.failure_id, Wish::Dismiss, &input.reason).await? {
            Ok(dead_letter) => FailureDismissPayload { failure: Some(Failure(dead_letter)), user_errors: Vec::new() },
            Err(refusal) => FailureDismissPayload { failure: None, user_errors: vec![dismiss_error(refusal)?] },
        })
    }
}
