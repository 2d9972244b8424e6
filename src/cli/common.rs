//! What commands share.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::app::App;
use crate::config::Config;
use crate::kernel::{Clock, Rng};
use crate::telemetry;

/// Runs `work` on an app that serves nobody, and closes it however that ends: a database file is complete then.
pub async fn with_app<T>(config: Config, work: impl AsyncFnOnce(&App) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let app = App::for_command(config, Clock::system(), Rng::system()).await?;
    let done = work(&app).await;
    app.close().await;
    done
}

/// Prints the command's output to standard output.
pub fn print(text: &str) -> anyhow::Result<ExitCode> {
    telemetry::print(text).context("writing to standard output")?;
    Ok(ExitCode::SUCCESS)
}
