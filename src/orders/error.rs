//! Why an operation on orders fails.

use crate::broker::BrokerError;
use crate::gate::GateError;
use crate::sales::GateCopyError;
use crate::store::StoreError;

/// Something that orders need does not work now; whether anything changed is unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OrdersError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The broker.
    #[error(transparent)]
    Broker(BrokerError),
}

impl From<GateCopyError> for OrdersError {
    fn from(error: GateCopyError) -> Self {
        match error {
            GateCopyError::Store(error) => Self::Store(error),
            GateCopyError::Gate(error) => Self::Gate(error),
        }
    }
}
