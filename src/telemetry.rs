//! Logs and metrics.

mod instruments;
mod logging;
mod metrics;
mod output;
mod process;
mod pulses;

pub use instruments::{Counters, Gauges, PerLabel, Seconds};
pub use logging::init_logging;
pub(crate) use logging::panic_message;
pub use metrics::{CONTENT_TYPE, Metrics};
pub use output::{FlushOnDrop, print, prompt, say};
pub use process::{cpu_seconds, memory_bytes};
pub use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};
pub use pulses::{Answer, Committed, OrderCount, OrderEvent, SaleEvents, Tally, Times, Watched};
