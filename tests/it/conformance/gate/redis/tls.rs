//! The gate over TLS: `rediss://`, with certificates of the test's own.

use doorbuster::config;
use doorbuster::demo::server::free_address;
use doorbuster::redis_client::RedisClient;
use tempfile::TempDir;

use super::{Gate as _, connect, fresh_prefix, new_sale, open, settings};
use crate::support::pki::{Authority, file};
use crate::support::servers::OwnServers;
use crate::support::until;

/// A server that speaks TLS on a second port, with a certificate for `localhost`.
struct Guarded {
    servers: OwnServers,
    authority: Authority,
    folder: TempDir,
    port: u16,
}

impl Guarded {
    async fn open() -> Self {
        let servers = tokio::task::spawn_blocking(|| OwnServers::up("redis")).await.unwrap();
        let port = free_address().unwrap().port();
        let (authority, folder) = (Authority::new("The shop's authority"), tempfile::tempdir().unwrap());
        let guarded = Self { servers, authority, folder, port };
        let issued = guarded.authority.issue(&["localhost"]);
        let files = [("roots.pem", guarded.authority.pem()), ("redis.pem", issued.chain), ("redis.key", issued.key)];
        let [roots, certificate, key] = files.map(|(name, text)| guarded.file(name, &text));
        guarded
            .told(&[
                ("tls-ca-cert-file", &roots),
                ("tls-cert-file", &certificate),
                ("tls-key-file", &key),
                ("tls-auth-clients", "no"),
                ("tls-port", &port.to_string()),
            ])
            .await;
        guarded
    }

    fn file(&self, name: &str, text: &str) -> String {
        file(self.folder.path(), name, text).display().to_string()
    }

    async fn told(&self, settings: &[(&str, &str)]) {
        let mut connection = connect(&self.servers.find("DOORBUSTER_TEST_REDIS")).await;
        let mut set = redis::cmd("CONFIG");
        set.arg("SET");
        for (name, value) in settings {
            set.arg(name).arg(value);
        }
        let _: () = set.query_async(&mut connection).await.unwrap();
    }

    fn settings(&self, host: &str) -> config::Gate {
        let tls_roots = self.folder.path().join("roots.pem").display().to_string();
        let url = format!("rediss://{host}:{}", self.port);
        config::Gate { tls_roots, ..settings(&url, &fresh_prefix()) }
    }
}

/// Why a gate with these settings does not work.
async fn failure(settings: &config::Gate) -> String {
    let gate = open(settings).await.unwrap();
    gate.counts(new_sale()).await.unwrap_err().to_string()
}

async fn works(settings: &config::Gate) {
    let gate = open(settings).await.unwrap();
    gate.counts(new_sale()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_known_by_its_certificate() {
    let server = Guarded::open().await;
    works(&server.settings("localhost")).await;
    let stranger = server.file("stranger.pem", &Authority::new("A stranger").pem());
    for (settings, words) in [
        (server.settings("127.0.0.1"), "the server's certificate is for localhost, not 127.0.0.1"),
        (
            config::Gate { tls_roots: stranger.clone(), ..server.settings("localhost") },
            "was not issued by any authority in",
        ),
    ] {
        let told = failure(&settings).await;
        assert!(told.contains(words), "{told}");
    }
    // What can be said without asking the server is said before a start.
    let gone = config::Gate { tls_roots: format!("{stranger}.gone"), ..server.settings("localhost") };
    for (settings, words) in [(gone, "can't be read"), (server.settings("localhost"), "")] {
        let told = RedisClient::check(&settings).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.contains(words) && told.is_empty() == words.is_empty(), "{told}");
    }
    let mut blind = server.settings("localhost");
    blind.url = config::Secret::new(format!("{}/#insecure", blind.url.expose()));
    assert!(RedisClient::check(&blind).unwrap_err().to_string().contains("would trust any server"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_shows_its_certificate_and_files_are_read_anew() {
    let server = Guarded::open().await;
    server.told(&[("tls-auth-clients", "yes")]).await;
    failure(&server.settings("localhost")).await;
    let issued = server.authority.issue(&["node"]);
    let shown = config::Gate {
        tls_certificate: server.file("node.pem", &issued.chain),
        tls_key: server.file("node.key", &issued.key),
        ..server.settings("localhost")
    };
    works(&shown).await;
    // A node that came with the wrong certificate works as soon as the right one is there.
    let stranger = Authority::new("A stranger").issue(&["node"]);
    server.file("node.pem", &stranger.chain);
    server.file("node.key", &stranger.key);
    let gate = open(&shown).await.unwrap();
    gate.counts(new_sale()).await.unwrap_err();
    server.file("node.key", &issued.key);
    server.file("node.pem", &issued.chain);
    until("well", async || gate.counts(new_sale()).await.is_ok()).await;
}
