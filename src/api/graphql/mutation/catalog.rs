//! What operators do to products.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};

use super::act::operator_act;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::types::catalog::ProductObject;
use crate::api::graphql::types::scalars::{MoneyInput, Url};
use crate::catalog::{PriceInput, ProductChange, ProductInput};
use crate::kernel::ProductId;
use crate::model::rights::Right;

/// A new product.
#[derive(InputObject)]
pub struct ProductCreateInput {
    /// The short name: 1 to 200 characters on one line.
    pub name: String,
    /// A one-line tagline: at most 200 characters.
    pub title: Option<String>,
    /// A longer description: at most 10000 characters.
    pub description: Option<String>,
    /// An image: an `http` or `https` URL, or a path on this server that begins with a slash.
    pub image_url: Option<Url>,
    /// The regular price, above zero.
    pub price: MoneyInput,
}

/// The changes to a product. Fields that are absent stay unchanged; null clears an optional field.
#[derive(InputObject)]
pub struct ProductUpdateInput {
    /// The product.
    pub product_id: ID,
    /// The version that the changes are based on. The update is rejected if a newer one exists. If absent, the version is not checked.
    pub version: Option<i32>,
    /// The short name: 1 to 200 characters on one line.
    pub name: Option<String>,
    /// A one-line tagline: at most 200 characters.
    pub title: MaybeUndefined<String>,
    /// A longer description: at most 10000 characters.
    pub description: MaybeUndefined<String>,
    /// An image: an `http` or `https` URL, or a path on this server that begins with a slash.
    pub image_url: MaybeUndefined<Url>,
    /// The regular price, above zero.
    pub price: Option<MoneyInput>,
}

operator_act! {
    /// Why a product was not created.
    codes ProductCreateErrorCode {
        /// The name is missing, too long, or contains control characters.
        NameInvalid,
        /// The title is too long or contains control characters.
        TitleInvalid,
        /// The description is too long.
        DescriptionInvalid,
        /// The image URL is neither an `http` or `https` URL nor an absolute path, or the uploaded picture was removed.
        ImageUrlInvalid,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, negative or too high.
        PriceOutOfRange,
    }
    /// Why a product was not created.
    error ProductCreateUserError;
    /// The result of creating a product.
    payload ProductCreatePayload {
        /// The new product. Null when there are user errors.
        product: ProductObject
    }
}

operator_act! {
    /// Why a product was not updated.
    codes ProductUpdateErrorCode {
        /// No such product exists.
        ProductNotFound,
        /// The product has been updated since the given version.
        VersionConflict,
        /// The name is missing, too long, or contains control characters.
        NameInvalid,
        /// The title is too long or contains control characters.
        TitleInvalid,
        /// The description is too long.
        DescriptionInvalid,
        /// The image URL is neither an `http` or `https` URL nor an absolute path, or the uploaded picture was removed.
        ImageUrlInvalid,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, negative or too high.
        PriceOutOfRange,
    }
    /// Why a product was not updated.
    error ProductUpdateUserError;
    /// The result of updating a product.
    payload ProductUpdatePayload {
        /// The product after the update. Null when there are user errors.
        product: ProductObject
    }
}

impl From<MoneyInput> for PriceInput {
    fn from(input: MoneyInput) -> Self {
        Self { amount: input.amount.0, currency: input.currency_code.into() }
    }
}

/// Mutations of products.
#[derive(Default)]
pub struct CatalogMutation;

#[Object]
impl CatalogMutation {
    /// Creates a product. Operators only. All problems with the input are reported together.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new product.")] input: ProductCreateInput,
    ) -> Result<ProductCreatePayload> {
        let operator = ctx.require(Right::RunSales)?;
        let ProductCreateInput { name, title, description, image_url, price } = input;
        let image_url = image_url.map(|url| url.0);
        let input = ProductInput { name, title, description, image_url, price: price.into() };
        let acted = ctx.services().sales.product_create(operator.id, input).await;
        ProductCreatePayload::of(acted.map(ProductObject))
    }

    /// Updates a product. The change is immediately visible in sales. Operators only.
    async fn product_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: ProductUpdateInput,
    ) -> Result<ProductUpdatePayload> {
        let operator = ctx.require(Right::RunSales)?;
        let ProductUpdateInput { product_id, version, name, title, description, image_url, price } = input;
        // What does not parse gets an id that no product has: malformed and unknown ids are answered alike.
        let id = product_id.parse().unwrap_or(ProductId::from_bytes([0; 16]));
        let change = ProductChange {
            version: version.map(i64::from),
            name,
            title: title.into(),
            description: description.into(),
            image_url: image_url.map_value(|url| url.0).into(),
            price: price.map(Into::into),
        };
        let acted = ctx.services().sales.product_update(operator.id, id, change).await;
        ProductUpdatePayload::of(acted.map(ProductObject))
    }
}
