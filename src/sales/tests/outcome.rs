//! The numbers of a sale that is over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::model::sales::{Counted, Moved, Outcome};
use crate::sales::testing::{NOW, Stall};

const MOVED: Moved = Moved { payments: 51, received: 9_000, returning: 0, returned: 600 };
const COUNTED: Counted =
    Counted { tickets: 60, orders: 50, unpaid: 2, paid: 40, refunding: 5, refunded: 6, versions: 170, moved: MOVED };

#[tokio::test]
async fn units_add_up_wherever_refunded_ones_go() {
    let stall = Stall::open().await;
    let mut offer = stall.published().await;
    for returns in [true, false] {
        Arc::make_mut(&mut offer.sale).returns_on_refund = returns;
        let told = Outcome::of(COUNTED, &offer, NOW);
        assert_eq!((told.tickets, told.orders, told.total, told.sold, told.unpaid), (60, 50, 100, 45, 2));
        assert_eq!((told.refunded, told.unsold), if returns { (0, 53) } else { (6, 47) });
        assert_eq!(told.sold + told.refunded + told.unpaid + told.unsold, told.total);
    }
}

#[tokio::test]
async fn it_is_settled_once_no_money_can_move_by_itself() {
    let stall = Stall::open().await;
    let offer = stall.published().await;
    for (unpaid, refunding, returning, settled) in
        [(0, 0, 0, true), (1, 0, 0, false), (0, 1, 0, false), (0, 0, 1, false)]
    {
        let moved = Moved { returning, ..MOVED };
        let told = Outcome::of(Counted { unpaid, refunding, moved, ..COUNTED }, &offer, NOW);
        assert_eq!(told.settled, settled, "{unpaid} {refunding} {returning}");
    }
}

#[tokio::test]
async fn it_is_not_told_before_the_end_nor_while_the_gate_can_not_be_asked() {
    let stall = Stall::open().await;
    let offer = stall.published().await;
    assert_eq!(stall.sales.outcome(&offer).await.unwrap(), None);
    stall.clock.advance(Duration::from_secs(3_600));
    // This gate can't be asked, so that nobody knows whether all is decided.
    assert_eq!(stall.sales.outcome(&offer).await.unwrap(), None);
}

/// A subscription whose client takes no data is not polled.
#[tokio::test]
async fn a_caller_that_is_not_polled_delays_no_other() {
    let stall = Stall::open().await;
    let offer = stall.published().await;
    stall.clock.advance(Duration::from_secs(3_600));
    let turn = stall.sales.0.counting.lock().await;
    let mut left = Box::pin(stall.sales.outcome(&offer));
    assert!((&mut left).now_or_never().is_none(), "another has the turn");
    drop(turn);
    let asked = tokio::time::timeout(Duration::from_secs(20), stall.sales.outcome(&offer));
    assert_eq!(asked.await.expect("it waits for the one that is not polled").unwrap(), None);
    drop(left);
}
