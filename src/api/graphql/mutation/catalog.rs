//! What operators do to products.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};

use super::act::operator_act;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::types::catalog::ProductObject;
use crate::api::graphql::types::scalars::{MoneyInput, Url};
use crate::catalog::{PriceInput, ProductChange, ProductInput};
use crate::kernel::ProductId;

/// A new product.
#[derive(InputObject)]
pub struct ProductCreateInput {
    /// The short name: 1 to 200 characters on one line.
    pub name: String,
    /// One line of advertising: at most 200 characters.
    pub title: Option<String>,
    /// Longer text: at most 10000 characters.
    pub description: Option<String>,
    /// A picture: an `http` or `https` URL, or a path on this server that begins with a slash.
    pub image_url: Option<Url>,
    /// The ordinary price, above zero.
    pub price: MoneyInput,
}

/// An edit of a product. What is absent stays as it is; null empties what may be empty.
#[derive(InputObject)]
pub struct ProductUpdateInput {
    /// The product.
    pub product_id: ID,
    /// The version that the edit was made from: refused when there is a newer one. Absent: the edit is made in any case.
    pub version: Option<i32>,
    /// The short name: 1 to 200 characters on one line.
    pub name: Option<String>,
    /// One line of advertising: at most 200 characters.
    pub title: MaybeUndefined<String>,
    /// Longer text: at most 10000 characters.
    pub description: MaybeUndefined<String>,
    /// A picture: an `http` or `https` URL, or a path on this server that begins with a slash.
    pub image_url: MaybeUndefined<Url>,
    /// The ordinary price, above zero.
    pub price: Option<MoneyInput>,
}

operator_act! {
    /// What is wrong with a new product.
    codes ProductCreateErrorCode {
        /// The name is missing, too long, or has control characters.
        NameInvalid,
        /// The title is too long, or has control characters.
        TitleInvalid,
        /// The description is too long.
        DescriptionInvalid,
        /// The picture is neither an `http` or `https` URL nor an absolute path.
        ImageUrlInvalid,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, below zero, or too large.
        PriceOutOfRange,
    }
    /// Something that is wrong with a new product.
    error ProductCreateUserError;
    /// What came of creating a product.
    payload ProductCreatePayload {
        /// The new product; null when there are user errors.
        product: ProductObject
    }
}

operator_act! {
    /// What is wrong with an edit of a product.
    codes ProductUpdateErrorCode {
        /// There is no such product.
        ProductNotFound,
        /// Somebody else edited the product in the meantime.
        VersionConflict,
        /// The name is missing, too long, or has control characters.
        NameInvalid,
        /// The title is too long, or has control characters.
        TitleInvalid,
        /// The description is too long.
        DescriptionInvalid,
        /// The picture is neither an `http` or `https` URL nor an absolute path.
        ImageUrlInvalid,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, below zero, or too large.
        PriceOutOfRange,
    }
    /// Something that is wrong with an edit of a product.
    error ProductUpdateUserError;
    /// What came of editing a product.
    payload ProductUpdatePayload {
        /// The product after the edit; null when there are user errors.
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
    /// Creates a product. For operators. Everything that is wrong with the input is reported at once.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new product.")] input: ProductCreateInput,
    ) -> Result<ProductCreatePayload> {
        let operator = ctx.require_operator()?;
        let ProductCreateInput { name, title, description, image_url, price } = input;
        let image_url = image_url.map(|url| url.0);
        let input = ProductInput { name, title, description, image_url, price: price.into() };
        let acted = ctx.services().sales.product_create(operator.id, input).await;
        ProductCreatePayload::of(acted.map(ProductObject))
    }

    /// Edits a product; sales show the edit at once. For operators.
    async fn product_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The edit.")] input: ProductUpdateInput,
    ) -> Result<ProductUpdatePayload> {
        let operator = ctx.require_operator()?;
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
