//! The metrics of the accounts slice.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
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
    /// Tokens that no lookup was needed for: their sealed contents say whose they are.
    pub tokens_opened: Counter,
    /// Tokens that claim to be sealed with a key of the shop and are not.
    pub tokens_forged: Counter,
    /// Revocations that the node knows.
    pub revocations: Gauge,
    /// Calls of the place that nodes share which had no answer.
    pub tokens_unshared: Counter,
    /// Renewals that found their queue full.
    pub token_renewals_deferred: Counter,
    /// Login events that never reached the broker.
    pub login_events_lost: Counter,
    /// Sign-outs that could not be broadcast to other nodes.
    pub sign_outs_not_broadcast: Counter,
    /// Sign-outs that the place that nodes share did not take.
    pub sign_outs_not_recorded: Counter,
}

impl Metrics {
    /// The attempts to sign in or up with this outcome: that of the login log, or `throttled`.
    pub fn attempts(&self, outcome: &str) -> Counter {
        self.attempts.get_or_create_owned(&[("outcome", outcome.to_ascii_lowercase())])
    }

    /// Makes the counters part of `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("accounts");
        registry.register("attempts", "Sign-in and sign-up attempts by outcome", self.attempts.clone());
        registry.register(
            "token_lookups",
            "Access tokens looked up in the database because no node had cached them",
            self.token_lookups.clone(),
        );
        registry.register(
            "token_lookup_calls",
            "Database calls that looked up a batch of access tokens",
            self.token_lookup_calls.clone(),
        );
        registry.register(
            "tokens_shared",
            "Access tokens found in the cache that nodes share, so that no database call was needed",
            self.tokens_shared.clone(),
        );
        registry.register(
            "tokens_opened",
            "Access tokens that were verified without a lookup, by their sealed contents",
            self.tokens_opened.clone(),
        );
        registry.register(
            "tokens_forged",
            "Access tokens rejected because they were not sealed with the key that they name",
            self.tokens_forged.clone(),
        );
        registry.register(
            "token_revocations",
            "Revoked access tokens that have not expired, as this node knows them",
            self.revocations.clone(),
        );
        registry.register(
            "tokens_unshared",
            "Redis calls about access tokens that failed or timed out and fell back to the database or a retry",
            self.tokens_unshared.clone(),
        );
        registry.register(
            "token_renewals_deferred",
            "Token renewals deferred to the next use because the queue was full",
            self.token_renewals_deferred.clone(),
        );
        registry.register(
            "login_events_lost",
            "Login events dropped because the queue was full or the broker rejected them",
            self.login_events_lost.clone(),
        );
        registry.register(
            "sign_outs_not_broadcast",
            "Sign-outs that could not be broadcast to other nodes, which learn of them later",
            self.sign_outs_not_broadcast.clone(),
        );
        registry.register(
            "sign_outs_not_recorded",
            "Sign-outs that could not be recorded in Redis",
            self.sign_outs_not_recorded.clone(),
        );
    }
}
