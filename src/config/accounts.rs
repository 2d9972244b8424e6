//! `[accounts]`: passwords, access tokens, throttling.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Size, Span};

/// Passwords, access tokens, throttling.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Whether anybody may sign up.
    pub sign_up_open: bool,
    /// argon2id memory of one hash.
    #[schemars(extend("x-min" = "8KiB", "x-max" = "4GiB"))]
    pub hash_memory: Size,
    /// argon2id passes.
    #[schemars(range(min = 1, max = 100))]
    pub hash_passes: u32,
    /// Hashes computed at the same time.
    #[schemars(range(min = 1, max = 256))]
    pub hash_concurrency: usize,
    /// Sign-ins that may wait for a hash.
    #[schemars(range(min = 1, max = 10_000))]
    pub hash_queue: usize,
    /// How long an unused token lives.
    #[schemars(extend("x-min" = "1s", "x-max" = "366d"))]
    pub token_lifetime: Span,
    /// How stale `expires_at` may get before use renews it.
    #[schemars(extend("x-min" = "1ms", "x-max" = "366d"))]
    pub token_renew_after: Span,
    /// Tokens remembered by the node.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub token_cache: u64,
    /// Tokens found to be nobody's that are remembered by the node.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub nobodys_tokens: u64,
    /// Different tokens that may wait to be looked up.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub token_lookups: usize,
    /// How long a remembered token is trusted without asking the database.
    #[schemars(extend("x-min" = "1ms", "x-max" = "1h"))]
    pub token_cache_ttl: Span,
    /// How often each node says on the topic of sign-outs that it is there.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub sign_out_heartbeat: Span,
    /// Login events, token renewals, and what nodes share of tokens, that may wait in memory to be written.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub background_queue: usize,
    /// Wrong passwords per minute for one account from one network, or from one device that is known to it; 0 lifts the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub sign_ins_per_account_per_minute: u32,
    /// Wrong passwords per minute for one account from all devices that are not known to it; 0 lifts the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub wrong_passwords_of_strangers_per_minute: u32,
    /// Sign-in and sign-up attempts per address per minute; 0 lifts the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub attempts_per_address_per_minute: u32,
    /// How often expired access tokens are removed.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1d"))]
    pub purge_every: Span,
}

impl Accounts {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        check.require(
            self.token_renew_after < self.token_lifetime,
            &["accounts.token_renew_after", "accounts.token_lifetime"],
            "token_renew_after must be shorter than token_lifetime, or tokens expire while in use",
        );
    }
}
