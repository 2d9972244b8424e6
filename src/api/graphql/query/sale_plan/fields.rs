//! The fields that are planned, and how each is written.

use std::sync::Arc;

use async_graphql::parser::types::Field;
use async_graphql::{Pos, Positioned};

use crate::api::graphql::context::Services;
use crate::api::graphql::mutation::purchase_plan::ticket_field;
use crate::api::graphql::plans::{
    Wanted, Writes, plain, wanted, write_enum, write_fields, write_list, write_name, write_object, write_option,
    write_plain, write_quoted, write_text,
};
use crate::api::graphql::types::int::clamped;
use crate::api::graphql::types::orders::PurchaseTicket;
use crate::api::graphql::types::payments::PaymentMethod;
use crate::api::graphql::types::sales::{SaleSessionStatus, SaleStatus};
use crate::api::graphql::types::scalars::CurrencyCode;
use crate::api::graphql::types::shop::ShopStatus;
use crate::kernel::{Money, Timestamp};
use crate::model::catalog::Product;
use crate::model::sales::{Session, StockLevel};
use crate::model::snapshot::Offer;
use crate::pictures::{File, Name};

/// A session at a moment.
pub struct SessionAt {
    pub session: Arc<Session>,
    pub now: Timestamp,
}

/// A sale at a moment.
pub struct SaleAt {
    pub offer: Offer,
    pub stock: StockLevel,
    pub status: SaleStatus,
    pub now: Timestamp,
}

/// A field of a sale. Those that something else is needed for know where they stand in the document.
pub enum SaleField {
    Plain(Writes<SaleAt>),
    Price(Wanted<Writes<Money>>),
    Session(Wanted<Writes<SessionAt>>),
    OriginalPrice(Wanted<Writes<Money>>, Pos),
    Product(Wanted<ProductField>, Pos),
    /// Of the ticket, only some fields are planned; for the others nobody may be signed in.
    ViewerTicket(Option<Wanted<Writes<PurchaseTicket>>>, Pos),
}

/// A field of a product.
pub enum ProductField {
    Plain(Writes<Product>),
    Price(Wanted<Writes<Money>>),
    Image(Wanted<ImageField>),
}

/// A field of an uploaded image.
pub enum ImageField {
    Plain(Writes<Name>),
    Variants(Wanted<Writes<File>>),
}

impl ProductField {
    pub fn write(&self, product: &Product, out: &mut Vec<u8>) {
        match self {
            Self::Plain(write) => write(product, out),
            Self::Price(wanted) => write_fields(wanted, &product.price, out),
            Self::Image(wanted) => {
                let name = product.image_url.as_deref().and_then(Name::of_url);
                write_option(name, out, |name, out| write_object(wanted, out, |field, out| field.write(name, out)));
            }
        }
    }
}

impl ImageField {
    fn write(&self, name: Name, out: &mut Vec<u8>) {
        match self {
            Self::Plain(write) => write(&name, out),
            Self::Variants(wanted) => {
                write_list(name.widths(), out, |width, out| write_fields(wanted, &name.file(width), out));
            }
        }
    }
}

impl SaleField {
    /// Whether the catalog is asked for it.
    pub const fn needs_product(&self) -> bool {
        matches!(self, Self::OriginalPrice(..) | Self::Product(..))
    }

    /// Whether the viewer's ticket is asked for.
    pub const fn needs_ticket(&self) -> bool {
        matches!(self, Self::ViewerTicket(..))
    }
}

pub fn sale_field(field: &Positioned<Field>) -> Option<SaleField> {
    let set = &field.node.selection_set;
    let write: Writes<SaleAt> = match plain(field)? {
        "price" => return Some(SaleField::Price(wanted(set, money_field)?)),
        "originalPrice" => return Some(SaleField::OriginalPrice(wanted(set, money_field)?, field.pos)),
        "product" => return Some(SaleField::Product(wanted(set, product_field)?, field.pos)),
        "session" => return Some(SaleField::Session(wanted(set, session_field)?)),
        "viewerTicket" => return Some(SaleField::ViewerTicket(wanted(set, ticket_field), field.pos)),
        "__typename" => |_, out| write_name("Sale", out),
        "id" => |sale, out| write_quoted(sale.offer.sale.id, out),
        "status" => |sale, out| write_enum(sale.status, out),
        "pointsPrice" => |sale, out| write_option(sale.offer.sale.points_price.map(clamped), out, write_plain),
        "stockTotal" => |sale, out| write_plain(clamped(sale.stock.total), out),
        "stockRemaining" => |sale, out| write_plain(clamped(sale.stock.left), out),
        "unitsHeld" => |sale, out| write_plain(clamped(sale.stock.held), out),
        "limitPerBuyer" => |sale, out| write_plain(clamped(sale.offer.sale.limit_per_buyer), out),
        "payWithinSeconds" => |sale, out| write_plain(clamped(sale.offer.sale.pay_within.as_secs()), out),
        "startsAt" => |sale, out| write_quoted(sale.offer.session.starts_at.to_rfc3339(), out),
        "endsAt" => |sale, out| write_quoted(sale.offer.session.ends_at.to_rfc3339(), out),
        "version" => |sale, out| write_plain(clamped(sale.offer.sale.version), out),
        "returnsOnRefund" => |sale, out| write_plain(sale.offer.sale.returns_on_refund, out),
        _ => return None,
    };
    Some(SaleField::Plain(write))
}

pub fn session_field(field: &Positioned<Field>) -> Option<Writes<SessionAt>> {
    Some(match plain(field)? {
        "__typename" => |_, out| write_name("SaleSession", out),
        "id" => |at, out| write_quoted(at.session.id, out),
        "name" => |at, out| write_option(at.session.name.as_deref(), out, write_text),
        "startsAt" => |at, out| write_quoted(at.session.starts_at.to_rfc3339(), out),
        "endsAt" => |at, out| write_quoted(at.session.ends_at.to_rfc3339(), out),
        "status" => |at, out| write_enum(SaleSessionStatus::from(at.session.status(at.now)), out),
        _ => return None,
    })
}

fn product_field(field: &Positioned<Field>) -> Option<ProductField> {
    let write: Writes<Product> = match plain(field)? {
        "price" => return Some(ProductField::Price(wanted(&field.node.selection_set, money_field)?)),
        "image" => return Some(ProductField::Image(wanted(&field.node.selection_set, image_field)?)),
        "__typename" => |_, out| write_name("Product", out),
        "id" => |product, out| write_quoted(product.id, out),
        "name" => |product, out| write_text(&product.name, out),
        "title" => |product, out| write_option(product.title.as_deref(), out, write_text),
        "description" => |product, out| write_option(product.description.as_deref(), out, write_text),
        "imageUrl" => |product, out| write_option(product.image_url.as_deref(), out, write_text),
        "version" => |product, out| write_plain(clamped(product.version), out),
        "createdAt" => |product, out| write_quoted(product.created_at.to_rfc3339(), out),
        "updatedAt" => |product, out| write_quoted(product.updated_at.to_rfc3339(), out),
        _ => return None,
    };
    Some(ProductField::Plain(write))
}

fn image_field(field: &Positioned<Field>) -> Option<ImageField> {
    let write: Writes<Name> = match plain(field)? {
        "variants" => return Some(ImageField::Variants(wanted(&field.node.selection_set, variant_field)?)),
        "__typename" => |_, out| write_name("Image", out),
        "url" => |name, out| write_quoted(name.widest(), out),
        "width" => |name, out| write_plain(clamped(name.width), out),
        "height" => |name, out| write_plain(clamped(name.height), out),
        "altText" => |_, out| write_text("", out),
        "colour" => |name, out| write_quoted(name.colour_code(), out),
        _ => return None,
    };
    Some(ImageField::Plain(write))
}

fn variant_field(field: &Positioned<Field>) -> Option<Writes<File>> {
    Some(match plain(field)? {
        "__typename" => |_, out| write_name("ImageVariant", out),
        "url" => |file, out| write_quoted(file, out),
        "width" => |file, out| write_plain(clamped(file.width), out),
        _ => return None,
    })
}

fn money_field(field: &Positioned<Field>) -> Option<Writes<Money>> {
    Some(match plain(field)? {
        "__typename" => |_, out| write_name("Money", out),
        "amount" => |money, out| write_quoted(money.amount(), out),
        "currencyCode" => |money, out| write_enum(CurrencyCode::from(money.currency), out),
        _ => return None,
    })
}

pub fn shop_field(field: &Positioned<Field>) -> Option<Writes<Services>> {
    Some(match plain(field)? {
        "__typename" => |_, out| write_name("Shop", out),
        "name" => |services, out| write_text(&services.config.shop.name, out),
        "timeZone" => |services, out| write_text(&services.config.sales.time_zone, out),
        "signUpOpen" => |services, out| write_plain(services.config.accounts.sign_up_open, out),
        "paymentMethods" => |services, out| {
            let alipay = services.config.payments.has_alipay().then_some(PaymentMethod::Alipay);
            write_list(alipay.into_iter().chain([PaymentMethod::Points]), out, write_enum);
        },
        "welcomePoints" => |services, out| {
            write_plain(clamped(u64::try_from(services.live.now().points.welcome).unwrap_or_default()), out);
        },
        "status" => |services, out| write_enum(ShopStatus::from(services.sales.snapshot().shop()), out),
        "statusSince" => |services, out| write_quoted(services.sales.snapshot().shop().since.to_rfc3339(), out),
        "supportUrl" => |services, out| {
            let url = services.config.shop.support_url.as_str();
            write_option((!url.is_empty()).then_some(url), out, write_text);
        },
        _ => return None,
    })
}
