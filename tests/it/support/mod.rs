//! A shop in this process on a file of its own, spoken to over HTTP as its users do.

#[allow(dead_code, reason = "cases use their part")]
pub mod alipay;
#[allow(dead_code, reason = "cases use their part")]
pub mod pki;
pub mod proxy;
pub mod redis;
#[allow(dead_code, reason = "each server's tests use their part")]
pub mod servers;

use std::net::SocketAddr;
use std::time::Duration;

use doorbuster::app::App;
use doorbuster::config::Config;
use doorbuster::kernel::{Clock, Rng};
use doorbuster::lifecycle::Shutdown;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long a test waits for something that must become so. Longer than a shutdown, or two mutations, may take by their own limits: on a
/// machine whose disk is busy, a commit alone can take seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running shop with one operator, in this process.
pub struct Shop {
    pub app: App,
    front: Front,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
    folder: TempDir,
}

/// A shop as its users reach it, in whatever process it runs.
pub struct Front {
    /// The operator's token.
    pub operator: String,
    url: String,
    address: SocketAddr,
    http: reqwest::Client,
}

impl std::ops::Deref for Shop {
    type Target = Front;

    fn deref(&self) -> &Front {
        &self.front
    }
}

/// What a test says of a sale.
pub struct Terms {
    pub stock: i64,
    pub limit: i64,
    pub pay_within_seconds: i64,
    pub points_price: Option<i64>,
    /// Seconds from now.
    pub starts: i64,
    pub ends: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { stock: 10, limit: 1, pay_within_seconds: 600, points_price: None, starts: -60, ends: 3600 }
    }
}

fn config(store: &str, extra: &str) -> Config {
    let text = format!(
        "[store]\nurl = \"{store}\"\n[accounts]\nhash_memory = \"8KiB\"\nhash_passes = 1\n\
         sign_ins_per_account_per_minute = 0\nattempts_per_address_per_minute = 0\n{extra}"
    );
    let mut config = Config::from_toml(&text).unwrap();
    config.server.linger = doorbuster::config::Span(Duration::ZERO);
    config
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_with("").await
    }

    /// With more settings, in TOML.
    pub async fn open_with(extra: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::open_in(folder, extra).await
    }

    async fn open_in(folder: TempDir, extra: &str) -> Self {
        let store = format!("sqlite://{}", folder.path().join("shop.db").display());
        Self::open_on(&store, folder, extra).await
    }

    /// On this database.
    pub async fn open_on(store: &str, folder: TempDir, extra: &str) -> Self {
        Self::open_at(SocketAddr::from(([127, 0, 0, 1], 0)), store, folder, extra).await
    }

    /// At this address; its port may be 0.
    pub async fn open_at(address: SocketAddr, store: &str, folder: TempDir, extra: &str) -> Self {
        let app = App::build(config(store, extra), Clock::system(), Rng::system()).await.unwrap();
        let made = app.accounts().create_operator("operator", "password123", "Operator").await.unwrap();
        let _existed_before = made.is_err();
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        app.start();
        let serving = {
            let (app, shutdown) = (app.clone(), shutdown.clone());
            tokio::spawn(async move { app.serve(listener, &shutdown).await })
        };
        let mut front = Front::at(address);
        front.until_ready().await;
        front.operator = front.sign_in("operator").await;
        Self { app, front, shutdown, serving, folder }
    }

    /// Stops and starts again on the same file.
    pub async fn reopen(self) -> Self {
        Self::open_in(self.stop().await, "").await
    }

    /// Stops as at a signal, whole; leaves its folder.
    pub async fn stop(self) -> TempDir {
        let Self { shutdown, serving, folder, .. } = self;
        shutdown.begin();
        serving.await.unwrap();
        folder
    }
}

impl Front {
    /// The shop at this address; nobody is signed in.
    pub fn at(address: SocketAddr) -> Self {
        let url = format!("http://{address}/graphql");
        Self { operator: String::new(), url, address, http: reqwest::Client::new() }
    }

    /// Waits until it takes traffic.
    pub async fn until_ready(&self) {
        let ready = format!("http://{}/health/ready", self.address);
        until("ready", async || self.http.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200)).await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The whole answer.
    pub async fn ask(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let mut request = self.http.post(&self.url).json(&json!({ "query": query, "variables": variables }));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The answer's data; any error fails the test. What is UNAVAILABLE for the moment is asked again, as clients do.
    pub async fn data(&self, token: Option<&str>, query: &str, variables: Value) -> Value {
        let mut answer = Value::Null;
        until("available", async || {
            answer = self.ask(token, query, variables.clone()).await;
            answer["errors"][0]["extensions"]["code"] != "UNAVAILABLE"
        })
        .await;
        assert!(answer.get("errors").is_none(), "{query}: {answer}");
        answer["data"].clone()
    }

    /// The code of the first top-level error.
    pub async fn fault(&self, token: Option<&str>, query: &str, variables: Value) -> String {
        let answer = self.ask(token, query, variables).await;
        answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{query}: {answer}")).to_owned()
    }

    pub async fn sign_in(&self, username: &str) -> String {
        let query = "mutation($u: String!) { userSignIn(input: { username: $u, password: \"password123\" }) \
                     { accessToken { token } userErrors { code } } }";
        let data = self.data(None, query, json!({ "u": username })).await;
        data["userSignIn"]["accessToken"]["token"].as_str().unwrap().to_owned()
    }

    /// The token of a new buyer.
    pub async fn buyer(&self, username: &str) -> String {
        let query = "mutation($u: String!) { userSignUp(input: { username: $u, password: \"password123\", \
                     displayName: \"Buyer\" }) { accessToken { token } userErrors { code } } }";
        let data = self.data(None, query, json!({ "u": username })).await;
        data["userSignUp"]["accessToken"]["token"].as_str().unwrap().to_owned()
    }

    /// The id of a new sale, not published.
    pub async fn draft(&self, terms: &Terms) -> String {
        let at = |seconds: i64| {
            let now = Clock::system().now().as_millis();
            doorbuster::kernel::Timestamp::from_millis(now + seconds * 1000).to_rfc3339()
        };
        let operator = Some(self.operator.as_str());
        let query = "mutation($a: DateTime!, $b: DateTime!) { saleSessionCreate(input: { name: \"Ten\", startsAt: $a, \
                     endsAt: $b }) { session { id } userErrors { code } } \
                     productCreate(input: { name: \"Lamp\", price: { amount: \"99.00\" } }) { product { id } } }";
        let made = self.data(operator, query, json!({ "a": at(terms.starts), "b": at(terms.ends) })).await;
        let query =
            "mutation($i: SaleCreateInput!) { saleCreate(input: $i) { sale { id } userErrors { code message } } }";
        let input = json!({
            "sessionId": made["saleSessionCreate"]["session"]["id"], "productId": made["productCreate"]["product"]["id"],
            "price": { "amount": "9.90" }, "stock": terms.stock, "limitPerBuyer": terms.limit,
            "payWithinSeconds": terms.pay_within_seconds, "returnsOnRefund": true, "pointsPrice": terms.points_price,
        });
        let made = self.data(operator, query, json!({ "i": input })).await;
        made["saleCreate"]["sale"]["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// An operator's act on a sale, `publish`, `pause`, `resume` or `end`; the first code if it was refused.
    pub async fn act(&self, act: &str, sale: &str) -> Option<String> {
        let name = format!("sale{}{}", act[..1].to_uppercase(), &act[1..]);
        let query = format!(
            "mutation($s: ID!) {{ {name}(input: {{ saleId: $s }}) {{ sale {{ status }} userErrors {{ code }} }} }}"
        );
        let data = self.data(Some(&self.operator), &query, json!({ "s": sale })).await;
        data[&name]["userErrors"][0]["code"].as_str().map(str::to_owned)
    }

    /// The id of a new sale that can be bought from.
    pub async fn sale(&self, terms: &Terms) -> String {
        let sale = self.draft(terms).await;
        assert_eq!(self.act("publish", &sale).await, None);
        sale
    }

    /// Buys; the ticket's id, or the code of the refusal.
    pub async fn buy(&self, buyer: &str, sale: &str, key: &str, quantity: i64) -> Result<String, String> {
        let query = "mutation($s: ID!, $k: String!, $n: Int!) { salePurchase(input: { saleId: $s, idempotencyKey: $k, \
                     quantity: $n }) { ticket { id } userErrors { code message field } } }";
        let data = self.data(Some(buyer), query, json!({ "s": sale, "k": key, "n": quantity })).await;
        let payload = &data["salePurchase"];
        match payload["ticket"]["id"].as_str() {
            Some(ticket) => Ok(ticket.to_owned()),
            None => Err(payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("{data}")).to_owned()),
        }
    }

    /// The ticket with its order once it is decided.
    pub async fn decided(&self, buyer: &str, ticket: &str) -> Value {
        let query = "query($t: ID!) { purchaseTicket(id: $t) { status version refusal { code } \
                     order { id number status version total { amount } } } }";
        let mut found = Value::Null;
        until("decided", async || {
            found = self.data(Some(buyer), query, json!({ "t": ticket })).await["purchaseTicket"].clone();
            found["status"] != "QUEUED"
        })
        .await;
        found
    }

    /// Units that the sale shows as free.
    pub async fn stock(&self, sale: &str) -> i64 {
        let data = self.data(None, "query($s: ID!) { sale(id: $s) { stockRemaining } }", json!({ "s": sale })).await;
        data["sale"]["stockRemaining"].as_i64().unwrap()
    }
}

/// Waits until the condition holds; fails the test after [`PATIENCE`].
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Also when it is the look that never comes back.
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never {what}");
}
