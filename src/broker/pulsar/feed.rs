//! Messages of one topic or partition, from a consumer that is built again whenever something is wrong with it.

use std::time::Duration;

use ::pulsar::consumer::{InitialPosition, Message as Incoming};
use ::pulsar::message::proto::MessageIdData;
use ::pulsar::{Consumer, ConsumerOptions, SubType, TokioExecutor};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::admin::Begin;
use super::clients::{Client, Use};
use super::names::Place;
use super::shared::Shared;
use super::{lane, position};
use crate::broker::{BrokerError, backoff};
use crate::kernel::{Backoff, Timestamp};
use crate::model::messages::Received;

/// A consumer that stays attached this long was sound.
const SOUND: Duration = Duration::from_secs(5);

type Attached = Box<Consumer<Vec<u8>, TokioExecutor>>;

/// The subscription to attach to, and how.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) place: Place,
    pub(super) subscription: String,
    pub(super) kind: SubType,
    /// Where a subscription begins that does not exist yet.
    pub(super) begin: Begin,
    pub(super) purpose: Use,
    /// Failover: the lowest comes first; those of equal number share the partitions among them.
    pub(super) priority: i32,
    /// How long until the broker is asked to deliver what was not acknowledged again (Shared only).
    pub(super) redeliver_after: Option<Duration>,
}

impl Plan {
    /// The name of the consumer, unique within the subscription.
    fn name(&self, process: &str) -> String {
        if self.priority == 0 { process.to_owned() } else { format!("{process}-{}", self.priority) }
    }
}

/// A message as it came.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: MessageIdData,
    pub(super) message: Received,
    pub(super) deliver_at: Option<Timestamp>,
}

/// The events of a feed.
#[derive(Debug)]
pub(super) enum Event {
    Message(Box<Entry>),
    /// Attached, for the first time or again: what was not acknowledged comes again. `begun`: to a subscription that did not exist.
    Attached {
        begun: bool,
    },
}

enum State {
    Attaching(AbortOnDropHandle<Result<(u64, bool, Attached), BrokerError>>),
    Attached { consumer: Attached, generation: u64, since: Instant },
}

/// Heals itself: callers only ever wait.
pub(super) struct Feed {
    shared: Arc<Shared>,
    plan: Plan,
    state: State,
    backoff: Backoff,
    /// When it was last heard from, and what came last.
    heard: Instant,
    last: u64,
}

impl Feed {
    /// Begins to attach.
    pub(super) fn new(shared: Arc<Shared>, plan: Plan) -> Self {
        let backoff = backoff(shared.rng.clone());
        let state = State::Attaching(attaching(shared.clone(), plan.clone(), Duration::ZERO));
        Self { shared, plan, state, backoff, heard: Instant::now(), last: 0 }
    }

    /// Waits for the first attachment, once: an error is the caller's to report.
    pub(super) async fn attached(mut self) -> Result<Self, BrokerError> {
        if let State::Attaching(task) = &mut self.state {
            let attached = task.await.map_err(|error| BrokerError::Unavailable(error.to_string()))??;
            self.settle(attached);
        }
        Ok(self)
    }

    fn settle(&mut self, (generation, begun, consumer): (u64, bool, Attached)) -> Event {
        let now = Instant::now();
        self.state = State::Attached { consumer, generation, since: now };
        self.heard = now;
        Event::Attached { begun }
    }

    /// The next event. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            match &mut self.state {
                State::Attaching(task) => match task.await {
                    Ok(Ok(attached)) => return self.settle(attached),
                    Ok(Err(error)) => self.again(&error.to_string()),
                    Err(error) => self.again(&error.to_string()),
                },
                State::Attached { consumer, since, .. } => {
                    let quiet = tokio::time::sleep_until(self.heard + *self.shared.config.stall_after);
                    tokio::select! {
                        biased;
                        item = consumer.next() => match item.map(|item| item.map_err(|error| error.to_string())) {
                            Some(Ok(incoming)) => {
                                self.heard = Instant::now();
                                self.backoff.succeeded();
                                match entry(incoming) {
                                    Ok(entry) => {
                                        self.last = entry.message.position;
                                        return Event::Message(Box::new(entry));
                                    }
                                    Err(error) => tracing::error!(%error, "a message has no usable position"),
                                }
                            }
                            ended => {
                                if since.elapsed() > SOUND {
                                    self.backoff.succeeded();
                                }
                                let reason = ended.and_then(Result::err).unwrap_or_else(|| "the consumer ended".into());
                                self.again(&reason);
                            }
                        },
                        () = quiet => self.ask_for_waiting().await,
                    }
                }
            }
        }
    }

    fn again(&mut self, reason: &str) {
        self.backoff.failed();
        tracing::warn!(
            topic = self.plan.place.url(),
            subscription = self.plan.subscription,
            reason,
            "recreated the consumer"
        );
        let delay = self.backoff.delay();
        self.state = State::Attaching(attaching(self.shared.clone(), self.plan.clone(), delay));
    }

    /// Silence with messages waiting: a consumer, or its client, that will never move again.
    async fn ask_for_waiting(&mut self) {
        let stalled = self.is_stalled().await;
        self.heard = Instant::now();
        match (stalled, &self.state) {
            (Ok(true), State::Attached { generation, .. }) => {
                let generation = *generation;
                self.again("messages are waiting but none are delivered");
                self.shared.clients.abandon(self.plan.purpose, generation).await;
            }
            (Ok(_), _) => {}
            (Err(error), _) => tracing::debug!(%error, "could not check whether messages are waiting"),
        }
    }

    async fn is_stalled(&self) -> Result<bool, BrokerError> {
        let Plan { place, subscription, kind, .. } = &self.plan;
        let Some(dispatch) = self.shared.admin.dispatch(place, subscription).await? else { return Ok(true) };
        if *kind == SubType::Shared {
            return Ok(dispatch.msg_backlog_no_delayed > dispatch.unacked_messages);
        }
        if dispatch.active_consumer_name.as_ref().is_some_and(|name| *name != self.plan.name(&self.shared.process)) {
            return Ok(false);
        }
        let storage = self.shared.admin.internal(place).await?;
        Ok(storage.backlog(subscription) > 0 && storage.end()? > self.last)
    }

    /// Acknowledges this message, or everything up to it. Nothing happens while there is no connection: it will come again.
    pub(super) async fn ack(&mut self, id: MessageIdData, cumulative: bool) {
        let State::Attached { consumer, .. } = &mut self.state else { return };
        let url = self.plan.place.url();
        let acked = if cumulative {
            consumer.cumulative_ack_with_id(&url, id).await
        } else {
            consumer.ack_with_id(&url, id).await
        };
        if let Err(error) = acked {
            tracing::debug!(%error, "could not send an acknowledgement");
        }
    }

    /// Detaches, and removes the subscription too if `forget`. The acknowledgements given before are on the broker when this is done.
    pub(super) async fn leave(self, forget: bool) {
        let State::Attached { mut consumer, .. } = self.state else { return };
        let left = if forget { Box::pin(consumer.unsubscribe()).await } else { Box::pin(consumer.close()).await };
        if let Err(error) = left {
            tracing::debug!(topic = self.plan.place.url(), %error, "could not close the consumer");
        }
    }
}

fn attaching(
    shared: Arc<Shared>,
    plan: Plan,
    delay: Duration,
) -> AbortOnDropHandle<Result<(u64, bool, Attached), BrokerError>> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        // Without the admin API an existing subscription will do.
        let begun = shared.admin.subscribe(&plan.place, &plan.subscription, plan.begin).await;
        if let Err(error) = &begun {
            tracing::debug!(%error, "could not check the subscription");
        }
        let (purpose, name, queue) = (plan.purpose, plan.name(&shared.process), shared.config.receive_queue);
        let made = shared.clients.attach(purpose, move |client| build(client, plan, name, queue)).await;
        made.map(|(generation, consumer)| (generation, begun.unwrap_or(false), consumer))
    }))
}

async fn build(client: Client, plan: Plan, name: String, queue: u32) -> Result<Attached, ::pulsar::Error> {
    let position = match plan.begin {
        Begin::Earliest => InitialPosition::Earliest,
        Begin::Latest => InitialPosition::Latest,
    };
    let options = ConsumerOptions::default()
        .durable(true)
        .with_initial_position(position)
        .with_receiver_queue_size(queue)
        .with_priority_level(plan.priority);
    let consumer = client
        .consumer()
        .with_topic(plan.place.url())
        .with_subscription(plan.subscription)
        .with_subscription_type(plan.kind)
        .with_consumer_name(name)
        .with_batch_size(queue)
        .with_unacked_message_resend_delay(plan.redeliver_after)
        .with_options(options)
        .build()
        .await?;
    Ok(Box::new(consumer))
}

fn entry(incoming: Incoming<Vec<u8>>) -> Result<Entry, BrokerError> {
    let id = incoming.message_id.id;
    let position = position::pack(id.ledger_id, id.entry_id as i64)?;
    let metadata = incoming.payload.metadata;
    let message = Received {
        position,
        key: lane::key(metadata.partition_key.as_deref()),
        payload: Bytes::from(incoming.payload.data),
        redeliveries: 0,
    };
    Ok(Entry { id, message, deliver_at: metadata.deliver_at_time.map(Timestamp::from_millis) })
}
