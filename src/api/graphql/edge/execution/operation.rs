//! An operation in progress, which the streaming transports (sockets, SSE) poll.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use async_graphql::Response;
use async_graphql::parser::types::OperationType;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::AbortOnDropHandle;

use super::event::Event;
use super::shared::Subscriber;
use super::wheel::Seat;
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::edge::documents::prepared::Prepared;
use crate::api::graphql::edge::response::answer::Answer;
use crate::api::graphql::edge::response::refusal::Refusal;
use crate::api::graphql::edge::{Edge, panicked};

/// Where the resolver of a subscription says the version of the item that it yields, for clients that can resume from it.
#[derive(Debug, Clone, Default)]
pub struct VersionReporter(Arc<AtomicU32>);

impl VersionReporter {
    /// The item that is yielded now has this version, which is not 0.
    pub fn set(&self, version: u32) {
        self.0.store(version, Ordering::Relaxed);
    }

    fn take(&self) -> Option<u32> {
        Some(self.0.swap(0, Ordering::Relaxed)).filter(|version| *version > 0)
    }
}

/// An operation being executed. Dropping it ends a query or subscription; a mutation runs on.
pub struct Running(Source);

enum Source {
    Single { task: AbortOnDropHandle<Result<Answer, Refusal>>, request_id: Box<str> },
    Own { stream: BoxStream<'static, Response>, request_id: Box<str>, versions: Option<VersionReporter> },
    Shared { subscriber: Subscriber, _place: Option<OwnedSemaphorePermit> },
    Ended,
}

impl Running {
    /// Begins to execute. `seat` must be the one on which the polling task is registered.
    pub fn start(edge: &Edge, prepared: Prepared, info: RequestInfo, seat: &Arc<Seat>) -> Self {
        Self::begin(edge, prepared, info, seat, None)
    }

    /// The same for a client that wants to know the versions of what it gets.
    pub fn start_versioned(edge: &Edge, prepared: Prepared, info: RequestInfo, seat: &Arc<Seat>) -> Self {
        Self::begin(edge, prepared, info, seat, Some(VersionReporter::default()))
    }

    fn begin(
        edge: &Edge,
        mut prepared: Prepared,
        info: RequestInfo,
        seat: &Arc<Seat>,
        versions: Option<VersionReporter>,
    ) -> Self {
        let edge = edge.clone();
        Self(match prepared.operation().kind {
            OperationType::Subscription => match prepared.shared_key() {
                Some(key) => {
                    let place = prepared.take_seat();
                    let subscriber = edge.shared().join(key, seat, || prepared.executable());
                    Source::Shared { subscriber, _place: place }
                }
                None => {
                    let request_id = info.request_id.as_str().into();
                    let request = prepared.executable().data(info);
                    let request = match &versions {
                        Some(versions) => request.data(versions.clone()),
                        None => request,
                    };
                    Source::Own { stream: edge.engine().stream(request), request_id, versions }
                }
            },
            OperationType::Query | OperationType::Mutation => {
                // In a task of its own: a client that takes no data polls nothing, and what has begun may hold what others wait for.
                let request_id = info.request_id.as_str().into();
                let task = edge.0.tasks.clone().spawn(async move { edge.run(prepared, info).await });
                Source::Single { task: AbortOnDropHandle::new(task), request_id }
            }
        })
    }

    /// The version in the last event, if its resolver set one.
    pub fn version(&self) -> Option<u32> {
        match &self.0 {
            Source::Own { versions: Some(versions), .. } => versions.take(),
            _ => None,
        }
    }

    /// The next event; not to be called after the last one.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let (event, ends) = match &mut self.0 {
            Source::Single { task, request_id } => {
                let ran = ready!(task.poll_unpin(cx)).unwrap_or_else(|_| Err(panicked(request_id)));
                match ran {
                    Ok(answer) => (Event::Next(answer.body), true),
                    Err(refusal) => (Event::Error(refusal.errors_json()), true),
                }
            }
            Source::Own { stream, request_id, .. } => match ready!(stream.poll_next_unpin(cx)) {
                None => (Event::Complete, true),
                Some(response) => match Answer::new(response, request_id) {
                    Ok(answer) => (Event::Next(answer.body), false),
                    Err(refusal) => (Event::Error(refusal.errors_json()), true),
                },
            },
            Source::Shared { subscriber, .. } => match subscriber.next() {
                Some(event) => (event, false),
                None => return Poll::Pending,
            },
            Source::Ended => (Event::Complete, false),
        };
        if ends {
            self.0 = Source::Ended;
        }
        Poll::Ready(event)
    }
}
