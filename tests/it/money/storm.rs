//! Orders that are paid in every way at once, over a gateway of which everything goes wrong at random, and among forged notifications.
//! Then, once all has settled: gateway, books and orders agree to the fen. On each profile, one after the other.
//!
//! `DOORBUSTER_STORM_ORDERS` says how many orders (100 unless set), `DOORBUSTER_STORM_AT_ONCE` how many buyers are at work at the same
//! time, `DOORBUSTER_SEED` what goes wrong for whom.

use std::collections::BTreeMap;
use std::time::Duration;

use doorbuster::config::Config;
use doorbuster::demo::shopper::Account;
use doorbuster::demo::{ready, usage};
use doorbuster::kernel::{Clock, PaymentId, Rng};
use doorbuster::model::facts::Facts;
use doorbuster::payments::audit::{self, Report};
use doorbuster::payments::reconciliation::day_of;
use doorbuster::points;
use doorbuster::store::Database;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::bills::reconcile;
use super::till::{Profile, Setup, Till};
use crate::support::alipay::signed;
use crate::support::{PATIENCE, Terms, until};

const ORDERS: u32 = 100;
/// Buyers at work at the same time: mostly they wait, for the last second of their order or a gateway that hangs.
const AT_ONCE: usize = 96;
const FEN: i64 = 990;
const POINTS: i64 = 30;
const WELCOME: i64 = 100;

/// What goes wrong, and in how many of a hundred cases. Together a third of all answers and half of all deliveries.
const FAULTS: [(&str, u32); 20] = [
    ("drop_notification", 12),
    ("delay_notification", 12),
    ("duplicate_notification", 12),
    ("reorder_notification", 6),
    ("wrong_key_notification", 6),
    ("tamper_notification", 6),
    ("answer_lost", 4),
    ("hang", 2),
    ("unsigned", 3),
    ("wrong_key_answer", 3),
    ("unknown_after_work", 4),
    ("unknown_without_work", 4),
    ("wrong_envelope", 2),
    ("html", 2),
    ("status500", 2),
    ("empty", 2),
    ("error_response", 2),
    ("seller_balance_empty", 6),
    ("fund_change_n", 8),
    ("fund_change_absent", 6),
];

const SETTINGS: &[(&str, &str)] = &[
    ("log.filter", "error"),
    ("points.welcome", "100"),
    ("payments.check_after", "300ms"),
    ("payments.check_max", "2s"),
    ("payments.request_timeout", "800ms"),
    ("payments.refund_spacing", "50ms"),
    ("payments.refund_retry_max", "2s"),
    ("payments.concurrency", "16"),
    ("orders.sweep_every", "500ms"),
];

struct Storm {
    till: Till,
    db: Database,
    /// A connection for each request: one that was idle may be closed at the moment at which it is used again.
    http: reqwest::Client,
    sale: String,
    /// Its orders must be paid within seconds.
    hasty: String,
    seed: u64,
}

/// What a buyer does with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Plan {
    Alipay,
    Points,
    PayTwice,
    PointsAndAlipay,
    CancelWhilePaying,
    NeverPay,
    PayInTheLastSecond,
}

fn plan(draw: u64) -> Plan {
    match draw {
        0..40 => Plan::Alipay,
        40..52 => Plan::Points,
        52..64 => Plan::PayTwice,
        64..76 => Plan::PointsAndAlipay,
        76..90 => Plan::CancelWhilePaying,
        90..94 => Plan::NeverPay,
        _ => Plan::PayInTheLastSecond,
    }
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

mod embedded {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrent_payments_over_a_faulty_gateway_leave_no_difference() {
        super::concurrent_payments_over_a_faulty_gateway_leave_no_difference(super::Profile::Embedded).await;
    }
}

mod distributed {
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn concurrent_payments_over_a_faulty_gateway_leave_no_difference() {
        super::concurrent_payments_over_a_faulty_gateway_leave_no_difference(super::Profile::Distributed).await;
    }
}

async fn concurrent_payments_over_a_faulty_gateway_leave_no_difference(profile: Profile) {
    static TURN: Mutex<()> = Mutex::const_new(());
    let _turn = TURN.lock().await;
    let count = number("DOORBUSTER_STORM_ORDERS").unwrap_or(ORDERS);
    let seed = number("DOORBUSTER_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{profile:?}: DOORBUSTER_SEED={seed} DOORBUSTER_STORM_ORDERS={count}");
    let storm = Storm::begin(profile, count, seed).await;
    let buyers = ready::users(&storm.db, &Clock::system(), &Rng::system(), "stormy", count, false).await.unwrap();
    let begun = Instant::now();
    let plans: Vec<Plan> = stream::iter(buyers.iter().zip(0..))
        .map(|(buyer, index)| storm.play(buyer, index))
        .buffer_unordered(number("DOORBUSTER_STORM_AT_ONCE").unwrap_or(AT_ONCE))
        .collect()
        .await;
    let raged = begun.elapsed();
    storm.till.sandbox.faults(json!([])).await;
    let report = storm.settle(Duration::from_secs(60) + Duration::from_millis(10) * count).await;
    let used = usage::cpu_time(storm.till.pid().await).unwrap();
    println!(
        "{profile:?}: {count} orders in {raged:?}, settled after {:?}; the server used {used:?} of CPU time",
        begun.elapsed()
    );
    assert!(report.ok, "seed {seed}: {:?} {:#?}", report.waiting, report.breaches().collect::<Vec<_>>());
    storm.compare(&buyers, &plans).await;
}

impl Storm {
    async fn begin(profile: Profile, count: u32, seed: u64) -> Self {
        let till = Till::own(profile, Setup { settings: SETTINGS, ..Setup::default() }).await;
        let faults = FAULTS.map(|(kind, percent)| {
            let millis = if kind == "hang" { 1_500 } else { 100 };
            json!({ "kind": kind, "percent": percent, "millis": millis })
        });
        // However the dice fall, some refund is postponed and some answer about a payment unclear. A third of the answers get lost on the
        // way, and on a busy machine some come too late: so several.
        let first = [
            json!({ "kind": "seller_balance_empty", "times": 10 }),
            json!({ "kind": "unknown_after_work", "times": 5 }),
        ];
        till.sandbox.faults(first.into_iter().chain(faults).collect()).await;
        let terms = Terms { stock: i64::from(count), points_price: Some(POINTS), ..Terms::default() };
        let sale = till.front.sale(&terms).await;
        let hasty = till.front.sale(&Terms { pay_within_seconds: 3, ..terms }).await;
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        let db = till.database().await;
        Self { till, db, http, sale, hasty, seed }
    }

    /// One buyer's doings. Whatever the gateway answers, none of it is a failure of the shop.
    async fn play(&self, buyer: &Account, index: u32) -> Plan {
        let rng = Rng::seeded(self.seed ^ (u64::from(index) << 24));
        // Of each hundred buyers so many do each, in another order with each seed.
        let plan = plan((u64::from(index) * 37 + self.seed) % 100);
        let hasty = matches!(plan, Plan::NeverPay | Plan::PayInTheLastSecond);
        let sale = if hasty { &self.hasty } else { &self.sale };
        let order = &self.order(&buyer.token, sale).await;
        let alipay = async |key: &str| self.pay(&buyer.token, order, "ALIPAY", key).await;
        let one = if plan == Plan::Points { None } else { alipay("pay-00001").await };
        match plan {
            Plan::Alipay => self.at_the_cashier(one, &rng).await,
            Plan::Points => drop(self.pay(&buyer.token, order, "POINTS", "pay-00001").await),
            Plan::PayTwice => {
                let other = alipay("pay-00002").await;
                tokio::join!(self.at_the_cashier(one, &rng), self.at_the_cashier(other, &rng));
            }
            Plan::PointsAndAlipay => {
                let points = self.pay(&buyer.token, order, "POINTS", "pay-00002");
                let _ = tokio::join!(points, self.at_the_cashier(one, &rng));
            }
            Plan::CancelWhilePaying => {
                let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { userErrors { code } } }";
                let cancel = self.ask(&buyer.token, cancel, json!({ "o": order }));
                tokio::join!(self.at_the_cashier(one, &rng), cancel);
            }
            // Without a page it was too late to begin: it expires all the same.
            Plan::NeverPay => {
                if let Some((page, _)) = one {
                    self.till.sandbox.open_page(&page).await;
                }
            }
            Plan::PayInTheLastSecond => {
                tokio::time::sleep(Duration::from_millis(2_000 + rng.below(1_100))).await;
                self.at_the_cashier(one, &rng).await;
            }
        }
        if rng.below(100) < 25 {
            let refund = "mutation($o: ID!) { orderRefund(input: { orderId: $o, idempotencyKey: \"back-0001\" }) \
                          { userErrors { code } } }";
            self.ask(&buyer.token, refund, json!({ "o": order })).await;
        }
        plan
    }

    /// What the shop answers; a request that it turns away because it is busy is sent again.
    async fn ask(&self, buyer: &str, query: &str, variables: Value) -> Value {
        let url = format!("http://{}/graphql", self.till.address());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let body = json!({ "query": query, "variables": variables });
            let sent = self.http.post(&url).bearer_auth(buyer).json(&body).send().await.unwrap();
            let answer: Value = sent.json().await.unwrap();
            if answer.get("errors").is_none() {
                return answer["data"].clone();
            }
            let busy = answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE";
            assert!(busy && Instant::now() < deadline, "{query}: {answer}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A fresh order of the buyer.
    async fn order(&self, buyer: &str, sale: &str) -> String {
        let query = "mutation($s: ID!) { salePurchase(input: { saleId: $s, idempotencyKey: \"key-00001\", quantity: 1 }) \
                     { ticket { id } userErrors { code } } }";
        let mut bought = Value::Null;
        // The node may not know the sale yet, or its gate.
        until("open", async || {
            bought = self.ask(buyer, query, json!({ "s": sale })).await["salePurchase"].clone();
            let code = bought["userErrors"][0]["code"].as_str().unwrap_or_default();
            assert!(["", "TRY_LATER", "SALE_NOT_FOUND"].contains(&code), "{bought}");
            code.is_empty()
        })
        .await;
        let query = "query($t: ID!) { purchaseTicket(id: $t) { order { id } } }";
        let mut order = None;
        until("decided", async || {
            let found = self.ask(buyer, query, json!({ "t": bought["ticket"]["id"] })).await;
            order = found["purchaseTicket"]["order"]["id"].as_str().map(str::to_owned);
            order.is_some()
        })
        .await;
        order.unwrap()
    }

    /// The page and the number of an attempt that has begun.
    async fn pay(&self, buyer: &str, order: &str, method: &str, key: &str) -> Option<(String, String)> {
        let query =
            "mutation($i: OrderPayInput!) { orderPay(input: $i) { payment { id } redirectUrl userErrors { code } } }";
        let input = json!({ "i": { "orderId": order, "method": method, "idempotencyKey": key } });
        let begun = self.ask(buyer, query, input).await["orderPay"].clone();
        let id: PaymentId = begun["payment"]["id"].as_str()?.parse().unwrap();
        Some((begun["redirectUrl"].as_str()?.to_owned(), id.number()))
    }

    /// Opens the page and pays, among forgeries: a tenth of what the shop hears is forged.
    async fn at_the_cashier(&self, attempt: Option<(String, String)>, rng: &Rng) {
        let Some((page, number)) = attempt else { return };
        self.till.sandbox.open_page(&page).await;
        if rng.below(100) < 20 {
            self.forge(&number, rng).await;
        }
        // It may be closed by now.
        let _ = self.till.sandbox.act(&number, "pay").await;
    }

    async fn forge(&self, number: &str, rng: &Rng) {
        let mut notice = match rng.below(3) {
            0 => signed(self.till.sandbox.notice(number, "9.90"), &self.till.sandbox.merchant_key()),
            1 => signed(self.till.sandbox.notice(number, "0.01"), &self.till.sandbox.merchant_key()),
            _ => signed(
                self.till.sandbox.notice("p0123456789abcdef0123456789abcdef", "9.90"),
                &self.till.sandbox.gateway_key(),
            ),
        };
        if rng.below(2) == 0 {
            notice.set("out_trade_no", number);
        }
        let url = format!("http://{}/payments/alipay/notify", self.till.address());
        let form = "application/x-www-form-urlencoded";
        let body = notice.encode(|_| true);
        let answer = self.http.post(url).header("content-type", form).body(body).send().await.unwrap();
        assert_ne!(answer.text().await.unwrap(), "success", "a forgery was taken");
    }

    /// Waits until nothing is under way; the audit as it then is.
    async fn settle(&self, within: Duration) -> Report {
        let (deadline, db) = (Instant::now() + within, &self.db);
        loop {
            let report = audit::check(db, db, true).await.unwrap();
            if report.ok || Instant::now() >= deadline {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Gateway, books and orders, each from its own source.
    async fn compare(&self, buyers: &[Account], plans: &[Plan]) {
        let now = Clock::system().now();
        let mut days = [now.minus(Duration::from_secs(3_600)), now].map(day_of).to_vec();
        days.dedup();
        let (mut rows, mut net_bill) = (0, 0);
        for day in days {
            let (agrees, report) = reconcile(&self.till, day);
            assert!(agrees, "the bill of {day}: {:?}", report.open().collect::<Vec<_>>());
            rows += report.rows;
            net_bill += report.paid - report.refunded;
        }
        let trades = self.till.sandbox.get("trades").await;
        let sum = |value: &Value, name: &str| value[name].as_i64().unwrap();
        let (mut paid, mut back) = (0, 0);
        for trade in trades.as_array().unwrap().iter().filter(|trade| !trade["paidAt"].is_null()) {
            paid += sum(trade, "total");
            back += trade["refunds"].as_array().unwrap().iter().map(|refund| sum(refund, "amount")).sum::<i64>();
        }
        let facts = Facts::read(&self.db).await.unwrap();
        let mut states = BTreeMap::<&str, i64>::new();
        for order in &facts.orders {
            *states.entry(order.state.as_str()).or_default() += 1;
        }
        let accounts = self.accounts();
        let mut spent = 0;
        for buyer in buyers {
            let account = accounts.account(buyer.buyer).await.unwrap();
            assert_eq!(account.reserved, 0);
            spent += WELCOME - account.posted;
        }
        let kept = states.get("PAID").copied().unwrap_or_default();
        println!(
            "orders {states:?}; the gateway took {paid} fen and gave back {back}; {spent} points spent; bill of {rows} lines"
        );
        assert_eq!(net_bill, paid - back, "the bill and the gateway's own trades");
        assert_eq!(spent % POINTS, 0);
        assert_eq!(
            kept * FEN,
            paid - back + spent / POINTS * FEN,
            "money and points that stayed, and the orders they paid"
        );
        assert_eq!(facts.orders.len(), buyers.len());
        let forged = self.till.metric(&["doorbuster_notifications_total", "bad_signature"]).await;
        let unclear = self.till.metric(&["doorbuster_payments_total", "unknown"]).await;
        let postponed = self.till.metric(&["doorbuster_refunds_total", "postponed"]).await;
        println!("{forged} bad signatures, {unclear} unclear answers about payments, {postponed} about refunds");
        let all = plans.iter().collect::<std::collections::BTreeSet<_>>().len() == 7;
        assert!(
            all && forged > 0.0 && unclear > 0.0 && postponed > 0.0,
            "a storm in which nothing happens proves nothing"
        );
    }

    /// The accounts as the server keeps them.
    fn accounts(&self) -> points::Points {
        let config = doorbuster::config::Points { welcome: WELCOME, ..Config::default_embedded().points };
        let (shop, db, clock, rng) = (self.db.clone(), self.db.clone(), Clock::system(), Rng::system());
        points::Points::new(points::Parts { shop, db, clock, rng, config: config.into() })
    }
}
