//! The server as a process of its own, so that it can be killed, and its memory and CPU be measured apart from the crowd's.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::accounts::seal::Seals;
use crate::accounts::token_keys;
use crate::config;
use crate::kernel::Rng;
use crate::store::{Database, StoreError};

/// How to run the program's `serve`.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Where its data goes.
    pub data: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// Settings over the defaults: `("orders.writer_batch", "100")`.
    pub settings: Vec<(String, String)>,
    /// Further variables of its environment.
    pub environment: Vec<(String, String)>,
    /// Where its log goes; `None`: nowhere.
    pub log: Option<PathBuf>,
}

/// Why a server could not be run.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The operating system refused.
    #[error("cannot start the server: {0}")]
    Start(#[from] std::io::Error),
    /// It ended by itself: its exit status, and the last lines of its log if that is kept.
    #[error("the server exited unexpectedly: {0}")]
    Ended(String),
    /// It did not become ready in time.
    #[error("the server was not ready within {0:?}")]
    NotReady(Duration),
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    launch: Launch,
}

impl Launch {
    /// Runs `program` on a data folder of its own, at a free port of the loop-back.
    pub fn new(program: &Path, data: &Path) -> std::io::Result<Self> {
        Ok(Self {
            program: program.to_owned(),
            data: data.to_owned(),
            address: free_address()?,
            settings: Vec::new(),
            environment: Vec::new(),
            log: None,
        })
    }

    /// Adds a setting, `section.key`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The database's file.
    pub fn database(&self) -> PathBuf {
        self.data.join("doorbuster.db")
    }

    /// Where the data lives: the file in the data folder, unless the settings say otherwise.
    fn store_url(&self) -> String {
        let set = self.settings.iter().rev().find(|(key, _)| key == "store.url");
        set.map_or_else(|| format!("sqlite://{}", self.database().display()), |(_, url)| url.clone())
    }

    /// Opens the database beside the server, and brings it up to date.
    pub async fn open_database(&self) -> Result<Database, StoreError> {
        let mut store = config::Config::default_embedded().store;
        store.url = config::Secret::new(self.store_url());
        let db = Database::open(&store).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// What seals the tokens of the server's buyers. Where tokens are sealed with a key in a file, it is made.
    pub fn seals(&self, rng: &Rng) -> Option<Seals> {
        let mut config = config::Config::default_embedded();
        config.store.url = config::Secret::new(self.store_url());
        let key = self.settings.iter().rev().find(|(key, _)| key == "accounts.token_key");
        if let Some((_, key)) = key {
            config.accounts.token_key = config::Secret::new(key);
        }
        Seals::new(&token_keys(&config, rng))
    }

    /// The program in the environment that these settings make, without arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("DOORBUSTER__STORE__URL", self.store_url());
        command.env("DOORBUSTER__SERVER__LISTEN", self.address.to_string());
        for (key, value) in &self.settings {
            command.env(format!("DOORBUSTER__{}", key.replace('.', "__").to_uppercase()), value);
        }
        command.envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Starts it and waits until it is ready.
    pub async fn start(&self, within: Duration) -> Result<Server, LaunchError> {
        let mut command = self.command();
        command.arg("serve").stdin(Stdio::null());
        match &self.log {
            Some(path) => {
                let file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
                command.stdout(file.try_clone()?).stderr(file);
            }
            None => drop(command.stdout(Stdio::null()).stderr(Stdio::null())),
        }
        let mut server = Server { child: command.spawn()?, launch: self.clone() };
        server.wait_ready(within).await?;
        Ok(server)
    }
}

/// The ports that [`free_address`] hands out, one after the other. They lie below those that the operating system gives to outgoing
/// connections (from 32768 on, unless configured otherwise): one of these could take the port before the server listens on it.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port of the loop-back that nobody listens on now. This process does not hand it out again soon.
pub fn free_address() -> std::io::Result<SocketAddr> {
    static TURN: OnceLock<AtomicU16> = OnceLock::new();
    let turn = TURN.get_or_init(|| AtomicU16::new(u16::from_le_bytes(Rng::system().bytes())));
    let mut refused = None;
    for _ in PORTS {
        let port = PORTS.start + turn.fetch_add(1, Ordering::Relaxed) % (PORTS.end - PORTS.start);
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener.local_addr(),
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into()))
}

impl Server {
    /// How it was started.
    pub const fn launch(&self) -> &Launch {
        &self.launch
    }

    /// The next restart is of this program.
    pub fn replace_with(&mut self, program: PathBuf) {
        self.launch.program = program;
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once (SIGKILL) and waits until it is gone. Fails when it had ended before: then the kill proves nothing.
    pub fn kill(&mut self) -> Result<(), LaunchError> {
        if let Some(status) = self.child.try_wait()? {
            return Err(self.ended(status));
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Kills it and starts it again on the same data at the same address.
    pub async fn kill_and_restart(&mut self, within: Duration) -> Result<(), LaunchError> {
        self.kill()?;
        *self = self.launch.clone().start(within).await?;
        Ok(())
    }

    /// Asks it to stop (SIGTERM) and waits until it has; returns whether it said that all went well.
    pub async fn stop(mut self, within: Duration) -> std::io::Result<bool> {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.success());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(false)
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn ended(&self, status: ExitStatus) -> LaunchError {
        const LINES: usize = 20;
        let log = self.launch.log.as_ref().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
        LaunchError::Ended(if last.is_empty() { status.to_string() } else { format!("{status}\n{last}") })
    }

    async fn wait_ready(&mut self, within: Duration) -> Result<(), LaunchError> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.ended(status));
            }
            if let Ok(Some(200)) = timeout(Duration::from_secs(1), status(self.launch.address, "/health/ready")).await {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Err(LaunchError::NotReady(within))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The status that `GET path` answers.
pub async fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let answer = get(address, path).await?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// Everything that `GET path` answers, head and body.
pub async fn get(address: SocketAddr, path: &str) -> Option<String> {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
}

/// Everything that is answered to a request until the connection ends.
pub async fn exchange(address: SocketAddr, request: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    String::from_utf8(answer).ok()
}
