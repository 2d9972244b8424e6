//! The process ends at every step of paying, hearing, refunding and of the coordinator's Try, Confirm and Cancel, just before and just
//! after each commit and call, as SIGKILL would end it. It starts again, the client does what clients do, and all must end as if
//! nothing had happened: once.
//!
//! The table runs whole on the embedded profile and in short on the distributed one, where other cases
//! crash too; `DOORBUSTER_FAIL_POINTS=all` runs all on both.

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};

use super::till::{Attempt, POINTS, Profile, Setup, Till};
use crate::support::alipay::Sandbox;
use crate::support::until;

/// What the buyer does when the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Begins to pay at the cashier.
    Pay,
    /// Has paid at the cashier: the notification comes.
    Notify,
    /// Asks for the money back.
    Refund,
    /// Pays with points.
    PayPoints,
    /// Pays with more points than there are: the transaction is cancelled.
    PayTooManyPoints,
    /// Asks for points back.
    RefundPoints,
}

/// Where the process ends, what it was doing, and where it ends once more while it recovers.
struct Point {
    name: &'static str,
    act: Act,
    again: Option<&'static str>,
    /// Whether the distributed profile is tried in the short form too.
    everywhere: bool,
}

const fn at(name: &'static str, act: Act) -> Point {
    Point { name, act, again: None, everywhere: false }
}

const fn twice(name: &'static str, act: Act, again: &'static str) -> Point {
    Point { name, act, again: Some(again), everywhere: false }
}

const fn everywhere(name: &'static str, act: Act) -> Point {
    Point { name, act, again: None, everywhere: true }
}

const POINTS_OF_FAILURE: &[Point] = &[
    at("pay.before_commit", Act::Pay),
    at("pay.after_commit", Act::Pay),
    at("settle.before_commit", Act::Notify),
    at("settle.after_commit", Act::Notify),
    at("refund.before_commit", Act::Refund),
    at("refund.after_commit", Act::Refund),
    twice("refund.before_call", Act::Refund, "refund.after_call"),
    at("refund.after_call", Act::Refund),
    twice("refund.before_end", Act::Refund, "refund.before_end"),
    at("refund.after_end", Act::Refund),
    at("crash.before_begin", Act::PayPoints),
    everywhere("crash.after_begin", Act::PayPoints),
    twice("crash.after_begin", Act::PayPoints, "crash.before_cancel"),
    at("crash.before_try", Act::PayPoints),
    at("crash.after_try", Act::PayPoints),
    twice("crash.after_try", Act::PayPoints, "crash.after_cancel"),
    everywhere("crash.before_decide", Act::PayPoints),
    everywhere("crash.after_decide", Act::PayPoints),
    twice("crash.before_confirm", Act::PayPoints, "crash.after_confirm"),
    at("crash.after_confirm", Act::PayPoints),
    twice("crash.before_end", Act::PayPoints, "crash.after_claim"),
    at("crash.after_end", Act::PayPoints),
    at("crash.before_cancel", Act::PayTooManyPoints),
    at("crash.after_cancel", Act::PayTooManyPoints),
    at("crash.before_end", Act::PayTooManyPoints),
    twice("crash.refund_after_begin", Act::RefundPoints, "crash.before_cancel"),
    at("crash.refund_before_decide", Act::RefundPoints),
    twice("crash.refund_after_decide", Act::RefundPoints, "crash.before_confirm"),
];

/// Servers at once: each start costs a second of a processor.
const AT_ONCE: usize = 4;

async fn table(profile: Profile) {
    let all = profile == Profile::Embedded || std::env::var("DOORBUSTER_FAIL_POINTS").is_ok_and(|which| which == "all");
    let points = POINTS_OF_FAILURE.iter().filter(|point| all || point.everywhere);
    let sandbox = Sandbox::start_with(&["--speed", "2000"]);
    let done = stream::iter(points.map(|point| crash(profile, &sandbox, point))).buffer_unordered(AT_ONCE);
    let lines: Vec<String> = done.collect().await;
    println!("{}", lines.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_recover_from_a_crash_at_every_step_embedded() {
    table(Profile::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_recover_from_a_crash_at_every_step_distributed() {
    table(Profile::Distributed).await;
}

#[test]
fn the_table_has_every_fail_point_of_the_source() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut missing = Vec::new();
    for folder in ["orders", "tcc"] {
        for entry in std::fs::read_dir(source.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            for (call, prefix) in [("fail_point(\"", ""), (".pass(\"", "crash.")] {
                for rest in text.split(call).skip(1) {
                    let name = format!("{prefix}{}", rest.split('"').next().unwrap());
                    let known = POINTS_OF_FAILURE.iter().any(|point| point.name == name || point.again == Some(&name));
                    if !known {
                        missing.push(name);
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "fail points that nobody ends at: {missing:?}");
}

/// One row: up to the step, the end of the process, the start after it, and the end of the story.
async fn crash(profile: Profile, sandbox: &Sandbox, point: &Point) -> String {
    let begun = tokio::time::Instant::now();
    let story = Story::begin(profile, sandbox, point).await;
    let wish = story.wish(point.act);
    tokio::select! {
        _ = wish => story.till.until_dead(point.name).await,
        () = story.till.until_dead(point.name) => {}
    }
    if let Some(again) = point.again {
        story.till.restart_to_die(&[("DOORBUSTER_SABOTAGE", again)]).await;
        story.till.until_dead(again).await;
    }
    story.till.restart(&[]).await;
    story.end(point).await;
    story.till.audit_settled().await;
    let again = point.again.map(|again| format!(", then {again}")).unwrap_or_default();
    format!("{profile:?} {:?}: {}{again}: ok after {:?}", point.act, point.name, begun.elapsed())
}

/// An order and what is to become of it.
struct Story {
    till: Till,
    attempt: Attempt,
}

impl Story {
    async fn begin(profile: Profile, sandbox: &Sandbox, point: &Point) -> Self {
        let act = point.act;
        let welcome = if act == Act::PayTooManyPoints { "10" } else { "1000" };
        let setup = Setup {
            settings: &[("points.welcome", welcome)],
            // What leads to the act does not come to the point.
            environment: &[("DOORBUSTER_SABOTAGE", point.name)],
            gateway: Some(sandbox),
            ..Setup::default()
        };
        let till = Till::own(profile, setup).await;
        let attempt = match act {
            Act::Pay | Act::PayPoints | Act::PayTooManyPoints | Act::RefundPoints => till.unpaid().await,
            Act::Notify => till.attempt().await,
            Act::Refund => till.paid().await,
        };
        if act == Act::RefundPoints {
            let paid = till.pay(&attempt.buyer, &attempt.order, "POINTS", "pay-00001").await;
            assert_eq!(paid["order"]["status"], "PAID", "{paid}");
        }
        Self { till, attempt }
    }

    /// What the buyer sends; nobody may be there to answer.
    async fn wish(&self, act: Act) -> Result<Value, reqwest::Error> {
        let Attempt { buyer, order, number, page, .. } = &self.attempt;
        let pay = "mutation($o: ID!, $m: PaymentMethod!) { orderPay(input: { orderId: $o, method: $m, \
                   idempotencyKey: \"pay-00001\" }) { payment { id } redirectUrl userErrors { code } } }";
        let back = "mutation($o: ID!) { orderRefund(input: { orderId: $o, reason: \"too small\", \
                    idempotencyKey: \"back-00001\" }) { refund { id } userErrors { code } } }";
        let (query, method) = match act {
            Act::Notify => {
                self.till.sandbox.open_page(page).await;
                let _paid_before = self.till.sandbox.act(number, "pay").await;
                return Ok(Value::Null);
            }
            Act::Pay => (pay, "ALIPAY"),
            Act::PayPoints | Act::PayTooManyPoints => (pay, "POINTS"),
            Act::Refund | Act::RefundPoints => (back, ""),
        };
        let variables = if method.is_empty() { json!({ "o": order }) } else { json!({ "o": order, "m": method }) };
        let url = format!("http://{}/graphql", self.till.address());
        let body = json!({ "query": query, "variables": variables });
        self.till.http.post(url).bearer_auth(buyer).json(&body).send().await?.json().await
    }

    async fn points(&self) -> (i64, i64) {
        let query = "{ viewer { points { balance reserved } } }";
        let data = self.till.data(Some(&self.attempt.buyer), query, json!({})).await;
        let points = &data["viewer"]["points"];
        (points["balance"].as_i64().unwrap(), points["reserved"].as_i64().unwrap())
    }

    /// The buyer asks again with the same key until there is an end, and it is the right one.
    async fn end(&self, point: &Point) {
        let (till, attempt) = (&self.till, &self.attempt);
        let name = point.name;
        match point.act {
            Act::Pay => {
                let answer = self.wish(Act::Pay).await.unwrap()["data"]["orderPay"].clone();
                let attempt = super::till::attempt_in(&answer, attempt);
                till.pay_at_cashier(&attempt).await;
                till.until(&attempt, "PAID").await;
                assert_eq!(till.file(&attempt).await["payments"].as_array().unwrap().len(), 1, "{name}: one attempt");
            }
            Act::Notify => {
                till.until(attempt, "PAID").await;
                let record = till.record(attempt).await;
                assert_eq!(record["payment"]["status"], "SUCCEEDED", "{name}: {record}");
                assert_eq!(till.gateway_refunds(attempt).await, [], "{name}");
            }
            Act::Refund => {
                let answer = self.wish(Act::Refund).await.unwrap()["data"]["orderRefund"].clone();
                till.until(attempt, "REFUNDED").await;
                let number = super::till::refund_number(&answer);
                assert_eq!(till.gateway_refunds(attempt).await, [(number, 990)], "{name}: once");
            }
            Act::PayPoints => self.end_of_points(name).await,
            Act::PayTooManyPoints => {
                let answer = self.wish(point.act).await.unwrap()["data"]["orderPay"].clone();
                until("nothing is set aside", async || self.points().await == (10, 0)).await;
                assert_eq!(till.status(attempt).await, "AWAITING_PAYMENT", "{name}: {answer}");
            }
            Act::RefundPoints => {
                let _same = self.wish(point.act).await.unwrap();
                till.until(attempt, "REFUNDED").await;
                until("given back once", async || self.points().await == (1000, 0)).await;
            }
        }
    }

    /// The same key pays, or its answer says that it takes a new one, and then the first wish has taken nothing.
    async fn end_of_points(&self, name: &str) {
        let mut answer = Value::Null;
        // UNAVAILABLE would mean that the same is to be asked again.
        until("answered", async || {
            answer = self.wish(Act::PayPoints).await.unwrap()["data"]["orderPay"].clone();
            answer.is_object()
        })
        .await;
        if self.till.status(&self.attempt).await == "PAID" {
            assert_eq!(answer["userErrors"], json!([]), "{name}: {answer}");
        } else {
            assert_eq!(answer["userErrors"][0]["code"], "ATTEMPT_ENDED", "{name}: {answer}");
            until("nothing is set aside", async || self.points().await == (1000, 0)).await;
            let (buyer, order) = (&self.attempt.buyer, &self.attempt.order);
            let again = self.till.pay(buyer, order, "POINTS", "pay-00002").await;
            assert_eq!(again["order"]["status"], "PAID", "{name}: {again}");
        }
        until("paid once", async || self.points().await == (1000 - POINTS, 0)).await;
    }
}
