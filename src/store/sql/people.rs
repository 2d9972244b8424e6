//! Lists of users, and of their attempts to sign in, for operators.

use diesel::{BoolExpressionMethods as _, ExpressionMethods, QueryDsl};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::{login_log, users};
use super::super::types::Id;
use super::accounts::{USER, UserRow, user};
use super::{end_of_prefix, newest_first, planned_each_time};
use crate::kernel::{Listed, LoginEventId, Place, Timestamp, UserId, Wanted};
use crate::model::accounts::{Role, SignInAttempt, User};
use crate::store::StoreError;

/// Which users are wanted: those of a role and, if something is looked for, those whose username begins so or who show this name.
#[derive(Clone, Copy)]
enum Which<'a> {
    All,
    Username(&'a str),
    DisplayName(&'a str),
}

/// Narrows a boxed query to the users of a role.
macro_rules! filtered {
    ($query:expr, $role:expr, $which:expr) => {{
        let query = $query.filter(planned_each_time()).filter(users::role.eq($role.as_str()));
        match $which {
            Which::All => query.filter(users::username.ge("")),
            Which::Username(beginning) => query
                .filter(users::username.ge(beginning.to_owned()))
                .filter(users::username.lt(end_of_prefix(beginning))),
            // Who has both is counted once.
            Which::DisplayName(name) => query
                .filter(users::display_key.eq(name.to_owned()))
                .filter(users::username.lt(name.to_owned()).or(users::username.ge(end_of_prefix(name)))),
        }
    }};
}

/// A page of the users with these roles, by username. `search` is in lower case: the beginning of the username, or the whole name that
/// is shown.
pub async fn list(
    conn: &mut Conn,
    search: Option<&str>,
    roles: &[Role],
    wanted: &Wanted<String>,
) -> Result<Listed<User>, StoreError> {
    let which = match search {
        None => vec![Which::All],
        Some(text) => vec![Which::Username(text), Which::DisplayName(text)],
    };
    let (mut read, mut total) = (Vec::new(), 0);
    for role in roles {
        for which in &which {
            read.extend(page(conn, *role, *which, wanted).await?);
            if wanted.count {
                total += count(conn, *role, *which).await?;
            }
        }
    }
    Ok(Listed::merged(read, wanted, total, |a: &User, b: &User| a.username.cmp(&b.username)))
}

async fn page(conn: &mut Conn, role: Role, which: Which<'_>, wanted: &Wanted<String>) -> Result<Vec<User>, StoreError> {
    let mut query = filtered!(users::table.select(USER).into_boxed(), role, which).limit(wanted.read() as i64);
    if let Some(after) = &wanted.after {
        query = query.filter(users::username.gt(after));
    }
    if let Some(before) = &wanted.before {
        query = query.filter(users::username.lt(before));
    }
    query = if wanted.from_end { query.order(users::username.desc()) } else { query.order(users::username.asc()) };
    let rows: Vec<UserRow> = query.load(conn).await?;
    rows.into_iter().map(user).collect()
}

async fn count(conn: &mut Conn, role: Role, which: Which<'_>) -> Result<usize, StoreError> {
    let count: i64 = filtered!(users::table.count().into_boxed(), role, which).get_result(conn).await?;
    Ok(count as usize)
}

/// Users whose username begins so, by username.
pub async fn named(conn: &mut Conn, beginning: &str, max: usize) -> Result<Vec<(UserId, String)>, StoreError> {
    Ok(users::table
        .filter(users::username.ge(beginning).and(users::username.lt(end_of_prefix(beginning))))
        .filter(planned_each_time())
        .order(users::username)
        .limit(max as i64)
        .select((users::id, users::username))
        .load(conn)
        .await?)
}

type AttemptRow = (LoginEventId, Option<UserId>, String, String, String, Timestamp);

/// A page of the attempts to sign in, the newest first: all, or those with this username.
pub async fn attempts(
    conn: &mut Conn,
    username: Option<&str>,
    wanted: &Wanted<Place<LoginEventId>>,
) -> Result<Listed<SignInAttempt>, StoreError> {
    let columns = (
        login_log::event_id,
        login_log::user_id,
        login_log::username,
        login_log::address,
        login_log::outcome,
        login_log::at,
    );
    let mut query = login_log::table.select(columns).filter(planned_each_time()).into_boxed();
    if let Some(username) = username {
        query = query.filter(login_log::username.eq(username.to_owned()));
    }
    let rows: Vec<AttemptRow> = newest_first!(
        query,
        wanted,
        None,
        None,
        login_log::at,
        login_log::event_id,
        ("login_log.at, login_log.event_id", Id)
    )
    .load(conn)
    .await?;
    let attempt = |(id, user, username, address, outcome, at): AttemptRow| SignInAttempt {
        id,
        user,
        username,
        address,
        outcome,
        at,
    };
    let total = if wanted.count { count_attempts(conn, username).await? } else { 0 };
    Ok(Listed::of(rows.into_iter().map(attempt).collect(), wanted, total))
}

async fn count_attempts(conn: &mut Conn, username: Option<&str>) -> Result<usize, StoreError> {
    let mut query = login_log::table.count().into_boxed();
    if let Some(username) = username {
        query = query.filter(login_log::username.eq(username.to_owned()));
    }
    let count: i64 = query.get_result(conn).await?;
    Ok(count as usize)
}
