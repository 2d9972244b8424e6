//! A connection to Redis without the pool. Only `doorbuster bench cluster-gate` uses it: the difference is what bb8 costs an admission.

use redis::aio::MultiplexedConnection;

use super::{RedisGate, wire};
use crate::gate::{Attempt, Decision, GateError};
use crate::kernel::SaleId;
use crate::model::gate::SaleVersion;

/// The way to the gate in Redis over a single connection. Nobody replaces it if it breaks.
#[derive(Clone)]
pub struct BareLink {
    gate: RedisGate,
    connection: MultiplexedConnection,
}

impl RedisGate {
    /// Opens a connection that the pools know nothing of.
    pub async fn bare_link(&self) -> Result<BareLink, GateError> {
        Ok(BareLink { gate: self.clone(), connection: self.0.client.connect_apart().await? })
    }
}

impl BareLink {
    /// The same as [`crate::gate::Gate::admit`].
    pub async fn admit(
        &self,
        sale: SaleId,
        known: SaleVersion,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Decision>, GateError> {
        let command = self.gate.admission(sale, known, &attempts);
        let answer = command.query_async::<wire::Admission>(&mut self.connection.clone()).await;
        wire::decisions(sale, known.epoch, attempts.len(), answer.map_err(|error| GateError(error.to_string()))?)
    }
}
