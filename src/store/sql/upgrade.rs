//! Which programs can work with the database.

use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::schema::schema_state;
use super::super::{Conn, bulk};
use crate::kernel::Timestamp;
use crate::model::upgrade::{Feature, SchemaState};
use crate::store::StoreError;

/// What the database says now.
pub async fn state(conn: &mut Conn) -> Result<SchemaState, StoreError> {
    let columns = (schema_state::min_program, schema_state::version, schema_state::older_seen_at);
    let row: (i64, i64, Option<Timestamp>) = schema_state::table.select(columns).first(conn).await?;
    Ok(of(row))
}

/// The same, and nobody else can change it until the transaction ends.
pub async fn locked(conn: &mut Conn) -> Result<SchemaState, StoreError> {
    let columns = (schema_state::min_program, schema_state::version, schema_state::older_seen_at);
    let lock = diesel::update(schema_state::table).set(schema_state::version.eq(schema_state::version));
    let row: (i64, i64, Option<Timestamp>) = lock.returning(columns).get_result(conn).await?;
    Ok(of(row))
}

/// What programs may write. Who raises it waits for the end of this transaction.
pub async fn version_kept(conn: &mut Conn) -> Result<u32, StoreError> {
    bulk::version_kept(conn).await
}

/// Whether the feature can be used. Once it can, it always can.
pub async fn allows(conn: &mut Conn, feature: Feature) -> Result<bool, StoreError> {
    Ok(state(conn).await?.version >= feature.since())
}

/// Sets what may be written.
pub async fn finalise(conn: &mut Conn, version: u32) -> Result<(), StoreError> {
    diesel::update(schema_state::table)
        .set((schema_state::version.eq(i64::from(version)), schema_state::older_seen_at.eq(None::<Timestamp>)))
        .execute(conn)
        .await?;
    Ok(())
}

/// A node of an older program was seen at this time.
pub async fn older_seen(conn: &mut Conn, at: Timestamp) -> Result<(), StoreError> {
    diesel::update(schema_state::table).set(schema_state::older_seen_at.eq(Some(at))).execute(conn).await?;
    Ok(())
}

const fn of((min_program, version, older_seen_at): (i64, i64, Option<Timestamp>)) -> SchemaState {
    SchemaState { min_program: min_program as u32, version: version as u32, older_seen_at }
}
