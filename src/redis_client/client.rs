//! The way of all calls.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, Value, cmd};
use tokio::time::Instant;

use super::error::{CallError, RedisError};
use super::library::{Library, lacks_function};
use super::pool::{Pool, Settings};
use super::server::Server;
use crate::config;
use crate::kernel::{Breaker, Rng};

/// Keys looked at and removed in one call: about a millisecond of Redis's time, and others get their turn in between.
const PIECE: usize = 500;

/// The connections to Redis. Cheap to clone; clones share the connections.
///
/// Each call ends within `gate.call_timeout`, with an error if need be; a connection that did not answer is dropped, and connected again
/// in the background.
#[derive(Clone)]
pub struct RedisClient(Arc<Inner>);

struct Inner {
    admissions: Pool,
    others: Pool,
    prefix: String,
    call_timeout: Duration,
}

impl RedisClient {
    /// Connects, and loads those of the libraries that the server lacks. Needs a tokio runtime.
    ///
    /// Fails with the reason when the server answers but can't be used: a cluster, a replica, one older than Redis 7.0, one
    /// that evicts keys, a wrong password. A server that does not answer is no failure: calls fail until it does.
    pub async fn open(config: &config::Gate, rng: &Rng, libraries: Vec<&'static Library>) -> Result<Self, RedisError> {
        let server = Arc::new(Server::new(config, libraries)?);
        let pool = |size| {
            let settings = Settings {
                size,
                longest_wait: *config.reconnect_wait,
                call_timeout: *config.call_timeout,
                breaker: Breaker::new(*config.refuse_after),
            };
            Pool::open(server.clone(), rng.clone(), settings)
        };
        let (admissions, others) = tokio::try_join!(pool(config.connections), pool(config.other_connections))?;
        let (prefix, call_timeout) = (config.prefix.clone(), *config.call_timeout);
        Ok(Self(Arc::new(Inner { admissions, others, prefix, call_timeout })))
    }

    /// Whether the settings can be read; no server is asked.
    pub fn check(config: &config::Gate) -> Result<(), RedisError> {
        Server::new(config, Vec::new()).map(drop)
    }

    /// What all keys begin with.
    pub fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// Open while Redis has not answered for `gate.refuse_after`: admissions fail at once then, until there is a connection again.
    pub fn breaker(&self) -> &Breaker {
        self.0.admissions.breaker()
    }

    /// A call of a function of the library with this name; its arguments follow.
    pub fn function(&self, library: &str, name: &str) -> Cmd {
        let mut command = cmd("FCALL");
        command.arg(format!("{library}_{name}")).arg(1).arg(&self.0.prefix);
        command
    }

    /// Makes anything but an admission.
    pub async fn call<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let value = self.others().call(command).await?;
        T::from_redis_value(value).map_err(|error| RedisError(error.to_string()))
    }

    /// Begins an exchange over the connections of admissions.
    pub fn admissions(&self) -> Exchange<'_> {
        self.exchange(&self.0.admissions)
    }

    /// Begins an exchange over the connections of everything else.
    pub fn others(&self) -> Exchange<'_> {
        self.exchange(&self.0.others)
    }

    fn exchange<'a>(&self, pool: &'a Pool) -> Exchange<'a> {
        Exchange { pool, deadline: Instant::now() + self.0.call_timeout, loaded: false }
    }

    /// Opens a connection that the pools know nothing of.
    pub async fn connect_apart(&self) -> Result<MultiplexedConnection, RedisError> {
        self.0.admissions.connect_apart().await
    }

    /// Removes all keys under the prefix: admissions, counters and cached tokens. How many there were. Sales are closed afterwards until
    /// they are rebuilt. For a database that was restored.
    pub async fn empty(&self) -> Result<u64, RedisError> {
        let literal = |c: char| if "\\*?[]^-".contains(c) { format!("\\{c}") } else { c.to_string() };
        let pattern = self.0.prefix.chars().map(literal).collect::<String>() + ":*";
        let (mut cursor, mut removed) = (0_u64, 0);
        loop {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(PIECE);
            let (next, keys): (u64, Vec<Vec<u8>>) = self.call(&scan).await?;
            if !keys.is_empty() {
                removed += self.call::<u64>(cmd("UNLINK").arg(keys)).await?;
            }
            if next == 0 {
                return Ok(removed);
            }
            cursor = next;
        }
    }
}

/// Calls that share a deadline, over the connections of one pool.
pub struct Exchange<'a> {
    pool: &'a Pool,
    deadline: Instant,
    loaded: bool,
}

impl Exchange<'_> {
    /// Makes a call. If the server lacks its function because somebody removed the libraries, they are loaded again, once.
    pub async fn call(&mut self, command: &Cmd) -> Result<Value, CallError> {
        loop {
            match self.pool.call(command, self.deadline).await {
                Err(CallError::Told(error)) if !self.loaded && lacks_function(&error) => {
                    self.loaded = true;
                    self.pool.load_libraries(self.deadline).await?;
                }
                answer => return answer,
            }
        }
    }

    /// Makes several calls; says only whether they went through.
    pub async fn call_all(&self, commands: &Pipeline) -> Result<(), CallError> {
        self.pool.call_all(commands, self.deadline).await
    }
}
