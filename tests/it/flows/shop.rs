//! The shop as its users meet it: what works, and that whatever is wrong gets its typed answer and changes nothing.

use doorbuster::kernel::TicketId;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Shop, Terms, until};

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_purchases_sell_exactly_the_stock() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms { stock: 7, ..Terms::default() }).await;
    let names: Vec<String> = (0..40).map(|n| format!("rush{n}")).collect();
    let buyers = join_all(names.iter().map(|name| shop.buyer(name))).await;
    let answers = join_all(buyers.iter().map(|buyer| shop.buy(buyer, &sale, "rush-key-1", 1))).await;
    let winners: Vec<_> = buyers.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).collect();
    assert_eq!(winners.len(), 7);
    assert!(answers.iter().filter(|answer| answer.is_err()).all(|answer| *answer == Err("SOLD_OUT".into())));
    for (buyer, ticket) in winners {
        let decided = shop.decided(buyer, ticket.as_ref().unwrap()).await;
        assert_eq!(
            (&decided["status"], &decided["order"]["status"]),
            (&json!("CONFIRMED"), &json!("AWAITING_PAYMENT"))
        );
        assert_eq!(shop.buy(buyer, &sale, "rush-key-1", 1).await.as_ref(), ticket.as_ref(), "the key finds its ticket");
        assert_eq!(shop.buy(buyer, &sale, "rush-key-2", 1).await, Err("ALREADY_BOUGHT".into()));
    }
    until("sold out", async || shop.stock(&sale).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_purchases_return_error_codes_and_change_nothing() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms { stock: 5, limit: 2, ..Terms::default() }).await;
    let other = shop.sale(&Terms::default()).await;
    let draft = shop.draft(&Terms::default()).await;
    let early = shop.sale(&Terms { starts: 600, ..Terms::default() }).await;
    let paused = shop.sale(&Terms::default()).await;
    assert_eq!(shop.act("pause", &paused).await, None);
    let ended = shop.sale(&Terms::default()).await;
    assert_eq!(shop.act("end", &ended).await, None);
    let buyer = shop.buyer("alice").await;
    let session = sale.replace("sale_", "session_");
    let long = "k".repeat(65);
    for (sale, key, quantity, code) in [
        (sale.as_str(), "key-00001", 0, "QUANTITY_INVALID"),
        (&sale, "key-00001", -1, "QUANTITY_INVALID"),
        (&sale, "key-00001", 3, "QUANTITY_INVALID"),
        (&sale, "key-00001", 2_147_483_647, "QUANTITY_INVALID"),
        (&sale, "short", 1, "IDEMPOTENCY_KEY_INVALID"),
        (&sale, "", 1, "IDEMPOTENCY_KEY_INVALID"),
        (&sale, long.as_str(), 1, "IDEMPOTENCY_KEY_INVALID"),
        (&sale, "key with spaces", 1, "IDEMPOTENCY_KEY_INVALID"),
        ("", "key-00001", 1, "SALE_NOT_FOUND"),
        ("nonsense", "key-00001", 1, "SALE_NOT_FOUND"),
        (&session, "key-00001", 1, "SALE_NOT_FOUND"),
        ("sale_AAAAAAAAAAAAAAAAAAAAAA", "key-00001", 1, "SALE_NOT_FOUND"),
        (&draft, "key-00001", 1, "SALE_NOT_FOUND"),
        (&early, "key-00001", 1, "SALE_NOT_STARTED"),
        (&paused, "key-00001", 1, "SALE_PAUSED"),
        (&ended, "key-00001", 1, "SALE_ENDED"),
    ] {
        assert_eq!(shop.buy(&buyer, sale, key, quantity).await, Err(code.into()), "{sale} {key} {quantity}");
    }
    let ticket = shop.buy(&buyer, &sale, "key-00001", 2).await.unwrap();
    assert_eq!(shop.buy(&buyer, &sale, "key-00001", 1).await, Err("IDEMPOTENCY_KEY_REUSED".into()));
    assert_eq!(shop.buy(&buyer, &other, "key-00001", 1).await, Err("IDEMPOTENCY_KEY_REUSED".into()));
    shop.decided(&buyer, &ticket).await;
    until("counted", async || shop.stock(&sale).await == 3).await;
    assert_eq!(shop.stock(&other).await, 10);
    let query = "mutation($q: Int!) { salePurchase(input: { saleId: \"x\", quantity: $q, \
                 idempotencyKey: \"key-00001\" }) { ticket { id } } }";
    let fault = shop.fault(Some(&buyer), query, json!({ "q": 2_147_483_648_i64 })).await;
    assert!(["BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"].contains(&fault.as_str()), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_returns_its_ticket_in_any_state_of_the_sale() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms { stock: 1, ..Terms::default() }).await;
    let buyer = shop.buyer("alice").await;
    let ticket = shop.buy(&buyer, &sale, "key-00001", 1).await;
    assert_eq!(shop.buy(&buyer, &sale, "key-00001", 1).await, ticket, "sold out");
    assert_eq!(shop.act("pause", &sale).await, None);
    assert_eq!(shop.buy(&buyer, &sale, "key-00001", 1).await, ticket, "paused");
    let order = shop.decided(&buyer, ticket.as_ref().unwrap()).await["order"]["id"].clone();
    let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } userErrors { code } } }";
    let cancelled = shop.data(Some(&buyer), cancel, json!({ "o": order })).await;
    assert_eq!(cancelled["orderCancel"]["order"]["status"], "CANCELLED");
    assert_eq!(shop.buy(&buyer, &sale, "key-00001", 1).await, ticket, "cancelled");
    assert_eq!(shop.act("end", &sale).await, None);
    assert_eq!(shop.buy(&buyer, &sale, "key-00001", 1).await, ticket, "ended");
    assert_eq!(shop.buy(&buyer, &sale, "key-00002", 1).await, Err("SALE_ENDED".into()));
    let shop = shop.reopen().await;
    let buyer = shop.sign_in("alice").await;
    assert_eq!(shop.buy(&buyer, &sale, "key-00001", 1).await, ticket, "after a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_and_expired_units_are_sold_again() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms { stock: 1, pay_within_seconds: 1, ..Terms::default() }).await;
    let (alice, bob, carol) = (shop.buyer("alice").await, shop.buyer("bob").await, shop.buyer("carol").await);
    let first = shop.buy(&alice, &sale, "key-00001", 1).await.unwrap();
    assert_eq!(shop.buy(&bob, &sale, "key-00001", 1).await, Err("SOLD_OUT".into()));
    let order = shop.decided(&alice, &first).await["order"]["id"].clone();
    let cancel = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } userErrors { code } } }";
    let foreign = shop.data(Some(&bob), cancel, json!({ "o": order })).await;
    assert_eq!(foreign["orderCancel"]["userErrors"][0]["code"], "ORDER_NOT_FOUND");
    for _ in 0..2 {
        let mine = shop.data(Some(&alice), cancel, json!({ "o": order })).await;
        assert_eq!(mine["orderCancel"]["order"]["status"], "CANCELLED");
    }
    let mut second = Err(String::new());
    until("sold again", async || {
        second = shop.buy(&bob, &sale, "key-00002", 1).await;
        second.is_ok()
    })
    .await;
    let second = second.unwrap();
    shop.decided(&bob, &second).await;
    until("expired", async || shop.decided(&bob, &second).await["order"]["status"] == "EXPIRED").await;
    until("sold once more", async || shop.buy(&carol, &sale, "key-00003", 1).await.is_ok()).await;
    let late = shop.data(Some(&bob), cancel, json!({ "o": shop.decided(&bob, &second).await["order"]["id"] })).await;
    assert_eq!(late["orderCancel"]["userErrors"][0]["code"], "ORDER_NOT_CANCELLABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_other_users_look_like_missing_objects() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms::default()).await;
    let (alice, bob) = (shop.buyer("alice").await, shop.buyer("bob").await);
    let ticket = shop.buy(&alice, &sale, "key-00001", 1).await.unwrap();
    let order = shop.decided(&alice, &ticket).await["order"]["id"].as_str().unwrap().to_owned();
    let query = "query($t: ID!, $o: ID!) { purchaseTicket(id: $t) { id } order(id: $o) { id } a: node(id: $t) { id } \
                 b: node(id: $o) { id } nodes(ids: [$t, $o]) { id } }";
    let nothing = json!({ "purchaseTicket": null, "order": null, "a": null, "b": null, "nodes": [null, null] });
    let known: TicketId = ticket.parse().unwrap();
    let (missing, malformed) = (TicketId { seq: 999, ..known }.to_string(), "order_!");
    assert_eq!(shop.data(Some(&bob), query, json!({ "t": ticket, "o": order })).await, nothing);
    assert_eq!(shop.data(None, query, json!({ "t": ticket, "o": order })).await, nothing);
    assert_eq!(shop.data(Some(&alice), query, json!({ "t": missing, "o": malformed })).await, nothing);
    assert_eq!(shop.data(Some(&alice), query, json!({ "t": order, "o": ticket })).await["order"], json!(null));
    let mine = shop.data(Some(&alice), query, json!({ "t": ticket, "o": order })).await;
    assert_eq!((&mine["order"]["id"], &mine["a"]["id"]), (&json!(order), &json!(ticket)));
    let own = "{ viewer { user { username } orders { totalCount nodes { id } } } }";
    assert_eq!(shop.data(Some(&bob), own, json!({})).await["viewer"]["orders"]["totalCount"], 0);
    assert_eq!(shop.data(Some(&alice), own, json!({})).await["viewer"]["orders"]["nodes"][0]["id"], json!(order));
    assert_eq!(shop.data(None, own, json!({})).await["viewer"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn unauthorized_requests_return_errors_and_change_nothing() {
    let shop = Shop::open().await;
    let sale = shop.sale(&Terms::default()).await;
    let buyer = shop.buyer("alice").await;
    let publish = "mutation($s: ID!) { saleEnd(input: { saleId: $s }) { sale { id } } }";
    let buy =
        "mutation($s: ID!) { salePurchase(input: { saleId: $s, idempotencyKey: \"key-00001\" }) { ticket { id } } }";
    assert_eq!(shop.fault(None, buy, json!({ "s": sale })).await, "UNAUTHENTICATED");
    assert_eq!(shop.fault(Some("garbage"), buy, json!({ "s": sale })).await, "UNAUTHENTICATED");
    assert_eq!(shop.fault(None, publish, json!({ "s": sale })).await, "UNAUTHENTICATED");
    assert_eq!(shop.fault(Some(&buyer), publish, json!({ "s": sale })).await, "FORBIDDEN");
    let out = shop.data(Some(&buyer), "mutation { userSignOut { userErrors { code } } }", json!({})).await;
    assert_eq!(out["userSignOut"]["userErrors"], json!([]));
    assert_eq!(shop.fault(Some(&buyer), buy, json!({ "s": sale })).await, "UNAUTHENTICATED");
    assert_eq!(shop.stock(&sale).await, 10);
}
