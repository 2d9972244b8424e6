//! How an operation is executed: the executor, the ways around it, shared subscriptions, and what wakes streams.

pub mod engine;
pub mod event;
pub mod operation;
pub mod shared;
pub mod shortcut;
pub mod wheel;
