//! What an operator should look at. Each condition is looked at once a second; some must last for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alert::{Alert, AlertCode};
use super::frame::Frame;
use super::part::People;
use crate::kernel::{SaleId, Timestamp};
use crate::telemetry::Answer;

/// How old an undecided ticket may be, in milliseconds.
const DECIDED_WITHIN_MS: u64 = 2_000;

/// What the alerts of a second follow from, besides its frame.
#[derive(Debug, Default)]
pub struct Situation {
    /// Nodes that are silent, with the seconds.
    pub silent: Vec<(String, u64)>,
    /// Nodes that are not ready, with the reason.
    pub unready: Vec<(String, String)>,
    /// Dependencies that do not respond, with the node that reports it.
    pub down: Vec<(String, String)>,
    /// Sales whose gate differs, with the units.
    pub drifting: Vec<(SaleId, u64)>,
    /// What waits for a person.
    pub people: Option<People>,
    /// `limits.latency_target`
    pub latency_target: Duration,
}

/// Remembers since when what is so.
#[derive(Debug, Default)]
pub struct Alerts(BTreeMap<(AlertCode, Option<SaleId>), Timestamp>);

impl Alerts {
    /// The alerts at the end of this frame.
    pub fn of(&mut self, frame: &Frame, situation: &Situation) -> Vec<Alert> {
        let now = frame.at();
        let conditions = conditions(frame, situation);
        self.0.retain(|key, _| conditions.iter().any(|(code, sale, _)| (*code, *sale) == *key));
        let mut alerts = Vec::new();
        for (code, sale, detail) in conditions {
            let since = *self.0.entry((code, sale)).or_insert(now);
            if now.since(since) >= code.lasts() {
                alerts.push(Alert { code, since, detail, sale });
            }
        }
        alerts
    }
}

fn conditions(frame: &Frame, situation: &Situation) -> Vec<(AlertCode, Option<SaleId>, String)> {
    let Situation { silent, unready, down, drifting, people, latency_target } = situation;
    let mut found = Vec::new();
    let mut shop = |code, is_so: bool, detail: String| {
        if is_so {
            found.push((code, None, detail));
        }
    };
    let listed = |items: &[(String, String)]| {
        items.iter().map(|(one, other)| format!("{one}: {other}")).collect::<Vec<_>>().join("; ")
    };
    let silences: Vec<_> = silent.iter().map(|(node, seconds)| format!("{node}: {seconds} s")).collect();
    shop(AlertCode::NodeSilent, !silent.is_empty(), silences.join("; "));
    shop(AlertCode::NodeNotReady, !unready.is_empty(), listed(unready));
    let oldest = frame.end.oldest_ms.unwrap_or(0);
    shop(AlertCode::DecisionsLate, oldest > DECIDED_WITHIN_MS, format!("{oldest} ms"));
    let p99 = frame.purchase.quantile_ms(99).unwrap_or(0.0);
    shop(AlertCode::PurchasesSlow, p99 > latency_target.as_secs_f64() * 1_000.0, format!("{p99:.0} ms"));
    shop(AlertCode::DependencyDown, !down.is_empty(), listed(down));
    let People { messages, money, bills } = people.unwrap_or_default();
    shop(AlertCode::Failures, messages > 0, format!("{messages}"));
    shop(AlertCode::Money, money + bills > 0, format!("{money} + {bills}"));
    let (answers, failed): (u64, u64) = (
        frame.answers.iter().sum(),
        [Answer::TryLater, Answer::Unavailable].map(|answer| frame.answered(answer)).iter().sum(),
    );
    shop(AlertCode::Overload, failed * 20 > answers, format!("{failed} / {answers}"));
    found.extend(drifting.iter().map(|(sale, units)| (AlertCode::GateDrift, Some(*sale), format!("{units}"))));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(alerts: &[Alert]) -> Vec<AlertCode> {
        alerts.iter().map(|alert| alert.code).collect()
    }

    fn overloaded(second: i64, failed: u64) -> Frame {
        let mut frame = Frame::new(second);
        frame.answers[Answer::SoldOut as usize] = 95;
        frame.answers[Answer::TryLater as usize] = failed;
        frame
    }

    #[test]
    fn overload_must_last_and_begins_anew_after_a_good_second() {
        let (mut alerts, situation) = (Alerts::default(), Situation::default());
        let mut looks = |second, failed| codes(&alerts.of(&overloaded(second, failed), &situation));
        for second in 0..5 {
            assert_eq!(looks(second, 6), [], "{second}");
        }
        assert_eq!(looks(5, 6), [AlertCode::Overload]);
        assert_eq!(looks(6, 5), [], "one in twenty is not more than that");
        assert_eq!(looks(7, 6), []);
    }

    #[test]
    fn a_difference_of_ten_seconds_is_told_of_its_sale() {
        let (mut alerts, sale) = (Alerts::default(), SaleId::from_bytes([1; 16]));
        let drifting = Situation { drifting: vec![(sale, 3)], ..Situation::default() };
        for second in 0..10 {
            assert!(alerts.of(&Frame::new(second), &drifting).is_empty());
        }
        let found = alerts.of(&Frame::new(10), &drifting);
        assert_eq!(
            (found[0].code, found[0].sale, found[0].since),
            (AlertCode::GateDrift, Some(sale), Frame::new(0).at())
        );
        assert!(alerts.of(&Frame::new(11), &Situation::default()).is_empty());
    }

    #[test]
    fn silence_money_and_failures_are_told_at_once() {
        let people = Some(People { messages: 1, money: 2, bills: 3 });
        let situation = Situation { people, silent: vec![("two".into(), 9)], ..Situation::default() };
        let mut frame = Frame::new(1);
        frame.end.oldest_ms = Some(2_001);
        let found = Alerts::default().of(&frame, &situation);
        let wanted = [AlertCode::NodeSilent, AlertCode::DecisionsLate, AlertCode::Failures, AlertCode::Money];
        assert_eq!(codes(&found), wanted);
        assert_eq!((found[0].detail.as_str(), found[1].detail.as_str()), ("two: 9 s", "2001 ms"));
    }
}
