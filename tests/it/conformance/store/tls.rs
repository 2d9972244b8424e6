//! PostgreSQL over TLS: a server with certificates of the test's own, and everything that `sslmode` may meet.

use std::path::PathBuf;
use std::time::Duration;

use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use doorbuster::config::Span;
use doorbuster::store::postgres::dial::Dialler;
use doorbuster::store::postgres::{Conn, Store};
use doorbuster::store::{Database, StoreError};
use doorbuster::telemetry::Metrics;
use rcgen::{BasicConstraints, DnType, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::config;
use crate::support::pki::{Authority, Issued, Manners, Middleman, file};
use crate::support::proxy::Proxy;
use crate::support::servers::{OwnServers, execute};
use crate::support::until;

const PASSWORD: &str = "password-of-the-shop";

/// `shop` must come encrypted, `guest` with a certificate, `old` has an old kind of password, `open` may come as it likes.
const RULES: &str = "host all postgres 127.0.0.1/32 trust
hostssl all shop 127.0.0.1/32 scram-sha-256
hostssl all guest 127.0.0.1/32 cert
host all old 127.0.0.1/32 md5
host all open 127.0.0.1/32 scram-sha-256";

/// A server of the test's own, its authority, and a folder for files.
struct Guarded {
    servers: OwnServers,
    authority: Authority,
    folder: TempDir,
    port: u16,
}

#[derive(diesel::QueryableByName)]
struct Moment {
    #[diesel(sql_type = diesel::sql_types::Text)]
    at: String,
}

impl Guarded {
    /// It does not speak TLS yet.
    async fn plain() -> Self {
        let servers = tokio::task::spawn_blocking(|| OwnServers::up("postgres")).await.unwrap();
        let url = servers.find("DOORBUSTER_TEST_POSTGRES");
        let port = url.rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let guarded = Self { servers, authority: Authority::new("The shop's authority"), folder, port };
        file(guarded.folder.path(), "roots.pem", &guarded.authority.pem());
        let roles =
            ["shop", "guest", "open"].map(|name| format!("CREATE ROLE {name} LOGIN CREATEDB PASSWORD '{PASSWORD}';"));
        let old = format!("SET password_encryption = 'md5'; CREATE ROLE old LOGIN CREATEDB PASSWORD '{PASSWORD}'");
        execute(&guarded.admin(), &format!("{}{old}", roles.concat())).await;
        guarded.put("pg_hba.conf", RULES).await;
        guarded.reload().await;
        guarded
    }

    /// It speaks TLS with a certificate for `db.internal` and `127.0.0.1`, and believes its own authority.
    async fn open() -> Self {
        let guarded = Self::plain().await;
        guarded.put("root.crt", &guarded.authority.pem()).await;
        guarded.install(&guarded.good()).await;
        for setting in ["ssl_ca_file = 'root.crt'", "ssl = on"] {
            execute(&guarded.admin(), &format!("ALTER SYSTEM SET {setting}")).await;
        }
        guarded.reload().await;
        guarded
    }

    fn good(&self) -> Issued {
        self.authority.issue(&["db.internal", "127.0.0.1"])
    }

    fn admin(&self) -> String {
        self.servers.find("DOORBUSTER_TEST_POSTGRES")
    }

    /// Writes a file into the server's folder, as the server: it must own its key.
    async fn put(&self, name: &str, text: &str) {
        let lines = format!("SELECT unnest(string_to_array('{text}', E'\\n'))");
        let program = format!("umask 077; cat > {name}");
        execute(&self.admin(), &format!("COPY ({lines}) TO PROGRAM '{program}'")).await;
    }

    /// The server shows this from now on.
    async fn show(&self, issued: &Issued) {
        self.install(issued).await;
        self.reload().await;
    }

    async fn install(&self, issued: &Issued) {
        self.put("server.crt", &issued.chain).await;
        self.put("server.key", &issued.key).await;
    }

    /// Returns when the server has read its files again.
    async fn reload(&self) {
        let loaded = async || {
            let mut conn = AsyncPgConnection::establish(&self.admin()).await.unwrap();
            let query = diesel::sql_query("SELECT pg_conf_load_time()::TEXT AS at");
            query.get_result::<Moment>(&mut conn).await.unwrap().at
        };
        let before = loaded().await;
        execute(&self.admin(), "SELECT pg_reload_conf()").await;
        until("read again", async || loaded().await != before).await;
    }

    fn roots(&self) -> String {
        self.path("roots.pem").display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The URL of `user`, for the host of this name, which is this machine.
    fn url(&self, user: &str, host: &str, parameters: &str) -> String {
        self.url_at(self.port, user, host, parameters)
    }

    fn url_at(&self, port: u16, user: &str, host: &str, parameters: &str) -> String {
        let parameters = parameters.replace("ROOTS", &self.roots());
        format!("postgres://{user}:{PASSWORD}@{host}:{port}/postgres?hostaddr=127.0.0.1&{parameters}")
    }

    /// What comes of `user` and these parameters.
    async fn ask(&self, user: &str, host: &str, parameters: &str) -> Result<(), String> {
        ask(&self.url(user, host, parameters)).await
    }

    async fn refused(&self, user: &str, host: &str, parameters: &str, words: &str) {
        let told = self.ask(user, host, parameters).await;
        assert!(told.as_ref().is_err_and(|told| told.contains(words)), "{user} {host} {parameters}: {told:?}");
    }

    async fn taken(&self, user: &str, host: &str, parameters: &str) {
        assert_eq!(self.ask(user, host, parameters).await, Ok(()), "{user} {host} {parameters}");
    }
}

/// Connects once, and makes sure that the connection works.
async fn ask(url: &str) -> Result<(), String> {
    let connected = match Dialler::new(url) {
        Ok(dialler) => dialler.connect().await,
        Err(error) => Err(error),
    };
    match connected {
        Ok((client, driver)) => {
            tokio::spawn(driver);
            client.batch_execute("SELECT 1").await.map_err(|error| error.to_string())
        }
        Err(StoreError::Unavailable { reason: told, .. } | StoreError::Internal { reason: told, .. }) => Err(told),
        Err(other) => Err(other.to_string()),
    }
}

async fn store(url: &str) -> Store {
    let mut config = config(url).store;
    config.connections = 1;
    config.acquire_timeout = Span(Duration::from_secs(1));
    match Database::open(&config).await.unwrap() {
        Database::Postgres(store) => store,
        Database::Sqlite(_) => panic!("not PostgreSQL"),
    }
}

async fn read(store: &Store, statements: &str) -> Result<(), StoreError> {
    let statements = statements.to_owned();
    store.read(|conn: &mut Conn| Box::pin(async move { Ok(conn.batch_execute(&statements).await?) })).await
}

const FULL: &str = "sslmode=verify-full&sslrootcert=ROOTS";

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_takes_what_it_promises_and_nothing_else() {
    let server = Guarded::open().await;
    let stranger = file(server.folder.path(), "stranger.pem", &Authority::new("A stranger").pem());
    let stranger = stranger.display();
    for (user, host, parameters) in [
        ("shop", "db.internal", FULL),
        ("shop", "127.0.0.1", FULL),
        ("shop", "db.internal", "sslmode=verify-full&sslrootcert=ROOTS&channel_binding=require"),
        ("shop", "db.internal", "sslmode=verify-full&sslrootcert=ROOTS&channel_binding=disable"),
        ("shop", "another", "sslmode=verify-ca&sslrootcert=ROOTS"),
        ("shop", "another", "sslmode=require&sslrootcert=ROOTS"),
        ("shop", "another", "sslmode=require&channel_binding=require"),
        ("old", "db.internal", FULL),
        ("open", "db.internal", "sslmode=disable"),
        // To this machine itself, and nothing is said: as it always was.
        ("open", "db.internal", ""),
    ] {
        server.taken(user, host, parameters).await;
    }
    for (user, host, parameters, words) in [
        ("shop", "db", FULL, "the server's certificate is for db.internal, 127.0.0.1, not db"),
        ("shop", "db.internal", &FULL.replace("ROOTS", &stranger.to_string()), "was not issued by any authority in"),
        (
            "shop",
            "db.internal",
            &format!("sslmode=verify-ca&sslrootcert={stranger}"),
            "was not issued by any authority in",
        ),
        ("shop", "db.internal", "sslmode=verify-full", "this system"),
        ("shop", "db.internal", "sslmode=disable", "write sslmode=verify-full"),
        ("shop", "db.internal", "", "write sslmode=verify-full"),
        ("old", "another", "sslmode=require&channel_binding=require", "channel_binding=require can't be satisfied"),
        ("shop", "db.internal", "sslmode=prefer", "can fall back to plaintext without notice"),
        ("shop", "db.internal", "sslmode=require", "does not authenticate the server"),
        ("shop", "db.internal", &format!("sslmode=verify-full&sslrootcert={stranger}.gone"), "can't be read"),
    ] {
        server.refused(user, host, parameters, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_and_must_be_a_good_one() {
    let server = Guarded::open().await;
    let write = |name: &str, issued: &Issued| {
        let certificate = file(server.folder.path(), &format!("{name}.pem"), &issued.chain);
        let key = file(server.folder.path(), &format!("{name}.key"), &issued.key);
        format!("{FULL}&sslcert={}&sslkey={}", certificate.display(), key.display())
    };
    let good = write("guest", &server.authority.issue(&["guest"]));
    let another = write("another", &server.authority.issue(&["another"]));
    let stranger = write("stranger", &Authority::new("A stranger").issue(&["guest"]));
    let expired = server.authority.issue_with(&["guest"], |params| params.not_after = date_time_ymd(2020, 1, 1));
    let expired = write("expired", &expired);
    server.taken("guest", "db.internal", &good).await;
    server.refused("guest", "db.internal", FULL, "set sslcert and sslkey").await;
    server.refused("guest", "db.internal", &another, "certificate authentication failed").await;
    server.refused("guest", "db.internal", &stranger, "this program's own certificate").await;
    server.refused("guest", "db.internal", &expired, "this program's own certificate").await;
    let mixed = good.replace("guest.key", "another.key");
    server.refused("guest", "db.internal", &mixed, "sslkey is not the key of sslcert").await;
    // Without being asked for, a certificate does no harm.
    server.taken("shop", "db.internal", &good).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_servers_certificate_is_said() {
    let server = Guarded::open().await;
    let names = ["db.internal"];
    let past = server.authority.issue_with(&names, |params| params.not_after = date_time_ymd(2020, 1, 1));
    let future = server.authority.issue_with(&names, |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2100, 1, 1), date_time_ymd(2101, 1, 1));
    });
    let nameless = server.authority.issue_with(&["db.internal"], |params| params.subject_alt_names.clear());
    let below = server.authority.below("In between").issue(&names);
    let as_authority = server.authority.issue_with(&names, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    for (shown, words) in [
        (past, "the server's certificate expired on 2020-01-01"),
        (future, "the server's certificate is not valid before 2100-01-01"),
        (nameless, "has no host name"),
        (below, "or the server does not send its intermediate certificates"),
        (as_authority, "is an authority's own (CA:TRUE)"),
    ] {
        server.show(&shown).await;
        server.refused("shop", "db.internal", FULL, words).await;
    }
    // One that signs itself is believed when it is the root.
    let key = KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["db.internal".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "db.internal");
    let own = params.self_signed(&key).unwrap().pem();
    server.show(&Issued { chain: own.clone(), key: key.serialize_pem() }).await;
    server.refused("shop", "db.internal", FULL, "was not issued by any authority in").await;
    file(server.folder.path(), "roots.pem", &own);
    server.taken("shop", "db.internal", FULL).await;
    // What is signed so that it can't be bound is fine until it must be.
    let odd = Authority::signing_with("Odd", &rcgen::PKCS_ED25519);
    server.show(&odd.issue(&names)).await;
    file(server.folder.path(), "roots.pem", &odd.pem());
    server.taken("shop", "db.internal", &format!("{FULL}&channel_binding=disable")).await;
    let bound = format!("{FULL}&channel_binding=require");
    server.refused("shop", "db.internal", &bound, "is signed with Ed25519, for which there is no binding").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_told_nothing() {
    let server = Guarded::plain().await;
    let proxy = Proxy::before(&server.admin()).await;
    proxy.listen();
    let port = proxy.url().rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    for parameters in [
        FULL,
        "sslmode=verify-full",
        "sslmode=verify-ca&sslrootcert=ROOTS",
        "sslmode=require&sslrootcert=ROOTS",
        "sslmode=require&channel_binding=require",
    ] {
        let told = ask(&server.url_at(port, "open", "db.internal", parameters)).await.expect_err(parameters);
        assert!(told.contains("the server does not support TLS, so nothing was sent"), "{parameters}: {told}");
    }
    assert_eq!((proxy.connections(), proxy.heard(b"open")), (5, 0), "not even who wants to come in");
    let told = ask(&server.url_at(port, "open", "db.internal", "sslmode=disable")).await;
    assert!(told.is_ok() && proxy.heard(b"open") > 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_in_between_is_noticed() {
    let server = Guarded::open().await;
    let own = Authority::new("Somebody").issue(&["db.internal"]);
    let trusts = Some(server.authority.pem());
    let swaps = Middleman::before(server.port, Manners { shows: own.clone(), direct: false, trusts }).await;
    let strips = Middleman::before(server.port, Manners { shows: own, direct: false, trusts: None }).await;
    let bound = "sslmode=require&channel_binding=require";
    for (middle, parameters, words) in [
        (&swaps, FULL, "was not issued by any authority in"),
        (&swaps, "sslmode=verify-ca&sslrootcert=ROOTS", "was not issued by any authority in"),
        (&swaps, bound, "the connection is being intercepted"),
        (&strips, bound, "a proxy terminates TLS before the server"),
    ] {
        let told = ask(&server.url_at(middle.address.port(), "open", "db.internal", parameters)).await;
        assert!(told.as_ref().is_err_and(|told| told.contains(words)), "{parameters}: {told:?}");
    }
    // A proxy of one's own that ends TLS is trusted by its certificate, also one that wants no question before.
    for direct in [false, true] {
        let manners = Manners { shows: server.good(), direct, trusts: None };
        let middle = Middleman::before(server.port, manners).await;
        let parameters = if direct { format!("{FULL}&sslnegotiation=direct") } else { FULL.to_owned() };
        let told = ask(&server.url_at(middle.address.port(), "open", "db.internal", &parameters)).await;
        assert_eq!(told, Ok(()), "direct: {direct}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_readable_is_on_the_wire() {
    let server = Guarded::open().await;
    let proxy = Proxy::before(&server.admin()).await;
    let port = proxy.url().rsplit_once(':').unwrap().1.split('/').next().unwrap().parse().unwrap();
    let question = "SELECT 'a-word-of-the-shop'";
    for (parameters, version, readable) in [("sslmode=disable", "none", true), (FULL, "1.3", false)] {
        proxy.listen();
        let store = store(&server.url_at(port, "open", "db.internal", parameters)).await;
        read(&store, question).await.unwrap();
        let words = [&b"a-word-of-the-shop"[..], b"plan_cache_mode", b"SCRAM-SHA-256", b"doorbuster", b"SELECT"];
        let heard: Vec<_> = words.iter().map(|word| proxy.heard(word)).collect();
        assert!(heard.iter().all(|times| (*times > 0) == readable), "{parameters}: {heard:?}");
        let metrics = Metrics::new();
        store.register(&metrics);
        let text = metrics.encode().unwrap();
        let verified = if readable { "no" } else { "name" };
        let line = format!("store_tls{{version=\"{version}\",verified=\"{verified}\"}} 1");
        assert!(text.contains(&line), "{text}");
        assert_eq!(text.contains("store_certificate_expiry_seconds{certificate=\"server\"}"), !readable, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_replaced_while_the_program_runs() {
    let server = Guarded::open().await;
    let store = store(&server.url("shop", "db.internal", FULL)).await;
    read(&store, "SELECT 1").await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop'";
    // The server's is replaced by one of an authority that is not known yet: what is open goes on.
    let next = Authority::new("The next authority");
    server.show(&next.issue(&["db.internal"])).await;
    read(&store, "SELECT 1").await.unwrap();
    execute(&server.admin(), end).await;
    until("refused", async || {
        matches!(read(&store, "SELECT 1").await, Err(StoreError::Unavailable { reason: told, .. }) if told.contains("was not issued by"))
    })
    .await;
    // Both are known, as in the middle of a replacement; then the new one alone.
    for roots in [format!("{}{}", server.authority.pem(), next.pem()), next.pem()] {
        file(server.folder.path(), "roots.pem", &roots);
        until("taken", async || read(&store, "SELECT 1").await.is_ok()).await;
        execute(&server.admin(), end).await;
        until("taken again", async || read(&store, "SELECT 1").await.is_ok()).await;
    }
}
