//! What operators list and search over the API, and that nobody else can.

use serde_json::{Value, json};

use crate::support::{Shop, Terms, until};

/// Root fields of operators, each with the least that it takes.
const FIELDS: [&str; 14] = [
    "{ products { totalCount nodes { id } } }",
    "{ orders { totalCount nodes { id } } }",
    "{ users { totalCount nodes { id } } }",
    "{ auditEntries { totalCount nodes { id } } }",
    "{ signInAttempts { totalCount nodes { at } } }",
    "{ failures { totalCount nodes { id } } }",
    "{ serverNodes { name } }",
    "{ jobs { name } }",
    "{ queues { topic } }",
    "{ settings { key value } }",
    "{ setting(key: \"orders.sweep_every\") { value } }",
    "{ settingChanges { totalCount nodes { revision } } }",
    "{ saleReport(saleId: \"sale_x\") { asOf digest lines { name } checks { code } } }",
    "{ booksAudit { ok at invariants { number title breaches } } }",
];

async fn ask(shop: &Shop, query: &str, variables: Value) -> Value {
    shop.data(Some(&shop.operator), query, variables).await
}

/// A field of the nodes of a connection.
fn all<'a>(connection: &'a Value, field: &str) -> Vec<&'a str> {
    connection["nodes"].as_array().unwrap().iter().map(|node| node[field].as_str().unwrap()).collect()
}

async fn entries(shop: &Shop, filter: Value) -> Value {
    let query = "query($f: AuditFilterInput) { auditEntries(filter: $f, first: 100) { totalCount nodes { id at act \
                 subject detail reason operator { username } } } }";
    ask(shop, query, json!({ "f": filter })).await["auditEntries"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_of_the_whole_shop_require_the_operator_role() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("alice").await;
    let before = entries(&shop, json!({})).await;
    for field in FIELDS {
        assert_eq!(shop.fault(None, field, json!({})).await, "UNAUTHENTICATED", "{field}");
        assert_eq!(shop.fault(Some(&buyer), field, json!({})).await, "FORBIDDEN", "{field}");
        let answer = shop.ask(Some(&buyer), field, json!({})).await;
        assert!(answer["data"].is_null(), "{answer}");
    }
    assert_eq!(entries(&shop, json!({})).await, before, "nobody has looked");
    for field in FIELDS {
        assert!(shop.ask(Some(&shop.operator), field, json!({})).await.get("errors").is_none(), "{field}");
    }
    let seen = entries(&shop, json!({})).await;
    let mut looks = all(&seen, "act");
    looks.sort_unstable();
    assert_eq!(looks, ["order.list", "sign_in.list", "user.list"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_entries_are_filtered_by_operator_action_subject_and_time() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms::default()).await;
    assert_eq!(shop.act("pause", &sale).await, None);
    assert_eq!(shop.act("resume", &sale).await, None);
    let everything = entries(&shop, json!({})).await;
    let acts = all(&everything, "act");
    let expected = ["sale.resume", "sale.pause", "sale.publish", "sale.create", "product.create", "session.create"];
    // What happened in one millisecond may stand either way.
    let sorted = |mut acts: Vec<&str>| {
        acts.sort_unstable();
        acts.join(" ")
    };
    assert_eq!(sorted(acts.clone()), sorted(expected.to_vec()));
    assert_eq!(everything["totalCount"], 6);
    let first = &everything["nodes"][0];
    assert_eq!((&first["operator"]["username"], &first["subject"]), (&json!("operator"), &json!(sale)));
    let found = async |filter: Value| {
        let found = entries(&shop, filter).await;
        assert_eq!(found["totalCount"].as_u64().unwrap() as usize, found["nodes"].as_array().unwrap().len());
        sorted(all(&found, "act"))
    };
    let of_sale = "sale.create sale.pause sale.publish sale.resume";
    assert_eq!(found(json!({ "act": "sale." })).await, of_sale);
    assert_eq!(found(json!({ "act": "sale.p" })).await, "sale.pause sale.publish");
    assert_eq!(found(json!({ "act": "sale.pause" })).await, "sale.pause");
    assert_eq!(found(json!({ "act": "SALE" })).await, "");
    assert_eq!(found(json!({ "subject": sale })).await, of_sale);
    assert_eq!(found(json!({ "subject": sale, "act": "product." })).await, "");
    assert_eq!(found(json!({ "operator": " Operator ", "act": "session" })).await, "session.create");
    assert_eq!(found(json!({ "operator": "nobody" })).await, "");
    assert_eq!(found(json!({ "until": everything["nodes"][5]["at"] })).await, "");
    assert_eq!(found(json!({ "from": "2099-01-01T00:00:00Z" })).await, "");

    // Pages of one merged list are whole, from both ends.
    let query = "query($n: Int, $a: String, $l: Int, $b: String) { auditEntries(filter: { act: \"sale.\" }, first: $n, \
                 after: $a, last: $l, before: $b) { pageInfo { startCursor endCursor hasNextPage hasPreviousPage } nodes { id } } }";
    let whole = all(&entries(&shop, json!({ "act": "sale." })).await, "id").join(" ");
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    let (mut after, mut before) = (Value::Null, Value::Null);
    for _ in 0..2 {
        let page = ask(&shop, query, json!({ "n": 2, "a": after })).await["auditEntries"].clone();
        forward.extend(all(&page, "id").into_iter().map(str::to_owned));
        after = page["pageInfo"]["endCursor"].clone();
        let page = ask(&shop, query, json!({ "l": 2, "b": before })).await["auditEntries"].clone();
        backward.splice(0..0, all(&page, "id").into_iter().map(str::to_owned));
        before = page["pageInfo"]["startCursor"].clone();
    }
    assert_eq!((forward.join(" "), backward.join(" ")), (whole.clone(), whole));

    let entry = "query($i: ID!) { node(id: $i) { ... on AuditEntry { act subjectNode { __typename id } } } }";
    let variables = json!({ "i": first["id"] });
    let shown = ask(&shop, entry, variables.clone()).await["node"].clone();
    assert_eq!(shown["subjectNode"], json!({ "__typename": "Sale", "id": sale }));
    let buyer = shop.buyer("alice").await;
    assert!(shop.data(Some(&buyer), entry, variables).await["node"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn products_are_found_by_any_part_of_their_name_or_title() {
    let shop = Shop::open().await;
    let create = "mutation($n: String!, $t: String) { productCreate(input: { name: $n, title: $t, price: { amount: \
                  \"1.00\" } }) { product { id } userErrors { code } } }";
    for (name, title) in [
        ("Lamp 灯", Some("Light")),
        ("100% wool", None),
        ("100 wool", None),
        ("a_b", Some("back\\slash")),
        ("aXb", None),
    ] {
        ask(&shop, create, json!({ "n": name, "t": title })).await;
    }
    let query = "query($s: String) { products(search: $s, first: 10) { totalCount nodes { name } } }";
    let found = async |search: &str| {
        let found = ask(&shop, query, json!({ "s": search })).await["products"].clone();
        assert_eq!(found["totalCount"].as_u64().unwrap() as usize, found["nodes"].as_array().unwrap().len());
        all(&found, "name").join(", ")
    };
    assert_eq!(found("").await, "100 wool, 100% wool, Lamp 灯, aXb, a_b");
    assert_eq!(found(" LIGHT ").await, "Lamp 灯");
    assert_eq!(found("灯").await, "Lamp 灯");
    assert_eq!(found("WOOL").await, "100 wool, 100% wool");
    assert_eq!(found("100%").await, "100% wool");
    assert_eq!(found("a_b").await, "a_b");
    assert_eq!(found("k\\s").await, "a_b");
    assert_eq!(found("%").await, "100% wool");
    assert_eq!(found("'; DROP TABLE products; --").await, "");
    let page = "query($n: Int, $a: String, $l: Int, $b: String) { products(first: $n, after: $a, last: $l, before: $b) { \
                pageInfo { startCursor endCursor hasNextPage hasPreviousPage } nodes { name } } }";
    let first = ask(&shop, page, json!({ "n": 2 })).await["products"].clone();
    let rest = ask(&shop, page, json!({ "n": 5, "a": first["pageInfo"]["endCursor"] })).await["products"].clone();
    assert_eq!(
        (all(&first, "name").join(", "), all(&rest, "name").join(", ")),
        ("100 wool, 100% wool".into(), "Lamp 灯, aXb, a_b".into())
    );
    assert_eq!((&first["pageInfo"]["hasNextPage"], &rest["pageInfo"]["hasNextPage"]), (&json!(true), &json!(false)));
    let last = ask(&shop, page, json!({ "l": 2 })).await["products"].clone();
    let before = ask(&shop, page, json!({ "l": 2, "b": last["pageInfo"]["startCursor"] })).await["products"].clone();
    assert_eq!(
        (all(&before, "name").join(", "), all(&last, "name").join(", ")),
        ("100% wool, Lamp 灯".into(), "aXb, a_b".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_found_by_number_buyer_sale_and_state() {
    let shop = Shop::open().await;
    let (one, two) = (shop.sale(&Terms::default()).await, shop.sale(&Terms::default()).await);
    let mut numbers = Vec::new();
    for (name, sale) in [("ann", &one), ("anna", &one), ("bob", &one), ("anna-2", &two)] {
        let buyer = shop.buyer(name).await;
        let ticket = shop.buy(&buyer, sale, "a-key-of-this", 1).await.unwrap();
        numbers.push(shop.decided(&buyer, &ticket).await["order"]["number"].as_str().unwrap().to_owned());
    }
    let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } userErrors { code } } }";
    let bob = shop.sign_in("bob").await;
    let own = "{ viewer { orders { nodes { id buyer { id } } } user { orders { totalCount } points { balance } } } }";
    let seen = shop.data(Some(&bob), own, json!({})).await["viewer"].clone();
    assert_eq!(seen["user"], json!({ "orders": null, "points": null }), "shoppers have them elsewhere");
    assert_eq!(seen["orders"]["nodes"][0]["buyer"], Value::Null);
    shop.data(Some(&bob), cancel, json!({ "o": seen["orders"]["nodes"][0]["id"] })).await;

    let query = "query($f: OrderFilterInput) { orders(filter: $f, first: 10) { totalCount nodes { number buyer { username \
                 orders { totalCount } points { balance } } } } }";
    let found = async |filter: Value| {
        let found = ask(&shop, query, json!({ "f": filter })).await["orders"].clone();
        assert_eq!(found["totalCount"].as_u64().unwrap() as usize, found["nodes"].as_array().unwrap().len());
        let buyers =
            found["nodes"].as_array().unwrap().iter().map(|order| order["buyer"]["username"].as_str().unwrap());
        buyers.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let number = |of: usize| numbers[of].as_str();
    let of_epoch = number(0).rsplit_once('-').unwrap().0;
    let of_sale = of_epoch.split_once('-').unwrap().0;
    assert_eq!(found(json!({})).await, "anna-2 bob anna ann");
    assert_eq!(found(json!({ "number": number(1) })).await, "anna");
    assert_eq!(found(json!({ "number": of_sale })).await, "bob anna ann");
    assert_eq!(found(json!({ "number": format!("{of_epoch}-00000") })).await, "bob anna ann");
    assert_eq!(found(json!({ "number": of_epoch, "saleId": two })).await, "");
    assert_eq!(found(json!({ "number": "99999999999999999999-1-1" })).await, "");
    assert_eq!(found(json!({ "number": "%%%%" })).await, "");
    assert_eq!(found(json!({ "buyer": "ANN" })).await, "anna-2 anna ann");
    assert_eq!(found(json!({ "buyer": "anna", "saleId": one })).await, "anna");
    assert_eq!(found(json!({ "buyer": "an%" })).await, "");
    assert_eq!(found(json!({ "saleId": one })).await, "bob anna ann");
    assert_eq!(found(json!({ "saleId": "nonsense" })).await, "");
    assert_eq!(found(json!({ "statuses": ["CANCELLED"] })).await, "bob");
    let statuses = json!(["CANCELLED", "AWAITING_PAYMENT", "CANCELLED"]);
    assert_eq!(found(json!({ "statuses": statuses, "saleId": one })).await, "bob anna ann");
    assert_eq!(found(json!({ "statuses": [] })).await, "");
    assert_eq!(found(json!({ "from": "2099-01-01T00:00:00Z" })).await, "");

    for (filter, code) in [
        (json!({ "number": "100" }), "BAD_USER_INPUT"),
        (json!({ "buyer": "an" }), "BAD_USER_INPUT"),
        (json!({ "buyer": "a\u{0}b" }), "BAD_USER_INPUT"),
        (json!({ "number": "1".repeat(201) }), "BAD_USER_INPUT"),
    ] {
        assert_eq!(shop.fault(Some(&shop.operator), query, json!({ "f": filter })).await, code, "{filter}");
    }
    let page = "query($a: String, $f: OrderFilterInput) { orders(filter: $f, first: 2, after: $a) { pageInfo { endCursor \
                hasNextPage } nodes { number } } }";
    for filter in [json!(null), json!({ "saleId": one }), json!({ "number": of_sale, "buyer": "ann" })] {
        let first = ask(&shop, page, json!({ "f": filter })).await["orders"].clone();
        let rest =
            ask(&shop, page, json!({ "f": filter, "a": first["pageInfo"]["endCursor"] })).await["orders"].clone();
        let mut walked = all(&first, "number");
        walked.extend(all(&rest, "number"));
        let whole = ask(&shop, query, json!({ "f": filter })).await["orders"].clone();
        assert_eq!(walked, all(&whole, "number"), "{filter}");
    }
    let looks = entries(&shop, json!({ "act": "order.list" })).await;
    assert!(looks["nodes"].as_array().unwrap().iter().any(|look| look["detail"].as_str().unwrap().contains("anna")));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_found_by_username_name_and_role() {
    let shop = Shop::open().await;
    for name in ["bob", "bobby", "carol"] {
        shop.buyer(name).await;
    }
    let query = "query($s: String, $r: [UserRole!]) { users(search: $s, roles: $r, first: 10) { totalCount nodes { \
                 username role displayName } } }";
    let found = async |search: &str, roles: Value| {
        let found = ask(&shop, query, json!({ "s": search, "r": roles })).await["users"].clone();
        assert_eq!(found["totalCount"].as_u64().unwrap() as usize, found["nodes"].as_array().unwrap().len());
        all(&found, "username").join(" ")
    };
    assert_eq!(found("", Value::Null).await, "bob bobby carol operator");
    assert_eq!(found("BOB", Value::Null).await, "bob bobby");
    assert_eq!(found("buyer", Value::Null).await, "bob bobby carol", "the name that they show");
    assert_eq!(found("operator", Value::Null).await, "operator", "once, though both are so");
    assert_eq!(found("", json!(["OPERATOR"])).await, "operator");
    assert_eq!(found("bob", json!(["OPERATOR"])).await, "");
    assert_eq!(found("", json!([])).await, "");
    assert_eq!(found("b_b", Value::Null).await, "");
    let page =
        "query($a: String) { users(first: 3, after: $a) { pageInfo { endCursor hasNextPage } nodes { username } } }";
    let first = ask(&shop, page, json!({})).await["users"].clone();
    assert_eq!(all(&first, "username").join(" "), "bob bobby carol");
    let rest = ask(&shop, page, json!({ "a": first["pageInfo"]["endCursor"] })).await["users"].clone();
    assert_eq!((all(&rest, "username"), &rest["pageInfo"]["hasNextPage"]), (vec!["operator"], &json!(false)));
    for wrong in [json!({ "a": "nonsense" }), json!({ "a": "" })] {
        assert_eq!(shop.fault(Some(&shop.operator), page, wrong).await, "BAD_USER_INPUT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_attempts_are_listed() {
    let shop = Shop::open().await;
    shop.buyer("alice").await;
    let wrong =
        "mutation { userSignIn(input: { username: \"Alice\", password: \"a wrong one\" }) { userErrors { code } } }";
    shop.data(None, wrong, json!({})).await;
    let query = "query($u: String) { signInAttempts(username: $u, first: 10) { totalCount nodes { username outcome address \
                 user { username } } } }";
    let mut found = Value::Null;
    until("both are in the log", async || {
        found = ask(&shop, query, json!({ "u": "ALICE" })).await["signInAttempts"].clone();
        found["totalCount"] == 2
    })
    .await;
    assert_eq!(all(&found, "outcome"), ["INVALID_CREDENTIALS", "SIGNED_UP"]);
    assert_eq!(all(&found, "address"), ["127.0.0.1", "127.0.0.1"]);
    assert_eq!(found["nodes"][0]["user"]["username"], "alice");
    let everybody = ask(&shop, query, json!({})).await["signInAttempts"].clone();
    assert!(all(&everybody, "username").contains(&"operator"), "{everybody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_its_jobs_its_queues_and_its_settings_are_shown() {
    let shop = Shop::open_with("[log]\nfilter = \"warn\"\n").await;
    let query = "{ serverNodes { name roles address version startedAt seenAt readiness { ready checks { name ready reason } } \
                 memoryBytes sockets } jobs { name holder token } queues { topic partitions waiting shares { partition waiting } } }";
    let mut found = Value::Null;
    until("the node has said that it runs", async || {
        found = ask(&shop, query, json!({})).await;
        found["serverNodes"][0]["readiness"]["ready"] == true
    })
    .await;
    let node = &found["serverNodes"][0];
    assert_eq!(node["roles"], json!(["api", "writer", "relay", "timeouts", "jobs"]));
    assert!(node["readiness"]["checks"].as_array().unwrap().iter().any(|check| check["name"] == "database"), "{node}");
    assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
    let jobs = found["jobs"].as_array().unwrap();
    assert!(
        jobs.iter().any(|job| job["name"] == "sweep") && jobs.iter().all(|job| job["holder"] == node["name"]),
        "{jobs:?}"
    );
    let queues: Vec<_> = found["queues"].as_array().unwrap().iter().map(|queue| queue["topic"].clone()).collect();
    assert_eq!(queues, ["order-requests", "payment-timeouts", "login-events", "gate-changes"]);

    let books =
        ask(&shop, "{ booksAudit { ok invariants { number breaches } } }", json!({})).await["booksAudit"].clone();
    let invariants = books["invariants"].as_array().unwrap();
    assert!(invariants.len() == 12 && invariants.iter().all(|one| one["breaches"] == json!([])), "{books}");
    assert_eq!(books["ok"], true);

    let query = "query($s: String) { settings(search: $s) { key value default source description hot } }";
    let settings = ask(&shop, query, json!({ "s": "store." })).await["settings"].clone();
    let settings = settings.as_array().unwrap();
    assert!(
        settings.len() > 5 && settings.iter().all(|setting| setting["key"].as_str().unwrap().starts_with("store."))
    );
    let level = ask(&shop, query, json!({ "s": "LOG.FILTER" })).await["settings"][0].clone();
    assert_eq!((&level["value"], &level["hot"]), (&json!("\"warn\""), &json!(true)));
    assert_ne!(level["source"], "default");
}
