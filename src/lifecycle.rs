//! Starting, monitoring and stopping background work.
//!
//! Stopping has two steps. *Soft*: no new work comes in, what is in work is finished. *Hard*: what still runs is cut.
//! The order is intake first, then workers: the server leaves on [`Shutdown::soft`], and when it has drained, the app calls
//! [`Supervisor::stop`].

use std::future::ready;
use std::task::Poll;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

mod supervisor;

pub use supervisor::{RestartPolicy, Supervisor, WorkerState, WorkerStatus};

/// Lets this process, and those that it starts, open as many files as the system lets it (the hard limit), and says how many
/// that is; `None` is no limit. Each connection is a file, and shells and service managers often allow 1024 where nobody asks.
pub fn allow_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::debug!(%error, "could not raise the limit of open files");
            limit.current
        }
    }
}

/// Signals that end a process which does not handle them. Each begins the shutdown, so that none of them cuts off work.
const SIGNALS: &[(Signal, &str)] = &[
    (Signal::INT, "SIGINT"),
    (Signal::TERM, "SIGTERM"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::HUP, "SIGHUP"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::VTALARM, "SIGVTALRM"),
    (Signal::PROF, "SIGPROF"),
    (Signal::IO, "SIGIO"),
    (Signal::XCPU, "SIGXCPU"),
    #[cfg(target_os = "linux")]
    (Signal::POWER, "SIGPWR"),
    #[cfg(target_os = "linux")]
    (Signal::STKFLT, "SIGSTKFLT"),
];

/// Those whose repetition forces the shutdown: a person or a supervisor insists. The others may come twice by themselves: a terminal
/// that closes sends SIGHUP, and so does its shell; systemd may send SIGHUP right after SIGTERM.
const INSISTENT: [&str; 3] = ["SIGINT", "SIGTERM", "SIGQUIT"];

/// Signals that would end the process and are held back, until [`Shutdown::obey`] is given them.
pub struct Signals(Vec<(tokio::signal::unix::Signal, &'static str)>);

impl Signals {
    /// Holds them from now on. To be called first of all: what comes before ends the process. SIGHUP is left alone where it was
    /// ignored before (`nohup`). Must be called inside a tokio runtime.
    pub fn hold() -> std::io::Result<Self> {
        let held = SIGNALS.iter().filter(|(number, _)| *number != Signal::HUP || !is_ignored(*number));
        let held = held.map(|(number, name)| Ok((signal(SignalKind::from_raw(number.as_raw()))?, *name)));
        let held = held.collect::<std::io::Result<Vec<_>>>()?;
        // A file that must not grow any further is an error of its writer, like a full disk. Handled once, the signal
        // stays so.
        drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
        Ok(Self(held))
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

    /// Obeys the signals, in a task of its own: the first begins the shutdown; another SIGINT, SIGTERM or SIGQUIT, or
    /// `timeout` after the beginning, forces it.
    pub fn obey(&self, signals: Signals, timeout: Duration) {
        let Signals(mut heard) = signals;
        let signals = stream::poll_fn(move |context| {
            let came =
                heard.iter_mut().find_map(|(signal, name)| signal.poll_recv(context).is_ready().then_some(*name));
            came.map_or(Poll::Pending, |name| Poll::Ready(Some(name)))
        });
        tokio::spawn(self.clone().conduct(signals, timeout));
    }

    async fn conduct(self, mut signals: impl Stream<Item = &'static str> + Unpin, timeout: Duration) {
        tokio::select! {
            Some(signal) = signals.next() => tracing::info!(signal, "shutting down"),
            () = self.soft.cancelled() => {}
        }
        self.begin();
        let mut insisting = signals.filter(|signal| ready(INSISTENT.contains(signal)));
        tokio::select! {
            Some(signal) = insisting.next() => tracing::warn!(signal, "forced to stop immediately"),
            () = tokio::time::sleep(timeout) => tracing::warn!(?timeout, "shutdown took too long; stopping immediately"),
            () = self.hard.cancelled() => {}
        }
        self.force();
    }
}

/// Whether the signal was ignored when the process began, by what the kernel says of it.
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal.as_raw() - 1) & 1 == 1
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
    async fn a_second_signal_that_may_come_by_itself_does_not_force() {
        let (shutdown, signals) = conducted();
        signals.send("SIGTERM").unwrap();
        signals.send("SIGHUP").unwrap();
        shutdown.soft().cancelled().await;
        tokio::time::sleep(TIMEOUT / 2).await;
        assert!(!shutdown.hard().is_cancelled());
        signals.send("SIGQUIT").unwrap();
        shutdown.hard().cancelled().await;
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
