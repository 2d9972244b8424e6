//! The GraphQL edge over real sockets, in front of a small schema of its own.

mod abuse;
mod abuse_sockets;
mod access;
mod audit;
mod documents;
mod http;
mod limits;
mod server;
mod session;
mod sse;
mod statuses;
mod support;
mod ws;
