//! A way around the executor for operations that are sent by the thousand. Whether one fits an operation is decided once,
//! when its document is first seen; what does not fit in any way is left to the executor.

use std::sync::Arc;

use async_graphql::parser::types::OperationDefinition;
use async_graphql::{Response, Variables};
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::api::graphql::context::RequestInfo;

/// Finds plans for operations of valid documents.
pub trait Shortcut: Send + Sync + 'static {
    /// A plan for every request of this operation, if it is of the form that the shortcut knows.
    fn plan(&self, operation: &OperationDefinition) -> Option<Arc<dyn Plan>>;
}

/// Answers one operation. The answer must be the one that the executor would give, to the byte.
pub trait Plan: Send + Sync {
    /// The answer to a request; `None` leaves it to the executor. Dropping the future must be safe at any time.
    fn run(&self, variables: &Variables, info: &RequestInfo) -> Option<BoxFuture<'static, Planned>>;
}

/// What a plan answers.
#[derive(Debug)]
pub enum Planned {
    /// All went well: the whole JSON object.
    Done(Bytes),
    /// It failed.
    Failed(Response),
}
