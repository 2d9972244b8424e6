//! Products, the catalog's revision, and the audit log of operators' actions.

use diesel::dsl::sql;
use diesel::sql_types::{Bool, Nullable, Text};
use diesel::{
    BoolExpressionMethods as _, EscapeExpressionMethods as _, ExpressionMethods, NullableExpressionMethods as _,
    OptionalExtension, QueryDsl, Queryable, TextExpressionMethods as _, define_sql_function,
};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{audit_log, catalog_revision, products};
use super::super::types::Id;
use super::planned_each_time;
use crate::kernel::{Listed, Money, ProductId, Timestamp, UserId, Wanted};
use crate::model::audit::Audit;
use crate::model::catalog::{Product, ProductPlace};
use crate::store::StoreError;

/// The one row of `catalog_revision`.
const ROW: i64 = 1;

#[derive(Queryable)]
pub(super) struct ProductRow {
    id: ProductId,
    name: String,
    title: Option<String>,
    description: Option<String>,
    image_url: Option<String>,
    price_minor: i64,
    currency: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    _by_hand: bool,
}

impl ProductRow {
    pub(super) fn into_product(self) -> Result<Product, StoreError> {
        Ok(Product {
            id: self.id,
            name: self.name,
            title: self.title,
            description: self.description,
            image_url: self.image_url,
            price: money(self.price_minor, &self.currency)?,
            version: narrow(self.version)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

pub(super) fn money(minor: i64, currency: &str) -> Result<Money, StoreError> {
    Ok(Money { minor, currency: currency.parse().map_err(|_| corrupt("currency"))? })
}

pub(super) fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| corrupt("number"))
}

pub(super) fn corrupt(what: &str) -> StoreError {
    StoreError::internal(format!("could not decode a stored {what}"))
}

/// The catalog's revision: grows with every operator act.
pub async fn revision(conn: &mut Conn) -> Result<u64, StoreError> {
    let value = catalog_revision::table.find(ROW).select(catalog_revision::value).first::<i64>(conn).await?;
    narrow(value)
}

/// Waits until no other operator act is under way, and holds others off until the transaction ends.
pub async fn take_turn(conn: &mut Conn) -> Result<(), StoreError> {
    let row = catalog_revision::table.find(ROW);
    diesel::update(row).set(catalog_revision::value.eq(catalog_revision::value)).execute(conn).await?;
    Ok(())
}

/// Raises the revision; returns the new one.
pub async fn raise_revision(conn: &mut Conn) -> Result<u64, StoreError> {
    let raised = diesel::update(catalog_revision::table.find(ROW))
        .set(catalog_revision::value.eq(catalog_revision::value + 1))
        .returning(catalog_revision::value)
        .get_result::<i64>(conn)
        .await?;
    narrow(raised)
}

/// Writes the act down and raises the revision; returns the new one.
pub async fn record(conn: &mut Conn, audit: &Audit) -> Result<u64, StoreError> {
    write_down(conn, audit).await?;
    raise_revision(conn).await
}

/// Writes down an act that changes nothing that nodes remember; once.
pub async fn write_down(conn: &mut Conn, audit: &Audit) -> Result<(), StoreError> {
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::id.eq(audit.id),
            audit_log::operator_id.eq(audit.operator),
            audit_log::act.eq(audit.act),
            audit_log::subject.eq(&audit.subject),
            audit_log::detail.eq(audit.detail.to_string()),
            audit_log::at.eq(audit.at),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

/// The newest acts on a subject, newest first.
pub async fn acts_on(conn: &mut Conn, subject: &str, max: i64) -> Result<Vec<(UserId, String, String)>, StoreError> {
    Ok(audit_log::table
        .filter(audit_log::subject.eq(subject))
        .order((audit_log::at.desc(), audit_log::id.desc()))
        .limit(max)
        .select((audit_log::operator_id, audit_log::act, audit_log::detail))
        .load(conn)
        .await?)
}

/// Writes a new product.
pub async fn insert_product(conn: &mut Conn, product: &Product) -> Result<(), StoreError> {
    diesel::insert_into(products::table)
        .values((
            products::id.eq(product.id),
            products::name.eq(&product.name),
            products::title.eq(&product.title),
            products::description.eq(&product.description),
            products::image_url.eq(&product.image_url),
            products::price_minor.eq(product.price.minor),
            products::currency.eq(product.price.currency.code()),
            products::version.eq(i64::from(product.version)),
            products::created_at.eq(product.created_at),
            products::updated_at.eq(product.updated_at),
            products::by_hand.eq(false),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes an edited product over its previous version.
pub async fn update_product(conn: &mut Conn, product: &Product) -> Result<(), StoreError> {
    let previous = products::table
        .filter(products::id.eq(product.id))
        .filter(products::version.eq(i64::from(product.version) - 1));
    let changed = diesel::update(previous)
        .set((
            products::name.eq(&product.name),
            products::title.eq(&product.title),
            products::description.eq(&product.description),
            products::image_url.eq(&product.image_url),
            products::price_minor.eq(product.price.minor),
            products::currency.eq(product.price.currency.code()),
            products::version.eq(i64::from(product.version)),
            products::updated_at.eq(product.updated_at),
        ))
        .execute(conn)
        .await?;
    expect_one(changed, "products.version")
}

/// A guarded update that hit nothing: the row changed since it was read.
pub(super) fn expect_one(changed: usize, guard: &str) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict { constraint: guard.to_owned() }) }
}

/// A product.
pub async fn find_product(conn: &mut Conn, id: ProductId) -> Result<Option<Product>, StoreError> {
    let row = products::table.find(id).first::<ProductRow>(conn).await.optional()?;
    row.map(ProductRow::into_product).transpose()
}

/// The products with these ids, in any order; unknown ones are absent.
pub async fn find_products(conn: &mut Conn, ids: &[ProductId]) -> Result<Vec<Product>, StoreError> {
    let rows = products::table.filter(products::id.eq_any(ids.to_vec())).load::<ProductRow>(conn).await?;
    rows.into_iter().map(ProductRow::into_product).collect()
}

define_sql_function! {
    /// Without the case of ASCII letters.
    fn lower(text: Text) -> Text;
}
define_sql_function! {
    /// The same of a text that may be absent.
    #[sql_name = "lower"]
    fn lower_if_any(text: Nullable<Text>) -> Nullable<Text>;
}

/// What `LIKE` takes for exactly this text, anywhere in another one.
fn anywhere(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern + "%"
}

/// Products in whose name or title this stands (in lower case); or all.
macro_rules! searched {
    ($query:expr, $search:expr) => {{
        let query = $query.filter(planned_each_time());
        match $search {
            None => query,
            Some(text) => {
                let in_name = lower(products::name).like(anywhere(text)).escape('\\');
                let in_title = lower_if_any(products::title).like(anywhere(text)).escape('\\');
                query.filter(in_name.nullable().or(in_title))
            }
        }
    }};
}

/// A page of the products by name. What is searched for may stand anywhere, so the names are gone through until the page is full.
pub async fn list_products(
    conn: &mut Conn,
    search: Option<&str>,
    wanted: &Wanted<ProductPlace>,
) -> Result<Listed<Product>, StoreError> {
    let query = searched!(products::table.into_boxed(), search).limit(wanted.read() as i64);
    // One bound at each end, which is a place in the index however many products have one name.
    let query = match &wanted.after {
        Some(ProductPlace { name, id }) => {
            let behind = sql::<Bool>("(products.name, products.id) > (").bind::<Text, _>(name.clone());
            query.filter(behind.sql(", ").bind::<Id, _>(*id).sql(")"))
        }
        // SQLite takes a list without a bound for a scan.
        None => query.filter(products::name.ge("")),
    };
    let mut query = match &wanted.before {
        Some(ProductPlace { name, id }) => {
            let in_front = sql::<Bool>("(products.name, products.id) < (").bind::<Text, _>(name.clone());
            query.filter(in_front.sql(", ").bind::<Id, _>(*id).sql(")"))
        }
        None => query,
    };
    query = if wanted.from_end {
        query.order((products::name.desc(), products::id.desc()))
    } else {
        query.order((products::name.asc(), products::id.asc()))
    };
    let rows: Vec<ProductRow> = query.load(conn).await?;
    let read = rows.into_iter().map(ProductRow::into_product).collect::<Result<_, _>>()?;
    let total = if wanted.count { count_products(conn, search).await? } else { 0 };
    Ok(Listed::of(read, wanted, total))
}

async fn count_products(conn: &mut Conn, search: Option<&str>) -> Result<usize, StoreError> {
    let count: i64 = searched!(products::table.count().into_boxed(), search).get_result(conn).await?;
    Ok(count as usize)
}
