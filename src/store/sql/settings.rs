//! Settings that are stored, and the history of their changes.

use std::collections::HashMap;

use diesel::dsl::max;
use diesel::upsert::excluded;
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods, JoinOnDsl as _, NullableExpressionMethods as _,
    OptionalExtension as _, QueryDsl,
};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{setting_changes, settings, settings_revision, users};
use super::catalog::{corrupt, narrow};
use super::planned_each_time;
use crate::config::{SettingAct, SettingChange, StoredValue};
use crate::kernel::{Listed, Timestamp, UserId, Wanted};
use crate::store::StoreError;

/// The one row of `settings_revision`.
const ROW: i64 = 1;

type What = (i64, String, String, Option<String>, Option<String>, String);
type Why = (Option<UserId>, Option<String>, String, String, Timestamp);
type Row = (What, Why, Option<i64>, Option<Timestamp>);

/// The names of these users. Looked up by their ids: joined with the whole of a small table, the server would read all users.
pub async fn names(conn: &mut Conn, ids: Vec<UserId>) -> Result<HashMap<UserId, String>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = users::table.filter(users::id.eq_any(ids)).select((users::id, users::username));
    Ok(found.load::<(UserId, String)>(conn).await?.into_iter().collect())
}

/// The changes with who made them.
macro_rules! changes {
    () => {
        setting_changes::table.left_join(users::table.on(users::id.nullable().eq(setting_changes::operator_id))).select(
            (
                (
                    setting_changes::revision,
                    setting_changes::key,
                    setting_changes::scope,
                    setting_changes::old,
                    setting_changes::new,
                    setting_changes::act,
                ),
                (
                    setting_changes::operator_id,
                    users::username.nullable(),
                    setting_changes::via,
                    setting_changes::reason,
                    setting_changes::at,
                ),
                setting_changes::undoes,
                setting_changes::confirm_before,
            ),
        )
    };
}

fn change((what, why, undoes, confirm_before): Row) -> Result<SettingChange, StoreError> {
    let ((revision, key, scope, old, new, act), (operator, username, via, reason, at)) = (what, why);
    Ok(SettingChange {
        revision: narrow(revision)?,
        key,
        scope,
        old,
        new,
        act: SettingAct::parse(&act).ok_or_else(|| corrupt("act"))?,
        operator,
        username,
        via,
        reason,
        at,
        undoes: undoes.map(narrow).transpose()?,
        confirm_before,
    })
}

/// The number of the newest change.
pub async fn revision(conn: &mut Conn) -> Result<u64, StoreError> {
    let value = settings_revision::table.find(ROW).select(settings_revision::value).first::<i64>(conn).await?;
    narrow(value)
}

/// Waits until nobody else changes settings, and holds others off until the transaction ends. The number of the newest change.
pub async fn take_turn(conn: &mut Conn) -> Result<u64, StoreError> {
    let value = diesel::update(settings_revision::table.find(ROW))
        .set(settings_revision::value.eq(settings_revision::value))
        .returning(settings_revision::value)
        .get_result::<i64>(conn)
        .await?;
    narrow(value)
}

/// All that is stored, by key.
pub async fn all(conn: &mut Conn) -> Result<Vec<StoredValue>, StoreError> {
    type Stored = (String, String, String, i64, Option<UserId>, Timestamp, String);
    let rows: Vec<Stored> = settings::table
        .inner_join(setting_changes::table.on(setting_changes::revision.eq(settings::revision)))
        .order((settings::key, settings::scope))
        .select((
            settings::key,
            settings::scope,
            settings::value,
            settings::revision,
            setting_changes::operator_id,
            setting_changes::at,
            setting_changes::reason,
        ))
        .load(conn)
        .await?;
    let names = names(conn, rows.iter().filter_map(|row| row.4).collect()).await?;
    let stored = |(key, scope, value, revision, operator, at, reason): Stored| {
        let operator = operator.and_then(|operator| names.get(&operator).cloned());
        Ok(StoredValue { key, scope, value, revision: narrow(revision)?, operator, at, reason })
    };
    rows.into_iter().map(stored).collect()
}

/// Makes the changes and writes them down. To be called in turn; their numbers follow that of the newest change.
pub async fn record(conn: &mut Conn, changes: &[SettingChange]) -> Result<(), StoreError> {
    for change in changes {
        let revision = change.revision as i64;
        diesel::insert_into(setting_changes::table)
            .values((
                setting_changes::revision.eq(revision),
                setting_changes::key.eq(&change.key),
                setting_changes::scope.eq(&change.scope),
                setting_changes::old.eq(change.old.as_deref()),
                setting_changes::new.eq(change.new.as_deref()),
                setting_changes::act.eq(change.act.as_str()),
                setting_changes::operator_id.eq(change.operator),
                setting_changes::via.eq(&change.via),
                setting_changes::reason.eq(&change.reason),
                setting_changes::at.eq(change.at),
                setting_changes::undoes.eq(change.undoes.map(|undoes| undoes as i64)),
                setting_changes::confirm_before.eq(change.confirm_before),
            ))
            .execute(conn)
            .await?;
        match &change.new {
            // What is confirmed is stored already, and stays the work of who stored it.
            Some(_) if change.act == SettingAct::Confirm => {}
            Some(value) => {
                diesel::insert_into(settings::table)
                    .values((
                        settings::key.eq(&change.key),
                        settings::scope.eq(&change.scope),
                        settings::value.eq(value),
                        settings::revision.eq(revision),
                    ))
                    .on_conflict((settings::key, settings::scope))
                    .do_update()
                    .set((
                        settings::value.eq(excluded(settings::value)),
                        settings::revision.eq(excluded(settings::revision)),
                    ))
                    .execute(conn)
                    .await?;
            }
            None => {
                let row = settings::table.find((&change.key, &change.scope));
                diesel::delete(row).execute(conn).await?;
            }
        }
        let newest = settings_revision::table.find(ROW);
        diesel::update(newest).set(settings_revision::value.eq(revision)).execute(conn).await?;
    }
    Ok(())
}

/// One change.
pub async fn find(conn: &mut Conn, revision: u64) -> Result<Option<SettingChange>, StoreError> {
    let row = changes!().filter(setting_changes::revision.eq(revision as i64)).first::<Row>(conn).await.optional()?;
    row.map(change).transpose()
}

/// A page of the changes, newest first: of all, or of those of a key.
pub async fn list(
    conn: &mut Conn,
    key: Option<&str>,
    wanted: &Wanted<u64>,
) -> Result<Listed<SettingChange>, StoreError> {
    let end = wanted.after.map_or(i64::MAX, |revision| revision as i64);
    let begin = wanted.before.map_or(0, |revision| revision as i64);
    let mut query = changes!()
        .filter(setting_changes::revision.lt(end).and(setting_changes::revision.gt(begin)))
        .filter(planned_each_time())
        .limit(wanted.read() as i64)
        .into_boxed();
    if let Some(key) = key {
        query = query.filter(setting_changes::key.eq(key.to_owned()));
    }
    query = if wanted.from_end {
        query.order(setting_changes::revision.asc())
    } else {
        query.order(setting_changes::revision.desc())
    };
    let read = query.load::<Row>(conn).await?.into_iter().map(change).collect::<Result<_, _>>()?;
    let total = if wanted.count {
        let mut counted = setting_changes::table.count().filter(planned_each_time()).into_boxed();
        if let Some(key) = key {
            counted = counted.filter(setting_changes::key.eq(key.to_owned()));
        }
        counted.get_result::<i64>(conn).await? as usize
    } else {
        0
    };
    Ok(Listed::of(read, wanted, total))
}

/// Changes after that one, oldest first.
pub async fn after(conn: &mut Conn, revision: u64, most: usize) -> Result<Vec<SettingChange>, StoreError> {
    let rows = changes!()
        .filter(setting_changes::revision.gt(revision as i64))
        .order(setting_changes::revision.asc())
        .limit(most as i64)
        .load::<Row>(conn)
        .await?;
    rows.into_iter().map(change).collect()
}

/// The number of the newest change of a key in a scope; 0 if there was none.
pub async fn newest_of(conn: &mut Conn, key: &str, scope: &str) -> Result<u64, StoreError> {
    let newest: Option<i64> = setting_changes::table
        .filter(setting_changes::key.eq(key).and(setting_changes::scope.eq(scope)))
        .select(max(setting_changes::revision))
        .first(conn)
        .await?;
    narrow(newest.unwrap_or_default())
}

/// How many changes an operator made at or after `since`.
pub async fn made_since(conn: &mut Conn, operator: UserId, since: Timestamp) -> Result<usize, StoreError> {
    let made: i64 = setting_changes::table
        .filter(setting_changes::operator_id.eq(operator).and(setting_changes::at.ge(since)))
        .count()
        .get_result(conn)
        .await?;
    Ok(made as usize)
}

/// Changes that end by themselves unless they are confirmed: each is the newest of its key and scope.
pub async fn unconfirmed(conn: &mut Conn) -> Result<Vec<SettingChange>, StoreError> {
    let later = diesel::alias!(setting_changes as later);
    let newer = later
        .filter(later.field(setting_changes::key).eq(setting_changes::key))
        .filter(later.field(setting_changes::scope).eq(setting_changes::scope))
        .filter(later.field(setting_changes::revision).gt(setting_changes::revision));
    let revisions: Vec<i64> = setting_changes::table
        .filter(setting_changes::confirm_before.is_not_null())
        .filter(diesel::dsl::not(diesel::dsl::exists(newer)))
        .order(setting_changes::revision.asc())
        .select(setting_changes::revision)
        .load(conn)
        .await?;
    let rows = changes!()
        .filter(setting_changes::revision.eq_any(revisions))
        .filter(planned_each_time())
        .order(setting_changes::revision.asc())
        .limit(i64::from(u16::MAX))
        .load::<Row>(conn)
        .await?;
    rows.into_iter().map(change).collect()
}
