//! Paying with points, whole, against the least that it could cost; and believing a notification, against nothing but its signature.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::bare::sqlite as bare_loop;
use super::report::{Row, Target};
use super::{Scratch, scaled_u32};
use doorbuster::app::App;
use doorbuster::catalog::{PriceInput, ProductInput};
use doorbuster::config::{Config, Secret};
use doorbuster::demo::{ready, usage};
use doorbuster::gateway::PaymentGateway as _;
use doorbuster::gateway::alipay::wire::{Parameters, time_text};
use doorbuster::gateway::alipay::{Alipay, Merchant, SANDBOX_APP_ID, SigningKey, VerifyingKey};
use doorbuster::kernel::{Breaker, Clock, Currency, PaymentId, Rng, TicketId, UserId};
use doorbuster::model::order_requests::OrderRequest;
use doorbuster::payments::{Method, PayRequest};
use doorbuster::sales::{SaleInput, SessionInput};

/// Payments of a round.
const PAYMENTS: u32 = 2_000;
/// Buyers that pay at the same time.
const AT_ONCE: usize = 64;
/// Points that an order costs.
const POINTS: i64 = 10;
/// Notifications of a round; another number of bare signatures takes about as long.
const NOTIFICATIONS: u32 = 20_000;
const SELLER: &str = "2088000000000001";

/// Orders paid with points in a second, by the whole protocol with all its commits, against a bare loop of transactions of three
/// statements on the same tables with the same durability.
pub async fn with_points(rounds: usize) -> anyhow::Result<Row> {
    let (mut product, mut baseline) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        baseline.push(bare(&format!("paid-bare-{round}"), scaled_u32(PAYMENTS)).await?);
        product.push(paid(&format!("paid-{round}"), scaled_u32(PAYMENTS)).await?);
    }
    let target = Target::AtLeast(0.4);
    Ok(Row { name: "orders paid with points", unit: "per s", product, baseline: Some(baseline), target })
}

/// A shop that nobody serves, with orders that wait for their payment.
struct Prepared {
    app: App,
    path: std::path::PathBuf,
    orders: Vec<(UserId, TicketId)>,
}

/// A shop with so many orders.
async fn prepare(scratch: &Scratch, payments: u32) -> anyhow::Result<Prepared> {
    let path = scratch.path().join("doorbuster.db");
    let mut config = Config::default_embedded();
    config.store.url = Secret::new(format!("sqlite://{}", path.display()));
    config.points.welcome = 1_000;
    let (clock, rng) = (Clock::system(), Rng::system());
    let app = App::build(config, clock.clone(), rng.clone()).await?;
    let operator = ready::users(app.db(), &clock, &rng, "operator", 1, true).await?.remove(0).buyer;
    let buyers = ready::users(app.db(), &clock, &rng, "buyer", payments, false).await?;
    let now = clock.now();
    let hour = Duration::from_secs(3_600);
    let session = SessionInput { name: None, starts_at: now.minus(hour), ends_at: Some(now.plus(hour)) };
    let session_id = app.sales().session_create(operator, session).await?.id;
    let price = PriceInput { amount: "1.00".into(), currency: Currency::Cny };
    let (title, description, image_url) = (None, None, None);
    let product = ProductInput { name: "Lamp".into(), title, description, image_url, price: price.clone() };
    let product_id = app.sales().product_create(operator, product).await?.id;
    let terms = SaleInput {
        session_id,
        product_id,
        price,
        points_price: Some(POINTS),
        stock: i64::from(payments),
        limit_per_buyer: 1,
        pay_within_seconds: 3_600,
        returns_on_refund: true,
    };
    let sale = app.sales().sale_create(operator, terms).await?.sale.id;
    let epoch = app.sales().sale_publish(operator, sale).await?.sale.epoch;
    let mut requests = Vec::new();
    for (seq, buyer) in (1..).zip(&buyers) {
        app.points().open(buyer.buyer).await?;
        let ticket = TicketId { sale, epoch, seq };
        requests.push(OrderRequest {
            ticket,
            buyer: buyer.buyer,
            key: format!("bench-{seq:010}"),
            quantity: 1,
            at: now,
            price: None,
        });
    }
    for batch in requests.chunks(500) {
        app.orders().record(batch.to_vec()).await?;
    }
    let orders = requests.into_iter().map(|request| (request.buyer, request.ticket)).collect();
    Ok(Prepared { app, path, orders })
}

async fn bare(name: &str, payments: u32) -> anyhow::Result<f64> {
    let scratch = Scratch::new(name)?;
    let Prepared { app, path, orders } = prepare(&scratch, payments).await?;
    let (clock, rng) = (Clock::system(), Rng::system());
    let rows: Vec<_> =
        orders.into_iter().map(|(buyer, ticket)| (PaymentId::generate(&clock, &rng), buyer, ticket)).collect();
    let begun = Instant::now();
    let done = tokio::task::spawn_blocking(move || bare_loop::pay_orders(&path, &rows, POINTS, clock.now()));
    done.await??;
    let rate = f64::from(payments) / begun.elapsed().as_secs_f64();
    drop(app);
    Ok(rate)
}

async fn paid(name: &str, payments: u32) -> anyhow::Result<f64> {
    let scratch = Scratch::new(name)?;
    let Prepared { app, orders, .. } = prepare(&scratch, payments).await?;
    let begun = Instant::now();
    let paid = stream::iter(orders).map(|(buyer, ticket)| {
        let app = app.clone();
        let request = PayRequest {
            order: Some(ticket.order()),
            method: Method::Points,
            return_url: None,
            key: "pay-00000001".into(),
        };
        async move { app.payments().pay(buyer, request).await }
    });
    let outcomes: Vec<_> = paid.buffer_unordered(AT_ONCE).collect().await;
    let rate = f64::from(payments) / begun.elapsed().as_secs_f64();
    for outcome in outcomes {
        if let Err(refusal) = outcome? {
            anyhow::bail!("a payment was refused: {refusal:?}");
        }
    }
    Ok(rate)
}

/// Notifications read, verified and checked in a second of CPU time, against signatures of RSA with 2048 bits alone.
pub fn notifications(rounds: usize) -> anyhow::Result<Row> {
    let (merchant_key, gateway_key) = (SigningKey::generate()?, SigningKey::generate()?);
    let public = gateway_key.public()?;
    let (text, sign, body) = notice(&gateway_key)?;
    let gateway = client(merchant_key, gateway_key.public()?)?;
    let (mut product, mut baseline) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        baseline.push(per_cpu_second(|| public.verifies(&text, &sign))?);
        product.push(per_cpu_second(|| gateway.verify_notification(&body).is_ok())?);
    }
    let target = Target::AtLeast(0.5);
    Ok(Row { name: "notifications verified", unit: "per CPU s", product, baseline: Some(baseline), target })
}

fn client(key: SigningKey, alipay: VerifyingKey) -> anyhow::Result<Alipay> {
    let merchant = Merchant {
        gateway_url: "http://127.0.0.1:1/gateway.do".to_owned(),
        app_id: SANDBOX_APP_ID.to_owned(),
        seller_id: SELLER.to_owned(),
        key,
        alipay_keys: vec![alipay],
        notify_url: "http://127.0.0.1:1/notify".to_owned(),
        return_url: "http://127.0.0.1:1/return".to_owned(),
    };
    Ok(Alipay::new(merchant.check()?, Duration::from_secs(1), Breaker::new(Duration::from_secs(1)), Clock::system())?)
}

/// A notification as the vendor sends them: the text that is signed, its signature, and the body.
fn notice(key: &SigningKey) -> anyhow::Result<(String, String, Vec<u8>)> {
    let now = time_text(Clock::system().now());
    let funds = r#"[{"amount":"499.00","fundChannel":"ALIPAYACCOUNT"}]"#;
    let mut all = Parameters::default();
    for (name, value) in [
        ("notify_time", now.as_str()),
        ("notify_type", "trade_status_sync"),
        ("notify_id", "2026112300222180001005610000000001"),
        ("charset", "utf-8"),
        ("version", "1.0"),
        ("app_id", SANDBOX_APP_ID),
        ("auth_app_id", SANDBOX_APP_ID),
        ("seller_id", SELLER),
        ("seller_email", "seller@example.com"),
        ("buyer_id", "2088000000000002"),
        ("buyer_logon_id", "buy***@example.com"),
        ("trade_no", "2026112322001400000000000001"),
        ("out_trade_no", "p0123456789abcdef0123456789abcdef"),
        ("trade_status", "TRADE_SUCCESS"),
        ("total_amount", "499.00"),
        ("receipt_amount", "499.00"),
        ("invoice_amount", "499.00"),
        ("buyer_pay_amount", "499.00"),
        ("point_amount", "0.00"),
        ("subject", "Nightfall headphones 1-1-42"),
        ("gmt_create", now.as_str()),
        ("gmt_payment", now.as_str()),
        ("fund_bill_list", funds),
    ] {
        all.set(name, value);
    }
    let text = all.canonical(&["sign", "sign_type"]);
    let sign = key.sign(&text)?;
    all.set("sign", sign.as_str());
    all.set("sign_type", "RSA2");
    Ok((text, sign, all.encode(|_| true).into_bytes()))
}

fn per_cpu_second(mut once: impl FnMut() -> bool) -> anyhow::Result<f64> {
    let used = || usage::cpu_time(std::process::id()).context("no /proc");
    let before = used()?;
    for _ in 0..scaled_u32(NOTIFICATIONS) {
        anyhow::ensure!(std::hint::black_box(once()), "not verified");
    }
    Ok(f64::from(scaled_u32(NOTIFICATIONS)) / (used()? - before).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What only runs when somebody measures does not show that it no longer works.
    #[tokio::test]
    async fn both_sides_pay_their_orders() {
        assert!(paid("test-paid", 3).await.unwrap() > 0.0);
        assert!(bare("test-paid-bare", 3).await.unwrap() > 0.0);
    }
}
