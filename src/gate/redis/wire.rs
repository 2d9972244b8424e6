//! The encoding of calls to the function library and their results, as `library.lua` defines it.

use super::{Counts, Decision, GateError, KnownTicket, PendingTicket, SaleTerms};
use crate::kernel::{Epoch, SaleId, Seq, TicketId, Timestamp, UserId};
use crate::model::gate::Units;
use crate::redis_client::{Cmd, RedisError};

/// A buyer and a key in one: 16 bytes, then the text.
pub(super) fn field(buyer: UserId, key: &str) -> Vec<u8> {
    [&buyer.to_bytes(), key.as_bytes()].concat()
}

pub(super) fn push_terms(command: &mut Cmd, terms: &SaleTerms) {
    command.arg(terms.epoch).arg(terms.version);
    command.arg(terms.starts_at.as_millis()).arg(terms.ends_at.as_millis());
    command.arg(terms.limit_per_buyer).arg(terms.stock_total);
    command.arg(u8::from(terms.paused)).arg(u8::from(terms.ended));
}

/// The terms in the order of [`push_terms`].
pub(super) type Terms = (Epoch, u32, i64, i64, u32, u32, bool, bool);

pub(super) fn terms(sale: SaleId, terms: Terms) -> SaleTerms {
    let (epoch, version, starts, ends, limit_per_buyer, stock_total, paused, ended) = terms;
    let (starts_at, ends_at) = (Timestamp::from_millis(starts), Timestamp::from_millis(ends));
    SaleTerms { sale, epoch, version, starts_at, ends_at, limit_per_buyer, stock_total, paused, ended }
}

pub(super) fn push_known(command: &mut Cmd, known: &KnownTicket) {
    let key = known.key.as_deref();
    let units = match known.units {
        Units::Held => "H",
        Units::Gone => "G",
        Units::Free => "F",
    };
    command.arg(known.ticket.epoch).arg(known.ticket.seq);
    command.arg(field(known.buyer, key.unwrap_or_default())).arg(u8::from(key.is_some()));
    command.arg(known.quantity).arg(units);
}

/// The seq before, the time, a letter per attempt, and for each replay epoch, seq, time (-1: unknown) and whether it is
/// pending. `None`: the sale is not held.
pub(super) type Admission = Option<(Seq, i64, String, Vec<i64>)>;

pub(super) fn decisions(
    sale: SaleId,
    epoch: Epoch,
    attempts: usize,
    answer: Admission,
) -> Result<Vec<Decision>, GateError> {
    let Some((mut seq, now, letters, replays)) = answer else { return Ok(vec![Decision::WrongEpoch; attempts]) };
    let (at, mut replays) = (Timestamp::from_millis(now), replays.chunks_exact(4));
    let mut decide = |letter| {
        Some(match letter {
            'A' => {
                seq += 1;
                Decision::Admitted { ticket: TicketId { sale, epoch, seq }, at }
            }
            'R' => {
                let &[epoch, seq, at, pending] = replays.next()? else { return None };
                let ticket = TicketId { sale, epoch: epoch as Epoch, seq: seq as Seq };
                let at = (at >= 0).then(|| Timestamp::from_millis(at));
                Decision::Replayed { ticket, at, pending: pending == 1 }
            }
            'K' => Decision::KeyReused,
            'B' => Decision::AlreadyBought,
            'L' => Decision::OverLimit,
            'S' => Decision::SoldOut,
            'N' => Decision::NotOpen,
            'E' => Decision::Ended,
            'P' => Decision::Paused,
            'W' => Decision::WrongEpoch,
            'O' => Decision::Behind,
            _ => return None,
        })
    };
    let decided: Option<Vec<Decision>> = letters.chars().map(&mut decide).collect();
    decided.filter(|decided| decided.len() == attempts).ok_or_else(|| unreadable("the decisions"))
}

/// Tickets with following seqs of one epoch.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) sale: SaleId,
    pub(super) epoch: Epoch,
    pub(super) first: Seq,
    pub(super) last: Seq,
}

/// The tickets as few runs: the order writer decides them in their order.
pub(super) fn runs(tickets: &[TicketId]) -> Vec<Run> {
    let mut sorted = tickets.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<Run> = Vec::new();
    for TicketId { sale, epoch, seq } in sorted {
        match runs.last_mut() {
            Some(run) if (run.sale, run.epoch) == (sale, epoch) && seq <= run.last.saturating_add(1) => run.last = seq,
            _ => runs.push(Run { sale, epoch, first: seq, last: seq }),
        }
    }
    runs
}

pub(super) fn pending(ticket: TicketId, field: &[u8], quantity: u32, at: i64) -> Result<PendingTicket, GateError> {
    let (buyer, key) = field.split_first_chunk().ok_or_else(|| unreadable("a buyer"))?;
    let key = String::from_utf8(key.to_vec()).map_err(|_| unreadable("a key"))?;
    let at = Timestamp::from_millis(at);
    Ok(PendingTicket { ticket, buyer: UserId::from_bytes(*buyer), key, quantity, at })
}

pub(super) fn one_pending(
    sale: SaleId,
    answer: Option<(Epoch, Seq, Vec<u8>, u32, i64)>,
) -> Result<Option<PendingTicket>, GateError> {
    let read = |(epoch, seq, field, quantity, at): (_, _, Vec<u8>, _, _)| {
        pending(TicketId { sale, epoch, seq }, &field, quantity, at)
    };
    answer.map(read).transpose()
}

pub(super) fn counts((total, held, gone, pending, seq): (u64, u64, u64, u64, u64)) -> Counts {
    let units = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let left = total.saturating_sub(held.saturating_add(gone));
    Counts { left: units(left), held: units(held), gone: units(gone), pending: units(pending), seq }
}

pub(super) fn unreadable(what: &str) -> GateError {
    RedisError::unreadable(what).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(sale: u8, epoch: Epoch, seq: Seq) -> TicketId {
        TicketId { sale: SaleId::from_bytes([sale; 16]), epoch, seq }
    }

    #[test]
    fn tickets_are_settled_in_few_runs() {
        let tickets = [(1, 1, 4), (1, 1, 3), (1, 1, 3), (1, 1, 6), (1, 2, 7), (2, 2, 8)];
        let runs = runs(&tickets.map(|(sale, epoch, seq)| ticket(sale, epoch, seq)));
        let run = |sale, epoch, first, last| Run { sale: SaleId::from_bytes([sale; 16]), epoch, first, last };
        assert_eq!(runs, [run(1, 1, 3, 4), run(1, 1, 6, 6), run(1, 2, 7, 7), run(2, 2, 8, 8)]);
    }

    #[test]
    fn answers_that_do_not_fit_are_errors() {
        let sale = ticket(1, 1, 1).sale;
        let answer = |letters: &str, replays: Vec<i64>| Some((4, 9, letters.to_owned(), replays));
        let read = decisions(sale, 1, 2, answer("AR", vec![1, 2, -1, 1])).unwrap();
        let at = Timestamp::from_millis(9);
        assert_eq!(read[0], Decision::Admitted { ticket: ticket(1, 1, 5), at });
        assert_eq!(read[1], Decision::Replayed { ticket: ticket(1, 1, 2), at: None, pending: true });
        for wrong in [answer("A", vec![]), answer("AR", vec![1, 2]), answer("A?", vec![])] {
            assert!(decisions(sale, 1, 2, wrong).is_err());
        }
        assert!(pending(ticket(1, 1, 1), b"short", 1, 0).is_err());
        assert_eq!(decisions(sale, 1, 2, None).unwrap(), [Decision::WrongEpoch, Decision::WrongEpoch]);
    }
}
