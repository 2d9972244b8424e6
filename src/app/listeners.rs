//! The addresses that the server listens on.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::api::router::{self, Routes};
use crate::config;

/// Where requests come in.
pub struct Listeners {
    /// From everybody.
    pub public: TcpListener,
    /// Metrics, and why the node is not ready, where not everybody is to know them.
    pub admin: Option<TcpListener>,
}

/// Connections that may wait to be accepted; the kernel has a limit of its own below.
const BACKLOG: u32 = 1024;

/// The addresses are taken, but nobody can connect yet.
pub struct Reserved {
    public: TcpSocket,
    admin: Option<TcpSocket>,
}

impl Reserved {
    /// As configured. Fails where [`Self::listen`] would.
    pub fn take(config: &config::Server) -> anyhow::Result<Self> {
        let take = |address| reserve(address).with_context(|| format!("listening on {address}"));
        Ok(Self { public: take(config.listen)?, admin: config.admin_listen.map(take).transpose()? })
    }

    /// From now on connections come in.
    pub fn listen(self) -> anyhow::Result<Listeners> {
        let listen = |socket: TcpSocket| {
            let address = socket.local_addr()?;
            let listener = socket.listen(BACKLOG).with_context(|| format!("listening on {address}"))?;
            anyhow::Ok((address, listener))
        };
        let (address, public) = listen(self.public)?;
        tracing::info!(%address, "listening");
        let Some(admin) = self.admin else {
            if !address.ip().is_loopback() {
                tracing::warn!(%address, "/metrics and the details of /health/ready are public; set server.admin_listen");
            }
            return Ok(Listeners { public, admin: None });
        };
        let (address, admin) = listen(admin)?;
        tracing::info!(%address, "listening on the admin address");
        Ok(Listeners { public, admin: Some(admin) })
    }
}

/// Takes an address without listening on it: others who do the same at this moment are not disturbed.
pub(super) fn reserve(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

impl From<TcpListener> for Listeners {
    fn from(public: TcpListener) -> Self {
        Self { public, admin: None }
    }
}

/// Serves this to who runs the shop, until it is dropped.
pub fn watch(listener: TcpListener, routes: Routes, config: &config::Server) -> AbortOnDropHandle<()> {
    let config = config.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        router::serve(listener, routes, CancellationToken::new(), &config).await;
    }))
}
