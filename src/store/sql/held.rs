//! Units that are held no longer because they are paid. A payment writes them down by themselves; they are taken off their sales
//! together, so that payments of one sale do not wait for each other.

use std::collections::BTreeMap;

use diesel::{ExpressionMethods as _, QueryDsl as _};
use diesel_async::RunQueryDsl as _;

use super::super::Conn;
use super::super::schema::sale_units_paid;
use super::orders;
use crate::kernel::{SaleId, Timestamp};
use crate::model::sales::StockLevel;
use crate::store::StoreError;

/// These units were paid.
pub async fn note_paid(conn: &mut Conn, sale: SaleId, units: u32) -> Result<(), StoreError> {
    diesel::insert_into(sale_units_paid::table)
        .values((sale_units_paid::sale_id.eq(sale), sale_units_paid::units.eq(i64::from(units))))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes what was noted, `max` payments at most, off its sales. How many payments there were, and the stock of the sales afterwards.
/// Each note counts once, also when several nodes do this at the same moment.
pub async fn take_off(conn: &mut Conn, max: usize, now: Timestamp) -> Result<(usize, Vec<StockLevel>), StoreError> {
    let noted: Vec<i64> = sale_units_paid::table
        .order(sale_units_paid::id)
        .limit(max as i64)
        .select(sale_units_paid::id)
        .load(conn)
        .await?;
    if noted.is_empty() {
        return Ok((0, Vec::new()));
    }
    let taken: Vec<(SaleId, i64)> = diesel::delete(sale_units_paid::table.filter(sale_units_paid::id.eq_any(noted)))
        .returning((sale_units_paid::sale_id, sale_units_paid::units))
        .get_results(conn)
        .await?;
    let mut by_sale = BTreeMap::<SaleId, i64>::new();
    for (sale, units) in &taken {
        *by_sale.entry(*sale).or_default() += units;
    }
    let mut levels = Vec::with_capacity(by_sale.len());
    // In the order of their ids, as everywhere.
    for (sale, units) in by_sale {
        levels.push(orders::sell_held(conn, sale, units as u32, now).await?);
    }
    Ok((taken.len(), levels))
}
