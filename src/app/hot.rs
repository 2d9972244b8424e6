//! What must act when a setting changes while the node runs; everything else asks for the value when it needs it.

use std::sync::Arc;

use super::App;
use crate::config::Config;
use crate::telemetry::set_log_filter;

impl App {
    /// Acts on changed settings, for as long as there is a node.
    pub(super) fn follow_settings(&self) {
        self.0.accounts.follow(&self.0.live.section(|config| &config.accounts));
        let told = Arc::downgrade(&self.0);
        let first = parking_lot::Mutex::new(self.0.config.log.filter.clone());
        self.0.live.watch(move |config| {
            // The filter is the process's: what was not changed here may be another node's, in tests.
            let mut filter = first.lock();
            if *filter != config.log.filter {
                filter.clone_from(&config.log.filter);
                set_log_filter(&filter);
            }
            told.upgrade().map(|inner| Self(inner).set_patience(config)).is_some()
        });
    }

    /// How long each dependency may fail before its circuit breaker opens.
    fn set_patience(&self, config: &Config) {
        if let Some(breaker) = self.0.db.breaker() {
            breaker.set_patience(*config.store.refuse_after);
        }
        if let Some(client) = &self.0.redis_client {
            client.breaker().set_patience(*config.gate.refuse_after);
        }
        if let Some(gateway) = &self.0.gateway {
            gateway.set_patience(*config.payments.refuse_after);
        }
        self.0.broker.set_patience(*config.broker.refuse_after);
        self.0.publisher.set_patience(config.broker.patience());
    }
}
