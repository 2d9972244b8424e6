//! What one purchase attempt costs at the gate: straight, through the coalescer when the gate answers at once, and
//! when it makes callers wait. `cargo bench -p doorbuster-tools --bench gate`; prints nanoseconds per attempt, the best of five runs.

#![allow(clippy::unwrap_used, reason = "a call that fails ends the measurement")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use doorbuster::config::Config;
use doorbuster::gate::{
    Attempt, Coalescer, Counts, Decision, Gate, GateError, Loading, MemoryGate, PendingTicket, Release,
};
use doorbuster::kernel::{Clock, SaleId, Seq, TicketId, Timestamp, UserId};
use doorbuster::model::gate::{SaleTerms, SaleVersion};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ATTEMPTS: u32 = 200_000;
const SALE: SaleId = SaleId::from_bytes([1; 16]);
const KNOWN: SaleVersion = SaleVersion { epoch: 1, version: 1 };

/// A gate that is not there yet at the first look, like one behind a socket.
struct Slow(MemoryGate);

#[async_trait]
impl Gate for Slow {
    async fn admit(
        &self,
        sale: SaleId,
        known: SaleVersion,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Decision>, GateError> {
        tokio::task::yield_now().await;
        self.0.admit(sale, known, attempts).await
    }
    async fn begin(&self, terms: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError> {
        self.0.begin(terms).await
    }
    async fn update(&self, terms: SaleTerms) -> Result<(), GateError> {
        self.0.update(terms).await
    }
    async fn terms(&self, sale: SaleId) -> Result<Option<SaleTerms>, GateError> {
        self.0.terms(sale).await
    }
    async fn settle(&self, tickets: &[TicketId]) -> Result<(), GateError> {
        self.0.settle(tickets).await
    }
    async fn release_all(&self, releases: &[Release]) -> Result<usize, GateError> {
        self.0.release_all(releases).await
    }
    async fn pending(
        &self,
        sale: SaleId,
        before: Timestamp,
        after: Seq,
        max: usize,
    ) -> Result<Vec<PendingTicket>, GateError> {
        self.0.pending(sale, before, after, max).await
    }
    async fn find_pending(&self, ticket: TicketId) -> Result<Option<PendingTicket>, GateError> {
        self.0.find_pending(ticket).await
    }
    async fn find_pending_of(&self, sale: SaleId, buyer: UserId) -> Result<Option<PendingTicket>, GateError> {
        self.0.find_pending_of(sale, buyer).await
    }
    async fn counts(&self, sale: SaleId) -> Result<Option<Counts>, GateError> {
        self.0.counts(sale).await
    }
    async fn sales(&self) -> Result<Vec<SaleId>, GateError> {
        self.0.sales().await
    }
    async fn forget(&self, sale: SaleId) -> Result<(), GateError> {
        self.0.forget(sale).await
    }
}

fn attempt(n: u32) -> Attempt {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    Attempt { buyer: UserId::from_bytes(bytes), key: format!("0191d2c4-5b6f-7000-8000-{n:012}"), quantity: 1 }
}

async fn opened<G: Gate>(gate: G, stock_total: u32) -> Arc<G> {
    let (now, day) = (Clock::system().now(), Duration::from_secs(86_400));
    let terms = SaleTerms {
        sale: SALE,
        epoch: 1,
        version: 1,
        starts_at: now.minus(day),
        ends_at: now.plus(day),
        limit_per_buyer: 1,
        stock_total,
        paused: false,
        ended: false,
    };
    gate.rebuild(terms, Vec::new()).await.unwrap();
    Arc::new(gate)
}

fn memory() -> MemoryGate {
    MemoryGate::new(Clock::system())
}

/// Attempts straight to the gate, `batch` per call.
async fn straight(gate: Arc<MemoryGate>, batch: u32) -> Duration {
    let calls: Vec<Vec<Attempt>> =
        (0..ATTEMPTS / batch).map(|call| (0..batch).map(|n| attempt(call * batch + n)).collect()).collect();
    let start = Instant::now();
    for attempts in calls {
        std::hint::black_box(gate.admit(SALE, KNOWN, attempts).await.unwrap());
    }
    start.elapsed()
}

/// Attempts through the coalescer, from `callers` tasks, each one at a time.
async fn gathered(gate: Arc<dyn Gate>, callers: u32) -> Duration {
    let coalescer = Arc::new(Coalescer::new(gate, &Config::default_embedded().gate));
    let share = ATTEMPTS / callers;
    let work: Vec<Vec<Attempt>> =
        (0..callers).map(|caller| (0..share).map(|n| attempt(caller * share + n)).collect()).collect();
    let start = Instant::now();
    let tasks: Vec<_> = work
        .into_iter()
        .map(|attempts| {
            let coalescer = Arc::clone(&coalescer);
            tokio::spawn(async move {
                for attempt in attempts {
                    std::hint::black_box(coalescer.admit(SALE, KNOWN, &attempt).await.unwrap());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed()
}

fn report<F: Future<Output = Duration>>(name: &str, runtime: &Runtime, mut run: impl FnMut() -> F) {
    let best = (0..5).map(|_| runtime.block_on(run())).min().unwrap_or_default();
    println!("{name:<58} {:>7.0} ns", best.as_nanos() as f64 / f64::from(ATTEMPTS));
}

fn main() {
    let one = Builder::new_current_thread().build().unwrap();
    let two = Builder::new_multi_thread().worker_threads(2).build().unwrap();
    report("gate, one attempt per call, sold out", &one, async || straight(opened(memory(), 0).await, 1).await);
    report("gate, 64 attempts per call, sold out", &one, async || straight(opened(memory(), 0).await, 64).await);
    report("gate, one attempt per call, admitted", &one, async || straight(opened(memory(), ATTEMPTS).await, 1).await);
    report("gate, 64 attempts per call, admitted", &one, async || straight(opened(memory(), ATTEMPTS).await, 64).await);
    for (threads, runtime) in [("1 thread", &one), ("2 threads", &two)] {
        for callers in [1, 64, 1_000] {
            report(&format!("coalescer, {threads}, {callers} callers, sold out"), runtime, async || {
                gathered(opened(memory(), 0).await, callers).await
            });
            report(&format!("coalescer, {threads}, {callers} callers, gate waits, sold out"), runtime, async || {
                gathered(opened(Slow(memory()), 0).await, callers).await
            });
        }
    }
}
