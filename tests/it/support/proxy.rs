//! A TCP proxy that misbehaves when told to: between a node and any of its servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How the network behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// As it should.
    Fine,
    /// Everything comes later by this much, in each direction.
    Slow(Duration),
    /// Nothing comes through, and nobody is told. What is sent waits until it is fine again.
    Frozen,
    /// Nothing comes through, and nobody is told. Connections that lived to see it are dead for ever, as behind a firewall
    /// that forgot them; new ones are when it is fine again.
    HalfOpen,
    /// Connections are closed, new ones at once.
    Cut,
}

/// Listens on a port of its own and passes on to one server.
pub struct Proxy {
    address: SocketAddr,
    target: String,
    shared: Arc<Shared>,
    _task: AbortOnDropHandle<()>,
}

struct Shared {
    network: watch::Sender<Network>,
    /// Grows when all present connections are to be reset.
    resets: watch::Sender<u64>,
    passed: AtomicU64,
    swallowed: AtomicU64,
    connections: AtomicU64,
    /// What was passed on, in both directions, while somebody listens.
    tap: Mutex<Option<Vec<u8>>>,
}

impl Proxy {
    /// In front of the server at `url`, `scheme://[user@]host:port[/path]`.
    pub async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (network, resets) = (watch::Sender::new(Network::Fine), watch::Sender::new(0));
        let shared = Shared {
            network,
            resets,
            passed: AtomicU64::new(0),
            swallowed: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            tap: Mutex::default(),
        };
        let shared = Arc::new(shared);
        let task = tokio::spawn(accept(listener, place(url).to_owned(), shared.clone()));
        Self { address, target: url.to_owned(), shared, _task: AbortOnDropHandle::new(task) }
    }

    /// The server's URL with the proxy in its place.
    pub fn url(&self) -> String {
        self.target.replacen(place(&self.target), &self.address.to_string(), 1)
    }

    /// From now on the network is like this.
    pub fn set(&self, network: Network) {
        self.shared.network.send_replace(network);
    }

    /// Resets all present connections (RST).
    pub fn reset(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// Bytes passed on so far.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }

    /// Bytes swallowed so far by a half-open connection.
    pub fn swallowed(&self) -> u64 {
        self.shared.swallowed.load(Ordering::SeqCst)
    }

    /// From now on what is passed on is kept.
    pub fn listen(&self) {
        *self.shared.tap.lock() = Some(Vec::new());
    }

    /// How often these bytes were passed on in one piece since somebody listens.
    pub fn heard(&self, bytes: &[u8]) -> usize {
        let tap = self.shared.tap.lock();
        tap.iter().flat_map(|heard| heard.windows(bytes.len())).filter(|window| *window == bytes).count()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

/// `host:port` of a URL.
fn place(url: &str) -> &str {
    let (_, rest) = url.split_once("://").expect("a URL");
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    authority.rsplit_once('@').map_or(authority, |(_, place)| place)
}

async fn accept(listener: TcpListener, target: String, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let (target, shared) = (target.clone(), shared.clone());
        tokio::spawn(async move { carry(client, &target, &shared).await });
    }
}

async fn carry(mut client: TcpStream, target: &str, shared: &Shared) {
    let (mut network, mut resets) = (shared.network.subscribe(), shared.resets.subscribe());
    if *network.borrow() == Network::Cut {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let reset = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            () = pass(from_client, to_server, shared) => false,
            () = pass(from_server, to_client, shared) => false,
            _ = network.wait_for(|network| *network == Network::Cut) => false,
            _ = resets.changed() => true,
        }
    };
    if reset {
        let (_, _) = (client.set_zero_linger(), server.set_zero_linger());
    }
}

async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, shared: &Shared) {
    let mut network = shared.network.subscribe();
    let mut dead = false;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = network.wait_for(|network| *network == Network::HalfOpen), if !dead => {
                dead = true;
                continue;
            }
        };
        let Ok(bytes @ 1..) = read else { return };
        let slow = match *network.borrow() {
            Network::Slow(by) => Some(by),
            _ => None,
        };
        if let Some(by) = slow {
            tokio::time::sleep(by).await;
        }
        if network.wait_for(|network| *network != Network::Frozen).await.is_err() {
            return;
        }
        dead |= *network.borrow() == Network::HalfOpen;
        if dead {
            shared.swallowed.fetch_add(bytes as u64, Ordering::SeqCst);
            continue;
        }
        if let Some(heard) = &mut *shared.tap.lock() {
            heard.extend_from_slice(&buffer[..bytes]);
        }
        if to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
        shared.passed.fetch_add(bytes as u64, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_proxy_does_what_it_is_told() {
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("test://somebody@{}/path", echo.local_addr().unwrap());
    let _task = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Ok((mut peer, _)) = echo.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = peer.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    }));
    let proxy = Proxy::before(&url).await;
    assert!(proxy.url().starts_with("test://somebody@127.0.0.1:") && proxy.url().ends_with("/path"));
    let connect = async || TcpStream::connect(proxy.address).await.unwrap();
    let echoes = async |peer: &mut TcpStream| {
        peer.write_all(b"x").await.unwrap();
        let mut byte = [0];
        let answer = tokio::time::timeout(Duration::from_millis(100), peer.read_exact(&mut byte)).await;
        answer.map(|answer| answer.map(|_| byte[0]))
    };
    let mut old = connect().await;
    assert_eq!(echoes(&mut old).await.unwrap().unwrap(), b'x');
    proxy.set(Network::Frozen);
    assert!(echoes(&mut old).await.is_err());
    proxy.set(Network::Fine);
    let mut byte = [0];
    assert_eq!(old.read_exact(&mut byte).await.unwrap(), 1, "what was frozen arrives");
    proxy.set(Network::HalfOpen);
    assert!(echoes(&mut old).await.is_err());
    proxy.set(Network::Fine);
    assert!(echoes(&mut old).await.is_err() && proxy.swallowed() >= 2, "dead for ever");
    let mut new = connect().await;
    assert_eq!(echoes(&mut new).await.unwrap().unwrap(), b'x');
    proxy.reset();
    let error = new.read_exact(&mut byte).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    proxy.set(Network::Cut);
    assert_eq!(connect().await.read(&mut byte).await.unwrap(), 0);
}
