//! `doorbuster-bench`: it parses the command line, runs the benchmarks and sets the exit code.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use doorbuster::telemetry::FlushOnDrop;
use doorbuster_tools::{How, Servers};

// The baselines allocate as the server does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares the server with baselines on this machine.
#[derive(Debug, Parser)]
#[command(name = "doorbuster-bench")]
struct Options {
    /// The benchmarks to run (`purchase`, `durable`, `points`, …). Defaults to all except those of `cluster`, which need
    /// servers.
    names: Vec<String>,
    /// Do a hundredth of the work, once: shows that the benchmarks run, and measures nothing.
    #[arg(long)]
    quick: bool,
    /// Write the table into this Markdown file, before its first section, with the date, the commit and the machine.
    #[arg(long, value_name = "FILE", conflicts_with = "quick")]
    record: Option<PathBuf>,
    #[command(flatten)]
    servers: Servers,
    /// Run the baseline server for comparison.
    #[arg(long, value_name = "ADDRESS:PORT", hide = true)]
    baseline: Option<SocketAddr>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let _flush = FlushOnDrop;
    let options = Options::parse();
    if let Some(address) = options.baseline {
        doorbuster_tools::child(address).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let how = How { quick: options.quick, record: options.record };
    let met = Box::pin(doorbuster_tools::run(&options.names, &options.servers, &how)).await?;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
