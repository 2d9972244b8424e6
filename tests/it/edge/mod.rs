//! The GraphQL edge over real sockets, in front of a small schema of its own.

mod abuse;
mod abuse_sockets;
mod access;
mod admin;
mod audit;
mod documents;
mod http;
mod limits;
mod old_ws;
mod server;
mod session;
mod sse;
mod statuses;
mod support;
mod ws;
