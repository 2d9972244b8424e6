//! Products.

use crate::kernel::{Money, ProductId, Timestamp};

/// A product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Identity.
    pub id: ProductId,
    /// Short name.
    pub name: String,
    /// One line of advertising.
    pub title: Option<String>,
    /// Longer text.
    pub description: Option<String>,
    /// Absolute URL, or a path on this server.
    pub image_url: Option<String>,
    /// The ordinary price, outside sales.
    pub price: Money,
    /// Grows with each edit.
    pub version: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
}

/// A place in the list of products, by name, then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductPlace {
    /// The product's name.
    pub name: String,
    /// Which product of that name.
    pub id: ProductId,
}
