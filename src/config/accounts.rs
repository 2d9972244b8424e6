//! `[accounts]`: passwords, access tokens and throttling.

use data_encoding::BASE64;
use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::{Secret, Size, Span};

/// Passwords, access tokens and throttling.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Whether new users can sign up. If false, only existing users can sign in.
    pub sign_up_open: bool,
    /// argon2id: memory per password hash. OWASP's minimum is 19 MiB with 2 passes. More memory makes stolen hashes more expensive to
    /// crack and sign-ins more expensive to serve; existing hashes stay valid.
    #[schemars(extend("x-min" = "8KiB", "x-max" = "4GiB"))]
    pub hash_memory: Size,
    /// argon2id: passes over that memory.
    #[schemars(range(min = 1, max = 100))]
    pub hash_passes: u32,
    /// The maximum number of passwords hashed at the same time: about one per core. The memory in use is this number times
    /// `hash_memory`.
    #[schemars(range(min = 1, max = 256))]
    pub hash_concurrency: usize,
    /// The maximum number of sign-ins waiting to be hashed. When the queue is full, further ones fail with `RATE_LIMITED`.
    #[schemars(range(min = 1, max = 10_000))]
    pub hash_queue: usize,
    /// How long an unused access token stays valid. Each use extends it.
    #[schemars(extend("x-min" = "1s", "x-max" = "366d"))]
    pub token_lifetime: Span,
    /// How old the stored expiry of a token must be before its use renews it, which limits the renewals to one write per token and
    /// period. It must be shorter than `token_lifetime`.
    #[schemars(extend("x-min" = "1ms", "x-max" = "366d"))]
    pub token_renew_after: Span,
    /// The maximum number of access tokens cached by this node (about 200 bytes each), which saves a query per request. With Redis,
    /// nodes also share this cache.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub token_cache: u64,
    /// The maximum number of invalid access tokens cached by this node (about 100 bytes each), so that a repeated invalid token is
    /// looked up only once. This cache is separate from `token_cache`, so invented tokens never evict valid ones.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub invalid_token_cache: u64,
    /// The maximum number of different access tokens waiting to be looked up in Redis and in the database. Tokens that wait at the
    /// same moment are looked up with one statement. When the queue is full, requests fail with UNAVAILABLE.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub token_lookups: usize,
    /// How long a cached token is trusted without asking the database again, on any node. It is also the longest time that a node
    /// which misses a sign-out may still accept the token.
    #[schemars(extend("x-min" = "1ms", "x-max" = "1h"))]
    pub token_cache_ttl: Span,
    /// How often each node sends a heartbeat on the topic of sign-outs. A node that has received no heartbeat, not even its own, for
    /// twice this time may be missing sign-outs, and trusts cached tokens for only that long until it receives one again.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub sign_out_heartbeat: Span,
    /// The maximum number of pending background writes of each kind: login events, token renewals and, with Redis, shared token data.
    /// When the queue is full, a login event is dropped and counted, a renewal is deferred to the token's next use, and shared data
    /// is looked up by each node itself (a sign-out that is not recorded in Redis is counted).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub background_queue: usize,
    /// Rate limit for wrong passwords per account, whether or not the account exists, from one network (IPv4: a /24, IPv6: a /64). 0
    /// disables the limit (for load tests). A device that has signed in to the account before, which it proves with a cookie, has a
    /// limit of its own.
    #[schemars(range(min = 0, max = 1_000_000), extend("x-hot" = true))]
    pub sign_ins_per_account_per_minute: u32,
    /// Rate limit for wrong passwords per account from all networks together. Known devices are not counted and are not affected. 0
    /// disables the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub wrong_passwords_per_account_per_minute: u32,
    /// Rate limit for wrong codes of the second factor per account in five minutes, from all networks together. Devices that have signed
    /// in to the account before have one such limit together. Wrong codes are counted as wrong passwords as well. 0 disables the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub wrong_codes_per_account_per_5_minutes: u32,
    /// Rate limit for sign-in and sign-up attempts per address (IPv6: per /64). 0 disables the limit (for load tests).
    #[schemars(range(min = 0, max = 1_000_000), extend("x-hot" = true))]
    pub attempts_per_address_per_minute: u32,
    /// How much money the support role can refund of one order, in minor units of the payment's currency (`20000` is 200.00), including
    /// earlier refunds of the order by staff. Operators have no limit. 0: none.
    #[schemars(range(min = 0, max = 1_000_000_000_000_u64), extend("x-hot" = true))]
    pub support_refund_max_minor: u64,
    /// How many points the support role can refund of one order, likewise. Payments with points can only be refunded in full.
    #[schemars(range(min = 0, max = 1_000_000_000), extend("x-hot" = true))]
    pub support_refund_max_points: u64,
    /// How long after a sign-in the sessions of staff (operators, observers, support) end, however much they are used. An unused session
    /// still ends after `token_lifetime`, if that is shorter.
    #[schemars(extend("x-min" = "1m", "x-max" = "366d"))]
    pub staff_session: Span,
    /// The second factor of staff: "off" (not asked for), "optional" (asked of those who have set one up), or "required" (staff without
    /// one can sign in, but has no rights until one is set up).
    pub second_factor: SecondFactor,
    /// The key that encrypts the secrets of second factors in the database: 32 random bytes in base64 (`openssl rand -base64 32`), the
    /// same on all nodes. If empty, they are stored as they are. Once set, it must not be changed: staff would have to set up their second
    /// factors again (`doorbuster operator second-factor reset`).
    pub second_factor_key: Secret,
    /// The key that seals the access tokens of buyers: 32 random bytes in base64 (`openssl rand -base64 32`), the same on all nodes. A
    /// node verifies sealed tokens by itself, which it otherwise has to look up in Redis and the database, each the first time. If empty,
    /// tokens are not sealed, except with SQLite, where the server makes a key of its own in the file NAME.token-key beside the database.
    /// Nobody is signed out when the key changes: tokens that were sealed with another one are looked up.
    pub token_key: Secret,
    /// The key that access tokens were sealed with before, if there is one, so that they need not be looked up. To replace a key in a
    /// running shop, restart the nodes one after the other with the new `token_key` and the old one here.
    pub token_key_before: Secret,
    /// How often each node reads which access tokens were revoked. That is how a node that misses a broadcast learns of a sign-out.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub revocations_every: Span,
    /// The maximum number of revoked access tokens that a node remembers until they expire (16 bytes each). When there are more,
    /// sealed tokens are looked up like others.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub revocations_max: usize,
    /// How often expired access tokens are deleted from the database.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1d"))]
    pub purge_every: Span,
}

/// Whether staff is asked for a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactor {
    /// Nobody is.
    Off,
    /// Those who have set one up are.
    Optional,
    /// Everybody of the staff is.
    Required,
}

impl Accounts {
    /// The key of `second_factor_key`; `None` when there is none.
    pub fn second_factor_key_bytes(&self) -> Option<[u8; 32]> {
        key_bytes(&self.second_factor_key)
    }

    /// The keys that seal access tokens, the present one first.
    pub fn token_keys(&self) -> Vec<[u8; 32]> {
        [&self.token_key, &self.token_key_before].into_iter().filter_map(key_bytes).collect()
    }

    pub(super) fn validate(&self, check: &mut Check<'_>) {
        check.require(
            self.token_renew_after < self.token_lifetime,
            &["accounts.token_renew_after", "accounts.token_lifetime"],
            "token_renew_after must be shorter than token_lifetime, or tokens expire while in use",
        );
        let keys = [
            ("accounts.second_factor_key", &self.second_factor_key),
            ("accounts.token_key", &self.token_key),
            ("accounts.token_key_before", &self.token_key_before),
        ];
        for (name, key) in keys {
            check.require(
                key.expose().is_empty() || key_bytes(key).is_some(),
                &[name],
                "must be 32 bytes in base64, or empty; `openssl rand -base64 32` makes one",
            );
        }
        check.require(
            self.token_key_before.expose().is_empty() || !self.token_key.expose().is_empty(),
            &["accounts.token_key_before", "accounts.token_key"],
            "token_key_before is only read beside token_key",
        );
    }
}

/// 32 bytes in base64.
fn key_bytes(key: &Secret) -> Option<[u8; 32]> {
    BASE64.decode(key.expose().trim().as_bytes()).ok()?.try_into().ok()
}
