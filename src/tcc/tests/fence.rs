//! The reservation as fence: points as a participant, called as a careless network would.

use tokio::sync::oneshot;

use super::{Rig, breach, credit, debit, on_both_topologies};
use crate::model::points::{INSUFFICIENT, NOT_RETURNABLE, ReservationState};
use crate::points::Hold;
use crate::store::{self, Database, StoreError};
use crate::tcc::{Failure, Participant as _, Tried};

on_both_topologies!(
    tcc_01_try_then_confirm,
    tcc_02_try_then_cancel,
    tcc_03_confirm_twice_and_cancel_twice,
    tcc_04_try_twice,
    tcc_05_cancel_without_try,
    tcc_06_try_after_an_empty_cancel,
    tcc_07_try_after_cancel_after_try,
    tcc_08_cancel_while_try_is_uncommitted,
    tcc_09_confirm_without_try,
    tcc_10_confirm_and_cancel_exclude_each_other,
    tcc_11_rejected_stays_rejected,
    tcc_23_a_try_that_comes_days_later,
    a_credit_gives_back_what_a_debit_took_once,
    the_schema_keeps_the_ledger,
);

async fn tcc_01_try_then_confirm(rig: Rig) {
    let (user, key) = (rig.buyer(100).await, rig.key());
    let args = debit(user, 30);
    assert_eq!(rig.points.attempt(key, &args).await.unwrap(), Tried::Tried);
    assert_eq!(rig.sums(user).await, (100, 30));
    rig.points.confirm(key, &args).await.unwrap();
    assert_eq!(rig.sums(user).await, (70, 0));
    rig.check().await;
}

async fn tcc_02_try_then_cancel(rig: Rig) {
    let (user, key) = (rig.buyer(100).await, rig.key());
    let args = debit(user, 30);
    assert_eq!(rig.points.attempt(key, &args).await.unwrap(), Tried::Tried);
    rig.points.cancel(key, &args).await.unwrap();
    assert_eq!(rig.sums(user).await, (100, 0));
    assert_eq!(rig.state(key).await, Some(ReservationState::Cancelled));
    rig.check().await;
}

async fn tcc_03_confirm_twice_and_cancel_twice(rig: Rig) {
    let user = rig.buyer(100).await;
    let (spent, freed, args) = (rig.key(), rig.key(), debit(user, 30));
    for key in [spent, freed] {
        rig.points.attempt(key, &args).await.unwrap();
    }
    for _ in 0..2 {
        rig.points.confirm(spent, &args).await.unwrap();
        rig.points.cancel(freed, &args).await.unwrap();
    }
    assert_eq!(rig.sums(user).await, (70, 0));
    // At the same moment.
    let (spent, freed) = (rig.key(), rig.key());
    for key in [spent, freed] {
        rig.points.attempt(key, &args).await.unwrap();
    }
    let calls = (0..8).map(async |_| {
        rig.points.confirm(spent, &args).await.unwrap();
        rig.points.cancel(freed, &args).await.unwrap();
    });
    futures_util::future::join_all(calls).await;
    assert_eq!(rig.sums(user).await, (40, 0));
    rig.check().await;
}

async fn tcc_04_try_twice(rig: Rig) {
    let (user, other, key) = (rig.buyer(100).await, rig.buyer(100).await, rig.key());
    for _ in 0..2 {
        assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::Tried);
    }
    for args in [debit(user, 31), debit(other, 30), credit(user, 30, rig.key())] {
        let again = rig.points.attempt(key, &args).await;
        assert!(matches!(again, Err(Failure::Arguments(_))), "{again:?}");
    }
    assert_eq!((rig.sums(user).await, rig.sums(other).await), ((100, 30), (100, 0)));
    rig.points.confirm(key, &debit(user, 30)).await.unwrap();
    // A Try that comes after Confirm is an old one.
    assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::Tried);
    assert_eq!(rig.sums(user).await, (70, 0));
    for args in ["", "{}", "null", &debit(user, 0), &debit(user, -5)] {
        assert!(matches!(rig.points.attempt(rig.key(), args).await, Err(Failure::Arguments(_))), "{args}");
    }
    rig.check().await;
}

async fn tcc_05_cancel_without_try(rig: Rig) {
    let (user, key) = (rig.buyer(100).await, rig.key());
    rig.points.cancel(key, &debit(user, 30)).await.unwrap();
    rig.points.cancel(key, &debit(user, 30)).await.unwrap();
    assert_eq!(rig.state(key).await, Some(ReservationState::Suspended));
    assert_eq!(rig.sums(user).await, (100, 0));
    rig.check().await;
}

async fn tcc_06_try_after_an_empty_cancel(rig: Rig) {
    let (user, key) = (rig.buyer(100).await, rig.key());
    rig.points.cancel(key, &debit(user, 30)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::AlreadyCancelled);
    }
    assert_eq!(rig.sums(user).await, (100, 0));
    rig.check().await;
}

async fn tcc_07_try_after_cancel_after_try(rig: Rig) {
    let (user, key) = (rig.buyer(100).await, rig.key());
    rig.points.attempt(key, &debit(user, 30)).await.unwrap();
    rig.points.cancel(key, &debit(user, 30)).await.unwrap();
    assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::AlreadyCancelled);
    assert_eq!(rig.sums(user).await, (100, 0));
    rig.check().await;
}

async fn tcc_08_cancel_while_try_is_uncommitted(rig: Rig) {
    for committed in [true, false] {
        let (user, key) = (rig.buyer(100).await, rig.key());
        match rig.points.db() {
            Database::Postgres(db) => {
                let (tried, end) = (oneshot::channel(), oneshot::channel::<()>());
                let new = Hold::decode(&debit(user, 30)).unwrap().fence(key, ReservationState::Tried);
                let (welcome, now) = (rig.points.welcome(user), rig.clock.clock().now());
                let db = db.clone();
                let trying = tokio::spawn(async move {
                    use crate::store::postgres::{Conn, sql};
                    db.write(move |conn: &mut Conn| {
                        Box::pin(async move {
                            sql::reservations::attempt(conn, &new, &welcome, now).await?;
                            tried.0.send(()).unwrap();
                            end.1.await.unwrap();
                            if committed { Ok(()) } else { Err(StoreError::internal("given up")) }
                        })
                    })
                    .await
                });
                tried.1.await.unwrap();
                let (points, args) = (rig.points.clone(), debit(user, 30));
                let cancelling = tokio::spawn(async move { points.cancel(key, &args).await });
                // It waits for the row: it is in the way, or it is not.
                waits_for_a_lock(&rig).await;
                assert!(!cancelling.is_finished());
                end.0.send(()).unwrap();
                assert_eq!(trying.await.unwrap().is_ok(), committed);
                cancelling.await.unwrap().unwrap();
                let expected = if committed { ReservationState::Cancelled } else { ReservationState::Suspended };
                assert_eq!(rig.state(key).await, Some(expected));
            }
            // One writer: either comes first, and what comes first in a batch is not committed when the other comes.
            Database::Sqlite(_) => {
                let args = debit(user, 30);
                let (tried, cancelled) = if committed {
                    tokio::join!(rig.points.attempt(key, &args), rig.points.cancel(key, &args))
                } else {
                    let (cancelled, tried) =
                        tokio::join!(rig.points.cancel(key, &args), rig.points.attempt(key, &args));
                    (tried, cancelled)
                };
                cancelled.unwrap();
                assert!(matches!(tried.unwrap(), Tried::Tried | Tried::AlreadyCancelled));
                assert_ne!(rig.state(key).await, Some(ReservationState::Tried));
            }
        }
        assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::AlreadyCancelled);
        assert_eq!(rig.sums(user).await, (100, 0));
    }
    rig.check().await;
}

/// Until some statement in the database of points waits for another.
async fn waits_for_a_lock(rig: &Rig) {
    let Database::Postgres(db) = rig.points.db() else { return };
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let waiting = db
            .read(|conn: &mut crate::store::postgres::Conn| {
                Box::pin(async move {
                    #[derive(diesel::QueryableByName)]
                    struct Count {
                        #[diesel(sql_type = diesel::sql_types::BigInt)]
                        n: i64,
                    }
                    let query = "SELECT COUNT(*) AS n FROM pg_stat_activity \
                                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
                    let rows: Vec<Count> = diesel_async::RunQueryDsl::load(diesel::sql_query(query), conn).await?;
                    Ok(rows[0].n)
                })
            })
            .await
            .unwrap();
        if waiting > 0 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "nobody waits");
        tokio::task::yield_now().await;
    }
}

async fn tcc_09_confirm_without_try(rig: Rig) {
    let (user, key) = (rig.buyer(100).await, rig.key());
    assert!(breach(rig.points.confirm(key, &debit(user, 30)).await));
    assert_eq!((rig.state(key).await, rig.sums(user).await), (None, (100, 0)));
    rig.check().await;
}

async fn tcc_10_confirm_and_cancel_exclude_each_other(rig: Rig) {
    let user = rig.buyer(100).await;
    let (spent, freed, empty, args) = (rig.key(), rig.key(), rig.key(), debit(user, 30));
    for key in [spent, freed] {
        rig.points.attempt(key, &args).await.unwrap();
    }
    rig.points.confirm(spent, &args).await.unwrap();
    assert!(breach(rig.points.cancel(spent, &args).await));
    rig.points.cancel(freed, &args).await.unwrap();
    assert!(breach(rig.points.confirm(freed, &args).await));
    rig.points.cancel(empty, &args).await.unwrap();
    assert!(breach(rig.points.confirm(empty, &args).await));
    assert_eq!(rig.sums(user).await, (70, 0));
    rig.check().await;
}

async fn tcc_11_rejected_stays_rejected(rig: Rig) {
    let (user, key) = (rig.buyer(20).await, rig.key());
    assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::Rejected(INSUFFICIENT));
    rig.give(user, 1_000).await;
    assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::Rejected(INSUFFICIENT));
    assert!(breach(rig.points.confirm(key, &debit(user, 30)).await));
    rig.points.cancel(key, &debit(user, 30)).await.unwrap();
    assert_eq!(rig.points.attempt(key, &debit(user, 30)).await.unwrap(), Tried::Rejected(INSUFFICIENT));
    assert_eq!(rig.sums(user).await, (1_020, 0));
    assert_eq!(rig.points.attempt(rig.key(), &debit(user, 30)).await.unwrap(), Tried::Tried);
    rig.check_ledger().await;
}

async fn tcc_23_a_try_that_comes_days_later(rig: Rig) {
    let user = rig.buyer(100).await;
    let (tried, empty, args) = (rig.key(), rig.key(), debit(user, 30));
    rig.points.attempt(tried, &args).await.unwrap();
    rig.points.cancel(tried, &args).await.unwrap();
    rig.points.cancel(empty, &args).await.unwrap();
    rig.clock.advance(std::time::Duration::from_secs(400 * 86_400));
    // Whatever would clear the fence away is refused by the schema.
    let cleared = execute(rig.points.db(), "DELETE FROM points_reservations").await;
    assert!(cleared.is_err(), "{cleared:?}");
    for key in [tried, empty] {
        assert_eq!(rig.points.attempt(key, &args).await.unwrap(), Tried::AlreadyCancelled);
    }
    assert_eq!(rig.sums(user).await, (100, 0));
    rig.check().await;
}

async fn a_credit_gives_back_what_a_debit_took_once(rig: Rig) {
    let (user, other, debt) = (rig.buyer(100).await, rig.buyer(100).await, rig.key());
    rig.points.attempt(debt, &debit(user, 60)).await.unwrap();
    let refused = async |args: String| rig.points.attempt(rig.key(), &args).await.unwrap();
    // Not confirmed yet; not a debit at all; another's.
    assert_eq!(refused(credit(user, 60, debt)).await, Tried::Rejected(NOT_RETURNABLE));
    rig.points.confirm(debt, &debit(user, 60)).await.unwrap();
    assert_eq!(refused(credit(user, 60, rig.key())).await, Tried::Rejected(NOT_RETURNABLE));
    assert_eq!(refused(credit(other, 60, debt)).await, Tried::Rejected(NOT_RETURNABLE));
    assert_eq!(refused(credit(user, 61, debt)).await, Tried::Rejected(NOT_RETURNABLE));
    let (first, second) = (rig.key(), rig.key());
    assert_eq!(rig.points.attempt(first, &credit(user, 40, debt)).await.unwrap(), Tried::Tried);
    assert_eq!(rig.sums(user).await, (40, 0), "a pending credit can't be spent");
    assert_eq!(refused(credit(user, 40, debt)).await, Tried::Rejected(NOT_RETURNABLE));
    rig.points.cancel(first, &credit(user, 40, debt)).await.unwrap();
    assert_eq!(rig.points.attempt(second, &credit(user, 60, debt)).await.unwrap(), Tried::Tried);
    for _ in 0..2 {
        rig.points.confirm(second, &credit(user, 60, debt)).await.unwrap();
    }
    assert_eq!(rig.sums(user).await, (100, 0));
    assert_eq!(refused(credit(user, 1, debt)).await, Tried::Rejected(NOT_RETURNABLE));
    rig.check().await;
}

/// Statements that no code of ours would run.
async fn execute(db: &Database, statement: &'static str) -> Result<(), StoreError> {
    use diesel_async::SimpleAsyncConnection as _;
    store::write!(db, |conn| Ok(conn.batch_execute(statement).await?))
}

async fn the_schema_keeps_the_ledger(rig: Rig) {
    let (user, key, open) = (rig.buyer(100).await, rig.key(), rig.key());
    rig.points.attempt(key, &debit(user, 30)).await.unwrap();
    rig.points.confirm(key, &debit(user, 30)).await.unwrap();
    rig.points.attempt(open, &debit(user, 30)).await.unwrap();
    for statement in [
        "DELETE FROM points_entries",
        "UPDATE points_entries SET at = at + 1",
        "DELETE FROM points_transfers",
        "UPDATE points_transfers SET reason = 'another'",
        "UPDATE points_reservations SET state = 'CANCELLED' WHERE state = 'CONFIRMED'",
        "UPDATE points_accounts SET reserved = posted + 1",
        "UPDATE points_accounts SET reserved = -1",
        "UPDATE points_reservations SET returned = amount + 1",
        // One entry without the other, and one more beside a pair.
        "INSERT INTO points_entries SELECT transfer_id, against_id, amount * 2, account_id, -amount * 2, at \
         FROM points_entries WHERE amount > 0",
        "INSERT INTO points_transfers (id, kind, reference, at) SELECT xid, 'GRANT', 'half', 0 FROM points_reservations \
         WHERE state = 'TRIED'; INSERT INTO points_entries SELECT xid, user_id, 5, xid, -5, 0 FROM points_reservations \
         WHERE state = 'TRIED'",
    ] {
        let result = execute(rig.points.db(), statement).await;
        assert!(result.is_err(), "{statement}");
        assert_eq!(rig.sums(user).await, (70, 30), "{statement}");
    }
    rig.check_ledger().await;
    execute(rig.points.db(), "UPDATE points_accounts SET posted = posted + 1").await.unwrap();
    let findings = crate::points::audit::check(&rig.shop, rig.points.db(), true).await.unwrap();
    assert_eq!(findings.len(), 1, "the audit sees it: {findings:?}");
}
