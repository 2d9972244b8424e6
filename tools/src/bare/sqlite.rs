//! The least that recording orders costs: prepared inserts in one transaction per batch, on the real tables with the real
//! durability. What the order writer is compared with; and the least that paying with points costs.

use diesel::prelude::*;

use doorbuster::config::Config;
use doorbuster::kernel::{PaymentId, SaleId, TicketId, Timestamp, UserId};
use doorbuster::store::sqlite::schema::{orders, outbox, payments, points_accounts, sales};
use doorbuster::store::{StoreError, sqlite};

/// Inserts an order and an outbox row per buyer and lowers the stock once per batch. `path` is a migrated database with
/// the sale and the users.
pub fn record_orders(
    path: &std::path::Path,
    sale: SaleId,
    buyers: &[UserId],
    batch: usize,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut conn = sqlite::connect_as_writer(path, &Config::default_embedded().store)?;
    let payload = vec![b'x'; 400];
    let mut seq = 0;
    for buyers in buyers.chunks(batch) {
        conn.immediate_transaction(|conn| {
            for buyer in buyers {
                seq += 1;
                insert(conn, TicketId { sale, epoch: 1, seq }, *buyer, &payload, now)?;
            }
            let units = buyers.len() as i64;
            diesel::update(sales::table.filter(sales::id.eq(sale).and(sales::stock_left.ge(units))))
                .set((
                    sales::stock_left.eq(sales::stock_left - units),
                    sales::stock_version.eq(sales::stock_version + 1),
                ))
                .execute(conn)?;
            Ok::<_, diesel::result::Error>(())
        })?;
    }
    Ok(())
}

/// Pays each order in a transaction of its own, with three statements: the points go, the payment is written down, the order is
/// paid. `path` is a migrated database with the orders and the accounts.
pub fn pay_orders(
    path: &std::path::Path,
    rows: &[(PaymentId, UserId, TicketId)],
    points: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut conn = sqlite::connect_as_writer(path, &Config::default_embedded().store)?;
    for (id, buyer, ticket) in rows {
        conn.immediate_transaction(|conn| {
            let account = points_accounts::table.filter(points_accounts::user_id.eq(buyer));
            diesel::update(account.filter(points_accounts::posted.ge(points)))
                .set(points_accounts::posted.eq(points_accounts::posted - points))
                .execute(conn)?;
            diesel::insert_into(payments::table)
                .values((
                    payments::id.eq(id),
                    payments::order_id.eq(ticket.order()),
                    payments::buyer_id.eq(buyer),
                    payments::idempotency_key.eq("pay-00000001"),
                    payments::method.eq("POINTS"),
                    payments::amount.eq(points),
                    payments::captured.eq(points),
                    payments::status.eq("SUCCEEDED"),
                    payments::created_at.eq(now),
                    payments::expires_at.eq(now),
                    payments::settled_at.eq(now),
                ))
                .execute(conn)?;
            diesel::update(orders::table.filter(orders::id.eq(ticket).and(orders::status.eq("AWAITING_PAYMENT"))))
                .set((orders::status.eq("PAID"), orders::paid_at.eq(now), orders::version.eq(orders::version + 1)))
                .execute(conn)
        })?;
    }
    Ok(())
}

fn insert(conn: &mut SqliteConnection, id: TicketId, buyer: UserId, event: &[u8], now: Timestamp) -> QueryResult<()> {
    diesel::insert_into(orders::table)
        .values((
            orders::id.eq(id),
            orders::sale_id.eq(id.sale),
            orders::sale_number.eq(1),
            orders::buyer_id.eq(buyer),
            orders::quantity.eq(1),
            orders::idempotency_key.eq(format!("bench-{:010}", id.seq)),
            orders::status.eq("AWAITING_PAYMENT"),
            orders::product_name.eq("Lamp"),
            orders::price_minor.eq(1_000),
            orders::currency.eq("CNY"),
            orders::created_at.eq(now),
            orders::decided_at.eq(now),
            orders::pay_before.eq(now.plus(std::time::Duration::from_secs(900))),
            orders::version.eq(2),
        ))
        .on_conflict_do_nothing()
        .execute(conn)?;
    diesel::insert_into(outbox::table)
        .values((
            outbox::topic.eq("purchase-results"),
            outbox::key.eq("bench"),
            outbox::payload.eq(event),
            outbox::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}
