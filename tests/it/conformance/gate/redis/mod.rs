//! The gate in Redis, against a real server.

mod faults;
mod loss;
mod tally;
mod tls;
mod together;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use doorbuster::app::open_redis;
use doorbuster::config::{self, Config, Secret};
use doorbuster::gate::{Attempt, Decision, Gate, GateError, RedisGate};
use doorbuster::kernel::{Clock, Epoch, Rng, SaleId, UserId};
use doorbuster::model::gate::{KnownTicket, SaleTerms, SaleVersion, Units};
use doorbuster::redis_client::RedisClient;
use redis::aio::MultiplexedConnection;
use tokio::runtime::{Builder, Runtime};

use super::properties::{self, Time};
use crate::support::servers;

/// Settings of a node; `prefix` keeps tests apart.
fn settings(url: &str, prefix: &str) -> config::Gate {
    let url = Secret::new(url);
    config::Gate { url, prefix: prefix.to_owned(), ..Config::default_embedded().gate }
}

/// A prefix that nobody else uses.
fn fresh_prefix() -> String {
    format!("test-{}", uuid::Uuid::new_v4().simple())
}

async fn open(settings: &config::Gate) -> Result<RedisGate, GateError> {
    let rng = Rng::system();
    Ok(RedisGate::new(&open_redis(settings, &rng).await?, &rng))
}

async fn node(url: &str, prefix: &str) -> RedisGate {
    open(&settings(url, prefix)).await.unwrap()
}

async fn client(url: &str, prefix: &str) -> RedisClient {
    open_redis(&settings(url, prefix), &Rng::system()).await.unwrap()
}

async fn connect(url: &str) -> MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn keys(connection: &mut MultiplexedConnection, prefix: &str) -> Vec<String> {
    redis::cmd("KEYS").arg(format!("{prefix}:*")).query_async(connection).await.unwrap()
}

/// Sales that were forgotten leave nothing behind, once it was swept away.
async fn assert_nothing_remains(url: &str, prefix: &str) {
    let mut connection = connect(url).await;
    crate::support::until("swept", async || keys(&mut connection, prefix).await.is_empty()).await;
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// An open sale, one unit per buyer.
fn terms(sale: SaleId, epoch: Epoch, stock_total: u32) -> SaleTerms {
    let (now, hour) = (Clock::system().now(), Duration::from_secs(3600));
    let (starts_at, ends_at, version, limit_per_buyer) = (now.minus(hour), now.plus(hour), 1, 1);
    SaleTerms { sale, epoch, version, starts_at, ends_at, limit_per_buyer, stock_total, paused: false, ended: false }
}

fn new_sale() -> SaleId {
    SaleId::generate(&Clock::system(), &Rng::system())
}

fn new_buyer() -> UserId {
    UserId::generate(&Clock::system(), &Rng::system())
}

/// One buyer's one attempt.
async fn buy(gate: &dyn Gate, sale: SaleId, epoch: Epoch, buyer: UserId, key: &str) -> Decision {
    let attempt = Attempt { buyer, key: key.to_owned(), quantity: 1 };
    gate.admit(sale, SaleVersion::of_epoch(epoch), vec![attempt]).await.unwrap().remove(0)
}

mod conforms {
    use super::super::*;

    all_cases!(Rig::of(Arc::new(super::node(&crate::support::servers::redis(), &super::fresh_prefix()).await)));
}

#[test]
fn answers_like_its_model() {
    let (runtime, url, prefix) = (runtime(), servers::redis(), fresh_prefix());
    let gate: Arc<dyn Gate> = Arc::new(runtime.block_on(node(&url, &prefix)));
    properties::answers_like_its_model(&runtime, 64, false, || (gate.clone(), Time::Real(Clock::system())));
    runtime.block_on(assert_nothing_remains(&url, &prefix));
}

#[test]
fn never_more_units_than_stock() {
    let (runtime, url, prefix) = (runtime(), servers::redis(), fresh_prefix());
    let gate: Arc<dyn Gate> = Arc::new(runtime.block_on(node(&url, &prefix)));
    properties::never_more_units_than_stock(&runtime, 64, || gate.clone());
    runtime.block_on(assert_nothing_remains(&url, &prefix));
}
