//! Messages in the dead-letter queue.

use std::process::ExitCode;

use clap::Subcommand;

use super::common::{print, with_app};
use crate::app::{App, Observer};
use crate::broker::Broker;
use crate::config::Config;
use crate::kernel::{Clock, Rng};
use crate::store::Database;

/// Commands about dead-letter messages.
#[derive(Debug, Subcommand)]
pub enum FailuresCommand {
    /// List the messages, oldest first.
    List,
    /// Return a message to the topic that it came from.
    Replay {
        /// The number of the message in the list.
        id: u64,
    },
}

/// Carries out the command.
pub async fn failures(config: Config, command: FailuresCommand) -> anyhow::Result<ExitCode> {
    match command {
        FailuresCommand::Replay { id } => {
            Database::must_exist(&config.store)?;
            let replayed = with_app(config, async |app: &App| Ok(app.broker().replay(id).await?)).await?;
            anyhow::ensure!(replayed, "no dead-letter message has the number {id}");
            print(&format!("replayed {id}\n"))
        }
        FailuresCommand::List => {
            let seen = Observer::look(&config, &Clock::system(), &Rng::system()).await?;
            let listed = list_failures(&*seen.broker).await;
            seen.close().await;
            listed
        }
    }
}

async fn list_failures(broker: &dyn Broker) -> anyhow::Result<ExitCode> {
    let mut after = 0;
    loop {
        let page = broker.failures(after, FAILURES_PAGE).await?;
        for (id, failure) in &page {
            let payload = String::from_utf8_lossy(&failure.payload);
            let at = failure.at.to_rfc3339();
            print(&format!("{id}\t{at}\t{}\t{}\t{payload}\n", failure.topic, failure.reason))?;
        }
        match page.last() {
            Some((last, _)) => after = *last,
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// Failures read from the broker at once.
const FAILURES_PAGE: usize = 100;
