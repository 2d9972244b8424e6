//! The audit of the points ledger: each query finds rows that violate an invariant.

use diesel::QueryableByName;
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::types::{BigInt, Id};
use super::points::SHOP;
use crate::kernel::{TransferId, UserId, Xid};
use crate::model::points::Finding;
use crate::store::StoreError;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Id)]
    id: UserId,
    #[diesel(sql_type = BigInt)]
    stored: i64,
    #[diesel(sql_type = BigInt)]
    found: i64,
}

/// What an id in [`Row`] is the id of.
#[derive(Clone, Copy)]
enum Subject {
    Transfer,
    Account,
    Transaction,
}

/// Invariant, what its rows are about, what the two numbers are, and the rows at fault.
const QUERIES: [(u8, Subject, &str, &str); 8] = [
    (
        1,
        Subject::Transfer,
        "entries; their sum",
        "SELECT t.id, COUNT(e.amount) AS stored, CAST(COALESCE(SUM(e.amount), 0) AS BIGINT) AS found
         FROM points_transfers t LEFT JOIN points_entries e ON e.transfer_id = t.id
         GROUP BY t.id HAVING COUNT(e.amount) < 2 OR SUM(e.amount) <> 0",
    ),
    (
        2,
        Subject::Account,
        "posted; the sum of the entries",
        "SELECT a.user_id AS id, a.posted AS stored, COALESCE(e.total, 0) AS found FROM points_accounts a
         LEFT JOIN (SELECT account_id, CAST(SUM(amount) AS BIGINT) AS total FROM points_entries GROUP BY account_id) e
         ON e.account_id = a.user_id WHERE a.posted <> COALESCE(e.total, 0)",
    ),
    (
        2,
        Subject::Account,
        "a missing account; its entries",
        "SELECT e.account_id AS id, CAST(0 AS BIGINT) AS stored, COUNT(*) AS found FROM points_entries e
         LEFT JOIN points_accounts a ON a.user_id = e.account_id
         WHERE a.user_id IS NULL GROUP BY e.account_id",
    ),
    (
        2,
        Subject::Account,
        "reserved; the sum of the pending debits",
        "SELECT a.user_id AS id, a.reserved AS stored, COALESCE(r.total, 0) AS found FROM points_accounts a
         LEFT JOIN (SELECT user_id, CAST(SUM(amount) AS BIGINT) AS total FROM points_reservations
                    WHERE state = 'TRIED' AND kind = 'DEBIT' GROUP BY user_id) r
         ON r.user_id = a.user_id WHERE a.reserved <> COALESCE(r.total, 0)",
    ),
    (
        3,
        Subject::Account,
        "posted; reserved",
        "SELECT user_id AS id, posted AS stored, reserved AS found FROM points_accounts
         WHERE reserved < 0 OR posted < reserved",
    ),
    (
        9,
        Subject::Transaction,
        "points of a confirmed reservation; points transferred",
        "SELECT r.xid AS id, r.amount AS stored, CAST(COALESCE(e.amount, 0) AS BIGINT) AS found
         FROM points_reservations r
         LEFT JOIN points_transfers t ON t.xid = r.xid AND t.branch = r.branch
         LEFT JOIN points_entries e ON e.transfer_id = t.id AND e.account_id = r.user_id
         WHERE r.state = 'CONFIRMED'
         AND COALESCE(e.amount, 0) <> CASE r.kind WHEN 'DEBIT' THEN -r.amount ELSE r.amount END",
    ),
    (
        9,
        Subject::Transaction,
        "reservations that are not confirmed; their transfers",
        "SELECT r.xid AS id, CAST(1 AS BIGINT) AS stored, COUNT(*) AS found FROM points_reservations r
         JOIN points_transfers t ON t.xid = r.xid AND t.branch = r.branch
         WHERE r.state <> 'CONFIRMED' GROUP BY r.xid",
    ),
    (
        9,
        Subject::Transaction,
        "refunded points of a debit; the sum of its credits",
        "SELECT d.xid AS id, d.returned AS stored, COALESCE(c.total, 0) AS found FROM points_reservations d
         LEFT JOIN (SELECT of_xid, of_branch, CAST(SUM(amount) AS BIGINT) AS total FROM points_reservations
                    WHERE state IN ('TRIED', 'CONFIRMED') AND of_xid IS NOT NULL GROUP BY of_xid, of_branch) c
         ON c.of_xid = d.xid AND c.of_branch = d.branch
         WHERE d.kind = 'DEBIT' AND d.returned <> COALESCE(c.total, 0)",
    ),
];

/// Every row that is at fault.
pub async fn breaches(conn: &mut Conn) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (invariant, subject, words, query) in QUERIES {
        let rows: Vec<Row> = diesel::sql_query(query).load(conn).await?;
        for row in rows.into_iter().filter(|row| !(matches!(subject, Subject::Account) && row.id == SHOP)) {
            let bytes = row.id.to_bytes();
            let id = match subject {
                Subject::Transfer => TransferId::from_bytes(bytes).to_string(),
                Subject::Account => row.id.to_string(),
                Subject::Transaction => Xid::from_bytes(bytes).to_string(),
            };
            findings.push(Finding {
                invariant,
                subject: id,
                detail: format!("{words}: {}; {}", row.stored, row.found),
            });
        }
    }
    Ok(findings)
}
