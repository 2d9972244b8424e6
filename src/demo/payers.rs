//! What buyers do with what they got: most pay, some at the gateway's cashier and some with points, and some want their money back. And
//! what became of the money.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::{Client, Fault};
use super::crowd::{self, PASSWORD, username};
use super::gateway::pay_at_cashier;
use super::history::{Entry, Step};
use super::wire;
use crate::kernel::{OrderId, Rng, SaleId, UserId};
use crate::model::facts::Facts;
use crate::model::orders::OrderState;
use crate::payments::audit::{self, Report};
use crate::store::{Database, StoreError};

/// Buyers that pay at the same time.
const AT_ONCE: usize = 8;
/// Of a hundred buyers with an order: those that pay at the cashier, and those that pay with points. The rest does not pay.
const BY_ALIPAY: u64 = 50;
const WITH_POINTS: u64 = 35;
/// Of a hundred that paid: those that want their money back.
const GIVES_BACK: u64 = 10;
/// How long a paid order may take to be shown as paid.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one buyer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Alipay,
    Points,
    Nothing,
    /// It did not work.
    Failed,
}

/// What became of the money.
#[derive(Debug, Clone)]
pub struct Money {
    /// Orders paid at the gateway's cashier.
    pub by_alipay: usize,
    /// Orders paid with points.
    pub with_points: usize,
    /// Orders given back.
    pub given_back: usize,
    /// Buyers who could not do what they wanted.
    pub failed: usize,
    /// The audit of the records.
    pub books: Report,
    /// Whether the gateway's bill agrees; `None`: there is no gateway.
    pub bill_agrees: Option<bool>,
}

impl Money {
    /// Whether nothing is lost, and everybody could pay.
    pub fn is_right(&self) -> bool {
        self.failed == 0 && self.books.ok && self.bill_agrees != Some(false)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by_alipay, with_points, given_back, .. } = self;
        write!(f, "{by_alipay} with Alipay, {with_points} with points; {given_back} refunded")
    }
}

/// What paying needs to know.
#[derive(Clone, Copy)]
pub struct Till {
    /// The node that is paid at.
    pub address: SocketAddr,
    /// What was bought.
    pub sale: SaleId,
    /// Chooses who does what.
    pub seed: u64,
    /// Whether there is a gateway to pay at.
    pub gateway: bool,
}

/// Lets the winners pay, and waits until all money is where it belongs. Who won is read from the records; all else goes over the API.
pub async fn pay(till: Till, db: &Database, history: &[Entry]) -> Result<Money, StoreError> {
    let shoppers: HashMap<UserId, u32> = history
        .iter()
        .filter_map(|entry| match entry.step {
            Step::Begin { buyer } => Some((buyer, entry.shopper)),
            _ => None,
        })
        .collect();
    let facts = Facts::read(db).await?;
    let unpaid =
        facts.orders.iter().filter(|order| order.sale == till.sale && order.state == OrderState::AwaitingPayment);
    let winners = unpaid.filter_map(|order| Some((order.id.order(), *shoppers.get(&order.buyer)?)));
    let winners: Vec<(OrderId, u32)> = winners.collect();
    let deeds: Vec<(Deed, bool)> = stream::iter(winners)
        .map(|(order, shopper)| async move { visit(till, order, shopper).await })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let count = |deed: Deed| deeds.iter().filter(|(done, _)| *done == deed).count();
    Ok(Money {
        by_alipay: count(Deed::Alipay),
        with_points: count(Deed::Points),
        given_back: deeds.iter().filter(|(_, back)| *back).count(),
        failed: count(Deed::Failed),
        books: settled(db).await?,
        bill_agrees: None,
    })
}

/// The audit once nothing is under way any more, or as it is after a while.
async fn settled(db: &Database) -> Result<Report, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let report = audit::check(db, db, true).await?;
        if report.ok || Instant::now() >= deadline {
            return Ok(report);
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// One winner at the till, and whether it gave back what it paid.
async fn visit(till: Till, order: OrderId, shopper: u32) -> (Deed, bool) {
    let rng = Rng::seeded(till.seed ^ (u64::from(shopper) << 20) ^ 0x005E_ED0F_1A7E);
    let deed = match rng.below(100) {
        draw if draw < BY_ALIPAY && till.gateway => Deed::Alipay,
        draw if draw < BY_ALIPAY + WITH_POINTS => Deed::Points,
        _ => return (Deed::Nothing, false),
    };
    let back = rng.below(100) < GIVES_BACK;
    match play(till, order, shopper, deed, back).await {
        Ok(true) => (deed, back),
        Ok(false) => (Deed::Failed, false),
        Err(fault) => {
            tracing::warn!(%fault, %order, "a buyer could not pay");
            (Deed::Failed, false)
        }
    }
}

/// Pays, and perhaps wants it back. Whether all of it came true.
async fn play(till: Till, order: OrderId, shopper: u32, deed: Deed, back: bool) -> Result<bool, Fault> {
    let account = crowd::sign_in(till.address, &username(till.seed, shopper), PASSWORD).await?;
    let mut client = Client::new(till.address, Duration::from_secs(30)).with_token(&account.token);
    let method = if deed == Deed::Alipay { "ALIPAY" } else { "POINTS" };
    let input = json!({ "orderId": order, "method": method, "idempotencyKey": format!("pay-{shopper:08}") });
    let answer: Value = client.call(wire::PAY, &json!({ "input": input })).await?.unwrap_or_default();
    if deed == Deed::Alipay {
        let page = answer["redirectUrl"].as_str().ok_or_else(|| Fault::Malformed(answer.to_string()))?;
        let said = pay_at_cashier(page).await.ok_or_else(|| Fault::Malformed("the cashier did not respond".into()))?;
        tracing::debug!(said, "back from the cashier");
    }
    if !becomes(&mut client, order, "PAID").await? {
        return Ok(false);
    }
    if !back {
        return Ok(true);
    }
    let input =
        json!({ "orderId": order, "reason": "changed my mind", "idempotencyKey": format!("back-{shopper:08}") });
    client.call::<Value>(wire::REFUND, &json!({ "input": input })).await?;
    becomes(&mut client, order, "REFUNDED").await
}

async fn becomes(client: &mut Client, order: OrderId, status: &str) -> Result<bool, Fault> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let found: Option<Value> = client.call(wire::ORDER, &json!({ "id": order })).await?;
        if found.is_some_and(|found| found["status"] == status) {
            return Ok(true);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(false)
}
