//! Connections to Redis, managed by bb8. Each one multiplexes many calls: they are written as they arrive and answered
//! in order, so a caller takes a handle and returns the connection immediately. A broken connection is replaced by a
//! task that retries until the server is available.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bb8::ManageConnection;
use bb8_redis::RedisConnectionManager;
use futures_util::FutureExt as _;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;

use super::error::{CallError, ConnectError, RedisError};
use super::server::Server;
use crate::kernel::retry::Backoff;
use crate::kernel::tasks::{guarded, restarted};
use crate::kernel::{Breaker, Rng};

/// The first wait after a failure; it doubles up to `gate.reconnect_wait`.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A connection that has not answered for this long must answer a ping before it is used; and how often the pool is looked at, so
/// that a server that went away is noticed without calls.
const IDLE: Duration = Duration::from_secs(1);

/// bb8 asks for a limit on waiting. Calls bring their own, which is shorter.
const LONGER_THAN_ANY_CALL: Duration = Duration::from_secs(24 * 3_600);

/// The parts of a pool.
pub(super) struct Settings {
    /// Connections.
    pub(super) size: usize,
    /// The longest wait before a lost connection is tried again.
    pub(super) longest_wait: Duration,
    /// How long a sign of life may take.
    pub(super) call_timeout: Duration,
    /// Records whether the server responds.
    pub(super) breaker: Breaker,
}

pub(super) struct Pool {
    connections: bb8::Pool<Manager>,
    state: watch::Receiver<State>,
    breaker: Breaker,
    server: Arc<Server>,
    _watching: AbortOnDropHandle<()>,
    _closes: DropGuard,
}

#[derive(Clone)]
enum State {
    /// Nothing is known yet.
    Connecting,
    /// The last try succeeded. Who finds no connection waits for the next one.
    Up,
    /// The last try failed. Calls without a connection fail immediately with this reason.
    Down(Arc<ConnectError>),
}

impl Pool {
    /// Returns when the first try to connect is over; fails only when the server answered and can't be used.
    pub(super) async fn open(server: Arc<Server>, rng: Rng, settings: Settings) -> Result<Self, RedisError> {
        let Settings { size, longest_wait, call_timeout, breaker } = settings;
        let (state, mut first) = watch::channel(State::Connecting);
        let closed = CancellationToken::new();
        let manager = Manager {
            redis: server.manager()?,
            server: server.clone(),
            rng,
            longest_wait,
            call_timeout,
            breaker: breaker.clone(),
            state,
            closed: closed.clone(),
        };
        let size = u32::try_from(size.max(1)).unwrap_or(1);
        let connections = bb8::Pool::builder()
            .max_size(size)
            .min_idle(size)
            .max_lifetime(None)
            .idle_timeout(None)
            // The manager tries again by itself.
            .retry_connection(false)
            .connection_timeout(LONGER_THAN_ANY_CALL)
            .build_unchecked(manager);
        let watched = connections.clone();
        let watch = restarted("redis-pool", move || watch_over(watched.clone(), call_timeout));
        let watching = AbortOnDropHandle::new(tokio::spawn(watch));
        let state = first.clone();
        let pool = Self { connections, state, breaker, server, _watching: watching, _closes: closed.drop_guard() };
        match &*first.wait_for(|state| !matches!(state, State::Connecting)).await.map_err(|_| closed_error())? {
            State::Down(error) if matches!(**error, ConnectError::Unusable(_)) => Err(RedisError(error.to_string())),
            _ => Ok(pool),
        }
    }

    /// Open while the server has not answered for some time: calls fail at once then, until there is a connection again.
    pub(super) const fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// One command.
    pub(super) async fn call(&self, command: &Cmd, deadline: Instant) -> Result<Value, CallError> {
        let Lent { mut connection, health } = self.lend(deadline).await?;
        let answer = timeout_at(deadline, command.query_async(&mut connection)).await;
        self.judge(&health, answer)
    }

    /// Several commands; only whether they went through.
    pub(super) async fn call_all(&self, commands: &Pipeline, deadline: Instant) -> Result<(), CallError> {
        let Lent { mut connection, health } = self.lend(deadline).await?;
        let answer = timeout_at(deadline, commands.exec_async(&mut connection)).await;
        self.judge(&health, answer)
    }

    /// A connection of its own, which the pool knows nothing of.
    pub(super) async fn connect_apart(&self) -> Result<MultiplexedConnection, RedisError> {
        let redis = self.server.manager()?;
        self.server.look_at(redis.connect()).await.map_err(|error| RedisError(error.to_string()))
    }

    /// Loads the libraries again, which somebody has removed.
    pub(super) async fn load_libraries(&self, deadline: Instant) -> Result<(), CallError> {
        let Lent { mut connection, .. } = self.lend(deadline).await?;
        let loading = timeout_at(deadline, self.server.load_libraries(&mut connection)).await;
        loading.map_err(|_| CallError::Untold(no_answer()))?.map_err(|error| CallError::Untold(error.to_string()))
    }

    /// A connection that is sound as far as is known.
    async fn lend(&self, deadline: Instant) -> Result<Lent, CallError> {
        // Nearly always there is one. To ask is also what makes the pool replace a dead one.
        let mut waiting = Box::pin(self.connections.get());
        if let Some(connection) = (&mut waiting).now_or_never() {
            return lent(connection);
        }
        if self.breaker.is_open() {
            return Err(CallError::Untold("Redis is not responding".to_owned()));
        }
        let mut state = self.state.clone();
        let settled = async {
            tokio::select! {
                biased;
                connection = waiting => lent(connection),
                down = state.wait_for(|state| matches!(state, State::Down(_))) => match down.as_deref() {
                    Ok(State::Down(error)) => Err(CallError::Untold(error.to_string())),
                    _ => Err(CallError::Untold(closed_error().0)),
                },
            }
        };
        let late = |_| Err(CallError::Untold("timed out waiting for a connection to Redis".to_owned()));
        timeout_at(deadline, settled).await.unwrap_or_else(late)
    }

    /// A connection that fails, does not answer in time or leads to a server that may not write any more is not used again.
    fn judge<T>(
        &self,
        health: &Health,
        answer: Result<Result<T, redis::RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, CallError> {
        match answer {
            Ok(Ok(value)) => {
                self.breaker.works();
                health.answers();
                Ok(value)
            }
            // The client's own limit on waiting is the call's.
            Ok(Err(error)) if error.is_timeout() => Err(self.unanswered(health)),
            Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.breaks(health, &error.to_string());
                Err(CallError::Untold(error.to_string()))
            }
            Ok(Err(error)) => {
                if matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "LOADING")) {
                    self.breaks(health, &error.to_string());
                }
                Err(CallError::Told(error))
            }
            Err(_) => Err(self.unanswered(health)),
        }
    }

    fn unanswered(&self, health: &Health) -> CallError {
        self.breaker.fails();
        self.breaks(health, &no_answer());
        CallError::Untold(no_answer())
    }

    fn breaks(&self, health: &Health, reason: &str) {
        self.server.lost_connection();
        health.breaks(reason);
    }
}

fn lent(
    connection: Result<bb8::PooledConnection<'_, Manager>, bb8::RunError<ConnectError>>,
) -> Result<Lent, CallError> {
    connection.map(|connection| connection.clone()).map_err(|error| CallError::Untold(error.to_string()))
}

/// Uses each connection now and then, as a call would, so that those that died are replaced.
async fn watch_over(connections: bb8::Pool<Manager>, call_timeout: Duration) {
    let mut tick = interval(IDLE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for _ in 0..connections.state().connections {
            // The state of the connection is reported elsewhere.
            let _ = timeout(call_timeout, connections.get()).await;
        }
    }
}

/// A handle of a connection.
#[derive(Clone)]
struct Lent {
    connection: MultiplexedConnection,
    health: Arc<Health>,
}

/// The state of a connection.
struct Health {
    broken: AtomicBool,
    /// It is being asked for a sign of life: broken, if that never ends.
    asked: AtomicBool,
    /// When it last answered.
    answered: Mutex<Instant>,
}

impl Health {
    fn answers(&self) {
        *self.answered.lock() = Instant::now();
    }

    fn breaks(&self, reason: &str) {
        if !self.broken.swap(true, Ordering::AcqRel) {
            tracing::warn!(reason, "dropped a connection to Redis");
        }
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire) || self.asked.load(Ordering::Acquire)
    }
}

/// Makes connections to a server that was looked at and has the libraries.
struct Manager {
    redis: RedisConnectionManager,
    server: Arc<Server>,
    rng: Rng,
    longest_wait: Duration,
    call_timeout: Duration,
    breaker: Breaker,
    state: watch::Sender<State>,
    closed: CancellationToken,
}

impl Manager {
    async fn try_connect(&self) -> Result<Lent, ConnectError> {
        let redis = self.server.manager().map_err(|error| ConnectError::Unreachable(error.0))?;
        let mut connection = self.server.look_at(redis.connect()).await?;
        // Calls have a limit of their own, after which the connection is dropped.
        connection.set_response_timeout(self.call_timeout);
        let (broken, asked, answered) = (AtomicBool::new(false), AtomicBool::new(false), Mutex::new(Instant::now()));
        Ok(Lent { connection, health: Arc::new(Health { broken, asked, answered }) })
    }

    async fn connect_in_the_end(&self) -> Lent {
        let mut backoff = Backoff::new(self.rng.clone(), FIRST_WAIT.min(self.longest_wait), self.longest_wait);
        loop {
            let connecting = guarded("redis-link", Box::pin(self.try_connect())).await;
            match connecting.unwrap_or_else(|| Err(ConnectError::Unreachable("connecting panicked".to_owned()))) {
                Ok(lent) => {
                    self.breaker.works();
                    tracing::info!(server = %self.server, "connected to Redis");
                    self.state.send_replace(State::Up);
                    return lent;
                }
                Err(error) => {
                    self.breaker.fails();
                    tracing::warn!(%error, server = %self.server, "could not connect to Redis");
                    self.state.send_replace(State::Down(Arc::new(error)));
                }
            }
            sleep(backoff.next_wait()).await;
        }
    }
}

impl ManageConnection for Manager {
    type Connection = Lent;
    type Error = ConnectError;

    /// Ends when there is a connection, or the pool is gone.
    async fn connect(&self) -> Result<Lent, ConnectError> {
        let gone = || ConnectError::Unreachable(closed_error().0);
        Box::pin(self.closed.run_until_cancelled(self.connect_in_the_end())).await.ok_or_else(gone)
    }

    async fn is_valid(&self, lent: &mut Lent) -> Result<(), ConnectError> {
        let health = &lent.health;
        let answered = *health.answered.lock();
        let doubtful = answered.elapsed() >= IDLE || self.server.lost_a_connection_since(answered);
        if doubtful && !health.is_broken() {
            health.asked.store(true, Ordering::Release);
            let alive = self.redis.is_valid(&mut lent.connection).await;
            health.asked.store(false, Ordering::Release);
            match alive {
                Ok(()) => health.answers(),
                Err(error) => {
                    self.breaker.fails();
                    self.server.lost_connection();
                    health.breaks(&error.to_string());
                }
            }
        }
        if health.is_broken() { Err(ConnectError::Unreachable("the connection is closed".to_owned())) } else { Ok(()) }
    }

    fn has_broken(&self, lent: &mut Lent) -> bool {
        lent.health.is_broken()
    }
}

fn closed_error() -> RedisError {
    RedisError("the runtime is shutting down".to_owned())
}

fn no_answer() -> String {
    "Redis did not respond in time".to_owned()
}
