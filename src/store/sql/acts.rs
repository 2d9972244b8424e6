//! What operators did and looked at, read back.

use diesel::dsl::{min, not};
use diesel::{ExpressionMethods, OptionalExtension as _, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::audit_log;
use super::super::types::Id;
use super::{end_of_prefix, newest_first, planned_each_time};
use crate::kernel::{AuditId, Listed, Place, Timestamp, UserId, Wanted};
use crate::model::audit::{Entry, Filter};
use crate::store::StoreError;

/// Different acts that are merged into one list at most; there are far fewer.
const ACTS_MAX: usize = 200;

type Row = (AuditId, UserId, String, String, String, Timestamp);

const ENTRY: (
    audit_log::id,
    audit_log::operator_id,
    audit_log::act,
    audit_log::subject,
    audit_log::detail,
    audit_log::at,
) = (audit_log::id, audit_log::operator_id, audit_log::act, audit_log::subject, audit_log::detail, audit_log::at);

fn entry((id, operator, act, subject, detail, at): Row) -> Entry {
    Entry { id, operator, act, subject, detail, at }
}

/// What a filter says of other things than time, and one act. A subject has few entries: they are read through its index, and the rest is
/// said so that no other index fits.
macro_rules! filtered {
    ($query:expr, $filter:expr, $act:expr) => {{
        let mut query = $query.filter(planned_each_time());
        match (&$filter.subject, $filter.operator) {
            (Some(subject), Some(operator)) => {
                query = query.filter(audit_log::subject.eq(subject.clone()));
                query = query.filter(not(audit_log::operator_id.ne(operator)));
            }
            (Some(subject), None) => query = query.filter(audit_log::subject.eq(subject.clone())),
            (None, Some(operator)) => query = query.filter(audit_log::operator_id.eq(operator)),
            (None, None) => {}
        }
        match ($act, &$filter.subject) {
            (Some(act), Some(_)) => query = query.filter(not(audit_log::act.ne(act.to_owned()))),
            (Some(act), None) => query = query.filter(audit_log::act.eq(act.to_owned())),
            (None, _) => {}
        }
        query
    }};
}

/// One entry.
pub async fn find(conn: &mut Conn, id: AuditId) -> Result<Option<Entry>, StoreError> {
    let row: Option<Row> = audit_log::table.find(id).select(ENTRY).first(conn).await.optional()?;
    Ok(row.map(entry))
}

/// A page of the entries, the newest first. Acts that begin so are looked up one by one: of each the index has its entries in their
/// order.
pub async fn list(
    conn: &mut Conn,
    filter: &Filter,
    wanted: &Wanted<Place<AuditId>>,
) -> Result<Listed<Entry>, StoreError> {
    let acts: Vec<Option<String>> = match &filter.act {
        None => vec![None],
        Some(beginning) => acts_beginning(conn, beginning).await?.into_iter().map(Some).collect(),
    };
    let (mut read, mut total) = (Vec::new(), 0);
    for act in &acts {
        read.extend(page(conn, filter, act.as_deref(), wanted).await?);
        if wanted.count {
            total += count(conn, filter, act.as_deref()).await?;
        }
    }
    let newest_first = |a: &Entry, b: &Entry| (b.at, b.id).cmp(&(a.at, a.id));
    Ok(Listed::merged(read, wanted, total, newest_first))
}

async fn page(
    conn: &mut Conn,
    filter: &Filter,
    act: Option<&str>,
    wanted: &Wanted<Place<AuditId>>,
) -> Result<Vec<Entry>, StoreError> {
    let query = filtered!(audit_log::table.select(ENTRY).into_boxed(), filter, act);
    let rows: Vec<Row> = newest_first!(
        query,
        wanted,
        filter.from,
        filter.until,
        audit_log::at,
        audit_log::id,
        ("audit_log.at, audit_log.id", Id)
    )
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(entry).collect())
}

async fn count(conn: &mut Conn, filter: &Filter, act: Option<&str>) -> Result<usize, StoreError> {
    let mut query = filtered!(audit_log::table.count().into_boxed(), filter, act);
    if let Some(from) = filter.from {
        query = query.filter(audit_log::at.ge(from));
    }
    if let Some(until) = filter.until {
        query = query.filter(audit_log::at.lt(until));
    }
    let count: i64 = query.get_result(conn).await?;
    Ok(count as usize)
}

/// The different acts that begin so: each is one step down the index.
async fn acts_beginning(conn: &mut Conn, beginning: &str) -> Result<Vec<String>, StoreError> {
    let end = end_of_prefix(beginning);
    let mut acts: Vec<String> = Vec::new();
    while acts.len() < ACTS_MAX {
        let mut query = audit_log::table.select(min(audit_log::act)).filter(planned_each_time()).into_boxed();
        query = match acts.last() {
            None => query.filter(audit_log::act.ge(beginning)),
            Some(last) => query.filter(audit_log::act.gt(last.clone())),
        };
        let next: Option<String> = query.filter(audit_log::act.lt(&end)).first(conn).await?;
        match next {
            Some(act) => acts.push(act),
            None => break,
        }
    }
    Ok(acts)
}
