//! What the adapter and the line of one socket share.

use std::sync::OnceLock;
use std::sync::atomic::AtomicUsize;

use axum::extract::ws::Utf8Bytes;

use super::frames;
use crate::api::graphql::context::RequestInfo;

/// The shared state of one socket.
#[derive(Default)]
pub struct Common {
    /// The signed-in user; unset until the connection is acknowledged.
    pub info: OnceLock<RequestInfo>,
    /// How the server says goodbye, once it does.
    pub ending: OnceLock<Ending>,
    /// Operations that run.
    pub running: AtomicUsize,
    /// Refusals that wait to be sent. While there is one, nothing more is read.
    pub refusals: AtomicUsize,
}

impl Common {
    /// The server is to say goodbye.
    pub fn end(&self, code: u16, reason: &str) {
        // The first reason counts.
        let _ = self.ending.set(Ending { code, reason: frames::reason(reason) });
    }
}

/// How the server ends a socket.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The close code.
    pub code: u16,
    /// The reason, for the client.
    pub reason: Utf8Bytes,
}
