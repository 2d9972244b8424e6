//! A way around the executor for operations that are sent by the thousand. Whether one fits an operation is decided once,
//! when its document is first seen; what does not fit in any way is left to the executor.

use std::sync::Arc;

use async_graphql::Response;
use async_graphql::parser::types::OperationDefinition;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::api::graphql::context::RequestInfo;

/// Finds plans for operations of valid documents.
pub trait Shortcut: Send + Sync + 'static {
    /// A plan for every request of this operation, if it is of the form that the shortcut knows.
    fn plan(&self, operation: &OperationDefinition) -> Option<Arc<dyn Plan>>;
}

/// Several, of which the first that knows an operation plans it.
pub struct FirstOf(pub Vec<Box<dyn Shortcut>>);

impl Shortcut for FirstOf {
    fn plan(&self, operation: &OperationDefinition) -> Option<Arc<dyn Plan>> {
        self.0.iter().find_map(|shortcut| shortcut.plan(operation))
    }
}

/// Answers one operation. The answer must be the one that the executor would give, to the byte.
pub trait Plan: Send + Sync {
    /// The plan for these variables, a JSON value; `None` leaves the request to the executor.
    fn read(&self, variables: &str) -> Option<Ready>;
}

/// Begins what a plan has read; `None` leaves it to the executor after all. Dropping the future must be safe at any time.
pub type Ready = Box<dyn FnOnce(&RequestInfo) -> Option<BoxFuture<'static, Planned>> + Send>;

/// The result of a plan.
#[derive(Debug)]
pub enum Planned {
    /// All went well: the whole JSON object.
    Done(Bytes),
    /// It failed.
    Failed(Response),
}
