//! The audit of orders, payments and refunds: each query finds rows that violate an invariant. See [`super::ledger`] for points.

use diesel::sql_types::Text;
use diesel::{ExpressionMethods, QueryDsl, QueryableByName};
use diesel_async::RunQueryDsl;

use super::super::schema::payments;
use super::super::types::{BigInt, Binary, Id};
use super::super::{Conn, bulk};
use crate::kernel::{PaymentId, RefundId, SaleId, TicketId, Xid};
use crate::model::books::Waiting;
use crate::model::points::Finding;
use crate::payments::Method;
use crate::store::StoreError;

/// What the `id` of a query's rows is; `stored` and `found` are texts.
#[derive(Clone, Copy)]
enum Subject {
    Order,
    Payment,
    Refund,
    Sale,
    Transaction,
    Word,
}

#[derive(QueryableByName)]
struct IdRow {
    #[diesel(sql_type = Id)]
    id: Xid,
    #[diesel(sql_type = Text)]
    stored: String,
    #[diesel(sql_type = Text)]
    found: String,
}

#[derive(QueryableByName)]
struct OrderRow {
    #[diesel(sql_type = Binary)]
    id: TicketId,
    #[diesel(sql_type = Text)]
    stored: String,
    #[diesel(sql_type = Text)]
    found: String,
}

#[derive(QueryableByName)]
struct WordRow {
    #[diesel(sql_type = Text)]
    id: String,
    #[diesel(sql_type = Text)]
    stored: String,
    #[diesel(sql_type = Text)]
    found: String,
}

/// Invariant, what its rows are about, what the two texts are, and the rows at fault. Each is one statement, so that it sees one moment.
const QUERIES: [(u8, Subject, &str, &str); 21] = [
    (
        4,
        Subject::Order,
        "payments that may be kept; payments that are kept",
        "SELECT order_id AS id, '1' AS stored, CAST(COUNT(*) AS TEXT) AS found FROM payments
         WHERE status = 'SUCCEEDED' GROUP BY order_id HAVING COUNT(*) > 1",
    ),
    (
        5,
        Subject::Payment,
        "received; reserved and refunded",
        "SELECT id, status || ' ' || CAST(captured AS TEXT) AS stored,
                CAST(refund_pending AS TEXT) || ' and ' || CAST(refunded AS TEXT) AS found FROM payments
         WHERE refund_pending < 0 OR refunded < 0 OR refund_pending + refunded > captured
            OR (status IN ('SUCCEEDED', 'SURPLUS')) <> (captured > 0) OR (status = 'SUCCEEDED' AND captured <> amount)",
    ),
    (
        5,
        Subject::Payment,
        "reserved and refunded; sums of pending and of completed refunds",
        "SELECT p.id, CAST(p.refund_pending AS TEXT) || ' and ' || CAST(p.refunded AS TEXT) AS stored,
                CAST(COALESCE(r.under_way, 0) AS TEXT) || ' and ' || CAST(COALESCE(r.done, 0) AS TEXT) AS found
         FROM payments p LEFT JOIN (
             SELECT payment_id, SUM(CASE WHEN status IN ('REQUESTED', 'PROCESSING') THEN amount ELSE 0 END) AS under_way,
                    SUM(CASE WHEN status = 'SUCCEEDED' THEN amount ELSE 0 END) AS done
             FROM refunds GROUP BY payment_id) r ON r.payment_id = p.id
         WHERE p.refund_pending <> COALESCE(r.under_way, 0) OR p.refunded <> COALESCE(r.done, 0)",
    ),
    (
        5,
        Subject::Refund,
        "method and currency; those of its payment, or another order's",
        "SELECT r.id, r.method || ' ' || COALESCE(r.currency, '-') AS stored,
                p.method || ' ' || COALESCE(p.currency, '-') AS found
         FROM refunds r JOIN payments p ON p.id = r.payment_id
         WHERE r.order_id <> p.order_id OR r.method <> p.method OR COALESCE(r.currency, '') <> COALESCE(p.currency, '')",
    ),
    (
        6,
        Subject::Word,
        "a transaction of the gateway; payments that refer to it",
        "SELECT gateway_trade_no AS id, method AS stored, CAST(COUNT(*) AS TEXT) AS found FROM payments
         WHERE gateway_trade_no IS NOT NULL GROUP BY method, gateway_trade_no HAVING COUNT(*) > 1",
    ),
    (
        6,
        Subject::Word,
        "a notification; rows of it",
        "SELECT notify_id AS id, '1' AS stored, CAST(COUNT(*) AS TEXT) AS found FROM gateway_notifications
         GROUP BY notify_id HAVING COUNT(*) > 1",
    ),
    (
        7,
        Subject::Order,
        "the order; its kept payments",
        "SELECT o.id, o.status AS stored, CAST(COUNT(p.id) AS TEXT) AS found FROM orders o
         LEFT JOIN payments p ON p.order_id = o.id AND p.status = 'SUCCEEDED'
         WHERE o.status IN ('PAID', 'REFUNDING', 'REFUNDED') GROUP BY o.id, o.status HAVING COUNT(p.id) <> 1",
    ),
    (
        7,
        Subject::Payment,
        "the kept payment; its order",
        "SELECT p.id, p.status AS stored, o.status AS found FROM payments p JOIN orders o ON o.id = p.order_id
         WHERE p.status = 'SUCCEEDED' AND o.status NOT IN ('PAID', 'REFUNDING', 'REFUNDED', 'CANCELLED', 'EXPIRED')",
    ),
    (
        7,
        Subject::Payment,
        "paid; the order's price",
        "SELECT p.id, CAST(p.amount AS TEXT) || ' ' || COALESCE(p.currency, 'points') AS stored,
                CASE p.method WHEN 'POINTS' THEN CAST(COALESCE(o.points_price, 0) * o.quantity AS TEXT) || ' points'
                ELSE CAST(o.price_minor * o.quantity AS TEXT) || ' ' || o.currency END AS found
         FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.status = 'SUCCEEDED' AND (
             (p.method = 'POINTS' AND p.amount <> COALESCE(o.points_price, 0) * o.quantity)
             OR (p.method <> 'POINTS' AND (p.amount <> o.price_minor * o.quantity OR p.currency <> o.currency)))",
    ),
    (
        7,
        Subject::Order,
        "the order; what is reserved and refunded of its payment",
        "SELECT o.id, o.status AS stored, CAST(p.refund_pending AS TEXT) || ' and ' || CAST(p.refunded AS TEXT)
                || ' of ' || CAST(p.amount AS TEXT) AS found
         FROM orders o JOIN payments p ON p.order_id = o.id AND p.status = 'SUCCEEDED'
         WHERE (o.status = 'PAID' AND p.refund_pending + p.refunded >= p.amount)
            OR (o.status = 'REFUNDING' AND p.refund_pending + p.refunded <> p.amount)
            OR (o.status = 'REFUNDED' AND p.refunded <> p.amount)",
    ),
    (
        8,
        Subject::Payment,
        "the kept payment; its order",
        "SELECT p.id, p.status AS stored, o.status AS found FROM payments p JOIN orders o ON o.id = p.order_id
         WHERE p.status = 'SUCCEEDED' AND o.status IN ('CANCELLED', 'EXPIRED')",
    ),
    (
        8,
        Subject::Payment,
        "surplus money; what is refunded of it",
        "SELECT p.id, CAST(p.captured AS TEXT) AS stored, CAST(p.refund_pending + p.refunded AS TEXT) AS found
         FROM payments p WHERE p.status = 'SURPLUS' AND p.refund_pending + p.refunded <> p.captured
            -- Another amount than was asked for waits for a person.
            AND COALESCE(p.flag, '') <> 'AMOUNT_MISMATCH'
            AND NOT EXISTS (SELECT 1 FROM refunds r WHERE r.payment_id = p.id AND r.status = 'FAILED')",
    ),
    (
        9,
        Subject::Payment,
        "paid with points; the global transaction",
        "SELECT p.id, p.status AS stored, COALESCE(g.state, 'none') AS found
         FROM payments p LEFT JOIN global_transactions g ON g.xid = p.id
         WHERE p.method = 'POINTS' AND CASE p.status
             WHEN 'SUCCEEDED' THEN COALESCE(g.state, '') NOT IN ('CONFIRMING', 'CONFIRMED')
             WHEN 'PENDING' THEN COALESCE(g.state, '') NOT IN ('TRYING', 'CANCELLING')
             ELSE COALESCE(g.state, '') NOT IN ('CANCELLING', 'CANCELLED') END",
    ),
    (
        9,
        Subject::Transaction,
        "the global transaction; its payment",
        "SELECT g.xid AS id, g.state AS stored, 'none' AS found FROM global_transactions g
         WHERE g.kind = 'order.pay' AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.id = g.xid)",
    ),
    (
        10,
        Subject::Sale,
        "units left; total without those of orders that hold theirs",
        "SELECT s.id, CAST(s.stock_left AS TEXT) AS stored, CAST(s.stock_total - COALESCE(u.held, 0) AS TEXT) AS found
         FROM sales s LEFT JOIN (
             SELECT o.sale_id, SUM(o.quantity) AS held FROM orders o JOIN sales t ON t.id = o.sale_id
             WHERE o.status IN ('AWAITING_PAYMENT', 'PAID', 'REFUNDING')
                OR (o.status = 'REFUNDED' AND NOT t.returns_on_refund)
             GROUP BY o.sale_id) u ON u.sale_id = s.id
         WHERE s.stock_left <> s.stock_total - COALESCE(u.held, 0)",
    ),
    (
        10,
        Subject::Sale,
        "units held; units of its unpaid orders, and of those paid since the last update",
        "SELECT s.id, CAST(s.units_held AS TEXT) AS stored, CAST(COALESCE(u.held, 0) + COALESCE(p.paid, 0) AS TEXT) AS found
         FROM sales s LEFT JOIN (
             SELECT sale_id, SUM(quantity) AS held FROM orders WHERE status = 'AWAITING_PAYMENT' GROUP BY sale_id
         ) u ON u.sale_id = s.id LEFT JOIN (
             SELECT sale_id, SUM(units) AS paid FROM sale_units_paid GROUP BY sale_id
         ) p ON p.sale_id = s.id
         WHERE s.units_held <> COALESCE(u.held, 0) + COALESCE(p.paid, 0)",
    ),
    (
        11,
        Subject::Payment,
        "the payment; the last entry of its log",
        "SELECT p.id, p.status AS stored, COALESCE((SELECT l.to_state FROM payment_log l WHERE l.payment_id = p.id
                ORDER BY l.id DESC LIMIT 1), 'none') AS found FROM payments p
         WHERE p.status <> COALESCE((SELECT l.to_state FROM payment_log l WHERE l.payment_id = p.id
                ORDER BY l.id DESC LIMIT 1), 'none')",
    ),
    (
        11,
        Subject::Payment,
        "an entry of the log; the entry before it",
        "SELECT l.payment_id AS id, 'from ' || COALESCE(l.from_state, 'none') AS stored,
                'to ' || COALESCE(l.before, 'none') AS found
         FROM (SELECT payment_id, from_state, LAG(to_state) OVER (PARTITION BY payment_id ORDER BY id) AS before
               FROM payment_log) l WHERE COALESCE(l.from_state, '') <> COALESCE(l.before, '')",
    ),
    (
        11,
        Subject::Refund,
        "the refund; log entries that record it",
        "SELECT r.id, r.status AS stored, '0' AS found FROM refunds r
         WHERE NOT EXISTS (SELECT 1 FROM refund_log l WHERE l.refund_id = r.id AND l.to_state = r.status)",
    ),
    (
        11,
        Subject::Refund,
        "the refund; first entries of its log",
        "SELECT r.id, '1' AS stored, CAST((SELECT COUNT(*) FROM refund_log l
                WHERE l.refund_id = r.id AND l.from_state IS NULL) AS TEXT) AS found FROM refunds r
         WHERE 1 <> (SELECT COUNT(*) FROM refund_log l WHERE l.refund_id = r.id AND l.from_state IS NULL)",
    ),
    (
        12,
        Subject::Word,
        "recorded; in the bill",
        "SELECT number AS id, kind || ' on ' || day || ': ' || ours AS stored, theirs AS found FROM reconciliation_items
         WHERE resolved_at IS NULL AND closed_at IS NULL",
    ),
];

/// The rows that are at fault, `max` of each query at most.
pub async fn breaches(conn: &mut Conn, max: usize) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (invariant, subject, words, query) in QUERIES {
        let query = diesel::sql_query(format!("{query} LIMIT {max}"));
        let rows: Vec<(String, String, String)> = match subject {
            Subject::Order => {
                let rows: Vec<OrderRow> = query.load(conn).await?;
                rows.into_iter().map(|row| (row.id.order().to_string(), row.stored, row.found)).collect()
            }
            Subject::Word => {
                let rows: Vec<WordRow> = query.load(conn).await?;
                rows.into_iter().map(|row| (row.id, row.stored, row.found)).collect()
            }
            Subject::Payment | Subject::Refund | Subject::Sale | Subject::Transaction => {
                let rows: Vec<IdRow> = query.load(conn).await?;
                rows.into_iter().map(|row| (name(subject, row.id), row.stored, row.found)).collect()
            }
        };
        findings.extend(rows.into_iter().map(|(subject, stored, found)| Finding {
            invariant,
            subject,
            detail: format!("{words}: {stored}; {found}"),
        }));
    }
    Ok(findings)
}

fn name(subject: Subject, id: Xid) -> String {
    let bytes = id.to_bytes();
    match subject {
        Subject::Payment => PaymentId::from_bytes(bytes).to_string(),
        Subject::Refund => RefundId::from_bytes(bytes).to_string(),
        Subject::Sale => SaleId::from_bytes(bytes).to_string(),
        _ => id.to_string(),
    }
}

/// Indexes, checks and triggers that keep invariants by themselves, and that are not there.
pub async fn missing_guards(conn: &mut Conn) -> Result<Vec<Finding>, StoreError> {
    let rows: Vec<WordRow> = diesel::sql_query(bulk::GUARDS_IN_FORCE).load(conn).await?;
    let missing = bulk::GUARDS.iter().filter(|(_, name)| !rows.iter().any(|row| row.id == *name));
    let finding = |(invariant, name): &(u8, &str)| Finding {
        invariant: *invariant,
        subject: (*name).to_owned(),
        detail: "the guard in the schema is not active".to_owned(),
    };
    Ok(missing.map(finding).collect())
}

/// A page of payments with points by id, with what went back of each.
pub async fn paid_with_points(
    conn: &mut Conn,
    after: Option<PaymentId>,
    max: usize,
) -> Result<Vec<(PaymentId, i64, i64)>, StoreError> {
    let mut query = payments::table
        .filter(payments::method.eq(Method::Points.as_str()))
        .order(payments::id)
        .limit(max as i64)
        .select((payments::id, payments::refunded, payments::refund_pending))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(payments::id.gt(after));
    }
    Ok(query.load(conn).await?)
}

#[derive(QueryableByName)]
struct WaitingRow {
    #[diesel(sql_type = BigInt)]
    payments: i64,
    #[diesel(sql_type = BigInt)]
    refunds: i64,
    #[diesel(sql_type = BigInt)]
    transactions: i64,
    #[diesel(sql_type = BigInt)]
    flagged: i64,
    #[diesel(sql_type = BigInt)]
    events: i64,
}

/// What has not come to its end.
pub async fn waiting(conn: &mut Conn) -> Result<Waiting, StoreError> {
    let query = "SELECT (SELECT COUNT(*) FROM payments WHERE status = 'PENDING') AS payments,
                        (SELECT COUNT(*) FROM refunds WHERE status IN ('REQUESTED', 'PROCESSING')) AS refunds,
                        (SELECT COUNT(*) FROM global_transactions
                         WHERE state IN ('TRYING', 'CONFIRMING', 'CANCELLING')) AS transactions,
                        (SELECT COUNT(*) FROM payments WHERE flag IS NOT NULL) AS flagged,
                        (SELECT COUNT(*) FROM outbox) AS events";
    let row: WaitingRow = diesel::sql_query(query).get_result(conn).await?;
    let count = |number: i64| number as u64;
    Ok(Waiting {
        payments: count(row.payments),
        refunds: count(row.refunds),
        transactions: count(row.transactions),
        flagged: count(row.flagged),
        events: count(row.events),
    })
}
