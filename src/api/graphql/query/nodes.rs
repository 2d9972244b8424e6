//! The state of the servers, and what could not be handled, for operators.

use async_graphql::{Context, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, broker_fault, store_fault};
use crate::api::graphql::types::books::BooksAudit;
use crate::api::graphql::types::connection::PageArgs;
use crate::api::graphql::types::failures::{FailureConnection, list_failures};
use crate::api::graphql::types::nodes::{Job, Queue, ServerNode};
use crate::model::rights::Right;

/// Queries of nodes, jobs, queues, dead-letter messages and the verification of the records.
#[derive(Default)]
pub struct NodesQuery;

#[Object]
impl NodesQuery {
    /// Operators and observers: the nodes that run or ran until a moment ago.
    async fn server_nodes(&self, ctx: &Context<'_>) -> Result<Vec<ServerNode>> {
        ctx.require(Right::SeeShop)?;
        let nodes = ctx.services().control.nodes().await.map_err(|error| store_fault(&error))?;
        Ok(nodes.into_iter().map(ServerNode).collect())
    }

    /// Operators and observers: jobs that one node at a time does, and which.
    async fn jobs(&self, ctx: &Context<'_>) -> Result<Vec<Job>> {
        ctx.require(Right::SeeShop)?;
        let jobs = ctx.services().control.jobs().await.map_err(|error| store_fault(&error))?;
        Ok(jobs.into_iter().map(Into::into).collect())
    }

    /// Operators and observers: what waits in the broker.
    async fn queues(&self, ctx: &Context<'_>) -> Result<Vec<Queue>> {
        ctx.require(Right::SeeShop)?;
        let queues = ctx.services().control.queues().await.map_err(|error| broker_fault(&error))?;
        Ok(queues.into_iter().map(Into::into).collect())
    }

    /// Operators and observers: messages that could not be handled and wait for a person, newest first.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn failures(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only from this topic.")] topic: Option<String>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<FailureConnection> {
        ctx.require(Right::SeeShop)?;
        list_failures(ctx, topic.as_deref(), &PageArgs { first, after, last, before }).await
    }

    /// Verifies the records, like `doorbuster payments audit`. Operators and observers only. Fails
    /// with `UNAVAILABLE` while another verification runs.
    async fn books_audit(&self, ctx: &Context<'_>) -> Result<BooksAudit> {
        ctx.require(Right::SeeShop)?;
        let checked = ctx.services().control.check_books().await.map_err(|error| store_fault(&error))?;
        let busy = || Code::Unavailable.retry("The books are being checked already. Please try again shortly.", 5);
        checked.map(|(report, at)| BooksAudit(report, at)).ok_or_else(busy)
    }
}
