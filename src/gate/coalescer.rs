//! Natural batching: purchases of one sale that wait at the same moment share one gate call. There are no timers: while
//! a call is in flight the next batch gathers, so batches grow with the load and an idle system adds no latency.
//!
//! A gate that decides immediately (the memory gate) is called by each caller separately, because nothing waits.
//!
//! The first caller of an idle sale leads: it makes the gate call itself. If the gate makes it wait, or others have
//! queued up in the meantime, a spawned task continues. So every caller may be dropped at any time without affecting
//! the others.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use futures_util::FutureExt;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::{Attempt, Decision, Gate, GateError};
use crate::config;
use crate::kernel::SaleId;
use crate::model::gate::SaleVersion;

/// Why an attempt got no decision.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdmitError {
    /// Too many purchases of this sale, or of too many sales, wait already; the gate was not asked.
    #[error("too many purchases are waiting")]
    Busy,
    /// The gate was asked, or was about to be, and gave no answer. Whether it acted is unknown; the same key is safe to
    /// use again.
    #[error(transparent)]
    Unavailable(#[from] GateError),
}

/// Gathers purchase attempts for the gate: one call in flight per sale, attempts in the order of arrival.
///
/// Calls to the gate have no time limit here: a gate that can hang must bring its own.
#[derive(Clone)]
pub struct Coalescer(Arc<Shared>);

struct Shared {
    gate: Arc<dyn Gate>,
    batch: usize,
    queue: usize,
    sales: usize,
    /// A sale is in here exactly while somebody leads it.
    queues: Mutex<HashMap<SaleId, VecDeque<Waiting>>>,
}

struct Waiting {
    known: SaleVersion,
    attempt: Attempt,
    answer: oneshot::Sender<Result<Decision, GateError>>,
}

struct Batch {
    known: SaleVersion,
    attempts: Vec<Attempt>,
    answers: Vec<oneshot::Sender<Result<Decision, GateError>>>,
}

impl Coalescer {
    /// Gathers for `gate`, within the bounds `batch`, `queue` and `sales` of the configuration.
    pub fn new(gate: Arc<dyn Gate>, config: &config::Gate) -> Self {
        let (batch, queue, sales) = (config.batch.max(1), config.queue.max(1), config.sales.max(1));
        Self(Arc::new(Shared { gate, batch, queue, sales, queues: Mutex::default() }))
    }

    /// Asks the gate, together with others. Must be called within a tokio runtime.
    ///
    /// Dropping the future takes the attempt out of the queue; if its gate call is already on its way, that goes on,
    /// and the same key will replay its ticket.
    pub async fn admit(&self, sale: SaleId, known: SaleVersion, attempt: &Attempt) -> Result<Decision, AdmitError> {
        match self.0.gate.admit_now(sale, known, attempt) {
            Some(decision) => Ok(decision),
            None => self.gather(sale, known, attempt.clone()).await,
        }
    }

    async fn gather(&self, sale: SaleId, known: SaleVersion, attempt: Attempt) -> Result<Decision, AdmitError> {
        let lost = || GateError("the call ended without a response".to_owned());
        let (answer, decision) = oneshot::channel();
        if self.0.enqueue(sale, Waiting { known, attempt, answer })? {
            let mut lead = Box::pin(lead(Lead { shared: Arc::clone(&self.0), sale, over: false }));
            if (&mut lead).now_or_never().is_none() {
                runtime::spawn(lead);
            }
        }
        Ok(decision.await.unwrap_or_else(|_| Err(lost()))?)
    }
}

impl Shared {
    /// Returns whether the caller has to lead.
    fn enqueue(&self, sale: SaleId, waiting: Waiting) -> Result<bool, AdmitError> {
        let mut queues = self.lock();
        let room = queues.len() < self.sales;
        match queues.entry(sale) {
            Entry::Occupied(mut queue) if queue.get().len() < self.queue => {
                queue.get_mut().push_back(waiting);
                Ok(false)
            }
            Entry::Vacant(entry) if room => {
                entry.insert(VecDeque::from([waiting]));
                Ok(true)
            }
            _ => Err(AdmitError::Busy),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SaleId, VecDeque<Waiting>>> {
        runtime::interleave();
        self.queues.lock()
    }
}

/// Leads a sale until nobody waits. After each batch it steps back if there is more, so that neither the caller that
/// began nor a worker thread is kept for the others' sake.
async fn lead(mut lead: Lead) {
    loop {
        let batch = lead.take();
        if !batch.attempts.is_empty() {
            let result = lead.shared.gate.admit(lead.sale, batch.known, batch.attempts).await;
            answer(batch.answers, result);
        }
        if lead.is_over() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Callers that have gone away are skipped. A caller without a result learns that by its closed channel.
fn answer(answers: Vec<oneshot::Sender<Result<Decision, GateError>>>, result: Result<Vec<Decision>, GateError>) {
    match result {
        Ok(decisions) => {
            for (answer, decision) in answers.into_iter().zip(decisions) {
                let _ = answer.send(Ok(decision));
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

/// The duty to serve a sale's queue. If it is dropped before it is over (the gate panicked, the runtime shuts down),
/// all waiting callers get an error, and the next caller leads.
struct Lead {
    shared: Arc<Shared>,
    sale: SaleId,
    over: bool,
}

impl Lead {
    /// The next attempts for one call: as many as know the same epoch and are still wanted. The newest version that one of them
    /// knows is asked for: a gate that is behind it is behind.
    fn take(&self) -> Batch {
        let mut queues = self.shared.lock();
        let mut batch = Batch { known: SaleVersion::of_epoch(0), attempts: Vec::new(), answers: Vec::new() };
        let Some(queue) = queues.get_mut(&self.sale) else { return batch };
        while let Some(front) = queue.front()
            && batch.attempts.len() < self.shared.batch
            && (batch.attempts.is_empty() || front.known.epoch == batch.known.epoch)
            && let Some(next) = queue.pop_front()
        {
            if !next.answer.is_closed() {
                let version = next.known.version.max(batch.known.version);
                batch.known = SaleVersion { version, ..next.known };
                batch.attempts.push(next.attempt);
                batch.answers.push(next.answer);
            }
        }
        batch
    }

    fn is_over(&mut self) -> bool {
        let mut queues = self.shared.lock();
        if queues.get(&self.sale).is_none_or(VecDeque::is_empty) {
            queues.remove(&self.sale);
            self.over = true;
        }
        self.over
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if !self.over {
            let stranded = self.shared.lock().remove(&self.sale);
            // Their wakers run here, outside the lock.
            drop(stranded);
        }
    }
}

#[cfg(not(test))]
mod runtime {
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(task);
    }

    pub(super) const fn interleave() {}
}

/// Unit tests also run under shuttle, which tries out orders of the steps between the locks.
#[cfg(test)]
mod runtime {
    use tokio::runtime::Handle;

    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        match Handle::try_current() {
            Ok(tokio) => drop(tokio.spawn(task)),
            Err(_) => drop(shuttle::future::spawn(task)),
        }
    }

    pub(super) fn interleave() {
        if Handle::try_current().is_err() {
            shuttle::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests;
