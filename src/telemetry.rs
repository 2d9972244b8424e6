//! Logs and metrics.

mod instruments;
mod logging;
mod metrics;
mod output;
mod process;
mod pulses;

pub use crate::model::answers::{Answer, Tally};
pub use instruments::{Counters, Gauges, PerLabel, Seconds, WhileHere};
pub(crate) use logging::panic_message;
pub use logging::{init_logging, set_log_filter};
pub use metrics::{CONTENT_TYPE, Metrics};
pub use output::{FlushOnDrop, print, prompt, say};
pub use process::{cpu_seconds, memory_bytes};
pub use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};
pub use pulses::{Committed, OrderCount, OrderEvent, SaleEvents, Times, Watched};
