//! The GraphQL edge over real sockets, in front of a small schema of its own.

mod audit;
mod http;
mod server;
mod sse;
mod support;
mod ws;
