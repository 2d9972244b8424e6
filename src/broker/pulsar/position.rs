//! Where an entry stands, in one number that grows within a partition.
//!
//! Ledgers are numbered in the order of their creation by the whole cluster, entries within their ledger from 0. 35 bits of
//! ledger are enough for a new one each millisecond of a year; 28 bits of entry for 268 million in one ledger, which a broker
//! closes after 50,000 entries (if it is ten minutes old by then) or 2 GiB. Messages are never batched by the client, so an
//! entry is a message.

use crate::broker::BrokerError;

const ENTRY_BITS: u32 = 28;
const LEDGER_BITS: u32 = 35;

/// The number of an entry. Entry -1 stands before the first of its ledger, so that no entry has the number 0.
pub(super) fn pack(ledger: u64, entry: i64) -> Result<u64, BrokerError> {
    let behind = u64::try_from(entry.saturating_add(1)).unwrap_or(0);
    if ledger >> LEDGER_BITS != 0 || behind >> ENTRY_BITS != 0 {
        tracing::error!(ledger, entry, "position out of range");
        return Err(BrokerError::Refused(format!("no position for entry {entry} of ledger {ledger}")));
    }
    Ok(ledger << ENTRY_BITS | behind)
}

/// The ledger and the entry of a number, `None` when no message can stand there.
pub(super) fn unpack(position: u64) -> Option<(u64, u64)> {
    let behind = position & ((1 << ENTRY_BITS) - 1);
    Some((position >> ENTRY_BITS, behind.checked_sub(1)?))
}

/// The number of an entry as the admin API writes it, `"5:-1"`.
pub(super) fn parse(text: &str) -> Result<u64, BrokerError> {
    let parts = text.split_once(':').and_then(|(ledger, entry)| Some((ledger.parse().ok()?, entry.parse().ok()?)));
    let (ledger, entry) = parts.ok_or_else(|| BrokerError::Unavailable(format!("no position: {text:?}")))?;
    pack(ledger, entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_with_the_entries_and_lead_back() {
        let entries = [(0, -1), (0, 0), (0, 1), (3, -1), (3, 0), (3, (1 << 28) - 2), (4, -1), ((1 << 35) - 1, 7)];
        let numbers = entries.map(|(ledger, entry)| pack(ledger, entry).unwrap());
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        for ((ledger, entry), number) in entries.into_iter().zip(numbers) {
            assert_eq!(unpack(number), u64::try_from(entry).ok().map(|entry| (ledger, entry)));
        }
        assert_eq!(parse("3:-1").unwrap(), 3 << 28);
        assert!(numbers.iter().all(|number| i64::try_from(*number).is_ok()));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(pack(1 << 35, 0).is_err());
        assert!(pack(0, (1 << 28) - 1).is_err());
        for text in ["", "5", "5:", ":5", "-1:-1", "5:x"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
