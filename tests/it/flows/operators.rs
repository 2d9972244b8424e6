//! What operators do over the API: everything wrong gets its code, all at once, and changes nothing; shoppers see a sale
//! only once it is published.

use serde_json::{Value, json};

use crate::support::{Shop, Terms};

/// The codes of a mutation's user errors, sorted, and whether its object is null.
async fn codes(shop: &Shop, mutation: &str, object: &str, input: Value) -> (Vec<String>, bool) {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!(
        "mutation($i: {kind}!) {{ {mutation}(input: $i) {{ {object} {{ id }} userErrors {{ code message field }} }} }}"
    );
    let data = shop.data(Some(&shop.operator), &query, json!({ "i": input })).await;
    let payload = &data[mutation];
    let errors = payload["userErrors"].as_array().unwrap();
    assert!(errors.iter().all(|error| !error["message"].as_str().unwrap().is_empty()), "{payload}");
    let mut codes: Vec<_> = errors.iter().map(|error| error["code"].as_str().unwrap().to_owned()).collect();
    codes.sort();
    (codes, payload[object].is_null())
}

/// Everything that shoppers and operators can see of the shop.
async fn picture(shop: &Shop) -> Value {
    let query = "{ saleSessions(first: 20) { nodes { id name startsAt endsAt sales(first: 10) { nodes { id status \
                 version price { amount } stockTotal stockRemaining limitPerBuyer product { name } } } } } }";
    shop.data(Some(&shop.operator), query, json!({})).await
}

/// `saleCreate` with one thing changed.
fn with(input: &Value, changes: Value) -> Value {
    let mut input = input.clone();
    input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    input
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_inputs_return_all_error_codes_and_change_nothing() {
    let shop = Shop::open().await;
    shop.sale(&Terms::default()).await;
    let operator = Some(shop.operator.as_str());
    let ids = "{ saleSessions(first: 1) { nodes { id sales(first: 1) { nodes { product { id } } } } } }";
    let session = shop.data(operator, ids, json!({})).await["saleSessions"]["nodes"][0].clone();
    let product = session["sales"]["nodes"][0]["product"]["id"].clone();
    let good = json!({ "sessionId": session["id"], "productId": product, "price": { "amount": "9.90" }, "stock": 5 });
    let (now, later) = ("2030-01-01T10:00:00Z", "2030-01-01T12:00:00Z");
    let before = picture(&shop).await;
    for (mutation, object, input, expected) in [
        ("saleSessionCreate", "session", json!({ "startsAt": later, "endsAt": now }), vec!["WINDOW_INVALID"]),
        ("saleSessionCreate", "session", json!({ "startsAt": now, "endsAt": now }), vec!["WINDOW_INVALID"]),
        (
            "saleSessionCreate",
            "session",
            json!({ "startsAt": now, "endsAt": "2031-01-01T10:00:00Z", "name": "x".repeat(201) }),
            vec!["NAME_INVALID", "WINDOW_TOO_LONG"],
        ),
        ("saleCreate", "sale", with(&good, json!({ "stock": 0 })), vec!["STOCK_INVALID"]),
        ("saleCreate", "sale", with(&good, json!({ "stock": 2_147_483_647 })), vec!["STOCK_INVALID"]),
        ("saleCreate", "sale", with(&good, json!({ "price": { "amount": "-1.00" } })), vec!["PRICE_OUT_OF_RANGE"]),
        ("saleCreate", "sale", with(&good, json!({ "price": { "amount": "0.00" } })), vec!["PRICE_OUT_OF_RANGE"]),
        ("saleCreate", "sale", with(&good, json!({ "price": { "amount": "1.001" } })), vec!["PRICE_SCALE_INVALID"]),
        ("saleCreate", "sale", with(&good, json!({ "price": { "amount": "ten" } })), vec!["PRICE_INVALID"]),
        ("saleCreate", "sale", with(&good, json!({ "sessionId": "nonsense" })), vec!["SESSION_NOT_FOUND"]),
        ("saleCreate", "sale", with(&good, json!({ "productId": session["id"] })), vec!["PRODUCT_NOT_FOUND"]),
        (
            "saleCreate",
            "sale",
            with(&good, json!({ "stock": -1, "limitPerBuyer": 0, "payWithinSeconds": 604_801, "pointsPrice": 0 })),
            vec!["LIMIT_PER_BUYER_INVALID", "PAY_WITHIN_INVALID", "POINTS_PRICE_INVALID", "STOCK_INVALID"],
        ),
        ("productCreate", "product", json!({ "name": "", "price": { "amount": "1.00" } }), vec!["NAME_INVALID"]),
        (
            "productCreate",
            "product",
            json!({ "name": "a\nb", "imageUrl": "ftp://x/y", "price": { "amount": "99999999999999999" } }),
            vec!["IMAGE_URL_INVALID", "NAME_INVALID", "PRICE_OUT_OF_RANGE"],
        ),
        ("productUpdate", "product", json!({ "productId": "product_none", "name": "x" }), vec!["PRODUCT_NOT_FOUND"]),
        ("productUpdate", "product", json!({ "productId": product, "version": 77 }), vec!["VERSION_CONFLICT"]),
    ] {
        assert_eq!(
            codes(&shop, mutation, object, input.clone()).await,
            (expected.iter().map(|code| (*code).to_owned()).collect(), true),
            "{mutation} {input}"
        );
    }
    // What no Int can hold, is none, or is no field at all never reaches the resolver.
    let query = "mutation($i: SaleCreateInput!) { saleCreate(input: $i) { sale { id } } }";
    for wrong in [json!({ "stock": 2_147_483_648_i64 }), json!({ "stock": "5" }), json!({ "x": 1 })] {
        let fault = shop.fault(operator, query, json!({ "i": with(&good, wrong.clone()) })).await;
        assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&fault.as_str()), "{wrong}: {fault}");
    }
    assert_eq!(picture(&shop).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_invalid_transition_of_a_sale_returns_its_error_code() {
    let shop = Shop::open().await;
    let (draft, live) = (shop.draft(&Terms::default()).await, shop.sale(&Terms::default()).await);
    let over = shop.draft(&Terms { starts: -7200, ends: -3600, ..Terms::default() }).await;
    let (paused, ended) = (shop.sale(&Terms::default()).await, shop.sale(&Terms::default()).await);
    assert_eq!(shop.act("pause", &paused).await, None);
    assert_eq!(shop.act("end", &ended).await, None);
    let refused = [
        (draft.as_str(), "pause", "SALE_NOT_PUBLISHED"),
        (&draft, "resume", "SALE_NOT_PUBLISHED"),
        (&live, "publish", "SALE_ALREADY_PUBLISHED"),
        (&live, "resume", "SALE_NOT_PAUSED"),
        (&over, "publish", "SESSION_ENDED"),
        (&paused, "pause", "SALE_ALREADY_PAUSED"),
        (&ended, "publish", "SALE_ENDED"),
        (&ended, "pause", "SALE_ENDED"),
        (&ended, "resume", "SALE_ENDED"),
        ("sale_nothing", "publish", "SALE_NOT_FOUND"),
        ("sale_nothing", "end", "SALE_NOT_FOUND"),
    ];
    let before = picture(&shop).await;
    for (sale, act, code) in refused {
        assert_eq!(shop.act(act, sale).await.as_deref(), Some(code), "{act} {sale}");
    }
    let update = codes(&shop, "saleUpdate", "sale", json!({ "saleId": live, "stock": 7 })).await;
    assert_eq!(update, (vec!["SALE_ALREADY_PUBLISHED".to_owned()], true));
    let stale = codes(&shop, "saleUpdate", "sale", json!({ "saleId": draft, "version": 9, "stock": 7 })).await;
    assert_eq!(stale, (vec!["VERSION_CONFLICT".to_owned()], true));
    for (units, key, code) in [
        (0, "add-00001", "UNITS_INVALID"),
        (10_000_000, "add-00001", "UNITS_INVALID"),
        (1, "short", "IDEMPOTENCY_KEY_INVALID"),
    ] {
        let input = json!({ "saleId": live, "units": units, "idempotencyKey": key });
        assert_eq!(codes(&shop, "saleStockAdd", "sale", input).await, (vec![code.to_owned()], true));
    }
    assert_eq!(picture(&shop).await, before);
    let add = |units: u32| json!({ "saleId": live, "units": units, "idempotencyKey": "add-00001" });
    for _ in 0..2 {
        assert_eq!(codes(&shop, "saleStockAdd", "sale", add(5)).await, (vec![], false));
        assert_eq!(shop.stock(&live).await, 15, "the same key adds once");
    }
    assert_eq!(codes(&shop, "saleStockAdd", "sale", add(6)).await.0, ["IDEMPOTENCY_KEY_REUSED"]);
    assert_eq!(shop.stock(&live).await, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_see_drafts() {
    let shop = Shop::open().await;
    let draft = shop.draft(&Terms::default()).await;
    let buyer = shop.buyer("alice").await;
    let query = "query($s: ID!) { sale(id: $s) { id } node(id: $s) { id } saleSessions(first: 9) { nodes { \
                 sales(first: 9) { totalCount nodes { id } } } } }";
    let shown = async |token: Option<&str>| shop.data(token, query, json!({ "s": draft })).await;
    for token in [None, Some(buyer.as_str())] {
        let seen = shown(token).await;
        assert_eq!((&seen["sale"], &seen["node"]), (&Value::Null, &Value::Null));
        assert!(!seen.to_string().contains(&draft), "{seen}");
    }
    assert_eq!(shown(Some(&shop.operator)).await["sale"]["id"], json!(draft));
    assert_eq!(shop.act("publish", &draft).await, None);
    for token in [None, Some(buyer.as_str())] {
        assert_eq!(shown(token).await["node"]["id"], json!(draft));
    }
}

/// Stops the shop, or lets it sell again; the answer.
async fn turn(shop: &Shop, name: &str, reason: &str) -> Value {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query =
        format!("mutation($i: {kind}!) {{ {name}(input: $i) {{ shop {{ status }} userErrors {{ code field }} }} }}");
    shop.data(Some(&shop.operator), &query, json!({ "i": { "reason": reason } })).await[name].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_shop_sells_nothing_and_orders_live_on() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("alice").await;
    let (sale, other) = (shop.sale(&Terms::default()).await, shop.sale(&Terms::default()).await);
    let ticket = shop.buy(&buyer, &sale, "key-before", 1).await.unwrap();
    let order = shop.decided(&buyer, &ticket).await["order"]["id"].clone();
    let status = "query($s: ID!) { shop { status statusSince } sale(id: $s) { status } }";

    let stopped = turn(&shop, "shopPause", "Wrong prices").await;
    assert_eq!(stopped, json!({ "shop": { "status": "PAUSED" }, "userErrors": [] }));
    let seen = shop.data(None, status, json!({ "s": other })).await;
    assert_eq!((&seen["shop"]["status"], &seen["sale"]["status"]), (&json!("PAUSED"), &json!("PAUSED")));
    assert_eq!(shop.buy(&buyer, &other, "key-during", 1).await, Err("SALE_PAUSED".into()));
    assert_eq!(shop.buy(&buyer, &sale, "key-before", 1).await, Ok(ticket), "the key keeps its ticket");
    let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } userErrors { code } } }";
    let cancelled = shop.data(Some(&buyer), cancel, json!({ "o": order })).await["orderCancel"].clone();
    assert_eq!(cancelled, json!({ "order": { "status": "CANCELLED" }, "userErrors": [] }), "orders live on");
    let again = turn(&shop, "shopPause", "Wrong prices").await;
    assert_eq!(again, json!({ "shop": null, "userErrors": [{ "code": "SHOP_ALREADY_PAUSED", "field": null }] }));

    assert_eq!(turn(&shop, "shopResume", "Prices are right").await["shop"]["status"], json!("OPEN"));
    let later = shop.data(None, status, json!({ "s": other })).await;
    assert!(later["shop"]["statusSince"].as_str() >= seen["shop"]["statusSince"].as_str());
    assert!(shop.buy(&buyer, &other, "key-during", 1).await.is_ok(), "the press that was refused may go again");
    let refused = turn(&shop, "shopResume", "\t").await["userErrors"].clone();
    assert_eq!(refused, json!([{ "code": "REASON_INVALID", "field": ["input", "reason"] }]));
    assert_eq!(turn(&shop, "shopResume", "Again").await["userErrors"][0]["code"], json!("SHOP_NOT_PAUSED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_mutations_require_the_operator_role() {
    let shop = Shop::open().await;
    let draft = shop.draft(&Terms::default()).await;
    let buyer = shop.buyer("alice").await;
    let before = picture(&shop).await;
    let s = json!({ "s": draft });
    let acts = [
        "mutation($s: ID!) { salePublish(input: { saleId: $s }) { sale { id } } }",
        "mutation($s: ID!) { salePause(input: { saleId: $s }) { sale { id } } }",
        "mutation($s: ID!) { saleResume(input: { saleId: $s }) { sale { id } } }",
        "mutation($s: ID!) { saleEnd(input: { saleId: $s }) { sale { id } } }",
        "mutation($s: ID!) { saleUpdate(input: { saleId: $s, stock: 7 }) { sale { id } } }",
        "mutation($s: ID!) { saleStockAdd(input: { saleId: $s, units: 1, idempotencyKey: \"add-00001\" }) { sale { id } } }",
        "mutation { shopPause(input: { reason: \"x\" }) { shop { name } } }",
        "mutation { shopResume(input: { reason: \"x\" }) { shop { name } } }",
        "mutation($s: ID!) { productUpdate(input: { productId: $s, name: \"x\" }) { product { id } } }",
        "mutation($s: ID!) { saleCreate(input: { sessionId: $s, productId: $s, price: { amount: \"1\" }, stock: 1 }) \
         { sale { id } } }",
    ];
    for act in acts {
        assert_eq!(shop.fault(Some(&buyer), act, s.clone()).await, "FORBIDDEN", "{act}");
        assert_eq!(shop.fault(None, act, s.clone()).await, "UNAUTHENTICATED", "{act}");
    }
    assert_eq!(picture(&shop).await, before);
}
