//! What operators did and looked at, and who tried to sign in.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::accounts::{User, find_user};
use super::connection::connection;
use super::scalars::DateTime;
use crate::accounts;
use crate::api::graphql::error::Code;
use crate::api::graphql::query::node::{Node, find_for_operator};
use crate::control::audit_log::Entry;

connection! {
    /// A page of what operators did and looked at, newest first.
    AuditEntryConnection, AuditEntryEdge, AuditEntry
}

/// Something that an operator did or looked at.
#[derive(Clone)]
pub struct AuditEntry(pub Entry);

/// Something that an operator did or looked at.
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

    /// What it was done to: an id. Empty when it was a list.
    async fn subject(&self) -> ID {
        ID(self.0.subject.clone())
    }

    /// That object, if it can be shown.
    async fn subject_node(&self, ctx: &Context<'_>) -> Option<Result<Node>> {
        find_for_operator(ctx, &self.0.subject).await.transpose()
    }

    /// What was changed or looked for, as JSON.
    async fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Why, in the operator's words; null when none was given.
    async fn reason(&self) -> Option<String> {
        self.0.reason()
    }
}

/// What entries to look for: all that is given must hold.
#[derive(InputObject, Default)]
pub struct AuditFilterInput {
    /// By this operator's username.
    pub operator: Option<String>,
    /// Only such acts, or those that begin so: `sale.`
    pub act: Option<String>,
    /// About this object.
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

    /// What came of it: `SIGNED_UP`, `SIGN_UP_REFUSED`, `SIGNED_IN`, `INVALID_CREDENTIALS`, `PASSWORD_CHANGED`,
    /// `SIGNED_OUT_EVERYWHERE` or `UNAVAILABLE`.
    async fn outcome(&self) -> &str {
        &self.0.outcome
    }

    /// Whose account it is; null when there is none.
    async fn user(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        find_user(ctx, self.0.user?).await.transpose()
    }
}
