//! What a crash, a slow node or a lost answer leaves behind.

use std::time::Duration;

use super::{Nobody, Paid, Rig, Trouble, debit, on_both_topologies};
use crate::model::points::ReservationState;
use crate::model::tcc::GlobalState;
use crate::tcc::Participant as _;

on_both_topologies!(
    tcc_14_a_crash_at_every_step,
    tcc_15_a_crash_before_the_answer_of_try_was_seen,
    tcc_16_an_undecided_transaction_waits_for_its_deadline,
    tcc_18_a_lease_runs_out_in_the_middle_of_work,
    tcc_19_points_are_down,
    a_breach_is_kept_and_told,
);

/// Dies at this point: the call goes no further, and its memory is gone.
async fn die(rig: &Rig, point: &'static str, order: &str, user: crate::kernel::UserId, points: i64) {
    let node = rig.node("mortal");
    node.fail_points().arm(point);
    tokio::select! {
        paid = rig.pay(&node, user, order, points) => panic!("{point} was not reached: {paid:?}"),
        () = node.fail_points().reached() => {}
    }
}

async fn tcc_14_a_crash_at_every_step(rig: Rig) {
    let before = ["before_begin", "after_begin", "before_try", "after_try", "before_decide"];
    let after = ["after_decide", "before_confirm", "after_confirm", "before_end", "after_end"];
    for point in before.into_iter().chain(after) {
        let user = rig.buyer(100).await;
        die(&rig, point, point, user, 30).await;
        let paid = after.contains(&point);
        assert_eq!(rig.order(point).await.is_some(), paid, "{point}: paid if and only if the commit point was passed");
        rig.settle().await;
        assert_eq!(rig.sums(user).await, if paid { (70, 0) } else { (100, 0) }, "{point}");
        assert_eq!(rig.order(point).await.is_some(), paid, "{point}");
    }
    // The same for what is cancelled.
    for point in ["before_cancel", "after_cancel", "before_end", "after_end"] {
        let (user, order) = (rig.buyer(100).await, format!("cancel {point}"));
        assert!(rig.close(&order, "expired").await);
        die(&rig, point, &order, user, 30).await;
        rig.settle().await;
        assert_eq!(rig.sums(user).await, (100, 0), "{point}");
        assert_eq!(rig.order(&order).await.as_deref(), Some("expired"));
    }
}

async fn tcc_15_a_crash_before_the_answer_of_try_was_seen(rig: Rig) {
    let user = rig.buyer(100).await;
    rig.wire.set(Trouble::Deaf);
    let node = rig.node("mortal");
    // It heard nothing, and dies before it can cancel.
    node.fail_points().arm("before_cancel");
    tokio::select! {
        paid = rig.pay(&node, user, "order", 30) => panic!("{paid:?}"),
        () = node.fail_points().reached() => {}
    }
    assert_eq!(rig.sums(user).await, (100, 30));
    rig.wire.set(Trouble::None);
    rig.settle().await;
    assert_eq!((rig.sums(user).await, rig.order("order").await), ((100, 0), None));
}

async fn tcc_16_an_undecided_transaction_waits_for_its_deadline(rig: Rig) {
    let user = rig.buyer(100).await;
    die(&rig, "before_decide", "order", user, 30).await;
    let other = rig.node("other");
    rig.clock.advance(*rig.config.tcc.deadline - Duration::from_secs(1));
    assert_eq!(other.recover_once(&Nobody).await.unwrap(), 0, "it may still be decided");
    assert_eq!(rig.only().await.state, GlobalState::Trying);
    rig.clock.advance(Duration::from_secs(1));
    assert_eq!(other.recover_once(&Nobody).await.unwrap(), 1);
    let ended = rig.only().await;
    assert_eq!((ended.state, ended.reason.as_deref()), (GlobalState::Cancelled, Some("not decided in time")));
    assert_eq!(rig.sums(user).await, (100, 0));
    assert_eq!(rig.state(ended.branches[0].key).await, Some(ReservationState::Cancelled));
    rig.check().await;
}

async fn tcc_18_a_lease_runs_out_in_the_middle_of_work(rig: Rig) {
    let user = rig.buyer(100).await;
    die(&rig, "after_decide", "order", user, 30).await;
    rig.clock.advance(*rig.config.tcc.lease);
    // Two at the same moment: one of them gets it.
    let (one, two) = (rig.node("one"), rig.node("two"));
    let slow = rig.node("slow");
    slow.fail_points().arm("after_claim");
    tokio::select! {
        ended = slow.recover_once(&Nobody) => panic!("{ended:?}"),
        () = slow.fail_points().reached() => {}
    }
    assert_eq!(one.recover_once(&Nobody).await.unwrap(), 0, "under a lease");
    // Its lease runs out; it goes on all the same while two others take over.
    rig.clock.advance(*rig.config.tcc.lease);
    let again = rig.only().await;
    let (first, second, late) =
        tokio::join!(one.recover_once(&Nobody), two.recover_once(&Nobody), slow.drive(again.clone(), &Nobody));
    assert_eq!(first.unwrap() + second.unwrap(), 1);
    assert_eq!(late.unwrap(), GlobalState::Confirmed);
    assert_eq!(slow.drive(again, &Nobody).await.unwrap(), GlobalState::Confirmed, "and once more, much later");
    assert_eq!(rig.sums(user).await, (70, 0));
    rig.check().await;
}

async fn tcc_19_points_are_down(rig: Rig) {
    for trouble in [Trouble::Down, Trouble::Deaf] {
        // During Try: not paid, and nothing stays set aside.
        let user = rig.buyer(100).await;
        let order = format!("try {}", trouble as u8);
        rig.wire.set(trouble);
        assert!(matches!(rig.pay(&rig.tcc, user, &order, 30).await, Paid::Failed(_)));
        // During Cancel: it is tried again and again, each time later.
        for _ in 0..12 {
            rig.clock.advance(Duration::from_secs(60));
            assert_eq!(rig.tcc.recover_once(&Nobody).await.unwrap(), 1, "never more than a minute later");
        }
        rig.wire.set(Trouble::None);
        rig.settle().await;
        assert_eq!((rig.sums(user).await, rig.order(&order).await), ((100, 0), None));
        // During Confirm: paid, and in the end spent.
        let order = format!("confirm {}", trouble as u8);
        die(&rig, "before_confirm", &order, user, 30).await;
        rig.wire.set(trouble);
        for _ in 0..12 {
            rig.clock.advance(Duration::from_secs(60));
            assert_eq!(rig.tcc.recover_once(&Nobody).await.unwrap(), 1);
        }
        assert_eq!(rig.order(&order).await.as_deref(), Some("paid"));
        rig.wire.set(Trouble::None);
        rig.settle().await;
        assert_eq!(rig.sums(user).await, (70, 0));
    }
}

async fn a_breach_is_kept_and_told(rig: Rig) {
    let user = rig.buyer(100).await;
    die(&rig, "before_confirm", "order", user, 30).await;
    let decided = rig.only().await;
    // Somebody outside of the protocol takes the points back.
    rig.points.cancel(decided.branches[0].key, &debit(user, 30)).await.unwrap();
    for attempts in 1..4 {
        rig.clock.advance(Duration::from_secs(60));
        assert_eq!(rig.tcc.recover_once(&Nobody).await.unwrap(), 1);
        let kept = rig.only().await;
        assert_eq!((kept.state, kept.attempts), (GlobalState::Confirming, attempts));
        assert!(kept.last_error.unwrap().contains("breach"));
    }
    let findings = crate::points::audit::check(&rig.shop, rig.points.db(), false).await.unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
}
