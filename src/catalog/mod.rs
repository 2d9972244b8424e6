//! The catalog: products, reading them, and why an operator's input is rejected.

pub mod audit;
pub mod edit;
mod input;
pub mod model;
pub mod problem;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

pub use audit::Audit;
pub use input::{PriceInput, ProductChange, ProductInput};
pub(crate) use input::{absent_if_blank, is_line, price};
pub use model::{Product, ProductPlace};
pub use problem::{ActError, Problem, Reason};

use crate::kernel::ProductId;

/// The catalog can't answer now. What was asked for may exist.
#[derive(Debug, Clone, thiserror::Error)]
#[error("catalog unavailable: {0}")]
pub struct CatalogError(pub String);

/// Where products are read from. A sale can be shown without it.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// The products with these ids; unknown ones are absent from the answer.
    async fn find_many(&self, ids: &[ProductId]) -> Result<HashMap<ProductId, Arc<Product>>, CatalogError>;
}
