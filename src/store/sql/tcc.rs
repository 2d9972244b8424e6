//! Global transactions.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;
use diesel::{ExpressionMethods, OptionalExtension as _, QueryDsl, Queryable, Selectable, SelectableHelper as _};
use diesel_async::RunQueryDsl;

use super::super::schema::{branch_transactions, global_transactions};
use super::super::{Conn, bulk};
use super::catalog::corrupt;
use crate::kernel::{Timestamp, Xid};
use crate::model::tcc::{Branch, BranchKey, BranchState, GlobalState, NOT_DECIDED, Transaction};
use crate::store::StoreError;

#[derive(Queryable, Selectable)]
#[diesel(table_name = global_transactions)]
struct Row {
    xid: Xid,
    kind: String,
    args: String,
    state: String,
    reason: Option<String>,
    last_error: Option<String>,
    deadline: Timestamp,
    attempts: i64,
    created_at: Timestamp,
}

type BranchRow = (Xid, i64, String, String, String);

impl Row {
    fn with(self, branches: Vec<Branch>) -> Result<Transaction, StoreError> {
        Ok(Transaction {
            xid: self.xid,
            kind: self.kind,
            args: self.args,
            state: GlobalState::parse(&self.state).ok_or_else(|| corrupt("state of a global transaction"))?,
            reason: self.reason,
            last_error: self.last_error,
            deadline: self.deadline,
            attempts: self.attempts as u32,
            created_at: self.created_at,
            branches,
        })
    }
}

fn branch((xid, branch, participant, args, state): BranchRow) -> Result<Branch, StoreError> {
    Ok(Branch {
        key: BranchKey { xid, branch: branch as u32 },
        participant,
        args,
        state: BranchState::parse(&state).ok_or_else(|| corrupt("state of a branch"))?,
    })
}

/// Writes a new transaction down, with its branches.
pub async fn begin(conn: &mut Conn, transaction: &Transaction) -> Result<(), StoreError> {
    diesel::insert_into(global_transactions::table)
        .values((
            global_transactions::xid.eq(transaction.xid),
            global_transactions::kind.eq(&transaction.kind),
            global_transactions::args.eq(&transaction.args),
            global_transactions::state.eq(transaction.state.as_str()),
            global_transactions::deadline.eq(transaction.deadline),
            global_transactions::next_run_at.eq(transaction.deadline),
            global_transactions::created_at.eq(transaction.created_at),
        ))
        .execute(conn)
        .await?;
    for branch in &transaction.branches {
        diesel::insert_into(branch_transactions::table)
            .values((
                branch_transactions::xid.eq(branch.key.xid),
                branch_transactions::branch.eq(i64::from(branch.key.branch)),
                branch_transactions::participant.eq(&branch.participant),
                branch_transactions::args.eq(&branch.args),
                branch_transactions::state.eq(branch.state.as_str()),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// The decision to confirm, to be taken in the local transaction of the commit point, after everything else: if it is decided already, or
/// too late, this is an error ([`NOT_DECIDED`]) that must take the rest back. Recovery looks at it from `retry_at` on.
pub async fn decide(conn: &mut Conn, xid: Xid, now: Timestamp, retry_at: Timestamp) -> Result<(), StoreError> {
    let undecided = global_transactions::table
        .filter(global_transactions::xid.eq(xid))
        .filter(global_transactions::state.eq(GlobalState::Trying.as_str()))
        .filter(global_transactions::deadline.gt(now));
    let rows = diesel::update(undecided)
        .set((
            global_transactions::state.eq(GlobalState::Confirming.as_str()),
            global_transactions::next_run_at.eq(retry_at),
        ))
        .execute(conn)
        .await?;
    if rows == 1 { Ok(()) } else { Err(StoreError::Conflict { constraint: NOT_DECIDED.into() }) }
}

/// The decision to cancel; `false` when it is decided already.
pub async fn abort(conn: &mut Conn, xid: Xid, reason: &str, retry_at: Timestamp) -> Result<bool, StoreError> {
    let undecided = global_transactions::table
        .filter(global_transactions::xid.eq(xid))
        .filter(global_transactions::state.eq(GlobalState::Trying.as_str()));
    let rows = diesel::update(undecided)
        .set((
            global_transactions::state.eq(GlobalState::Cancelling.as_str()),
            global_transactions::reason.eq(reason),
            global_transactions::next_run_at.eq(retry_at),
        ))
        .execute(conn)
        .await?;
    Ok(rows == 1)
}

/// All branches of these are done: confirmed, or else cancelled. Returns those that had not ended already.
pub async fn end(conn: &mut Conn, xids: &[Xid], confirmed: bool, now: Timestamp) -> Result<Vec<Xid>, StoreError> {
    let (from, to, branch) = if confirmed {
        (GlobalState::Confirming, GlobalState::Confirmed, BranchState::Confirmed)
    } else {
        (GlobalState::Cancelling, GlobalState::Cancelled, BranchState::Cancelled)
    };
    let decided = global_transactions::table
        .filter(global_transactions::xid.eq_any(xids.to_vec()))
        .filter(global_transactions::state.eq(from.as_str()));
    let ended: Vec<Xid> = diesel::update(decided)
        .set((global_transactions::state.eq(to.as_str()), global_transactions::ended_at.eq(now)))
        .returning(global_transactions::xid)
        .get_results(conn)
        .await?;
    diesel::update(branch_transactions::table.filter(branch_transactions::xid.eq_any(ended.clone())))
        .set(branch_transactions::state.eq(branch.as_str()))
        .execute(conn)
        .await?;
    Ok(ended)
}

/// Trouble: gives the lease back and says when to try again.
pub async fn postpone(
    conn: &mut Conn,
    xid: Xid,
    attempts: u32,
    next_run_at: Timestamp,
    reason: &str,
) -> Result<(), StoreError> {
    diesel::update(global_transactions::table.filter(global_transactions::xid.eq(xid)))
        .set((
            global_transactions::attempts.eq(i64::from(attempts)),
            global_transactions::next_run_at.eq(next_run_at),
            global_transactions::last_error.eq(reason),
            global_transactions::lease_owner.eq(""),
            global_transactions::lease_until.eq(Timestamp::from_millis(0)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes transactions that are due and that nobody works on, the longest due first.
pub async fn claim(
    conn: &mut Conn,
    owner: &str,
    now: Timestamp,
    until: Timestamp,
    max: usize,
) -> Result<Vec<Transaction>, StoreError> {
    let due = bulk::lock_due_transactions(conn, now, max).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    diesel::update(global_transactions::table.filter(global_transactions::xid.eq_any(&due)))
        .set((global_transactions::lease_owner.eq(owner), global_transactions::lease_until.eq(until)))
        .execute(conn)
        .await?;
    load(conn, &due).await
}

/// The transaction.
pub async fn find(conn: &mut Conn, xid: Xid) -> Result<Option<Transaction>, StoreError> {
    Ok(load(conn, &[xid]).await?.pop())
}

/// Transactions by their ids.
async fn load(conn: &mut Conn, xids: &[Xid]) -> Result<Vec<Transaction>, StoreError> {
    let rows: Vec<Row> = global_transactions::table
        .filter(global_transactions::xid.eq_any(xids))
        .select(Row::as_select())
        .load(conn)
        .await?;
    let found: Vec<BranchRow> = branch_transactions::table
        .filter(branch_transactions::xid.eq_any(xids))
        .order((branch_transactions::xid, branch_transactions::branch))
        .select((
            branch_transactions::xid,
            branch_transactions::branch,
            branch_transactions::participant,
            branch_transactions::args,
            branch_transactions::state,
        ))
        .load(conn)
        .await?;
    let mut branches = BTreeMap::<Xid, Vec<Branch>>::new();
    for row in found {
        branches.entry(row.0).or_default().push(branch(row)?);
    }
    rows.into_iter()
        .map(|row| {
            let xid = row.xid;
            row.with(branches.remove(&xid).unwrap_or_default())
        })
        .collect()
}

/// A page of transactions by id, for audits: what each is about, and how far it is.
pub async fn page(conn: &mut Conn, after: Option<Xid>, max: usize) -> Result<Vec<(Xid, GlobalState)>, StoreError> {
    let mut query = global_transactions::table
        .order(global_transactions::xid)
        .limit(max as i64)
        .select((global_transactions::xid, global_transactions::state))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(global_transactions::xid.gt(after));
    }
    let rows: Vec<(Xid, String)> = query.load(conn).await?;
    let state = |text: &str| GlobalState::parse(text).ok_or_else(|| corrupt("state of a global transaction"));
    rows.into_iter().map(|(xid, text)| Ok((xid, state(&text)?))).collect()
}

/// The condition of the index on those that have not ended. Bound values would keep SQLite from using it.
pub(in super::super) fn open_transaction() -> SqlLiteral<Bool> {
    sql("state IN ('TRYING', 'CONFIRMING', 'CANCELLING')")
}

/// When the transaction began that waits the longest for its end, if any does.
pub async fn oldest_open(conn: &mut Conn) -> Result<Option<Timestamp>, StoreError> {
    Ok(global_transactions::table
        .filter(open_transaction())
        .order(global_transactions::created_at)
        .select(global_transactions::created_at)
        .first(conn)
        .await
        .optional()?)
}
