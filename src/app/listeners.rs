//! The addresses that the server listens on.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;
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

impl Listeners {
    /// As configured.
    pub async fn bind(config: &config::Server) -> anyhow::Result<Self> {
        let bind = async |address: SocketAddr| {
            let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
            anyhow::Ok((listener.local_addr()?, listener))
        };
        let (address, public) = bind(config.listen).await?;
        tracing::info!(%address, "listening");
        let Some(admin) = config.admin_listen else {
            if !address.ip().is_loopback() {
                tracing::warn!(%address, "/metrics and the reasons of /health/ready are public: set server.admin_listen");
            }
            return Ok(Self { public, admin: None });
        };
        let (address, admin) = bind(admin).await?;
        tracing::info!(%address, "listening for who runs the shop");
        Ok(Self { public, admin: Some(admin) })
    }
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
