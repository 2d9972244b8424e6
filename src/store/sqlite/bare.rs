//! The least that recording orders costs: prepared inserts in one transaction per batch, on the real tables with the real
//! durability. What the order writer is compared with.

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;

use super::schema::{orders, outbox, sales};
use crate::kernel::{SaleId, TicketId, Timestamp, UserId};
use crate::store::StoreError;

/// Inserts an order and an outbox row per buyer and lowers the stock once per batch. `path` is a migrated database with
/// the sale and the users.
pub fn record_orders(
    path: &std::path::Path,
    sale: SaleId,
    buyers: &[UserId],
    batch: usize,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut conn = super::connect_sync(path, 5_000)?;
    conn.batch_execute("PRAGMA wal_autocheckpoint = 1000")?;
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
