//! Reservations of points: the row is the fence of a branch. Every function is one local transaction's work; statements come in the same
//! order in all of them, the reservation's row and then the account's, so that they do not deadlock. What they rely on is that inserting
//! a key waits for another transaction that has inserted it and not ended: on PostgreSQL at "read committed", on SQLite by the one writer.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods, OptionalExtension as _, QueryDsl, Queryable, Selectable,
    SelectableHelper as _,
};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::points_reservations;
use super::points::{change_posted, open_account, post, reserve, unreserve};
use crate::kernel::{Timestamp, UserId, Xid};
use crate::model::points::{Direction, INSUFFICIENT, NOT_RETURNABLE, Reservation, ReservationState, Transfer};
use crate::model::tcc::BranchKey;
use crate::store::StoreError;

#[derive(Queryable, Selectable)]
#[diesel(table_name = points_reservations)]
struct Row {
    xid: Xid,
    branch: i64,
    user_id: UserId,
    amount: i64,
    of_xid: Option<Xid>,
    of_branch: Option<i64>,
    returned: i64,
    state: String,
    reason: Option<String>,
    subject: String,
}

impl TryFrom<Row> for Reservation {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unreadable = || StoreError::internal("unreadable state of a reservation in the database");
        Ok(Self {
            key: BranchKey { xid: row.xid, branch: row.branch as u32 },
            user: row.user_id,
            direction: match (row.of_xid, row.of_branch) {
                (Some(xid), Some(branch)) => Direction::Credit { of: BranchKey { xid, branch: branch as u32 } },
                _ => Direction::Debit,
            },
            points: row.amount,
            subject: row.subject,
            state: ReservationState::parse(&row.state).ok_or_else(unreadable)?,
            reason: row.reason,
            returned: row.returned,
        })
    }
}

/// Writes the fence, unless it stands; whether it was written.
async fn insert(conn: &mut Conn, new: &Reservation, now: Timestamp) -> Result<bool, StoreError> {
    let (kind, of) = match new.direction {
        Direction::Debit => ("DEBIT", None),
        Direction::Credit { of } => ("CREDIT", Some(of)),
    };
    let rows = diesel::insert_into(points_reservations::table)
        .values((
            points_reservations::xid.eq(new.key.xid),
            points_reservations::branch.eq(i64::from(new.key.branch)),
            points_reservations::user_id.eq(new.user),
            points_reservations::kind.eq(kind),
            points_reservations::amount.eq(new.points),
            points_reservations::of_xid.eq(of.map(|of| of.xid)),
            points_reservations::of_branch.eq(of.map(|of| i64::from(of.branch))),
            points_reservations::state.eq(new.state.as_str()),
            points_reservations::subject.eq(&new.subject),
            points_reservations::created_at.eq(now),
            points_reservations::resolved_at.eq((new.state != ReservationState::Tried).then_some(now)),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// The reservation.
pub async fn find(conn: &mut Conn, key: BranchKey) -> Result<Option<Reservation>, StoreError> {
    let row: Option<Row> = points_reservations::table
        .find((key.xid, i64::from(key.branch)))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Reservation::try_from).transpose()
}

/// Reservations of these transactions.
pub async fn of_transactions(conn: &mut Conn, xids: &[Xid]) -> Result<Vec<Reservation>, StoreError> {
    let rows: Vec<Row> = points_reservations::table
        .filter(points_reservations::xid.eq_any(xids))
        .select(Row::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Reservation::try_from).collect()
}

async fn existing(conn: &mut Conn, key: BranchKey) -> Result<Reservation, StoreError> {
    find(conn, key).await?.ok_or_else(|| StoreError::internal(format!("reservation {} is missing", key.xid)))
}

/// Try: sets the points aside, or marks the reservation as rejected, which then stands. Returns the reservation as it now is; it may be
/// an older one. `welcome` opens the account if it never was.
pub async fn attempt(
    conn: &mut Conn,
    new: &Reservation,
    welcome: &Transfer,
    now: Timestamp,
) -> Result<Reservation, StoreError> {
    if !insert(conn, new, now).await? {
        return existing(conn, new.key).await;
    }
    let refused = match new.direction {
        Direction::Debit => {
            let reserved = reserve(conn, new.user, new.points).await?
                || (open_account(conn, welcome).await? && reserve(conn, new.user, new.points).await?);
            (!reserved).then_some(INSUFFICIENT)
        }
        Direction::Credit { of } => (!take_return(conn, new, of).await?).then_some(NOT_RETURNABLE),
    };
    match refused {
        None => Ok(new.clone()),
        Some(reason) => {
            resolve(conn, new.key, ReservationState::Rejected, Some(reason), now).await?;
            Ok(Reservation { state: ReservationState::Rejected, reason: Some(reason.to_owned()), ..new.clone() })
        }
    }
}

/// Confirm: moves what was tried, with `transfer` for the ledger. `None` when it was done, or else what is there instead.
pub async fn confirm(
    conn: &mut Conn,
    key: BranchKey,
    transfer: impl FnOnce(&Reservation) -> Transfer,
    now: Timestamp,
) -> Result<Result<(), Option<ReservationState>>, StoreError> {
    let Some(reservation) = resolve(conn, key, ReservationState::Confirmed, None, now).await? else {
        return Ok(match find(conn, key).await?.map(|found| found.state) {
            Some(ReservationState::Confirmed) => Ok(()),
            other => Err(other),
        });
    };
    match reservation.direction {
        Direction::Debit => unreserve(conn, reservation.user, reservation.points, true).await?,
        Direction::Credit { .. } => change_posted(conn, reservation.user, reservation.points).await?,
    }
    post(conn, &transfer(&reservation)).await?;
    Ok(Ok(()))
}

/// Cancel: takes back what was tried, or leaves the fence (`new`, suspended) that keeps a late Try out. `Err` when it was confirmed.
pub async fn cancel(
    conn: &mut Conn,
    new: &Reservation,
    now: Timestamp,
) -> Result<Result<(), ReservationState>, StoreError> {
    if insert(conn, new, now).await? {
        return Ok(Ok(()));
    }
    let Some(reservation) = resolve(conn, new.key, ReservationState::Cancelled, None, now).await? else {
        return Ok(match existing(conn, new.key).await?.state {
            state @ (ReservationState::Confirmed | ReservationState::Tried) => Err(state),
            ReservationState::Cancelled | ReservationState::Suspended | ReservationState::Rejected => Ok(()),
        });
    };
    match reservation.direction {
        Direction::Debit => unreserve(conn, reservation.user, reservation.points, false).await?,
        Direction::Credit { of } => give_back_return(conn, of, reservation.points).await?,
    }
    Ok(Ok(()))
}

/// Only what is tried can be resolved, once. Returns it as it now is.
async fn resolve(
    conn: &mut Conn,
    key: BranchKey,
    to: ReservationState,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<Option<Reservation>, StoreError> {
    let tried = points_reservations::table
        .filter(points_reservations::xid.eq(key.xid).and(points_reservations::branch.eq(i64::from(key.branch))))
        .filter(points_reservations::state.eq(ReservationState::Tried.as_str()));
    let row: Option<Row> = diesel::update(tried)
        .set((
            points_reservations::state.eq(to.as_str()),
            points_reservations::reason.eq(reason),
            points_reservations::resolved_at.eq(Some(now)),
        ))
        .returning(Row::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    row.map(Reservation::try_from).transpose()
}

/// Marks a part of a confirmed debit as on its way back; whether so much of it is left.
async fn take_return(conn: &mut Conn, new: &Reservation, of: BranchKey) -> Result<bool, StoreError> {
    let debit = points_reservations::table
        .filter(points_reservations::xid.eq(of.xid).and(points_reservations::branch.eq(i64::from(of.branch))))
        .filter(points_reservations::kind.eq("DEBIT").and(points_reservations::user_id.eq(new.user)))
        .filter(points_reservations::state.eq(ReservationState::Confirmed.as_str()))
        .filter((points_reservations::amount - points_reservations::returned).ge(new.points));
    let rows = diesel::update(debit)
        .set(points_reservations::returned.eq(points_reservations::returned + new.points))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

async fn give_back_return(conn: &mut Conn, of: BranchKey, points: i64) -> Result<(), StoreError> {
    diesel::update(points_reservations::table.find((of.xid, i64::from(of.branch))))
        .set(points_reservations::returned.eq(points_reservations::returned - points))
        .execute(conn)
        .await?;
    Ok(())
}
