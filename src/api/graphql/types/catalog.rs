//! Products.

use std::sync::Arc;

use async_graphql::{ID, Object};

use super::connection::connection;
use super::int::clamped;
use super::scalars::{DateTime, Money, Url};
use crate::catalog::Product;

connection! {
    /// A page of products, sorted by name.
    ProductConnection, ProductEdge, ProductObject
}

/// A product that the shop sells.
#[derive(Clone)]
pub struct ProductObject(pub Arc<Product>);

/// A product that the shop sells.
#[Object(name = "Product")]
impl ProductObject {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The short name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// A one-line tagline.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// A longer description.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// An image: an absolute URL, or a path on this server.
    async fn image_url(&self) -> Option<Url> {
        self.0.image_url.clone().map(Url)
    }

    /// The regular price, outside sales.
    async fn price(&self) -> Money {
        Money(self.0.price)
    }

    /// Increases with each update. Pass it to `productUpdate` to detect concurrent changes.
    async fn version(&self) -> i32 {
        clamped(self.0.version)
    }

    /// When the product was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the product was last updated.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}
