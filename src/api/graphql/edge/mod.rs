//! The edge of the GraphQL endpoint: HTTP, WebSocket (`graphql-transport-ws`) and Server-Sent Events on one path, in
//! front of async-graphql, which executes. It knows no type of the schema.
//!
//! A request comes in through a [`transport`] and is read ([`request`]): media types, the client's address, its token, its body.
//! [`protection`] applies rate limits, the rules for pages of other sites, limits of a document's size, and load shedding.
//! [`documents`] are parsed, validated, measured and remembered, or trusted from the start; with the variables of a request
//! they are ready for [`execution`]. The result is a [`response`]. Streams are operations ([`execution::operation`]) that a
//! socket or an event stream polls, and shared ([`execution::shared`]) where their responses are the same for everyone.

pub mod documents;
pub mod execution;
pub mod protection;
pub mod request;
pub mod response;
#[cfg(test)]
pub mod testing;
pub mod transport;

use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ::http::HeaderMap;
use async_graphql::parser::types::OperationType;
use async_graphql::{ObjectType, Response, Schema, SubscriptionType};
use data_encoding::BASE64URL_NOPAD;
use futures_util::FutureExt as _;
use governor::clock::DefaultClock;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::cors::CorsLayer;

use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::error::Code;
use crate::config::{self, Section};
use crate::kernel::{Clock, Rng, tasks};
use crate::limits::throttle::network;
use crate::limits::{Rates, Tally};
use crate::model::rights::Right;

pub use execution::operation::VersionReporter;
pub use execution::shared::SlotReporter;
pub use request::auth::{AuthUnavailable, Authenticate};
pub use transport::http::endpoint;

use documents::cache::{Documents, SharedFields};
use documents::prepared::Prepared;
use execution::engine::Engine;
use execution::shared::Shared;
use execution::shortcut::{Planned, Shortcut};
use execution::wheel::{NoPlace, Place, Wheel};
use protection::access::Access;
use protection::guard::{Limits, Measure};
use protection::load::{Class, Load, Permit};
use protection::meters::Meters;
use protection::rates::asker;
use request::address::Addresses;
use request::params::Params;
use response::answer::Answer;
use response::refusal::{Cause, Refusal};
use transport::headers::REQUEST_ID;

/// The parts of an [`Edge`], besides the schema.
pub struct Parts {
    /// Knows whose tokens are.
    pub auth: Arc<dyn Authenticate>,
    /// Limits of documents and operations.
    pub config: Section<config::Graphql>,
    /// The access rules for callers.
    pub access: Section<config::Access>,
    /// How often, and how much at once.
    pub limits: Section<config::Limits>,
    /// Counts for all nodes, where there are several.
    pub tally: Option<Arc<dyn Tally>>,
    /// Documents that are always known.
    pub trusted: documents::trusted::Manifest,
    /// Bytes of a request's body.
    pub body_max: usize,
    /// How long a body may take to arrive.
    pub read_timeout: Duration,
    /// The clock for the time sent to sockets.
    pub clock: Clock,
    /// For request ids.
    pub rng: Rng,
    /// When it is cancelled, sockets are closed.
    pub shutdown: CancellationToken,
    /// How long closing all sockets is spread over.
    pub close_over: Duration,
    /// Subscription fields whose answers are the same for everyone.
    pub shared_fields: &'static [&'static str],
    /// Those among them that are for operators.
    pub operators_fields: &'static [&'static str],
    /// How many subscriptions to those there may be at once.
    pub operators_streams_max: usize,
    /// Root fields of which a request may have one, once.
    pub once_fields: &'static [&'static str],
    /// A way around the executor for what is sent most.
    pub shortcut: Option<Arc<dyn Shortcut>>,
}

/// The endpoint. Cheap to clone; clones are the same endpoint.
#[derive(Clone)]
pub struct Edge(Arc<Inner>);

struct Inner {
    engine: Arc<dyn Engine>,
    auth: Arc<dyn Authenticate>,
    documents: Documents,
    shared: Arc<Shared>,
    wheel: Arc<Wheel>,
    access: Access,
    addresses: Addresses,
    rates: Rates,
    load: Arc<Load>,
    meters: Meters,
    operators_streams: Arc<Semaphore>,
    tasks: TaskTracker,
    running: [AbortHandle; 2],
    /// As it was at the start: for keys that are not hot.
    config: config::Graphql,
    live: Section<config::Graphql>,
    body_max: usize,
    read_timeout: Duration,
    clock: Clock,
    rng: Rng,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.running.iter().for_each(AbortHandle::abort);
    }
}

impl Edge {
    /// The endpoint of this schema. Must be called within a Tokio runtime.
    pub fn new<Q, M, S>(schema: Schema<Q, M, S>, parts: Parts) -> Self
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let engine: Arc<dyn Engine> = Arc::new(schema);
        let Parts { config: live, once_fields, .. } = parts;
        let config = config::Graphql::clone(&live.now());
        let fields = SharedFields { all: parts.shared_fields, operators: parts.operators_fields };
        let limits = limits(&config, once_fields);
        let wheel = Wheel::new(config.sockets_max, parts.limits.now().streams_per_address);
        let (turned, ping_every) = (wheel.clone(), *config.ping_every);
        let turning = tokio::spawn(tasks::restarted("socket-wheel", move || {
            turned.clone().turn(ping_every, parts.close_over, parts.shutdown.clone())
        }));
        let told = Arc::downgrade(&wheel);
        parts.auth.when_tokens_end(Box::new(move |token| {
            if let Some(wheel) = told.upgrade() {
                wheel.token_ended(token);
            }
        }));
        let load = Load::new(parts.limits.clone());
        let adapted = load.clone();
        let adapting = tokio::spawn(tasks::restarted("load-limit", move || adapted.clone().adapt()));
        let (trusted, meters) = (&parts.trusted, Meters::default());
        let edge = Self(Arc::new(Inner {
            documents: Documents::new(&*engine, limits, fields, parts.shortcut, trusted, &config),
            shared: Shared::new(engine.clone()),
            engine,
            auth: parts.auth,
            wheel,
            access: Access::new(parts.access.clone()),
            addresses: Addresses::new(parts.access),
            rates: Rates::new(parts.limits.clone(), &DefaultClock::default())
                .shared(parts.tally, meters.counted_locally().clone()),
            load,
            meters,
            operators_streams: Arc::new(Semaphore::new(parts.operators_streams_max)),
            tasks: TaskTracker::new(),
            running: [turning.abort_handle(), adapting.abort_handle()],
            config,
            live: live.clone(),
            body_max: parts.body_max,
            read_timeout: parts.read_timeout,
            clock: parts.clock,
            rng: parts.rng,
        }));
        edge.follow(&live, &parts.limits);
        edge
    }

    /// Acts on changed settings, for as long as there is an endpoint.
    fn follow(&self, graphql: &Section<config::Graphql>, limits: &Section<config::Limits>) {
        let told = Arc::downgrade(&self.0);
        graphql.watch(move |config| told.upgrade().map(|inner| inner.documents.adjust(config)).is_some());
        let told = Arc::downgrade(&self.0);
        limits.watch(move |limits| {
            let adjusted = told.upgrade().map(|inner| {
                inner.rates.adjust(limits);
                inner.wheel.set_per_address(limits.streams_per_address);
            });
            adjusted.is_some()
        });
    }

    /// The metrics.
    pub fn meters(&self) -> &Meters {
        &self.0.meters
    }

    /// Open sockets and event streams.
    pub fn streams(&self) -> usize {
        self.0.wheel.open()
    }

    /// Shared subscriptions that are being executed.
    pub fn shared_executions(&self) -> usize {
        self.0.shared.groups()
    }

    /// Resolves once all sockets are closed and all mutations have run to their end. To be called after the shutdown
    /// token was cancelled and connections are no longer accepted.
    pub async fn closed(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Lets browsers know who may call.
    pub fn cors(&self) -> CorsLayer {
        self.0.access.cors()
    }

    /// Whether pages of other sites may call.
    pub fn has_origins(&self) -> bool {
        self.0.access.has_origins()
    }

    /// Runs a query or mutation to its answer. A mutation runs to its end even when nobody waits for it any more.
    async fn run(&self, mut prepared: Prepared, info: RequestInfo) -> Result<Answer, Refusal> {
        let (kind, class) = (prepared.operation().kind, prepared.operation().class);
        let counted = self.0.rates.everywhere(asker(&info), class.into()).await;
        counted.inspect_err(|_| self.note_limited(class))?;
        let permit = self.0.load.enter(class).ok_or_else(|| self.overloaded(class))?;
        let limit = *self.0.live.now().execution_timeout;
        let measure = prepared.measure();
        if let Some(answer) = prepared.shortcut(&info)? {
            return match self.run_to_end(limit, AssertUnwindSafe(answer).catch_unwind(), permit).await {
                Ok(Ok(Planned::Done(body))) => self.bounded(body.into(), kind),
                Ok(Ok(Planned::Failed(response))) => self.finish(Ok(Ok(response)), None, &info.request_id, kind),
                Ok(Err(panic)) => self.finish(Ok(Err(panic)), None, &info.request_id, kind),
                Err(late) => self.finish(Err(late), None, &info.request_id, kind),
            };
        }
        let request_id = info.request_id.clone();
        let execution = AssertUnwindSafe(self.0.engine.execute(prepared.executable().data(info))).catch_unwind();
        let finished = if kind == OperationType::Mutation {
            self.run_to_end(limit, execution, permit).await
        } else {
            let finished = in_time(limit, execution).await;
            drop(permit);
            finished
        };
        self.finish(finished, measure, &request_id, kind)
    }

    /// Waits no longer than `limit` for work that is not taken back: from its first wait on it runs in a task of its own, and
    /// to its end even when the connection it came over is gone. What is ready at once needs no task.
    async fn run_to_end<T: Send + 'static>(
        &self,
        limit: Duration,
        mut work: impl Future<Output = std::thread::Result<T>> + Send + Unpin + 'static,
        permit: Permit,
    ) -> Result<std::thread::Result<T>, Late> {
        if let Some(finished) = (&mut work).now_or_never() {
            return Ok(finished);
        }
        let task = self.0.tasks.spawn(async move {
            let _permit = permit;
            work.await
        });
        // The task catches its own panics; what is left is the runtime going down.
        in_time(limit, task).await.map(|joined| joined.unwrap_or_else(|gone| Err(Box::new(gone))))
    }

    /// The answer to an execution that ended, panicked or took too long; with what it cost, if that was asked.
    fn finish(
        &self,
        finished: Result<std::thread::Result<Response>, Late>,
        measure: Option<Measure>,
        request_id: &str,
        kind: OperationType,
    ) -> Result<Answer, Refusal> {
        match finished {
            Ok(Ok(mut response)) => {
                if let Some(measure) = measure {
                    response.extensions.insert("cost".into(), self.0.documents.cost(&measure));
                }
                self.bounded(Answer::new(response, request_id)?, kind)
            }
            Ok(Err(_)) => Err(panicked(request_id)),
            Err(_) => Err(late(request_id, kind)),
        }
    }

    /// An answer waits in memory until its reader has taken it.
    fn bounded(&self, answer: Answer, kind: OperationType) -> Result<Answer, Refusal> {
        let most = *self.0.config.response_max;
        if answer.body.len() <= most { Ok(answer) } else { Err(too_large(most, kind)) }
    }

    fn overloaded(&self, class: Class) -> Refusal {
        self.meters().shed(class);
        // Spread out, so that those who were turned away do not come back together.
        let seconds = 1 + u32::from(self.0.rng.bytes::<1>()[0] % 3);
        let message = "The server is overloaded. Please try again shortly.";
        Refusal::retry(Cause::Unavailable, Code::Unavailable, message, seconds)
    }

    /// A place for a stream from this address.
    fn join(&self, address: IpAddr) -> Result<Place, Refusal> {
        let counted = (!self.0.rates.is_unlimited(address)).then(|| network(address));
        self.0.wheel.join(counted).map_err(|no_place| match no_place {
            NoPlace::Full => busy(),
            NoPlace::Address => {
                let message = "Too many open connections from your address. Close one and try again.";
                Refusal::retry(Cause::RateLimited, Code::RateLimited, message, 2)
            }
        })
    }

    /// The client's id for the request if it is a plain one, or a new one.
    fn request_id(&self, headers: &HeaderMap) -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match headers.get(REQUEST_ID).map(|value| (value.as_bytes(), value.to_str())) {
            Some((bytes @ [_, ..], Ok(id))) if bytes.len() <= 64 && bytes.iter().all(plain) => id.to_owned(),
            _ => BASE64URL_NOPAD.encode(&self.0.rng.bytes::<12>()),
        }
    }

    /// The prepared operation, if the rate limits allow it. Every transport and fast path goes through here.
    fn prepare(&self, params: Params, info: &RequestInfo) -> Result<Prepared, Refusal> {
        let sees_shop = info.viewer.is_some_and(|viewer| viewer.may(Right::SeeShop).is_ok());
        let mut prepared = self.0.documents.prepare(params, sees_shop)?;
        let (class, operators) = (prepared.operation().class, prepared.operation().operators);
        let counted = self.0.rates.operation(asker(info), class.into());
        counted.inspect_err(|_| self.note_limited(class))?;
        if operators {
            prepared.seat(self.operators_seat(info)?);
        }
        Ok(prepared)
    }

    fn note_limited(&self, class: Class) {
        if class == Class::Purchase {
            self.meters().purchase_limited();
        }
    }

    /// A place among the subscriptions of operators that are executed once for all: who may have one is asked of each.
    fn operators_seat(&self, info: &RequestInfo) -> Result<OwnedSemaphorePermit, Refusal> {
        let Some(viewer) = info.viewer else {
            let message = "Please sign in first.";
            return Err(Refusal::new(Cause::Unauthenticated, Code::Unauthenticated, message));
        };
        viewer.may(Right::SeeShop).map_err(|why| Refusal::new(Cause::Forbidden, Code::Forbidden, why))?;
        self.0.operators_streams.clone().try_acquire_owned().map_err(|_| {
            let message = "Too many operators watch at the moment. Please try again shortly.";
            Refusal::retry(Cause::RateLimited, Code::RateLimited, message, 5)
        })
    }

    fn engine(&self) -> &Arc<dyn Engine> {
        &self.0.engine
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

/// The limits of a document; `once` names the root fields of which an operation may have only one, once.
fn limits(config: &config::Graphql, once: &'static [&'static str]) -> Limits {
    Limits {
        bytes: *config.document_max,
        tokens: config.tokens_max,
        nesting: config.nesting_max,
        aliases: config.aliases_max,
        root_fields: config.root_fields_max,
        fields: config.fields_max,
        depth: config.depth_max,
        lists: config.lists_max,
        cost: config.cost_max,
        page_default: config.page_default,
        page_max: config.page_max,
        once,
    }
}

/// It took longer than it may.
#[derive(Debug)]
struct Late;

/// Waits no longer than `limit`. What is ready at once, as most purchases are that get no ticket, needs no timer.
async fn in_time<F: Future>(limit: Duration, future: F) -> Result<F::Output, Late> {
    let mut future = pin!(future);
    let mut timer = pin!(None);
    poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Ok(output));
        }
        if timer.is_none() {
            timer.set(Some(sleep(limit)));
        }
        timer.as_mut().as_pin_mut().map_or(Poll::Pending, |timer| timer.poll(context)).map(|()| Err(Late))
    })
    .await
}

/// The answer to who asked for more than an answer can be.
fn too_large(most: usize, kind: OperationType) -> Refusal {
    let done = if kind == OperationType::Mutation { " The mutation was executed nevertheless." } else { "" };
    let message = format!("The response is larger than {most} bytes. Request fewer fields or smaller pages.{done}");
    Refusal::new(Cause::Document, Code::DocumentTooComplex, message)
}

fn panicked(request_id: &str) -> Refusal {
    tracing::error!(request_id, "resolver panicked");
    let message = format!("Something went wrong on our side (request {request_id}).");
    Refusal::new(Cause::Internal, Code::InternalServerError, message)
}

fn late(request_id: &str, kind: OperationType) -> Refusal {
    tracing::warn!(request_id, %kind, "operation timed out");
    let message = match kind {
        OperationType::Mutation => {
            "The request timed out. The mutation may still take effect; query the current state."
        }
        OperationType::Query | OperationType::Subscription => "The request timed out. Please try again shortly.",
    };
    Refusal::retry(Cause::Unavailable, Code::Unavailable, message, 2)
}

/// The answer to one stream too many.
fn busy() -> Refusal {
    Refusal::retry(Cause::Unavailable, Code::Unavailable, "Too many open connections. Please try again shortly.", 2)
}
