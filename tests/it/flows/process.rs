//! The program as whoever runs it sees it: signals, log, exit codes, and what its commands leave behind.

use std::fs::{self, File};
use std::io::PipeReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use doorbuster::demo::server::{Launch, LaunchError, Server, get, status};
use doorbuster::gateway::alipay::SigningKey;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::until;

const READY_WITHIN: Duration = Duration::from_secs(60);
const PROGRAM: &str = env!("CARGO_BIN_EXE_doorbuster");

/// Where a program is to be run that has not been yet.
fn place() -> (TempDir, Launch) {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(Path::new(PROGRAM), folder.path()).unwrap().set("server.linger", "0ms");
    (folder, launch)
}

/// A command of the program on the launch's data.
fn run(launch: &Launch, arguments: &[&str]) -> Output {
    let mut command = launch.command();
    command.args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
}

/// Everything in the folder, and in its folders.
fn files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder).min_depth(1).into_iter().map(|entry| entry.unwrap().into_path()).collect()
}

/// A server with these streams for its log, once it is ready.
async fn serve(launch: &Launch, log: impl Into<Stdio>) -> Child {
    let mut command = launch.command();
    let child = command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    until("ready", async || status(launch.address, "/health/ready").await == Some(200)).await;
    child
}

/// Waits for the end; the exit code, `None` if a signal ended it.
async fn ended(child: &mut Child) -> Option<i32> {
    until("ended", async || child.try_wait().unwrap().is_some()).await;
    child.wait().unwrap().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_never_ends_it_without_draining() {
    let (folder, launch) = place();
    let log = folder.path().join("log");
    for what in [Signal::HUP, Signal::USR1, Signal::USR2, Signal::QUIT, Signal::ALARM, Signal::INT] {
        let mut server = serve(&launch, File::create(&log).unwrap()).await;
        signal(&server, Signal::PIPE);
        signal(&server, what);
        assert_eq!(ended(&mut server).await, Some(0), "{what:?}");
        let said = fs::read_to_string(&log).unwrap();
        assert!(said.contains("shutting down") && said.contains("stopped"), "{what:?}: {said}");
        assert!(!said.contains('\x1b'), "no colours in a file: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_closes_does_not_end_what_nohup_started() {
    let (folder, launch) = place();
    let log = folder.path().join("log");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" serve", PROGRAM]);
    let settings = launch.command();
    command.envs(settings.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = command.stdin(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    until("ready", async || status(launch.address, "/health/ready").await == Some(200)).await;
    signal(&server, Signal::HUP);
    signal(&server, Signal::TERM);
    assert_eq!(ended(&mut server).await, Some(0));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("SIGTERM") && !said.contains("SIGHUP"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_can_write_stops_nothing() {
    let (_folder, launch) = place();
    let mut full = serve(&launch, File::options().write(true).open("/dev/full").unwrap()).await;
    until("counted", async || {
        let metrics = get(launch.address, "/metrics").await.unwrap_or_default();
        let lost = metrics.lines().find_map(|line| line.strip_prefix("doorbuster_log_lines_lost_total "));
        lost.is_some_and(|lost| lost != "0")
    })
    .await;
    signal(&full, Signal::TERM);
    assert_eq!(ended(&mut full).await, Some(0), "the log's disk is full");

    let (reader, writer) = std::io::pipe().unwrap();
    let mut gone = serve(&launch, writer).await;
    drop(reader);
    signal(&gone, Signal::TERM);
    assert_eq!(ended(&mut gone).await, Some(0), "the log's reader has gone");

    // Far more than a pipe holds, and nobody takes it out.
    let (reader, writer): (PipeReader, _) = std::io::pipe().unwrap();
    let mut stuck = serve(&launch.clone().set("log.filter", "trace"), writer).await;
    signal(&stuck, Signal::TERM);
    assert_eq!(ended(&mut stuck).await, Some(0), "the log's reader hangs");
    drop(reader);
}

#[test]
fn a_command_whose_reader_leaves_does_not_panic() {
    let (_folder, launch) = place();
    for arguments in [&["config", "print"][..], &["config", "schema"], &["schema"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = launch.command();
        let left = command.args(arguments).stdout(writer).output().unwrap();
        assert_eq!((left.status.code(), text(&left.stderr)), (Some(0), String::new()), "{arguments:?}");
    }
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let failed = launch.command().args(["config", "print"]).stdout(full()).output().unwrap();
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed.stderr));
    let mut wrong = launch.clone().set("server.listen", "nonsense").command();
    let mute = wrong.args(["config", "check"]).stderr(full()).stdout(full()).status().unwrap();
    assert_eq!(mute.code(), Some(1));
}

#[test]
fn commands_that_look_make_nothing() {
    let (folder, launch) = place();
    let launch = launch.set("store.url", &format!("sqlite://{}/wrong/path.db", folder.path().display()));
    for arguments in [
        &["status"][..],
        &["payments", "audit"],
        &["payments", "audit", "--json"],
        &["payments", "reconcile"],
        &["sale", "report", "sale_AAAAAAAAAAAAAAAAAAAAAA", "--csv", "sale.csv"],
        &["failures", "list"],
        &["failures", "replay", "1"],
    ] {
        let refused = run(&launch, arguments);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("no database exists at") && said.contains("wrong/path.db"), "{arguments:?}: {said}");
    }
    for arguments in [&["config", "check"][..], &["config", "print"], &["config", "schema"], &["schema"]] {
        assert!(run(&launch, arguments).status.success(), "{arguments:?}");
    }
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());

    // A file that is another program's stays as it is.
    let other = folder.path().join("other.db");
    let launch = launch.set("store.url", &format!("sqlite://{}", other.display()));
    fs::write(&other, b"").unwrap();
    for arguments in [&["status"][..], &["payments", "audit"], &["failures", "list"]] {
        assert_eq!(run(&launch, arguments).status.code(), Some(1), "{arguments:?}");
    }
    assert_eq!((files(folder.path()), fs::read(&other).unwrap()), (vec![other], Vec::new()));
}

#[test]
fn commands_that_write_leave_a_file_that_is_whole() {
    let (folder, launch) = place();
    assert!(run(&launch, &["migrate"]).status.success());
    assert_eq!(whole(folder.path()), ["doorbuster.db"]);
    let mut command = launch.command();
    let operator = ["operator", "create", "--username", "boss", "--display-name", "Boss", "--password-stdin"];
    let password = folder.path().join("password");
    fs::write(&password, "password123\n").unwrap();
    let made = command.args(operator).stdin(File::open(&password).unwrap()).output().unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(run(&launch, &["status"]).status.success() && run(&launch, &["failures", "list"]).status.success());
    assert!(run(&launch, &["payments", "audit"]).status.success());
    assert_eq!(whole(folder.path()), ["doorbuster.db"]);
}

#[test]
fn roles_and_second_factors_are_managed_from_the_command_line() {
    let (folder, launch) = place();
    let password = folder.path().join("password");
    fs::write(&password, "password123\n").unwrap();
    let create = |name: &str, role: &str| {
        let arguments =
            ["operator", "create", "--username", name, "--display-name", "X", "--password-stdin", "--role", role];
        launch.command().args(arguments).stdin(File::open(&password).unwrap()).output().unwrap()
    };
    for (name, role) in [("boss", "OPERATOR"), ("watcher", "observer"), ("helper", "SUPPORT")] {
        let made = create(name, role);
        assert!(made.status.success(), "{}", text(&made.stderr));
        assert!(
            text(&made.stdout).starts_with(&format!("created {} {name} (", role.to_lowercase())),
            "{}",
            text(&made.stdout)
        );
    }
    assert_eq!(create("other", "KING").status.code(), Some(2));
    let changed = run(&launch, &["operator", "role", "helper", "OBSERVER", "--as", "boss"]);
    assert_eq!(text(&changed.stdout), "helper: OBSERVER instead of SUPPORT; sessions ended: 0\n");
    for (arguments, why) in [
        (&["operator", "role", "helper", "OBSERVER"][..], "already has this role"),
        (&["operator", "role", "nobody", "OBSERVER"], "no user with this name"),
        (&["operator", "role", "helper", "BUYER", "--as", "watcher"], "not that of an operator"),
        (&["operator", "second-factor", "reset", "boss"], "no second factor"),
    ] {
        let refused = run(&launch, arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
    }
}

/// The names of the database's files, without the lock.
fn whole(folder: &Path) -> Vec<String> {
    let names = files(folder).into_iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("doorbuster.db") && !name.ends_with(".lock")).collect()
}

/// The last words of a server that must not start.
async fn refusal(launch: &Launch, log: &Path) -> String {
    let _ = fs::remove_file(log);
    let launch = Launch { log: Some(log.to_owned()), ..launch.clone() };
    match launch.start(READY_WITHIN).await {
        Err(LaunchError::Ended(_)) => fs::read_to_string(log).unwrap(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_belongs_to_one_server() {
    let (folder, launch) = place();
    let log = folder.path().join("log");
    let server = launch.start(READY_WITHIN).await.unwrap();
    let file = launch.database();
    let (symbolic, hard) = (folder.path().join("symbolic.db"), folder.path().join("hard.db"));
    std::os::unix::fs::symlink(&file, &symbolic).unwrap();
    let second = Launch::new(Path::new(PROGRAM), folder.path()).unwrap();
    for path in [&file, &symbolic] {
        let said = refusal(&second.clone().set("store.url", &format!("sqlite://{}", path.display())), &log).await;
        let holder = format!("pid {}, node", server.pid());
        assert!(said.contains(&holder) && said.contains(&launch.address.to_string()), "{said}");
    }
    for arguments in [&["status"][..], &["payments", "audit"], &["failures", "list"], &["migrate"]] {
        let beside = run(&launch, arguments);
        assert!(beside.status.success(), "{arguments:?}: {}", text(&beside.stderr));
    }
    fs::hard_link(&file, &hard).unwrap();
    let said = refusal(&second.clone().set("store.url", &format!("sqlite://{}", hard.display())), &log).await;
    assert!(said.contains("hard links"), "{said}");
    fs::remove_file(&hard).unwrap();
    // A lock file that somebody cleans away is made again, and keeps others out.
    let lock = folder.path().join("doorbuster.db.lock");
    fs::remove_file(&lock).unwrap();
    until("made again", async || lock.exists()).await;
    refusal(&second, &log).await;
    // Killed, it holds nothing.
    let mut server = server;
    server.kill().unwrap();
    let next = second.start(READY_WITHIN).await.unwrap();
    assert!(next.stop(READY_WITHIN).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_is_not_changed_under_a_running_server() {
    use diesel::connection::{Connection as _, SimpleConnection as _};
    let (_folder, launch) = place();
    let server: Server = launch.start(READY_WITHIN).await.unwrap();
    let mut conn = diesel::SqliteConnection::establish(&launch.database().to_string_lossy()).unwrap();
    // As it looks to a newer program.
    let forget = "PRAGMA busy_timeout = 5000; DELETE FROM __diesel_schema_migrations WHERE version = \
                  (SELECT max(version) FROM __diesel_schema_migrations)";
    conn.batch_execute(forget).unwrap();
    let refused = run(&launch, &["migrate"]);
    let said = text(&refused.stderr);
    let holder = format!("pid {}", server.pid());
    assert!(refused.status.code() == Some(1) && said.contains("in use") && said.contains(&holder), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_check_finds_is_what_a_server_refuses() {
    let (folder, plain) = place();
    let log = folder.path().join("log");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (app, gateway) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let private = file("app.pem", &format!("\u{feff}{}", app.to_sandbox_pem().unwrap().replace('\n', "\r\n")));
    let public = file("alipay.pem", &gateway.public().unwrap().to_sandbox_pem().unwrap().replace('\n', "\\n"));
    let own_public = file("own.pem", &app.public().unwrap().to_sandbox_pem().unwrap());
    let garbage = file("garbage", "not a key");
    let paying = plain
        .clone()
        .set("payments.alipay_url", " https://gateway.example/gateway.do\r")
        .set("payments.alipay_app_id", "2021000000000000 ")
        .set("payments.alipay_seller_id", "2088000000000000")
        .set("payments.alipay_private_key_file", &format!("{private}\n"))
        .set("payments.alipay_public_key_file", &public);
    let checked = run(&paying, &["config", "check"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let missing = folder.path().join("missing").display().to_string();
    let distributed = |store: &str, gate: &str, broker: &str, admin: &str| {
        let launch = plain.clone().set("store.url", store).set("gate.url", gate).set("broker.url", broker);
        launch.set("broker.admin_url", admin)
    };
    let (store, gate) = ("postgres://shop@localhost:1/shop", "redis://localhost:1");
    let (broker, admin) = ("pulsar://localhost:1", "http://localhost:1");
    let folder_as_file = folder.path().display();
    for (launch, key) in [
        (paying.clone().set("payments.alipay_private_key_file", &missing), "payments.alipay_private_key_file"),
        (paying.clone().set("payments.alipay_public_key_file", &missing), "payments.alipay_public_key_file"),
        (paying.clone().set("payments.alipay_private_key_file", &garbage), "payments.alipay_private_key_file"),
        (paying.clone().set("payments.alipay_public_key_file", &garbage), "payments.alipay_public_key_file"),
        (paying.clone().set("payments.alipay_public_key_file", &own_public), "payments.alipay_url"),
        (paying.clone().set("payments.alipay_url", "http://openapi.alipay.com/gateway.do"), "payments.alipay_url"),
        (plain.clone().set("server.listen", "192.0.2.1:80"), "server.listen"),
        (plain.clone().set("store.url", &format!("sqlite://{folder_as_file}")), "store.url"),
        (plain.clone().set("store.url", &format!("sqlite://{garbage}")), "store.url"),
        (plain.clone().set("store.url", &format!("sqlite://{garbage}/shop.db")), "store.url"),
        (distributed("postgres://", gate, broker, admin), "store.url"),
        (distributed("postgres://shop@localhost:port/shop", gate, broker, admin), "store.url"),
        (distributed("postgres://shop@db/shop?sslmode=prefer", gate, broker, admin), "write disable or verify-full"),
        (
            distributed("postgres://shop@db/shop?sslrootcert=missing.pem", gate, broker, admin),
            "missing.pem can't be read",
        ),
        (distributed(store, "redis://localhost:port", broker, admin), "gate.url"),
        (distributed(store, gate, "pulsar://", admin), "broker.url"),
        (distributed(store, gate, broker, "http://"), "broker.admin_url"),
    ] {
        let checked = run(&launch, &["config", "check"]);
        let said = text(&checked.stderr);
        assert!(checked.status.code() == Some(1) && said.contains(key), "{key}: {said}");
        let told = refusal(&launch, &log).await;
        assert_eq!(told, said, "the server says the same");
        assert!(!launch.database().exists(), "{key}: it was refused after the database was made");
    }
    let both = paying.set("payments.alipay_private_key_file", &missing).set("server.listen", "192.0.2.1:80");
    let said = text(&run(&both, &["config", "check"]).stderr);
    assert!(said.starts_with("2 problems"), "all at once: {said}");
}
