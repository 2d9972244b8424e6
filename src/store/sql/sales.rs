//! Sessions, sales, and units added to them.

use std::time::Duration;

use diesel::{
    BoolExpressionMethods, ExpressionMethods, JoinOnDsl, NullableExpressionMethods, OptionalExtension, QueryDsl,
    Queryable,
};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{products, sale_sessions, sale_stock_adds, sales, shop_status};
use super::catalog::{ProductRow, corrupt, expect_one, money, narrow};
use super::planned_each_time;
use crate::kernel::{ProductId, SaleId, SessionId, Timestamp};
use crate::model::sales::{Sale, SaleState, Session, ShopState, StockLevel};
use crate::model::snapshot::{Contents, Offer};
use crate::store::StoreError;

/// Sale numbers begin after this one.
const NUMBERS_AFTER: i64 = 1_000;

#[derive(Queryable)]
struct SessionRow {
    id: SessionId,
    name: Option<String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    created_at: Timestamp,
    _version: i64,
    _by_hand: bool,
}

impl SessionRow {
    fn into_session(self) -> Session {
        let Self { id, name, starts_at, ends_at, created_at, .. } = self;
        Session { id, name, starts_at, ends_at, created_at }
    }
}

#[derive(Queryable)]
struct SaleRow {
    id: SaleId,
    number: i64,
    session_id: SessionId,
    product_id: ProductId,
    price_minor: i64,
    currency: String,
    points_price: Option<i64>,
    stock_total: i64,
    stock_left: i64,
    stock_version: i64,
    limit_per_buyer: i64,
    pay_within_ms: i64,
    returns_on_refund: bool,
    status: String,
    epoch: i64,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    ended_at: Option<Timestamp>,
    units_held: i64,
    held: bool,
    _by_hand: bool,
}

impl SaleRow {
    fn into_sale(self, now: Timestamp) -> Result<(Sale, StockLevel), StoreError> {
        let stock = StockLevel {
            sale: self.id,
            left: narrow(self.stock_left)?,
            held: narrow(self.units_held)?,
            total: narrow(self.stock_total)?,
            version: narrow(self.stock_version)?,
            at: now,
        };
        let sale = Sale {
            id: self.id,
            number: narrow(self.number)?,
            session_id: self.session_id,
            product_id: self.product_id,
            price: money(self.price_minor, &self.currency)?,
            points_price: self.points_price.map(narrow).transpose()?,
            stock_total: stock.total,
            limit_per_buyer: narrow(self.limit_per_buyer)?,
            pay_within: Duration::from_millis(narrow(self.pay_within_ms)?),
            returns_on_refund: self.returns_on_refund,
            held: self.held,
            state: SaleState::parse(&self.status).ok_or_else(|| corrupt("sale status"))?,
            epoch: narrow(self.epoch)?,
            version: narrow(self.version)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
            ended_at: self.ended_at,
        };
        Ok((sale, stock))
    }
}

/// Writes a new session.
pub async fn insert_session(conn: &mut Conn, session: &Session) -> Result<(), StoreError> {
    diesel::insert_into(sale_sessions::table)
        .values((
            sale_sessions::id.eq(session.id),
            sale_sessions::name.eq(&session.name),
            sale_sessions::starts_at.eq(session.starts_at),
            sale_sessions::ends_at.eq(session.ends_at),
            sale_sessions::created_at.eq(session.created_at),
            sale_sessions::by_hand.eq(false),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// A session.
pub async fn find_session(conn: &mut Conn, id: SessionId) -> Result<Option<Session>, StoreError> {
    let row = sale_sessions::table.find(id).first::<SessionRow>(conn).await.optional()?;
    Ok(row.map(SessionRow::into_session))
}

/// The sale whose orders have numbers that begin with this one.
pub async fn id_of_number(conn: &mut Conn, number: u64) -> Result<Option<SaleId>, StoreError> {
    Ok(sales::table.filter(sales::number.eq(number as i64)).select(sales::id).first(conn).await.optional()?)
}

/// The number for the next sale; stays free while the transaction has its turn (see `catalog::take_turn`).
pub async fn next_number(conn: &mut Conn) -> Result<u64, StoreError> {
    let last = sales::table.select(diesel::dsl::max(sales::number)).first::<Option<i64>>(conn).await?;
    narrow(last.unwrap_or(0).max(NUMBERS_AFTER) + 1)
}

/// Writes a new sale with all its units free.
pub async fn insert_sale(conn: &mut Conn, sale: &Sale) -> Result<(), StoreError> {
    diesel::insert_into(sales::table)
        .values((
            (
                sales::id.eq(sale.id),
                sales::number.eq(sale.number as i64),
                sales::session_id.eq(sale.session_id),
                sales::product_id.eq(sale.product_id),
                sales::price_minor.eq(sale.price.minor),
                sales::currency.eq(sale.price.currency.code()),
                sales::points_price.eq(sale.points_price.map(i64::from)),
                sales::stock_total.eq(i64::from(sale.stock_total)),
                sales::stock_left.eq(i64::from(sale.stock_total)),
            ),
            (
                sales::limit_per_buyer.eq(i64::from(sale.limit_per_buyer)),
                sales::pay_within_ms.eq(sale.pay_within.as_millis() as i64),
                sales::returns_on_refund.eq(sale.returns_on_refund),
                sales::status.eq(sale.state.as_str()),
                sales::epoch.eq(i64::from(sale.epoch)),
                sales::version.eq(i64::from(sale.version)),
                sales::created_at.eq(sale.created_at),
                sales::updated_at.eq(sale.updated_at),
                sales::by_hand.eq(false),
            ),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// A sale with its session and its stock at this moment.
pub async fn find_offer(conn: &mut Conn, id: SaleId, now: Timestamp) -> Result<Option<Offer>, StoreError> {
    let found = sales::table
        .inner_join(sale_sessions::table.on(sale_sessions::id.eq(sales::session_id)))
        .filter(sales::id.eq(id))
        .first::<(SaleRow, SessionRow)>(conn)
        .await
        .optional()?;
    let Some((sale, session)) = found else { return Ok(None) };
    let (sale, stock) = sale.into_sale(now)?;
    Ok(Some(Offer { sale: sale.into(), session: session.into_session().into(), stock }))
}

/// Writes an edited draft over its previous version. All its units are free: nobody could buy yet.
pub async fn update_draft(conn: &mut Conn, sale: &Sale) -> Result<(), StoreError> {
    let previous = sales::table
        .filter(sales::id.eq(sale.id))
        .filter(sales::version.eq(i64::from(sale.version) - 1))
        .filter(sales::status.eq(SaleState::Draft.as_str()));
    let changed = diesel::update(previous)
        .set((
            sales::session_id.eq(sale.session_id),
            sales::product_id.eq(sale.product_id),
            sales::price_minor.eq(sale.price.minor),
            sales::currency.eq(sale.price.currency.code()),
            sales::points_price.eq(sale.points_price.map(i64::from)),
            sales::stock_total.eq(i64::from(sale.stock_total)),
            sales::stock_left.eq(i64::from(sale.stock_total)),
            sales::stock_version.eq(sales::stock_version + 1),
            sales::limit_per_buyer.eq(i64::from(sale.limit_per_buyer)),
            sales::pay_within_ms.eq(sale.pay_within.as_millis() as i64),
            sales::returns_on_refund.eq(sale.returns_on_refund),
            sales::version.eq(i64::from(sale.version)),
            sales::updated_at.eq(sale.updated_at),
        ))
        .execute(conn)
        .await?;
    expect_one(changed, "sales.version")
}

/// Writes a sale's new state and epoch over its previous version. The caller has the operators' turn, as who rebuilds a gate has.
pub async fn update_state(conn: &mut Conn, sale: &Sale) -> Result<(), StoreError> {
    let previous = sales::table.filter(sales::id.eq(sale.id)).filter(sales::version.eq(i64::from(sale.version) - 1));
    let changed = diesel::update(previous)
        .set((
            sales::status.eq(sale.state.as_str()),
            sales::held.eq(sale.held),
            sales::epoch.eq(i64::from(sale.epoch)),
            sales::version.eq(i64::from(sale.version)),
            sales::updated_at.eq(sale.updated_at),
            sales::ended_at.eq(sale.ended_at),
        ))
        .execute(conn)
        .await?;
    expect_one(changed, "sales.version")
}

/// Adds units, free ones, to a sale that is still at `version`; returns it and its stock afterwards.
pub async fn add_stock(
    conn: &mut Conn,
    id: SaleId,
    version: u32,
    units: u32,
    now: Timestamp,
) -> Result<(Sale, StockLevel), StoreError> {
    let previous = sales::table.filter(sales::id.eq(id)).filter(sales::version.eq(i64::from(version)));
    let units = i64::from(units);
    let changed = diesel::update(previous)
        .set((
            sales::stock_total.eq(sales::stock_total + units),
            sales::stock_left.eq(sales::stock_left + units),
            sales::stock_version.eq(sales::stock_version + 1),
            sales::version.eq(sales::version + 1),
            sales::updated_at.eq(now),
        ))
        .returning(sales::all_columns)
        .get_result::<SaleRow>(conn)
        .await
        .optional()?;
    let row = changed.ok_or_else(|| StoreError::Conflict { constraint: "sales.version".to_owned() })?;
    row.into_sale(now)
}

/// The units that were added to the sale under the key.
pub async fn find_stock_add(conn: &mut Conn, sale: SaleId, key: &str) -> Result<Option<u32>, StoreError> {
    let units =
        sale_stock_adds::table.find((sale, key)).select(sale_stock_adds::units).first::<i64>(conn).await.optional()?;
    units.map(narrow).transpose()
}

/// Remembers that units were added to the sale under the key.
pub async fn insert_stock_add(
    conn: &mut Conn,
    sale: SaleId,
    key: &str,
    units: u32,
    now: Timestamp,
) -> Result<(), StoreError> {
    diesel::insert_into(sale_stock_adds::table)
        .values((
            sale_stock_adds::sale_id.eq(sale),
            sale_stock_adds::idempotency_key.eq(key),
            sale_stock_adds::units.eq(i64::from(units)),
            sale_stock_adds::at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The sales whose sessions end after `since` and that are no drafts, with their sessions and their stock at this moment.
pub async fn published_since(conn: &mut Conn, since: Timestamp, now: Timestamp) -> Result<Vec<Offer>, StoreError> {
    // Joined like this, the few sessions come first in every plan.
    let found = sale_sessions::table
        .left_join(sales::table.on(sales::session_id.eq(sale_sessions::id)))
        .filter(sale_sessions::ends_at.gt(since).and(planned_each_time()))
        .load::<(SessionRow, Option<SaleRow>)>(conn)
        .await?;
    let mut offers = Vec::with_capacity(found.len());
    for (session, sale) in found {
        let Some(sale) = sale else { continue };
        let (sale, stock) = sale.into_sale(now)?;
        if sale.state != SaleState::Draft {
            offers.push(Offer { sale: sale.into(), session: session.into_session().into(), stock });
        }
    }
    Ok(offers)
}

/// Sessions that end after `since`, their sales, and the products of those, as of one moment (one statement).
pub async fn load(conn: &mut Conn, since: Timestamp, now: Timestamp) -> Result<Contents, StoreError> {
    let found = sale_sessions::table
        .left_join(sales::table.on(sales::session_id.eq(sale_sessions::id)))
        .left_join(products::table.on(products::id.nullable().eq(sales::product_id.nullable())))
        .filter(sale_sessions::ends_at.gt(since).and(planned_each_time()))
        .load::<(SessionRow, Option<SaleRow>, Option<ProductRow>)>(conn)
        .await?;
    let mut rows = Vec::with_capacity(found.len());
    for (session, sale, product) in found {
        let sold = match sale.zip(product) {
            Some((sale, product)) => {
                let (sale, stock) = sale.into_sale(now)?;
                Some((sale, stock, product.into_product()?))
            }
            None => None,
        };
        rows.push((session.into_session(), sold));
    }
    Ok(Contents { rows, shop: shop(conn).await? })
}

/// The one row of `shop_status`.
const SHOP: i64 = 1;

/// Whether the shop sells.
pub async fn shop(conn: &mut Conn) -> Result<ShopState, StoreError> {
    let row = shop_status::table.find(SHOP).select((shop_status::paused, shop_status::since));
    let (paused, since) = row.first(conn).await?;
    Ok(ShopState { paused, since })
}

/// Writes whether the shop sells.
pub async fn set_shop(conn: &mut Conn, shop: ShopState) -> Result<(), StoreError> {
    let row = diesel::update(shop_status::table.find(SHOP));
    let changed =
        row.set((shop_status::paused.eq(shop.paused), shop_status::since.eq(shop.since))).execute(conn).await?;
    expect_one(changed, "shop_status.id")
}
