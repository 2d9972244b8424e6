//! Users, the viewer, access tokens.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::connection::{PageArgs, connection};
pub use super::objects::User;
use super::orders::{OrderConnection, OrderStatus, list_orders};
use super::points::{PointsAccount, account_of};
use super::scalars::DateTime;
use super::second_factor::SecondFactor;
use crate::accounts;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, accounts_fault};
use crate::kernel::UserId;
use crate::model::accounts::Role;
use crate::model::rights::Right;

/// The roles of users.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserRole {
    /// Can buy in sales, as all others can too.
    Buyer,
    /// Can look up buyers and their orders, and refund payments up to a limit (`accounts.support_refund_max_minor`).
    Support,
    /// Can see everything in the control room, and change nothing.
    Observer,
    /// Can manage the shop.
    Operator,
}

impl From<Role> for UserRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Buyer => Self::Buyer,
            Role::Support => Self::Support,
            Role::Observer => Self::Observer,
            Role::Operator => Self::Operator,
        }
    }
}

impl From<UserRole> for Role {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Buyer => Self::Buyer,
            UserRole::Support => Self::Support,
            UserRole::Observer => Self::Observer,
            UserRole::Operator => Self::Operator,
        }
    }
}

connection! {
    /// A page of users, sorted by username.
    UserConnection, UserEdge, User
}

/// A registered user.
#[Object]
impl User {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The unique name used to sign in, in lower case.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// The name that other users see.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// The user's role.
    async fn role(&self) -> UserRole {
        self.0.role.into()
    }

    /// When the user signed up.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// The user's orders, newest first. Null unless the viewer has a role of the staff.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Option<Result<OrderConnection>> {
        ctx.require(Right::SeeBuyers).ok()?;
        Some(list_orders(ctx, self.0.id, None, &PageArgs { first, after, last, before }).await)
    }

    /// The user's loyalty points. Null unless the viewer has a role of the staff.
    async fn points(&self, ctx: &Context<'_>) -> Option<Result<PointsAccount>> {
        ctx.require(Right::SeeBuyers).ok()?;
        Some(account_of(ctx, self.0.id).await)
    }
}

/// The signed-in user and their private data.
pub struct Viewer {
    /// Who.
    pub id: UserId,
}

/// The signed-in user and their private data.
#[Object]
impl Viewer {
    /// The user.
    async fn user(&self, ctx: &Context<'_>) -> Result<User> {
        let user = ctx.services().accounts.user(self.id).await.map_err(|error| accounts_fault(&error))?;
        // Users are never removed, but a database may be put back to an older state under a running node.
        user.map(User).ok_or_else(|| Code::Unauthenticated.error("Please sign in first."))
    }

    /// When the current sign-in expires. Each use extends it; that of staff at most until `accounts.staff_session` after the sign-in.
    async fn signed_in_until(&self, ctx: &Context<'_>) -> Result<DateTime> {
        let token = ctx.request().token.as_deref().unwrap_or_default();
        let until = ctx.services().accounts.signed_in_until(token).await.map_err(|error| accounts_fault(&error))?;
        until.map(DateTime).ok_or_else(|| Code::Unauthenticated.error("Please sign in first."))
    }

    /// The viewer's second factor. Null for buyers, who are never asked for one.
    async fn second_factor(&self, ctx: &Context<'_>) -> Option<Result<SecondFactor>> {
        let state = ctx.services().accounts.factor_state(ctx.viewer()?).await;
        state.map(|state| state.map(SecondFactor)).map_err(|error| accounts_fault(&error)).transpose()
    }

    /// The viewer's loyalty points.
    async fn points(&self, ctx: &Context<'_>) -> Result<PointsAccount> {
        account_of(ctx, self.id).await
    }

    /// The viewer's orders, newest first.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Filter by status. Defaults to all orders.")] statuses: Option<Vec<OrderStatus>>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<OrderConnection> {
        list_orders(ctx, self.id, statuses, &PageArgs { first, after, last, before }).await
    }
}

/// An access token. Send it as `Authorization: Bearer <token>`.
pub struct AccessToken(pub accounts::AccessToken);

/// An access token. Send it as `Authorization: Bearer <token>`.
#[Object]
impl AccessToken {
    /// The token itself: an opaque secret, which is returned only once.
    async fn token(&self) -> &str {
        &self.0.token
    }

    /// When the token expires. Each use of the token extends it; that of staff at most until `accounts.staff_session` after the sign-in.
    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
}
