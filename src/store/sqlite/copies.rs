//! Copies of a database file: taken while the shop runs, checked, and put in its place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::sql_types::{BigInt, Text};
use diesel::{RunQueryDsl as _, SqliteConnection};

use super::file::{DatabaseFile, Lock};
use super::{Pragmas, connect_sync};
use crate::config;
use crate::kernel::Epoch;
use crate::store::StoreError;

/// Permissions of a copy: it holds what the shop knows of its users.
const MODE: u32 = 0o600;
/// Faults of a damaged file that are reported at most.
const FAULTS_MAX: usize = 10;
/// What SQLite may leave beside a file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How many rows a database has of what matters most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// User accounts, operators included.
    pub users: u64,
    /// Sales, drafts included.
    pub sales: u64,
    /// Decided tickets: orders, and purchases that were refused.
    pub orders: u64,
    /// Attempts to pay.
    pub payments: u64,
    /// Refunds.
    pub refunds: u64,
}

#[derive(diesel::QueryableByName)]
struct Fault {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Copies the database at `from` into the new file `to`, as it is at one moment; others go on writing to it. `to` is on disk afterwards,
/// and is one file that is complete by itself. Blocks. Fails, and leaves nothing, when there is too little space for it.
pub fn copy(from: &Path, to: &Path, config: &config::Store) -> Result<(), StoreError> {
    let file = DatabaseFile::find(from)?;
    let needed = ["", "-wal"].map(|suffix| size(&beside(file.path(), suffix)));
    let (needed, free) = (needed.iter().sum::<u64>(), free_space(folder_of(to))?);
    if needed > free {
        return Err(StoreError::unavailable(format!(
            "the copy may need {needed} bytes, and {} has {free} free",
            folder_of(to).display()
        )));
    }
    // SQLite fills a file that is empty, and would make one that everybody may read.
    make_private(to)?;
    let copied = copy_into(&file, to, config);
    if copied.is_err() {
        remove(to);
    }
    copied
}

fn copy_into(file: &DatabaseFile, to: &Path, config: &config::Store) -> Result<(), StoreError> {
    let mut conn = connect_sync(file, &Pragmas::of_readers(config))?;
    let path = to.to_str().ok_or_else(|| StoreError::unavailable(format!("{} is not UTF-8", to.display())))?;
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(path).execute(&mut conn)?;
    // SQLite does not flush the copy.
    flush(to)
}

/// Fails if the file is damaged, or not a database of a shop. What it has. Blocks.
pub fn check(path: &Path, config: &config::Store) -> Result<Contents, StoreError> {
    let file = DatabaseFile::find(path)?;
    let mut conn = connect_sync(&file, &Pragmas { only_look: true, ..Pragmas::of_readers(config) })?;
    let faults: Vec<Fault> = diesel::sql_query(format!("PRAGMA integrity_check({FAULTS_MAX})")).load(&mut conn)?;
    let faults: Vec<_> = faults.into_iter().map(|fault| fault.integrity_check).filter(|fault| fault != "ok").collect();
    if !faults.is_empty() {
        return Err(StoreError::unavailable(format!("{} is damaged: {}", path.display(), faults.join("; "))));
    }
    let strays = count(&mut conn, "pragma_foreign_key_check")?;
    if strays > 0 {
        return Err(StoreError::unavailable(format!(
            "{} is damaged: {strays} rows refer to missing ones",
            path.display()
        )));
    }
    contents(&mut conn)
}

/// What a database has, and the newest epoch of its sales, without a check. Blocks.
pub fn look(path: &Path, config: &config::Store) -> Result<(Contents, Epoch), StoreError> {
    let file = DatabaseFile::find(path)?;
    let mut conn = connect_sync(&file, &Pragmas { only_look: true, ..Pragmas::of_readers(config) })?;
    let newest = diesel::sql_query("SELECT COALESCE(MAX(epoch), 0) AS n FROM sales").get_result::<Count>(&mut conn)?;
    Ok((contents(&mut conn)?, newest.n.try_into().unwrap_or(Epoch::MAX)))
}

fn contents(conn: &mut SqliteConnection) -> Result<Contents, StoreError> {
    Ok(Contents {
        users: count(conn, "users")?,
        sales: count(conn, "sales")?,
        orders: count(conn, "orders")?,
        payments: count(conn, "payments")?,
        refunds: count(conn, "refunds")?,
    })
}

fn count(conn: &mut SqliteConnection, table: &str) -> Result<u64, StoreError> {
    let query = format!("SELECT COUNT(*) AS n FROM {table}");
    Ok(diesel::sql_query(query).get_result::<Count>(conn)?.n as u64)
}

/// Copies a backup into the new file `to`, byte by byte: the backup may be on a medium that can't be written to, and is not touched. A log
/// that was copied along with it belongs to it. Blocks. Fails, and leaves nothing, when there is too little space for it.
pub fn take(backup: &Path, to: &Path) -> Result<(), StoreError> {
    let found = fs::metadata(backup).map_err(|error| failed(backup, error))?;
    if !found.is_file() {
        return Err(StoreError::unavailable(format!("{} is not a file", backup.display())));
    }
    let copy = |suffix: &str| {
        let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(beside(to, suffix));
        made.and_then(|mut made| io::copy(&mut File::open(beside(backup, suffix))?, &mut made))
    };
    let log = if size(&beside(backup, "-wal")) > 0 { copy("-wal").map(drop) } else { Ok(()) };
    let copied = log.and_then(|()| copy("").map(drop)).map_err(|error| failed(backup, error));
    if copied.is_err() {
        remove(to);
    }
    copied
}

/// The place of a shop's database while it is being restored: no server uses it, and none can start.
pub struct Site {
    path: PathBuf,
    _lock: Lock,
}

impl Site {
    /// Takes the place; there may be no file yet. A server that runs on it is an error that names it.
    pub fn take(path: &Path, patience: Duration) -> Result<Self, StoreError> {
        let file = DatabaseFile::at(path)?;
        let lock = file.lock_for_restore(patience)?;
        Ok(Self { path: file.path().to_owned(), _lock: lock })
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the restored file is prepared: beside the database, so that it can be renamed. What an interrupted attempt left is removed.
    pub fn prepare(&self) -> PathBuf {
        let prepared = beside(&self.path, ".restoring");
        remove(&prepared);
        prepared
    }

    /// Puts the prepared file in its place. A database that is there is kept under another name, which ends with `label`: that name, if
    /// there was one. After a crash in the middle the same can be done again.
    pub fn replace(&self, prepared: &Path, label: &str) -> Result<Option<PathBuf>, StoreError> {
        let aside = beside(&self.path, &format!(".replaced-{label}"));
        let existed = self.path.exists();
        // The file first: without it, a log that stays behind belongs to nothing, and the next attempt takes it away, too.
        for suffix in [""].iter().chain(&BESIDE) {
            let (old, kept) = (beside(&self.path, suffix), beside(&aside, suffix));
            match fs::rename(&old, &kept) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&old, error)),
                _ => {}
            }
        }
        let like = if existed { aside.as_path() } else { folder_of(&self.path) };
        adopt(like, &[prepared, &beside(&self.path, ".lock")])?;
        fs::rename(prepared, &self.path).map_err(|error| failed(prepared, error))?;
        flush(&self.path)?;
        remove(prepared);
        Ok(existed.then_some(aside))
    }
}

/// Gives files to the owner of `like`: who restores a database may be another user than the server, which must be able to write to it.
fn adopt(like: &Path, files: &[&Path]) -> Result<(), StoreError> {
    let owner = fs::metadata(like).map_err(|error| failed(like, error))?;
    for file in files {
        let found = fs::metadata(file).map_err(|error| failed(file, error))?;
        if (found.uid(), found.gid()) != (owner.uid(), owner.gid()) {
            chown(file, Some(owner.uid()), Some(owner.gid())).map_err(|error| failed(file, error))?;
        }
    }
    Ok(())
}

/// Gives a finished copy its name, which must be new.
pub fn publish(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|error| failed(to, error))?;
    flush(to)
}

/// Makes an empty file that only its owner can read.
pub fn make_private(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    made.map(drop).map_err(|error| failed(path, error))
}

/// Brings a file and its name to the disk.
pub fn flush(path: &Path) -> Result<(), StoreError> {
    let flushed = File::open(path).and_then(|file| file.sync_all());
    flushed.and_then(|()| File::open(folder_of(path))?.sync_all()).map_err(|error| failed(path, error))
}

/// Removes a file that is not needed any more, with what SQLite and the program put beside it.
pub fn remove(path: &Path) {
    for suffix in ["", ".lock"].iter().chain(&BESIDE) {
        let _not_there = fs::remove_file(beside(path, suffix));
    }
}

/// The folder that a path is in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().as_bytes().to_vec();
    name.extend_from_slice(suffix.as_bytes());
    PathBuf::from(std::ffi::OsString::from_vec(name))
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

fn free_space(folder: &Path) -> Result<u64, StoreError> {
    let space = rustix::fs::statvfs(folder).map_err(|error| failed(folder, error.into()))?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

fn failed(path: &Path, error: io::Error) -> StoreError {
    StoreError::unavailable(format!("{}: {error}", path.display())).caused_by(error)
}
