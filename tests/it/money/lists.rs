//! Lists of payments and refunds, for operators.

use doorbuster::kernel::{Clock, Timestamp};
use serde_json::{Value, json};

use super::till::{Attempt, Setup, Till, on_profiles};
use crate::conformance::store::on;
use crate::support::until;

on_profiles!(operators_page_through_payments_and_refunds, stuck_payments_are_paginated,);

const PAYMENTS: &str = "query($s: [PaymentStatus!], $m: [PaymentMethod!], $f: Boolean, $b: String, $from: DateTime, $until: DateTime, \
    $first: Int, $after: String, $last: Int, $before: String) { payments(statuses: $s, methods: $m, flagged: $f, buyer: $b, from: $from, \
    until: $until, first: $first, after: $after, last: $last, before: $before) { totalCount pageInfo { hasNextPage hasPreviousPage \
    startCursor endCursor } nodes { number flag buyer { username } payment { status method } } edges { cursor } } }";
const REFUNDS: &str = "query($s: [RefundStatus!], $c: [PaymentRefundCause!], $first: Int, $after: String) { refunds(statuses: $s, \
    causes: $c, first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor } nodes { number cause refund { status } } } }";

fn moment(seconds: i64) -> String {
    Timestamp::from_millis(Clock::system().now().as_millis() + seconds * 1_000).to_rfc3339()
}

async fn payments(till: &Till, variables: Value) -> Value {
    till.data(Some(&till.operator), PAYMENTS, variables).await["payments"].clone()
}

async fn refunds(till: &Till, variables: Value) -> Value {
    till.data(Some(&till.operator), REFUNDS, variables).await["refunds"].clone()
}

fn numbers(page: &Value) -> Vec<&str> {
    page["nodes"].as_array().unwrap().iter().map(|node| node["number"].as_str().unwrap()).collect()
}

/// The username of whom the attempt is.
async fn username(till: &Till, attempt: &Attempt) -> String {
    let data = till.data(Some(&attempt.buyer), "{ viewer { user { username } } }", json!({})).await;
    data["viewer"]["user"]["username"].as_str().unwrap().to_owned()
}

/// What operators did and looked at without a subject, the newest first.
async fn looks(till: &Till) -> Vec<String> {
    let db = till.database().await;
    let acts = on!(&db, read, |conn| sql::catalog::acts_on(conn, "", 100).await);
    acts.unwrap().into_iter().map(|(_, act, _)| act).collect()
}

async fn operators_page_through_payments_and_refunds(till: &Till) {
    let till = &Till::own(till.profile(), Setup::default()).await;
    let buyer = till.someone().await;
    for query in ["{ payments { totalCount } }", "{ refunds { totalCount } }"] {
        assert_eq!(till.fault(None, query, json!({})).await, "UNAUTHENTICATED", "{query}");
        assert_eq!(till.fault(Some(&buyer), query, json!({})).await, "FORBIDDEN", "{query}");
        let query = query.replace("s {", "s(after: \"x\") {");
        assert_eq!(till.fault(Some(&till.operator), &query, json!({})).await, "BAD_USER_INPUT", "{query}");
    }
    let (kept, back, open) = (till.paid().await, till.paid().await, till.attempt().await);
    till.refund(&back, "back-00001").await;
    till.until(&back, "REFUNDED").await;

    let all = payments(till, json!({})).await;
    assert_eq!(numbers(&all), [&open.number, &back.number, &kept.number], "the newest first: {all}");
    assert_eq!(all["totalCount"], 3);
    let first = payments(till, json!({ "first": 2 })).await;
    assert_eq!((numbers(&first), &first["pageInfo"]["hasNextPage"]), (vec![&*open.number, &back.number], &json!(true)));
    let rest = payments(till, json!({ "first": 2, "after": first["pageInfo"]["endCursor"] })).await;
    assert_eq!((numbers(&rest), &rest["pageInfo"]["hasNextPage"]), (vec![&*kept.number], &json!(false)));
    assert_eq!(rest["totalCount"], 3);
    let newer = payments(till, json!({ "last": 1, "before": rest["pageInfo"]["startCursor"] })).await;
    assert_eq!((numbers(&newer), &newer["pageInfo"]["hasPreviousPage"]), (vec![&*back.number], &json!(true)));

    let name = username(till, &kept).await;
    for (wanted, found) in [
        (json!({ "s": ["SUCCEEDED"] }), vec![&back.number, &kept.number]),
        (json!({ "s": ["PENDING", "SURPLUS"], "m": ["ALIPAY"] }), vec![&open.number]),
        (json!({ "m": ["POINTS"] }), vec![]),
        (json!({ "f": true }), vec![]),
        (json!({ "f": false, "s": ["PENDING"] }), vec![&open.number]),
        (json!({ "b": name }), vec![&kept.number]),
        (json!({ "b": format!(" {} ", name.to_uppercase()), "s": ["SUCCEEDED"], "f": false }), vec![&kept.number]),
        (json!({ "b": name, "s": ["PENDING"] }), vec![]),
        (json!({ "b": "nobody-of-this-name" }), vec![]),
        (json!({ "b": "no name at all" }), vec![]),
        (json!({ "from": moment(-3_600), "until": moment(3_600) }), vec![&open.number, &back.number, &kept.number]),
        (json!({ "from": moment(3_600) }), vec![]),
        (json!({ "until": moment(-3_600) }), vec![]),
    ] {
        let page = payments(till, wanted.clone()).await;
        assert_eq!(numbers(&page), found, "{wanted}: {page}");
        assert_eq!(page["totalCount"], found.len(), "{wanted}");
    }
    assert_eq!(payments(till, json!({ "b": name })).await["nodes"][0]["buyer"]["username"], json!(name));
    refunds_have_pages(till, &back).await;
    let looks = looks(till).await;
    let count = |act: &str| looks.iter().filter(|look| *look == act).count();
    assert!(count("payment.list") >= 17 && count("refund.list") >= 4, "{looks:?}");
}

/// The shop has one refund: of this attempt.
async fn refunds_have_pages(till: &Till, back: &Attempt) {
    let refund = till.file(back).await["refunds"][0]["number"].clone();
    for (wanted, found) in [
        (json!({}), json!([refund])),
        (json!({ "s": ["SUCCEEDED"], "c": ["BUYER", "OPERATOR"] }), json!([refund])),
        (json!({ "s": ["PENDING", "FAILED"] }), json!([])),
        (json!({ "c": ["SURPLUS"] }), json!([])),
    ] {
        let page = refunds(till, wanted.clone()).await;
        assert_eq!(
            (json!(numbers(&page)), &page["totalCount"]),
            (found.clone(), &json!(found.as_array().unwrap().len()))
        );
    }
    // A buyer reads the refund's number out.
    let query = "query($id: ID!) { paymentLookup(id: $id) { order { id } } }";
    let found = till.data(Some(&till.operator), query, json!({ "id": refund })).await;
    assert_eq!(found["paymentLookup"]["order"]["id"], back.order);
}

async fn stuck_payments_are_paginated(till: &Till) {
    let till = &Till::own(till.profile(), Setup::default()).await;
    let mut marked = Vec::new();
    for _ in 0..3 {
        let attempt = till.attempt().await;
        // Another amount than was asked for: nobody knows what to do with it but people.
        let notice = crate::support::alipay::signed(till.sandbox.notice(&attempt.number, "0.90"), &till.key());
        let _acknowledged = till.notify(&notice).await;
        until("set aside", async || till.record(&attempt).await["flag"] == "AMOUNT_MISMATCH").await;
        marked.push(attempt.number);
    }
    let query = "query($n: Int, $after: String) { stuckPayments(first: $n, after: $after) { payments { number } refunds { number } \
                 pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    let page = async |after: Value| {
        let found = till.data(Some(&till.operator), query, json!({ "n": 2, "after": after })).await;
        found["stuckPayments"].clone()
    };
    let first = page(Value::Null).await;
    let info = &first["pageInfo"];
    assert_eq!(first["payments"], json!([{ "number": marked[0] }, { "number": marked[1] }]), "the oldest first");
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
    let last = page(info["endCursor"].clone()).await;
    let info = &last["pageInfo"];
    assert_eq!(last["payments"], json!([{ "number": marked[2] }]));
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(false), &json!(true)));
    let end = page(info["endCursor"].clone()).await;
    assert_eq!(
        (&end["payments"], &end["refunds"], &end["pageInfo"]["endCursor"]),
        (&json!([]), &json!([]), &Value::Null)
    );
    for wrong in ["", "x", "AAAA"] {
        let asked = json!({ "n": 2, "after": wrong });
        assert_eq!(till.fault(Some(&till.operator), query, asked).await, "BAD_USER_INPUT", "{wrong:?}");
    }
}
