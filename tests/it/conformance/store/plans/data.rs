//! A database that has been in use for a while: tables that grow have thousands of rows, and few of them are still open.

use doorbuster::kernel::{
    BillDifferenceId, PaymentId, ProductId, RefundId, SaleId, SessionId, TicketId, Timestamp, TransferId, UserId, Xid,
};

use super::super::NOW;

pub const ORDERS: u64 = 20_000;
/// Sales with orders; there are more without.
pub const SALES: u64 = 40;
const OTHERS: u64 = 10_000;
const BUYERS: u64 = 3_000;

/// Ids of one kind are numbered from here.
const USER: u64 = 1_000_000;
const SALE: u64 = 2_000_000;
const SESSION: u64 = 3_000_000;
const PRODUCT: u64 = 4_000_000;
/// Also the global transaction of a payment with points.
const PAYMENT: u64 = 5_000_000;
const REFUND: u64 = 6_000_000;
const TRANSFER: u64 = 7_000_000;
const DIFFERENCE: u64 = 8_000_000;

/// Tables that grow for as long as a shop is open.
pub const GROWING: [&str; 26] = [
    "users",
    "access_tokens",
    "login_log",
    "products",
    "picture_files",
    "sale_sessions",
    "sales",
    "sale_stock_adds",
    "catalog_edits",
    "audit_log",
    "orders",
    "outbox",
    "broker_messages",
    "payments",
    "refunds",
    "payment_log",
    "refund_log",
    "gateway_notifications",
    "points_accounts",
    "points_reservations",
    "points_transfers",
    "points_entries",
    "global_transactions",
    "branch_transactions",
    "reconciliations",
    "reconciliation_items",
];

fn id(base: u64, n: u64) -> [u8; 16] {
    u128::from(base + n).to_be_bytes()
}

pub fn user(n: u64) -> UserId {
    UserId::from_bytes(id(USER, n))
}
pub fn sale(n: u64) -> SaleId {
    SaleId::from_bytes(id(SALE, n))
}
pub fn session(n: u64) -> SessionId {
    SessionId::from_bytes(id(SESSION, n))
}
pub fn product(n: u64) -> ProductId {
    ProductId::from_bytes(id(PRODUCT, n))
}
pub fn payment(n: u64) -> PaymentId {
    PaymentId::from_bytes(id(PAYMENT, n))
}
pub fn transaction(n: u64) -> Xid {
    Xid::from_bytes(id(PAYMENT, n))
}
pub fn refund(n: u64) -> RefundId {
    RefundId::from_bytes(id(REFUND, n))
}
pub fn transfer(n: u64) -> TransferId {
    TransferId::from_bytes(id(TRANSFER, n))
}
pub fn difference(n: u64) -> BillDifferenceId {
    BillDifferenceId::from_bytes(id(DIFFERENCE, n))
}
/// The ticket of order `n`.
pub fn ticket(n: u64) -> TicketId {
    TicketId { sale: sale(n % SALES), epoch: 1, seq: n / SALES + 1 }
}
/// The buyer of order `n`.
pub fn buyer(n: u64) -> UserId {
    user(n / SALES + 500 * (n % SALES % 6))
}
/// When order `n` was made.
pub fn created(n: u64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() - (20_000_000 - n as i64 * 1_000))
}

/// The two ways to write the same values.
struct Dialect {
    is_postgres: bool,
}

impl Dialect {
    /// The number in hexadecimal with so many digits.
    fn hex(&self, number: &str, digits: u32) -> String {
        if self.is_postgres {
            format!("lpad(to_hex(({number})::bigint), {digits}, '0')")
        } else {
            format!("printf('%0{digits}x', {number})")
        }
    }

    fn id(&self, base: u64, number: &str) -> String {
        let hex = self.hex(&format!("{base} + {number}"), 32);
        if self.is_postgres { format!("({hex})::uuid") } else { format!("unhex({hex})") }
    }

    fn bytes(&self, hex: &str) -> String {
        if self.is_postgres { format!("decode({hex}, 'hex')") } else { format!("unhex({hex})") }
    }

    fn order(&self, number: &str) -> String {
        let sale = self.hex(&format!("{SALE} + ({number}) % {SALES}"), 32);
        let seq = self.hex(&format!("({number}) / {SALES} + 1"), 16);
        self.bytes(&format!("{sale} || '00000001' || {seq}"))
    }

    fn buyer(&self, number: &str) -> String {
        self.id(USER, &format!("({number}) / {SALES} + 500 * (({number}) % {SALES} % 6)"))
    }

    fn day(&self, number: &str) -> String {
        self.hex(number, 8)
    }
}

/// The statements that fill the tables.
pub fn statements(is_postgres: bool) -> Vec<String> {
    let d = Dialect { is_postgres };
    let mut all = vec![numbers(is_postgres)];
    all.extend(catalog(&d));
    all.push(pictures(&d));
    all.extend(people(&d));
    all.extend(orders(&d));
    all.extend(money(&d));
    all.extend(bills(&d));
    all.extend(points(&d));
    all
}

fn numbers(is_postgres: bool) -> String {
    let last = 2 * ORDERS - 1;
    let series = if is_postgres {
        format!("SELECT n::bigint FROM generate_series(0, {last}) AS s(n)")
    } else {
        format!("WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s")
    };
    format!("CREATE TEMPORARY TABLE numbers AS {series}")
}

fn insert(table: &str, columns: &str, values: &str, condition: &str) -> String {
    format!("INSERT INTO {table} ({columns}) SELECT {values} FROM numbers WHERE {condition} ORDER BY n")
}

fn catalog(d: &Dialect) -> Vec<String> {
    let (now, hour) = (NOW.as_millis(), 3_600_000_i64);
    let (product, session, sale, user) = (d.id(PRODUCT, "n"), d.id(SESSION, "n"), d.id(SALE, "n"), d.id(USER, "0"));
    let (description, some) = (d.hex("n", 200), format!("n < {OTHERS}"));
    let another = if d.is_postgres { "another" } else { "" }; // On SQLite there is one node.
    vec![
        insert(
            "users",
            "id, username, display_name, password_hash, role, created_at",
            &format!("{}, 'user-' || n, 'User', '!', 'BUYER', {now}", d.id(USER, "n")),
            &format!("n < {BUYERS}"),
        ),
        insert(
            "products",
            "id, name, description, price_minor, currency, created_at, updated_at, by_hand",
            &format!("{product}, 'Lamp', {description}, 1000, 'CNY', {now}, {now}, FALSE"),
            &some,
        ),
        insert(
            "sale_sessions",
            "id, starts_at, ends_at, created_at, by_hand",
            &format!("{session}, {now} - n * {hour}, {now} - n * {hour} + 2 * {hour}, {now}, FALSE"),
            &some,
        ),
        insert(
            "sales",
            "id, number, session_id, product_id, price_minor, currency, stock_total, stock_left, \
                limit_per_buyer, pay_within_ms, returns_on_refund, status, epoch, created_at, updated_at, by_hand",
            &format!(
                "{sale}, 2000 + n, {session}, {product}, 1000, 'CNY', 1000, 500, 1, 900000, TRUE, 'PUBLISHED', 1, \
                      {now}, {now}, FALSE"
            ),
            &some,
        ),
        insert(
            "catalog_edits",
            "tab, row_id, op, before, after, at, handled_at",
            &format!("'sales', {sale}, 'UPDATE', '{{}}', '{{}}', {now}, CASE WHEN n % 500 > 0 THEN {now} END"),
            &some,
        ),
        insert(
            "sale_stock_adds",
            "sale_id, idempotency_key, units, at",
            &format!("{sale}, 'key-' || n, 1, {now}"),
            &some,
        ),
        insert(
            "audit_log",
            "id, operator_id, act, subject, detail, at",
            &format!("{}, {user}, 'sale.pause', 'sale-' || n % 100, '{{}}', {now} - n", d.id(0, "n")),
            &some,
        ),
        insert(
            "outbox",
            "topic, key, payload, created_at, origin",
            &format!("'purchase-results', 'key', {}, {now} - {OTHERS} + n, '{another}'", d.bytes("'00'")),
            &some,
        ),
        insert(
            "broker_messages",
            "topic, partition, key, payload, deliver_at, published_at",
            &format!(
                "CASE n % 2 WHEN 0 THEN 'order-requests' ELSE 'login-events' END, n / 2 % 4 * (1 - n % 2), {0}, {0}, \
                      CASE n % 2 WHEN 1 THEN {now} + (n - 50) * 1000 END, {now}",
                d.bytes("'00'")
            ),
            &some,
        ),
    ]
}

fn pictures(d: &Dialect) -> String {
    let values = format!("'picture-' || n, 160, {}, {}", d.bytes("'00'"), NOW.as_millis());
    insert("picture_files", "name, width, content, created_at", &values, &format!("n < {OTHERS}"))
}

fn people(d: &Dialect) -> Vec<String> {
    let now = NOW.as_millis();
    let some = format!("n < {OTHERS}");
    let user = d.id(USER, &format!("n % {BUYERS}"));
    vec![
        insert(
            "access_tokens",
            "token_hash, user_id, created_at, expires_at",
            &format!("{}, {user}, {now}, {now} + (n - 50) * 1000", d.bytes(&d.hex("n", 64))),
            &some,
        ),
        insert(
            "login_log",
            "event_id, user_id, username, address, outcome, at",
            &format!("{}, {user}, 'user', '::1', 'signed_in', {now}", d.id(0, "n")),
            &some,
        ),
    ]
}

fn orders(d: &Dialect) -> Vec<String> {
    let now = NOW.as_millis();
    let created = format!("{now} - 20000000 + n * 1000");
    let status = "CASE WHEN n % 100 = 0 THEN 'AWAITING_PAYMENT' WHEN n % 10 < 6 THEN 'PAID' WHEN n % 10 = 6 THEN 'REFUNDED' \
                  WHEN n % 10 = 7 THEN 'EXPIRED' WHEN n % 10 = 8 THEN 'CANCELLED' ELSE 'REFUSED_SOLD_OUT' END";
    vec![insert(
        "orders",
        "id, sale_id, sale_number, buyer_id, quantity, idempotency_key, status, product_name, price_minor, \
                currency, created_at, decided_at, pay_before, closed_at",
        &format!(
            "{}, {}, 2000, {}, 1, 'key-' || n, {status}, 'Lamp', 1000, 'CNY', {created}, {created}, \
                  CASE WHEN n % 1000 = 0 THEN {now} - 1000 ELSE {now} + 900000 END, \
                  CASE WHEN n % 10 IN (6, 7, 8) THEN {now} END",
            d.order("n"),
            d.id(SALE, &format!("n % {SALES}")),
            d.buyer("n")
        ),
        &format!("n < {ORDERS}"),
    )]
}

fn money(d: &Dialect) -> Vec<String> {
    let now = NOW.as_millis();
    let (all, twice) = (format!("n < {ORDERS}"), format!("n < {}", 2 * ORDERS));
    let payment = d.id(PAYMENT, "n");
    let (kept, pending, refunded) = ("n % 10 < 7 AND n % 100 <> 0", "n % 100 = 0", "n % 10 IN (4, 5, 6)");
    let settled = format!("CASE WHEN {pending} THEN NULL ELSE {now} - 20000000 + n * 1000 END");
    let open = "n % 1000 = 6";
    vec![
        insert(
            "payments",
            "id, order_id, buyer_id, idempotency_key, method, amount, currency, status, gateway_trade_no, \
                captured, flag, created_at, expires_at, settled_at, next_check_at",
            &format!(
                "{payment}, {}, {}, 'key-' || n, CASE n % 7 WHEN 0 THEN 'POINTS' ELSE 'ALIPAY' END, 1000, \
                CASE n % 7 WHEN 0 THEN NULL ELSE 'CNY' END, \
                CASE WHEN {pending} THEN 'PENDING' WHEN {kept} THEN 'SUCCEEDED' ELSE 'CLOSED' END, \
                CASE WHEN {kept} THEN 'trade-' || n END, CASE WHEN {kept} THEN 1000 ELSE 0 END, \
                CASE WHEN n % 2000 = 1 THEN 'CHANGED_OUTSIDE' END, {now} - 20000000 + n * 1000, \
                {now} - 20000000 + (n + 900) * 1000, {settled}, \
                CASE WHEN {pending} AND n % 7 <> 0 THEN {now} + (n - 10000) * 10 END",
                d.order("n"),
                d.buyer("n")
            ),
            &all,
        ),
        insert(
            "payment_log",
            "payment_id, at, actor, event, to_state",
            &format!("{}, {now}, 'buyer', 'begun', 'PENDING'", d.id(PAYMENT, "n / 2")),
            &twice,
        ),
        insert(
            "refunds",
            "id, payment_id, order_id, method, amount, currency, cause, status, created_at, next_try_at, settled_at",
            &format!(
                "{}, {payment}, {}, CASE n % 7 WHEN 0 THEN 'POINTS' ELSE 'ALIPAY' END, 1000, \
                CASE n % 7 WHEN 0 THEN NULL ELSE 'CNY' END, 'LATE_PAYMENT', \
                CASE WHEN {open} THEN 'PROCESSING' ELSE 'SUCCEEDED' END, {now} - 20000000 + n * 1000, \
                CASE WHEN {open} THEN {now} - 1000 END, CASE WHEN {open} THEN NULL ELSE {now} - 20000000 + n * 1000 END",
                d.id(REFUND, "n"),
                d.order("n")
            ),
            &format!("{all} AND {refunded}"),
        ),
        insert(
            "refund_log",
            "refund_id, at, actor, event, to_state",
            &format!("{}, {now}, 'buyer', 'requested', 'REQUESTED'", d.id(REFUND, "n")),
            &format!("{all} AND {refunded}"),
        ),
    ]
}

fn bills(d: &Dialect) -> Vec<String> {
    let now = NOW.as_millis();
    vec![
        insert(
            "gateway_notifications",
            "notify_id, number, trade_status, verdict, masked, received_at",
            &format!(
                "'notice-' || n, 'p' || {}, 'TRADE_SUCCESS', 'ACCEPTED', '{{}}', {now}",
                d.hex(&format!("{PAYMENT} + n"), 32)
            ),
            &format!("n < {OTHERS}"),
        ),
        insert(
            "reconciliations",
            "day, rows_found, matched, paid, refunded, runs, compared_at",
            &format!("{}, 1, 1, 1, 1, 1, {now}", d.day("n")),
            &format!("n < {OTHERS}"),
        ),
        insert(
            "reconciliation_items",
            "day, number, kind, ours, theirs, found_at, resolved_at, id",
            &format!(
                "{}, 'number-' || n, 'MISSING_HERE', '1', '2', {now} + n, CASE WHEN n % 500 = 0 THEN NULL ELSE {now} END, {}",
                d.day("n / 4"),
                d.id(DIFFERENCE, "n")
            ),
            &format!("n < {OTHERS}"),
        ),
    ]
}

fn points(d: &Dialect) -> Vec<String> {
    let now = NOW.as_millis();
    let some = format!("n < {OTHERS}");
    let (xid, transfer, user) = (d.id(PAYMENT, "n"), d.id(TRANSFER, "n"), d.id(USER, &format!("n % {BUYERS}")));
    let shop = d.bytes("'00000000000000000000000000000000'");
    let shop = if d.is_postgres { "'00000000000000000000000000000000'::uuid".to_owned() } else { shop };
    let open = "n % 500 = 0";
    let entry = |account: &str, against: &str, sign: &str| {
        insert(
            "points_entries",
            "transfer_id, account_id, amount, against_id, opposite, at",
            &format!("{transfer}, {account}, {sign}5, {against}, -({sign}5), {now} + n"),
            &some,
        )
    };
    vec![
        insert(
            "points_accounts",
            "user_id, posted, opened_at",
            &format!("{}, 100000, {now}", d.id(USER, "n")),
            &format!("n < {BUYERS}"),
        ),
        insert(
            "points_reservations",
            "xid, branch, user_id, kind, amount, state, subject, created_at, resolved_at",
            &format!(
                "{xid}, 1, {user}, 'DEBIT', 5, CASE WHEN {open} THEN 'TRIED' ELSE 'CONFIRMED' END, 'order', {now}, \
                CASE WHEN {open} THEN NULL ELSE {now} END"
            ),
            &some,
        ),
        insert(
            "points_transfers",
            "id, kind, xid, branch, at",
            &format!("{transfer}, 'PAYMENT', {xid}, 1, {now}"),
            &some,
        ),
        entry(&user, &shop, "-"),
        entry(&shop, &user, ""),
        insert(
            "global_transactions",
            "xid, kind, args, state, deadline, next_run_at, created_at, ended_at",
            &format!(
                "{xid}, 'order.pay', '{{}}', CASE WHEN {open} THEN 'TRYING' ELSE 'CONFIRMED' END, {now}, {now} + n - 5000, \
                {now}, CASE WHEN {open} THEN NULL ELSE {now} END"
            ),
            &some,
        ),
        insert(
            "branch_transactions",
            "xid, branch, participant, args, state",
            &format!("{xid}, 1, 'points', '{{}}', 'CONFIRMED'"),
            &some,
        ),
    ]
}
