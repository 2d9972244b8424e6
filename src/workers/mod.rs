//! What runs in the background: consumers of the broker's topics and periodic jobs.

pub mod login_log;
