//! The database file: used by one server, and monitored while it is in use.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::fs::Access;

use crate::store::StoreError;

/// How every database begins that is not empty.
const HEADER: &[u8] = b"SQLite format 3\0";
/// What the names of the database's files end with: the file itself, and what SQLite keeps beside it while it is open, the
/// write-ahead log and the index of it that processes share.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];
/// Permissions of a new file before the process's mask, as SQLite would set them.
const MODE: u32 = 0o644;
/// How often a lock that a command holds for a moment is tried again.
const RETRY: Duration = Duration::from_millis(20);
/// Bytes of a lock file that are shown.
const SHOWN: u64 = 300;
/// How the text in a lock file begins while a server holds it. Anything else holds it for a moment only.
const SERVER: &str = "server";

/// Device and inode: they stay with the file whatever it is called, and a new file has others.
type Identity = (u64, u64);

/// A database file that existed when it was opened. It is known under its real path: symbolic links and relative paths lead to the
/// same lock and the same log.
#[derive(Debug)]
pub struct DatabaseFile {
    path: PathBuf,
    /// Of the files that are watched.
    known: [OnceLock<Identity>; SUFFIXES.len()],
}

impl DatabaseFile {
    /// Finds the file; makes an empty one, with its folder, where there is none.
    pub fn make(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| unavailable(folder, error))?;
        }
        // Never opened where it exists: closing it again would take back SQLite's own locks of this process.
        if !path.exists() {
            let made = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(path);
            made.map_err(|error| unavailable(path, error))?;
        }
        Self::find(path)
    }

    /// Finds the file, and makes nothing.
    pub fn find(path: &Path) -> Result<Self, StoreError> {
        let real = fs::canonicalize(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => StoreError::unavailable(format!("no database exists at {}", path.display())),
            _ => unavailable(path, error),
        })?;
        let found = fs::metadata(&real).map_err(|error| unavailable(&real, error))?;
        if !found.is_file() {
            return Err(StoreError::unavailable(format!("{} is not a file", real.display())));
        }
        // SQLite names the log after the file: under a second name there would be a second log, and neither has all.
        if found.nlink() > 1 {
            return Err(StoreError::unavailable(format!(
                "{} has {} names (hard links), and SQLite would keep a separate log under each of them; remove the others",
                real.display(),
                found.nlink()
            )));
        }
        Ok(Self { path: real, known: Default::default() })
    }

    /// The place of a file that may be missing. Its folder must be there.
    pub fn at(path: &Path) -> Result<Self, StoreError> {
        if path.exists() {
            return Self::find(path);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).map_err(|error| unavailable(folder, error))?;
        let name =
            path.file_name().ok_or_else(|| StoreError::unavailable(format!("{} is not a file", path.display())))?;
        Ok(Self { path: folder.join(name), known: Default::default() })
    }

    /// Whether the file could be opened or made. Only for a process that has not opened it: closing it again would take back
    /// SQLite's own locks.
    pub fn check_place(path: &Path) -> Result<(), StoreError> {
        if path.exists() {
            let found = Self::find(path)?;
            let mut head = Vec::new();
            let file = OpenOptions::new().read(true).write(true).open(&found.path);
            let read = file.and_then(|file| file.take(HEADER.len() as u64).read_to_end(&mut head));
            read.map_err(|error| unavailable(&found.path, error))?;
            if !head.is_empty() && head != HEADER {
                return Err(StoreError::unavailable(format!("{} is not a database", found.path.display())));
            }
            return Ok(());
        }
        let here = Path::new(".");
        let folders = path.ancestors().skip(1).map(|folder| if folder.as_os_str().is_empty() { here } else { folder });
        let nearest = folders.into_iter().find(|folder| folder.exists()).unwrap_or(here);
        if !nearest.is_dir() {
            return Err(StoreError::unavailable(format!("{} is not a folder", nearest.display())));
        }
        let usable = rustix::fs::access(nearest, Access::WRITE_OK | Access::EXEC_OK);
        usable.map_err(|error| unavailable(nearest, error.into()))
    }

    /// Its real path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name for SQLite, which opens the file only if it is there.
    pub fn url(&self) -> String {
        let path: String = form_urlencoded::byte_serialize(self.path.as_os_str().as_bytes()).collect();
        format!("file:{}?mode=rw", path.replace('+', "%20").replace("%2F", "/"))
    }

    /// From now on [`Self::check`] compares. This process has a connection, and as long as it has, SQLite does not remove the
    /// files beside the database.
    pub fn watch(&self) {
        for (suffix, known) in SUFFIXES.iter().zip(&self.known) {
            if let Some(found) = identity(&self.beside(suffix)) {
                let _ = known.set(found);
            }
        }
    }

    /// Whether [`Self::watch`] was called: not by those who only look.
    pub fn is_watched(&self) -> bool {
        self.known[0].get().is_some()
    }

    /// Whether the files that are watched are still those that the path leads to. What is written to others is lost with the
    /// process.
    pub fn check(&self) -> Result<(), StoreError> {
        for (suffix, known) in SUFFIXES.iter().zip(&self.known) {
            let path = self.beside(suffix);
            if known.get().is_some_and(|known| identity(&path) != Some(*known)) {
                return Err(self.lost(&path));
            }
        }
        Ok(())
    }

    fn lost(&self, path: &Path) -> StoreError {
        let what = if path.exists() { "was replaced" } else { "was removed" };
        StoreError::unavailable(format!(
            "{} {what} while this process was using {}: stop it, put the file back in its place, and start again",
            path.display(),
            self.path.display()
        ))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().as_bytes().to_vec();
        name.extend_from_slice(suffix.as_bytes());
        PathBuf::from(std::ffi::OsString::from_vec(name))
    }

    /// Takes the file for a server, until the lock is dropped or the process ends, however it ends. `server` is what another
    /// one is reported. A command that holds the lock is waited for.
    pub fn lock_for_server(&self, server: &str, patience: Duration) -> Result<Lock, StoreError> {
        let holds = format!("{SERVER}: pid {}, {server}", std::process::id());
        self.lock(holds, patience).map_err(|holder| match holder {
            Held::By(holder) => StoreError::unavailable(format!(
                "{} is already in use ({holder}); an SQLite file belongs to one server: stop that one, or give this one a \
                 store.url of its own",
                self.path.display()
            )),
            Held::Unknown(error) => error,
        })
    }

    /// Takes the file for a change of its schema, which no running server would expect.
    pub fn lock_for_migration(&self, patience: Duration) -> Result<Lock, StoreError> {
        let holds = format!("migration: pid {}", std::process::id());
        self.lock(holds, patience).map_err(|holder| match holder {
            Held::By(holder) => StoreError::unavailable(format!(
                "the schema of {} must be brought up to date, and it is in use ({holder}): stop that first",
                self.path.display()
            )),
            Held::Unknown(error) => error,
        })
    }

    /// Takes the file to put another one in its place.
    pub fn lock_for_restore(&self, patience: Duration) -> Result<Lock, StoreError> {
        let holds = format!("restore: pid {}", std::process::id());
        self.lock(holds, patience).map_err(|holder| match holder {
            Held::By(holder) => {
                StoreError::unavailable(format!("{} is in use ({holder}): stop that first", self.path.display()))
            }
            Held::Unknown(error) => error,
        })
    }

    fn lock(&self, holds: String, patience: Duration) -> Result<Lock, Held> {
        let path = self.beside(".lock");
        let mut waited = Duration::ZERO;
        loop {
            let mut file = open_lock(&path)?;
            match file.try_lock() {
                Ok(()) => return Lock::new(path, file, holds).map_err(Held::Unknown),
                Err(TryLockError::Error(error)) => return Err(unavailable(&path, error).into()),
                Err(TryLockError::WouldBlock) => {}
            }
            let mut holder = String::new();
            let _ = (&mut file).take(SHOWN).read_to_string(&mut holder);
            if holder.starts_with(SERVER) || waited >= patience {
                return Err(Held::By(holder.trim().to_owned()));
            }
            std::thread::sleep(RETRY);
            waited += RETRY;
        }
    }
}

/// Why a lock was not had.
enum Held {
    By(String),
    Unknown(StoreError),
}

impl From<StoreError> for Held {
    fn from(error: StoreError) -> Self {
        Self::Unknown(error)
    }
}

/// The exclusive use of a database file. The operating system takes it back when the process ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: Mutex<File>,
    holds: String,
}

impl Lock {
    fn new(path: PathBuf, mut file: File, holds: String) -> Result<Self, StoreError> {
        file.set_len(0).and_then(|()| writeln!(file, "{holds}")).map_err(|error| unavailable(&path, error))?;
        Ok(Self { path, file: Mutex::new(file), holds })
    }

    /// Takes the lock again if its file was removed: others would lock a new one. Fails if one of them already has.
    pub fn keep(&self) -> Result<(), StoreError> {
        let mut held = self.file.lock();
        let own = held.metadata().ok().map(|found| (found.dev(), found.ino()));
        if own.is_some() && own == identity(&self.path) {
            return Ok(());
        }
        let file = open_lock(&self.path)?;
        let taken =
            |_| StoreError::unavailable(format!("{} was removed, and another process holds it", self.path.display()));
        file.try_lock().map_err(taken)?;
        let renewed = Self::new(self.path.clone(), file, self.holds.clone())?;
        *held = renewed.file.into_inner();
        tracing::warn!(path = %self.path.display(), "recreated the lock file, which had been removed");
        Ok(())
    }
}

fn open_lock(path: &Path) -> Result<File, StoreError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(MODE).open(path);
    open.map_err(|error| unavailable(path, error))
}

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn unavailable(path: &Path, error: std::io::Error) -> StoreError {
    StoreError::unavailable(format!("{}: {error}", path.display())).caused_by(error)
}
