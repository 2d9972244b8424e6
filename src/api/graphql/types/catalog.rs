//! Products.

use std::sync::Arc;

use async_graphql::{ID, Object};

use super::connection::connection;
use super::int::clamped;
use super::scalars::{DateTime, Money, Url};
use crate::catalog::Product;

connection! {
    /// A page of products, by name.
    ProductConnection, ProductEdge, ProductObject
}

/// What is sold.
#[derive(Clone)]
pub struct ProductObject(pub Arc<Product>);

/// What is sold.
#[Object(name = "Product")]
impl ProductObject {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The short name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// One line of advertising.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// Longer text.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// A picture: an absolute URL, or a path on this server.
    async fn image_url(&self) -> Option<Url> {
        self.0.image_url.clone().map(Url)
    }

    /// The ordinary price, outside sales.
    async fn price(&self) -> Money {
        Money(self.0.price)
    }

    /// Grows with each edit; give it with an edit to be told when somebody else was faster.
    async fn version(&self) -> i32 {
        clamped(self.0.version)
    }

    /// When the product was created.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the product was last edited.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}
