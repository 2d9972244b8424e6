//! PostgreSQL's own tools (`pg_dump`, `pg_restore`, `createdb`, `dropdb`) on the database of `store.url`, protected as the program's own
//! connections are. What they must know is in their environment, where other users of the machine don't see the password.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use tokio_postgres::config::{ChannelBinding, Host};

use super::policy::{Check, Protection, Target, Tls};
use crate::store::StoreError;
use crate::tls::Roots;

/// How much of what a failed tool said is repeated, in characters.
const SAID_MAX: usize = 2_000;

/// A database on a server.
#[derive(Clone)]
pub struct Tools {
    target: Target,
    database: String,
}

impl Tools {
    /// Of the database of this URL. Nothing is contacted.
    pub fn of(url: &str) -> Result<Self, StoreError> {
        let target = Target::parse(url).map_err(|why| StoreError::unavailable(format!("store.url {why}")))?;
        let named = target.server.get_dbname().or(target.server.get_user());
        let database = named.ok_or_else(|| StoreError::unavailable("store.url names neither a database nor a user"))?;
        Ok(Self { database: database.to_owned(), target })
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Writes the whole database to the new file, as it is at one moment.
    pub async fn dump(&self, file: &Path) -> Result<(), StoreError> {
        let arguments = ["--format=custom", "--no-owner", "--no-privileges", "--no-password", "--file"];
        self.run("pg_dump", &arguments, file).await
    }

    /// Reads the table of contents of a dump.
    pub async fn look(&self, file: &Path) -> Result<(), StoreError> {
        self.run("pg_restore", &["--list", "--file=/dev/null"], file).await
    }

    /// Restores a dump into this database, which must be empty.
    pub async fn restore(&self, file: &Path) -> Result<(), StoreError> {
        let database = format!("--dbname={}", self.database);
        let arguments = ["--no-owner", "--no-privileges", "--no-password", "--exit-on-error", &database];
        self.run("pg_restore", &arguments, file).await
    }

    /// Makes an empty database of this name beside it.
    pub async fn create(&self, name: &str) -> Result<(), StoreError> {
        let through = format!("--maintenance-db={}", self.database);
        self.run("createdb", &["--no-password", "--template=template0", &through], Path::new(name)).await
    }

    /// Drops the database of this name on the same server, with all its connections.
    pub async fn remove(&self, name: &str) -> Result<(), StoreError> {
        let through = format!("--maintenance-db={}", self.database);
        self.run("dropdb", &["--no-password", "--if-exists", "--force", &through], Path::new(name)).await
    }

    async fn run(&self, program: &str, arguments: &[&str], last: &Path) -> Result<(), StoreError> {
        let failed = |why: String| StoreError::unavailable(format!("{program}: {why}"));
        let mut command = Command::new(program);
        command.args(arguments).arg(last).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        // A service or options of somebody's shell are not those of the shop.
        for name in ["PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGPASSFILE", "PGREQUIREAUTH"] {
            command.env_remove(name);
        }
        for (name, value) in environment(&self.target, &self.database) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command.output().await.map_err(|error| {
            failed(format!("{error}; PostgreSQL's client programs must be installed and in the PATH"))
        })?;
        if output.status.success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(SAID_MAX).collect();
        Err(failed(if said.is_empty() { output.status.to_string() } else { said }))
    }
}

/// What libpq must know, by variable. A variable without a value is removed.
fn environment(target: &Target, database: &str) -> Vec<(&'static str, Option<OsString>)> {
    let server = &target.server;
    let joined = |parts: Vec<String>| (!parts.is_empty()).then(|| OsString::from(parts.join(",")));
    let host = |host: &Host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    let mut all = vec![
        ("PGHOST", joined(server.get_hosts().iter().map(host).collect())),
        ("PGHOSTADDR", joined(server.get_hostaddrs().iter().map(ToString::to_string).collect())),
        ("PGPORT", joined(server.get_ports().iter().map(ToString::to_string).collect())),
        ("PGUSER", server.get_user().map(OsString::from)),
        ("PGPASSWORD", server.get_password().map(|bytes| String::from_utf8_lossy(bytes).into_owned().into())),
        ("PGDATABASE", Some(database.into())),
    ];
    all.extend(protection(&target.protection));
    all
}

/// The same protection in libpq's words. Nothing is left to its defaults, by which a connection may be plaintext.
fn protection(protection: &Protection) -> [(&'static str, Option<OsString>); 6] {
    let Protection::Tls(Tls { check, roots, identity, binding, direct }) = protection else {
        return [
            ("PGSSLMODE", Some("disable".into())),
            ("PGSSLROOTCERT", None),
            ("PGSSLCERT", None),
            ("PGSSLKEY", None),
            ("PGCHANNELBINDING", None),
            ("PGSSLNEGOTIATION", None),
        ];
    };
    let mode = match check {
        Check::Name => "verify-full",
        Check::Chain => "verify-ca",
        Check::Nothing => "require",
    };
    let roots = roots.as_ref().map(|roots| match roots {
        Roots::System => "system".into(),
        Roots::File(path) => path.clone().into_os_string(),
    });
    let binding = match binding {
        ChannelBinding::Disable => "disable",
        ChannelBinding::Require => "require",
        _ => "prefer",
    };
    [
        ("PGSSLMODE", Some(mode.into())),
        ("PGSSLROOTCERT", roots),
        ("PGSSLCERT", identity.as_ref().map(|identity| identity.certificate.clone().into_os_string())),
        ("PGSSLKEY", identity.as_ref().map(|identity| identity.key.clone().into_os_string())),
        ("PGCHANNELBINDING", Some(binding.into())),
        ("PGSSLNEGOTIATION", direct.then(|| "direct".into())),
    ]
}

/// The URL with another database.
pub fn with_database(url: &str, name: &str) -> String {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    let after_user = url[after_scheme..].find('@').map_or(after_scheme, |at| after_scheme + at + 1);
    let query = url[after_user..].find('?').map_or(url.len(), |at| after_user + at);
    let path = url[after_user..query].find('/').map_or(query, |at| after_user + at);
    format!("{}/{name}{}", &url[..path], &url[query..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(url: &str) -> Vec<(&'static str, String)> {
        let tools = Tools::of(url).unwrap();
        let all = environment(&tools.target, &tools.database);
        all.into_iter().filter_map(|(name, value)| Some((name, value?.into_string().unwrap()))).collect()
    }

    #[test]
    fn tools_get_the_address_and_the_protection_of_the_url() {
        let said = |pairs: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        assert_eq!(
            told("postgres://shop:p%40ss@db.example:5433,other.example:5434/shop?sslrootcert=/ca.pem"),
            said(&[
                ("PGHOST", "db.example,other.example"),
                ("PGPORT", "5433,5434"),
                ("PGUSER", "shop"),
                ("PGPASSWORD", "p@ss"),
                ("PGDATABASE", "shop"),
                ("PGSSLMODE", "verify-full"),
                ("PGSSLROOTCERT", "/ca.pem"),
                ("PGCHANNELBINDING", "prefer"),
            ])
        );
        let local = told("postgres://shop@127.0.0.1/shop");
        assert!(local.contains(&("PGSSLMODE", "disable".to_owned())), "{local:?}");
        let managed = told("postgres://shop@db.example/shop");
        assert!(managed.contains(&("PGSSLROOTCERT", "system".to_owned())), "{managed:?}");
        let blind =
            told("postgres://shop@db.example/shop?sslmode=require&channel_binding=require&sslnegotiation=direct");
        for pair in [("PGSSLMODE", "require"), ("PGCHANNELBINDING", "require"), ("PGSSLNEGOTIATION", "direct")] {
            assert!(blind.contains(&(pair.0, pair.1.to_owned())), "{pair:?} {blind:?}");
        }
    }

    #[test]
    fn another_database_is_on_the_same_server() {
        for (url, expected) in [
            ("postgres://u:p@h:5432/shop?sslmode=disable", "postgres://u:p@h:5432/copy?sslmode=disable"),
            ("postgres://h", "postgres://h/copy"),
            ("postgres://u?x@h/shop", "postgres://u?x@h/copy"),
            ("postgres://h?host=/run/postgresql", "postgres://h/copy?host=/run/postgresql"),
        ] {
            assert_eq!(with_database(url, "copy"), expected);
        }
    }
}
