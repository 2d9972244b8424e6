//! Points: accounts and the ledger. See [`super::reservations`] for the fence.

use diesel::{
    BoolExpressionMethods as _, ExpressionMethods, JoinOnDsl as _, OptionalExtension as _, QueryDsl, Queryable,
};
use diesel_async::RunQueryDsl;

use super::super::schema::{points_accounts, points_entries, points_transfers};
use super::super::{Conn, bulk};
use crate::kernel::{Timestamp, TransferId, UserId};
use crate::model::points::{Account, Entry, EntryKey, EntryList, EntryPage, Transfer, TransferKind};
use crate::store::StoreError;

/// The shop's own side of every transfer.
pub(super) const SHOP: UserId = UserId::from_bytes([0; 16]);

#[derive(Queryable)]
struct EntryRow {
    transfer: TransferId,
    kind: String,
    points: i64,
    reason: Option<String>,
    subject: Option<String>,
    at: Timestamp,
}

const ENTRY: (
    points_entries::transfer_id,
    points_transfers::kind,
    points_entries::amount,
    points_transfers::reason,
    points_transfers::subject,
    points_entries::at,
) = (
    points_entries::transfer_id,
    points_transfers::kind,
    points_entries::amount,
    points_transfers::reason,
    points_transfers::subject,
    points_entries::at,
);

impl TryFrom<EntryRow> for Entry {
    type Error = StoreError;

    fn try_from(row: EntryRow) -> Result<Self, StoreError> {
        let unreadable = || StoreError::internal("unreadable kind of a transfer in the database");
        Ok(Self {
            transfer: row.transfer,
            kind: TransferKind::parse(&row.kind).ok_or_else(unreadable)?,
            points: row.points,
            reason: row.reason,
            subject: row.subject,
            at: row.at,
        })
    }
}

/// The account; `None` when it was never opened.
pub async fn find_account(conn: &mut Conn, user: UserId) -> Result<Option<Account>, StoreError> {
    let row: Option<(i64, i64)> = points_accounts::table
        .find(user)
        .select((points_accounts::posted, points_accounts::reserved))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(posted, reserved)| Account { user, posted, reserved }))
}

/// Opens the account of `welcome`'s user with these points, unless it is open; whether it was opened now. None are posted if they are 0.
pub async fn open_account(conn: &mut Conn, welcome: &Transfer) -> Result<bool, StoreError> {
    let rows = diesel::insert_into(points_accounts::table)
        .values((points_accounts::user_id.eq(welcome.user), points_accounts::opened_at.eq(welcome.at)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    if rows == 1 && welcome.points != 0 {
        change_posted(conn, welcome.user, welcome.points).await?;
        post(conn, welcome).await?;
    }
    Ok(rows == 1)
}

/// Gives points to an open account that may hold `max` at most; whether it may.
pub async fn grant(conn: &mut Conn, transfer: &Transfer, max: i64) -> Result<bool, StoreError> {
    let account = points_accounts::table
        .filter(points_accounts::user_id.eq(transfer.user))
        .filter(points_accounts::posted.le(max - transfer.points));
    let rows = diesel::update(account)
        .set(points_accounts::posted.eq(points_accounts::posted + transfer.points))
        .execute(conn)
        .await?;
    if rows == 1 {
        post(conn, transfer).await?;
    }
    Ok(rows == 1)
}

/// Raises (or lowers) what an open account holds.
pub(super) async fn change_posted(conn: &mut Conn, user: UserId, points: i64) -> Result<(), StoreError> {
    let rows = diesel::update(points_accounts::table.find(user))
        .set(points_accounts::posted.eq(points_accounts::posted + points))
        .execute(conn)
        .await?;
    one(rows, user)
}

/// Sets points aside; whether so many can be spent.
pub(super) async fn reserve(conn: &mut Conn, user: UserId, points: i64) -> Result<bool, StoreError> {
    let account = points_accounts::table
        .filter(points_accounts::user_id.eq(user))
        .filter((points_accounts::posted - points_accounts::reserved).ge(points));
    let rows = diesel::update(account)
        .set(points_accounts::reserved.eq(points_accounts::reserved + points))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// Frees points that were set aside, or takes them away for good.
pub(super) async fn unreserve(conn: &mut Conn, user: UserId, points: i64, spent: bool) -> Result<(), StoreError> {
    let taken = if spent { points } else { 0 };
    let rows = diesel::update(points_accounts::table.find(user))
        .set((
            points_accounts::posted.eq(points_accounts::posted - taken),
            points_accounts::reserved.eq(points_accounts::reserved - points),
        ))
        .execute(conn)
        .await?;
    one(rows, user)
}

fn one(rows: usize, user: UserId) -> Result<(), StoreError> {
    if rows == 1 { Ok(()) } else { Err(StoreError::internal(format!("{user} has no points account"))) }
}

/// Writes a transfer with its two entries. The account's sum is the caller's to change.
pub(super) async fn post(conn: &mut Conn, transfer: &Transfer) -> Result<(), StoreError> {
    diesel::insert_into(points_transfers::table)
        .values((
            points_transfers::id.eq(transfer.id),
            points_transfers::kind.eq(transfer.kind.as_str()),
            points_transfers::reference.eq(&transfer.reference),
            points_transfers::xid.eq(transfer.branch.map(|key| key.xid)),
            points_transfers::branch.eq(transfer.branch.map(|key| i64::from(key.branch))),
            points_transfers::operator_id.eq(transfer.operator),
            points_transfers::reason.eq(&transfer.reason),
            points_transfers::subject.eq(&transfer.subject),
            points_transfers::at.eq(transfer.at),
        ))
        .execute(conn)
        .await?;
    let points = transfer.points;
    bulk::insert_entries(conn, transfer, [(transfer.user, SHOP, points), (SHOP, transfer.user, -points)]).await
}

/// What an act outside of transactions has moved: whose points, how many, why.
pub async fn find_by_reference(conn: &mut Conn, reference: &str) -> Result<Option<(UserId, Entry)>, StoreError> {
    let row: Option<(UserId, EntryRow)> = points_entries::table
        .inner_join(points_transfers::table.on(points_transfers::id.eq(points_entries::transfer_id)))
        .filter(points_transfers::reference.eq(reference).and(points_entries::account_id.ne(SHOP)))
        .select((points_entries::account_id, ENTRY))
        .first(conn)
        .await
        .optional()?;
    row.map(|(user, row)| Ok((user, row.try_into()?))).transpose()
}

/// A user's own entry of a transfer.
pub async fn find_entry(conn: &mut Conn, user: UserId, transfer: TransferId) -> Result<Option<Entry>, StoreError> {
    let row: Option<EntryRow> = points_entries::table
        .inner_join(points_transfers::table.on(points_transfers::id.eq(points_entries::transfer_id)))
        .filter(points_entries::transfer_id.eq(transfer).and(points_entries::account_id.eq(user)))
        .select(ENTRY)
        .first(conn)
        .await
        .optional()?;
    row.map(Entry::try_from).transpose()
}

/// A page of an account's entries.
pub async fn entries(conn: &mut Conn, user: UserId, page: EntryPage) -> Result<EntryList, StoreError> {
    let of_user = points_entries::account_id.eq(user);
    let total: i64 = points_entries::table.filter(of_user).count().get_result(conn).await?;
    let mut query = points_entries::table
        .inner_join(points_transfers::table.on(points_transfers::id.eq(points_entries::transfer_id)))
        .filter(of_user)
        .limit(page.limit as i64 + 1)
        .select(ENTRY)
        .into_boxed();
    if let Some(EntryKey { at, transfer }) = page.after {
        let same = points_entries::at.eq(at).and(points_entries::transfer_id.lt(transfer));
        query = query.filter(points_entries::at.lt(at).or(same));
    }
    if let Some(EntryKey { at, transfer }) = page.before {
        let same = points_entries::at.eq(at).and(points_entries::transfer_id.gt(transfer));
        query = query.filter(points_entries::at.gt(at).or(same));
    }
    query = if page.from_end {
        query.order((points_entries::at.asc(), points_entries::transfer_id.asc()))
    } else {
        query.order((points_entries::at.desc(), points_entries::transfer_id.desc()))
    };
    let rows: Vec<EntryRow> = query.load(conn).await?;
    let more = rows.len() > page.limit;
    let mut entries = rows.into_iter().take(page.limit).map(Entry::try_from).collect::<Result<Vec<_>, _>>()?;
    if page.from_end {
        entries.reverse();
    }
    Ok(EntryList { entries, more, total: total as usize })
}
