//! Log lines on standard error, including panics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::Once;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::output;
use crate::config::{Log, LogFormat, colours_are_welcome};

/// Starts logging, for the whole process: the first call decides, later ones only check their filter. Panics are logged too.
pub fn init_logging(config: &Log) -> anyhow::Result<()> {
    static ONCE: Once = Once::new();
    let filter = EnvFilter::try_new(&config.filter).context("log.filter")?;
    let mut started = Ok(());
    ONCE.call_once(|| {
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(output::LogLines)
            // What can't be formatted would be reported by a macro that panics when standard error is gone.
            .log_internal_errors(false)
            .with_ansi(output::is_read_by_a_person() && colours_are_welcome());
        started = match config.format {
            LogFormat::Text => builder.finish().try_init(),
            LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        };
        std::panic::set_hook(Box::new(log_panic));
    });
    started.context("another logger is already installed in this process")
}

/// One line like all others, so that a panic is not lost on whoever reads JSON.
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
