//! What operators do with points.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{accounts_fault, store_fault};
use crate::api::graphql::types::points::{PointsAccount, PointsEntry};
use crate::api::graphql::types::user_error::user_error;
use crate::kernel::UserId;
use crate::points::{Grant, GrantRefusal};

/// What to give, and to whom: give either `username` or `userId`.
#[derive(InputObject)]
pub struct PointsGrantInput {
    /// The name that the user signs in with.
    pub username: Option<String>,
    /// The user's id.
    pub user_id: Option<ID>,
    /// How many points, at least 1.
    pub points: i32,
    /// Why: 1 to 200 characters on one line, of which something is visible. The user can read it.
    pub reason: String,
    /// Chosen by the client for this one grant: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gives once, however often it is sent.
    pub idempotency_key: String,
}

/// Why no points were granted. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "GrantRefusal")]
pub enum PointsGrantErrorCode {
    /// There is no such user, or not exactly one of `username` and `userId` was given.
    UserNotFound,
    /// Fewer than 1, or more than one grant may give.
    PointsInvalid,
    /// The reason shows nothing, is too long, or has line breaks or other controls.
    ReasonInvalid,
    /// The key is too short, too long, or has other characters.
    IdempotencyKeyInvalid,
    /// The operator used the key before for another grant.
    IdempotencyKeyReused,
    /// The account would hold more than an account may.
    BalanceTooLarge,
}

user_error! {
    /// Why no points were granted.
    PointsGrantUserError, PointsGrantErrorCode
}

impl From<GrantRefusal> for PointsGrantUserError {
    fn from(refusal: GrantRefusal) -> Self {
        let (field, message) = match refusal {
            GrantRefusal::UserNotFound => ("username", "There is no such user."),
            GrantRefusal::PointsInvalid => ("points", "The points are fewer than 1 or more than one grant may give."),
            GrantRefusal::ReasonInvalid => {
                ("reason", "The reason must have 1 to 200 characters on one line, and something of it must be visible.")
            }
            GrantRefusal::IdempotencyKeyInvalid => {
                ("idempotencyKey", "The idempotency key must be 8 to 64 of A-Z, a-z, 0-9, _ and -.")
            }
            GrantRefusal::IdempotencyKeyReused => {
                ("idempotencyKey", "The idempotency key was used before for another grant.")
            }
            GrantRefusal::BalanceTooLarge => ("points", "The account would hold more points than an account may."),
        };
        Self::about(refusal.into(), message, field)
    }
}

/// What came of granting points.
#[derive(SimpleObject, Default)]
pub struct PointsGrantPayload {
    /// The line in the user's account; null when there are user errors.
    pub points_entry: Option<PointsEntry>,
    /// The user's account as it now is; null when there are user errors.
    pub points_account: Option<PointsAccount>,
    /// Everything that is wrong with the input; empty on success.
    pub user_errors: Vec<PointsGrantUserError>,
}

/// Mutations of points.
#[derive(Default)]
pub struct PointsMutation;

#[Object]
impl PointsMutation {
    /// Gives loyalty points to a user, and notes who did it and why. For operators.
    async fn points_grant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to give, and to whom.")] input: PointsGrantInput,
    ) -> Result<PointsGrantPayload> {
        let operator = ctx.require_operator()?;
        let points = &ctx.services().points;
        let PointsGrantInput { username, user_id, points: amount, reason, idempotency_key: key } = input;
        let user = match (username, user_id) {
            (Some(name), None) => points.user_named(&name).await.map_err(|error| store_fault(&error))?,
            (None, Some(id)) => find_user(ctx, &id).await?,
            _ => None,
        };
        let grant = Grant { user, points: amount.into(), reason, key };
        Ok(match points.grant(operator.id, grant).await.map_err(|error| store_fault(&error))? {
            Ok(granted) => PointsGrantPayload {
                points_entry: Some(PointsEntry(granted.entry)),
                points_account: Some(PointsAccount(granted.account)),
                user_errors: Vec::new(),
            },
            Err(refusals) => PointsGrantPayload {
                user_errors: refusals.into_iter().map(Into::into).collect(),
                ..PointsGrantPayload::default()
            },
        })
    }
}

async fn find_user(ctx: &Context<'_>, id: &ID) -> Result<Option<UserId>> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let found = ctx.services().accounts.user(id).await.map_err(|error| accounts_fault(&error))?;
    Ok(found.map(|user| user.id))
}
