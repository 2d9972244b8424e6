//! How long an edit in SQL takes until shoppers see it on a node that does not apply it: the stock of a sale until it is pushed over a
//! socket, and the name of a product, which is not pushed, until the node answers with it. And what the triggers that notice edits cost
//! the order writer: orders with them over orders without them.
//!
//! The order writer's costs are CPU time of the node and of its backends in PostgreSQL, where the triggers run, from the first ticket
//! until all orders are written and announced.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::{Client as Sql, SimpleQueryMessage};

use super::{Shop, durable, percentile};
use crate::QUICK;
use crate::bare::postgres as bare;
use crate::report::{Row, Target};
use doorbuster::demo::client::Client;
use doorbuster::demo::server::Server;
use doorbuster::demo::socket::{Event, Socket, payload};
use doorbuster::demo::usage::cpu_time;
use doorbuster::kernel::SaleId;
use doorbuster::model::facts::Facts;

/// Edits of a round, of each kind.
const EDITS: usize = 100;
/// Rounds of the order writer: what the triggers may cost is less than rounds differ by.
const WRITER_ROUNDS: usize = 6;
/// What is left of the order writer with the triggers.
const LEAST: f64 = 0.98;
/// Between two edits: longer than a sale's stock is held back after a push (`hub.stock_tick`).
const PAUSE: Duration = Duration::from_millis(150);
/// What no edit takes.
const PATIENCE: Duration = Duration::from_secs(20);
/// The node with the order writer.
const WRITER: &str = "bench-writer";

const STOCK: &str =
    "subscription Stock($sales: [ID!]!) { it: saleStockChanged(saleIds: $sales) { version stockRemaining } }";
const NAME: &str = "query Name($sale: ID!) { it: sale(id: $sale) { product { name } } }";

/// The triggers of edits, by what they call.
const SWITCH: &str = "DO $$ DECLARE one RECORD; BEGIN
    FOR one IN SELECT tgrelid::REGCLASS AS place, tgname AS name FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
                 WHERE NOT tgisinternal AND proname LIKE 'catalog\\_%'
    LOOP EXECUTE format('ALTER TABLE %s %s TRIGGER %I', one.place, 'SWITCH', one.name); END LOOP;
    IF NOT FOUND THEN RAISE EXCEPTION 'there are no triggers of edits'; END IF;
END $$";

/// Measures both; the order writer last.
pub(super) async fn run(rounds: usize, shop: &Shop) -> anyhow::Result<Vec<Row>> {
    let sql = bare::connect(&shop.url).await?;
    let mut rows = seen(rounds, shop, &sql).await.context("edits that are seen")?;
    rows.extend(written(crate::rounds(WRITER_ROUNDS), shop, &sql).await.context("the order writer")?);
    Ok(rows)
}

async fn seen(rounds: usize, shop: &Shop, sql: &Sql) -> anyhow::Result<Vec<Row>> {
    let applying = shop.node(&shop.launch).await?;
    let showing = shop.further("bench-2", &[("node.roles", "api")]).await?;
    let sale = shop.next_sale()?;
    let measured = measure(rounds, Viewer::open(&showing, &shop.buyers[0].token, sale).await?, sql).await;
    for node in [showing, applying] {
        node.stop(super::READY_WITHIN).await?;
    }
    let [pushed, answered] = measured?;
    let row = |name, product| Row { name, unit: "ms", product, baseline: None, target: Target::None };
    let ([pushed_p50, pushed_p99], [answered_p50, answered_p99]) = (pushed, answered);
    Ok(vec![
        row("edited stock, pushed elsewhere, p50", pushed_p50),
        row("edited stock, pushed elsewhere, p99", pushed_p99),
        row("edited name, answered elsewhere, p50", answered_p50),
        row("edited name, answered elsewhere, p99", answered_p99),
    ])
}

/// For edited stock and an edited name: p50 and p99 of each round.
async fn measure(rounds: usize, mut viewer: Viewer, sql: &Sql) -> anyhow::Result<[[Vec<f64>; 2]; 2]> {
    let count = if QUICK.load(Ordering::Relaxed) { 5 } else { EDITS };
    // The first edits find out that the node follows.
    viewer.pushed(sql).await?;
    viewer.answered(sql, "Lamp").await?;
    let mut columns = [const { [const { Vec::new() }; 2] }; 2];
    for round in 0..rounds {
        let (mut pushed, mut answered) = (Vec::new(), Vec::new());
        for number in 0..count {
            sleep(PAUSE).await;
            pushed.push(viewer.pushed(sql).await?);
            sleep(PAUSE).await;
            answered.push(viewer.answered(sql, &format!("Lamp {round}.{number}")).await?);
        }
        for (column, took) in columns.iter_mut().zip([pushed, answered]) {
            column[0].push(percentile(&took, 50.0));
            column[1].push(percentile(&took, 99.0));
        }
    }
    Ok(columns)
}

/// A shopper on one node.
struct Viewer {
    sale: SaleId,
    socket: Socket,
    client: Client,
    /// Units that were pushed last.
    stock: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stock {
    stock_remaining: u64,
}

impl Viewer {
    async fn open(node: &Server, token: &str, sale: SaleId) -> anyhow::Result<Self> {
        let address = node.launch().address;
        let mut socket = Socket::open(address, token, PATIENCE).await?;
        socket.subscribe_as(1, STOCK, &json!({ "sales": [sale] })).await?;
        let mut viewer = Self { sale, socket, client: Client::new(address, PATIENCE), stock: 0 };
        viewer.stock = viewer.push().await?;
        Ok(viewer)
    }

    async fn push(&mut self) -> anyhow::Result<u64> {
        match timeout(PATIENCE, self.socket.next()).await.context("nothing is pushed")?? {
            Event::Next(_, news) => Ok(payload::<Stock>(&news)?.context("the sale is gone")?.stock_remaining),
            Event::Error(_, error) => anyhow::bail!("{}", error.message),
            Event::Complete(_) => anyhow::bail!("the subscription ended"),
        }
    }

    /// Adds a unit, and waits until it is pushed: milliseconds.
    async fn pushed(&mut self, sql: &Sql) -> anyhow::Result<f64> {
        let edit = format!("UPDATE sales SET stock_total = stock_total + 1 WHERE id = '{}'", uuid(self.sale));
        let wanted = self.stock + 1;
        let begun = Instant::now();
        sql.batch_execute(&edit).await?;
        while self.stock != wanted {
            self.stock = self.push().await?;
        }
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    /// Changes the product's name, and asks for it until the answer has it: milliseconds.
    async fn answered(&mut self, sql: &Sql, name: &str) -> anyhow::Result<f64> {
        let edit = format!("UPDATE products SET name = '{name}'");
        let begun = Instant::now();
        sql.batch_execute(&edit).await?;
        loop {
            let sale: Option<Value> = self.client.call(NAME, &json!({ "sale": self.sale })).await?;
            if sale.is_some_and(|sale| sale["product"]["name"] == name) {
                return Ok(begun.elapsed().as_secs_f64() * 1e3);
            }
            anyhow::ensure!(begun.elapsed() < PATIENCE, "the node does not take the edit over");
        }
    }
}

/// Orders with the triggers and without them, in turns, each round of each on a sale of its own.
async fn written(rounds: usize, shop: &Shop, sql: &Sql) -> anyhow::Result<[Row; 2]> {
    let node = shop.further(WRITER, &[("node.roles", "writer")]).await?;
    let (mut with, mut without) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..=rounds {
        // Who begins changes, so that the growing tables cost both the same.
        let turns = if round % 2 == 0 { [true, false] } else { [false, true] };
        for enabled in turns {
            switch(sql, enabled).await?;
            let rates = orders(shop, &node, sql).await?;
            // The first round warms up.
            if round > 0 {
                let columns = if enabled { &mut with } else { &mut without };
                columns.iter_mut().zip(rates).for_each(|(column, rate)| column.push(rate));
            }
        }
    }
    switch(sql, true).await?;
    node.stop(super::READY_WITHIN).await?;
    let ([with_cpu, with_rate], [without_cpu, without_rate]) = (with, without);
    let row = |name, unit, product, baseline, target| Row { name, unit, product, baseline: Some(baseline), target };
    Ok([
        row("orders, triggers of edits / none", "per CPU s", with_cpu, without_cpu, Target::AtLeast(LEAST)),
        row("orders, triggers of edits / none", "per s", with_rate, without_rate, Target::None),
    ])
}

async fn switch(sql: &Sql, enabled: bool) -> anyhow::Result<()> {
    let switched = if enabled { "ENABLE" } else { "DISABLE" };
    sql.batch_execute(&SWITCH.replace("SWITCH", switched)).await.context("switching the triggers")
}

/// Orders per CPU second and per second.
async fn orders(shop: &Shop, node: &Server, sql: &Sql) -> anyhow::Result<[f64; 2]> {
    let (sold, _) = Facts::sold(&shop.db).await?;
    let sale = shop.next_sale()?;
    let before = used(node, sql).await?;
    let (published, rate) = tokio::join!(durable::publish(shop, sale), durable::count(shop, sold));
    published?;
    let rate = rate?;
    shop.settle().await?;
    let since = |(pid, now): (u32, Duration)| now.saturating_sub(before.get(&pid).copied().unwrap_or_default());
    let spent: Duration = used(node, sql).await?.into_iter().map(since).sum();
    Ok([shop.buyers.len() as f64 / spent.as_secs_f64(), rate])
}

/// CPU time of the node and of its backends so far, by process. Backends on another machine do not count.
async fn used(node: &Server, sql: &Sql) -> anyhow::Result<HashMap<u32, Duration>> {
    let backends = format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{WRITER}'");
    let rows = sql.simple_query(&backends).await?;
    let backends = rows.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    });
    let processes = backends.chain([node.pid()]);
    Ok(processes.filter_map(|pid| Some((pid, cpu_time(pid)?))).collect())
}

/// An id as PostgreSQL reads it.
fn uuid(sale: SaleId) -> String {
    format!("{:032x}", u128::from_be_bytes(sale.to_bytes()))
}
