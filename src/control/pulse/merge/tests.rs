use super::super::frame::End;
use super::*;
use crate::control::pulse::part::SalePart;
use crate::model::sums::SaleSums;
use crate::telemetry::OrderCount;
use crate::telemetry::{Committed, OrderEvent};

const BOUNDS: Bounds = Bounds { lease: Duration::from_secs(10), latency_target: Duration::from_millis(100) };

fn sale() -> SaleId {
    SaleId::from_bytes([1; 16])
}

fn facts() -> HashMap<SaleId, SaleFacts> {
    let facts =
        SaleFacts { sale: sale(), status: SaleStatus::Open, total: 100, free: 60, held: 10, currency: Currency::Cny };
    HashMap::from([(sale(), facts)])
}

/// A part with so many new tickets.
fn part(node: &str, number: u64, second: i64, admitted: u64) -> Part {
    let answers = vec![(Answer::Admitted as u8, admitted)];
    let in_sale = SalePart { sale: sale(), answers: answers.clone(), committed: None };
    Part { node: node.into(), started: 1, number, second, api: true, answers, sales: vec![in_sale], ..Part::default() }
}

/// Closes the frames up to this second, 1.2 s after its end.
fn close(merge: &mut Merge, second: i64) -> Option<Arc<Frame>> {
    merge.close(second, Timestamp::from_millis(second * 1_000 + 2_200), &facts())
}

fn admitted(frame: &Frame) -> u64 {
    frame.answered(Answer::Admitted)
}

#[test]
fn a_frame_is_the_sum_of_the_parts_of_its_second() {
    let mut merge = Merge::new(BOUNDS);
    assert!(close(&mut merge, 99).is_none(), "nothing was heard");
    for (node, number, second, count) in [("one", 1, 100, 3), ("two", 1, 100, 4), ("one", 2, 101, 5)] {
        merge.add(part(node, number, second, count), second + 1);
    }
    let frame = close(&mut merge, 100).unwrap();
    assert_eq!((admitted(&frame), frame.heard, frame.running, frame.second), (7, 2, 2, 100));
    assert_eq!(frame.end.sales[0].answers[Answer::Admitted as usize], 12, "as of the closing");
    let frame = close(&mut merge, 101).unwrap();
    assert_eq!((admitted(&frame), frame.heard, frame.running), (5, 1, 2), "one of two is missing");
    assert!(close(&mut merge, 101).is_none(), "each is closed once");
}

#[test]
fn a_late_part_is_added_to_its_frame_and_a_second_copy_to_nothing() {
    let mut merge = Merge::new(BOUNDS);
    merge.add(part("one", 1, 100, 3), 101);
    let sent = close(&mut merge, 100).unwrap();
    close(&mut merge, 101);
    merge.add(part("two", 1, 100, 4), 103);
    merge.add(part("two", 1, 100, 4), 103);
    let kept = merge.last(KEPT);
    assert_eq!((admitted(&kept[0]), kept[0].heard, admitted(&sent)), (7, 2, 3));
    assert_eq!(admitted(&kept[1]), 0);
}

#[test]
fn the_ring_keeps_the_last_frames_without_gaps() {
    let mut merge = Merge::new(BOUNDS);
    for second in 0..1_000 {
        merge.add(part("one", second as u64 + 1, second, 1), second + 1);
        if second % 3 == 0 {
            close(&mut merge, second);
        }
    }
    let kept = merge.last(usize::MAX);
    assert_eq!((kept.len(), kept[0].second, kept[KEPT - 1].second), (KEPT, 100, 999));
    assert!(kept.iter().zip(100..).all(|(frame, second)| frame.second == second && admitted(frame) == 1));
    assert_eq!(merge.last(2).iter().map(|frame| frame.second).collect::<Vec<_>>(), [998, 999]);
    merge.add(part("two", 1, 50, 1), 1_000);
    assert!(merge.open.is_empty(), "too old to be kept");
    let after_a_jump = close(&mut merge, 10_000).unwrap();
    assert_eq!((after_a_jump.second, merge.last(usize::MAX).len()), (10_000, KEPT));
    assert!(close(&mut merge, 500).is_none(), "the clock was set back");
    merge.add(part("three", 1, 501, 1), 502);
    assert_eq!(close(&mut merge, 501).unwrap().second, 501);
}

#[test]
fn a_silent_node_is_missed_and_told_of_and_forgotten_in_the_end() {
    let mut merge = Merge::new(BOUNDS);
    merge.add(part("two", 1, 100, 0), 101);
    for (number, second) in (1..).zip(100..500) {
        merge.add(part("one", number, second, 0), second + 1);
        let frame = close(&mut merge, second).unwrap();
        let silent = frame.end.alerts.iter().any(|alert| alert.code == super::super::AlertCode::NodeSilent);
        assert_eq!(silent, (110..400).contains(&second), "{second}");
        assert_eq!(frame.running, if second < 400 { 2 } else { 1 }, "{second}");
    }
    let mut leaving = part("one", 401, 500, 0);
    leaving.leaving = true;
    merge.add(leaving, 501);
    assert_eq!(close(&mut merge, 500).unwrap().running, 1);
    assert_eq!(close(&mut merge, 501).unwrap().running, 0);
}

#[test]
fn one_of_the_nodes_that_serve_operators_looks_for_all() {
    let mut merge = Merge::new(BOUNDS);
    assert!(merge.has_turn("two", 101), "nobody was heard");
    merge.add(Part { api: false, ..part("a-writer", 1, 100, 0) }, 101);
    merge.add(part("two", 1, 100, 0), 101);
    merge.add(part("one", 1, 100, 0), 101);
    assert!(merge.has_turn("one", 102) && !merge.has_turn("two", 102));
    merge.add(part("two", 2, 106, 0), 107);
    assert!(merge.has_turn("two", 107), "the first one is silent");
}

#[test]
fn what_gates_and_people_say_is_forgotten_after_a_while() {
    let mut merge = Merge::new(BOUNDS);
    let gated = Gated { sale: sale(), free: 57, pending: 3, oldest_ms: 40, drift: 0 };
    let people = Some(People { messages: 1, money: 2, bills: 3 });
    merge.add(Part { gates: Some(vec![gated]), people, ..part("one", 1, 100, 1) }, 101);
    let frame = close(&mut merge, 100).unwrap();
    let End { waiting, oldest_ms, drift, people, .. } = frame.end;
    assert_eq!((waiting, oldest_ms, drift, people), (Some(3), Some(40), Some(0), Some(6)));
    assert_eq!(frame.end.sales[0].free_in_gate, Some(57));
    let frame = close(&mut merge, 103).unwrap();
    assert_eq!((frame.end.waiting, frame.end.oldest_ms, frame.end.drift), (None, None, None));
    assert_eq!(close(&mut merge, 160).unwrap().end.people, None);
}

#[test]
fn sums_are_kept_up_and_unknown_after_a_part_was_missed() {
    let mut merge = Merge::new(BOUNDS);
    let mut number = 0;
    let mut tick = |merge: &mut Merge, second: i64, paid: u64, skipped: u64| {
        number += 1 + skipped;
        let mut committed = Committed::default();
        committed.events[OrderEvent::Paid as usize] = OrderCount { orders: 1, units: paid };
        let mut told = part("one", number, second, 0);
        told.sales[0].committed = (paid > 0).then_some(committed);
        merge.add(told, second + 1);
        close(merge, second);
        merge.numbers(&facts()[&sale()], Timestamp::from_millis(second * 1_000)).paid
    };
    assert_eq!(tick(&mut merge, 100, 0, 0), None);
    assert_eq!(merge.unknown_sums(), [sale()]);
    merge.seed(sale(), SaleSums { units_paid: 7, ..SaleSums::default() }, 101, 101);
    assert!(merge.unknown_sums().is_empty());
    for second in 101..105 {
        assert_eq!(tick(&mut merge, second, 0, 0), None, "{second}");
    }
    assert_eq!(tick(&mut merge, 105, 0, 0), Some(7));
    assert_eq!(tick(&mut merge, 106, 2, 0), Some(9));
    assert_eq!(tick(&mut merge, 107, 0, 1), None);
    assert_eq!(merge.unknown_sums(), [sale()]);
}
