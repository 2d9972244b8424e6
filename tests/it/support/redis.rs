//! Clients of a real Redis.

use doorbuster::app::open_redis;
use doorbuster::config::{self, Config, Secret};
use doorbuster::kernel::Rng;
use doorbuster::redis_client::RedisClient;
use redis::aio::MultiplexedConnection;

/// Settings of a node; `prefix` keeps tests apart.
pub fn settings(url: &str, prefix: &str) -> config::Gate {
    let url = Secret::new(url);
    config::Gate { url, prefix: prefix.to_owned(), ..Config::default_embedded().gate }
}

/// A prefix that nobody else uses.
pub fn fresh_prefix() -> String {
    format!("test-{}", uuid::Uuid::new_v4().simple())
}

/// A node's.
pub async fn client(url: &str, prefix: &str) -> RedisClient {
    open_redis(&settings(url, prefix), &Rng::system()).await.unwrap()
}

/// A connection of the test's own.
pub async fn connect(url: &str) -> MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

pub async fn keys(connection: &mut MultiplexedConnection, prefix: &str) -> Vec<String> {
    redis::cmd("KEYS").arg(format!("{prefix}:*")).query_async(connection).await.unwrap()
}

/// What is not needed any more is gone in the end.
pub async fn assert_nothing_remains(url: &str, prefix: &str) {
    let mut connection = connect(url).await;
    super::until("swept", async || keys(&mut connection, prefix).await.is_empty()).await;
}
