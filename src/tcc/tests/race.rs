//! Several at the same moment.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::poll;

use super::{Nobody, Paid, Rig, on_both_topologies};
use crate::kernel::Xid;
use crate::model::points::INSUFFICIENT;
use crate::model::tcc::GlobalState;
use crate::points::PARTICIPANT;
use crate::store;
use crate::tcc::endings::Endings;

on_both_topologies!(
    tcc_12_two_compete_for_the_last_points,
    tcc_13_two_transactions_for_one_order,
    tcc_17_recovery_races_with_the_commit_point,
    tcc_20_time_out_and_payment_at_the_same_moment,
    tcc_21_many_buyers_at_once,
    ends_at_the_same_moment_are_all_told,
);

async fn tcc_12_two_compete_for_the_last_points(rig: Rig) {
    for round in 0..20 {
        let user = rig.buyer(100).await;
        let orders = [format!("a{round}"), format!("b{round}")];
        let paid = join_all(orders.iter().map(|order| rig.pay(&rig.tcc, user, order, 60))).await;
        assert!(paid.contains(&Paid::Yes) && paid.contains(&Paid::Rejected(INSUFFICIENT)), "{paid:?}");
        assert_eq!(rig.sums(user).await, (40, 0));
    }
    rig.check().await;
}

async fn tcc_13_two_transactions_for_one_order(rig: Rig) {
    for round in 0..20 {
        let (user, order) = (rig.buyer(100).await, format!("order {round}"));
        let paid = join_all((0..2).map(|_| rig.pay(&rig.tcc, user, &order, 30))).await;
        assert!(paid.contains(&Paid::Yes) && paid.contains(&Paid::Lost), "{paid:?}");
        assert_eq!(rig.sums(user).await, (70, 0), "the other's points are back");
    }
    rig.check().await;
}

async fn tcc_17_recovery_races_with_the_commit_point(rig: Rig) {
    let mut won = [0, 0];
    for round in 0..60 {
        let (user, order) = (rig.buyer(100).await, format!("order {round}"));
        let recovery = rig.node("recovery");
        // The deadline passes just when it is about to decide, or a moment after.
        let paying = tokio::spawn({
            let (rig, order) = (rig.clone(), order.clone());
            async move { rig.pay(&rig.node("live"), user, &order, 30).await }
        });
        let expiring = tokio::spawn({
            let rig = rig.clone();
            async move {
                for _ in 0..round % 7 {
                    tokio::task::yield_now().await;
                }
                rig.clock.advance(Duration::from_secs(31));
                recovery.recover_once(&Nobody).await
            }
        });
        let paid = paying.await.unwrap();
        expiring.await.unwrap().unwrap();
        match paid {
            Paid::Yes => {
                assert_eq!((rig.order(&order).await.as_deref(), rig.sums(user).await), (Some("paid"), (70, 0)));
            }
            Paid::Lost => assert_eq!((rig.order(&order).await, rig.sums(user).await), (None, (100, 0))),
            other => panic!("{other:?}"),
        }
        won[usize::from(paid == Paid::Yes)] += 1;
    }
    rig.settle().await;
    assert!(won[0] > 0 && won[1] > 0, "both must happen for this to say anything: {won:?}");
}

async fn tcc_20_time_out_and_payment_at_the_same_moment(rig: Rig) {
    let rounds = 1_000;
    let user = rig.buyer(10 * rounds).await;
    let mut paid = 0;
    for batch in 0..rounds / 20 {
        let orders: Vec<_> = (0..20).map(|n| format!("order {batch} {n}")).collect();
        let pays = join_all(orders.iter().map(|order| rig.pay(&rig.tcc, user, order, 10)));
        let closes = join_all(orders.iter().enumerate().map(async |(n, order)| {
            for _ in 0..n {
                tokio::task::yield_now().await;
            }
            rig.close(order, "expired").await
        }));
        let (pays, closes) = tokio::join!(pays, closes);
        for ((order, payment), closed) in orders.iter().zip(pays).zip(closes) {
            let holder = rig.order(order).await;
            assert_eq!(payment == Paid::Yes, !closed, "{order}: {payment:?}");
            assert_eq!(holder.as_deref(), Some(if closed { "expired" } else { "paid" }));
            paid += i64::from(!closed);
        }
    }
    assert_eq!(rig.sums(user).await, (10 * (rounds - paid), 0));
    rig.check().await;
}

/// The list above runs with one database and with two; here all of it at once.
async fn tcc_21_many_buyers_at_once(rig: Rig) {
    let users = join_all((0..8).map(|_| rig.buyer(100))).await;
    let nodes = [rig.node("one"), rig.node("two")];
    let pays = (0..80).map(async |n: usize| {
        let paid = rig.pay(&nodes[n % 2], users[n % 8], &format!("order {}", n / 2), 15).await;
        (users[n % 8], paid)
    });
    let paid = join_all(pays).await;
    for user in users {
        let spent = paid.iter().filter(|(buyer, paid)| *buyer == user && *paid == Paid::Yes).count() as i64 * 15;
        assert_eq!(rig.sums(user).await, (100 - spent, 0));
    }
    rig.check().await;
}

async fn ends_at_the_same_moment_are_all_told(rig: Rig) {
    let (endings, now, retry_at) = (Endings::default(), rig.clock.clock().now(), rig.tcc.retry_at());
    let decided: Vec<(Xid, bool)> = (0..40).map(|number| (rig.xid(), number % 3 > 0)).collect();
    for (xid, confirmed) in decided.clone() {
        let transaction = rig.tcc.open(xid, "test", "{}".into(), vec![(PARTICIPANT, "{}".into())]);
        let written = store::write!(&rig.shop, |conn| {
            sql::tcc::begin(conn, &transaction).await?;
            if confirmed {
                sql::tcc::decide(conn, xid, now, retry_at).await
            } else {
                sql::tcc::abort(conn, xid, "test", retry_at).await.map(drop)
            }
        });
        written.unwrap();
    }
    let end = |number: usize| endings.write(&rig.shop, decided[number].0, decided[number].1, now);
    // The first is at it, the second takes the third along, and both go away over it.
    let (mut first, mut second, mut third) = (Box::pin(end(0)), Box::pin(end(1)), Box::pin(end(2)));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
    drop(first);
    assert!(poll!(&mut second).is_pending());
    drop(second);
    third.await.unwrap();
    assert!(!end(2).await.unwrap(), "it had ended");
    let told = join_all((3..decided.len()).map(end)).await;
    assert!(told.iter().all(|told| matches!(told, Ok(true))), "{told:?}");
    let told = join_all((3..decided.len()).map(end)).await;
    assert!(told.iter().all(|told| matches!(told, Ok(false))), "{told:?}");
    for (xid, confirmed) in &decided[2..] {
        let state = rig.transaction(*xid).await.state;
        assert_eq!(state, if *confirmed { GlobalState::Confirmed } else { GlobalState::Cancelled });
    }
}
