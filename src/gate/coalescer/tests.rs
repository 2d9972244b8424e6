use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{BoxFuture, join_all};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;
use crate::gate::{Counts, Loading, MemoryGate, PendingTicket, Release};
use crate::kernel::{ManualClock, Seq, TicketId, Timestamp, UserId};
use crate::model::gate::SaleTerms;

type Hook = Box<dyn Fn(usize) -> BoxFuture<'static, Result<(), GateError>> + Send + Sync>;

/// A memory gate that remembers its calls; what happens before and after each decision is the test's choice.
struct Probe {
    gate: MemoryGate,
    calls: Mutex<Vec<(SaleVersion, Vec<u8>)>>,
    before: Hook,
    after: Hook,
}

#[async_trait]
impl Gate for Probe {
    async fn admit(
        &self,
        sale: SaleId,
        known: SaleVersion,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Decision>, GateError> {
        let buyers = attempts.iter().map(|attempt| attempt.buyer.to_bytes()[0]).collect();
        let call = {
            let mut calls = self.calls.lock();
            calls.push((known, buyers));
            calls.len()
        };
        (self.before)(call).await?;
        let decisions = self.gate.admit(sale, known, attempts).await;
        (self.after)(call).await?;
        decisions
    }

    async fn begin(&self, terms: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError> {
        self.gate.begin(terms).await
    }

    async fn update(&self, terms: SaleTerms) -> Result<(), GateError> {
        self.gate.update(terms).await
    }

    async fn terms(&self, sale: SaleId) -> Result<Option<SaleTerms>, GateError> {
        self.gate.terms(sale).await
    }

    async fn settle(&self, tickets: &[TicketId]) -> Result<(), GateError> {
        self.gate.settle(tickets).await
    }

    async fn release_all(&self, releases: &[Release]) -> Result<usize, GateError> {
        self.gate.release_all(releases).await
    }

    async fn pending(
        &self,
        sale: SaleId,
        before: Timestamp,
        after: Seq,
        max: usize,
    ) -> Result<Vec<PendingTicket>, GateError> {
        self.gate.pending(sale, before, after, max).await
    }

    async fn find_pending(&self, ticket: TicketId) -> Result<Option<PendingTicket>, GateError> {
        self.gate.find_pending(ticket).await
    }

    async fn find_pending_of(&self, sale: SaleId, buyer: UserId) -> Result<Option<PendingTicket>, GateError> {
        self.gate.find_pending_of(sale, buyer).await
    }

    async fn counts(&self, sale: SaleId) -> Result<Option<Counts>, GateError> {
        self.gate.counts(sale).await
    }

    async fn sales(&self) -> Result<Vec<SaleId>, GateError> {
        self.gate.sales().await
    }

    async fn forget(&self, sale: SaleId) -> Result<(), GateError> {
        self.gate.forget(sale).await
    }
}

impl Probe {
    fn with(before: Hook, after: Hook) -> Arc<Self> {
        let clock = ManualClock::at(Timestamp::from_millis(0)).clock();
        Arc::new(Self { gate: MemoryGate::new(clock), calls: Mutex::default(), before, after })
    }

    /// Each call waits for a turn.
    fn with_turns() -> (Arc<Self>, Arc<Semaphore>) {
        let turns = Arc::new(Semaphore::new(0));
        let before = {
            let turns = Arc::clone(&turns);
            move |_| {
                let turns = Arc::clone(&turns);
                async move {
                    turns.acquire().await.unwrap().forget();
                    Ok(())
                }
                .boxed()
            }
        };
        (Self::with(Box::new(before), pass()), turns)
    }

    async fn open(&self, stock_total: u32) {
        let (starts_at, ends_at) = (Timestamp::from_millis(0), Timestamp::from_millis(1));
        let (sale, epoch, version, limit_per_buyer) = (sale(), 1, 1, 1);
        let (paused, ended) = (false, false);
        let terms = SaleTerms { sale, epoch, version, starts_at, ends_at, limit_per_buyer, stock_total, paused, ended };
        self.gate.rebuild(terms, Vec::new()).await.unwrap();
    }

    fn buyers(&self) -> Vec<Vec<u8>> {
        self.calls.lock().iter().map(|(_, buyers)| buyers.clone()).collect()
    }
}

fn pass() -> Hook {
    Box::new(|_| std::future::ready(Ok(())).boxed())
}

fn sale() -> SaleId {
    SaleId::from_bytes([1; 16])
}

fn attempt(n: u32) -> Attempt {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    Attempt { buyer: UserId::from_bytes(bytes), key: format!("key-{n}"), quantity: 1 }
}

fn coalescer(gate: Arc<Probe>, batch: usize, queue: usize, sales: usize) -> Coalescer {
    Coalescer(Arc::new(Shared { gate, batch, queue, sales, queues: Mutex::default() }))
}

impl Coalescer {
    fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    fn waiting(&self) -> usize {
        self.0.queues.lock().get(&sale()).map_or(0, VecDeque::len)
    }

    fn idle(&self) -> bool {
        self.0.queues.lock().is_empty()
    }

    async fn buy(&self, n: u32) -> Result<Decision, AdmitError> {
        self.admit(sale(), SaleVersion::of_epoch(1), &attempt(n)).await
    }

    /// Asks in a task of its own, and waits until it stands in the queue or is on its way.
    async fn ask(&self, known: SaleVersion, n: u32) -> JoinHandle<Result<Decision, AdmitError>> {
        let coalescer = self.share();
        let (started, start) = oneshot::channel();
        let task = tokio::spawn(async move {
            let attempt = attempt(n);
            let mut answer = Box::pin(coalescer.admit(sale(), known, &attempt));
            let early = (&mut answer).now_or_never();
            started.send(()).unwrap();
            match early {
                Some(answer) => answer,
                None => answer.await,
            }
        });
        start.await.unwrap();
        task
    }

    async fn ask_all(&self, buyers: std::ops::Range<u32>) -> Vec<JoinHandle<Result<Decision, AdmitError>>> {
        let mut asked = Vec::new();
        for n in buyers {
            asked.push(self.ask(SaleVersion::of_epoch(1), n).await);
        }
        asked
    }
}

async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
}

/// The seq of an admitted or replayed ticket.
fn seq(answer: Result<Decision, AdmitError>) -> Seq {
    match answer.unwrap() {
        Decision::Admitted { ticket, .. } | Decision::Replayed { ticket, .. } => ticket.seq,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_gate_that_answers_at_once_needs_no_task() {
    let probe = Probe::with(pass(), pass());
    probe.open(1).await;
    let coalescer = coalescer(Arc::clone(&probe), 8, 8, 8);
    assert_eq!(seq(coalescer.buy(1).now_or_never().unwrap()), 1);
    assert_eq!(coalescer.buy(2).now_or_never().unwrap().unwrap(), Decision::SoldOut);
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
    assert!(coalescer.idle());
}

#[tokio::test]
async fn others_gather_while_a_call_is_in_flight() {
    let (probe, turns) = Probe::with_turns();
    probe.open(7).await;
    let coalescer = coalescer(Arc::clone(&probe), 4, 8, 8);
    let asked = coalescer.ask_all(0..9).await;
    assert_eq!((probe.buyers().len(), coalescer.waiting()), (1, 8));
    turns.add_permits(3);
    let answers: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(probe.buyers(), [vec![0], vec![1, 2, 3, 4], vec![5, 6, 7, 8]]);
    for (n, answer) in answers.into_iter().enumerate() {
        if n < 7 {
            assert_eq!(seq(answer), n as u64 + 1);
        } else {
            assert_eq!(answer.unwrap(), Decision::SoldOut);
        }
    }
    until(|| coalescer.idle()).await;
}

#[tokio::test]
async fn a_call_has_one_epoch_and_the_newest_version() {
    let (probe, turns) = Probe::with_turns();
    probe.open(9).await;
    let coalescer = coalescer(Arc::clone(&probe), 4, 8, 8);
    let mut asked = Vec::new();
    let of = |epoch, version| SaleVersion { epoch, version };
    let known = [of(1, 1), of(1, 1), of(1, 1), of(2, 1), of(1, 1), of(1, 2)];
    for (n, known) in known.into_iter().enumerate() {
        asked.push(coalescer.ask(known, n as u32).await);
    }
    turns.add_permits(4);
    let answers: Vec<_> = join_all(asked).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(answers[3..], [Decision::WrongEpoch, Decision::Behind, Decision::Behind]);
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Decision::Admitted { .. })).count(), 3);
    assert_eq!(
        *probe.calls.lock(),
        [(of(1, 1), vec![0]), (of(1, 1), vec![1, 2]), (of(2, 1), vec![3]), (of(1, 2), vec![4, 5])]
    );
}

#[tokio::test]
async fn full_queues_refuse_and_come_free_again() {
    let (probe, turns) = Probe::with_turns();
    probe.open(9).await;
    let coalescer = coalescer(Arc::clone(&probe), 4, 2, 1);
    let asked = coalescer.ask_all(0..3).await;
    let refused = coalescer.buy(3).now_or_never().unwrap();
    assert!(matches!(refused, Err(AdmitError::Busy)), "the sale's queue is full");
    let other = SaleId::from_bytes([2; 16]);
    let refused = coalescer.admit(other, SaleVersion::of_epoch(1), &attempt(4)).now_or_never().unwrap();
    assert!(matches!(refused, Err(AdmitError::Busy)), "too many sales");
    turns.add_permits(9);
    let mut seqs: Vec<_> = join_all(asked).await.into_iter().map(|answer| seq(answer.unwrap())).collect();
    seqs.sort_unstable();
    assert_eq!(seqs, [1, 2, 3]);
    until(|| coalescer.idle()).await;
    assert_eq!(coalescer.admit(other, SaleVersion::of_epoch(1), &attempt(4)).await.unwrap(), Decision::WrongEpoch);
    assert_eq!(seq(coalescer.buy(3).await), 4);
}

#[tokio::test]
async fn dropped_callers_strand_nobody() {
    let (probe, turns) = Probe::with_turns();
    probe.open(9).await;
    let coalescer = coalescer(Arc::clone(&probe), 4, 8, 8);
    let mut asked = coalescer.ask_all(0..4).await;
    for gone in [2, 0] {
        let task = asked.remove(gone);
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    turns.add_permits(3);
    let seqs: Vec<_> = join_all(asked).await.into_iter().map(|answer| seq(answer.unwrap())).collect();
    assert_eq!(seqs, [2, 3]);
    assert_eq!(probe.buyers(), [vec![0], vec![1, 3]], "the call in flight went on, the one in the queue was left out");
    let again = coalescer.buy(0).await.unwrap();
    assert!(matches!(again, Decision::Replayed { ticket, .. } if ticket.seq == 1), "{again:?}");
    // All of a queue gone: there is no call for it.
    let asked = coalescer.ask_all(4..7).await;
    asked.iter().for_each(JoinHandle::abort);
    turns.add_permits(1);
    until(|| asked.iter().all(JoinHandle::is_finished) && coalescer.idle()).await;
    assert_eq!(probe.buyers().len(), 4);
}

#[tokio::test]
async fn a_failed_call_is_told_to_all_who_shared_it() {
    let turns = Arc::new(Semaphore::new(0));
    let hook = {
        let turns = Arc::clone(&turns);
        move |call| {
            let turns = Arc::clone(&turns);
            async move {
                turns.acquire().await.unwrap().forget();
                if call == 2 { Err(GateError("down".to_owned())) } else { Ok(()) }
            }
            .boxed()
        }
    };
    let probe = Probe::with(Box::new(hook), pass());
    probe.open(9).await;
    let coalescer = coalescer(Arc::clone(&probe), 2, 8, 8);
    let asked = coalescer.ask_all(0..4).await;
    turns.add_permits(3);
    let answers: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    for answer in &answers[1..3] {
        assert!(matches!(answer, Err(AdmitError::Unavailable(GateError(reason))) if reason == "down"), "{answer:?}");
    }
    let [first, .., last] = <[_; 4]>::try_from(answers).unwrap();
    assert_eq!((seq(first), seq(last)), (1, 2));
}

/// Whether it panics in the first caller or in the task that leads on.
#[tokio::test]
async fn a_gate_that_panics_strands_nobody() {
    let turns = Arc::new(Semaphore::new(0));
    let hook = {
        let turns = Arc::clone(&turns);
        move |call| {
            let turns = Arc::clone(&turns);
            async move {
                assert_ne!(call, 1, "on purpose");
                turns.acquire().await.unwrap().forget();
                assert_ne!(call, 2, "on purpose");
                Ok(())
            }
            .boxed()
        }
    };
    let probe = Probe::with(Box::new(hook), pass());
    probe.open(9).await;
    let coalescer = coalescer(Arc::clone(&probe), 2, 8, 8);
    let first = coalescer.share();
    assert!(tokio::spawn(async move { first.buy(0).await }).await.unwrap_err().is_panic());
    assert!(coalescer.idle());
    let asked = coalescer.ask_all(1..5).await;
    turns.add_permits(1);
    for answer in join_all(asked).await {
        assert!(matches!(answer.unwrap(), Err(AdmitError::Unavailable(_))));
    }
    turns.add_permits(1);
    assert_eq!(seq(coalescer.buy(5).await), 1);
}

/// A gate that is slow now and then, fails before it acts or after; callers that give up and come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_gets_exactly_the_stock() {
    const BUYERS: u32 = 4_000;
    const STOCK: u32 = 100;
    let slow = |call: usize| {
        async move {
            for _ in 0..call % 5 {
                tokio::task::yield_now().await;
            }
            if call.is_multiple_of(11) { Err(GateError("refused".to_owned())) } else { Ok(()) }
        }
        .boxed()
    };
    let lost = |call: usize| {
        let result = if call.is_multiple_of(13) { Err(GateError("lost".to_owned())) } else { Ok(()) };
        std::future::ready(result).boxed()
    };
    let probe = Probe::with(Box::new(slow), Box::new(lost));
    probe.open(STOCK).await;
    let coalescer = coalescer(Arc::clone(&probe), 16, 2 * BUYERS as usize, 8);
    let counters = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let crowd = (0..BUYERS).map(|n| {
        let (coalescer, counters) = (coalescer.share(), Arc::clone(&counters));
        tokio::spawn(async move {
            let [failed, dropped] = &*counters;
            if n % 7 == 0 && coalescer.buy(n).now_or_never().is_none() {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
            loop {
                match coalescer.buy(n).await {
                    Ok(decision) => return decision,
                    Err(AdmitError::Unavailable(_)) => failed.fetch_add(1, Ordering::Relaxed),
                    Err(AdmitError::Busy) => panic!("there is room for everybody"),
                };
            }
        })
    });
    let everybody = tokio::time::timeout(Duration::from_secs(60), join_all(crowd)).await.unwrap();
    let mut seqs: Vec<Seq> = Vec::new();
    for decision in everybody.into_iter().map(Result::unwrap) {
        match decision {
            Decision::SoldOut => {}
            ticket => seqs.push(seq(Ok(ticket))),
        }
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=u64::from(STOCK)).collect::<Vec<_>>());
    assert!(counters.iter().all(|counter| counter.load(Ordering::Relaxed) > 0), "{counters:?}");
    let calls = probe.buyers();
    assert!(calls.iter().all(|call| (1..=16).contains(&call.len())));
    assert!(calls.iter().any(|call| call.len() == 16));
    until(|| coalescer.idle()).await;
}

mod schedules {
    use super::*;

    /// Steps aside, up to twice, either in the middle of a poll (as another thread would) or by waiting.
    async fn dawdle() {
        use shuttle::rand::Rng;
        for _ in 0..shuttle::rand::thread_rng().gen_range(0..3) {
            if shuttle::rand::thread_rng().r#gen() {
                shuttle::thread::yield_now();
            } else {
                shuttle::future::yield_now().await;
            }
        }
    }

    /// Buyers 0, 1, 2 stand in line together; 10 gives up after the first look and comes back; 20 and 21 come one after
    /// the other.
    async fn crowd(stock: u32) {
        let hook = || -> Hook {
            Box::new(|_| {
                async {
                    dawdle().await;
                    Ok(())
                }
                .boxed()
            })
        };
        let probe = Probe::with(hook(), hook());
        probe.open(stock).await;
        let coalescer = coalescer(Arc::clone(&probe), 2, 8, 8);
        let [line, fickle, pair] = [coalescer.share(), coalescer.share(), coalescer.share()];
        let line = shuttle::future::spawn(async move { join_all((0..3).map(|n| line.buy(n))).await });
        let fickle = shuttle::future::spawn(async move {
            drop(fickle.buy(10).now_or_never());
            vec![fickle.buy(10).await]
        });
        let pair = shuttle::future::spawn(async move { vec![pair.buy(20).await, pair.buy(21).await] });
        let mut answers = line.await.unwrap();
        answers.extend(fickle.await.unwrap());
        answers.extend(pair.await.unwrap());
        while !coalescer.idle() {
            shuttle::future::yield_now().await;
        }

        let mut seqs: Vec<Seq> = Vec::new();
        for answer in answers {
            match answer.unwrap() {
                Decision::SoldOut => {}
                ticket => seqs.push(seq(Ok(ticket))),
            }
        }
        seqs.sort_unstable();
        assert_eq!(seqs, (1..=u64::from(stock.min(6))).collect::<Vec<_>>());
        let served: Vec<u8> = probe.buyers().concat();
        let place = |n: u8| served.iter().position(|buyer| *buyer == n);
        assert!(place(0) < place(1) && place(1) < place(2) && place(20) < place(21), "{served:?}");
    }

    #[test]
    fn any_order_of_steps_is_right() {
        for stock in [4, 9] {
            shuttle::check_random(move || shuttle::future::block_on(crowd(stock)), 800);
            shuttle::check_pct(move || shuttle::future::block_on(crowd(stock)), 200, 3);
        }
    }
}
