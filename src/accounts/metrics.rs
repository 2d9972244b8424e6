//! What the slice counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Counters; clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    attempts: Family<[(&'static str, String); 1], Counter>,
    /// Tokens that neither the node nor others remembered.
    pub token_lookups: Counter,
    /// Calls of the database that looked tokens up, many at a time.
    pub token_lookup_calls: Counter,
    /// Tokens that other nodes remembered.
    pub tokens_shared: Counter,
    /// Calls of the place that nodes share which had no answer.
    pub tokens_unshared: Counter,
    /// Renewals that found their queue full.
    pub renewals_put_off: Counter,
    /// Login events that never reached the broker.
    pub login_events_lost: Counter,
    /// Sign-outs that other nodes were not told of.
    pub sign_outs_unannounced: Counter,
    /// Sign-outs that the place that nodes share did not take.
    pub sign_outs_unmarked: Counter,
}

impl Metrics {
    /// The attempts to sign in or up with this outcome: that of the login log, or `throttled`.
    pub fn attempts(&self, outcome: &str) -> Counter {
        self.attempts.get_or_create_owned(&[("outcome", outcome.to_ascii_lowercase())])
    }

    /// Makes the counters part of `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("accounts");
        registry.register("attempts", "Attempts to sign in or up by outcome", self.attempts.clone());
        registry.register(
            "token_lookups",
            "Access tokens looked up in the database, because no node remembered them",
            self.token_lookups.clone(),
        );
        registry.register(
            "token_lookup_calls",
            "Calls of the database with the tokens to look up that waited at the same moment",
            self.token_lookup_calls.clone(),
        );
        registry.register(
            "tokens_shared",
            "Access tokens that the node did not remember and another one did, so that the database was not asked",
            self.tokens_shared.clone(),
        );
        registry.register(
            "tokens_unshared",
            "Calls about tokens that Redis did not answer (in time): the database was asked, or the call is made again",
            self.tokens_unshared.clone(),
        );
        registry.register(
            "renewals_put_off",
            "Token renewals put off to the next use, because their queue was full",
            self.renewals_put_off.clone(),
        );
        registry.register(
            "login_events_lost",
            "Login events that are missing in the log, because the queue was full or the broker did not take them",
            self.login_events_lost.clone(),
        );
        registry.register(
            "sign_outs_unannounced",
            "Sign-outs that other nodes were not told of, because the broker did not take them: they find out later",
            self.sign_outs_unannounced.clone(),
        );
        registry.register(
            "sign_outs_unmarked",
            "Sign-outs that Redis did not take: a node that was not told of them either finds out later",
            self.sign_outs_unmarked.clone(),
        );
    }
}
