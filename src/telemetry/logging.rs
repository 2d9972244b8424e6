//! Log lines on standard error, including panics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::{Once, OnceLock};

use anyhow::Context as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::output;
use crate::config::{Log, LogFormat, colours_are_welcome};

/// Where the filter is changed.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging, for the whole process: the first call decides, later ones only check their filter. Panics are logged too.
pub fn init_logging(config: &Log) -> anyhow::Result<()> {
    static ONCE: Once = Once::new();
    let filter = EnvFilter::try_new(&config.filter).context("log.filter")?;
    let (filter, handle) = reload::Layer::new(filter);
    let mut started = Ok(());
    ONCE.call_once(|| {
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(output::LogLines)
            // What can't be formatted would be reported by a macro that panics when standard error is gone.
            .log_internal_errors(false)
            .with_ansi(output::is_read_by_a_person() && colours_are_welcome());
        started = match config.format {
            LogFormat::Text => tracing_subscriber::registry().with(filter).with(lines).try_init(),
            LogFormat::Json => {
                tracing_subscriber::registry().with(filter).with(lines.json().flatten_event(true)).try_init()
            }
        };
        let _ = FILTER.set(handle);
        std::panic::set_hook(Box::new(log_panic));
    });
    started.context("another logger is already installed in this process")
}

/// Logs what this filter says from now on. Without effect before [`init_logging`], and for a filter that can't be read, which the
/// configuration does not let through.
pub fn set_log_filter(filter: &str) {
    let parsed = EnvFilter::try_new(filter);
    if let (Some(handle), Ok(parsed)) = (FILTER.get(), parsed)
        && let Err(error) = handle.reload(parsed)
    {
        tracing::error!(%error, "could not change the log filter");
    }
}

/// One line like all others, so that a reader of JSON logs sees the panic.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic_message(panic.payload());
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(panic.message = message, panic.location = location, panic.backtrace = %backtrace, "panicked");
    } else {
        tracing::error!(panic.message = message, panic.location = location, "panicked");
    }
}

/// The text of a panic, which is nearly always one.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("not text")
}
