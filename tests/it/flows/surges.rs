//! Thousands at once while a crowd buys from other sales: buyers who hang up before they are answered, and orders whose time to pay ends
//! within one second.
//!
//! Here they come to one node on SQLite, `DOORBUSTER_SURGE` of them (2,000 unless set). Two nodes with servers of their own have them as
//! rows of `cluster_faults`.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use diesel::connection::{Connection as _, SimpleConnection as _};
use doorbuster::broker::envelope;
use doorbuster::demo::client::Client;
use doorbuster::demo::plan::Habits;
use doorbuster::demo::ready;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, Rng, SaleId, TicketId, Timestamp, UserId};
use doorbuster::model::facts::{Facts, OrderFact};
use doorbuster::model::order_requests::{PaymentTimeouts, TIMEOUTS, TIMEOUTS_VERSION};
use doorbuster::model::orders::OrderState;
use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::monitor::{Seen, push_latencies, quantile};
use super::scenario::{Run, Scenario, stage};
use crate::support::servers::execute;

/// How many there are unless somebody asks for more.
pub const SOME: u32 = 2_000;
/// The load that is measured.
pub const MANY: u32 = 20_000;

/// How long a buyer waits for an answer before it hangs up.
const HANGS_UP_AFTER: Duration = Duration::from_millis(5);
/// Connections at the same time.
const AT_ONCE: usize = 64;
/// How long it may take to bring about a surge, and to be done with it. Only whoever hangs needs longer.
const WITHIN: Duration = Duration::from_secs(300);
/// From the writing of what expires until it does: longer than the relay takes to find it.
const EXPIRES_IN: Duration = Duration::from_secs(8);
/// Within which all of it expires.
const SPREAD: Duration = Duration::from_secs(1);
/// What 99 of 100 pushes of the other sales must stay below meanwhile. They take half a second; only waiting for the surge takes this long.
const PUSHED_WITHIN: Duration = Duration::from_secs(10);
/// Units that one buyer can take.
const LIMIT: u32 = 1_000;
/// Orders in a message about the end of their time to pay.
const ORDERS_PER_MESSAGE: usize = 500;
/// Between two looks at whether something has come about.
const EVERY: Duration = Duration::from_millis(200);

const BUY: &str = "mutation Buy($input: SalePurchaseInput!) { it: salePurchase(input: $input) \
                   { ticket { id } userErrors { code } } }";

/// Nothing but the purchase itself publishes its ticket.
pub const PUBLISHED_ONCE: [(&str, &str); 1] = [("orders.pending_after", "1h")];

/// What a crowd beside a surge is like: it buys from sales whose units come back all the time.
pub fn crowd() -> Scenario {
    Scenario {
        stock: 60,
        per_second: 30,
        habits: Habits { impatient: 0, cancel: 25, persistent: 10, ..Habits::default() },
        calm: false,
        // Longer than the slowest run takes to sell everything once more at the end.
        pay_within: Duration::from_secs(3),
        ..Scenario::default()
    }
}

/// A sale and those who come for it.
struct Surge<'a> {
    run: &'a Run,
    nodes: Vec<SocketAddr>,
    sale: SaleId,
    buyers: Vec<Account>,
}

fn order_of(account: &Account, sale: SaleId, quantity: u32) -> Value {
    let key = format!("surge-{}", account.buyer);
    json!({ "input": { "saleId": sale, "quantity": quantity, "idempotencyKey": key[..key.len().min(64)] } })
}

impl<'a> Surge<'a> {
    /// `count` buyers, and units for them and for `more`.
    async fn new(run: &'a Run, count: u32, more: u32) -> Self {
        let nodes: Vec<_> = run.launches.iter().map(|launch| launch.address).collect();
        let mut operator = Operator::new(nodes[0], &run.operator.token);
        let now = operator.server_time().await.unwrap();
        let hour = Duration::from_secs(3600);
        let session = operator.session("surge", now.minus(hour), now.plus(hour)).await.unwrap();
        let product = operator.product("Kettle", "Heat", "A kettle.", "/pictures/kettle.svg", "20.00").await.unwrap();
        let terms = Terms { price: "10.00", stock: count + more, limit_per_buyer: LIMIT, pay_within: hour };
        let sale = operator.sale(&session, &product, terms).await.unwrap();
        let buyers = buyers(run, "surge", count).await;
        Self { run, nodes, sale, buyers }
    }

    /// Lets the nodes see the buyers, as those who looked at the sale before have been seen.
    async fn greet(&self) {
        let looks = self.buyers.iter().zip(self.nodes.iter().cycle()).map(|(account, node)| look(*node, account));
        iter(looks).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    }

    /// Buys, asking again until there is a ticket.
    async fn buy(&self, node: SocketAddr, account: &Account, quantity: u32) -> TicketId {
        let (deadline, input) = (Instant::now() + WITHIN, order_of(account, self.sale, quantity));
        let mut client = Client::new(node, Duration::from_secs(10)).with_token(&account.token);
        loop {
            let answer = client.call::<Value>(BUY, &input).await;
            let ticket = answer.as_ref().ok().and_then(|answer| answer.as_ref()?["ticket"]["id"].as_str());
            if let Some(ticket) = ticket {
                return ticket.parse().unwrap();
            }
            assert!(Instant::now() < deadline, "no ticket for {quantity}: {answer:?}");
            sleep(EVERY).await;
        }
    }

    /// The sale's rows once they are as they should be.
    async fn rows(&self, what: &str, good: impl Fn(&[OrderFact]) -> bool) -> (Facts, Vec<OrderFact>) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let facts = self.run.facts().await;
            let rows: Vec<_> = facts.orders.iter().filter(|order| order.sale == self.sale).cloned().collect();
            if good(&rows) {
                return (facts, rows);
            }
            assert!(Instant::now() < deadline, "{} rows, and never {what}", rows.len());
            sleep(EVERY).await;
        }
    }

    /// Lets every order of the sale expire. A request may be admitted after its buyer hung up and after everybody else's tickets were
    /// written, so that its order appears only now.
    async fn expire_all(&self) {
        let deadline = Instant::now() + WITHIN;
        loop {
            let (_, rows) = self.rows("any", |_| true).await;
            let now = Clock::system().now();
            let open = |row: &&OrderFact| row.state == OrderState::AwaitingPayment && row.pay_before > now.plus(SPREAD);
            let open: Vec<_> = rows.iter().filter(open).cloned().collect();
            if !open.is_empty() {
                self.let_expire(&open, now).await;
            } else if rows.iter().all(|row| row.state == OrderState::Expired) {
                return;
            }
            assert!(Instant::now() < deadline, "{} rows, and never expired", rows.len());
            sleep(EVERY).await;
        }
    }

    /// Says nothing to the node that would not be true of orders made at the same moment: their time to pay ends within a second
    /// after `due`, and a message about each comes in time.
    async fn let_expire(&self, rows: &[OrderFact], due: Timestamp) {
        let sale = data_encoding::HEXLOWER.encode(&self.sale.to_bytes());
        let mut orders: Vec<_> = rows.iter().map(|row| (row.decided_at.as_millis() % 1000, row.id)).collect();
        orders.sort_unstable();
        let messages = orders.chunks(ORDERS_PER_MESSAGE).map(|orders| {
            let last = orders.last().expect("not empty").0;
            let due = Timestamp::from_millis(due.as_millis() + last + 1);
            let timeouts = PaymentTimeouts { due, orders: orders.iter().map(|(_, id)| *id).collect() };
            let payload = envelope::encode(TIMEOUTS, TIMEOUTS_VERSION, &timeouts).unwrap();
            (due.as_millis(), String::from_utf8(payload.into()).unwrap())
        });
        let launch = &self.run.launches[0];
        let url = launch.settings.iter().find(|(key, _)| key == "store.url").map(|(_, url)| url);
        let (sale, origin, bytes) = match url {
            Some(_) => (format!("'{sale}'"), "a node that is no more", "convert_to("),
            None => (format!("x'{sale}'"), "", "CAST("),
        };
        let kind = if url.is_some() { ", 'UTF8')" } else { " AS BLOB)" };
        let mut statements = format!(
            "BEGIN; UPDATE orders SET pay_before = {} + decided_at % 1000 WHERE sale_id = {sale} AND status = 'AWAITING_PAYMENT' \
             AND pay_before > {};",
            due.as_millis(),
            due.as_millis() + 1000
        );
        for (due, payload) in messages {
            statements.push_str(&format!(
                "INSERT INTO outbox (topic, key, payload, deliver_at, created_at, origin) \
                 VALUES ('payment-timeouts', '', {bytes}'{payload}'{kind}, {due}, 0, '{origin}');"
            ));
        }
        statements.push_str("COMMIT");
        if let Some(url) = url {
            execute(url, &statements).await;
        } else {
            let mut conn = diesel::SqliteConnection::establish(&launch.database().to_string_lossy()).unwrap();
            conn.batch_execute("PRAGMA busy_timeout = 30000").unwrap();
            conn.batch_execute(&statements).unwrap();
        }
    }
}

async fn look(node: SocketAddr, account: &Account) {
    let mut client = Client::new(node, Duration::from_secs(10)).with_token(&account.token);
    // Who gets no answer comes as a stranger.
    let _answer = client.call::<Value>("{ it: viewer { user { id } } }", &json!({})).await;
}

async fn buyers(run: &Run, prefix: &str, count: u32) -> Vec<Account> {
    let db = run.launches[0].open_database().await.unwrap();
    ready::users(&db, &Clock::system(), &Rng::system(), prefix, count, false).await.unwrap()
}

/// Sends the request and hangs up; whether a ticket came before.
async fn knock(node: SocketAddr, account: &Account, sale: SaleId) -> bool {
    let body = json!({ "query": BUY, "variables": order_of(account, sale, 1) }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        account.token,
        body.len()
    );
    let mut stream = TcpStream::connect(node).await.expect("the node accepts connections");
    stream.write_all(request.as_bytes()).await.expect("the node reads");
    let mut answer = [0; 2048];
    match timeout(HANGS_UP_AFTER, stream.read(&mut answer)).await {
        Ok(Ok(length)) => String::from_utf8_lossy(&answer[..length]).contains("\"ticket_"),
        _ => false,
    }
}

/// Buyers send their purchases and hang up. Whatever the gate admitted is decided, and its buyer finds it by asking again.
pub async fn hang_up(run: &Run, count: u32) {
    let surge = Surge::new(run, count, 1).await;
    let (last, buyers) = (buyers(run, "last", 1).await.remove(0), &surge.buyers);
    surge.greet().await;
    let begun = Instant::now();
    let answered = iter(buyers.iter().zip(surge.nodes.iter().cycle()))
        .map(|(account, node)| knock(*node, account, surge.sale))
        .buffer_unordered(AT_ONCE)
        .filter(|answered| std::future::ready(*answered))
        .count()
        .await;
    let knocked = begun.elapsed();
    // The gate numbers the tickets of a sale: this one tells how many it gave out before.
    let last = surge.buy(surge.nodes[0], &last, 1).await;
    let all_decided = |rows: &[OrderFact]| {
        let numbers: HashSet<_> = rows.iter().map(|row| row.id.seq).collect();
        (1..=last.seq).all(|number| numbers.contains(&number))
    };
    let (facts, rows) = surge.rows(&format!("each of {} tickets among them", last.seq), all_decided).await;
    let decided = begun.elapsed();
    assert!(rows.iter().all(|row| row.state == OrderState::AwaitingPayment && row.id.epoch == last.epoch));
    let sale = facts.sales.iter().find(|sale| sale.id == surge.sale).expect("the sale");
    assert_eq!(sale.stock_total - sale.stock_left, rows.len() as i64, "units");
    let admitted = rows.len() - 1;
    assert!(admitted > answered, "all {admitted} tickets were seen: nobody hung up in time");
    let of: HashMap<UserId, TicketId> = rows.iter().map(|row| (row.buyer, row.id)).collect();
    assert_eq!(of.len(), rows.len(), "a buyer has two orders");
    // Who has a ticket gets no other by asking again; who has none gets one, which is an order a little later.
    let mut tickets = Vec::new();
    for (account, node) in buyers.iter().zip(surge.nodes.iter().cycle()).step_by(buyers.len() / 100) {
        let again = surge.buy(*node, account, 1).await;
        assert!(of.get(&account.buyer).is_none_or(|ticket| *ticket == again), "another ticket for the same key");
        tickets.push(again);
    }
    let all_written = |rows: &[OrderFact]| {
        let written: HashSet<_> = rows.iter().map(|row| row.id).collect();
        tickets.iter().all(|ticket| written.contains(ticket))
    };
    surge.rows("each ticket of those who asked again", all_written).await;
    surge.expire_all().await;
    run.apart.set(surge.sale).expect("one surge");
    println!(
        "{count} buyers hung up after {HANGS_UP_AFTER:?}, in {knocked:.1?}: {answered} saw a ticket before, {admitted} had one, all of \
         them orders after {decided:.1?}"
    );
}

/// Orders expire within one second. Their units are sold again, and pushes of other sales are not delayed.
pub async fn expire(run: &Run, count: u32) {
    let surge = Surge::new(run, count, 0).await;
    let begun = Instant::now();
    iter(surge.buyers.iter().zip(surge.nodes.iter().cycle()))
        .map(|(account, node)| surge.buy(*node, account, 1))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let (_, rows) = surge.rows("all decided", |rows| rows.len() == count as usize).await;
    assert!(rows.iter().all(|row| row.state == OrderState::AwaitingPayment), "an order expired before its time");
    let bought = begun.elapsed();
    let due = Clock::system().now().plus(EXPIRES_IN);
    surge.let_expire(&rows, due).await;
    let expired = |rows: &[OrderFact]| rows.iter().all(|row| row.state == OrderState::Expired);
    let (_, rows) = surge.rows("all expired", expired).await;
    let last = rows.iter().filter_map(|row| row.closed_at).max().expect("closed");
    assert!(rows.iter().all(|row| row.closed_at >= Some(row.pay_before)), "an order expired before its time");
    // The gate has all of it back when somebody can buy it.
    let again = buyers(run, "again", count / LIMIT).await;
    for (account, node) in again.iter().zip(surge.nodes.iter().cycle()) {
        surge.buy(*node, account, LIMIT).await;
    }
    let returned = Clock::system().now();
    let (facts, _) = surge.rows("sold again", |rows| rows.len() == count as usize + again.len()).await;
    let all = push_latencies(&run.recorder.snapshot(), &facts);
    let among = |from: Timestamp, to: Timestamp| {
        let pushes = all.iter().filter(|(decided, _)| (from..to).contains(decided)).map(|(_, took)| *took);
        pushes.collect::<Vec<_>>()
    };
    let (before, meanwhile) = (among(due.minus(EXPIRES_IN), due), among(due, last.max(due.plus(SPREAD))));
    let [calm, p50, p99] = [quantile(&before, 0.99), quantile(&meanwhile, 0.5), quantile(&meanwhile, 0.99)];
    println!(
        "{count} orders (bought in {bought:.1?}) expired within {SPREAD:?}: the last of them {:.1?} after its second began, sold again \
         after {:.1?}; pushes of other sales p50 {p50:.0?}, p99 {p99:.0?} of {} (in the seconds before: p99 {calm:.0?} of {})",
        last.since(due),
        returned.since(due),
        meanwhile.len(),
        before.len()
    );
    assert!(meanwhile.len() >= 5, "too few pushes: {}", meanwhile.len());
    assert!(p99 < PUSHED_WITHIN, "{p99:?}");
    run.apart.set(surge.sale).expect("one surge");
}

/// On one node.
async fn alone(surge: impl AsyncFnOnce(&Run, u32)) {
    let count = std::env::var("DOORBUSTER_SURGE").map_or(SOME, |count| count.parse().expect("a number"));
    let _stage = stage().await;
    let folder = tempfile::tempdir().unwrap();
    let load = Duration::from_secs(400);
    let (settings, return_grace) = (PUBLISHED_ONCE.into(), Duration::from_secs(20));
    let scenario = Scenario { load: (load, load), settings, return_grace, ..crowd() };
    let launch = scenario.launch(folder.path());
    let run = Run::begin(scenario, vec![launch]).await;
    run.until_each_sale_sells(10).await;
    let monitor = run.monitor();
    surge(&run, count).await;
    let seen = monitor.stop().await;
    println!("{}", seen[0]);
    assert!(seen.iter().all(Seen::is_good), "{seen:?}");
    assert_eq!(run.end(folder).await.faults(), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_of_buyers_who_hang_up_are_decided() {
    alone(hang_up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_expire_at_once_keep_no_other_sale_waiting() {
    alone(expire).await;
}
