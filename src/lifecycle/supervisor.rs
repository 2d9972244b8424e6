//! Restarts workers when they fail.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::kernel::Rng;
use crate::kernel::retry::Delays;
use crate::telemetry::{Counter, Metrics, panic_message};

/// When a failed worker is started again.
#[derive(Debug, Clone, Copy)]
pub struct RestartPolicy {
    /// The wait before it is started again.
    pub delays: Delays,
    /// A worker that has run for this long is healthy again, and its next failure counts as the first.
    pub settled_after: Duration,
}

impl Default for RestartPolicy {
    /// Quick enough that a restarted database is not waited for, slow enough that one that is gone costs nothing.
    fn default() -> Self {
        let delays = Delays::new(Duration::from_millis(100), Duration::from_secs(10));
        Self { delays, settled_after: Duration::from_secs(5) }
    }
}

/// The state of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerStatus {
    /// It runs.
    Running,
    /// It failed and is about to be started again.
    BackingOff,
    /// It has stopped as requested.
    Stopped,
}

/// A worker, for readiness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerState {
    /// Its name.
    pub name: String,
    /// The current state.
    pub status: WorkerStatus,
    /// Whether it runs and has not just failed: false until it has run for [`RestartPolicy::settled_after`] since its last failure.
    pub healthy: bool,
    /// Why it failed the last time.
    pub last_error: Option<String>,
    /// How often it was started again.
    pub restarts: u64,
}

/// Makes a run of a worker. Of one type, so that what keeps workers running is compiled once for all of them.
type Factory = Box<dyn Fn(CancellationToken) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Keeps workers running until it is stopped. Cheap to clone; clones share the workers.
#[derive(Debug, Clone)]
pub struct Supervisor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rng: Rng,
    metrics: Metrics,
    restart: RestartPolicy,
    tracker: TaskTracker,
    stopping: CancellationToken,
    workers: Mutex<Vec<(Arc<Mutex<Worker>>, AbortHandle)>>,
}

#[derive(Debug)]
struct Worker {
    name: String,
    status: WorkerStatus,
    last_error: Option<String>,
    restarts: u64,
    /// Failures without a settled run in between.
    failures: u32,
    started: Instant,
}

impl Supervisor {
    /// A supervisor without workers.
    pub fn new(rng: Rng, metrics: Metrics, restart: RestartPolicy) -> Self {
        Self(Arc::new(Inner {
            rng,
            metrics,
            restart,
            tracker: TaskTracker::new(),
            stopping: CancellationToken::new(),
            workers: Mutex::default(),
        }))
    }

    /// Starts a worker. It is to run until its token is cancelled, then finish what it has begun and return `Ok`. When it
    /// returns earlier, fails or panics, `factory` makes it anew after a while.
    pub fn spawn<F, W>(&self, name: impl Into<String>, factory: F)
    where
        F: Fn(CancellationToken) -> W + Send + Sync + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let name = name.into();
        let restarts = self.0.metrics.worker_restarts(&name);
        let (status, started) = (WorkerStatus::Running, Instant::now());
        let worker = Worker { name, status, last_error: None, restarts: 0, failures: 0, started };
        let worker = Arc::new(Mutex::new(worker));
        let factory: Factory = Box::new(move |stopping| Box::pin(factory(stopping)));
        let keeper = self.clone().keep(worker.clone(), restarts, factory);
        let task = self.0.tracker.spawn(keeper);
        self.0.workers.lock().push((worker, task.abort_handle()));
    }

    /// All workers, in the order in which they were started.
    pub fn workers(&self) -> Vec<WorkerState> {
        self.0.workers.lock().iter().map(|(worker, _)| worker.lock().state(&self.0.restart)).collect()
    }

    /// Cancelled when the workers must stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// Tells the workers to stop and waits until all have, but not longer than `deadline` and not once `hard` is cancelled:
    /// then the others are cut. Returns the names of those.
    pub async fn stop(&self, deadline: Duration, hard: &CancellationToken) -> Vec<String> {
        self.0.stopping.cancel();
        self.0.tracker.close();
        tokio::select! {
            () = self.0.tracker.wait() => return Vec::new(),
            () = tokio::time::sleep(deadline) => {}
            () = hard.cancelled() => {}
        }
        let mut cut = Vec::new();
        for (worker, task) in self.0.workers.lock().iter().filter(|(_, task)| !task.is_finished()) {
            task.abort();
            cut.push(worker.lock().name.clone());
        }
        tracing::warn!(workers = ?cut, "workers did not stop in time and were aborted");
        cut
    }

    async fn keep(self, worker: Arc<Mutex<Worker>>, restarts: Counter, factory: Factory) {
        let Inner { rng, restart, stopping, .. } = &*self.0;
        loop {
            worker.lock().starts();
            let run = AssertUnwindSafe(async { factory(stopping.clone()).await }).catch_unwind().await;
            let error = match run {
                Ok(Ok(())) if stopping.is_cancelled() => break,
                Ok(Ok(())) => "it ended unexpectedly".to_owned(),
                Ok(Err(error)) => format!("{error:#}"),
                Err(panic) => format!("panicked: {}", panic_message(&*panic)),
            };
            let failures = worker.lock().failed(&error, restart);
            let delay = restart.delays.after(failures, rng);
            tracing::error!(worker = worker.lock().name, error, failures, ?delay, "worker failed");
            tokio::select! {
                () = tokio::time::sleep(delay) => restarts.inc(),
                () = stopping.cancelled() => break,
            };
            worker.lock().restarts += 1;
        }
        worker.lock().status = WorkerStatus::Stopped;
    }
}

impl Worker {
    fn starts(&mut self) {
        self.status = WorkerStatus::Running;
        self.started = Instant::now();
    }

    /// Returns how many times it has now failed in a row.
    fn failed(&mut self, error: &str, restart: &RestartPolicy) -> u32 {
        let settled = self.started.elapsed() >= restart.settled_after;
        self.failures = if settled { 1 } else { self.failures.saturating_add(1) };
        self.status = WorkerStatus::BackingOff;
        self.last_error = Some(error.to_owned());
        self.failures
    }

    fn state(&self, restart: &RestartPolicy) -> WorkerState {
        let settled = self.failures == 0 || self.started.elapsed() >= restart.settled_after;
        WorkerState {
            name: self.name.clone(),
            status: self.status,
            healthy: self.status == WorkerStatus::Running && settled,
            last_error: self.last_error.clone(),
            restarts: self.restarts,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn supervisor() -> Supervisor {
        Supervisor::new(Rng::seeded(1), Metrics::new(), RestartPolicy::default())
    }

    async fn until(mut holds: impl FnMut() -> bool) {
        let polling = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), polling).await.expect("the condition never held");
    }

    #[tokio::test(start_paused = true)]
    async fn workers_that_fail_panic_or_end_are_started_again() {
        let supervisor = supervisor();
        let runs = Arc::new(AtomicU32::new(0));
        let count = runs.clone();
        supervisor.spawn("flaky", move |stopping| {
            let run = count.fetch_add(1, Ordering::SeqCst);
            assert!(run != 0, "in the factory");
            async move {
                match run {
                    1 => anyhow::bail!("no database"),
                    2 => panic!("run {run}"),
                    3 => return Ok(()),
                    _ => stopping.cancelled().await,
                }
                Ok(())
            }
        });
        let errors = ["panicked: in the factory", "no database", "panicked: run 2", "it ended unexpectedly"];
        for (failures, error) in errors.iter().enumerate() {
            until(|| supervisor.workers()[0].last_error.as_deref() == Some(error)).await;
            let state = &supervisor.workers()[0];
            assert_eq!((state.status, state.healthy), (WorkerStatus::BackingOff, false));
            assert_eq!(state.restarts, failures as u64);
        }
        until(|| supervisor.workers()[0].status == WorkerStatus::Running).await;
        assert!(!supervisor.workers()[0].healthy, "it has just failed");
        until(|| supervisor.workers()[0].healthy).await;
        assert_eq!(supervisor.workers()[0].restarts, 4);
        let text = supervisor.0.metrics.encode().unwrap();
        assert!(text.contains("doorbuster_worker_restarts_total{worker=\"flaky\"} 4"), "{text}");

        assert!(supervisor.stop(Duration::from_secs(1), &CancellationToken::new()).await.is_empty());
        assert_eq!(supervisor.workers()[0].status, WorkerStatus::Stopped);
        assert_eq!(runs.load(Ordering::SeqCst), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn delays_double_to_a_limit_and_start_over_after_a_settled_run() {
        let supervisor = supervisor();
        let starts = Arc::new(Mutex::new(Vec::new()));
        let seen = starts.clone();
        supervisor.spawn("worker", move |_| {
            let run = {
                let mut seen = seen.lock();
                seen.push(Instant::now());
                seen.len()
            };
            async move {
                if run == 12 {
                    tokio::time::sleep(Duration::from_secs(6)).await;
                }
                anyhow::bail!("run {run}")
            }
        });
        until(|| starts.lock().len() >= 13).await;
        let starts = starts.lock().clone();
        let delays: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        let mut expected = 0.1_f64;
        for delay in &delays[..11] {
            assert!(*delay >= expected / 2.0 && *delay <= expected + 0.005, "{delay} of {expected}: {delays:?}");
            expected = (expected * 2.0).min(10.0);
        }
        assert!(delays[11] - 6.0 >= 0.05 && delays[11] - 6.0 <= 0.105, "{delays:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_waits_for_work_in_hand_and_cuts_what_takes_too_long() {
        let supervisor = supervisor();
        let finished = Arc::new(AtomicU32::new(0));
        let count = finished.clone();
        supervisor.spawn("slow", move |stopping| {
            let count = count.clone();
            async move {
                stopping.cancelled().await;
                tokio::time::sleep(Duration::from_secs(3)).await;
                count.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
        });
        supervisor.spawn("deaf", |_| std::future::pending());
        supervisor.spawn("failing", |_| async { anyhow::bail!("always") });
        until(|| supervisor.workers()[2].restarts > 0).await;

        let start = Instant::now();
        let cut = supervisor.stop(Duration::from_secs(5), &CancellationToken::new()).await;
        assert_eq!(cut, ["deaf"]);
        assert_eq!(finished.load(Ordering::SeqCst), 1);
        assert!(start.elapsed() >= Duration::from_secs(5) && start.elapsed() < Duration::from_secs(6));
    }

    #[tokio::test(start_paused = true)]
    async fn the_hard_step_cuts_at_once() {
        let supervisor = supervisor();
        let held = Arc::new(());
        let holding = held.clone();
        supervisor.spawn("deaf", move |_| {
            let held = holding.clone();
            async move {
                std::future::pending::<()>().await;
                drop(held);
                Ok(())
            }
        });
        until(|| Arc::strong_count(&held) == 3).await;
        let hard = CancellationToken::new();
        hard.cancel();
        let start = Instant::now();
        assert_eq!(supervisor.stop(Duration::from_secs(5), &hard).await, ["deaf"]);
        assert_eq!(start.elapsed(), Duration::ZERO);
        until(|| Arc::strong_count(&held) == 1).await;
    }
}
