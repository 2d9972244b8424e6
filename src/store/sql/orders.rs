//! Orders: the order writer's batch, closing, and lookups.

use diesel::dsl::{case_when, sql};
use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;
use diesel::{
    BoolExpressionMethods, ExpressionMethods, Insertable, JoinOnDsl, OptionalExtension, QueryDsl, Queryable,
    SelectableHelper,
};
use diesel_async::RunQueryDsl;

use super::super::schema::{orders, payments, products, sales};
use super::super::{Conn, bulk};
use super::catalog::{corrupt, money};
use crate::kernel::{Epoch, SaleId, Seq, TicketId, Timestamp, UserId};
use crate::model::gate::{KnownTicket, Units};
use crate::model::order_requests::{OrderRequest, TicketPrice};
use crate::model::orders::{Closing, ListKey, Order, OrderList, OrderPage, OrderState};
use crate::model::sale_facts::{RecordedTicket, SaleFacts};
use crate::model::sales::StockLevel;
use crate::payments::{Method, PaymentState};
use crate::store::StoreError;

/// Orders in one statement at most.
const CHUNK: usize = 500;

#[derive(Queryable, Insertable, diesel::Selectable)]
#[diesel(table_name = orders)]
pub(in super::super) struct Row {
    id: TicketId,
    sale_id: SaleId,
    sale_number: i64,
    buyer_id: UserId,
    quantity: i64,
    idempotency_key: Option<String>,
    status: String,
    product_name: String,
    price_minor: i64,
    currency: String,
    points_price: Option<i64>,
    created_at: Timestamp,
    decided_at: Timestamp,
    pay_before: Timestamp,
    paid_at: Option<Timestamp>,
    closed_at: Option<Timestamp>,
    version: i64,
}

impl From<&Order> for Row {
    fn from(order: &Order) -> Self {
        Self {
            id: order.ticket,
            sale_id: order.sale(),
            sale_number: order.sale_number as i64,
            buyer_id: order.buyer,
            quantity: i64::from(order.quantity),
            idempotency_key: order.key.clone(),
            status: order.state.as_str().to_owned(),
            product_name: order.product_name.clone(),
            price_minor: order.unit_price.minor,
            currency: order.unit_price.currency.code().to_owned(),
            points_price: order.points_price.map(i64::from),
            created_at: order.created_at,
            decided_at: order.decided_at,
            pay_before: order.pay_before,
            paid_at: order.paid_at,
            closed_at: order.closed_at,
            version: i64::from(order.version),
        }
    }
}

impl TryFrom<Row> for Order {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            ticket: row.id,
            sale_number: row.sale_number as u64,
            buyer: row.buyer_id,
            quantity: row.quantity as u32,
            key: row.idempotency_key,
            state: OrderState::parse(&row.status).ok_or_else(|| corrupt("order status"))?,
            product_name: row.product_name,
            unit_price: money(row.price_minor, &row.currency)?,
            points_price: row.points_price.map(|points| points as u32),
            created_at: row.created_at,
            decided_at: row.decided_at,
            pay_before: row.pay_before,
            paid_at: row.paid_at,
            closed_at: row.closed_at,
            version: row.version as u32,
        })
    }
}

/// Keeps every other writer from the sale's row until the transaction ends.
pub async fn lock_sale(conn: &mut Conn, sale: SaleId) -> Result<(), StoreError> {
    bulk::lock_sale(conn, sale).await
}

/// The state of a sale for the order writer; `None` if it does not exist.
pub async fn sale_facts(conn: &mut Conn, sale: SaleId) -> Result<Option<SaleFacts>, StoreError> {
    type Columns = (i64, i64, i64, String, Option<i64>, i64, String, i64, Option<Timestamp>);
    let row: Option<Columns> = sales::table
        .inner_join(products::table.on(products::id.eq(sales::product_id)))
        .filter(sales::id.eq(sale))
        .select((
            sales::number,
            sales::epoch,
            sales::price_minor,
            sales::currency,
            sales::points_price,
            sales::pay_within_ms,
            products::name,
            sales::stock_left,
            sales::ended_at,
        ))
        .first(conn)
        .await
        .optional()?;
    let Some((number, epoch, minor, currency, points, pay_within, product_name, left, ended_at)) = row else {
        return Ok(None);
    };
    Ok(Some(SaleFacts {
        number: number as u64,
        epoch: epoch as Epoch,
        price: TicketPrice { unit: money(minor, &currency)?, points: points.map(|points| points as u32) },
        former_prices: Vec::new(),
        pay_within: std::time::Duration::from_millis(pay_within as u64),
        product_name,
        left: left as u32,
        ended_at,
    }))
}

/// The recorded tickets that stand in the way of these, all of one sale: the same ones, those with the same buyer and key, and the live
/// orders of the same buyers in the sale. One may be there more than once.
pub async fn find_recorded(
    conn: &mut Conn,
    sale: SaleId,
    requests: &[OrderRequest],
) -> Result<Vec<RecordedTicket>, StoreError> {
    let rows = bulk::find_recorded(conn, sale, requests).await?;
    let recorded = |(ticket, buyer, key, status): RecordedRow| {
        let state = OrderState::parse(&status).ok_or_else(|| corrupt("order status"))?;
        Ok(RecordedTicket { ticket, buyer, key, state })
    };
    rows.into_iter().map(recorded).collect()
}

/// Ticket, buyer, key and status.
pub(in super::super) type RecordedRow = (TicketId, UserId, Option<String>, String);

/// Writes new orders, all of one sale and decided at the same moment, except those that conflict with a recorded one. Returns how many
/// it wrote.
pub async fn insert(conn: &mut Conn, orders: &[Order]) -> Result<usize, StoreError> {
    bulk::insert_orders(conn, orders).await
}

type Level = (i64, i64, i64, i64);

const LEVEL: (sales::stock_left, sales::units_held, sales::stock_total, sales::stock_version) =
    (sales::stock_left, sales::units_held, sales::stock_total, sales::stock_version);

fn stock_level(sale: SaleId, (left, held, total, version): Level, at: Timestamp) -> StockLevel {
    StockLevel { sale, left: left as u32, held: held as u32, total: total as u32, version: version as u32, at }
}

/// Takes units of a sale for new orders. Fails if there are not that many left.
pub async fn take_stock(conn: &mut Conn, sale: SaleId, units: u32, now: Timestamp) -> Result<StockLevel, StoreError> {
    let units = i64::from(units);
    let levels: Option<Level> =
        diesel::update(sales::table.filter(sales::id.eq(sale).and(sales::stock_left.ge(units))))
            .set((
                sales::stock_left.eq(sales::stock_left - units),
                sales::units_held.eq(sales::units_held + units),
                sales::stock_version.eq(sales::stock_version + 1),
            ))
            .returning(LEVEL)
            .get_result(conn)
            .await
            .optional()?;
    levels.map(|row| stock_level(sale, row, now)).ok_or(StoreError::Conflict { constraint: "sales.stock_left".into() })
}

/// Gives units of unpaid orders back to a sale.
pub async fn return_stock(conn: &mut Conn, sale: SaleId, units: u32, now: Timestamp) -> Result<StockLevel, StoreError> {
    change_stock(conn, sale, units, units, now).await
}

/// Gives units of paid orders back to a sale.
pub async fn restock(conn: &mut Conn, sale: SaleId, units: u32, now: Timestamp) -> Result<StockLevel, StoreError> {
    change_stock(conn, sale, units, 0, now).await
}

/// Units were paid: they don't come back by themselves any more.
pub async fn sell_held(conn: &mut Conn, sale: SaleId, units: u32, now: Timestamp) -> Result<StockLevel, StoreError> {
    change_stock(conn, sale, 0, units, now).await
}

/// So many more units are free, and so many fewer are held. Below zero held units never get: a program that does not count them
/// may have taken them, while nodes were being replaced.
async fn change_stock(
    conn: &mut Conn,
    sale: SaleId,
    freed: u32,
    unheld: u32,
    now: Timestamp,
) -> Result<StockLevel, StoreError> {
    let (freed, unheld) = (i64::from(freed), i64::from(unheld));
    let held = case_when(sales::units_held.gt(unheld), sales::units_held - unheld).otherwise(0_i64);
    let row: Level = diesel::update(sales::table.filter(sales::id.eq(sale)))
        .set((
            sales::stock_left.eq(sales::stock_left + freed),
            sales::units_held.eq(held),
            sales::stock_version.eq(sales::stock_version + 1),
        ))
        .returning(LEVEL)
        .get_result(conn)
        .await?;
    Ok(stock_level(sale, row, now))
}

/// Keeps every other writer from the orders until the transaction ends.
pub async fn lock(conn: &mut Conn, tickets: &[TicketId]) -> Result<(), StoreError> {
    bulk::lock_orders(conn, tickets).await
}

/// Whether the order has a pending payment of this kind.
macro_rules! has_pending {
    ($kind:expr) => {
        diesel::dsl::exists(payments::table.filter(
            payments::order_id.eq(orders::id).and(payments::status.eq(PaymentState::Pending.as_str())).and($kind),
        ))
    };
}

/// Payments for which a gateway may still take money.
macro_rules! at_gateway {
    () => {
        payments::method.eq(Method::Alipay.as_str())
    };
}

/// Those, and payments with points that can still be decided: no longer than their transaction's deadline.
macro_rules! undecided {
    ($now:expr) => {
        at_gateway!().or(payments::expires_at.gt($now))
    };
}

/// Changes an order's state, if it is in `from`; returns it as it then is. `paid_at` and `closed_at` follow the state.
pub async fn advance(
    conn: &mut Conn,
    ticket: TicketId,
    from: OrderState,
    to: OrderState,
    now: Timestamp,
) -> Result<Option<Order>, StoreError> {
    let expected = orders::table.filter(orders::id.eq(ticket).and(orders::status.eq(from.as_str())));
    let state = (orders::status.eq(to.as_str()), orders::version.eq(orders::version + 1));
    let row: Option<Row> = match (from, to) {
        (OrderState::AwaitingPayment, OrderState::Paid) => {
            let set = (state, orders::paid_at.eq(Some(now)));
            diesel::update(expected).set(set).returning(Row::as_returning()).get_result(conn).await.optional()?
        }
        (_, OrderState::Refunded) => {
            let set = (state, orders::closed_at.eq(Some(now)));
            diesel::update(expected).set(set).returning(Row::as_returning()).get_result(conn).await.optional()?
        }
        _ => diesel::update(expected).set(state).returning(Row::as_returning()).get_result(conn).await.optional()?,
    };
    row.map(Order::try_from).transpose()
}

/// Closes those of the orders that may be closed now, and returns them; their units are still to be given back. Left as they
/// are: unknown ones, another buyer's, those not due, those not unpaid any more, and those for which a gateway may still take
/// money. An order does not expire either while a payment with points is undecided; its buyer may cancel it, and the payment
/// then fails at its commit point. They are locked first, by a statement of its own: an attempt to pay that was begun before
/// is seen, and none begins meanwhile.
pub async fn close(
    conn: &mut Conn,
    tickets: &[TicketId],
    closing: Closing,
    now: Timestamp,
) -> Result<Vec<Order>, StoreError> {
    let mut rows: Vec<Row> = Vec::new();
    for tickets in tickets.chunks(CHUNK) {
        lock(conn, tickets).await?;
        let unpaid = orders::table
            .filter(orders::id.eq_any(tickets.to_vec()).and(orders::status.eq(OrderState::AwaitingPayment.as_str())));
        let closed = |state: OrderState| {
            (
                orders::status.eq(state.as_str()),
                orders::closed_at.eq(Some(now)),
                orders::version.eq(orders::version + 1),
            )
        };
        let closed: Vec<Row> = match closing {
            Closing::Expiry { due_by } => {
                let free = diesel::dsl::not(has_pending!(undecided!(now)));
                diesel::update(unpaid.filter(orders::pay_before.le(due_by)).filter(free))
                    .set(closed(OrderState::Expired))
                    .returning(Row::as_returning())
                    .get_results(conn)
                    .await?
            }
            Closing::Buyer(buyer) => {
                let free = diesel::dsl::not(has_pending!(at_gateway!()));
                diesel::update(unpaid.filter(orders::buyer_id.eq(buyer)).filter(free))
                    .set(closed(OrderState::Cancelled))
                    .returning(Row::as_returning())
                    .get_results(conn)
                    .await?
            }
        };
        rows.extend(closed);
    }
    rows.into_iter().map(Order::try_from).collect()
}

/// The condition of the index on unpaid orders. A bound value would keep SQLite from using it.
fn unpaid_order() -> SqlLiteral<Bool> {
    sql("orders.status = 'AWAITING_PAYMENT'")
}

/// Unpaid orders whose time was over at `due_by`, the longest overdue first; without those that [`close`] would not let expire.
pub async fn overdue(
    conn: &mut Conn,
    due_by: Timestamp,
    now: Timestamp,
    max: usize,
) -> Result<Vec<TicketId>, StoreError> {
    Ok(orders::table
        .filter(unpaid_order().and(orders::pay_before.le(due_by)))
        .filter(diesel::dsl::not(has_pending!(undecided!(now))))
        .order(orders::pay_before)
        .limit(max as i64)
        .select(orders::id)
        .load(conn)
        .await?)
}

/// The decision on a ticket.
pub async fn find(conn: &mut Conn, ticket: TicketId) -> Result<Option<Order>, StoreError> {
    let row: Option<Row> =
        orders::table.filter(orders::id.eq(ticket)).select(Row::as_select()).first(conn).await.optional()?;
    row.map(Order::try_from).transpose()
}

/// The same, and keeps every other writer from it until the transaction ends: it is as the last writer left it.
pub async fn find_locked(conn: &mut Conn, ticket: TicketId) -> Result<Option<Order>, StoreError> {
    bulk::find_order_locked(conn, ticket).await
}

/// The decisions on these tickets, as far as they are decided.
pub async fn find_all(conn: &mut Conn, tickets: &[TicketId]) -> Result<Vec<Order>, StoreError> {
    let mut found = Vec::new();
    for tickets in tickets.chunks(CHUNK) {
        let rows: Vec<Row> =
            orders::table.filter(orders::id.eq_any(tickets.to_vec())).select(Row::as_select()).load(conn).await?;
        found.extend(rows);
    }
    found.into_iter().map(Order::try_from).collect()
}

/// The ticket that a buyer's key belongs to.
pub async fn find_by_key(conn: &mut Conn, buyer: UserId, key: String) -> Result<Option<Order>, StoreError> {
    let row: Option<Row> = orders::table
        .filter(orders::buyer_id.eq(buyer).and(orders::idempotency_key.eq(key)))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Order::try_from).transpose()
}

/// A buyer's latest ticket in a sale: the live one, else the newest.
pub async fn find_of_buyer(conn: &mut Conn, sale: SaleId, buyer: UserId) -> Result<Option<Order>, StoreError> {
    let rows: Vec<Row> = orders::table
        .filter(orders::buyer_id.eq(buyer).and(orders::sale_id.eq(sale)))
        .order(orders::id.desc())
        .select(Row::as_select())
        .load(conn)
        .await?;
    let mut found = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    let live = found.iter().position(|order| order.state.is_live());
    Ok(if found.is_empty() { None } else { Some(found.swap_remove(live.unwrap_or(0))) })
}

/// A page of a buyer's orders; refused tickets are none.
pub async fn list_of_buyer(conn: &mut Conn, buyer: UserId, page: OrderPage) -> Result<OrderList, StoreError> {
    let states: Vec<&'static str> = page.states.into_iter().map(OrderState::as_str).collect();
    let listed = orders::buyer_id.eq(buyer).and(orders::status.eq_any(states));
    let total: i64 = orders::table.filter(listed.clone()).count().get_result(conn).await?;
    let mut query = orders::table.filter(listed).limit(page.limit as i64 + 1).select(Row::as_select()).into_boxed();
    if let Some(ListKey { at, ticket }) = page.after {
        query = query.filter(orders::created_at.lt(at).or(orders::created_at.eq(at).and(orders::id.lt(ticket))));
    }
    if let Some(ListKey { at, ticket }) = page.before {
        query = query.filter(orders::created_at.gt(at).or(orders::created_at.eq(at).and(orders::id.gt(ticket))));
    }
    query = if page.from_end {
        query.order((orders::created_at.asc(), orders::id.asc()))
    } else {
        query.order((orders::created_at.desc(), orders::id.desc()))
    };
    let rows: Vec<Row> = query.load(conn).await?;
    let more = rows.len() > page.limit;
    let mut found = rows.into_iter().take(page.limit).map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    if page.from_end {
        found.reverse();
    }
    Ok(OrderList { orders: found, more, total: total as usize })
}

/// A page of a sale's tickets by id, as a rebuilt gate needs them, each with when its order was closed. `restocks`: whether
/// refunded units of the sale are sold again.
pub async fn known_tickets(
    conn: &mut Conn,
    sale: SaleId,
    restocks: bool,
    after: Option<TicketId>,
    max: usize,
) -> Result<Vec<(KnownTicket, Option<Timestamp>)>, StoreError> {
    type Columns = (TicketId, UserId, Option<String>, i64, String, Option<Timestamp>);
    // An id begins with its sale: a range of the primary key.
    let before_all = TicketId { sale, epoch: 0, seq: 0 };
    let rows: Vec<Columns> = orders::table
        .filter(orders::id.gt(after.unwrap_or(before_all)))
        .filter(orders::id.le(TicketId { sale, epoch: Epoch::MAX, seq: Seq::MAX }))
        .order(orders::id)
        .limit(max as i64)
        .select((
            orders::id,
            orders::buyer_id,
            orders::idempotency_key,
            orders::quantity,
            orders::status,
            orders::closed_at,
        ))
        .load(conn)
        .await?;
    let ticket = |(ticket, buyer, key, quantity, status, closed_at): Columns| {
        let units = match OrderState::parse(&status) {
            Some(state) if state.is_live() => Units::Held,
            Some(OrderState::Refunded) if !restocks => Units::Gone,
            _ => Units::Free,
        };
        (KnownTicket { ticket, buyer, key, quantity: quantity as u32, units }, closed_at)
    };
    Ok(rows.into_iter().map(ticket).collect())
}

/// Raises a sale's epoch: tickets of the old one that come now are refused. Whether the epoch was still `from`.
pub async fn raise_epoch(conn: &mut Conn, sale: SaleId, from: Epoch, to: Epoch) -> Result<bool, StoreError> {
    let rows = diesel::update(sales::table.filter(sales::id.eq(sale).and(sales::epoch.eq(i64::from(from)))))
        .set(sales::epoch.eq(i64::from(to)))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}
