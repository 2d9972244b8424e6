//! Metrics of the pool and its connections.

use std::fmt;

use bb8::Pool;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use super::dial::Dialler;
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

/// How the latest connection is protected, read when the metrics are requested.
pub struct LinkMetrics(pub Dialler);

impl fmt::Debug for LinkMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkMetrics")
    }
}

impl Collector for LinkMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(link) = self.0.link() else { return Ok(()) };
        let help = "How the latest connection to the database is protected: the TLS version, and how the server is authenticated";
        let labels = [("version", link.version), ("verified", link.verified)];
        let is = ConstGauge::new(1);
        let mut family = encoder.encode_descriptor("store_tls", help, None, is.metric_type())?;
        is.encode(family.encode_family(&labels)?)?;
        let help = "When a certificate of the latest connection to the database expires, in Unix time";
        let unit = Some(&Unit::Seconds);
        let ends = [("server", link.server_expires), ("client", link.client_expires)];
        if ends.iter().all(|(_, at)| at.is_none()) {
            return Ok(());
        }
        let mut family = encoder.encode_descriptor("store_certificate_expiry", help, unit, MetricType::Gauge)?;
        for (whose, at) in ends {
            if let Some(at) = at {
                ConstGauge::new(at as i64).encode(family.encode_family(&[("certificate", whose)])?)?;
            }
        }
        Ok(())
    }
}
