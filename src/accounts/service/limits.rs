//! The limits of sign-ins, which follow the configuration.

use std::sync::Arc;

use super::{Accounts, Inner};
use crate::accounts::throttle::per_minute;
use crate::config;

impl Accounts {
    /// Follows the limits as they are changed, for as long as there is somebody to be limited.
    pub fn follow(&self, config: &config::Section<config::Accounts>) {
        let told = Arc::downgrade(&self.0);
        config.watch(move |config| told.upgrade().map(|inner: Arc<Inner>| inner.adjust(config)).is_some());
    }
}

impl Inner {
    fn adjust(&self, config: &config::Accounts) {
        self.by_address.adjust(per_minute(config.attempts_per_address_per_minute));
        self.guesses.adjust(config);
    }
}
