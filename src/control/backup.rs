//! Backups of the SQLite file, and what follows when a database is restored from one. `dump.rs`: the same for PostgreSQL.
//!
//! Tickets and order numbers need no care here: an epoch is never below the seconds since 2026 (`kernel::next_epoch`), so what is
//! sold after a restore has numbers that were not used before, also if somebody copied the file by hand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::config;
use crate::kernel::{Clock, Epoch, Timestamp, next_epoch};
use crate::nodes::Registry;
use crate::payments::audit::{self, Report};
use crate::store::sqlite::copies::{self, Contents, Site};
use crate::store::{self, Database, StoreError};

/// A backup that was looked at.
#[derive(Debug)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// What it has.
    pub contents: Contents,
    /// What `payments audit` says of it.
    pub records: Report,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the database has now.
    pub contents: Contents,
    /// The database that was there before, under its new name, and what it has, if it can be read.
    pub replaced: Option<(PathBuf, Option<Contents>)>,
    /// What it was made to forget.
    pub forgotten: Forgotten,
}

/// What a restored database was made to forget.
#[derive(Debug, Clone, Copy)]
pub struct Forgotten {
    /// Access tokens that were ended.
    pub tokens: usize,
    /// Sales whose epochs were raised; purchases of them that wait to be recorded are refused.
    pub sales: usize,
    /// When a node last said that it runs, in the backup: what happened later is lost. `None`: no node ran then.
    pub as_of: Option<Timestamp>,
}

/// Copies the shop's SQLite file to `to` while the shop may run. The copy gets its name once it is on disk and has been checked.
/// Records that are not consistent do not prevent that: the copy is as good as its original.
pub async fn create(config: &config::Store, to: &Path) -> anyhow::Result<Backup> {
    let from = file_of(config).context("a database on a server is not a file")?;
    ensure!(!to.exists(), "{} exists already", to.display());
    let unfinished = with_suffix(to, ".partial")?;
    // Of an attempt that was interrupted.
    copies::remove(&unfinished);
    let (source, target, settings) = (from, unfinished.clone(), config.clone());
    blocking(move || copies::copy(&source, &target, &settings)).await?;
    let checked = check(config, &unfinished).await;
    match &checked {
        Ok(_) => copies::publish(&unfinished, to)?,
        Err(_) => copies::remove(&unfinished),
    }
    checked
}

/// Reads the whole file, and verifies its records. Fails if it is damaged.
async fn check(config: &config::Store, file: &Path) -> anyhow::Result<Backup> {
    let (path, settings) = (file.to_owned(), config.clone());
    let contents = blocking(move || copies::check(&path, &settings)).await?;
    let db = Database::look(&at(config, file)?).await?;
    let records = audit::check(&db, &db, false).await;
    db.close().await;
    let records = records.context("verifying the records")?;
    Ok(Backup { bytes: std::fs::metadata(file)?.len(), contents, records })
}

/// Copies a backup to the new file `copy`, brings the copy up to date as a restore would, and verifies it. Fails if it is damaged.
pub async fn verify(config: &config::Store, backup: &Path, copy: &Path) -> anyhow::Result<Backup> {
    let (from, to, settings) = (backup.to_owned(), copy.to_owned(), config.clone());
    let contents = blocking(move || {
        copies::take(&from, &to)?;
        copies::check(&to, &settings)
    });
    let contents = contents.await.with_context(|| format!("reading {}", backup.display()))?;
    let bytes = std::fs::metadata(copy)?.len();
    let db = Database::open(&at(config, copy)?).await?;
    let verified = async {
        db.migrate().await?;
        audit::check(&db, &db, false).await
    };
    let records = verified.await;
    db.close().await;
    Ok(Backup { bytes, contents, records: records.context("verifying the records")? })
}

/// Notes in the shop's database that a backup of this size was made, of the database as it was at this moment.
pub async fn note(config: &config::Store, at: Timestamp, bytes: u64) -> Result<(), StoreError> {
    let db = Database::open(config).await?;
    let noted = store::write!(&db, |conn| sql::backups::note(conn, at, bytes).await);
    db.close().await;
    noted
}

/// When the last backup was made that was noted.
pub async fn last(db: &Database) -> Result<Option<Timestamp>, StoreError> {
    store::read!(db, |conn| sql::backups::last(conn).await)
}

/// Puts a backup in the place of the shop's SQLite file. The server must be stopped. The file that is there is kept under another
/// name, and only replaced at all with `replace`. Until the last moment nothing is changed.
pub async fn restore(config: &config::Store, from: &Path, replace: bool, clock: &Clock) -> anyhow::Result<Restored> {
    let target =
        file_of(config).context("with PostgreSQL, restore the database with its own tools, then use --finish")?;
    let (place, patience) = (target.clone(), *config.busy_timeout);
    let site = blocking(move || Site::take(&place, patience)).await?;
    let exists = site.path().exists();
    ensure!(!exists || replace, "{} exists; use --replace to keep it under another name", site.path().display());
    ensure!(std::fs::canonicalize(from).ok().as_deref() != Some(site.path()), "the backup is the database itself");
    let (path, settings) = (site.path().to_owned(), config.clone());
    let had = if exists { blocking(move || copies::look(&path, &settings)).await.ok() } else { None };
    let prepared = site.prepare();
    let made = prepare(config, from, &prepared, had.map(|(_, newest)| newest), clock).await;
    let (contents, forgotten) = match made {
        Ok(made) => made,
        Err(error) => {
            copies::remove(&prepared);
            return Err(error);
        }
    };
    let label = clock.now().to_rfc3339().replace([':', '.'], "-");
    let replaced = blocking(move || site.replace(&prepared, &label)).await?;
    let had = had.map(|(contents, _)| contents);
    Ok(Restored { contents, replaced: replaced.map(|file| (file, had)), forgotten })
}

/// A copy of the backup that is ready to be used in place of a database whose newest epoch is known.
async fn prepare(
    config: &config::Store,
    from: &Path,
    prepared: &Path,
    newest: Option<Epoch>,
    clock: &Clock,
) -> anyhow::Result<(Contents, Forgotten)> {
    let (source, target, settings) = (from.to_owned(), prepared.to_owned(), config.clone());
    let contents = blocking(move || {
        copies::take(&source, &target)?;
        copies::check(&target, &settings)
    });
    let contents = contents.await.with_context(|| format!("reading {}", from.display()))?;
    let db = Database::open(&at(config, prepared)?).await?;
    let forgotten = async {
        db.migrate().await?;
        // A node raises the epochs in its own file when it starts, after it has decided the purchases that wait in that file. Only if the
        // replaced database is ahead of the clock must that be done before.
        let ahead = newest.filter(|newest| *newest >= next_epoch(0, clock.now()));
        forget(&db, ahead).await
    };
    let forgotten = forgotten.await;
    db.close().await;
    Ok((contents, forgotten?))
}

/// Prepares a PostgreSQL database that was restored with its own tools. No node may run.
pub async fn finish(db: &Database, heartbeat: Duration, clock: &Clock) -> anyhow::Result<Forgotten> {
    ensure!(db.is_shared(), "an SQLite file is restored with `doorbuster restore FILE`");
    if let Some(node) = Registry::living(db, heartbeat).await.context("reading the nodes")?.first() {
        bail!("the node {} ({}) is running on this database: stop all nodes first", node.name, node.address);
    }
    // What waits in the broker belongs to another state of the database.
    Ok(forget(db, Some(next_epoch(0, clock.now()))).await?)
}

/// Ends tokens and leases, and raises the epochs to at least this one, if any.
async fn forget(db: &Database, epoch: Option<Epoch>) -> Result<Forgotten, StoreError> {
    store::write!(db, |conn| {
        sql::catalog::take_turn(conn).await?;
        let as_of = sql::nodes::list(conn).await?.iter().map(|node| node.seen_at).max();
        let tokens = sql::restored::end_tokens(conn).await?;
        sql::restored::forget_nodes(conn).await?;
        let sales = match epoch {
            Some(epoch) => sql::restored::raise_epochs(conn, epoch).await?,
            None => 0,
        };
        sql::catalog::raise_revision(conn).await?;
        Ok(Forgotten { tokens, sales, as_of })
    })
}

/// The path of an SQLite database.
fn file_of(config: &config::Store) -> Option<PathBuf> {
    config.url.expose().strip_prefix("sqlite://").map(PathBuf::from)
}

/// The settings for another SQLite file.
pub fn at(config: &config::Store, file: &Path) -> anyhow::Result<config::Store> {
    let path = file.to_str().with_context(|| format!("{} is not UTF-8", file.display()))?;
    Ok(config::Store { url: config::Secret::new(format!("sqlite://{path}")), ..config.clone() })
}

pub(super) fn with_suffix(file: &Path, suffix: &str) -> anyhow::Result<PathBuf> {
    let name = file.file_name().with_context(|| format!("{} is not the name of a file", file.display()))?;
    let mut name = name.to_owned();
    name.push(suffix);
    Ok(file.with_file_name(name))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> anyhow::Result<T> {
    Ok(tokio::task::spawn_blocking(work).await??)
}
