//! The coordinator: starts global transactions, tries their branches, and drives decided ones to completion.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::endings::Endings;
use super::fail_points::FailPoints;
use super::participant::{Failure, Participant, Tried};
use crate::config;
use crate::kernel::retry::Delays;
use crate::kernel::{Clock, Rng, Xid};
use crate::model::tcc::{Branch, BranchKey, BranchState, GlobalState, NOT_DECIDED, Transaction};
use crate::store::{self, Database, StoreError};
use crate::telemetry::Metrics;

/// The initiator of a transaction, which is notified of its end.
#[async_trait]
pub trait Initiator: Send + Sync {
    /// All branches are cancelled: takes back what stands in the initiator's own tables. It may be called more than once.
    async fn cancelled(&self, transaction: &Transaction) -> Result<(), StoreError>;
}

/// The result of trying all branches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// All are tried: now the commit point.
    Ready,
    /// One was rejected, for this reason; the transaction is cancelled.
    Rejected(&'static str),
    /// It was cancelled meanwhile, because it took too long.
    TooLate,
}

/// The dependencies of a [`Coordinator`].
pub struct Parts {
    /// Where the transactions are written down: the database of those who begin them.
    pub db: Database,
    /// The participants.
    pub participants: Vec<Arc<dyn Participant>>,
    /// Time.
    pub clock: Clock,
    /// Ids and jitter.
    pub rng: Rng,
    /// Counts.
    pub metrics: Metrics,
    /// Settings.
    pub config: config::Tcc,
    /// This node, as the holder of leases.
    pub node: String,
}

/// Coordinates global transactions. Cheap to clone.
#[derive(Clone)]
pub struct Coordinator(Arc<Inner>);

struct Inner {
    db: Database,
    participants: BTreeMap<&'static str, Arc<dyn Participant>>,
    clock: Clock,
    rng: Rng,
    metrics: Metrics,
    config: config::Tcc,
    node: String,
    fail_points: FailPoints,
    endings: Endings,
}

impl Coordinator {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let Parts { db, participants, clock, rng, metrics, config, node } = parts;
        let participants = participants.into_iter().map(|participant| (participant.name(), participant)).collect();
        Self(Arc::new(Inner {
            db,
            participants,
            clock,
            rng,
            metrics,
            config,
            node,
            fail_points: FailPoints::default(),
            endings: Endings::default(),
        }))
    }

    pub(super) fn db(&self) -> &Database {
        &self.0.db
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn config(&self) -> &config::Tcc {
        &self.0.config
    }

    pub(super) fn node(&self) -> &str {
        &self.0.node
    }

    pub(super) fn count(&self, event: &'static str) {
        self.0.metrics.global_transactions.count(event);
    }

    /// Where this coordinator's calls may be ended.
    #[cfg(feature = "sabotage")]
    pub fn fail_points(&self) -> &FailPoints {
        &self.0.fail_points
    }

    /// A place of the initiator's own where a test may end the call.
    pub async fn pass(&self, point: &'static str) {
        self.0.fail_points.pass(point).await;
    }

    /// A transaction with one branch per participant, to be written down with `sql::tcc::begin` in the same local transaction as the
    /// intent (step a).
    pub fn open(&self, xid: Xid, kind: &str, args: String, branches: Vec<(&'static str, String)>) -> Transaction {
        let now = self.0.clock.now();
        let branch = |(number, (participant, args)): (usize, (&'static str, String))| Branch {
            key: BranchKey { xid, branch: number as u32 + 1 },
            participant: participant.to_owned(),
            args,
            state: BranchState::Registered,
        };
        Transaction {
            xid,
            kind: kind.to_owned(),
            args,
            state: GlobalState::Trying,
            reason: None,
            last_error: None,
            deadline: now.plus(*self.0.config.deadline),
            attempts: 0,
            created_at: now,
            branches: branches.into_iter().enumerate().map(branch).collect(),
        }
    }

    /// A transaction that was begun before.
    pub async fn find(&self, xid: Xid) -> Result<Option<Transaction>, StoreError> {
        store::read!(&self.0.db, |conn| sql::tcc::find(conn, xid).await)
    }

    /// Tries the branches in their order (step b). Unless the answer is `Ready`, the transaction is cancelled when this returns, or will
    /// be by recovery. An error says that what came of a branch is not known; the transaction is being cancelled.
    pub async fn attempt(&self, transaction: &Transaction, initiator: &dyn Initiator) -> Result<Attempt, StoreError> {
        self.count("begun");
        for branch in &transaction.branches {
            self.pass("before_try").await;
            let tried = match self.participant(branch) {
                Ok(participant) => participant.attempt(branch.key, &branch.args).await,
                Err(failure) => Err(failure),
            };
            self.pass("after_try").await;
            match tried {
                Ok(Tried::Tried) => {}
                Ok(Tried::Rejected(reason)) => {
                    self.abort(transaction.xid, reason, initiator).await?;
                    return Ok(Attempt::Rejected(reason));
                }
                Ok(Tried::AlreadyCancelled) => {
                    self.abort(transaction.xid, "cancelled meanwhile", initiator).await?;
                    return Ok(Attempt::TooLate);
                }
                Err(failure) => return Err(self.attempt_failed(transaction.xid, failure, initiator).await),
            }
        }
        Ok(Attempt::Ready)
    }

    async fn attempt_failed(&self, xid: Xid, failure: Failure, initiator: &dyn Initiator) -> StoreError {
        let reason = failure.to_string();
        if !matches!(failure, Failure::Store(_)) {
            self.count("breach");
            tracing::error!(%xid, %reason, "could not try a branch of a global transaction");
        }
        // If this fails too, the deadline will do it.
        if let Err(error) = self.abort(xid, &reason, initiator).await {
            tracing::warn!(%xid, %error, "a global transaction is not cancelled yet");
        }
        match failure {
            Failure::Store(error) => error,
            Failure::Breach(reason) | Failure::Arguments(reason) => StoreError::internal(reason),
        }
    }

    /// Decides to cancel, unless it is decided already, and drives the transaction to its end. Returns the decision:
    /// [`GlobalState::Confirming`] or `Confirmed` means that the commit point was passed after all.
    pub async fn abort(&self, xid: Xid, reason: &str, initiator: &dyn Initiator) -> Result<GlobalState, StoreError> {
        let (retry_at, reason) = (self.retry_at(), reason.to_owned());
        store::write!(&self.0.db, |conn| sql::tcc::abort(conn, xid, &reason, retry_at).await)?;
        self.finish(xid, initiator).await
    }

    /// After the commit point (step d). `decided` is what its transaction returned: `true` when it was committed, `false` when something
    /// else was faster and nothing was written. Returns whether the decision is to confirm; then recovery sees to what does not work now.
    /// An error says that there was none, or that it is not known yet.
    pub async fn conclude(
        &self,
        transaction: Transaction,
        decided: Result<bool, StoreError>,
        initiator: &dyn Initiator,
    ) -> Result<bool, StoreError> {
        let xid = transaction.xid;
        match decided {
            Ok(true) => {
                let transaction = Transaction { state: GlobalState::Confirming, ..transaction };
                if let Err(error) = self.drive(transaction, initiator).await {
                    tracing::warn!(%xid, %error, "a global transaction is left to recovery");
                }
                Ok(true)
            }
            Ok(false) => self.abort(xid, "it was decided concurrently", initiator).await.map(is_yes),
            Err(StoreError::Conflict { constraint }) if constraint == NOT_DECIDED => {
                self.abort(xid, "not decided in time", initiator).await.map(is_yes)
            }
            // Perhaps it was committed and the answer got lost: cancelling finds out.
            Err(error) => match self.abort(xid, &error.to_string(), initiator).await {
                Ok(state) if is_yes(state) => Ok(true),
                _ => Err(error),
            },
        }
    }

    /// Drives a decided transaction towards its end (step d) and says how far it is. Trouble is noted and left to recovery.
    pub async fn finish(&self, xid: Xid, initiator: &dyn Initiator) -> Result<GlobalState, StoreError> {
        let Some(transaction) = self.find(xid).await? else {
            return Err(StoreError::internal(format!("global transaction {xid} does not exist")));
        };
        match transaction.state {
            GlobalState::Confirming | GlobalState::Cancelling => self.drive(transaction, initiator).await,
            state => Ok(state),
        }
    }

    /// Confirms, or cancels in the reverse order, branch by branch.
    pub(super) async fn drive(
        &self,
        transaction: Transaction,
        initiator: &dyn Initiator,
    ) -> Result<GlobalState, StoreError> {
        let confirm = transaction.state == GlobalState::Confirming;
        let done =
            if confirm { self.confirm_all(&transaction).await } else { self.cancel_all(&transaction, initiator).await };
        if let Err(failure) = done {
            self.postpone(&transaction, &failure).await?;
            return Ok(transaction.state);
        }
        self.pass("before_end").await;
        let ended = self.0.endings.write(&self.0.db, transaction.xid, confirm, self.0.clock.now()).await?;
        self.pass("after_end").await;
        if ended {
            self.count(if confirm { "confirmed" } else { "cancelled" });
        }
        Ok(if confirm { GlobalState::Confirmed } else { GlobalState::Cancelled })
    }

    async fn confirm_all(&self, transaction: &Transaction) -> Result<(), Failure> {
        for branch in &transaction.branches {
            self.pass("before_confirm").await;
            self.participant(branch)?.confirm(branch.key, &branch.args).await?;
            self.pass("after_confirm").await;
        }
        Ok(())
    }

    async fn cancel_all(&self, transaction: &Transaction, initiator: &dyn Initiator) -> Result<(), Failure> {
        for branch in transaction.branches.iter().rev() {
            self.pass("before_cancel").await;
            self.participant(branch)?.cancel(branch.key, &branch.args).await?;
            self.pass("after_cancel").await;
        }
        Ok(initiator.cancelled(transaction).await?)
    }

    /// Notes the trouble and when to try again. There is no giving up: points that are set aside must not stay so for ever.
    async fn postpone(&self, transaction: &Transaction, failure: &Failure) -> Result<(), StoreError> {
        let (xid, attempts, reason) = (transaction.xid, transaction.attempts + 1, failure.to_string());
        let wait = self.wait_after(attempts);
        if !matches!(failure, Failure::Store(_)) {
            self.count("breach");
            tracing::error!(%xid, kind = transaction.kind, %reason, "a global transaction needs an operator");
        } else if attempts >= self.0.config.alert_after {
            self.count("overdue");
            tracing::error!(%xid, kind = transaction.kind, attempts, %reason, "a global transaction repeatedly fails to complete");
        } else {
            tracing::warn!(%xid, kind = transaction.kind, attempts, %reason, "a global transaction will be retried");
        }
        self.count("postponed");
        let next_run_at = self.0.clock.now().plus(wait);
        store::write!(&self.0.db, |conn| sql::tcc::postpone(conn, xid, attempts, next_run_at, &reason).await)
    }

    fn wait_after(&self, attempts: u32) -> std::time::Duration {
        Delays::new(*self.0.config.retry_first, *self.0.config.retry_max).after(attempts, &self.0.rng)
    }

    fn participant(&self, branch: &Branch) -> Result<&Arc<dyn Participant>, Failure> {
        let found = self.0.participants.get(branch.participant.as_str());
        found.ok_or_else(|| Failure::Arguments(format!("participant {} does not exist", branch.participant)))
    }

    /// When recovery may look at a transaction that is decided now: later than this process needs for it.
    pub fn retry_at(&self) -> crate::kernel::Timestamp {
        self.0.clock.now().plus(*self.0.config.lease)
    }
}

const fn is_yes(state: GlobalState) -> bool {
    matches!(state, GlobalState::Confirming | GlobalState::Confirmed)
}
