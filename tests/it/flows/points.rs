//! Orders paid with loyalty points, and points given back, through the API.

use doorbuster::points;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Shop, Terms, until};

const PRICE: i64 = 30;

impl Shop {
    /// A sale that takes points.
    async fn points_sale(&self) -> String {
        let sale = self.draft(&Terms::default()).await;
        let query = "mutation($s: ID!, $p: Int!) { saleUpdate(input: { saleId: $s, pointsPrice: $p }) { userErrors { code } } }";
        self.data(Some(&self.operator), query, json!({ "s": sale, "p": PRICE })).await;
        assert_eq!(self.act("publish", &sale).await, None);
        sale
    }

    async fn grant(&self, username: &str, points: i64, key: &str) -> Value {
        let query = "mutation($u: String!, $p: Int!, $k: String!) { pointsGrant(input: { username: $u, points: $p, reason: \"a gift\", \
                     idempotencyKey: $k }) { pointsEntry { id kind points reason } pointsAccount { balance } userErrors { code } } }";
        let input = json!({ "u": username, "p": points, "k": key });
        self.data(Some(&self.operator), query, input).await["pointsGrant"].clone()
    }

    /// `(balance, reserved)`.
    async fn points_of(&self, buyer: &str) -> (i64, i64) {
        let data = self.data(Some(buyer), "{ viewer { points { balance reserved } } }", json!({})).await;
        let points = &data["viewer"]["points"];
        (points["balance"].as_i64().unwrap(), points["reserved"].as_i64().unwrap())
    }

    /// The id of a fresh order.
    async fn order(&self, buyer: &str, sale: &str, key: &str) -> String {
        let ticket = self.buy(buyer, sale, key, 1).await.unwrap();
        self.decided(buyer, &ticket).await["order"]["id"].as_str().unwrap().to_owned()
    }

    async fn pay_points(&self, buyer: &str, order: &str, key: &str) -> Value {
        let query = "mutation($o: ID!, $k: String!) { orderPay(input: { orderId: $o, method: POINTS, idempotencyKey: $k }) \
                     { order { status } payment { id status points } redirectUrl userErrors { code } } }";
        self.data(Some(buyer), query, json!({ "o": order, "k": key })).await["orderPay"].clone()
    }

    async fn points_audit(&self) {
        until("every transaction has ended", async || {
            points::audit::check(self.app.db(), self.app.points().db(), true).await.unwrap().is_empty()
        })
        .await;
    }
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_else(|| panic!("{payload}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_paid_with_points_and_refunded() {
    let shop = Shop::open().await;
    let (sale, buyer) = (shop.points_sale().await, shop.buyer("alice").await);
    assert_eq!(shop.points_of(&buyer).await, (0, 0));
    let order = shop.order(&buyer, &sale, "key-00001").await;
    assert_eq!(code(&shop.pay_points(&buyer, &order, "pay-00001").await), "INSUFFICIENT_POINTS");
    let granted = shop.grant("Alice", 100, "grant-001").await;
    assert_eq!((&granted["pointsAccount"]["balance"], &granted["userErrors"]), (&json!(100), &json!([])), "{granted}");
    assert_eq!(shop.grant("alice", 100, "grant-001").await["pointsEntry"], granted["pointsEntry"], "once");
    assert_eq!(code(&shop.grant("alice", 101, "grant-001").await), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(code(&shop.grant("nobody", 101, "grant-002").await), "USER_NOT_FOUND");
    // What was rejected stays rejected; a new wish is a new try.
    assert_eq!(code(&shop.pay_points(&buyer, &order, "pay-00001").await), "INSUFFICIENT_POINTS");
    let paid = shop.pay_points(&buyer, &order, "pay-00002").await;
    let shown =
        (&paid["order"]["status"], &paid["payment"]["status"], &paid["payment"]["points"], &paid["redirectUrl"]);
    assert_eq!(shown, (&json!("PAID"), &json!("SUCCEEDED"), &json!(PRICE), &Value::Null), "{paid}");
    assert_eq!(shop.pay_points(&buyer, &order, "pay-00002").await["payment"], paid["payment"]);
    assert_eq!(code(&shop.pay_points(&buyer, &order, "pay-00003").await), "ORDER_NOT_PAYABLE");
    assert_eq!(shop.points_of(&buyer).await, (70, 0));
    let stock = shop.stock(&sale).await;
    let refund = "mutation($o: ID!) { orderRefund(input: { orderId: $o, reason: \"too small\", idempotencyKey: \"back-0001\" }) \
                  { order { status } refund { status points } userErrors { code } } }";
    for _ in 0..2 {
        let refunded = shop.data(Some(&buyer), refund, json!({ "o": order })).await["orderRefund"].clone();
        let shown = (&refunded["order"]["status"], &refunded["refund"]["status"], &refunded["refund"]["points"]);
        assert_eq!(shown, (&json!("REFUNDED"), &json!("SUCCEEDED"), &json!(PRICE)), "{refunded}");
    }
    assert_eq!(shop.points_of(&buyer).await, (100, 0));
    until("the unit is sold again", async || shop.stock(&sale).await == stock + 1).await;
    let entries = "{ viewer { points { entries(first: 2) {
        totalCount nodes { id kind points order { id } } pageInfo { hasNextPage } } } } }";
    let listed = shop.data(Some(&buyer), entries, json!({})).await["viewer"]["points"]["entries"].clone();
    let kinds: Vec<_> = listed["nodes"].as_array().unwrap().iter().map(|entry| entry["kind"].clone()).collect();
    assert_eq!((kinds, &listed["totalCount"]), (vec![json!("REFUND"), json!("PAYMENT")], &json!(3)), "{listed}");
    assert_eq!(listed["nodes"][0]["order"]["id"], json!(order));
    let node = "query($i: ID!) { node(id: $i) { ... on PointsEntry { points } } }";
    let own = shop.data(Some(&buyer), node, json!({ "i": listed["nodes"][1]["id"] })).await;
    assert_eq!(own["node"]["points"], json!(-PRICE));
    let other = shop.buyer("mallory").await;
    assert_eq!(shop.data(Some(&other), node, json!({ "i": listed["nodes"][1]["id"] })).await["node"], Value::Null);
    shop.points_audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_points_payments_return_error_codes() {
    let shop = Shop::open_with("[points]\nwelcome = 50").await;
    let (money_only, buyer) = (shop.sale(&Terms::default()).await, shop.buyer("alice").await);
    assert_eq!(shop.points_of(&buyer).await, (50, 0), "the gift");
    let order = shop.order(&buyer, &money_only, "key-00001").await;
    assert_eq!(code(&shop.pay_points(&buyer, &order, "pay-00001").await), "NOT_FOR_POINTS");
    let other = shop.buyer("mallory").await;
    assert_eq!(code(&shop.pay_points(&other, &order, "pay-00001").await), "ORDER_NOT_FOUND");
    let query = "mutation { pointsGrant(input: { username: \"alice\", points: 5, reason: \"me\", idempotencyKey: \"grant-001\" }) \
                 { userErrors { code } } }";
    assert_eq!(shop.fault(Some(&buyer), query, json!({})).await, "FORBIDDEN");
    assert_eq!(shop.fault(None, query, json!({})).await, "UNAUTHENTICATED");
    for (points, key, expected) in [
        (0, "grant-001", "POINTS_INVALID"),
        (-5, "grant-001", "POINTS_INVALID"),
        (5, "short", "IDEMPOTENCY_KEY_INVALID"),
    ] {
        assert_eq!(code(&shop.grant("alice", points, key).await), expected);
    }
    assert_eq!(shop.points_of(&buyer).await, (50, 0));
    shop.points_audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_payments_and_cancellations_keep_points_consistent() {
    let shop = Shop::open_with("[points]\nwelcome = 1000").await;
    let sale = shop.points_sale().await;
    let names: Vec<String> = (0..8).map(|n| format!("buyer{n}")).collect();
    let buyers = join_all(names.iter().map(|name| shop.buyer(name))).await;
    let orders = join_all(buyers.iter().map(|buyer| shop.order(buyer, &sale, "key-00001"))).await;
    let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } userErrors { code } } }";
    let rounds = buyers.iter().zip(&orders).map(async |(buyer, order)| {
        let pays = join_all(["pay-00001", "pay-00001", "pay-00002"].map(|key| shop.pay_points(buyer, order, key)));
        let (pays, _) = tokio::join!(pays, shop.data(Some(buyer), cancel, json!({ "o": order })));
        let status = shop
            .data(Some(buyer), "query($o: ID!) { order(id: $o) { status payments { status } } }", json!({ "o": order }))
            .await;
        let paid = status["order"]["status"] == "PAID";
        let kept = status["order"]["payments"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|payment| payment["status"] == "SUCCEEDED")
            .count();
        assert_eq!(kept, usize::from(paid), "{status} {pays:?}");
        until("nothing is set aside", async || shop.points_of(buyer).await.1 == 0).await;
        assert_eq!(shop.points_of(buyer).await.0, if paid { 1000 - PRICE } else { 1000 }, "{status}");
    });
    join_all(rounds).await;
    shop.points_audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_points_payment_is_finished_automatically() {
    let settings = "[points]\nwelcome = 1000\n[tcc]\ndeadline = \"1s\"\nlease = \"500ms\"\npoll_every = \"100ms\"";
    let shop = Shop::open_with(settings).await;
    for (number, (point, paid)) in [
        ("after_begin", false),
        ("after_try", false),
        ("before_decide", false),
        ("after_decide", true),
        ("after_confirm", true),
    ]
    .into_iter()
    .enumerate()
    {
        let (sale, buyer) = (shop.points_sale().await, shop.buyer(&format!("buyer{number}")).await);
        let order = shop.order(&buyer, &sale, "key-00001").await;
        shop.app.tcc().fail_points().arm(point);
        tokio::select! {
            answer = shop.pay_points(&buyer, &order, "pay-00001") => panic!("{point} was not reached: {answer}"),
            () = shop.app.tcc().fail_points().reached() => {}
        }
        let mut status = Value::Null;
        // The recovery has several steps, and shows the payment's end last.
        until("ended", async || {
            let query = "query($o: ID!) { order(id: $o) { status payments { status } } }";
            status = shop.data(Some(&buyer), query, json!({ "o": order })).await;
            status["order"]["payments"][0]["status"] != "PENDING"
        })
        .await;
        shop.points_audit().await;
        let expected = if paid { ("PAID", "SUCCEEDED", 1000 - PRICE) } else { ("AWAITING_PAYMENT", "CLOSED", 1000) };
        assert_eq!(status["order"]["status"], expected.0, "{point}");
        assert_eq!(status["order"]["payments"][0]["status"], expected.1, "{point}");
        assert_eq!(shop.points_of(&buyer).await, (expected.2, 0), "{point}");
    }
}
