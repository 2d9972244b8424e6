//! Compares the gateway's bill of a day with the records: the discrepancies by kind. A pure function; `payments/bills.rs` fetches both.

use std::collections::{BTreeMap, BTreeSet};

use crate::gateway::BillRow;
use crate::kernel::Timestamp;
use crate::model::bills::{BilledRefund, Compared, Difference, Kind, Ours};

/// Bills are made for days of China Standard Time, which has no daylight saving.
const ZONE: jiff::tz::Offset = jiff::tz::offset(8);

/// Compares. `ours` is what we have of the bill's numbers, `expected` what must be in the bill unless it is `elsewhere`: in the
/// bill of another day.
pub fn compare(bill: &[BillRow], ours: &[Ours], expected: &[Ours], elsewhere: &BTreeSet<String>) -> Compared {
    let mut lines = BTreeMap::<&str, Vec<&BillRow>>::new();
    let mut compared = Compared { rows: bill.len() as u64, ..Compared::default() };
    for row in bill {
        let sum = if row.refund_number.is_some() { &mut compared.refunded } else { &mut compared.paid };
        *sum = sum.saturating_add(row.amount.minor);
        lines.entry(key(row)).or_default().push(row);
    }
    let known: BTreeMap<_, _> = ours.iter().map(|ours| (ours.number.as_str(), ours)).collect();
    for (number, rows) in &lines {
        let ours = known.get(number).copied();
        let kind = match ours {
            None => Some(Kind::MissingHere),
            Some(ours) if !ours.moved => Some(Kind::Status),
            Some(ours) if rows.len() != 1 || rows[0].amount != ours.amount => Some(Kind::Amount),
            Some(_) => None,
        };
        let Some(kind) = kind else {
            compared.matched += 1;
            continue;
        };
        let theirs: Vec<_> = rows.iter().map(|row| row.amount.to_string()).collect();
        let ours = ours.map_or_else(|| "nothing".to_owned(), describe);
        compared.differences.push(Difference {
            number: (*number).to_owned(),
            kind,
            ours,
            theirs: theirs.join(" and "),
            refund: if kind == Kind::MissingHere { billed_refund(rows) } else { None },
        });
    }
    for ours in expected {
        let number = ours.number.as_str();
        if !lines.contains_key(number) && !elsewhere.contains(number) {
            let (number, kind) = (number.to_owned(), Kind::MissingThere);
            let (ours, theirs) = (describe(ours), "nothing".to_owned());
            compared.differences.push(Difference { number, kind, ours, theirs, refund: None });
        }
    }
    compared.differences.sort_by(|one, other| one.number.cmp(&other.number));
    compared
}

/// The refund, if the lines are one refund.
fn billed_refund(rows: &[&BillRow]) -> Option<BilledRefund> {
    let [row] = rows else { return None };
    row.refund_number.as_ref()?;
    Some(BilledRefund { payment: row.number.clone(), amount: row.amount, at: row.at })
}

/// The number that a line is about: the refund's, or the payment's.
pub fn key(row: &BillRow) -> &str {
    row.refund_number.as_deref().unwrap_or(&row.number)
}

fn describe(ours: &Ours) -> String {
    format!("{} {}", ours.state, ours.amount)
}

/// The day of the gateway in which this moment lies.
pub fn day_of(at: Timestamp) -> jiff::civil::Date {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    ZONE.to_datetime(at).date()
}

/// The first moment of the gateway's day.
pub fn start_of(day: jiff::civil::Date) -> Timestamp {
    let at = ZONE.to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Timestamp::from_millis(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Currency, Money};

    fn yuan(minor: i64) -> Money {
        Money { minor, currency: Currency::Cny }
    }

    fn row(number: &str, refund: Option<&str>, minor: i64) -> BillRow {
        let (number, refund_number) = (number.to_owned(), refund.map(str::to_owned));
        BillRow {
            number,
            refund_number,
            gateway_trade_no: "T".into(),
            amount: yuan(minor),
            at: Timestamp::from_millis(0),
        }
    }

    fn ours(number: &str, minor: i64, moved: bool) -> Ours {
        Ours {
            number: number.to_owned(),
            amount: yuan(minor),
            moved,
            state: if moved { "SUCCEEDED" } else { "PENDING" }.into(),
        }
    }

    #[test]
    fn case_41_each_kind_of_difference_is_found() {
        let bill = [
            row("p1", None, 990),
            row("p1", Some("r1"), 400),
            row("p2", None, 990),
            row("p2", Some("r2"), 100),
            row("p3", None, 990),
            row("p4", None, 990),
            row("p5", None, 990),
            row("p5", None, 990),
            row("p6", Some("r6"), 500),
            row("p1", Some("x1"), 30),
            row("p1", Some("x2"), 40),
            row("p1", Some("x2"), 40),
        ];
        let here = [
            ours("p1", 990, true),
            ours("r1", 400, true),
            ours("p2", 991, true),
            ours("r2", 100, false),
            ours("p4", 990, false),
            ours("p5", 990, true),
            ours("r6", 501, true),
        ];
        let expected = [ours("p1", 990, true), ours("p7", 990, true), ours("p8", 990, true)];
        let elsewhere = BTreeSet::from(["p8".to_owned()]);
        let found = compare(&bill, &here, &expected, &elsewhere);
        assert_eq!((found.rows, found.matched, found.paid, found.refunded), (12, 2, 990 * 6, 1_110));
        let kinds: Vec<_> = found.differences.iter().map(|found| (found.number.as_str(), found.kind)).collect();
        let right = [
            ("p2", Kind::Amount),
            ("p3", Kind::MissingHere),
            ("p4", Kind::Status),
            ("p5", Kind::Amount),
            ("p7", Kind::MissingThere),
            ("r2", Kind::Status),
            ("r6", Kind::Amount),
            ("x1", Kind::MissingHere),
            ("x2", Kind::MissingHere),
        ];
        assert_eq!(kinds, right);
        let refunds: Vec<_> = found.differences.iter().filter_map(|found| found.refund.as_ref()).collect();
        let (payment, at) = ("p1".to_owned(), Timestamp::from_millis(0));
        assert_eq!(refunds, [&BilledRefund { payment, amount: yuan(30), at }], "not what is there twice");
        assert_eq!(
            (found.differences[0].ours.as_str(), found.differences[1].ours.as_str()),
            ("SUCCEEDED 9.91 CNY", "nothing")
        );
    }

    #[test]
    fn days_are_the_gateways() {
        let at = Timestamp::parse_rfc3339("2026-12-31T16:00:00Z").unwrap();
        assert_eq!(day_of(at).to_string(), "2027-01-01");
        assert_eq!(start_of(day_of(at)), at);
        assert_eq!(day_of(Timestamp::from_millis(at.as_millis() - 1)).to_string(), "2026-12-31");
    }
}
