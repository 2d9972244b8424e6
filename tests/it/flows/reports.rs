//! The report of a sale: a right one holds, each mistake is found, nothing is called a mistake that still moves, and who may see it.

use std::process::{Command, Output};

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::nodes::{Cluster, buy};
use crate::support::servers::execute as execute_postgres;
use crate::support::{Shop, Terms, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_doorbuster");

/// A gate that differs from the database stays so: a mistake must not be mended before it is seen.
const SETTINGS: &str = "[points]\nwelcome = 120\n[orders]\nreconcile_every = \"1h\"\n[sales]\nreread_every = \"1h\"";

const REPORT: &str = "query($s: ID!) { saleReport(saleId: $s) { asOf settled verdict holds digest downloadUrl sale { id } \
                      lines { name count amount { amount } } checks { code title left right status holds cause detail examples } } }";

/// A shop on a database that statements can be run on behind its back.
struct Business {
    shop: Shop,
    store: String,
    sale: String,
    cluster: Option<Cluster>,
}

impl Business {
    async fn on_sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("sqlite://{}", folder.path().join("shop.db").display());
        Self::open(Shop::open_on(&store, folder, SETTINGS).await, store, None).await
    }

    async fn on_postgres() -> Self {
        let cluster = Cluster::fresh(SETTINGS).await;
        Self::open(cluster.node("one").await, cluster.0.url(), Some(cluster)).await
    }

    /// A sale that is over, and its orders: one is paid, one refunded, one cancelled, one paid. Two units were added.
    async fn open(shop: Shop, store: String, cluster: Option<Cluster>) -> Self {
        let sale = shop.sale(&Terms { stock: 5, limit: 2, points_price: Some(30), ..Terms::default() }).await;
        let business = Self { shop, store, sale, cluster };
        for name in ["alice", "bob", "carol", "dave"] {
            business.order(name).await;
        }
        for name in ["alice", "bob", "dave"] {
            business.pay(name).await;
        }
        let shop = &business.shop;
        let (bob, carol) = (shop.sign_in("bob").await, shop.sign_in("carol").await);
        let back = "mutation($o: ID!) { orderRefund(input: { orderId: $o, idempotencyKey: \"back-bob\" }) { userErrors { code } } }";
        let told = shop.data(Some(&bob), back, json!({ "o": business.order_of("bob").await })).await;
        assert_eq!(told["orderRefund"]["userErrors"], json!([]));
        let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { userErrors { code } } }";
        let told = shop.data(Some(&carol), cancel, json!({ "o": business.order_of("carol").await })).await;
        assert_eq!(told["orderCancel"]["userErrors"], json!([]));
        let add = "mutation($s: ID!) { saleStockAdd(input: { saleId: $s, units: 2, idempotencyKey: \"more-0001\" }) \
                   { userErrors { code } } }";
        let told = shop.data(Some(&shop.operator), add, json!({ "s": business.sale })).await;
        assert_eq!(told["saleStockAdd"]["userErrors"], json!([]));
        assert_eq!(shop.act("end", &business.sale).await, None);
        business.until_it_holds().await;
        business
    }

    async fn order(&self, name: &str) {
        let buyer = self.shop.buyer(name).await;
        let ticket = buy(&self.shop, &buyer, &self.sale, &format!("order-{name}")).await;
        self.shop.decided(&buyer, &ticket).await;
    }

    async fn order_of(&self, name: &str) -> Value {
        let buyer = self.shop.sign_in(name).await;
        let query = "{ viewer { orders(first: 1) { nodes { id } } } }";
        self.shop.data(Some(&buyer), query, json!({})).await["viewer"]["orders"]["nodes"][0]["id"].clone()
    }

    async fn pay(&self, name: &str) {
        let buyer = self.shop.sign_in(name).await;
        let input = json!({ "orderId": self.order_of(name).await, "method": "POINTS", "idempotencyKey": format!("paid-{name}") });
        let pay = "mutation($i: OrderPayInput!) { orderPay(input: $i) { userErrors { code } } }";
        let told = self.shop.data(Some(&buyer), pay, json!({ "i": input })).await;
        assert_eq!(told["orderPay"]["userErrors"], json!([]), "{name}");
    }

    async fn report(&self) -> Value {
        self.shop.data(Some(&self.shop.operator), REPORT, json!({ "s": self.sale })).await["saleReport"].clone()
    }

    async fn until_it_holds(&self) {
        let mut last = Value::Null;
        until("a report that holds", async || {
            last = self.report().await;
            last["verdict"] == "HOLDS"
        })
        .await;
    }

    /// Whatever the schema says against it.
    async fn break_with(&self, statements: &str) {
        match self.store.strip_prefix("sqlite://") {
            Some(path) => {
                use diesel::connection::{Connection as _, SimpleConnection as _};
                let mut conn = diesel::SqliteConnection::establish(path).unwrap();
                let free =
                    "PRAGMA busy_timeout = 20000; PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;";
                conn.batch_execute(&format!("{free} {statements}"))
                    .unwrap_or_else(|error| panic!("{statements}: {error}"));
            }
            None => {
                execute_postgres(&self.store, &format!("SET session_replication_role = replica; {statements}")).await
            }
        }
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let settings = match &self.cluster {
            Some(cluster) => cluster.settings(),
            None => vec![("store.url", self.store.clone())],
        };
        let mut command = Command::new(PROGRAM);
        for (key, value) in settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command.args(["sale", "report"]).args(arguments).output().unwrap()
    }

    async fn download(&self, token: Option<&str>, format: &str) -> reqwest::Response {
        self.download_of(&self.sale, token, format).await
    }

    async fn download_of(&self, sale: &str, token: Option<&str>, format: &str) -> reqwest::Response {
        let url = format!("http://{}/sale-reports/{sale}?format={format}", self.shop.address());
        let request = reqwest::Client::new().get(url);
        token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth).send().await.unwrap()
    }

    async fn audited(&self, act: &str) -> u64 {
        let query = "query($a: String) { auditEntries(filter: { act: $a }, first: 1) { totalCount } }";
        let told = self.shop.data(Some(&self.shop.operator), query, json!({ "a": act })).await;
        told["auditEntries"]["totalCount"].as_u64().unwrap()
    }
}

fn digest(text: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}

fn violated(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["status"] == "VIOLATED").map(|check| check["code"].as_str().unwrap()).collect()
}

/// What is done behind the program's back, how it is mended, and the checks that it violates.
struct Mistake(&'static str, &'static str, &'static [&'static str]);

const MISTAKES: [Mistake; 10] = [
    Mistake(
        "UPDATE sales SET stock_total = stock_total + 1, stock_left = stock_left + 1, version = version + 1",
        "UPDATE sales SET stock_total = stock_total - 1, stock_left = stock_left - 1, version = version + 1",
        &["STOCK_TOTAL", "GATE_AGREES"],
    ),
    Mistake(
        "UPDATE sales SET stock_left = stock_left - 1, version = version + 1",
        "UPDATE sales SET stock_left = stock_left + 1, version = version + 1",
        &["UNITS_ACCOUNTED", "GATE_AGREES"],
    ),
    Mistake(
        "UPDATE orders SET status = 'LOST' WHERE idempotency_key = 'order-carol'",
        "UPDATE orders SET status = 'CANCELLED' WHERE idempotency_key = 'order-carol'",
        &["TICKETS_DECIDED"],
    ),
    Mistake(
        "UPDATE orders SET paid_at = NULL WHERE idempotency_key = 'order-alice'",
        "UPDATE orders SET paid_at = decided_at WHERE idempotency_key = 'order-alice'",
        &["ORDERS_CONSISTENT"],
    ),
    Mistake(
        "UPDATE orders SET buyer_id = (SELECT id FROM users WHERE username = 'dave') WHERE idempotency_key = 'order-alice'",
        "UPDATE orders SET buyer_id = (SELECT id FROM users WHERE username = 'alice') WHERE idempotency_key = 'order-alice'",
        &["ONE_ORDER_PER_BUYER"],
    ),
    Mistake(
        "UPDATE orders SET quantity = 3 WHERE idempotency_key = 'order-alice'",
        "UPDATE orders SET quantity = 1 WHERE idempotency_key = 'order-alice'",
        &["UNITS_ACCOUNTED", "LIMIT_PER_BUYER", "MONEY_RECEIVED"],
    ),
    Mistake(
        "UPDATE payments SET amount = amount + 1, captured = captured + 1 WHERE idempotency_key = 'paid-alice'",
        "UPDATE payments SET amount = amount - 1, captured = captured - 1 WHERE idempotency_key = 'paid-alice'",
        &["MONEY_RECEIVED"],
    ),
    Mistake("UPDATE refunds SET amount = amount + 1", "UPDATE refunds SET amount = amount - 1", &["MONEY_RETURNED"]),
    Mistake(
        "INSERT INTO sale_stock_adds (sale_id, idempotency_key, units, at) SELECT id, 'untold', 1, 1 FROM sales;
         UPDATE sales SET stock_total = stock_total + 1, stock_left = stock_left + 1, version = version + 1",
        "DELETE FROM sale_stock_adds WHERE idempotency_key = 'untold';
         UPDATE sales SET stock_total = stock_total - 1, stock_left = stock_left - 1, version = version + 1",
        &["GATE_AGREES"],
    ),
    Mistake(
        "CREATE TABLE kept AS SELECT * FROM orders WHERE idempotency_key = 'order-carol';
         DELETE FROM orders WHERE idempotency_key = 'order-carol'",
        "INSERT INTO orders SELECT * FROM kept; DROP TABLE kept",
        &["SEQUENCE_COMPLETE"],
    ),
];

async fn each_mistake_is_found(business: Business) {
    let right = business.report().await;
    let all: Vec<&str> =
        right["checks"].as_array().unwrap().iter().map(|check| check["code"].as_str().unwrap()).collect();
    assert_eq!(all.len(), 10);
    assert!(right["checks"].as_array().unwrap().iter().all(|check| check["holds"] == true), "{right:#}");
    let guards = if business.store.starts_with("sqlite") {
        "DROP TRIGGER orders_transition;"
    } else {
        "ALTER TABLE orders DROP CONSTRAINT orders_status_check;"
    };
    business.break_with(&format!("DROP INDEX orders_live; {guards}")).await;
    let mut found: Vec<&str> = Vec::new();
    for Mistake(wrong, mend, expected) in &MISTAKES {
        business.break_with(wrong).await;
        let report = business.report().await;
        assert_eq!(violated(&report), *expected, "{wrong}: {report:#}");
        assert_eq!((&report["verdict"], &report["holds"]), (&json!("VIOLATED"), &json!(false)));
        // The command says the same of what it can see, and fails.
        let command = business.command(&[&business.sale]);
        let blind = *expected == ["GATE_AGREES"];
        let said = String::from_utf8_lossy(&command.stdout);
        let stderr = String::from_utf8_lossy(&command.stderr);
        assert_eq!((command.status.code(), said.is_empty()), (Some(i32::from(!blind)), false), "{said}{stderr}");
        business.break_with(mend).await;
        business.until_it_holds().await;
        found.extend(expected.iter().copied());
    }
    assert!(all.iter().all(|code| found.contains(code)), "each was violated once");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_ten_mistakes_is_found_on_sqlite() {
    each_mistake_is_found(Business::on_sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_ten_mistakes_is_found_on_postgres() {
    each_mistake_is_found(Business::on_postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_digest_is_that_of_the_file_wherever_it_comes_from() {
    let business = Business::on_sqlite().await;
    let report = business.report().await;
    let told = report["digest"].as_str().unwrap().to_owned();
    let looks = business.audited("sale.report").await;
    let response = business.download(Some(&business.shop.operator), "csv").await;
    assert_eq!(response.headers()["doorbuster-report-digest"], told.as_str());
    assert!(
        response.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment; filename=\"sale-1001.csv\"")
    );
    let csv = response.text().await.unwrap();
    assert_eq!(digest(&csv), told);
    let states: Vec<&str> = csv.lines().skip(1).map(|line| line.split(',').nth(5).unwrap()).collect();
    assert_eq!(states, ["PAID", "REFUNDED", "CANCELLED", "PAID"]);
    let whole: Value = business.download(Some(&business.shop.operator), "json").await.json().await.unwrap();
    assert_eq!((whole["digest"].as_str(), &whole["verdict"]), (Some(told.as_str()), &json!("HOLDS")));
    let head: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let line = |row: &Value| head.iter().map(|name| row[name].as_str().unwrap()).collect::<Vec<_>>().join(",");
    let made: Vec<String> = whole["rows"].as_array().unwrap().iter().map(line).collect();
    assert_eq!(digest(&format!("{}\n{}\n", head.join(","), made.join("\n"))), told);
    assert_eq!(business.audited("sale.report").await, looks + 2, "downloads name buyers: they are written down");
    // Shoppers see it, whoever they are.
    let query = "query($s: ID!) { sale(id: $s) { outcome { settled digest unitsSold } } }";
    let outcome = business.shop.data(None, query, json!({ "s": business.sale })).await["sale"]["outcome"].clone();
    assert_eq!(outcome, json!({ "settled": true, "digest": told, "unitsSold": 2 }));

    // The command, beside the server; it overwrites nothing and changes nothing.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sale.csv");
    let path = path.to_str().unwrap();
    let made = business.command(&[&business.sale, "--json", "--csv", path]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let told_there: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((told_there["digest"].as_str(), &told_there["settled"]), (Some(told.as_str()), &json!(true)));
    assert_eq!(std::fs::read_to_string(path).unwrap(), csv);
    let gate = &told_there["checks"][8];
    assert_eq!((&gate["status"], &gate["cause"]), (&json!("UNDECIDED"), &json!("GATE_NOT_ASKED")));
    let again = business.command(&[&business.sale, "--csv", path]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains(path));
    assert_eq!(std::fs::read_to_string(path).unwrap(), csv);
    let text = String::from_utf8(business.command(&[&business.sale]).stdout).unwrap();
    assert!(text.contains(&format!("digest {told}")) && text.contains("1 could not be decided"), "{text}");
    for (wrong, why) in [("sale_x", "is not the ID of a sale"), ("sale_AAAAAAAAAAAAAAAAAAAAAA", "there is no sale")] {
        let refused = business.command(&[wrong]);
        assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains(why), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_operators_sees_a_report() {
    let business = Business::on_sqlite().await;
    let alice = business.shop.sign_in("alice").await;
    let looks = business.audited("sale.report").await;
    for (token, status, code) in [(None, 401, "UNAUTHENTICATED"), (Some(alice.as_str()), 403, "FORBIDDEN")] {
        let variables = json!({ "s": business.sale });
        assert_eq!(business.shop.fault(token, REPORT, variables.clone()).await, code);
        assert!(business.shop.ask(token, REPORT, variables).await["data"].is_null());
        for sale in [business.sale.as_str(), "sale_AAAAAAAAAAAAAAAAAAAAAA", "x"] {
            let refused = business.download_of(sale, token, "csv").await;
            assert_eq!(refused.status(), status, "{sale}");
            assert_eq!(refused.json::<Value>().await.unwrap()["code"], code, "{sale}");
        }
    }
    assert_eq!(business.audited("sale.report").await, looks);
    let operator = business.shop.operator.clone();
    for (sale, format, status) in
        [(business.sale.as_str(), "xml", 400), ("sale_AAAAAAAAAAAAAAAAAAAAAA", "csv", 404), ("x", "json", 404)]
    {
        assert_eq!(business.download_of(sale, Some(&operator), format).await.status(), status, "{sale} {format}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_what_is_no_ended_sale_does_not_alarm() {
    let shop = Shop::open_with("[points]\nwelcome = 120").await;
    let operator = shop.operator.clone();
    let report =
        async |sale: &str| shop.data(Some(&operator), REPORT, json!({ "s": sale })).await["saleReport"].clone();
    assert!(report("sale_AAAAAAAAAAAAAAAAAAAAAA").await.is_null());
    assert!(report("nonsense").await.is_null());

    let draft = report(&shop.draft(&Terms::default()).await).await;
    assert_eq!(
        (&draft["verdict"], &draft["settled"], violated(&draft)),
        (&json!("PROVISIONAL"), &json!(false), vec![])
    );
    assert_eq!((&draft["checks"][8]["cause"], &draft["digest"]), (&json!("DRAFT"), &Value::Null));

    let empty = shop.sale(&Terms::default()).await;
    let upcoming = report(&empty).await;
    assert_eq!((&upcoming["verdict"], violated(&upcoming)), (&json!("PROVISIONAL"), vec![]));
    assert_eq!(shop.act("end", &empty).await, None);
    let ended = report(&empty).await;
    assert_eq!((&ended["verdict"], &ended["settled"]), (&json!("HOLDS"), &json!(true)), "{ended:#}");
    let head = doorbuster::model::sale_report::csv_header();
    assert_eq!(ended["digest"], digest(&head).as_str());

    // While buyers rush, everything moves and nothing is wrong.
    let running = shop.sale(&Terms { stock: 30, ..Terms::default() }).await;
    let mut buyers = Vec::new();
    for number in 0..40 {
        buyers.push(shop.buyer(&format!("rusher{number}")).await);
    }
    let rush = futures_util::future::join_all(buyers.iter().map(|buyer| shop.buy(buyer, &running, "key-00001", 1)));
    let looks = async {
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(report(&running).await);
        }
        seen
    };
    let (bought, seen) = tokio::join!(rush, looks);
    assert_eq!(bought.iter().filter(|ticket| ticket.is_ok()).count(), 30);
    for report in seen {
        assert_eq!((&report["verdict"], violated(&report)), (&json!("PROVISIONAL"), vec![]), "{report:#}");
        assert!(report["digest"].is_null() && report["holds"] == false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_units_at_publication_follow_the_draft_and_edits_in_sql() {
    let business = Business::on_sqlite().await;
    let sale = business.shop.draft(&Terms { stock: 5, ..Terms::default() }).await;
    let edit = "mutation($s: ID!) { saleUpdate(input: { saleId: $s, stock: 8 }) { userErrors { code } } }";
    let told = business.shop.data(Some(&business.shop.operator), edit, json!({ "s": sale })).await;
    assert_eq!(told["saleUpdate"]["userErrors"], json!([]));
    assert_eq!(business.shop.act("publish", &sale).await, None);
    let check = async || {
        let report = business.shop.data(Some(&business.shop.operator), REPORT, json!({ "s": sale })).await;
        report["saleReport"]["checks"][0].clone()
    };
    let first = check().await;
    assert_eq!((&first["left"], &first["right"], &first["status"]), (&json!("8"), &json!("8"), &json!("HOLDS")));
    // As an operator of the database would, with its triggers.
    let path = business.store.strip_prefix("sqlite://").unwrap();
    use diesel::connection::{Connection as _, SimpleConnection as _};
    let mut conn = diesel::SqliteConnection::establish(path).unwrap();
    conn.batch_execute("PRAGMA busy_timeout = 20000; UPDATE sales SET stock_total = 11 WHERE stock_total = 8").unwrap();
    let edited = check().await;
    assert_eq!((&edited["left"], &edited["right"], &edited["status"]), (&json!("11"), &json!("11"), &json!("HOLDS")));
    assert_eq!(edited["detail"], "8 at publication, 0 added, +3 in SQL");
}
