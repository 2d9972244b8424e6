//! The real servers that tests use: those that `./justw services up` started, or a set of a test's own, to be killed.

use std::path::{Path, PathBuf};
use std::process::Command;

use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use tempfile::TempDir;
use uuid::Uuid;

/// `postgres://USER@HOST:PORT/DATABASE` of a database that tests leave alone; see [`FreshDatabase`].
pub fn postgres() -> String {
    find("DOORBUSTER_TEST_POSTGRES")
}

/// `redis://HOST:PORT`. Each test uses keys of its own.
pub fn redis() -> String {
    find("DOORBUSTER_TEST_REDIS")
}

/// `pulsar://HOST:PORT`. Each test uses a tenant of its own.
pub fn pulsar() -> String {
    find("DOORBUSTER_TEST_PULSAR")
}

/// `http://HOST:PORT` of Pulsar's admin API.
pub fn pulsar_admin() -> String {
    find("DOORBUSTER_TEST_PULSAR_ADMIN")
}

/// An address from the environment, or else from the file that the services wrote.
pub fn find(variable: &str) -> String {
    std::env::var(variable)
        .ok()
        .or_else(|| value(&root().join(".services/env"), variable))
        .unwrap_or_else(|| panic!("{variable} is not set: run ./justw services up"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn value(file: &Path, variable: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('=').map(str::to_owned))
}

/// Servers of one test's own. They are gone when this is dropped.
pub struct OwnServers {
    folder: TempDir,
}

impl OwnServers {
    /// Starts servers: `up("postgres")`, `up("redis,pulsar")`. Blocks.
    pub fn up(only: &str) -> Self {
        let servers = Self { folder: tempfile::tempdir().unwrap() };
        servers.run(&["up", "--only", only]);
        servers
    }

    /// SIGKILL to all processes of a server; see `scripts/services` for this and the next ones. Each blocks until it is so.
    pub fn kill(&self, name: &str) {
        self.run(&["kill", name]);
    }

    /// The same ports, the same data.
    pub fn restart(&self, name: &str) {
        self.run(&["restart", name]);
    }

    /// The server stands still and keeps its connections open.
    pub fn pause(&self, name: &str) {
        self.run(&["pause", name]);
    }

    /// It goes on.
    pub fn resume(&self, name: &str) {
        self.run(&["resume", name]);
    }

    /// Killed, and started again empty.
    pub fn wipe(&self, name: &str) {
        self.run(&["wipe", name]);
    }

    /// The same as [`find`] for these servers.
    pub fn find(&self, variable: &str) -> String {
        value(&self.set().join("env"), variable).unwrap_or_else(|| panic!("{variable}: this server was not started"))
    }

    /// The folder with `NAME.log`, and with the data of Redis (`redis/dump.rdb`, `redis/redis.conf`).
    pub fn set(&self) -> PathBuf {
        self.folder.path().join("services")
    }

    fn run(&self, arguments: &[&str]) {
        self.try_run(arguments).unwrap_or_else(|told| panic!("scripts/services {}: {told}", arguments.join(" ")));
    }

    fn try_run(&self, arguments: &[&str]) -> Result<(), String> {
        let output = Command::new(root().join("scripts/services"))
            .args(arguments)
            .env("DOORBUSTER_SERVICES", self.set())
            .output()
            .expect("scripts/services can be run");
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }
}

impl Drop for OwnServers {
    fn drop(&mut self) {
        if let Err(told) = self.try_run(&["down"]) {
            eprintln!("servers of a test are left behind: {told}");
        }
    }
}

/// An empty PostgreSQL database of one test's own. It is gone when this is dropped.
pub struct FreshDatabase {
    server: String,
    name: String,
}

impl FreshDatabase {
    /// On the shared server.
    pub async fn create() -> Self {
        Self::create_on(&postgres()).await
    }

    /// On the server at this URL.
    pub async fn create_on(server: &str) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        execute(server, &format!("CREATE DATABASE {name}")).await;
        Self { server: server.to_owned(), name }
    }

    /// `postgres://…`
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a URL with a database");
        format!("{server}/{}", self.name)
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        let (server, drop) = (self.server.clone(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // The server may be gone already, when it was a test's own.
            runtime.block_on(async move {
                if let Ok(mut conn) = AsyncPgConnection::establish(&server).await {
                    let _gone = conn.batch_execute(&drop).await;
                }
            });
        };
        let _done = std::thread::spawn(work).join();
    }
}

/// The key of access tokens where several nodes run.
pub const TOKEN_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// Runs statements on the database at this URL.
/// Statements that may be refused.
pub async fn attempt(url: &str, statements: &str) -> diesel::QueryResult<()> {
    let mut conn = AsyncPgConnection::establish(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    conn.batch_execute(statements).await
}

pub async fn execute(url: &str, statements: &str) {
    let mut conn = AsyncPgConnection::establish(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    conn.batch_execute(statements).await.unwrap_or_else(|error| panic!("{statements}: {error}"));
}
