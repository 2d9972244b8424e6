//! The `doorbuster` program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use doorbuster::cli::Cli;

// Requests make many small allocations on many threads, and a node lives for weeks.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(Cli::parse().run()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("doorbuster: {error:#}");
            ExitCode::FAILURE
        }
    }
}
