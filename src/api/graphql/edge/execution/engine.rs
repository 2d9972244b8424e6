//! The interface between the transports and the GraphQL executor, so that they do not depend on schema types.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};
use async_graphql::{ObjectType, Positioned, Request, Response, SDLExportOptions, Schema, SubscriptionType};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::api::graphql::edge::documents::language::collect::Template;

/// An operation in which nothing is left to decide.
pub struct Executable {
    request: Request,
    template: Arc<Template>,
}

impl Executable {
    /// Of this operation; the template has the form of its answers.
    pub fn new(operation: Positioned<OperationDefinition>, template: Arc<Template>) -> Self {
        let mut request = Request::new("");
        let operations = DocumentOperations::Single(operation);
        request.set_parsed_query(ExecutableDocument { operations, fragments: HashMap::new() });
        Self { request, template }
    }

    /// With something that resolvers can ask for.
    #[must_use]
    pub fn data<D: Any + Send + Sync>(self, data: D) -> Self {
        Self { request: self.request.data(data), ..self }
    }
}

/// Executes operations.
pub trait Engine: Send + Sync + 'static {
    /// The definition of its schema.
    fn sdl(&self) -> String;

    /// Runs a query or mutation.
    fn execute(&self, operation: Executable) -> BoxFuture<'static, Response>;

    /// Runs a subscription.
    fn stream(&self, operation: Executable) -> BoxStream<'static, Response>;
}

impl<Q, M, S> Engine for Schema<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    fn sdl(&self) -> String {
        self.sdl_with_options(SDLExportOptions::new().include_specified_by())
    }

    fn execute(&self, Executable { request, template }: Executable) -> BoxFuture<'static, Response> {
        let schema = self.clone();
        Box::pin(async move {
            let mut response = schema.execute(request).await;
            template.shape.form(&mut response);
            response
        })
    }

    fn stream(&self, Executable { request, template }: Executable) -> BoxStream<'static, Response> {
        let form = move |mut response: Response| {
            template.shape.form(&mut response);
            response
        };
        self.execute_stream(request).map(form).boxed()
    }
}
