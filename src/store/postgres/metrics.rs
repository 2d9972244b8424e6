//! What the pool tells of itself.

use std::fmt;

use bb8::Pool;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::session::Manager;

/// The pool's numbers as they are when they are asked for.
pub struct PoolMetrics(pub Pool<Manager>);

impl fmt::Debug for PoolMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PoolMetrics")
    }
}

impl Collector for PoolMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = self.0.state();
        let told = &state.statistics;
        let gauges = [
            ("store_connections", "Open connections to the database", u64::from(state.connections)),
            ("store_connections_idle", "Idle connections to the database", u64::from(state.idle_connections)),
            (
                "store_connections_max",
                "Maximum number of connections to the database",
                u64::from(self.0.config().max_size),
            ),
            ("store_waiting", "Reads and transactions waiting for a connection", told.pending_gets()),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value as i64);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let counters = [
            ("store_connections_opened", "Connections opened", told.connections_created),
            (
                "store_connections_broken",
                "Connections closed after a failure",
                told.connections_closed_broken + told.connections_closed_invalid,
            ),
            ("store_acquire_timeouts", "Timeouts while waiting for a connection", told.get_timed_out),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let waited = ConstCounter::new(told.get_wait_time.as_secs_f64());
        let help = "Time spent waiting for a connection";
        waited.encode(encoder.encode_descriptor("store_wait", help, Some(&Unit::Seconds), waited.metric_type())?)
    }
}
