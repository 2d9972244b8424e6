//! What the cases stand on: the server as a process of its own, the sandbox gateway as another, and a client of both. Tests that run at
//! the same moment share them, with buyers of their own; who needs other settings, a crash or a log has servers of its own.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use doorbuster::demo::{ready, server::Launch, server::Server};
use doorbuster::gateway::alipay::SigningKey;
use doorbuster::gateway::alipay::wire::Parameters;
use doorbuster::kernel::{Clock, PaymentId, RefundId, Rng};
use doorbuster::model::payments::Refund;
use doorbuster::store::Database;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use crate::support::alipay::{Sandbox, signed};
use crate::support::servers::{FreshDatabase, pulsar, pulsar_admin, redis};
use crate::support::{Front, Terms, until};

/// How notifications come.
pub const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
/// What one unit costs, in points.
pub const POINTS: i64 = 30;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// Waits that are minutes in life.
const SETTINGS: &[(&str, &str)] = &[
    ("accounts.hash_memory", "8KiB"),
    ("accounts.hash_passes", "1"),
    ("accounts.sign_ins_per_account_per_minute", "0"),
    ("accounts.attempts_per_address_per_minute", "0"),
    // As much as a server can tell, for the test that looks for secrets in it.
    ("log.filter", "info,pulsar=error,doorbuster=trace,hyper_util=debug,reqwest=debug,hyper=debug"),
    ("points.welcome", "1000"),
    ("payments.request_timeout", "1s"),
    ("payments.check_after", "3s"),
    ("payments.check_max", "3s"),
    ("payments.late_check_after", "500ms"),
    ("payments.close_within", "1s"),
    ("payments.refund_check_after", "200ms"),
    // As `refunds::REFUND_SPACING`.
    ("payments.refund_spacing", "200ms"),
    ("payments.refund_retry_max", "1s"),
    ("payments.poll_every", "100ms"),
    ("tcc.deadline", "2s"),
    ("tcc.lease", "500ms"),
    ("tcc.poll_every", "100ms"),
];

/// Where the shop keeps its data, its gate and its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// SQLite, and all else in the process.
    Embedded,
    /// PostgreSQL, Redis and Pulsar.
    Distributed,
}

/// Makes a test of each case on each profile. When its body has ended, the books are audited: case 40.
macro_rules! on_profiles {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let till = crate::money::till::Till::shared(crate::money::till::Profile::Embedded).await;
                super::$case(&till).await;
                till.audit().await;
            })*
        }
        mod distributed {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let till = crate::money::till::Till::shared(crate::money::till::Profile::Distributed).await;
                super::$case(&till).await;
                till.audit().await;
            })*
        }
    };
}
pub(crate) use on_profiles;

/// What a test's own servers differ in.
#[derive(Default)]
pub struct Setup<'a> {
    /// Settings over those of all.
    pub settings: &'a [(&'a str, &'a str)],
    /// Variables of the server's environment.
    pub environment: &'a [(&'a str, &'a str)],
    /// A sandbox that is there, or else the arguments of a new one.
    pub gateway: Option<&'a Sandbox>,
    pub sandbox: &'a [&'a str],
}

/// The processes; they end with the last test that uses them.
struct Servers {
    server: Mutex<Option<Server>>,
    launch: Launch,
    profile: Profile,
    sandbox: Sandbox,
    operator: String,
    sale: String,
    hasty: String,
    folder: TempDir,
    _database: Option<FreshDatabase>,
}

/// A shop and its gateway, from one test's point of view.
pub struct Till {
    servers: Arc<Servers>,
    pub front: Front,
    pub sandbox: Sandbox,
    pub http: reqwest::Client,
}

/// An order with an attempt to pay it.
#[derive(Clone)]
pub struct Attempt {
    /// The buyer's token.
    pub buyer: String,
    pub order: String,
    pub payment: PaymentId,
    /// `out_trade_no`.
    pub number: String,
    /// The cashier's page.
    pub page: String,
}

impl Attempt {
    /// What the gateway knows the refund of this payment by, if it is not kept: the same one whenever that is found out.
    pub fn surplus_refund(&self) -> String {
        Refund::id_of_surplus(self.payment).number()
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

static BUYERS: AtomicU32 = AtomicU32::new(0);

impl std::ops::Deref for Till {
    type Target = Front;

    fn deref(&self) -> &Front {
        &self.front
    }
}

impl Servers {
    async fn start(profile: Profile, setup: Setup<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = if setup.sandbox.is_empty() { &["--speed", "100000"] } else { setup.sandbox };
        let sandbox = setup.gateway.map_or_else(|| Sandbox::start_with(arguments), Sandbox::share);
        let program = Path::new(env!("CARGO_BIN_EXE_doorbuster"));
        let mut launch = Launch::new(program, folder.path()).unwrap();
        launch.log = Some(folder.path().join("server.log"));
        let database = match profile {
            Profile::Embedded => None,
            Profile::Distributed => Some(FreshDatabase::create().await),
        };
        let mut settings = owned(SETTINGS);
        settings.push(("payments.public_url".into(), format!("http://{}", launch.address)));
        settings.extend(sandbox.setting_pairs());
        if let Some(database) = &database {
            let own = database.name().to_owned();
            settings.extend([
                ("store.url".into(), database.url()),
                ("gate.url".into(), redis()),
                ("gate.prefix".into(), own.clone()),
                ("broker.url".into(), pulsar()),
                ("broker.admin_url".into(), pulsar_admin()),
                ("broker.tenant".into(), own),
                ("broker.partitions".into(), "1".into()),
                ("node.lease".into(), "2s".into()),
            ]);
        }
        settings.extend(owned(setup.settings));
        launch.settings = settings;
        let db = launch.open_database().await.unwrap();
        let (clock, rng) = (Clock::system(), Rng::system());
        let operator = ready::users(&db, &clock, &rng, "operator", 1, true).await.unwrap().remove(0).token;
        drop(db);
        let environment = owned(setup.environment);
        let started = Launch { environment, ..launch.clone() }.start(READY_WITHIN).await.unwrap();
        let mut front = Front::at(launch.address);
        front.operator = operator.clone();
        let terms = Terms { stock: 10_000, points_price: Some(POINTS), ..Terms::default() };
        let sale = front.sale(&terms).await;
        let hasty = front.sale(&Terms { pay_within_seconds: 2, ..terms }).await;
        let server = Mutex::new(Some(started));
        Self { server, launch, profile, sandbox, operator, sale, hasty, folder, _database: database }
    }
}

impl Till {
    /// The servers of this profile that all cases share.
    pub async fn shared(profile: Profile) -> Self {
        static SHARED: [Mutex<Weak<Servers>>; 2] = [const { Mutex::const_new(Weak::new()) }; 2];
        let mut shared = SHARED[profile as usize].lock().await;
        let servers = match shared.upgrade() {
            Some(servers) => servers,
            None => {
                let servers = Arc::new(Servers::start(profile, Setup::default()).await);
                *shared = Arc::downgrade(&servers);
                servers
            }
        };
        drop(shared);
        Self::of(servers)
    }

    /// Servers of the test's own.
    pub async fn own(profile: Profile, setup: Setup<'_>) -> Self {
        Self::of(Arc::new(Servers::start(profile, setup).await))
    }

    fn of(servers: Arc<Servers>) -> Self {
        let mut front = Front::at(servers.launch.address);
        front.operator = servers.operator.clone();
        Self { front, sandbox: servers.sandbox.share(), http: reqwest::Client::new(), servers }
    }

    pub fn profile(&self) -> Profile {
        self.servers.profile
    }

    pub fn launch(&self) -> &Launch {
        &self.servers.launch
    }

    /// The server's process.
    pub async fn pid(&self) -> u32 {
        self.servers.server.lock().await.as_ref().unwrap().pid()
    }

    /// A sale whose orders wait for ten minutes.
    pub fn sale(&self) -> &str {
        &self.servers.sale
    }

    /// A sale whose orders wait for two seconds.
    pub fn hasty(&self) -> &str {
        &self.servers.hasty
    }

    /// What the server wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.servers.folder.path().join("server.log")).unwrap()
    }

    /// The database beside the server.
    pub async fn database(&self) -> Database {
        self.servers.launch.open_database().await.unwrap()
    }

    /// Waits until the server has ended by itself.
    pub async fn until_dead(&self, why: &str) {
        let mut server = self.servers.server.lock().await;
        until(why, async || !server.as_mut().is_some_and(Server::is_running)).await;
    }

    /// Starts the server again where it may die before it is ready.
    pub async fn restart_to_die(&self, environment: &[(&str, &str)]) {
        let launch = Launch { environment: owned(environment), ..self.servers.launch.clone() };
        let started = launch.start(READY_WITHIN).await;
        *self.servers.server.lock().await = started.ok();
    }

    /// Starts the server again on the same data, in this environment.
    pub async fn restart(&self, environment: &[(&str, &str)]) {
        let launch = Launch { environment: owned(environment), ..self.servers.launch.clone() };
        let mut server = self.servers.server.lock().await;
        drop(server.take());
        *server = Some(launch.start(READY_WITHIN).await.unwrap());
    }

    /// The token of a new buyer.
    pub async fn someone(&self) -> String {
        self.buyer(&format!("buyer{}", BUYERS.fetch_add(1, Ordering::Relaxed))).await
    }

    /// The id of a new order.
    pub async fn ordered(&self, buyer: &str, sale: &str) -> String {
        let mut ticket = Err(String::new());
        until("open", async || {
            ticket = self.buy(buyer, sale, "key-00001", 1).await;
            !ticket.as_ref().is_err_and(|code| code == "TRY_LATER" || code == "SALE_NOT_FOUND")
        })
        .await;
        let decided = self.decided(buyer, &ticket.unwrap()).await;
        decided["order"]["id"].as_str().unwrap_or_else(|| panic!("{decided}")).to_owned()
    }

    /// `orderPay`; its payload.
    pub async fn pay(&self, buyer: &str, order: &str, method: &str, key: &str) -> Value {
        let query = "mutation($o: ID!, $m: PaymentMethod!, $k: String!) { orderPay(input: { orderId: $o, method: $m, \
                     idempotencyKey: $k }) { order { status } payment { id status } redirectUrl userErrors { code } } }";
        self.data(Some(buyer), query, json!({ "o": order, "m": method, "k": key })).await["orderPay"].clone()
    }

    /// An order of a new buyer that waits for the cashier.
    pub async fn attempt(&self) -> Attempt {
        self.attempt_on(self.sale()).await
    }

    pub async fn attempt_on(&self, sale: &str) -> Attempt {
        self.another(&self.unpaid_on(sale).await).await
    }

    /// An order of a new buyer, with no attempt yet.
    pub async fn unpaid(&self) -> Attempt {
        self.unpaid_on(self.sale()).await
    }

    async fn unpaid_on(&self, sale: &str) -> Attempt {
        let buyer = self.someone().await;
        let order = self.ordered(&buyer, sale).await;
        let payment = PaymentId::from_bytes([0; 16]);
        Attempt { buyer, order, payment, number: String::new(), page: String::new() }
    }

    /// One more attempt to pay the same order.
    pub async fn another(&self, of: &Attempt) -> Attempt {
        let key = format!("pay-{:05}", BUYERS.fetch_add(1, Ordering::Relaxed));
        let paying = self.pay(&of.buyer, &of.order, "ALIPAY", &key).await;
        attempt_in(&paying, of)
    }

    /// The buyer opens the page and pays.
    pub async fn pay_at_cashier(&self, attempt: &Attempt) -> Value {
        self.sandbox.open_page(&attempt.page).await;
        self.sandbox.act(&attempt.number, "pay").await.unwrap()
    }

    /// Paid, and heard of.
    pub async fn paid(&self) -> Attempt {
        let attempt = self.attempt().await;
        self.pay_at_cashier(&attempt).await;
        self.until(&attempt, "PAID").await;
        attempt
    }

    /// Everything that is known of the order's money.
    pub async fn file(&self, attempt: &Attempt) -> Value {
        let query = "query($o: ID!) { paymentLookup(id: $o) { order { status version }
            payments { payment { id status } number flag received { amount } refundPending { amount } refunded { amount }
                gatewayTradeNumber log { actor event from to code detail } notifications { verdict tradeStatus notifyId } }
            refunds { refund { id status amount { amount } } number cause attempts lastCode log { at actor event to code detail } } } }";
        let data = self.data(Some(&self.operator), query, json!({ "o": attempt.order })).await;
        data["paymentLookup"].clone()
    }

    /// The attempt's own part of [`Self::file`].
    pub async fn record(&self, attempt: &Attempt) -> Value {
        let file = self.file(attempt).await;
        let of = |record: &&Value| record["number"] == attempt.number;
        file["payments"].as_array().unwrap().iter().find(of).unwrap_or_else(|| panic!("{file}")).clone()
    }

    pub async fn status(&self, attempt: &Attempt) -> String {
        let query = "query($o: ID!) { order(id: $o) { status } }";
        let data = self.data(Some(&attempt.buyer), query, json!({ "o": attempt.order })).await;
        data["order"]["status"].as_str().unwrap().to_owned()
    }

    /// Waits until the order has this status.
    pub async fn until(&self, attempt: &Attempt, status: &str) {
        until(status, async || self.status(attempt).await == status).await;
    }

    /// Waits until the attempt has this status.
    pub async fn until_payment(&self, attempt: &Attempt, status: &str) {
        until(status, async || self.record(attempt).await["payment"]["status"] == status).await;
    }

    /// `orderRefund`; its payload.
    pub async fn refund(&self, attempt: &Attempt, key: &str) -> Value {
        self.refund_as(&attempt.buyer, &attempt.order, key).await
    }

    pub async fn refund_as(&self, buyer: &str, order: &str, key: &str) -> Value {
        let query = "mutation($o: ID!, $k: String!) { orderRefund(input: { orderId: $o, reason: \"too small\", \
                     idempotencyKey: $k }) { order { status } refund { id status amount { amount } } userErrors { code } } }";
        self.data(Some(buyer), query, json!({ "o": order, "k": key })).await["orderRefund"].clone()
    }

    /// `paymentRefund` by the operator, of all that is left or so much; its payload.
    pub async fn send_back(&self, attempt: &Attempt, amount: Option<&str>, key: &str) -> Value {
        let query = "mutation($p: ID!, $a: MoneyInput, $k: String!) { paymentRefund(input: { paymentId: $p, amount: $a, \
                     reason: \"broken\", idempotencyKey: $k }) { order { status } refund { id status amount { amount } } \
                     userErrors { code } } }";
        let amount = amount.map(|amount| json!({ "amount": amount }));
        let input = json!({ "p": attempt.payment.to_string(), "a": amount, "k": key });
        self.data(Some(&self.operator), query, input).await["paymentRefund"].clone()
    }

    /// `orderCancel`; its payload.
    pub async fn cancel(&self, attempt: &Attempt) -> Value {
        let query =
            "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } userErrors { code } } }";
        self.data(Some(&attempt.buyer), query, json!({ "o": attempt.order })).await["orderCancel"].clone()
    }

    /// What the gateway paid back of the attempt: number and fen.
    pub async fn gateway_refunds(&self, attempt: &Attempt) -> Vec<(String, i64)> {
        let all = self.sandbox.get("refunds").await;
        let own = all.as_array().unwrap().iter().filter(|refund| refund["outTradeNo"] == attempt.number);
        own.map(|line| {
            let refund = &line["refund"];
            (refund["outRequestNo"].as_str().unwrap().to_owned(), refund["amount"].as_i64().unwrap())
        })
        .collect()
    }

    /// Posts to the server's endpoint: the status, and the bytes of the answer.
    pub async fn post(&self, kind: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let url = format!("http://{}/payments/alipay/notify", self.address());
        let answer = self.http.post(url).header("content-type", kind).body(body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Whether a notification is acknowledged, with exactly seven bytes.
    pub async fn notify(&self, parameters: &Parameters) -> bool {
        self.notify_text(&parameters.encode(|_| true)).await
    }

    pub async fn notify_text(&self, body: &str) -> bool {
        let (status, text) = self.post(FORM, body.to_owned()).await;
        assert!(["success", "failure"].contains(&text.as_str()), "{status} {text}");
        status == 200 && text == "success"
    }

    pub fn key(&self) -> SigningKey {
        self.sandbox.gateway_key()
    }

    /// A genuine notification that the attempt is paid, though the sandbox knows nothing of it.
    pub fn genuine(&self, attempt: &Attempt) -> Parameters {
        signed(self.sandbox.notice(&attempt.number, "9.90"), &self.key())
    }

    /// The same with another value, signed.
    pub fn changed(&self, attempt: &Attempt, name: &str, value: &str) -> Parameters {
        let mut notice = self.sandbox.notice(&attempt.number, "9.90");
        notice.set(name, value);
        signed(notice, &self.key())
    }

    /// The count of a metric's line that has all these parts.
    pub async fn metric(&self, parts: &[&str]) -> f64 {
        let url = format!("http://{}/metrics", self.address());
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| parts.iter().all(|part| line.contains(part)));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// The first code of a payload.
pub fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("{payload}"))
}

/// The attempt that a payload of `orderPay` tells of.
pub fn attempt_in(paying: &Value, of: &Attempt) -> Attempt {
    let page = paying["redirectUrl"].as_str().unwrap_or_else(|| panic!("{paying}")).to_owned();
    let payment: PaymentId = paying["payment"]["id"].as_str().unwrap().parse().unwrap();
    Attempt { payment, number: payment.number(), page, ..of.clone() }
}

/// What the gateway knows the refund of a payload by.
pub fn refund_number(payload: &Value) -> String {
    let id: RefundId = payload["refund"]["id"].as_str().unwrap_or_else(|| panic!("{payload}")).parse().unwrap();
    id.number()
}
