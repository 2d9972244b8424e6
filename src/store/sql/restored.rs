//! What a database must forget after it was restored from a backup.

use diesel::{BoolExpressionMethods, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{access_tokens, leases, nodes, sales};
use crate::kernel::Epoch;
use crate::store::StoreError;

/// Ends all access tokens: some of them were revoked after the backup. How many there were.
pub async fn end_tokens(conn: &mut Conn) -> Result<usize, StoreError> {
    Ok(diesel::delete(access_tokens::table).execute(conn).await?)
}

/// Forgets the nodes, and takes all leases from their holders.
pub async fn forget_nodes(conn: &mut Conn) -> Result<(), StoreError> {
    diesel::delete(nodes::table).execute(conn).await?;
    diesel::update(leases::table)
        .set((leases::holder.eq(""), leases::token.eq(leases::token + 1)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Raises the epochs of all sales but drafts, to `to` at least. How many there were.
pub async fn raise_epochs(conn: &mut Conn, to: Epoch) -> Result<usize, StoreError> {
    let to = i64::from(to);
    // Those that are beyond it first: the others come to be so.
    let beyond = diesel::update(sales::table.filter(sales::epoch.ge(to)))
        .set(sales::epoch.eq(sales::epoch + 1))
        .execute(conn)
        .await?;
    let below = diesel::update(sales::table.filter(sales::epoch.gt(0).and(sales::epoch.lt(to))))
        .set(sales::epoch.eq(to))
        .execute(conn)
        .await?;
    Ok(beyond + below)
}
