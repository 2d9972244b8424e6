//! The gate in Redis, for many nodes. Every decision is one call of a function that Redis runs exclusively
//! (`redis/library.lua`, which also documents the data layout). Purchases that wait at the same moment share a call
//! through the coalescer. Timestamps are from Redis's own clock, in whole milliseconds.
//!
//! Redis can lose data: it restarts empty or from an old dump, or a replica is promoted that lacks the latest writes.
//! The library detects this (see `opened` there), the sale reads as not held, and reconciliation rebuilds it under a
//! new epoch. So persistence has no benefit: turn it off. The one case that can't be detected here, a node that still
//! uses a replaced primary, is handled behind the gate: its tickets have an old epoch, and the order writer voids them.
//!
//! Admissions have separate connections, so that no other calls can delay them ([`crate::redis_client`]).
//!
//! All data is on one primary, because a key belongs to its buyer across all sales: a Redis Cluster is rejected.
//!
//! An admitted buyer takes about 300 bytes (with a key of 36 characters), a refused one nothing.

mod bare;
mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64URL_NOPAD;

use super::{Attempt, Counts, Decision, Gate, GateError, Loading, PendingTicket, Release};
use crate::kernel::tasks::guarded;
use crate::kernel::{Epoch, Rng, SaleId, Seq, TicketId, Timestamp, UserId};
use crate::model::gate::{KnownTicket, SaleTerms, SaleVersion};
use crate::redis_client::{CallError, Cmd, Exchange, FromRedisValue, Library, RedisClient, RedisError};

pub use self::bare::BareLink;

/// The functions of the gate.
static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::compiled_in(include_str!("redis/library.lua")));

/// Tickets in one call of a rebuild, pending tickets looked at in one call, keys swept in one call: about a millisecond of
/// Redis's time each, and others get their turn in between.
const PIECE: usize = 500;

/// A rebuild that has not gone on for this long is given up, and its remains are swept away.
const PATIENCE: Duration = Duration::from_secs(600);

/// Marks that one call takes over from another version of the library at most.
const HANDOVERS_MAX: usize = 10_000;

/// The gate of the distributed profile. Cheap to clone. Its library must be among those that the client loads.
#[derive(Clone)]
pub struct RedisGate(Arc<Inner>);

struct Inner {
    client: RedisClient,
    rng: Rng,
    /// Sweeps asked for since the background task last found nothing left to do; 0 while it does not run.
    sweeps_wanted: AtomicU64,
}

impl RedisGate {
    /// On this server. Needs a tokio runtime.
    pub fn new(client: &RedisClient, rng: &Rng) -> Self {
        Self(Arc::new(Inner { client: client.clone(), rng: rng.clone(), sweeps_wanted: AtomicU64::new(0) }))
    }

    /// Its functions, as this version of the program knows them.
    pub fn library() -> &'static Library {
        &LIBRARY
    }

    /// The call that admits, as words of a command line; what follows is a buyer (16 bytes) with the key, and a quantity. For
    /// `redis-benchmark`.
    pub fn admit_command(&self, sale: SaleId, epoch: Epoch) -> Vec<String> {
        let function = format!("{}_admit", LIBRARY.name());
        let (sale, epoch) = (sale.to_string(), epoch.to_string());
        ["FCALL", &function, "1", self.0.client.prefix(), &sale, &epoch, "0"].map(str::to_owned).into()
    }

    /// Starts a call of one of the library's functions.
    fn function(&self, name: &str) -> Cmd {
        self.0.client.function(LIBRARY.name(), name)
    }

    fn admission(&self, sale: SaleId, known: SaleVersion, attempts: &[Attempt]) -> Cmd {
        let mut command = self.function("admit");
        command.arg(sale.to_string()).arg(known.epoch).arg(known.version);
        for attempt in attempts {
            command.arg(wire::field(attempt.buyer, &attempt.key)).arg(attempt.quantity);
        }
        command
    }

    /// Anything but an admission.
    async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, GateError> {
        self.call_in(self.0.client.others(), command).await
    }

    async fn call_in<T: FromRedisValue>(&self, mut exchange: Exchange<'_>, command: &Cmd) -> Result<T, GateError> {
        for _ in 0..HANDOVERS_MAX {
            let error = match exchange.call(command).await {
                Ok(value) => return T::from_redis_value(value).map_err(|error| GateError(error.to_string())),
                Err(CallError::Told(error)) => error,
                Err(CallError::Untold(reason)) => return Err(GateError(reason)),
            };
            let Some((mark, opener)) = unvouched(&error) else { return Err(GateError(error.to_string())) };
            self.take_over(&exchange, &mark, &opener).await?;
        }
        Err(GateError("too many sales were opened by another version of the gate library".to_owned()))
    }

    /// Another version of the library opened the mark: it says whether it saw all since, and ours takes its word, in one
    /// transaction. Whatever comes of it, the call that needed to know is made again.
    async fn take_over(&self, exchange: &Exchange<'_>, mark: &str, opener: &str) -> Result<(), GateError> {
        let word = self.random_name();
        let mut both = redis::pipe();
        both.atomic();
        both.add_command(self.0.client.function(opener, "vouch").arg(mark).arg(&word).clone());
        both.add_command(self.function("adopt").arg(mark).arg(&word).clone());
        match exchange.call_all(&both).await {
            Ok(()) => Ok(()),
            Err(CallError::Told(error)) => {
                tracing::warn!(%error, mark, opener, "the other version of the gate library does not confirm that it opened the sale");
                Ok(())
            }
            Err(CallError::Untold(reason)) => Err(GateError(reason)),
        }
    }

    fn random_name(&self) -> String {
        BASE64URL_NOPAD.encode(&self.0.rng.bytes::<9>())
    }

    /// Clears away what is left of sales that were forgotten, piece by piece in the background. What a node leaves undone the
    /// next one does.
    fn sweep_soon(&self) {
        if self.0.sweeps_wanted.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let gate = self.clone();
        tokio::spawn(async move {
            let wanted = &gate.0.sweeps_wanted;
            loop {
                let seen = wanted.load(Ordering::Acquire);
                if let Some(Err(error)) = guarded("gate-sweep", gate.sweep()).await {
                    tracing::warn!(%error, "could not delete the keys of old sales");
                }
                // A sale that was forgotten after the last call had answered needs another round.
                if wanted.compare_exchange(seen, 0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                    return;
                }
            }
        });
    }

    async fn sweep(&self) -> Result<(), GateError> {
        let mut command = self.function("sweep");
        command.arg(PIECE);
        while self.call::<u64>(&command).await? > 0 {}
        Ok(())
    }
}

/// A rebuild under way: its keys are under a mark of its own.
struct RedisLoading<'a> {
    gate: &'a RedisGate,
    sale: SaleId,
    mark: String,
}

#[async_trait]
impl Loading for RedisLoading<'_> {
    async fn add(&mut self, mut tickets: Vec<KnownTicket>) -> Result<(), GateError> {
        tickets.retain(|known| known.ticket.sale == self.sale);
        for piece in tickets.chunks(PIECE) {
            let mut command = self.gate.function("load");
            command.arg(self.sale.to_string()).arg(&self.mark).arg(PATIENCE.as_millis() as u64);
            for known in piece {
                wire::push_known(&mut command, known);
            }
            let () = self.gate.call(&command).await?;
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), GateError> {
        let mut command = self.gate.function("open");
        command.arg(self.sale.to_string()).arg(&self.mark);
        let () = self.gate.call(&command).await?;
        self.gate.sweep_soon();
        Ok(())
    }
}

/// The mark and the library that opened it, when the error asks for them to be taken over.
fn unvouched(error: &redis::RedisError) -> Option<(String, String)> {
    let detail = error.detail().filter(|_| error.code() == Some("UNVOUCHED"))?;
    let mut words = detail.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

#[async_trait]
impl Gate for RedisGate {
    async fn admit(
        &self,
        sale: SaleId,
        known: SaleVersion,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Decision>, GateError> {
        let command = self.admission(sale, known, &attempts);
        let answer: wire::Admission = self.call_in(self.0.client.admissions(), &command).await?;
        wire::decisions(sale, known.epoch, attempts.len(), answer)
    }

    async fn begin(&self, terms: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError> {
        let (sale, mark) = (terms.sale, self.random_name());
        let mut begin = self.function("begin");
        begin.arg(sale.to_string()).arg(&mark).arg(PATIENCE.as_millis() as u64);
        wire::push_terms(&mut begin, &terms);
        if self.call::<u64>(&begin).await? == 0 {
            return Ok(None);
        }
        Ok(Some(Box::new(RedisLoading { gate: self, sale, mark })))
    }

    async fn update(&self, terms: SaleTerms) -> Result<(), GateError> {
        let mut command = self.function("update");
        command.arg(terms.sale.to_string());
        wire::push_terms(&mut command, &terms);
        self.call(&command).await
    }

    async fn terms(&self, sale: SaleId) -> Result<Option<SaleTerms>, GateError> {
        let mut command = self.function("terms");
        command.arg(sale.to_string());
        let terms: Option<wire::Terms> = self.call(&command).await?;
        Ok(terms.map(|terms| wire::terms(sale, terms)))
    }

    async fn settle(&self, tickets: &[TicketId]) -> Result<(), GateError> {
        for runs in wire::runs(tickets).chunks(PIECE) {
            let mut command = self.function("settle");
            for run in runs {
                command.arg(run.sale.to_string()).arg(run.epoch).arg(run.first).arg(run.last);
            }
            let () = self.call(&command).await?;
        }
        Ok(())
    }

    async fn release_all(&self, releases: &[Release]) -> Result<usize, GateError> {
        let mut released = 0;
        for piece in releases.chunks(PIECE) {
            let mut command = self.function("release");
            for Release { ticket, buyer, restock } in piece {
                command.arg(ticket.sale.to_string()).arg(ticket.epoch).arg(ticket.seq);
                command.arg(&buyer.to_bytes()[..]).arg(u8::from(*restock));
            }
            released += self.call::<usize>(&command).await?;
        }
        Ok(released)
    }

    async fn pending(
        &self,
        sale: SaleId,
        before: Timestamp,
        after: Seq,
        max: usize,
    ) -> Result<Vec<PendingTicket>, GateError> {
        let (mut found, mut after) = (Vec::new(), after as i64);
        while after >= 0 && found.len() < max {
            let mut command = self.function("pending");
            command.arg(sale.to_string()).arg(before.as_millis()).arg(after).arg(PIECE);
            let (epoch, next, tickets): (Epoch, i64, Vec<(u64, Vec<u8>, u32, i64)>) = self.call(&command).await?;
            for (seq, field, quantity, at) in tickets {
                found.push(wire::pending(TicketId { sale, epoch, seq }, &field, quantity, at)?);
            }
            after = next;
        }
        found.truncate(max);
        Ok(found)
    }

    async fn find_pending(&self, ticket: TicketId) -> Result<Option<PendingTicket>, GateError> {
        let mut command = self.function("find_pending");
        command.arg(ticket.sale.to_string()).arg(ticket.epoch).arg(ticket.seq);
        wire::one_pending(ticket.sale, self.call(&command).await?)
    }

    async fn find_pending_of(&self, sale: SaleId, buyer: UserId) -> Result<Option<PendingTicket>, GateError> {
        let mut command = self.function("find_pending");
        command.arg(sale.to_string()).arg(&buyer.to_bytes()[..]);
        wire::one_pending(sale, self.call(&command).await?)
    }

    async fn counts(&self, sale: SaleId) -> Result<Option<Counts>, GateError> {
        let mut command = self.function("counts");
        command.arg(sale.to_string());
        let counts: Option<(u64, u64, u64, u64, u64)> = self.call(&command).await?;
        Ok(counts.map(wire::counts))
    }

    async fn sales(&self) -> Result<Vec<SaleId>, GateError> {
        let held: Vec<String> = self.call(&self.function("sales")).await?;
        held.iter().map(|text| text.parse().map_err(|_| wire::unreadable("a sale's ID"))).collect()
    }

    async fn forget(&self, sale: SaleId) -> Result<(), GateError> {
        let () = self.call(self.function("forget").arg(sale.to_string())).await?;
        self.sweep_soon();
        Ok(())
    }
}

impl From<RedisError> for GateError {
    fn from(error: RedisError) -> Self {
        Self(error.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_has_its_name_and_the_places_of_the_deliberate_mistakes() {
        assert!(LIBRARY.names_itself("doorbuster_gate_v"));
        let code = include_str!("redis/library.lua");
        for mistake in ["gate.no_buyer_check", "gate.release_without_seq_check", "gate.trust_restarted_redis"] {
            assert_eq!(code.matches(&format!("--[[{mistake}]]")).count(), 1, "{mistake}");
        }
    }
}
