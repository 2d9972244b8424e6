//! What the shop's own pages need: the shop as a whole, days, exact moments, one's own orders as they change, one's own sign-ins.

use doorbuster::demo::socket::{Event, Socket};
use doorbuster::kernel::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::{Front, PATIENCE, Shop, Terms, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_query_returns_the_settings_that_pages_need() {
    let query = "{ shop { name timeZone paymentMethods signUpOpen welcomePoints supportUrl status } }";
    let shop = Shop::open().await;
    let plain = json!({ "name": "Doorbuster", "timeZone": "Asia/Shanghai", "paymentMethods": ["POINTS"],
        "signUpOpen": true, "welcomePoints": 0, "supportUrl": null, "status": "OPEN" });
    assert_eq!(shop.data(None, query, json!({})).await["shop"], plain);
    let set = "sign_up_open = false\n[shop]\nname = \"灯笼店\"\nsupport_url = \"mailto:help@shop.example\"\n\
               [sales]\ntime_zone = \"Europe/Berlin\"\n[points]\nwelcome = 120";
    let shop = Shop::open_with(set).await;
    let own = json!({ "name": "灯笼店", "timeZone": "Europe/Berlin", "paymentMethods": ["POINTS"],
        "signUpOpen": false, "welcomePoints": 120, "supportUrl": "mailto:help@shop.example", "status": "OPEN" });
    assert_eq!(shop.data(None, query, json!({})).await["shop"], own);
    let sign_up = "mutation { userSignUp(input: { username: \"alice\", password: \"password123\", displayName: \"A\" }) \
                   { user { id } userErrors { code field } } }";
    let refused = shop.data(None, sign_up, json!({})).await["userSignUp"].clone();
    assert_eq!(refused, json!({ "user": null, "userErrors": [{ "code": "SIGN_UP_CLOSED", "field": null }] }));
    assert!(!shop.sign_in("operator").await.is_empty(), "who has an account can still sign in");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_several_days_come_in_one_list() {
    let shop = Shop::open_with("[sales]\ntime_zone = \"UTC\"").await;
    let create =
        "mutation($a: DateTime!) { saleSessionCreate(input: { startsAt: $a }) { session { id } userErrors { code } } }";
    for day in ["2031-03-01", "2031-03-02", "2031-03-04"] {
        let made = shop.data(Some(&shop.operator), create, json!({ "a": format!("{day}T10:00:00Z") })).await;
        assert_eq!(made["saleSessionCreate"]["userErrors"], json!([]));
    }
    let query = "query($on: Date, $until: Date) { saleSessions(on: $on, until: $until) { nodes { startsAt } } }";
    let days = async |on: &str, until: Option<&str>| {
        let data = shop.data(None, query, json!({ "on": on, "until": until })).await;
        let nodes = data["saleSessions"]["nodes"].as_array().unwrap().clone();
        nodes.iter().map(|node| node["startsAt"].as_str().unwrap()[8..10].to_owned()).collect::<Vec<_>>()
    };
    until("listed", async || days("2031-03-04", None).await == ["04"]).await;
    assert_eq!(days("2031-03-01", None).await, ["01"]);
    assert_eq!(days("2031-03-01", Some("2031-03-01")).await, ["01"]);
    assert_eq!(days("2031-03-01", Some("2031-03-02")).await, ["01", "02"]);
    assert_eq!(days("2031-03-01", Some("2031-04-01")).await, ["01", "02", "04"]);
    for wrong in ["2031-02-28", "2031-04-02", "9999-12-31"] {
        let variables = json!({ "on": "2031-03-01", "until": wrong });
        assert_eq!(shop.fault(None, query, variables).await, "BAD_USER_INPUT", "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_before_the_opening_returns_the_exact_retry_time() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms { starts: 90, ..Terms::default() }).await;
    let buyer = shop.buyer("alice").await;
    let starts = shop.data(None, "query($s: ID!) { sale(id: $s) { startsAt } }", json!({ "s": sale })).await;
    // The shortcut answers the first form, the executor the second.
    for payload in [
        "{ ticket { id } userErrors { code retryAt retryAfterSeconds } }",
        "{ ticket { sale { id } } userErrors { code retryAt retryAfterSeconds } }",
    ] {
        let query = format!("mutation($i: SalePurchaseInput!) {{ salePurchase(input: $i) {payload} }}");
        let input = json!({ "i": { "saleId": sale, "idempotencyKey": "key-00001" } });
        let answer = shop.data(Some(&buyer), &query, input).await["salePurchase"]["userErrors"][0].clone();
        assert_eq!((&answer["code"], &answer["retryAt"]), (&json!("SALE_NOT_STARTED"), &starts["sale"]["startsAt"]));
        assert!((80..=90).contains(&answer["retryAfterSeconds"].as_i64().unwrap()), "{answer}");
    }
    let unknown = "mutation($i: SalePurchaseInput!) { salePurchase(input: $i) { userErrors { code retryAt } } }";
    let input = json!({ "i": { "saleId": "sale_x", "idempotencyKey": "key-00001" } });
    let answer = shop.data(Some(&buyer), unknown, input).await["salePurchase"]["userErrors"][0].clone();
    assert_eq!(answer, json!({ "code": "SALE_NOT_FOUND", "retryAt": null }));
}

/// The next pushed order, as it was asked for.
async fn pushed(socket: &mut Socket) -> Value {
    match timeout(PATIENCE, socket.next()).await.expect("nothing was pushed").unwrap() {
        Event::Next(_, raw) => serde_json::from_str::<Value>(raw.get()).unwrap()["data"]["viewerOrderUpdated"].clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_subscription_covers_all_orders_of_the_viewer() {
    let shop = Shop::open().await;
    let (lamp, kettle) = (shop.sale(&Terms::default()).await, shop.sale(&Terms::default()).await);
    let (alice, bob) = (shop.buyer("alice").await, shop.buyer("bob").await);
    let mut socket = Socket::open(shop.address(), &alice, PATIENCE).await.unwrap();
    socket.subscribe_as(1, "subscription { viewerOrderUpdated { id status version } }", &json!({})).await.unwrap();
    // Nothing says that a subscription has begun: an answer to what was asked for after it does.
    socket.subscribe_as(2, "{ viewer { orders { totalCount } } }", &json!({})).await.unwrap();
    while !matches!(timeout(PATIENCE, socket.next()).await.unwrap().unwrap(), Event::Complete(2)) {}
    let foreign = order(&shop, &bob, &lamp, "key-00001").await;
    let first = order(&shop, &alice, &lamp, "key-00001").await;
    let second = order(&shop, &alice, &kettle, "key-00002").await;
    assert_eq!(pushed(&mut socket).await, json!({ "id": first, "status": "AWAITING_PAYMENT", "version": 2 }));
    assert_eq!(pushed(&mut socket).await, json!({ "id": second, "status": "AWAITING_PAYMENT", "version": 2 }));
    let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { userErrors { code } } }";
    shop.data(Some(&bob), cancel, json!({ "o": foreign })).await;
    shop.data(Some(&alice), cancel, json!({ "o": first })).await;
    assert_eq!(pushed(&mut socket).await, json!({ "id": first, "status": "CANCELLED", "version": 3 }));
}

async fn order(shop: &Shop, buyer: &str, sale: &str, key: &str) -> Value {
    let ticket = shop.buy(buyer, sale, key, 1).await.unwrap();
    shop.decided(buyer, &ticket).await["order"]["id"].clone()
}

const CHANGE: &str = "mutation($c: String!, $n: String!) { userPasswordChange(input: { currentPassword: $c, newPassword: $n }) \
                      { user { username } userErrors { code field } } }";

async fn change(front: &Front, token: &str, current: &str, new: &str) -> Value {
    front.data(Some(token), CHANGE, json!({ "c": current, "n": new })).await["userPasswordChange"].clone()
}

/// Whether the token still signs somebody in.
async fn works(front: &Front, token: &str) -> bool {
    front.ask(Some(token), "{ viewer { user { id } } }", json!({})).await["data"]["viewer"].is_object()
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_password_revokes_all_other_tokens() {
    let shop = Shop::open().await;
    let first = shop.buyer("alice").await;
    let (second, bob) = (shop.sign_in("alice").await, shop.buyer("bob").await);
    for (current, new, code, field) in [
        ("password124", "another horse", "INVALID_CREDENTIALS", "currentPassword"),
        ("password123", "short", "PASSWORD_TOO_SHORT", "newPassword"),
        ("password123", &"x".repeat(129), "PASSWORD_TOO_LONG", "newPassword"),
    ] {
        let refused = change(&shop, &first, current, new).await;
        let expected = json!({ "user": null, "userErrors": [{ "code": code, "field": ["input", field] }] });
        assert_eq!(refused, expected);
    }
    assert!(works(&shop, &second).await, "nothing has changed");
    let changed = change(&shop, &first, "password123", "another horse").await;
    assert_eq!(changed, json!({ "user": { "username": "alice" }, "userErrors": [] }));
    assert!(works(&shop, &first).await && works(&shop, &bob).await);
    assert!(!works(&shop, &second).await, "another device is signed out");
    let sign_in =
        "mutation($p: String!) { userSignIn(input: { username: \"alice\", password: $p }) { userErrors { code } } }";
    for (password, errors) in
        [("password123", json!([{ "code": "INVALID_CREDENTIALS" }])), ("another horse", json!([]))]
    {
        let answer = shop.data(None, sign_in, json!({ "p": password })).await;
        assert_eq!(answer["userSignIn"]["userErrors"], errors, "{password}");
    }
    assert_eq!(shop.fault(None, CHANGE, json!({ "c": "a", "n": "b" })).await, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_revokes_all_tokens() {
    let shop = Shop::open().await;
    let (first, bob) = (shop.buyer("alice").await, shop.buyer("bob").await);
    let second = shop.sign_in("alice").await;
    let everywhere = "mutation { userSignOutEverywhere { user { username } ended userErrors { code } } }";
    let out = shop.data(Some(&first), everywhere, json!({})).await["userSignOutEverywhere"].clone();
    assert_eq!(out, json!({ "user": { "username": "alice" }, "ended": 2, "userErrors": [] }));
    assert!(!works(&shop, &first).await && !works(&shop, &second).await && works(&shop, &bob).await);
    assert_eq!(shop.fault(None, everywhere, json!({})).await, "UNAUTHENTICATED");
    assert!(works(&shop, &shop.sign_in("alice").await).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_viewer_shows_when_the_token_expires() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("alice").await;
    let data = shop.data(Some(&buyer), "{ serverTime viewer { signedInUntil } }", json!({})).await;
    let moment = |value: &Value| Timestamp::parse_rfc3339(value.as_str().unwrap()).unwrap();
    let left = moment(&data["viewer"]["signedInUntil"]).since(moment(&data["serverTime"]));
    assert!((7 * 86_400 - 60..=7 * 86_400).contains(&left.as_secs()), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_of_a_sale_is_told_once_it_is_over_and_adds_up() {
    let shop = Shop::open().await;
    let terms = Terms { stock: 3, points_price: Some(10), ..Terms::default() };
    let (sale, other) = (shop.sale(&terms).await, shop.sale(&Terms::default()).await);
    let numbers = "tickets orders unitsTotal unitsSold unitsRefunded unitsUnpaid unitsUnsold settled";
    let query = format!("query($s: ID!) {{ sale(id: $s) {{ outcome {{ {numbers} }} }} }}");
    let outcome = async || shop.data(None, &query, json!({ "s": sale })).await["sale"]["outcome"].clone();
    let mut orders = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        let buyer = shop.buyer(name).await;
        let Ok(ticket) = shop.buy(&buyer, &sale, "key-00001", 1).await else { continue };
        orders.push((buyer.clone(), shop.decided(&buyer, &ticket).await["order"]["id"].clone()));
    }
    assert_eq!(orders.len(), 3, "the fourth was refused without a ticket");
    let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { userErrors { code } } }";
    assert_eq!(
        shop.data(Some(&orders[0].0), cancel, json!({ "o": orders[0].1 })).await["orderCancel"]["userErrors"],
        json!([])
    );
    assert_eq!(outcome().await, Value::Null, "it is not over");
    assert_eq!(shop.act("end", &sale).await, None);
    until("counted", async || outcome().await["unitsUnpaid"] == 2).await;
    let wanted = json!({ "tickets": 3, "orders": 3, "unitsTotal": 3, "unitsSold": 0, "unitsRefunded": 0,
        "unitsUnpaid": 2, "unitsUnsold": 1, "settled": false });
    assert_eq!(outcome().await, wanted);

    let (payer, order) = &orders[1];
    let user = shop.data(Some(payer), "{ viewer { user { id } } }", json!({})).await["viewer"]["user"]["id"].clone();
    let grant = "mutation($i: PointsGrantInput!) { pointsGrant(input: $i) { userErrors { code } } }";
    let input = json!({ "userId": user, "points": 10, "reason": "test", "idempotencyKey": "grant-0001" });
    assert_eq!(
        shop.data(Some(&shop.operator), grant, json!({ "i": input })).await["pointsGrant"]["userErrors"],
        json!([])
    );
    let pay = "mutation($i: OrderPayInput!) { orderPay(input: $i) { userErrors { code } } }";
    let input = json!({ "orderId": order, "method": "POINTS", "idempotencyKey": "pay-000001" });
    assert_eq!(shop.data(Some(payer), pay, json!({ "i": input })).await["orderPay"]["userErrors"], json!([]));
    shop.data(Some(&orders[2].0), cancel, json!({ "o": orders[2].1 })).await;
    let wanted = json!({ "tickets": 3, "orders": 3, "unitsTotal": 3, "unitsSold": 1, "unitsRefunded": 0,
        "unitsUnpaid": 0, "unitsUnsold": 2, "settled": true });
    until("settled", async || outcome().await == wanted).await;
    let open = shop.data(None, &query, json!({ "s": other })).await;
    assert_eq!(open["sale"]["outcome"], Value::Null);
}
