//! The report of a sale, as far as it needs no purchases: how many at once, and a gate that can't be asked.

use std::time::Duration;

use crate::model::sale_report::{Cause, CheckStatus, Verdict};
use crate::sales::ReportError;
use crate::sales::testing::Stall;

#[tokio::test]
async fn a_node_makes_only_so_many_at_the_same_time() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    let all = stall.config.sales.reports_max as u32;
    let taken = stall.sales.0.reports.clone().acquire_many_owned(all).await.unwrap();
    assert!(matches!(stall.sales.report(id).await, Err(ReportError::Busy)));
    drop(taken);
    assert!(stall.sales.report(id).await.unwrap().is_some());
}

/// The gate of a stall can't be asked.
#[tokio::test]
async fn what_the_gate_does_not_say_is_undecided_and_nothing_is_settled() {
    let stall = Stall::open().await;
    let id = stall.published().await.sale.id;
    stall.clock.advance(Duration::from_secs(3_600));
    let report = stall.sales.report(id).await.unwrap().unwrap();
    let undecided: Vec<_> = report.checks.iter().filter(|check| check.status != CheckStatus::Holds).collect();
    assert_eq!(undecided.len(), 1, "{undecided:#?}");
    assert_eq!((undecided[0].status, undecided[0].cause), (CheckStatus::Undecided, Some(Cause::GateUnreachable)));
    assert_eq!((report.verdict(), report.settled, report.digest), (Verdict::Provisional, false, None));
}

#[tokio::test]
async fn there_is_none_of_a_sale_that_does_not_exist() {
    let stall = Stall::open().await;
    let unknown = crate::kernel::SaleId::from_bytes([9; 16]);
    assert!(stall.sales.report(unknown).await.unwrap().is_none());
    assert!(stall.sales.report_rows(unknown, None).await.unwrap().is_empty());
}
