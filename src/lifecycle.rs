//! Starting, watching and stopping what runs beside the requests.
//!
//! Stopping has two steps. *Soft*: no new work comes in, what is in work is finished. *Hard*: what still runs is cut.
//! The order is intake first, then workers: the server leaves on [`Shutdown::soft`], and when it has drained, the app calls
//! [`Supervisor::stop`].

use std::task::Poll;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

mod supervisor;

pub use supervisor::{Backoff, Supervisor, WorkerState, WorkerStatus};

/// Lets this process, and those that it starts, open as many files as the system lets it (the hard limit), and says how many
/// that is; `None` is no limit. Each connection is a file, and shells and service managers often allow 1024 where nobody asks.
pub fn allow_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays as it is");
            limit.current
        }
    }
}

/// The two steps of a shutdown. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// Nothing has been asked to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the program shall take no new work and finish what it has.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled when the program shall drop everything at once. Implies [`Self::soft`].
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Asks for the first step, as a signal does.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Asks for the second step.
    pub fn force(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Obeys SIGINT and SIGTERM from now on, in a task of its own: the first begins the shutdown; the second, or `timeout`
    /// after the beginning, forces it.
    pub fn obey_signals(&self, timeout: Duration) -> std::io::Result<()> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let signals = stream::poll_fn(move |context| match interrupt.poll_recv(context) {
            Poll::Ready(_) => Poll::Ready(Some("SIGINT")),
            Poll::Pending => terminate.poll_recv(context).map(|_| Some("SIGTERM")),
        });
        tokio::spawn(self.clone().conduct(signals, timeout));
        Ok(())
    }

    async fn conduct(self, mut signals: impl Stream<Item = &'static str> + Unpin, timeout: Duration) {
        tokio::select! {
            Some(signal) = signals.next() => tracing::info!(signal, "shutting down"),
            () = self.soft.cancelled() => {}
        }
        self.begin();
        tokio::select! {
            Some(signal) = signals.next() => tracing::warn!(signal, "forced to stop at once"),
            () = tokio::time::sleep(timeout) => tracing::warn!(?timeout, "shutdown took too long, stopping at once"),
            () = self.hard.cancelled() => {}
        }
        self.force();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(15);

    fn conducted() -> (Shutdown, mpsc::UnboundedSender<&'static str>) {
        let shutdown = Shutdown::new();
        let (send, mut receive) = mpsc::unbounded_channel();
        tokio::spawn(shutdown.clone().conduct(stream::poll_fn(move |context| receive.poll_recv(context)), TIMEOUT));
        (shutdown, send)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_signal_begins_and_the_second_forces() {
        let (shutdown, signals) = conducted();
        let start = Instant::now();
        signals.send("SIGTERM").unwrap();
        shutdown.soft().cancelled().await;
        assert!(!shutdown.hard().is_cancelled());
        signals.send("SIGTERM").unwrap();
        shutdown.hard().cancelled().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn the_timeout_forces_however_the_shutdown_began() {
        let (shutdown, _signals) = conducted();
        shutdown.begin();
        let start = Instant::now();
        shutdown.hard().cancelled().await;
        assert!(start.elapsed() >= TIMEOUT && start.elapsed() < TIMEOUT + Duration::from_millis(10));
    }

    #[tokio::test(start_paused = true)]
    async fn no_step_comes_by_itself() {
        let (shutdown, _signals) = conducted();
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        assert!(!shutdown.soft().is_cancelled() && !shutdown.hard().is_cancelled());
    }
}
