//! Instruments with label values known at start: found by comparing a few texts, without a lock or a hash.

use std::time::Duration;

use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

/// What a label value that is not known is counted as: the number of series is bounded whatever callers pass.
const OTHER: &str = "other";

/// One instrument for each known value of a label.
#[derive(Debug, Clone)]
pub struct PerLabel<M> {
    known: Vec<(&'static str, M)>,
    other: M,
}

/// Counters by a label.
pub type Counters = PerLabel<Counter>;
/// Gauges by a label.
pub type Gauges = PerLabel<Gauge>;

impl<M> PerLabel<M> {
    /// The instrument of a label value, the case of letters aside; that of `other` if the value is not known.
    pub fn get(&self, value: &str) -> &M {
        self.known.iter().find(|(known, _)| known.eq_ignore_ascii_case(value)).map_or(&self.other, |(_, metric)| metric)
    }
}

/// Gauges that only the node keeps up that has a job now. They are 0 when this is dropped: the last value must not stay here for ever while
/// another node has the job and tells the truth.
#[derive(Debug)]
#[must_use]
pub struct WhileHere(Vec<Gauge>);

impl WhileHere {
    /// Of one gauge.
    pub fn of(gauge: &Gauge) -> Self {
        Self(vec![gauge.clone()])
    }
}

impl Drop for WhileHere {
    fn drop(&mut self) {
        for gauge in &self.0 {
            gauge.set(0);
        }
    }
}

impl PerLabel<Gauge> {
    /// See [`WhileHere`].
    pub fn while_here(&self) -> WhileHere {
        WhileHere(self.known.iter().map(|(_, gauge)| gauge.clone()).collect())
    }
}

impl PerLabel<Counter> {
    /// Counts one.
    pub fn count(&self, value: &str) {
        self.get(value).inc();
    }

    /// Counts `many`.
    pub fn add(&self, value: &str, many: u64) {
        self.get(value).inc_by(many);
    }
}

/// A distribution of times.
#[derive(Debug, Clone)]
pub struct Seconds(Histogram);

impl Seconds {
    /// Records one time.
    pub fn record(&self, time: Duration) {
        self.0.observe(time.as_secs_f64());
    }

    /// From 10 µs, a call of the gate in memory, to 10 s, a timeout, doubling.
    pub(super) fn histogram() -> Histogram {
        Histogram::new(exponential_buckets(0.000_01, 2.0, 21))
    }
}

impl From<Histogram> for Seconds {
    fn from(histogram: Histogram) -> Self {
        Self(histogram)
    }
}

/// Where instruments are registered, `doorbuster_` in front of each name. Units and `_total` are appended to names by kind.
pub(super) struct Instruments<'a>(pub(super) &'a mut Registry);

impl Instruments<'_> {
    pub(super) fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.add(name, help, Counter::default())
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        self.add(name, help, Gauge::default())
    }

    pub(super) fn histogram(&mut self, name: &str, help: &str, histogram: Histogram) -> Histogram {
        self.add(name, help, histogram)
    }

    pub(super) fn seconds(&mut self, name: &str, help: &str) -> Seconds {
        self.add(name, help, Seconds::histogram()).into()
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
    ) -> Counters {
        self.per_label(name, help, label, values, Counter::default)
    }

    pub(super) fn gauges(&mut self, name: &str, help: &str, label: &'static str, values: &[&'static str]) -> Gauges {
        self.per_label(name, help, label, values, Gauge::default)
    }

    pub(super) fn seconds_by(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
    ) -> PerLabel<Seconds> {
        let PerLabel { known, other } = self.per_label(name, help, label, values, Seconds::histogram);
        let known = known.into_iter().map(|(value, histogram)| (value, histogram.into())).collect();
        PerLabel { known, other: other.into() }
    }

    pub(super) fn add<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    fn per_label<M>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: &[&'static str],
        constructor: fn() -> M,
    ) -> PerLabel<M>
    where
        M: Metric + TypedMetric + Clone,
        fn() -> M: MetricConstructor<M>,
    {
        let family =
            self.add(name, help, Family::<[(&'static str, &'static str); 1], M, _>::new_with_constructor(constructor));
        let instrument = |value: &'static str| family.get_or_create_owned(&[(label, value)]);
        PerLabel { known: values.iter().map(|value| (*value, instrument(value))).collect(), other: instrument(OTHER) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_of_a_job_are_zero_once_another_node_has_it() {
        let mut registry = Registry::default();
        let drift = Instruments(&mut registry).gauges("drift", "Drift", "direction", &["up", "down"]);
        let here = drift.while_here();
        drift.get("up").set(3);
        drift.get("down").set(2);
        drop(here);
        assert_eq!((drift.get("up").get(), drift.get("down").get()), (0, 0));
    }
}
