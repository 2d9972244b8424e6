//! One connection that many calls share: they are written as they come and answered in their order, so nobody waits for
//! anybody's answer. A task of its own connects, and connects again.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::server::{ConnectError, Server};
use crate::gate::GateError;
use crate::kernel::retry::Backoff;
use crate::kernel::{Breaker, Rng};

/// The first wait after a failure; it doubles up to `gate.reconnect_wait`.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A connection that lasted for this long was a good one: after it the waits start small again.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Why a call has no answer.
pub(super) enum CallError {
    /// The server said no.
    Told(RedisError),
    /// There is no connection, or no answer came: whether the server acted is unknown.
    Untold(String),
}

pub(super) struct Link {
    state: watch::Receiver<State>,
    /// The number of the last connection that turned out to be dead.
    lost: Arc<watch::Sender<u64>>,
    breaker: Breaker,
    _task: AbortOnDropHandle<()>,
}

#[derive(Clone)]
enum State {
    /// Calls wait for it.
    Connecting,
    Up(Connected),
    /// The last try failed: calls fail at once, with this reason.
    Down(Arc<ConnectError>),
}

#[derive(Clone)]
struct Connected {
    number: u64,
    connection: MultiplexedConnection,
}

impl Link {
    /// Returns when the first try to connect is over; fails only when the server answered and can't be used.
    /// `breaker` is told whether the server answers.
    pub(super) async fn open(
        server: Arc<Server>,
        rng: Rng,
        longest_wait: Duration,
        breaker: Breaker,
    ) -> Result<Self, GateError> {
        let (sender, mut state) = watch::channel(State::Connecting);
        let lost = Arc::new(watch::Sender::new(0));
        let backoff = Backoff::new(rng, FIRST_WAIT.min(longest_wait), longest_wait);
        let task = tokio::spawn(keep_connected(server, sender, lost.clone(), backoff, breaker.clone()));
        let link = Self { state: state.clone(), lost, breaker, _task: AbortOnDropHandle::new(task) };
        match &*state.wait_for(|state| !matches!(state, State::Connecting)).await.map_err(|_| closed())? {
            State::Down(error) if matches!(**error, ConnectError::Unusable(_)) => Err(GateError(error.to_string())),
            _ => Ok(link),
        }
    }

    /// One command.
    pub(super) async fn call(&self, command: &Cmd, deadline: Instant) -> Result<Value, CallError> {
        let Connected { number, mut connection } = self.connected(deadline).await?;
        let answer = timeout_at(deadline, command.query_async(&mut connection)).await;
        self.judge(number, answer)
    }

    /// Several commands; only whether they went through.
    pub(super) async fn call_all(&self, commands: &Pipeline, deadline: Instant) -> Result<(), CallError> {
        let Connected { number, mut connection } = self.connected(deadline).await?;
        let answer = timeout_at(deadline, commands.exec_async(&mut connection)).await;
        self.judge(number, answer)
    }

    /// Loads the library again, which somebody has removed.
    pub(super) async fn load_library(&self, deadline: Instant) -> Result<(), GateError> {
        let Connected { mut connection, .. } = self.connected(deadline).await.map_err(GateError::from)?;
        let loading = timeout_at(deadline, super::server::load_library(&mut connection)).await;
        loading.map_err(|_| GateError(no_answer()))?.map_err(|error| GateError(error.to_string()))
    }

    async fn connected(&self, deadline: Instant) -> Result<Connected, CallError> {
        let mut state = self.state.clone();
        let settled = timeout_at(deadline, state.wait_for(|state| !matches!(state, State::Connecting))).await;
        let settled = settled.map_err(|_| CallError::Untold("no connection to Redis in time".to_owned()))?;
        match &*settled.map_err(|_| CallError::Untold(closed().0))? {
            State::Up(connected) => Ok(connected.clone()),
            State::Down(error) => Err(CallError::Untold(error.to_string())),
            State::Connecting => Err(CallError::Untold("no connection to Redis".to_owned())),
        }
    }

    /// A connection that fails, does not answer in time or leads to a server that may not write any more is dropped.
    fn judge<T>(
        &self,
        number: u64,
        answer: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
    ) -> Result<T, CallError> {
        match answer {
            Ok(Ok(value)) => {
                self.breaker.works();
                Ok(value)
            }
            Ok(Err(error)) if error.is_io_error() || error.is_unrecoverable_error() => {
                self.drop_connection(number, &error.to_string());
                Err(CallError::Untold(error.to_string()))
            }
            Ok(Err(error)) => {
                if matches!(error.code(), Some("READONLY" | "MASTERDOWN" | "LOADING")) {
                    self.drop_connection(number, &error.to_string());
                }
                Err(CallError::Told(error))
            }
            Err(_) => {
                self.breaker.fails();
                self.drop_connection(number, &no_answer());
                Err(CallError::Untold(no_answer()))
            }
        }
    }

    fn drop_connection(&self, number: u64, reason: &str) {
        if report(&self.lost, number) {
            tracing::warn!(reason, "connection to Redis dropped");
        }
    }
}

fn report(lost: &watch::Sender<u64>, number: u64) -> bool {
    lost.send_if_modified(|last| {
        let news = number > *last;
        *last = number.max(*last);
        news
    })
}

async fn keep_connected(
    server: Arc<Server>,
    state: watch::Sender<State>,
    lost: Arc<watch::Sender<u64>>,
    mut backoff: Backoff,
    breaker: Breaker,
) {
    let mut losses = lost.subscribe();
    for number in 1.. {
        // The server's end of the connection is noticed at once, not at the next call.
        let on_end = {
            let lost = lost.clone();
            move || {
                report(&lost, number);
            }
        };
        match server.connect(on_end).await {
            Ok(connection) => {
                let since = Instant::now();
                breaker.works();
                tracing::info!(server = %server, "connected to Redis");
                state.send_replace(State::Up(Connected { number, connection }));
                // The sender is in this very function: there is always one.
                let _ = losses.wait_for(|last| *last >= number).await;
                state.send_replace(State::Connecting);
                if since.elapsed() >= SETTLED_AFTER {
                    backoff.reset();
                    continue;
                }
            }
            Err(error) => {
                breaker.fails();
                tracing::warn!(%error, server = %server, "no connection to Redis");
                state.send_replace(State::Down(Arc::new(error)));
            }
        }
        sleep(backoff.next_wait()).await;
    }
}

impl From<CallError> for GateError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Told(error) => Self(error.to_string()),
            CallError::Untold(reason) => Self(reason),
        }
    }
}

fn closed() -> GateError {
    GateError("the runtime is shutting down".to_owned())
}

fn no_answer() -> String {
    "Redis did not answer in time".to_owned()
}
