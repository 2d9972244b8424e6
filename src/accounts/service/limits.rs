//! The limits of sign-ins, which follow the configuration.

use std::sync::Arc;

use super::{Accounts, Inner};
use crate::config;

impl Accounts {
    /// Follows the limits as they are changed, for as long as there is somebody to be limited.
    pub fn follow(&self, config: &config::Section<config::Accounts>) {
        let told = Arc::downgrade(&self.0);
        config.watch(move |config| told.upgrade().map(|inner: Arc<Inner>| inner.limits.adjust(config)).is_some());
    }
}
