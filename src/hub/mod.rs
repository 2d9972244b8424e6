//! Fan-out on this node: one copy of an event in, many subscriptions out.

pub mod events;
