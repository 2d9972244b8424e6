//! `doorbuster backup` and `doorbuster restore`.

use std::fmt::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::common::print;
use crate::app::{self, open_redis};
use crate::config::{self, Config};
use crate::control::backup::{self, Backup, Forgotten, Restored};
use crate::control::dump::{self, Trial};
use crate::gate::GateError;
use crate::kernel::{Clock, Rng, Timestamp};
use crate::payments::audit::Report;
use crate::payments::reconciliation::day_of;
use crate::store::Database;
use crate::store::sqlite::copies::Contents;
use crate::telemetry::say;

/// Commands about backups.
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Copy the database to a new file: an SQLite file, which is verified, or a dump of PostgreSQL. The shop can keep running.
    Create {
        /// The new file. It is created when the copy is complete.
        file: PathBuf,
    },
    /// Check that a backup can be restored: verify a copy of it, open a shop on the copy, and sell one unit. With PostgreSQL, the copy is a
    /// database of its own on the same server.
    Verify {
        /// The backup.
        file: PathBuf,
        /// Folder for the copy (SQLite). Defaults to the system's folder for temporary files.
        #[arg(long, value_name = "FOLDER")]
        workspace: Option<PathBuf>,
    },
}

/// Options of `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup of an SQLite database. It is copied to the path in store.url; the server must be stopped.
    #[arg(required_unless_present = "finish")]
    file: Option<PathBuf>,
    /// Replace the database that is there. It is kept under another name.
    #[arg(long)]
    replace: bool,
    /// Prepare a PostgreSQL database that was restored with other tools. All nodes must be stopped.
    #[arg(long, conflicts_with_all = ["file", "replace"])]
    finish: bool,
    /// Also remove everything under gate.prefix from Redis.
    #[arg(long, requires = "finish")]
    empty_redis: bool,
}

/// Runs `backup`.
pub async fn run(config: Config, command: BackupCommand) -> anyhow::Result<ExitCode> {
    let begun = Clock::system().now();
    match command {
        BackupCommand::Create { file } if is_server(&config) => {
            let bytes = dump::create(&config.store, &file).await?;
            note(&config, begun, bytes).await;
            print(&format!("created {}\n{bytes} bytes\n", file.display()))
        }
        BackupCommand::Verify { file, .. } if is_server(&config) => verify_dump(&config, &file, &Rng::system()).await,
        BackupCommand::Create { file } => {
            let made = backup::create(&config.store, &file).await?;
            note(&config, begun, made.bytes).await;
            if !made.records.ok {
                say(
                    "the records are NOT consistent; the backup is a true copy of them. See `doorbuster payments audit`",
                );
            }
            print(&format!("created {}\n{}", file.display(), described(&made)?))
        }
        BackupCommand::Verify { file, workspace } => {
            let rng = Rng::system();
            let name = format!("doorbuster-verify-{}", data_encoding::HEXLOWER.encode(&rng.bytes::<8>()));
            let workspace = Workspace::make(&workspace.unwrap_or_else(std::env::temp_dir).join(name))?;
            verify(&config, &file, &workspace.0.join("copy.db"), &rng).await
        }
    }
}

/// The backup is good, whether or not the nodes can tell its age.
async fn note(config: &Config, at: Timestamp, bytes: u64) {
    if let Err(error) = backup::note(&config.store, at, bytes).await {
        say(&format!("the backup could not be noted in the database, so its age will not be known: {error}"));
    }
}

async fn verify(config: &Config, file: &Path, copy: &Path, rng: &Rng) -> anyhow::Result<ExitCode> {
    let found = backup::verify(&config.store, file, copy).await?;
    print(&described(&found)?)?;
    if !found.records.ok {
        print(&findings(&found.records)?)?;
        return Ok(ExitCode::FAILURE);
    }
    sell(backup::at(&config.store, copy)?, rng).await
}

/// Whether the database is on a server.
fn is_server(config: &Config) -> bool {
    !config.store.url.expose().starts_with("sqlite://")
}

async fn verify_dump(config: &Config, file: &Path, rng: &Rng) -> anyhow::Result<ExitCode> {
    let trial = Trial::restore(&config.store, file, rng).await?;
    let verified = async {
        let records = trial.verify().await?;
        if !records.ok {
            print("the dump can be restored; its records are NOT consistent\n")?;
            print(&findings(&records)?)?;
            return Ok(ExitCode::FAILURE);
        }
        print("the dump can be restored; its records are consistent\n")?;
        sell(trial.config.clone(), rng).await
    };
    let verified = verified.await;
    let removed = trial.remove().await;
    // Why it can't be used is what matters.
    let code = verified?;
    removed?;
    Ok(code)
}

async fn sell(store: config::Store, rng: &Rng) -> anyhow::Result<ExitCode> {
    let drill = Box::pin(app::drill(store, &Clock::system(), rng)).await.context("opening a shop on the copy")?;
    print(&format!("opened {} sales and sold one unit, order {}\n", drill.gates.opened, drill.order))
}

/// A folder that nobody else can read; removed with everything in it.
struct Workspace(PathBuf);

impl Workspace {
    fn make(path: &Path) -> anyhow::Result<Self> {
        let made = std::fs::DirBuilder::new().mode(0o700).create(path);
        made.with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            say(&format!("{} could not be removed: {error}", self.0.display()));
        }
    }
}

/// Runs `restore`.
pub async fn restore(config: Config, options: Restore) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    if let Some(file) = options.file {
        let restored = backup::restore(&config.store, &file, options.replace, &clock).await?;
        let text = told(&file, &restored)? + &lost(&config, restored.forgotten.as_of, clock.now())?;
        return print(&(text + "start the server\n"));
    }
    let db = Database::open(&config.store).await?;
    let finished = async {
        db.migrate().await?;
        backup::finish(&db, *config.node.heartbeat, &clock).await
    };
    let finished = finished.await;
    db.close().await;
    let Forgotten { tokens, sales, as_of } = finished?;
    print(&format!("ended {tokens} access tokens\nraised the epochs of {sales} sales\n"))?;
    if options.empty_redis {
        let client = open_redis(&config.gate, &Rng::system()).await?;
        let removed = client.empty().await.map_err(GateError::from)?;
        print(&format!("removed {removed} keys from Redis\n"))?;
    }
    print(&lost(&config, as_of, clock.now())?)?;
    print("start the nodes\n")
}

/// What is known to be lost, and where it can be found again.
fn lost(config: &Config, as_of: Option<Timestamp>, now: Timestamp) -> anyhow::Result<String> {
    let Some(as_of) = as_of else {
        return Ok("no node ran when the backup was made; what happened later is lost\n".to_owned());
    };
    let mut text = String::new();
    writeln!(text, "lost: everything after {} ({}s)", as_of.to_rfc3339(), now.since(as_of).as_secs())?;
    if !config.payments.has_alipay() {
        return Ok(text);
    }
    // The bill of the present day does not exist yet.
    let (first, last) = (day_of(as_of), day_of(now).yesterday()?);
    writeln!(
        text,
        "payments and refunds of that time are found by the gateway's bills from {first} on, as MISSING_HERE"
    )?;
    let days = jiff::Span::new().days(i64::from(config.payments.bill_days));
    for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
        if day < day_of(now).saturating_sub(days) {
            writeln!(text, "  doorbuster payments reconcile --day {day}")?;
        }
    }
    Ok(text)
}

fn counted(contents: &Contents) -> String {
    let Contents { users, sales, orders, payments, refunds } = contents;
    format!("{users} users, {sales} sales, {orders} orders, {payments} payments, {refunds} refunds")
}

fn described(found: &Backup) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{} bytes: {}", found.bytes, counted(&found.contents))?;
    let verdict = if found.records.ok { "consistent" } else { "NOT consistent" };
    writeln!(text, "the file is not damaged; its records are {verdict}")?;
    Ok(text)
}

fn findings(records: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for checked in &records.invariants {
        for breach in &checked.breaches {
            writeln!(text, "{:>2}  {}: {}  {}", checked.invariant, checked.title, breach.subject, breach.detail)?;
        }
    }
    Ok(text)
}

fn told(file: &Path, restored: &Restored) -> Result<String, std::fmt::Error> {
    let Restored { contents, replaced, forgotten } = restored;
    let mut text = String::new();
    writeln!(text, "restored {}: {}", file.display(), counted(contents))?;
    if let Some((path, had)) = replaced {
        let had = had.as_ref().map_or_else(|| "it can't be read".to_owned(), counted);
        writeln!(text, "the replaced database is {}: {had}", path.display())?;
    }
    writeln!(text, "ended {} access tokens", forgotten.tokens)?;
    Ok(text)
}
