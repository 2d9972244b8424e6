//! The shop in numbers: what operators are shown adds up to what buyers were told, on one node and on three.

use std::collections::BTreeMap;
use std::time::Duration;

use doorbuster::demo::socket::{Event, Socket, payload};
use doorbuster::kernel::Timestamp;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::nodes::Cluster;
use crate::support::proxy::{Network, Proxy};
use crate::support::{PATIENCE, Shop, Terms, until};

const FRAME: &str = "subscription { it: shopPulse { at nodesHeard nodesRunning purchases { answer count } orderEvents { event \
                     count units } purchaseLatency { count p50Ms p99Ms maxMs } ticketsWaiting oldestTicketMs gateDrift \
                     sockets requestsRefused waitingForPeople alerts { code detail } sales { saleId tickets } } }";

const LAST: &str = "{ shopPulses(seconds: 900) { at nodesHeard nodesRunning purchases { answer count } orderEvents { event \
                    count units } purchaseLatency { count } decisionLatency { count } } }";

type Counts = BTreeMap<String, u64>;

/// The counts of these lists, added up by this name.
fn add(sums: &mut Counts, list: &Value, name: &str) {
    for entry in list.as_array().unwrap() {
        *sums.entry(entry[name].as_str().unwrap().to_owned()).or_default() += entry["count"].as_u64().unwrap();
    }
}

/// What the kept frames add up to: answers, and what became of orders.
async fn sums(shop: &Shop) -> (Counts, Counts) {
    let frames = shop.data(Some(&shop.operator), LAST, json!({})).await["shopPulses"].clone();
    let (mut answers, mut events) = (Counts::new(), Counts::new());
    for frame in frames.as_array().unwrap() {
        add(&mut answers, &frame["purchases"], "answer");
        add(&mut events, &frame["orderEvents"], "event");
    }
    (answers, events)
}

async fn watch(shop: &Shop, query: &str, variables: Value) -> Socket {
    let mut socket = Socket::open(shop.address(), &shop.operator, PATIENCE).await.unwrap();
    socket.subscribe_as(1, query, &variables).await.unwrap();
    socket
}

async fn next(socket: &mut Socket) -> Value {
    match timeout(PATIENCE, socket.next()).await.expect("nothing was pushed").unwrap() {
        Event::Next(_, raw) => payload(&raw).unwrap().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Buys through the nodes in turns, and counts what each is told.
async fn rush(shops: &[&Shop], sale: &str, buyers: &[String], rounds: usize) -> Counts {
    let mut told = Counts::new();
    for round in 0..rounds {
        let answers = join_all(buyers.iter().enumerate().map(|(number, buyer)| {
            let shop = shops[(number + round) % shops.len()];
            // One press in three comes again with its key, and some ask for nothing.
            let key = format!("key-{number:04}-{}", round / 2);
            let quantity = i64::from(!(number + round).is_multiple_of(7));
            async move { shop.buy(buyer, sale, &key, quantity).await }
        }));
        for answer in answers.await {
            *told.entry(answer.err().unwrap_or_else(|| "ticket".into())).or_default() += 1;
        }
    }
    told
}

/// Both kinds of acceptance are tickets to a buyer.
fn as_told(mut answers: Counts) -> Counts {
    let tickets = [answers.remove("ADMITTED"), answers.remove("REPLAYED")].into_iter().flatten().sum();
    answers.insert("ticket".into(), tickets);
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_add_up_to_what_buyers_were_told() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms { stock: 8, ..Terms::default() }).await;
    let later = shop.sale(&Terms { starts: 600, ..Terms::default() }).await;
    let mut socket = watch(&shop, FRAME, json!({})).await;
    let first = next(&mut socket).await;
    assert_eq!((&first["nodesHeard"], &first["nodesRunning"]), (&json!(1), &json!(1)));
    assert_eq!((&first["purchases"], &first["alerts"]), (&json!([]), &json!([])));

    let names: Vec<String> = (0..20).map(|n| format!("buyer{n}")).collect();
    let buyers = join_all(names.iter().map(|name| shop.buyer(name))).await;
    let mut told = rush(&[&shop], &sale, &buyers, 5).await;
    for _ in 0..3 {
        assert_eq!(shop.buy(&buyers[0], &later, "key-later", 1).await, Err("SALE_NOT_STARTED".into()));
    }
    assert_eq!(shop.buy(&buyers[0], &sale, "short", 1).await, Err("IDEMPOTENCY_KEY_INVALID".into()));
    let buy =
        "mutation { salePurchase(input: { saleId: \"sale_x\", idempotencyKey: \"key-nobody\" }) { ticket { id } } }";
    assert_eq!(shop.fault(None, buy, json!({})).await, "UNAUTHENTICATED");
    for (code, count) in [("SALE_NOT_STARTED", 3), ("IDEMPOTENCY_KEY_INVALID", 1), ("UNAUTHENTICATED", 1)] {
        *told.entry(code.into()).or_default() += count;
    }
    assert_eq!(told.values().sum::<u64>(), 105);

    // What was pushed is the same as what was kept, and both are what was told.
    let (mut pushed, mut created, mut timed) = (Counts::new(), 0, 0);
    let mut seconds = vec![first["at"].as_str().unwrap().to_owned()];
    while as_told(pushed.clone()) != told || created < 8 {
        let frame = next(&mut socket).await;
        add(&mut pushed, &frame["purchases"], "answer");
        created += frame["orderEvents"][0]["units"].as_u64().unwrap_or(0);
        timed += frame["purchaseLatency"]["count"].as_u64().unwrap();
        seconds.push(frame["at"].as_str().unwrap().to_owned());
        assert!(pushed.values().sum::<u64>() <= 105 && seconds.len() < 60, "{pushed:?}\n{told:?}");
    }
    assert!(seconds.is_sorted_by(|a, b| a < b), "{seconds:?}");
    assert_eq!((pushed["ADMITTED"], created), (8, 8));
    assert_eq!(timed, pushed["ADMITTED"] + pushed["REPLAYED"]);
    let (answers, events) = sums(&shop).await;
    assert_eq!((as_told(answers), events), (told, Counts::from([("CREATED".into(), 8)])));
    // One sale's own history, which is the same as in the frames of all.
    let numbers = "at all: sales { saleId tickets } one: sales(saleId: $s) { saleId tickets } none: sales(saleId: \"?\") { saleId }";
    let query = format!("query($s: ID!) {{ shopPulses(seconds: 900) {{ {numbers} }} }}");
    let frames = shop.data(Some(&shop.operator), &query, json!({ "s": sale })).await["shopPulses"].clone();
    let mut heard = 0;
    for frame in frames.as_array().unwrap() {
        let of_all: Vec<_> =
            frame["all"].as_array().unwrap().iter().filter(|one| one["saleId"] == sale.as_str()).collect();
        assert_eq!(frame["one"].as_array().unwrap().iter().collect::<Vec<_>>(), of_all);
        assert_eq!(frame["none"], json!([]));
        heard += of_all.len();
    }
    assert!(heard > 0, "{frames}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_in_numbers_follows_its_orders_and_their_money() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms { stock: 5, points_price: Some(10), ..Terms::default() }).await;
    let query = "subscription($s: ID!) { it: salePulse(saleId: $s) { saleId status unitsTotal unitsFree unitsFreeInGate \
                 unitsHeld unitsPaid tickets ticketsWaiting refusals { code count } purchases { answer count } revenue { \
                 amount currencyCode } } }";
    let mut socket = watch(&shop, query, json!({ "s": sale })).await;
    let becomes = async |socket: &mut Socket, wanted: Value| {
        let mut seen = Value::Null;
        let same = |seen: &Value| wanted.as_object().unwrap().iter().all(|(name, value)| seen[name] == *value);
        while !same(&seen) {
            let waiting = timeout(PATIENCE, next(socket)).await;
            seen = waiting.unwrap_or_else(|_| panic!("never {wanted}: {seen}"));
        }
    };
    // Sums are read in the first quiet moment.
    let empty = json!({ "unitsPaid": 0, "tickets": 0, "revenue": { "amount": "0.00", "currencyCode": "CNY" } });
    becomes(&mut socket, empty).await;
    let (alice, ben) = (shop.buyer("alice").await, shop.buyer("ben").await);
    let ticket = shop.buy(&alice, &sale, "key-00001", 1).await.unwrap();
    let order = shop.decided(&alice, &ticket).await["order"]["id"].clone();
    let other = shop.buy(&ben, &sale, "key-00001", 1).await.unwrap();
    shop.decided(&ben, &other).await;
    let held = json!({
        "status": "OPEN", "unitsTotal": 5, "unitsFree": 3, "unitsFreeInGate": 3, "unitsHeld": 2, "unitsPaid": 0,
        "tickets": 2, "ticketsWaiting": 0, "refusals": [], "purchases": [{ "answer": "ADMITTED", "count": 2 }],
    });
    becomes(&mut socket, held).await;

    let grant = "mutation { pointsGrant(input: { username: \"alice\", points: 50, reason: \"a test\", idempotencyKey: \
                 \"grant-0001\" }) { userErrors { code } } }";
    assert_eq!(shop.data(Some(&shop.operator), grant, json!({})).await["pointsGrant"]["userErrors"], json!([]));
    let pay = "mutation($o: ID!) { orderPay(input: { orderId: $o, method: POINTS, idempotencyKey: \"pay-00001\" }) { \
               userErrors { code } } }";
    assert_eq!(shop.data(Some(&alice), pay, json!({ "o": order })).await["orderPay"]["userErrors"], json!([]));
    // Points are no money.
    let paid = json!({ "unitsPaid": 1, "unitsHeld": 1, "revenue": { "amount": "0.00", "currencyCode": "CNY" } });
    becomes(&mut socket, paid).await;
    let missing = json!({ "s": "sale_AAAAAAAAAAAAAAAAAAAAAA" });
    socket.subscribe_as(2, query, &missing).await.unwrap();
    loop {
        match timeout(PATIENCE, socket.next()).await.unwrap().unwrap() {
            Event::Next(1, _) => {}
            Event::Next(2, raw) => break assert!(raw.get().contains("BAD_USER_INPUT"), "{raw}"),
            Event::Error(2, error) => break assert_eq!(error.extensions.code, "BAD_USER_INPUT"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_are_for_operators_and_for_so_many_at_once() {
    let shop = Shop::open_with("[hub]\npulses_max = 2").await;
    let buyer = shop.buyer("alice").await;
    let sale = shop.sale(&Terms::default()).await;
    let of_sale = format!("subscription {{ it: salePulse(saleId: \"{sale}\") {{ saleId }} }}");
    for (token, code) in [(None, "UNAUTHENTICATED"), (Some(buyer.as_str()), "FORBIDDEN")] {
        assert_eq!(shop.fault(token, LAST, json!({})).await, code);
        for query in [FRAME, &of_sale] {
            let url = format!("http://{}/graphql", shop.address());
            let mut request = reqwest::Client::new().post(url).header("accept", "text/event-stream");
            if let Some(token) = token {
                request = request.bearer_auth(token);
            }
            let answer = request.json(&json!({ "query": query })).send().await.unwrap().text().await.unwrap();
            assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{query}: {answer}");
            assert!(!answer.contains("\"data\":{"), "{query}: {answer}");
        }
    }
    // An operator who watches lets nobody else in.
    let mut watching = watch(&shop, FRAME, json!({})).await;
    next(&mut watching).await;
    let refusal = async |token: &str, number: u32, socket: Option<&mut Socket>| {
        let mut own = Socket::open(shop.address(), token, PATIENCE).await.unwrap();
        let socket = socket.unwrap_or(&mut own);
        socket.subscribe_as(number, FRAME, &json!({})).await.unwrap();
        loop {
            match timeout(PATIENCE, socket.next()).await.unwrap().unwrap() {
                Event::Error(seen, error) if seen == number => return error.extensions.code,
                Event::Next(seen, _) if seen == number => return String::new(),
                _ => {}
            }
        }
    };
    assert_eq!(refusal(&buyer, 1, None).await, "FORBIDDEN");
    let mut second = watch(&shop, &of_sale, json!({})).await;
    next(&mut second).await;
    assert_eq!(refusal(&shop.operator, 1, None).await, "RATE_LIMITED");
    assert_eq!(refusal(&shop.operator, 2, Some(&mut watching)).await, "RATE_LIMITED");
    drop(second);
    until("a place is free", async || refusal(&shop.operator, 1, None).await.is_empty()).await;
    for seconds in [0, 901, -1] {
        let query = format!("{{ shopPulses(seconds: {seconds}) {{ at }} }}");
        assert_eq!(shop.fault(Some(&shop.operator), &query, json!({})).await, "BAD_USER_INPUT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_of_three_nodes_add_up_to_what_buyers_were_told() {
    let cluster = Cluster::fresh("").await;
    let (one, two, three) = (cluster.node("one").await, cluster.node("two").await, cluster.node("three").await);
    let shops = [&one, &two, &three];
    let sale = one.sale(&Terms { stock: 25, ..Terms::default() }).await;
    let names: Vec<String> = (0..60).map(|n| format!("rush{n}")).collect();
    let buyers = join_all(names.iter().map(|name| one.buyer(name))).await;
    // Each node has heard of the sale and of the others, and its gate is open.
    let probe = one.buyer("probe").await;
    let mut told = Counts::new();
    for shop in shops {
        until("the sale is open everywhere", async || {
            let answer = shop.buy(&probe, &sale, "key-probe", 1).await;
            let open = answer.is_ok();
            *told.entry(answer.err().unwrap_or_else(|| "ticket".into())).or_default() += 1;
            open
        })
        .await;
    }
    let mut sockets = Vec::new();
    for shop in shops {
        let mut socket = watch(shop, FRAME, json!({})).await;
        while next(&mut socket).await["nodesHeard"] != 3 {}
        sockets.push(socket);
    }
    // `DOORBUSTER_RUSH`: how many purchases, at least.
    let wanted = std::env::var("DOORBUSTER_RUSH").map_or(240, |count| count.parse::<usize>().unwrap());
    for (answer, count) in rush(&shops, &sale, &buyers, wanted.div_ceil(buyers.len())).await {
        *told.entry(answer).or_default() += count;
    }
    println!("told: {told:?}");
    // Whoever is asked, it is the same.
    for shop in shops {
        let mut seen = (Counts::new(), Counts::new());
        until("all parts are heard", async || {
            seen = sums(shop).await;
            as_told(seen.0.clone()) == told && seen.1.get("CREATED") == Some(&25)
        })
        .await;
        assert_eq!(seen.0["ADMITTED"], 25, "{told:?}");
    }
    // A node that ends well is not missed.
    three.stop().await;
    let (socket, mut left) = (&mut sockets[0], false);
    while !left {
        let frame = timeout(Duration::from_secs(60), next(socket)).await.unwrap();
        left = frame["nodesRunning"] == 2 && frame["nodesHeard"] == 2;
    }
}

/// Nothing that is pushed comes from a query: without the database the frames go on, and say that it is away.
#[tokio::test(flavor = "multi_thread")]
async fn frames_go_on_while_the_database_is_away() {
    let cluster = Cluster::fresh("").await;
    let proxy = Proxy::before(&cluster.0.url()).await;
    let shop = cluster.node_on("one", &proxy.url()).await;
    let sale = shop.sale(&Terms::default()).await;
    let mut socket = watch(&shop, FRAME, json!({})).await;
    let mut of_sale =
        watch(&shop, "subscription($s: ID!) { it: salePulse(saleId: $s) { unitsFree } }", json!({ "s": sale })).await;
    assert_eq!(next(&mut of_sale).await["unitsFree"], 10);
    next(&mut socket).await;
    proxy.set(Network::Cut);
    let (mut seconds, mut told) = (Vec::new(), false);
    while !told || seconds.len() < 5 {
        let frame = next(&mut socket).await;
        assert_eq!((&frame["nodesHeard"], &frame["nodesRunning"]), (&json!(1), &json!(1)), "{frame}");
        let alerts = frame["alerts"].as_array().unwrap();
        let away = |alert: &Value| alert["detail"].as_str().unwrap().contains("database");
        told |= alerts.iter().any(away);
        seconds.push(Timestamp::parse_rfc3339(frame["at"].as_str().unwrap()).unwrap().as_millis() / 1_000);
    }
    assert!(seconds.windows(2).all(|pair| pair[1] > pair[0]), "{seconds:?}");
    proxy.set(Network::Fine);
}
