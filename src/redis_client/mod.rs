//! Redis, which the nodes of the distributed profile share: connections, the check of the server, and its function libraries. It knows
//! nothing of what is stored there: each library and its keys belong to the module that brings it (`gate`, `limits`, `accounts`).
//!
//! Admissions have separate connections: all other calls (counters, tokens, rebuilds, settling) use other connections and can't delay
//! them.

mod client;
mod error;
mod library;
mod pool;
mod server;

pub use client::{Exchange, RedisClient};
pub use error::{CallError, RedisError};
pub use library::Library;
pub use redis::{Cmd, FromRedisValue};
