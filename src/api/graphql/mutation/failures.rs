//! What operators do with messages that could not be handled.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, failures_fault};
use crate::api::graphql::types::failures::Failure;
use crate::api::graphql::types::user_error::user_error;
use crate::control::failures::{FailureRefusal, Parked, Wish};

const REASON: &str = "The reason must be 1 to 500 characters on one line.";
const NOT_FOUND: &str = "There is no such message.";
const HANDLED: &str = "The message was replayed or put away before.";
const UNREADABLE: &str = "This version of the server can't read the message.";

/// Which message to handle once more.
#[derive(InputObject)]
pub struct FailureReplayInput {
    /// The parked message.
    pub failure_id: ID,
    /// For the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why a message was not handled once more. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureReplayErrorCode {
    /// It was replayed or put away before.
    FailureAlreadyHandled,
    /// There is no such message.
    FailureNotFound,
    /// The reason is missing, too long, or has control characters.
    ReasonInvalid,
    /// This version can't read the message.
    Unreadable,
}

user_error! {
    /// Why a message was not handled once more.
    FailureReplayUserError, FailureReplayErrorCode
}

/// What came of the wish to handle a message once more.
#[derive(SimpleObject, Default)]
pub struct FailureReplayPayload {
    /// The message, on its way again; null when there are user errors.
    pub failure: Option<Failure>,
    /// Why it was not sent; empty on success.
    pub user_errors: Vec<FailureReplayUserError>,
}

/// Which message to put away.
#[derive(InputObject)]
pub struct FailureDismissInput {
    /// The parked message.
    pub failure_id: ID,
    /// For the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why a message was not put away. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureDismissErrorCode {
    /// It was replayed or put away before.
    FailureAlreadyHandled,
    /// There is no such message.
    FailureNotFound,
    /// The reason is missing, too long, or has control characters.
    ReasonInvalid,
}

user_error! {
    /// Why a message was not put away.
    FailureDismissUserError, FailureDismissErrorCode
}

/// What came of putting a message away.
#[derive(SimpleObject, Default)]
pub struct FailureDismissPayload {
    /// The message, put away; null when there are user errors.
    pub failure: Option<Failure>,
    /// Why it was not put away; empty on success.
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

async fn handle(ctx: &Context<'_>, id: &ID, wish: Wish, reason: &str) -> Result<Result<Parked, FailureRefusal>> {
    let operator = ctx.require_operator()?;
    let answer = ctx.services().control.handle_failure(operator.id, id.parse().ok(), wish, reason).await;
    answer.map_err(|error| failures_fault(&error))
}

/// Mutations of messages that could not be handled.
#[derive(Default)]
pub struct FailuresMutation;

#[Object]
impl FailuresMutation {
    /// Operators: has a parked message handled once more. Handling is safe to repeat. Audited.
    async fn failure_replay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message to handle once more.")] input: FailureReplayInput,
    ) -> Result<FailureReplayPayload> {
        Ok(match handle(ctx, &input.failure_id, Wish::Replay, &input.reason).await? {
            Ok(parked) => FailureReplayPayload { failure: Some(Failure(parked)), user_errors: Vec::new() },
            Err(refusal) => FailureReplayPayload { failure: None, user_errors: vec![replay_error(refusal)] },
        })
    }

    /// Operators: puts a parked message away without handling it; its buyer was told already. Audited.
    async fn failure_dismiss(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which message to put away.")] input: FailureDismissInput,
    ) -> Result<FailureDismissPayload> {
        Ok(match handle(ctx, &input.failure_id, Wish::Dismiss, &input.reason).await? {
            Ok(parked) => FailureDismissPayload { failure: Some(Failure(parked)), user_errors: Vec::new() },
            Err(refusal) => FailureDismissPayload { failure: None, user_errors: vec![dismiss_error(refusal)?] },
        })
    }
}
