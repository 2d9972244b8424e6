//! How requests come in: HTTP, WebSocket and Server-Sent Events.

pub mod headers;
pub mod http;
pub mod sse;
pub mod ws;
