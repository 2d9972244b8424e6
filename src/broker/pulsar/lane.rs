//! Publishing to one topic: one task and one producer, in order.
//!
//! What has entered the lane is stored sooner or later, whatever its publisher was answered meanwhile: a message without a
//! receipt is sent again, before all that came after it. The producer's name is unique to this process and the broker lets
//! one producer of a name in at a time, so nothing of an older connection can arrive behind what a newer one stored.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use ::pulsar::producer::Message as Outgoing;
use ::pulsar::{Producer, ProducerOptions, TokioExecutor};
use bytes::Bytes;
use data_encoding::BASE64;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::clients::{Client, Use};
use super::names::Place;
use super::setup;
use super::shared::Shared;
use crate::broker::{BrokerError, backoff};
use crate::kernel::tasks::{guarded, sleep_until};
use crate::kernel::{Backoff, Breaker};
use crate::model::messages::Message;

/// Bytes that a message takes beside its payload and key, roughly.
const OVERHEAD: usize = 256;

/// Where publishers enter.
pub(super) struct Lane {
    /// Whether the publisher waits for an answer.
    waited_for: bool,
    /// When nothing can be stored for long they get an error at once: a queue of those who have given up long since
    /// would only delay those who come back.
    breaker: Breaker,
    /// Taken in the order of asking: so the order of publishing is the order of entering.
    turn: Mutex<()>,
    room: Arc<Semaphore>,
    size: usize,
    jobs: mpsc::UnboundedSender<Job>,
}

/// The topic was sealed: what was not stored yet never will be. Or the lane has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sealed;

struct Job {
    messages: Vec<Message>,
    done: oneshot::Sender<Result<(), Sealed>>,
    room: Option<OwnedSemaphorePermit>,
}

impl Lane {
    /// Starts a lane. It ends when it is dropped and empty. `layout`: the number of partitions that its topic was made
    /// for, if it is partitioned.
    pub(super) fn start(shared: &Arc<Shared>, place: Place, layout: Option<u32>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let size = (*shared.config.publish_queue).min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let breaker = Breaker::new(shared.patience.patience());
        let driver = Driver {
            breaker: breaker.clone(),
            shared: shared.clone(),
            place,
            layout,
            jobs: receiver,
            waiting: VecDeque::new(),
            backoff: backoff(shared.rng.clone()),
        };
        let ended = shared.ended.clone();
        shared.tasks.spawn(async move { ended.run_until_cancelled(Box::pin(driver.run())).await });
        let room = Arc::new(Semaphore::new(size));
        Self { waited_for: layout.is_some(), breaker, turn: Mutex::new(()), room, size, jobs: sender }
    }

    /// Nothing may be stored for this long from now on.
    pub(super) fn set_patience(&self, patience: std::time::Duration) {
        self.breaker.set_patience(patience);
    }

    /// Whether nothing could be stored for `broker.refuse_after`.
    pub(super) fn refuses(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether its task is gone.
    pub(super) fn has_ended(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Refuses publishers who wait for an answer while nothing can be stored.
    pub(super) fn check(&self) -> Result<(), BrokerError> {
        // The lane itself finds out when it works again: nobody is let through to try.
        if self.waited_for && self.breaker.is_open() {
            return Err(BrokerError::Unavailable("the brokers are not storing messages at present".into()));
        }
        Ok(())
    }

    /// Enters the lane when there is room; the receiver learns when the messages are stored. Without messages: when
    /// everything is that had entered before.
    pub(super) async fn enter(
        &self,
        messages: Vec<Message>,
    ) -> Result<oneshot::Receiver<Result<(), Sealed>>, BrokerError> {
        if !messages.is_empty() {
            self.check()?;
        }
        let _turn = self.turn.lock().await;
        let bytes: usize = messages.iter().map(|message| message.payload.len() + message.key.len() + OVERHEAD).sum();
        let mut room = None;
        if !messages.is_empty() {
            // What is larger than all the room there is goes alone.
            let wanted = bytes.min(self.size) as u32;
            room = Some(self.room.clone().acquire_many_owned(wanted).await.map_err(|_| BrokerError::Closed)?);
        }
        let (done, stored) = oneshot::channel();
        self.jobs.send(Job { messages, done, room }).map_err(|_| BrokerError::Closed)?;
        Ok(stored)
    }
}

/// A message on its way, or the end of a job.
enum Step {
    Send(Message),
    Done { done: oneshot::Sender<Result<(), Sealed>>, _room: Option<OwnedSemaphorePermit> },
}

enum End {
    /// Nothing will come any more, and everything is stored.
    Empty,
    /// The connection, or the broker, failed.
    Failed(String),
    /// The client is wedged.
    Stuck,
}

struct Driver {
    breaker: Breaker,
    shared: Arc<Shared>,
    place: Place,
    layout: Option<u32>,
    jobs: mpsc::UnboundedReceiver<Job>,
    waiting: VecDeque<Step>,
    backoff: Backoff,
}

/// How a connection of a lane ended.
enum Turn {
    /// There is more to do.
    Again,
    /// Nothing will come any more, and everything is stored.
    Ended,
    /// A newer layout has taken the place of this topic's.
    Sealed,
}

impl Driver {
    async fn run(mut self) {
        loop {
            // What has entered stays in `waiting` until there is a receipt: a panic costs a connection, and no message.
            match guarded("pulsar-lane", Box::pin(self.turn())).await {
                Some(Turn::Again) => {}
                Some(Turn::Ended) => return,
                Some(Turn::Sealed) => return self.give_up(),
                None => self.failed("the client panicked"),
            }
        }
    }

    async fn turn(&mut self) -> Turn {
        // No connection before there is something to send.
        if self.waiting.is_empty() {
            match self.jobs.recv().await {
                Some(job) => self.take(job),
                None => return Turn::Ended,
            }
        }
        self.backoff.pause().await;
        match self.attach().await {
            Ok((generation, producer)) => match Box::pin(self.serve(producer)).await {
                End::Empty => return Turn::Ended,
                End::Failed(reason) => self.failed(&reason),
                End::Stuck => {
                    self.failed("the brokers sent neither a receipt nor an error in time");
                    self.shared.clients.abandon(Use::Produce, generation).await;
                }
            },
            Err(error) => self.failed(&error.to_string()),
        }
        if self.is_sealed().await { Turn::Sealed } else { Turn::Again }
    }

    fn failed(&mut self, reason: &str) {
        self.breaker.fails();
        self.backoff.failed();
        tracing::warn!(topic = self.place.url(), reason, "messages are not stored yet");
    }

    fn take(&mut self, job: Job) {
        self.waiting.extend(job.messages.into_iter().map(Step::Send));
        self.waiting.push_back(Step::Done { done: job.done, _room: job.room });
    }

    async fn attach(&self) -> Result<(u64, Producer<TokioExecutor>), BrokerError> {
        let options = ProducerOptions { block_queue_if_full: true, ..ProducerOptions::default() };
        let (url, name) = (self.place.url(), self.shared.process.clone());
        let make =
            |client: Client| Box::pin(client.producer().with_topic(url).with_name(name).with_options(options).build());
        self.shared.clients.attach(Use::Produce, make).await
    }

    /// Sends and waits for receipts until something fails.
    ///
    /// The client itself connects again and sends again what has no receipt, but nothing that it was given longer than
    /// `operation_timeout` ago: whatever came after that message would overtake it. So it is never left at it for that long.
    #[allow(clippy::large_futures, reason = "the client's are; a box for each message would cost more")]
    async fn serve(&mut self, mut producer: Producer<TokioExecutor>) -> End {
        let limit = *self.shared.config.operation_timeout * 3 / 4;
        let mut receipts = FuturesOrdered::new();
        // When the client was given each of those.
        let mut given = VecDeque::new();
        // How much of `waiting` is under way, when something last moved, whether more may come.
        let (mut sent, mut moved, mut open, mut late) = (0, Instant::now(), true, false);
        loop {
            while sent < self.waiting.len() && receipts.len() < self.shared.config.send_window {
                if let Step::Send(message) = &self.waiting[sent] {
                    given.push_back(Instant::now());
                    match before(given[0] + limit, producer.send_non_blocking(outgoing(message))).await {
                        Some(Ok(receipt)) => receipts.push_back(receipt),
                        Some(Err(error)) => return End::Failed(error.to_string()),
                        None => return End::Stuck,
                    }
                }
                sent += 1;
            }
            sent -= self.settle(sent);
            if !open && self.waiting.is_empty() {
                let _ = tokio::time::timeout(limit, producer.close()).await;
                return End::Empty;
            }
            tokio::select! {
                Some(receipt) = receipts.next() => match receipt {
                    Ok(_) => {
                        self.waiting.pop_front();
                        given.pop_front();
                        sent -= 1;
                        moved = Instant::now();
                        late = false;
                        self.breaker.works();
                        self.backoff.succeeded();
                    }
                    Err(error) => return End::Failed(error.to_string()),
                },
                job = self.jobs.recv(), if open && receipts.len() < self.shared.config.send_window => {
                    if receipts.is_empty() {
                        moved = Instant::now();
                    }
                    match job {
                        Some(job) => self.take(job),
                        None => open = false,
                    }
                },
                () = tokio::time::sleep_until(moved + self.breaker.patience()), if !receipts.is_empty() && !late => {
                    late = true;
                    self.breaker.fails_since(moved);
                }
                () = sleep_until(given.front().map(|first| *first + limit)) => return End::Stuck,
            }
        }
    }

    /// Tells the publishers at the front that everything before them is stored. Returns how many steps that were, of those `sent`.
    fn settle(&mut self, sent: usize) -> usize {
        let mut settled = 0;
        while settled < sent && matches!(self.waiting.front(), Some(Step::Done { .. })) {
            if let Some(Step::Done { done, .. }) = self.waiting.pop_front() {
                // An error only says that nobody waits any more.
                let _ = done.send(Ok(()));
                settled += 1;
            }
        }
        settled
    }

    /// Whether a newer layout has taken the place of this topic's.
    async fn is_sealed(&self) -> bool {
        let Some(layout) = self.layout else { return false };
        if let Err(error) = setup::refresh(&self.shared).await {
            tracing::debug!(%error, "could not read the partition layouts");
        }
        self.shared.newest() > layout
    }

    fn give_up(mut self) {
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            self.take(job);
        }
        for step in self.waiting {
            if let Step::Done { done, .. } = step {
                let _ = done.send(Err(Sealed));
            }
        }
    }
}

/// What the work comes to, unless it is not done by then. Unlike a time-out that is late itself, it does not look once more.
async fn before<T>(limit: Instant, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let in_time =
        poll_fn(|cx| if Instant::now() < limit { work.as_mut().poll(cx).map(Some) } else { Poll::Ready(None) });
    timeout_at(limit, in_time).await.ok().flatten()
}

/// Keys are any bytes, and text on the wire.
fn outgoing(message: &Message) -> Outgoing {
    Outgoing {
        payload: message.payload.to_vec(),
        partition_key: Some(BASE64.encode(&message.key)),
        partition_key_b64_encoded: Some(true),
        deliver_at_time: message.deliver_at.map(crate::kernel::Timestamp::as_millis),
        ..Outgoing::default()
    }
}

/// The key of a received message.
pub(super) fn key(text: Option<&str>) -> Bytes {
    BASE64.decode(text.unwrap_or_default().as_bytes()).map(Bytes::from).unwrap_or_default()
}
