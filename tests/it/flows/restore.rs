//! Backups, and what is sold after one was restored: no ticket and no order number is handed out twice, whichever way the database
//! came back.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use doorbuster::demo::server::{Launch, Server};
use doorbuster::kernel::{Clock, Epoch, next_epoch};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Front, Terms, until};

const READY_WITHIN: Duration = Duration::from_secs(60);
const PROGRAM: &str = env!("CARGO_BIN_EXE_doorbuster");

/// Restores of each kind in one run; `DOORBUSTER_DRILLS=50` for a proof.
fn drills() -> usize {
    std::env::var("DOORBUSTER_DRILLS").map_or(2, |text| text.parse().unwrap())
}

/// Everything that was handed out: who has the ticket and the order number.
#[derive(Default)]
struct Sold(BTreeMap<String, String>);

impl Sold {
    /// The latest one of all order numbers.
    fn newest_epoch(&self) -> Epoch {
        let epoch = |text: &String| text.split('-').nth(1)?.parse().ok().filter(|_| text.split('-').count() == 3);
        self.0.keys().filter(|text| !text.starts_with("ticket")).filter_map(epoch).max().unwrap()
    }

    /// Buys as somebody new, and notes what they got.
    async fn buy(&mut self, shop: &Front, sale: &str, name: &str) -> String {
        let buyer = shop.buyer(name).await;
        let mut ticket = Err(String::new());
        until("open", async || {
            ticket = shop.buy(&buyer, sale, "key-of-mine", 1).await;
            !ticket.as_ref().is_err_and(|code| code == "TRY_LATER" || code == "SALE_NOT_FOUND")
        })
        .await;
        let ticket = ticket.unwrap();
        let order = shop.decided(&buyer, &ticket).await["order"].clone();
        for what in [ticket.as_str(), order["number"].as_str().unwrap_or_else(|| panic!("{name}: no order"))] {
            let other = self.0.insert(what.to_owned(), name.to_owned());
            assert_eq!(other, None, "{what} was handed out twice, now to {name}");
        }
        buyer
    }
}

/// A shop in a process of its own, on an SQLite file.
struct Stand {
    folder: TempDir,
    launch: Launch,
    names: usize,
}

impl Stand {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let launch = Launch::new(Path::new(PROGRAM), folder.path()).unwrap().set("server.linger", "0ms");
        let launch = launch.set("accounts.hash_memory", "8KiB").set("accounts.hash_passes", "1");
        let launch = launch.set("accounts.sign_ins_per_account_per_minute", "0");
        let launch = launch.set("accounts.attempts_per_address_per_minute", "0");
        operator(&launch, folder.path());
        Self { folder, launch, names: 0 }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Another name for a buyer.
    fn name(&mut self) -> String {
        self.names += 1;
        format!("buyer{}", self.names)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.launch.command().args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// What a command says that must fail.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    async fn open(&self) -> (Server, Front) {
        let server = self.launch.start(READY_WITHIN).await.unwrap();
        let mut front = Front::at(self.launch.address);
        front.operator = front.sign_in("operator").await;
        (server, front)
    }
}

/// Waits until a node says that a backup was made a moment ago.
async fn noted(address: SocketAddr) {
    let name = "doorbuster_last_backup_timestamp_seconds ";
    until("noted", async || {
        let text = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
        let at: i64 = text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap();
        Clock::system().now().as_millis() / 1_000 - at < 600
    })
    .await;
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Makes the operator that the tests sign in as.
fn operator(launch: &Launch, folder: &Path) {
    let password = folder.join("password");
    fs::write(&password, "password123\n").unwrap();
    let arguments = ["operator", "create", "--username", "operator", "--display-name", "Operator", "--password-stdin"];
    let made = launch.command().args(arguments).stdin(fs::File::open(&password).unwrap()).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
}

/// What deploy/README.md tells to do by hand, while the server is stopped. No person does it in the second in which the shop started
/// the last time.
async fn copy_back(stand: &Stand, sold: &Sold, backup: &Path) {
    let newest = sold.newest_epoch();
    until("a second later", async || next_epoch(0, Clock::system().now()) > newest || newest < 1_000).await;
    for suffix in ["-wal", "-shm"] {
        let _not_there = fs::remove_file(stand.path(&format!("doorbuster.db{suffix}")));
    }
    fs::copy(backup, stand.launch.database()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_file_hands_no_number_out_twice() {
    let (mut stand, mut sold) = (Stand::new(), Sold::default());
    let (backup, database) = (stand.path("backup.db"), stand.launch.database());
    let file = backup.to_str().unwrap();
    let (mut server, shop) = stand.open().await;
    let sale = shop.sale(&Terms { stock: 1_000, ..Terms::default() }).await;
    let early = sold.buy(&shop, &sale, "early").await;
    let made = stand.done(&["backup", "create", file]);
    assert!(made.contains("1 orders") && made.contains("records are consistent"), "{made}");
    assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o600);
    noted(stand.launch.address).await;
    let saved = fs::read(&backup).unwrap();
    for by_hand in [false, true].repeat(drills()) {
        // These are lost, some under the epoch of the backup and some under the next one.
        let late = sold.buy(&shop, &sale, &stand.name()).await;
        server.kill_and_restart(READY_WITHIN).await.unwrap();
        sold.buy(&shop, &sale, &stand.name()).await;
        let said = stand.refused(&["restore", file, "--replace"]);
        assert!(said.contains("in use") && said.contains(&format!("pid {}", server.pid())), "{said}");
        server.kill().unwrap();
        if by_hand {
            copy_back(&stand, &sold, &backup).await;
        } else {
            assert!(stand.refused(&["restore", file]).contains("--replace"));
            let told = stand.done(&["restore", file, "--replace"]);
            assert!(told.contains("1 orders") && told.contains("the replaced database is"), "{told}");
        }
        (server, _) = stand.open().await;
        // Signed out by the command; the buyer of after the backup is unknown in any case.
        let viewer = "{ viewer { user { username } } }";
        let knows = async |token: &str| shop.ask(Some(token), viewer, json!({})).await["data"]["viewer"].is_object();
        assert_eq!((knows(&early).await, knows(&late).await), (by_hand, false));
        sold.buy(&shop, &sale, &stand.name()).await;
        until("998 units", async || shop.stock(&sale).await == 998).await;
    }
    assert!(server.stop(READY_WITHIN).await.unwrap());
    assert_eq!(fs::read(&backup).unwrap(), saved, "the backup was written to");
    // What was replaced is kept, and whole.
    let kept =
        |path: &PathBuf| path.to_string_lossy().contains("db.replaced-") && path.to_string_lossy().ends_with('Z');
    let kept: Vec<_> = files(stand.folder.path()).into_iter().filter(kept).collect();
    assert_eq!(kept.len(), drills());
    for old in &kept {
        let audited = stand.launch.clone().set("store.url", &format!("sqlite://{}", old.display()));
        let audited = audited.command().args(["payments", "audit"]).output().unwrap();
        assert!(audited.status.success(), "{}", text(&audited.stderr));
    }
    assert!(database.exists() && !stand.path("doorbuster.db.restoring").exists());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_proven_by_a_sale_on_a_copy() {
    let (stand, mut sold) = (Stand::new(), Sold::default());
    let (backup, workspace) = (stand.path("backup.db"), stand.path("workspace"));
    fs::create_dir(&workspace).unwrap();
    let (file, place) = (backup.to_str().unwrap(), workspace.to_str().unwrap());
    let (server, shop) = stand.open().await;
    let sale = shop.sale(&Terms::default()).await;
    sold.buy(&shop, &sale, "early").await;
    stand.done(&["backup", "create", file]);
    let saved = fs::read(&backup).unwrap();
    assert!(stand.refused(&["backup", "create", file]).contains("exists already"));
    // A medium that can't be written to.
    fs::set_permissions(&backup, fs::Permissions::from_mode(0o400)).unwrap();
    let told = stand.done(&["backup", "verify", file, "--workspace", place]);
    assert!(told.contains("1 orders") && told.contains("opened 1 sales and sold one unit, order "), "{told}");
    assert_eq!((fs::read(&backup).unwrap(), files(&workspace)), (saved.clone(), Vec::new()));
    until("9 units: the shop itself sold nothing", async || shop.stock(&sale).await == 9).await;
    // Damaged, cut off, something else, and nothing at all.
    let database = fs::read(stand.launch.database()).unwrap();
    let mut damaged = saved.clone();
    damaged[8_192..40_960].fill(0xff);
    let wrong = stand.path("wrong.db");
    for bytes in [damaged, saved[..saved.len() / 2].to_vec(), b"a text".to_vec(), Vec::new()] {
        fs::write(&wrong, bytes).unwrap();
        stand.refused(&["backup", "verify", wrong.to_str().unwrap(), "--workspace", place]);
    }
    assert!(stand.refused(&["backup", "verify", "/nowhere/file.db"]).contains("/nowhere/file.db"));
    assert_eq!(files(&workspace), Vec::<PathBuf>::new());
    assert!(server.stop(READY_WITHIN).await.unwrap());
    assert!(database.starts_with(b"SQLite format 3\0"));
    let before = fs::read(stand.launch.database()).unwrap();
    let said = stand.refused(&["restore", wrong.to_str().unwrap(), "--replace"]);
    assert!(said.contains("wrong.db"), "{said}");
    let itself = stand.launch.database();
    assert!(stand.refused(&["restore", itself.to_str().unwrap(), "--replace"]).contains("the database itself"));
    assert_eq!(fs::read(stand.launch.database()).unwrap(), before, "a restore that failed changed something");
    assert!(!stand.path("doorbuster.db.restoring").exists());
    // Into an empty place, with no folder's worth of leftovers.
    fs::remove_file(stand.launch.database()).unwrap();
    stand.done(&["restore", file]);
    assert!(stand.done(&["status"]).contains("PUBLISHED") || stand.done(&["status"]).contains("Published"));
}

/// The same with PostgreSQL's own tools, Redis and Pulsar.
#[cfg(feature = "sabotage")]
mod shared {
    use super::super::nodes::Cluster;
    use super::*;
    use crate::support::servers::execute;

    /// A tool of PostgreSQL on the cluster's database.
    fn tool(cluster: &Cluster, name: &str, arguments: &[&str]) {
        let done = Command::new(name).arg("--dbname").arg(cluster.0.url()).args(arguments).output().unwrap();
        assert!(done.status.success(), "{name}: {}", text(&done.stderr));
    }

    async fn restore(cluster: &Cluster, backup: &str) {
        execute(&cluster.0.url(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
        tool(cluster, "pg_restore", &["--no-owner", "--exit-on-error", backup]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_restored_database_hands_no_number_out_twice() {
        let (cluster, mut sold) = (Cluster::fresh("").await, Sold::default());
        let folder = tempfile::tempdir().unwrap();
        let mut launch = Launch::new(Path::new(PROGRAM), folder.path()).unwrap();
        launch.settings = cluster.settings().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let run = |arguments: &[&str]| launch.command().args(arguments).output().unwrap();
        let finish = || launch.command().args(["restore", "--finish", "--empty-redis"]).output().unwrap();
        let backup = folder.path().join("backup.dump");
        let backup = backup.to_str().unwrap();
        let mut shop = cluster.node("one").await;
        let sale = shop.sale(&Terms { stock: 1_000, ..Terms::default() }).await;
        let early = sold.buy(&shop, &sale, "early").await;
        let made = run(&["backup", "create", backup]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        assert_eq!(fs::metadata(backup).unwrap().permissions().mode() & 0o777, 0o600);
        noted(shop.address()).await;
        assert!(text(&run(&["backup", "create", backup]).stderr).contains("exists already"));
        for (round, by_hand) in [false, true].repeat(drills()).into_iter().enumerate() {
            for n in 0..3 {
                sold.buy(&shop, &sale, &format!("lost{round}-{n}")).await;
            }
            if round == 0 {
                let said = text(&finish().stderr);
                assert!(said.contains("the node one") && said.contains("is running"), "{said}");
            }
            drop(shop.stop().await);
            restore(&cluster, backup).await;
            if !by_hand {
                let finished = finish();
                let (told, said) = (text(&finished.stdout), text(&finished.stderr));
                assert!(finished.status.success() && told.contains("raised the epochs of 1 sales"), "{told}{said}");
                assert!(told.contains("lost: everything after 20"), "{told}");
            }
            shop = cluster.node("one").await;
            let viewer = shop.ask(Some(&early), "{ viewer { user { username } } }", json!({})).await;
            assert_eq!(viewer["data"]["viewer"].is_object(), by_hand, "{viewer}");
            sold.buy(&shop, &sale, &format!("next{round}")).await;
        }
    }

    /// The databases of verifications on the server.
    fn trials(cluster: &Cluster) -> String {
        let query = "SELECT datname FROM pg_database WHERE datname LIKE 'doorbuster_verify_%'";
        let url = cluster.0.url();
        let arguments = ["--dbname", &url, "--tuples-only", "--no-align", "--command", query];
        text(&Command::new("psql").args(arguments).output().unwrap().stdout)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_dump_is_proven_by_a_sale_on_a_copy() {
        let (cluster, mut sold) = (Cluster::fresh("").await, Sold::default());
        let folder = tempfile::tempdir().unwrap();
        let mut launch = Launch::new(Path::new(PROGRAM), folder.path()).unwrap();
        launch.settings = cluster.settings().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let run = |arguments: &[&str]| launch.command().args(arguments).output().unwrap();
        let backup = folder.path().join("backup.dump");
        let file = backup.to_str().unwrap();
        let shop = cluster.node("one").await;
        let sale = shop.sale(&Terms::default()).await;
        sold.buy(&shop, &sale, "early").await;
        let made = run(&["backup", "create", file]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let saved = fs::read(&backup).unwrap();
        let verified = run(&["backup", "verify", file]);
        let (told, said) = (text(&verified.stdout), text(&verified.stderr));
        assert!(verified.status.success(), "{told}{said}");
        assert!(told.contains("consistent") && told.contains("opened 1 sales and sold one unit, order "), "{told}");
        until("9 units: the shop itself sold nothing", async || shop.stock(&sale).await == 9).await;
        assert_eq!(fs::read(&backup).unwrap(), saved);
        // Cut off, something else, and nothing at all. What is left of a copy is removed.
        let wrong = folder.path().join("wrong.dump");
        for bytes in [&saved[..saved.len() / 2], b"a text".as_slice(), b"".as_slice()] {
            fs::write(&wrong, bytes).unwrap();
            let refused = run(&["backup", "verify", wrong.to_str().unwrap()]);
            assert!(
                !refused.status.success() && text(&refused.stderr).contains("wrong.dump"),
                "{}",
                text(&refused.stderr)
            );
        }
        assert!(text(&run(&["backup", "verify", "/nowhere/file.dump"]).stderr).contains("/nowhere/file.dump"));
        assert_eq!(trials(&cluster), "", "a copy was left on the server");
        let nowhere = folder.path().join("none").join("backup.dump");
        assert!(!run(&["backup", "create", nowhere.to_str().unwrap()]).status.success());
        drop(shop.stop().await);
    }
}
