//! Products.

use std::sync::Arc;

use async_graphql::{ID, Object};

use super::connection::connection;
use super::int::clamped;
use super::scalars::{DateTime, Money, Url};
use crate::model::catalog::Product;
use crate::pictures::{File, Name};

connection! {
    /// A page of products, sorted by name.
    ProductConnection, ProductEdge, ProductObject
}

/// An uploaded image, with what a page needs before it is loaded.
pub struct Image(pub Name);

/// An uploaded image, with what a page needs before it is loaded.
#[Object]
impl Image {
    /// The largest variant: a path on this server.
    async fn url(&self) -> Url {
        Url(self.0.widest().to_string())
    }

    /// The width of the largest variant, in pixels.
    async fn width(&self) -> i32 {
        clamped(self.0.width)
    }

    /// The height of the largest variant, in pixels.
    async fn height(&self) -> i32 {
        clamped(self.0.height)
    }

    /// What the image shows, for people who do not see it. Empty if it adds nothing to the name beside it.
    async fn alt_text(&self) -> &'static str {
        ""
    }

    /// The average colour, as `#rrggbb`.
    async fn colour(&self) -> Option<String> {
        Some(self.0.colour_code())
    }

    /// All variants, the narrowest first.
    async fn variants(&self) -> Vec<ImageVariant> {
        self.0.widths().map(|width| ImageVariant(self.0.file(width))).collect()
    }
}

/// An image in one width.
pub struct ImageVariant(pub File);

/// An image in one width.
#[Object]
impl ImageVariant {
    /// The path of the variant on this server.
    async fn url(&self) -> Url {
        Url(self.0.to_string())
    }

    /// The width, in pixels.
    async fn width(&self) -> i32 {
        clamped(self.0.width)
    }
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

    /// The image with its size and variants. Null if it was not uploaded to the shop, or if there is none.
    async fn image(&self) -> Option<Image> {
        self.0.image_url.as_deref().and_then(Name::of_url).map(Image)
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
