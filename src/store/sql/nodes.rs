//! Nodes and leases.

use diesel::upsert::excluded;
use diesel::{BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{leases, nodes};
use crate::kernel::Timestamp;
use crate::model::nodes::{LeaseRow, NodeRow, NodeSettings, NodeVitals};
use crate::store::StoreError;

type Told = (Option<i64>, Option<String>, Option<String>);
type Node = (String, String, String, String, Timestamp, Timestamp, Told, i64, Option<String>);
type Lease = (String, String, i64, i64);

/// Says that the node runs.
pub async fn beat(conn: &mut Conn, node: &NodeRow) -> Result<(), StoreError> {
    diesel::insert_into(nodes::table)
        .values((
            nodes::name.eq(&node.name),
            nodes::roles.eq(&node.roles),
            nodes::address.eq(&node.address),
            nodes::version.eq(&node.version),
            nodes::started_at.eq(node.started_at),
            nodes::seen_at.eq(node.seen_at),
            nodes::settings_revision.eq(node.settings.revision.map(|revision| revision as i64)),
            nodes::settings_rejected.eq(node.settings.rejected.as_deref()),
            nodes::local_values.eq(node.settings.local.as_deref()),
            nodes::data_version.eq(i64::from(node.data_version)),
            nodes::vitals.eq(node.vitals.as_ref().map(|vitals| vitals.stored(node.seen_at))),
        ))
        .on_conflict(nodes::name)
        .do_update()
        .set((
            nodes::roles.eq(excluded(nodes::roles)),
            nodes::address.eq(excluded(nodes::address)),
            nodes::version.eq(excluded(nodes::version)),
            nodes::started_at.eq(excluded(nodes::started_at)),
            nodes::seen_at.eq(excluded(nodes::seen_at)),
            nodes::settings_revision.eq(excluded(nodes::settings_revision)),
            nodes::settings_rejected.eq(excluded(nodes::settings_rejected)),
            nodes::local_values.eq(excluded(nodes::local_values)),
            nodes::data_version.eq(excluded(nodes::data_version)),
            nodes::vitals.eq(excluded(nodes::vitals)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The node has stopped.
pub async fn leave(conn: &mut Conn, name: &str) -> Result<(), StoreError> {
    diesel::delete(nodes::table.filter(nodes::name.eq(name))).execute(conn).await?;
    Ok(())
}

/// Forgets nodes that were last seen before `before`.
pub async fn forget(conn: &mut Conn, before: Timestamp) -> Result<usize, StoreError> {
    Ok(diesel::delete(nodes::table.filter(nodes::seen_at.lt(before))).execute(conn).await?)
}

/// All nodes by name.
pub async fn list(conn: &mut Conn) -> Result<Vec<NodeRow>, StoreError> {
    let rows: Vec<Node> = nodes::table
        .order(nodes::name)
        .select((
            nodes::name,
            nodes::roles,
            nodes::address,
            nodes::version,
            nodes::started_at,
            nodes::seen_at,
            (nodes::settings_revision, nodes::settings_rejected, nodes::local_values),
            nodes::data_version,
            nodes::vitals,
        ))
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(node).collect())
}

/// All leases by job.
pub async fn leases(conn: &mut Conn) -> Result<Vec<LeaseRow>, StoreError> {
    let rows: Vec<Lease> = leases::table.order(leases::job).load(conn).await?;
    Ok(rows.into_iter().map(lease).collect())
}

/// The lease of a job, if somebody ever held it.
pub async fn find_lease(conn: &mut Conn, job: &str) -> Result<Option<LeaseRow>, StoreError> {
    let row: Option<Lease> = leases::table.filter(leases::job.eq(job)).first(conn).await.optional()?;
    Ok(row.map(lease))
}

/// Takes the lease if it still is as it was `seen`; its new token.
pub async fn take_lease(
    conn: &mut Conn,
    job: &str,
    holder: &str,
    seen: Option<&LeaseRow>,
) -> Result<Option<u64>, StoreError> {
    let token = seen.map_or(1, |seen| seen.token + 1);
    let rows = match seen {
        None => {
            diesel::insert_into(leases::table)
                .values((leases::job.eq(job), leases::holder.eq(holder), leases::token.eq(1), leases::beat.eq(0)))
                .on_conflict_do_nothing()
                .execute(conn)
                .await?
        }
        Some(seen) => {
            let same = leases::token.eq(seen.token as i64).and(leases::beat.eq(seen.beat as i64));
            diesel::update(leases::table.filter(leases::job.eq(job).and(same)))
                .set((leases::holder.eq(holder), leases::token.eq(token as i64), leases::beat.eq(0)))
                .execute(conn)
                .await?
        }
    };
    Ok((rows == 1).then_some(token))
}

/// Keeps the lease; whether it was still held under this token.
pub async fn renew_lease(conn: &mut Conn, job: &str, holder: &str, token: u64) -> Result<bool, StoreError> {
    let mine = leases::holder.eq(holder).and(leases::token.eq(token as i64));
    let rows = diesel::update(leases::table.filter(leases::job.eq(job).and(mine)))
        .set(leases::beat.eq(leases::beat + 1))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// Gives up all leases of a holder, so that nobody needs to wait for them to run out.
pub async fn release_leases(conn: &mut Conn, holder: &str) -> Result<(), StoreError> {
    diesel::update(leases::table.filter(leases::holder.eq(holder)))
        .set((leases::holder.eq(""), leases::beat.eq(leases::beat + 1)))
        .execute(conn)
        .await?;
    Ok(())
}

fn node(row: Node) -> NodeRow {
    let (name, roles, address, version, started_at, seen_at, (revision, rejected, local), data_version, vitals) = row;
    let settings = NodeSettings { revision: revision.map(|revision| revision as u64), rejected, local };
    let vitals = vitals.and_then(|vitals| NodeVitals::read(&vitals, seen_at));
    NodeRow { name, roles, address, version, started_at, seen_at, settings, data_version: data_version as u32, vitals }
}

fn lease((job, holder, token, beat): Lease) -> LeaseRow {
    LeaseRow { job, holder, token: token as u64, beat: beat as u64 }
}
