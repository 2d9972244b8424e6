//! What operators did and looked at, and who tried to sign in.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::connection::connection;
use super::find::find_user;
pub use super::objects::AuditEntry;
use super::objects::User;
use super::scalars::DateTime;
use crate::accounts;
use crate::api::graphql::error::Code;
use crate::api::graphql::query::node::{Node, find_for_operator};

connection! {
    /// A page of audit log entries, newest first.
    AuditEntryConnection, AuditEntryEdge, AuditEntry
}

/// An audit log entry: an operator's action, or data that an operator looked up.
#[Object]
impl AuditEntry {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// Who.
    async fn operator(&self, ctx: &Context<'_>) -> Result<User> {
        // Users are never removed.
        find_user(ctx, self.0.operator)
            .await?
            .ok_or_else(|| Code::InternalServerError.error("Something went wrong on our side."))
    }

    /// What, such as `sale.pause`.
    async fn act(&self) -> &str {
        &self.0.act
    }

    /// The ID of the affected object. Empty if it was a list.
    async fn subject(&self) -> ID {
        ID(self.0.subject.clone())
    }

    /// The affected object, if it still exists and can be returned.
    async fn subject_node(&self, ctx: &Context<'_>) -> Option<Result<Node>> {
        find_for_operator(ctx, &self.0.subject).await.transpose()
    }

    /// The change or the search criteria, as JSON.
    async fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The reason that the operator gave. Null if none was given.
    async fn reason(&self) -> Option<String> {
        self.0.reason()
    }
}

/// A filter of audit log entries. All given conditions must match.
#[derive(InputObject, Default)]
pub struct AuditFilterInput {
    /// The operator's username.
    pub operator: Option<String>,
    /// Only this action, or actions that start with this prefix, such as `sale.`.
    pub act: Option<String>,
    /// The affected object.
    pub subject: Option<ID>,
    /// At or after.
    pub from: Option<DateTime>,
    /// Before.
    pub until: Option<DateTime>,
}

connection! {
    /// A page of attempts to sign in, newest first.
    SignInAttemptConnection, SignInAttemptEdge, SignInAttempt
}

/// An attempt to sign in or up, or a change of who is signed in.
#[derive(Clone)]
pub struct SignInAttempt(pub accounts::SignInAttempt);

/// An attempt to sign in or up, or a change of who is signed in.
#[Object]
impl SignInAttempt {
    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// The username that was given; empty when it can't be one.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// From where.
    async fn address(&self) -> &str {
        &self.0.address
    }

    /// The outcome: `SIGNED_UP`, `SIGN_UP_REFUSED`, `SIGNED_IN`, `INVALID_CREDENTIALS`, `PASSWORD_CHANGED`,
    /// `SIGNED_OUT_EVERYWHERE`, `SECOND_FACTOR_REQUIRED` (the password was right, and a code is needed), `SECOND_FACTOR_INVALID` or
    /// `UNAVAILABLE`.
    async fn outcome(&self) -> &str {
        &self.0.outcome
    }

    /// Whose account it is; null when there is none.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        find_user(ctx, self.0.user?).await.transpose()
    }
}
