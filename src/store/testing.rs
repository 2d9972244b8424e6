//! Databases for the tests of the slices: SQLite files, or PostgreSQL databases where `DOORBUSTER_TEST_STORE=postgres`.

#[allow(
    dead_code,
    missing_docs,
    clippy::pedantic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared with tests/"
)]
#[path = "../../tests/it/support/servers.rs"]
mod servers;

use tempfile::TempDir;

use self::servers::FreshDatabase;

/// An empty database. It goes with this.
pub struct TestDatabase {
    /// What `store.url` must be.
    pub url: String,
    folder: TempDir,
    database: Option<FreshDatabase>,
}

impl TestDatabase {
    /// In the dialect that the environment asks for.
    pub async fn create() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = match std::env::var("DOORBUSTER_TEST_STORE").as_deref() {
            Ok("postgres") => Some(FreshDatabase::create().await),
            Ok(other) => panic!("DOORBUSTER_TEST_STORE: {other}?"),
            Err(_) => None,
        };
        let url = match &database {
            Some(database) => database.url(),
            None => format!("sqlite://{}", folder.path().join("test.db").display()),
        };
        Self { url, folder, database }
    }

    /// The folder of the SQLite file; `None` where there is none.
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.database.is_none().then(|| self.folder.path())
    }
}
