//! Points, keys of requests, the books, events, the shop's keys, and crowds.

use std::process::Stdio;
use std::time::Duration;

use doorbuster::demo::socket::{Event, Socket, payload};
use doorbuster::gateway::alipay::{Settings, SigningKey};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::till::{FORM, POINTS, Setup, Till, code, on_profiles};
use crate::support::alipay::signed;
use crate::support::{PATIENCE, until};

on_profiles!(
    case_38_points_are_paid_and_given_back_by_try_confirm_cancel,
    case_39_a_key_has_one_answer,
    case_40_the_audit_finds_the_books_right_while_the_shop_runs,
    case_42_what_is_committed_is_announced_after_a_crash,
    case_44_keys_in_any_dress_and_none_in_any_log,
    case_45_a_storm_of_notifications_with_forgeries,
);

async fn points_of(till: &Till, buyer: &str) -> (i64, i64) {
    let data = till.data(Some(buyer), "{ viewer { points { balance reserved } } }", json!({})).await;
    let points = &data["viewer"]["points"];
    (points["balance"].as_i64().unwrap(), points["reserved"].as_i64().unwrap())
}

async fn case_38_points_are_paid_and_given_back_by_try_confirm_cancel(till: &Till) {
    let buyer = till.someone().await;
    let order = till.ordered(&buyer, till.sale()).await;
    let paid = till.pay(&buyer, &order, "POINTS", "pay-00001").await;
    assert_eq!((&paid["order"]["status"], &paid["payment"]["status"]), (&json!("PAID"), &json!("SUCCEEDED")), "{paid}");
    assert_eq!(points_of(till, &buyer).await, (1000 - POINTS, 0));
    let back = till.refund_as(&buyer, &order, "back-00001").await;
    assert_eq!(back["userErrors"], json!([]), "{back}");
    until("given back", async || points_of(till, &buyer).await == (1000, 0)).await;
    // Payments and a cancellation at the same moment: paid once, or not at all.
    let rounds = (0..6).map(async |_| {
        let buyer = till.someone().await;
        let order = till.ordered(&buyer, till.sale()).await;
        let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } } }";
        let keys = ["pay-00001", "pay-00001", "pay-00002"];
        let pays = join_all(keys.map(|key| till.pay(&buyer, &order, "POINTS", key)));
        let _ = tokio::join!(pays, till.data(Some(&buyer), cancel, json!({ "o": order })));
        until("nothing is set aside", async || points_of(till, &buyer).await.1 == 0).await;
        let query = "query($o: ID!) { order(id: $o) { status payments { status } } }";
        let found = till.data(Some(&buyer), query, json!({ "o": order })).await["order"].clone();
        let kept = found["payments"].as_array().unwrap().iter().filter(|one| one["status"] == "SUCCEEDED").count();
        assert_eq!(kept, usize::from(found["status"] == "PAID"), "{found}");
        assert_eq!(points_of(till, &buyer).await.0, 1000 - POINTS * kept as i64, "{found}");
    });
    join_all(rounds).await;
}

async fn case_39_a_key_has_one_answer(till: &Till) {
    let buyer = till.someone().await;
    let order = till.ordered(&buyer, till.sale()).await;
    let answers = join_all((0..8).map(|_| till.pay(&buyer, &order, "ALIPAY", "pay-00001"))).await;
    assert!(answers[0]["redirectUrl"].is_string() && answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(till.pay(&buyer, &order, "ALIPAY", "pay-00001").await, answers[0], "later too");
    assert_eq!(code(&till.pay(&buyer, &order, "POINTS", "pay-00001").await), "IDEMPOTENCY_KEY_REUSED");
    let query = "mutation($o: ID!) { orderPay(input: { orderId: $o, method: ALIPAY, idempotencyKey: \"pay-00001\", \
                 returnUrl: \"/elsewhere\" }) { userErrors { code } } }";
    let other = till.data(Some(&buyer), query, json!({ "o": order })).await["orderPay"].clone();
    assert_eq!(code(&other), "IDEMPOTENCY_KEY_REUSED");
    let payments = "query($o: ID!) { order(id: $o) { payments { id } } }";
    let found = till.data(Some(&buyer), payments, json!({ "o": order })).await["order"]["payments"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    let stranger = till.someone().await;
    assert_eq!(
        code(&till.pay(&stranger, &order, "ALIPAY", "pay-00001").await),
        "ORDER_NOT_FOUND",
        "keys are one's own"
    );
}

async fn case_40_the_audit_finds_the_books_right_while_the_shop_runs(till: &Till) {
    // Each test here ends with the same; this one is the command as operators run it.
    let mut command = till.launch().command();
    command.args(["payments", "audit", "--json"]).stderr(Stdio::null());
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert!(done.status.success(), "{report}");
    let looked_at: Vec<_> =
        report["invariants"].as_array().unwrap().iter().map(|one| one["invariant"].clone()).collect();
    assert_eq!(looked_at, (1..=12).map(|number| json!(number)).collect::<Vec<_>>(), "{report}");
}

async fn case_42_what_is_committed_is_announced_after_a_crash(till: &Till) {
    let crash = Setup {
        environment: &[("DOORBUSTER_SABOTAGE", "settle.after_commit")],
        sandbox: &["--speed", "2000"],
        ..Setup::default()
    };
    let own = Till::own(till.profile(), crash).await;
    let attempt = own.attempt().await;
    let version = own.file(&attempt).await["order"]["version"].as_i64().unwrap();
    own.pay_at_cashier(&attempt).await;
    own.until_dead("settle.after_commit").await;
    own.restart(&[]).await;
    own.until(&attempt, "PAID").await;
    // Whoever follows the order hears of it, each version once, though the event and the notification come again.
    let mut socket = Socket::open(own.address(), &attempt.buyer, PATIENCE).await.unwrap();
    let follow = "subscription($id: ID!) { it: orderUpdated(id: $id) { status version } }";
    socket.subscribe_as(1, follow, &json!({ "id": attempt.order })).await.unwrap();
    let mut heard = Vec::new();
    let heard_of = "the order's end was announced";
    own.refund(&attempt, "back-00001").await;
    while heard.last().is_none_or(|(status, _): &(Value, i64)| status != "REFUNDED") {
        match timeout(PATIENCE, socket.next()).await.expect(heard_of).unwrap() {
            Event::Next(_, raw) => {
                let seen: Value = payload(&raw).unwrap().unwrap();
                heard.push((seen["status"].clone(), seen["version"].as_i64().unwrap()));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(heard.iter().all(|(_, seen)| *seen > version), "{heard:?}");
    assert!(heard.is_sorted_by(|one, next| one.1 < next.1), "{heard:?}");
    own.audit_settled().await;
}

fn chunks(key: &str) -> Vec<String> {
    let lines = key.lines().filter(|line| !line.starts_with(['-', '#']) && line.len() >= 40);
    lines.map(|line| line[..40].to_owned()).collect()
}

/// One line of base64, or the PEM with other line ends: what people paste.
fn dresses(pem: &str) -> [String; 3] {
    let start = pem.find("-----BEGIN").unwrap();
    let lines = pem[start..].lines().filter(|line| !line.starts_with('-')).collect::<String>();
    [pem.to_owned(), lines, pem[start..].replace('\n', "\r\n")]
}

fn openssl(arguments: &[&str]) -> String {
    let made = std::process::Command::new("openssl").args(arguments).stderr(Stdio::null()).output().unwrap();
    assert!(made.status.success(), "openssl {arguments:?}");
    String::from_utf8(made.stdout).unwrap()
}

async fn case_44_keys_in_any_dress_and_none_in_any_log(till: &Till) {
    let read = |name: &str| std::fs::read_to_string(till.sandbox.key_file(name)).unwrap();
    let file = till.sandbox.key_file("app_private");
    let (private, public) = (read("app_private"), read("alipay_public"));
    let old = openssl(&["rsa", "-traditional", "-in", file.to_str().unwrap()]);
    let said = |name: &str| till.sandbox.info[name].as_str().unwrap().to_owned();
    let open = |url: &str, private: &str, public: &str| {
        let (app_id, seller_id) = (said("alipay_app_id"), said("alipay_seller_id"));
        let settings = Settings {
            gateway_url: url,
            app_id: &app_id,
            seller_id: &seller_id,
            private_key: private,
            public_keys: public,
            public_url: "https://shop.example",
            timeout: Duration::from_secs(1),
            refuse_after: Duration::from_secs(10),
        };
        settings.open(doorbuster::kernel::Clock::system()).map(drop).map_err(|error| error.to_string())
    };
    let gateway = said("alipay_url");
    for key in dresses(&private).iter().chain(&dresses(&old)) {
        for other in &dresses(&public) {
            assert_eq!(open(&gateway, key, other), Ok(()));
        }
    }
    let short = openssl(&["genrsa", "1024"]);
    for (what, refused) in [
        ("1024 bits", open(&gateway, &short, &public)),
        ("the wrong public key", open(&gateway, &private, &read("app_public"))),
        ("sandbox keys for production", open("https://openapi.alipay.com/gateway.do", &private, &public)),
    ] {
        let told = refused.expect_err(what);
        assert!(chunks(&private).iter().chain(&chunks(&short)).all(|chunk| !told.contains(chunk)), "{what}: {told}");
    }
    refuses_to_start(till).await;
    quiet(till, &private).await;
}

/// The server itself does not start with the application's own public key in place of the gateway's.
async fn refuses_to_start(till: &Till) {
    let mut launch = till.launch().clone();
    launch.address = doorbuster::demo::server::free_address().unwrap();
    let public = till.sandbox.key_file("app_public").display().to_string();
    let launch = launch.set("payments.alipay_public_key_file", &public);
    let mut command = launch.command();
    command.arg("serve").stdin(Stdio::null());
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(!done.status.success());
    let told = String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout);
    assert!(told.contains("key"), "{told}");
    let secret = std::fs::read_to_string(till.sandbox.key_file("app_private")).unwrap();
    assert!(chunks(&secret).iter().all(|chunk| !told.contains(chunk)));
}

/// Whatever went wrong so far, here and in the other tests, neither the log nor an answer shows a key, a signature or a whole buyer's id.
async fn quiet(till: &Till, private: &str) {
    let attempt = till.paid().await;
    for kind in ["unsigned", "wrong_key_answer", "answer_lost", "error_response", "html"] {
        till.sandbox.fault_of(&attempt.number, kind, Some("alipay.trade.refund"), Some(1)).await;
    }
    till.refund(&attempt, "back-00001").await;
    till.until(&attempt, "REFUNDED").await;
    let other = till.attempt().await;
    let mut said = String::new();
    for notice in [
        signed(till.sandbox.notice(&other.number, "9.90"), &SigningKey::generate().unwrap()),
        till.changed(&other, "app_id", "2021000000000009"),
        till.changed(&other, "total_amount", "0.01"),
        till.changed(&other, "out_trade_no", "nothing-of-ours"),
    ] {
        said += &till.post(FORM, notice.encode(|_| true)).await.1;
    }
    let file = till.file(&attempt).await.to_string() + &till.file(&other).await.to_string();
    let log = till.log();
    assert!(log.contains("rejected a message from the gateway") && log.contains("DEBUG"), "it tells what it can");
    for (what, text) in [("log", &log), ("answers", &said), ("operators' files", &file)] {
        for secret in chunks(private).iter().map(String::as_str).chain(["2088000000000002"]) {
            assert!(!text.contains(secret), "{what}: {secret}");
        }
        // A signature is 344 characters of base64, or more with its escapes.
        let long =
            text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=%".contains(c)).max_by_key(|word| word.len());
        assert!(long.is_none_or(|word| word.len() < 300), "{what} has something as long as a signature: {long:?}");
    }
}

async fn case_45_a_storm_of_notifications_with_forgeries(till: &Till) {
    let (orders, messages) = (12, 360);
    let attempts = join_all((0..orders).map(|_| till.attempt())).await;
    let stranger = SigningKey::generate().unwrap();
    let (lines, refused) = (till.log().lines().count(), till.metric(&["notification", "bad_signature"]).await);
    let bodies: Vec<_> = (0..messages)
        .map(|number| {
            let attempt = &attempts[number % orders];
            let forged = number % 10 == 7;
            // Many changes, and of each some copies.
            let mut notice = till.sandbox.notice(&attempt.number, "9.90");
            notice.set("notify_id", format!("storm-{}-{}", attempt.number, number / (2 * orders)));
            let key = if forged { &stranger } else { &till.key() };
            (forged, signed(notice, key).encode(|_| true))
        })
        .collect();
    let begun = tokio::time::Instant::now();
    // As the gateway does: what is not acknowledged comes again, eight times in all.
    let send = async |(forged, body): &(bool, String)| {
        let (mut good, mut slowest) = (false, Duration::ZERO);
        for _ in 0..8 {
            let sent = tokio::time::Instant::now();
            good = till.notify_text(body).await;
            slowest = slowest.max(sent.elapsed());
            if good || *forged {
                break;
            }
        }
        (*forged, good, slowest)
    };
    let answers: Vec<_> = stream::iter(bodies.iter().map(send)).buffer_unordered(32).collect().await;
    let (took, slowest) = (begun.elapsed(), answers.iter().map(|(.., took)| *took).max().unwrap());
    println!("{messages} notifications in {took:?}, the slowest {slowest:?}");
    assert!(answers.iter().all(|(forged, good, _)| forged != good), "each genuine one is acknowledged, and no other");
    assert!(slowest < Duration::from_secs(5), "later than the gateway waits");
    for attempt in &attempts {
        let file = till.file(attempt).await;
        assert_eq!(
            (&file["order"]["status"], &file["payments"][0]["payment"]["status"]),
            (&json!("PAID"), &json!("SUCCEEDED"))
        );
        let ends =
            file["payments"][0]["log"].as_array().unwrap().iter().filter(|line| line["event"] == "settled").count();
        assert_eq!(ends, 1, "{file}");
    }
    assert!(till.metric(&["notification", "bad_signature"]).await >= refused + f64::from(messages as u32 / 10));
    let log = till.log();
    let told = log
        .lines()
        .skip(lines)
        .filter(|line| line.contains("rejected a message from the gateway") && !line.contains("DEBUG"));
    assert_eq!(told.count(), 0, "forged messages are counted, and told only to who debugs");
}
