//! Edits of the catalog in SQL: what is written down, what is refused, how they are applied, and what a ticket costs.

use std::time::Duration;

use doorbuster::broker::envelope;
use doorbuster::kernel::{SaleId, Wanted};
use doorbuster::model::edits::{Edit, EditOp, EditedRow};
use doorbuster::model::messages::Topic;
use doorbuster::model::order_requests::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};
use doorbuster::model::orders::{Closing, OrderState};
use doorbuster::model::sales::SaleState;
use doorbuster::orders::PurchaseRequest;
use doorbuster::orders::rebuild::WRITER;
use doorbuster::sales::StockAdd;
use doorbuster::store::Database;

use super::{Place, on, on_both, request};

on_both!(
    what_the_program_does_itself_is_no_edit,
    an_edit_is_written_down_with_the_row_before_and_after,
    what_would_break_a_promise_is_refused_with_a_sentence,
    what_no_program_could_read_is_refused,
    stock_left_follows_stock_total_and_is_guarded,
    drafts_may_be_added_and_deleted,
    an_edit_reaches_the_snapshot_and_the_gate,
    an_edited_window_gives_the_sales_of_the_session_a_new_version,
    a_sale_that_is_published_by_hand_sells,
    more_edits_than_one_batch_are_applied_in_one_go,
    an_edit_without_a_trigger_is_found_by_comparing,
    what_the_program_does_itself_is_nothing_to_find_by_comparing,
    an_order_costs_what_the_sale_cost_when_its_ticket_was_admitted,
);

async fn edits(place: &Place) -> Vec<Edit> {
    let wanted = Wanted { after: None, before: None, limit: 5_000, from_end: false, count: false };
    place.app.sales().list_edits(None, wanted).await.unwrap().items
}

async fn refused(place: &Place, statement: &str) -> String {
    let before = place.facts().await.sales.clone();
    let told = place.attempt(statement).await.expect_err(statement);
    assert_eq!(place.facts().await.sales, before, "{statement} changed something");
    told
}

/// Whether the database has its triggers switched off, and how to do that.
fn without_triggers(place: &Place, statement: &str) -> String {
    match place.db() {
        Database::Postgres(_) => format!("SET session_replication_role = replica; {statement}"),
        // There is no such switch: a program that takes them away and puts them back.
        Database::Sqlite(_) => {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
            let up = std::fs::read_to_string(folder.join("2026-11-30-000020_catalog_edits/up.sql")).unwrap();
            let triggers = up.split_once("CREATE TRIGGER").unwrap().1;
            let names = up.lines().filter_map(|line| line.strip_prefix("CREATE TRIGGER ")?.split(' ').next());
            let drops: String = names.map(|name| format!("DROP TRIGGER {name}; ")).collect();
            format!("BEGIN; {drops} {statement}; CREATE TRIGGER{triggers} COMMIT;")
        }
    }
}

async fn buy(place: &Place, n: u64, sale: SaleId) -> OrderRequest {
    let buyer = place.buyers(n, 1).await[0];
    let asked = PurchaseRequest { sale: Some(sale), quantity: 1, key: format!("key-{n:05}") };
    let ticket = place.app.orders().purchase(buyer, asked).await.unwrap().unwrap();
    OrderRequest {
        ticket: ticket.id,
        at: ticket.created_at,
        ..request(sale, ticket.id.seq, buyer, &format!("key-{n:05}"), 1)
    }
}

/// The tickets that wait for the order writer.
async fn published(place: &Place, sale: SaleId) -> Vec<OrderRequest> {
    let (broker, topic) = (place.app.broker(), Topic::OrderRequests);
    let partition = broker.partition_of(topic, &sale.to_bytes());
    let mut consumer = broker.subscribe(topic, partition, WRITER).await.unwrap();
    let received = consumer.receive(64, Duration::from_millis(50)).await.unwrap();
    let decode = |payload: &[u8]| envelope::decode::<OrderRequests>(REQUESTS, REQUESTS_VERSION, payload).unwrap();
    received.iter().flat_map(|message| decode(&message.payload).tickets).collect()
}

async fn what_the_program_does_itself_is_no_edit(place: Place) {
    let sales = place.app.sales();
    let sale = place.sale(10, 2).await;
    let bought = [buy(&place, 0, sale).await, buy(&place, 1, sale).await];
    place.app.orders().record(bought.to_vec()).await.unwrap();
    sales.sale_pause(place.operator, sale).await.unwrap();
    sales.sale_resume(place.operator, sale).await.unwrap();
    let add = StockAdd { sale, units: 5, idempotency_key: "add-00001".into() };
    sales.sale_stock_add(place.operator, add).await.unwrap();
    sales.shop_pause(place.operator, "a test".into()).await.unwrap();
    sales.shop_resume(place.operator, "a test".into()).await.unwrap();
    let (tickets, buyer, now) = ([bought[0].ticket], bought[0].buyer, place.clock.clock().now());
    let closed = on!(place.db(), write, |conn| {
        let closed = sql::orders::close(conn, &tickets, Closing::Buyer(buyer), now).await?;
        sql::orders::return_stock(conn, sale, 1, now).await?;
        sql::held::note_paid(conn, sale, 1).await?;
        sql::held::take_off(conn, 9, now).await?;
        Ok(closed)
    });
    assert_eq!(closed.unwrap()[0].state, OrderState::Cancelled);
    place.clock.advance(Duration::from_secs(5));
    place.app.orders().open_gates(Duration::from_secs(60)).await.unwrap();
    on!(place.db(), write, |conn| sql::restored::raise_epochs(conn, u32::MAX / 2).await).unwrap();
    sales.sale_end(place.operator, sale).await.unwrap();
    assert_eq!(edits(&place).await, []);
}

async fn an_edit_is_written_down_with_the_row_before_and_after(place: Place) {
    let sale = place.sale(10, 2).await;
    let version = place.app.sales().snapshot().sale(sale).unwrap().version;
    place.execute("UPDATE sales SET limit_per_buyer = 3").await;
    // What changes nothing, and what is rolled back, is none.
    place.execute("UPDATE sales SET limit_per_buyer = 3").await;
    place.execute("BEGIN; UPDATE products SET name = 'Chair'; ROLLBACK").await;
    let [edit] = &edits(&place).await[..] else { panic!("{:?}", edits(&place).await) };
    assert_eq!((edit.row, edit.op, edit.handled_at), (EditedRow::Sale(sale), EditOp::Update, None));
    let value = |row: &Option<String>, name: &str| {
        let row: serde_json::Value = serde_json::from_str(row.as_ref().unwrap()).unwrap();
        row[name].as_u64().unwrap()
    };
    assert_eq!((value(&edit.before, "limit_per_buyer"), value(&edit.after, "limit_per_buyer")), (2, 3));
    assert_eq!(value(&edit.after, "version"), u64::from(version) + 1, "the edit is newer for all who compare");
    let is_known = matches!(place.db(), Database::Postgres(_));
    assert_eq!(edit.by_role.is_some(), is_known);
}

async fn what_would_break_a_promise_is_refused_with_a_sentence(place: Place) {
    let sale = place.sale(10, 2).await;
    let under_its_buyers = "the terms of a sale that sells are not changed under its buyers";
    for edit in ["price_minor = 1", "currency = 'EUR'", "points_price = 7"] {
        let statement = format!("UPDATE sales SET {edit}");
        let told = refused(&place, &statement).await;
        assert!(told.starts_with(under_its_buyers) && told.to_lowercase().contains("pause it first"), "{edit}: {told}");
    }
    for (edit, sentence) in [
        ("number = 7", "never changed"),
        ("version = 1", "never lowered"),
        ("stock_version = 0", "never lowered"),
        ("epoch = epoch - 1", "never lowered"),
        ("units_held = 3", "units_held follows the orders"),
        ("status = 'DRAFT'", "no draft again"),
    ] {
        let told = refused(&place, &format!("UPDATE sales SET {edit}")).await;
        assert!(told.contains(sentence), "{edit}: {told}");
    }
    let told = refused(&place, "DELETE FROM sales").await;
    assert!(told.to_lowercase().contains("end the sale instead"), "{told}");
    // Once it is paused, all of it is taken.
    place.app.sales().sale_pause(place.operator, sale).await.unwrap();
    for edit in ["price_minor = 1", "currency = 'EUR'", "points_price = 7", "limit_per_buyer = 1", "status = 'ENDED'"] {
        place.attempt(&format!("UPDATE sales SET {edit}")).await.unwrap();
    }
    let told = refused(&place, "UPDATE sales SET status = 'PUBLISHED', ended_at = NULL").await;
    assert!(told.contains("has ended stays so"), "{told}");
    assert!(place.app.sales().refresh().await.unwrap().sale(sale).unwrap().ended_at.is_some());
}

async fn what_no_program_could_read_is_refused(place: Place) {
    let sale = place.sale(10, 2).await;
    place.app.sales().sale_pause(place.operator, sale).await.unwrap();
    for statement in [
        "UPDATE sales SET currency = 'XXX'",
        "UPDATE sales SET price_minor = 9000000000000000000",
        "UPDATE sales SET stock_total = 9000000000",
        "UPDATE sales SET limit_per_buyer = 9000000000",
        "UPDATE sales SET pay_within_ms = 9000000000000",
        "UPDATE sales SET points_price = 9000000000",
        "UPDATE products SET currency = 'XXX'",
        "UPDATE products SET name = ' '",
        "UPDATE sale_sessions SET ends_at = 9000000000000000",
    ] {
        refused(&place, statement).await;
        place.app.sales().refresh().await.unwrap();
    }
    assert_eq!(edits(&place).await, []);
}

async fn stock_left_follows_stock_total_and_is_guarded(place: Place) {
    let sale = place.sale(10, 2).await;
    let bought = [buy(&place, 0, sale).await, buy(&place, 1, sale).await];
    place.app.orders().record(bought.to_vec()).await.unwrap();
    let stock = async || {
        let offer = place.app.sales().refresh().await.unwrap().offer(sale).unwrap().clone();
        (offer.stock.total, offer.stock.left, offer.stock.version)
    };
    let (_, _, version) = stock().await;
    place.execute("UPDATE sales SET stock_total = 13").await;
    assert_eq!(stock().await, (13, 11, version + 1));
    place.execute("UPDATE sales SET stock_total = 12, stock_left = 10").await;
    assert_eq!(stock().await, (12, 10, version + 2));
    place.execute("UPDATE sales SET stock_total = stock_total - 10, stock_left = stock_left - 10").await;
    assert_eq!(stock().await, (2, 0, version + 3));
    for statement in ["UPDATE sales SET stock_total = 1", "UPDATE sales SET stock_left = 2"] {
        refused(&place, statement).await;
    }
}

/// The statement that adds a product, a session and a draft by hand, with the least that such rows need.
fn added(place: &Place, number: u8) -> String {
    let id = |kind: u8| match place.db() {
        Database::Postgres(_) => format!("'{:0>32}'", format!("{kind}{number:02}")),
        Database::Sqlite(_) => format!("x'{:0>32}'", format!("{kind}{number:02}")),
    };
    format!(
        "INSERT INTO products (id, name, price_minor, currency, created_at, updated_at) VALUES ({}, 'Chair', 500, 'CNY', 1, 1); \
         INSERT INTO sale_sessions (id, starts_at, ends_at, created_at) VALUES ({}, {}, {}, 1); \
         INSERT INTO sales (id, number, session_id, product_id, price_minor, currency, stock_total, stock_left, limit_per_buyer, \
                            pay_within_ms, returns_on_refund, status, created_at, updated_at) \
         VALUES ({}, 9000 + {number}, {}, {}, 400, 'CNY', 5, 5, 1, 60000, TRUE, 'DRAFT', 1, 1);",
        id(1),
        id(2),
        super::NOW.as_millis() - 1_000,
        super::NOW.as_millis() + 3_600_000,
        id(3),
        id(2),
        id(1),
    )
}

async fn drafts_may_be_added_and_deleted(place: Place) {
    place.sale(10, 2).await;
    place.execute(&added(&place, 1)).await;
    let is_file = matches!(place.db(), Database::Sqlite(_));
    // What a file lets in, and what it does not record, is in the migration.
    if !is_file {
        let published = added(&place, 2).replace("'DRAFT'", "'PUBLISHED'");
        let told = place.attempt(&format!("BEGIN; {published} COMMIT")).await.unwrap_err();
        assert!(told.contains("begins as a draft"), "{told}");
    }
    let unreadable = added(&place, 3).replace("400, 'CNY'", "400, 'XXX'");
    place.attempt(&format!("BEGIN; {unreadable} COMMIT")).await.unwrap_err();
    place.app.sales().apply_edits().await.unwrap();
    let chairs = || place.app.sales().snapshot().sales().filter(|sale| sale.number == 9_001).count();
    assert_eq!(chairs(), 1);
    place.execute("DELETE FROM sales WHERE number = 9001").await;
    place.execute("DELETE FROM products WHERE name = 'Chair'").await;
    assert_eq!(place.app.sales().apply_edits().await.unwrap(), 2);
    assert_eq!(chairs(), 0);
    let ops: Vec<_> =
        edits(&place).await.iter().map(|edit| (edit.row.table(), edit.op, edit.handled_at.is_some())).collect();
    let expected = [
        ("products", EditOp::Delete),
        ("sales", EditOp::Delete),
        ("sales", EditOp::Insert),
        ("sale_sessions", EditOp::Insert),
        ("products", EditOp::Insert),
    ];
    let recorded = expected.into_iter().filter(|edit| !is_file || *edit != ("sales", EditOp::Insert));
    assert_eq!(ops, recorded.map(|(table, op)| (table, op, true)).collect::<Vec<_>>());
}

async fn an_edit_reaches_the_snapshot_and_the_gate(place: Place) {
    let sale = place.sale(1, 1).await;
    let revision = place.app.sales().snapshot().version();
    place.execute("UPDATE sales SET stock_total = stock_total + 1, limit_per_buyer = 2").await;
    place.execute("UPDATE products SET name = 'Lamp, blue'").await;
    assert!(place.app.sales().edits_open_since().await.unwrap().is_some());
    assert_eq!(place.app.sales().apply_edits().await.unwrap(), 2);
    assert_eq!(place.app.sales().edits_open_since().await.unwrap(), None);
    let snapshot = place.app.sales().snapshot();
    let offer = snapshot.offer(sale).unwrap();
    assert_eq!(snapshot.version(), revision + 1, "the other nodes read it too");
    assert_eq!((offer.sale.limit_per_buyer, offer.stock.left), (2, 2));
    assert_eq!(snapshot.product(offer.sale.product_id).unwrap().name, "Lamp, blue");
    assert_eq!(place.app.sales().gate_is_up_to_date(offer).await, Some(true));
    buy(&place, 0, sale).await;
    buy(&place, 1, sale).await;
    assert_eq!(place.app.sales().apply_edits().await.unwrap(), 0, "once");
    assert_eq!(place.app.sales().snapshot().version(), revision + 1);
}

async fn an_edited_window_gives_the_sales_of_the_session_a_new_version(place: Place) {
    let sale = place.sale(1, 1).await;
    let version = place.app.sales().snapshot().sale(sale).unwrap().version;
    let later = super::NOW.plus(Duration::from_secs(600));
    place.execute(&format!("UPDATE sale_sessions SET starts_at = {}", later.as_millis())).await;
    place.app.sales().apply_edits().await.unwrap();
    let offer = place.app.sales().snapshot().offer(sale).unwrap().clone();
    assert_eq!((offer.session.starts_at, offer.sale.version), (later, version + 1));
    assert_eq!(place.app.sales().gate_is_up_to_date(&offer).await, Some(true));
    let buyer = place.buyers(0, 1).await[0];
    let asked = PurchaseRequest { sale: Some(sale), quantity: 1, key: "key-00001".into() };
    place.app.orders().purchase(buyer, asked).await.unwrap().expect_err("it has not begun");
}

async fn a_sale_that_is_published_by_hand_sells(place: Place) {
    place.execute(&added(&place, 1)).await;
    place.execute("UPDATE sales SET status = 'PUBLISHED' WHERE number = 9001").await;
    place.app.sales().apply_edits().await.unwrap();
    let sale = place.app.sales().snapshot().sales().find(|sale| sale.number == 9_001).unwrap().clone();
    assert_eq!((sale.state, sale.epoch), (SaleState::Published, super::first_epoch()));
    buy(&place, 0, sale.id).await;
}

async fn more_edits_than_one_batch_are_applied_in_one_go(place: Place) {
    place.sale(1, 1).await;
    let revision = place.app.sales().snapshot().version();
    let id = |n: u32| match place.db() {
        Database::Postgres(_) => format!("'{n:0>32}'"),
        Database::Sqlite(_) => format!("x'{n:0>32}'"),
    };
    let rows: Vec<String> =
        (0..2_100).map(|n| format!("({}, 'Chair', 500, 'CNY', 1, 1, FALSE)", id(10_000 + n))).collect();
    let columns = "id, name, price_minor, currency, created_at, updated_at, by_hand";
    place.execute(&format!("INSERT INTO products ({columns}) VALUES {}", rows.join(", "))).await;
    place.execute("UPDATE products SET price_minor = price_minor + 1").await;
    assert_eq!(place.app.sales().apply_edits().await.unwrap(), 2_101);
    assert_eq!(place.app.sales().snapshot().version(), revision + 3);
}

async fn an_edit_without_a_trigger_is_found_by_comparing(place: Place) {
    let sale = place.sale(5, 1).await;
    let before = place.app.sales().snapshot().sale(sale).unwrap().clone();
    let later = super::NOW.plus(Duration::from_secs(600)).as_millis();
    place.execute(&without_triggers(&place, "UPDATE sales SET limit_per_buyer = 4")).await;
    place.execute(&without_triggers(&place, &format!("UPDATE sale_sessions SET ends_at = {later}"))).await;
    place.execute(&without_triggers(&place, "UPDATE products SET name = 'Chair'")).await;
    assert_eq!(edits(&place).await, [], "nobody wrote it down");
    assert_eq!(place.app.sales().apply_edits().await.unwrap(), 0);
    assert_eq!(place.app.sales().reread().await.unwrap(), 3);
    let offer = place.app.sales().snapshot().offer(sale).unwrap().clone();
    assert_eq!((offer.sale.limit_per_buyer, offer.session.ends_at.as_millis()), (4, later));
    assert!(offer.sale.version > before.version);
    assert_eq!(place.app.sales().gate_is_up_to_date(&offer).await, Some(true));
    let noted = edits(&place).await;
    assert_eq!(noted.len(), 3);
    assert!(
        noted.iter().all(|edit| edit.by_role.as_deref() == Some("unknown") && edit.handled_at.is_some()),
        "{noted:?}"
    );
    assert_eq!(place.app.sales().reread().await.unwrap(), 0, "once");
}

async fn what_the_program_does_itself_is_nothing_to_find_by_comparing(place: Place) {
    let sale = place.sale(5, 1).await;
    let other = place.other_node().await;
    let bought = buy(&place, 0, sale).await;
    place.app.orders().record(vec![bought]).await.unwrap();
    place.app.sales().sale_pause(place.operator, sale).await.unwrap();
    place.clock.advance(Duration::from_secs(5));
    place.app.orders().open_gates(Duration::from_secs(60)).await.unwrap();
    assert_eq!(other.sales().reread().await.unwrap(), 0);
    // Nor is an edit that waits to be applied.
    place.execute("UPDATE sales SET limit_per_buyer = 4").await;
    assert_eq!(place.app.sales().reread().await.unwrap(), 0);
    assert_eq!(place.app.sales().apply_edits().await.unwrap(), 1);
}

async fn an_order_costs_what_the_sale_cost_when_its_ticket_was_admitted(place: Place) {
    let sale = place.sale(5, 1).await;
    // Their messages say the price, unless a ticket is published again, or by an older program.
    buy(&place, 0, sale).await;
    buy(&place, 1, sale).await;
    let [said, other] = &published(&place, sale).await[..] else { panic!("two tickets wait for the writer") };
    assert!(said.price.is_some() && other.price.is_some());
    let silent = &OrderRequest { price: None, ..other.clone() };
    place.app.sales().sale_pause(place.operator, sale).await.unwrap();
    place.execute("UPDATE sales SET price_minor = 100, points_price = 7").await;
    place.app.sales().apply_edits().await.unwrap();
    place.app.sales().sale_resume(place.operator, sale).await.unwrap();
    // The database's clock says when the price was edited, and the shop's stands at a moment before.
    let later =
        &OrderRequest { at: super::NOW.plus(Duration::from_secs(3_650 * 86_400)), ..buy(&place, 2, sale).await };
    place.app.orders().record(vec![said.clone(), silent.clone(), later.clone()]).await.unwrap();
    for (ticket, minor, points) in [(said, 990, None), (silent, 990, None), (later, 100, Some(7))] {
        let order = place.find(ticket.ticket).await.unwrap();
        assert_eq!((order.unit_price.minor, order.points_price), (minor, points), "{ticket:?}");
    }
}
