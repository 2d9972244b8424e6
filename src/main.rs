//! The `doorbuster` program: it parses the command line, runs the command and sets the exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use doorbuster::cli::Cli;
use doorbuster::telemetry::{FlushOnDrop, say};

// Requests make many small allocations on many threads, and a node lives for weeks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long tasks that are still at work may keep the process, once all that matters is done: one of a library's may never
/// yield when its runtime ends (see [`doorbuster::broker::pulsar`]).
const LAST_TASKS: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let _flush = FlushOnDrop;
    run().unwrap_or_else(|error| {
        say(&format!("doorbuster: {error:#}"));
        ExitCode::FAILURE
    })
}

fn run() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new()?;
    let ended = runtime.block_on(Box::pin(Cli::parse().run()));
    runtime.shutdown_timeout(LAST_TASKS);
    ended
}
