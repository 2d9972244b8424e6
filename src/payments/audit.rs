//! Verifies the records: the invariants of money, points and units, from the rows alone. `doorbuster payments audit`
//! and the end of every test run it. It can run while the shop is open: each statement reads one snapshot, and
//! comparisons across databases are repeated before they count as a violation.

use serde::Serialize;

use crate::kernel::{PaymentId, Xid};
use crate::model::books::Waiting;
use crate::model::points::Finding;
use crate::points;
use crate::store::{self, Database, StoreError};

/// The maximum number of violating rows reported per query.
const ROWS_MAX: usize = 100;
/// Payments with points that are compared with their reservations at once.
const PAGE: usize = 500;

/// The invariants by number.
pub const INVARIANTS: [(u8, &str); 12] = [
    (1, "the entries of each points transfer sum to zero"),
    (
        2,
        "each account balance equals the sum of its entries, and its reserved points equal the sum of its pending debits",
    ),
    (3, "no account is overdrawn"),
    (4, "each order has at most one successful payment"),
    (5, "each refund is recorded once, and refunds never exceed the amount received"),
    (6, "numbers are unique: each transaction has one payment, and each notification has one row"),
    (7, "an order is paid if and only if one payment of its price succeeded"),
    (8, "late and duplicate payments are refunded"),
    (9, "each reservation is resolved once, in accordance with its transaction and its payment"),
    (10, "units of closed orders are returned exactly once"),
    (11, "logs and entries are complete and never changed"),
    (12, "the gateway's bills agree with the records, for the days that were compared"),
];

/// One invariant, looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its number.
    pub invariant: u8,
    /// The invariant.
    pub title: &'static str,
    /// The rows at fault; the first hundred of each kind.
    pub breaches: Vec<Finding>,
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether all invariants hold.
    pub ok: bool,
    /// The invariants, sorted by number.
    pub invariants: Vec<Checked>,
    /// The work in progress.
    pub waiting: Waiting,
}

impl Report {
    /// All breaches, for tests and logs.
    pub fn breaches(&self) -> impl Iterator<Item = &Finding> {
        self.invariants.iter().flat_map(|checked| &checked.breaches)
    }
}

/// Looks at all invariants. `shop` has orders, payments and global transactions, `points` the accounts. `settled`: nothing may be under
/// way any more.
pub async fn check(shop: &Database, points: &Database, settled: bool) -> Result<Report, StoreError> {
    let mut findings = points::audit::check(shop, points, settled).await?;
    findings.extend(store::read!(shop, |conn| sql::books::breaches(conn, ROWS_MAX).await)?);
    findings.extend(store::read!(shop, |conn| sql::books::missing_guards(conn).await)?);
    findings.extend(given_back(shop, points, settled).await?);
    let waiting = store::read!(shop, |conn| sql::books::waiting(conn).await)?;
    let of = |number: u8| findings.iter().filter(move |finding| finding.invariant == number).cloned();
    let invariants: Vec<_> = INVARIANTS
        .into_iter()
        .map(|(invariant, title)| Checked { invariant, title, breaches: of(invariant).take(ROWS_MAX).collect() })
        .collect();
    let ok = findings.is_empty() && (!settled || waiting.is_nothing());
    Ok(Report { ok, invariants, waiting })
}

/// Payments of which the ledger of points has given back less than the shop says, or, once all is settled, more.
async fn given_back(shop: &Database, points: &Database, settled: bool) -> Result<Vec<Finding>, StoreError> {
    let (mut findings, mut after) = (Vec::new(), None);
    loop {
        let page = store::read!(shop, |conn| sql::books::paid_with_points(conn, after, PAGE).await)?;
        let Some((last, ..)) = page.last() else { return Ok(findings) };
        let before = after.replace(*last);
        let differ = differing(points, &page, settled).await?;
        if differ.is_empty() {
            continue;
        }
        // A refund may have come between: only rows that are still as they were count.
        let again = store::read!(shop, |conn| sql::books::paid_with_points(conn, before, PAGE).await)?;
        findings.extend(differ.into_iter().filter(|(row, _)| again.contains(row)).map(
            |((id, refunded, _), returned)| {
                let detail = format!("refunded; what credits have taken of its debit: {refunded}; {returned}");
                Finding { invariant: 5, subject: id.to_string(), detail }
            },
        ));
    }
}

type Row = (PaymentId, i64, i64);

/// The payments that do not agree with their debits, with what these have given back.
async fn differing(points: &Database, page: &[Row], settled: bool) -> Result<Vec<(Row, i64)>, StoreError> {
    let xids: Vec<Xid> = page.iter().map(|(id, ..)| Xid::from_bytes(id.to_bytes())).collect();
    let debits = store::read!(points, |conn| sql::reservations::of_transactions(conn, &xids).await)?;
    let returned = |payment: &PaymentId| {
        let of = debits.iter().filter(|debit| debit.key.xid.to_bytes() == payment.to_bytes());
        of.map(|debit| debit.returned).sum::<i64>()
    };
    let rows = page.iter().map(|row| (*row, returned(&row.0)));
    Ok(rows.filter(|((_, refunded, _), returned)| returned < refunded || (settled && returned > refunded)).collect())
}
