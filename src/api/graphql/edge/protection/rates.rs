//! How often one address and one user may ask, and buy. Each limit is a leaky bucket (GCRA), counted by this node before
//! anything else is done. Where nodes share counters, what this node lets through is then counted there. Changes wait for that
//! count, for `limits.shared_wait` at most; queries don't wait at all, and a client that turns out to be over a limit is rejected from
//! then on. Without an answer in time, the node's own count is all there is.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::Quota;
use governor::clock::{Clock, DefaultClock};
use tokio::time::timeout;

use super::exhausted::Exhausted;
use super::load::Class;
use super::meters::Meters;
use crate::accounts::throttle::{Throttle, network};
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::edge::response::refusal::{Cause, Refusal};
use crate::api::graphql::error::Code;
use crate::config::{self, Section};
use crate::gate::{GateError, Tally, Use};

/// All limits in force.
pub struct Rates<C: Clock = DefaultClock> {
    limits: Section<config::Limits>,
    address: Rate<C>,
    user: Rate<C>,
    purchases: Rate<C>,
    uploads: Rate<C>,
    tally: Option<(Arc<dyn Tally>, Meters)>,
}

struct Rate<C: Clock> {
    name: &'static str,
    quota: AtomicU32,
    window_seconds: u32,
    per: fn(NonZeroU32) -> Quota,
    throttle: Throttle<C>,
}

impl<C: Clock + Clone> Rates<C> {
    /// As configured.
    pub fn new(limits: Section<config::Limits>, clock: &C) -> Self {
        let config = limits.now();
        let rate = |name, quota, window_seconds, per: fn(NonZeroU32) -> Quota| {
            let throttle = Throttle::of(NonZeroU32::new(quota).map(per), clock.clone());
            Rate { name, quota: AtomicU32::new(quota), window_seconds, per, throttle }
        };
        Self {
            address: rate("address", config.requests_per_address_per_second, 1, Quota::per_second),
            user: rate("user", config.requests_per_user_per_second, 1, Quota::per_second),
            purchases: rate("purchases", config.purchases_per_user_per_minute, 60, Quota::per_minute),
            uploads: rate("uploads", config.uploads_per_user_per_minute, 60, Quota::per_minute),
            limits,
            tally: None,
        }
    }

    /// Puts changed limits in force. Those that stay the same keep their counts.
    pub fn adjust(&self, config: &config::Limits) {
        self.address.adjust(config.requests_per_address_per_second);
        self.user.adjust(config.requests_per_user_per_second);
        self.purchases.adjust(config.purchases_per_user_per_minute);
        self.uploads.adjust(config.uploads_per_user_per_minute);
    }

    /// With the counters of all nodes.
    #[must_use]
    pub fn shared(self, tally: Option<Arc<dyn Tally>>, meters: Meters) -> Self {
        Self { tally: tally.map(|tally| (tally, meters)), ..self }
    }

    /// Counts a query or mutation that this node let through for all nodes.
    pub async fn everywhere(&self, info: &RequestInfo, class: Class) -> Result<(), Refusal> {
        let user = info.viewer.map(|viewer| viewer.id.to_string());
        let counted = [
            (&self.address, Some(network(info.address).to_string())),
            (&self.purchases, user.clone().filter(|_| class == Class::Purchase)),
            (&self.user, user),
        ];
        self.together(info.address, &counted, matches!(class, Class::Change | Class::Purchase)).await
    }

    /// Counts an upload of a picture, here and for all nodes.
    pub async fn upload(&self, info: &RequestInfo) -> Result<(), Refusal> {
        let Some(viewer) = info.viewer.filter(|_| !self.is_unlimited(info.address)) else { return Ok(()) };
        self.uploads.check(viewer.id)?;
        self.together(info.address, &[(&self.uploads, Some(viewer.id.to_string()))], true).await
    }

    /// `waits`: for the answer of the common counters, for a moment.
    async fn together(
        &self,
        address: IpAddr,
        counted: &[(&Rate<C>, Option<String>)],
        waits: bool,
    ) -> Result<(), Refusal> {
        let Some((tally, meters)) = self.tally.as_ref().filter(|_| !self.is_unlimited(address)) else {
            return Ok(());
        };
        let (rates, uses): (Vec<_>, Vec<_>) =
            counted.iter().filter_map(|(rate, who)| Some((*rate, rate.used_by(who.clone()?)?))).unzip();
        if uses.is_empty() {
            return Ok(());
        }
        let counted = if waits {
            let wait = *self.limits.now().shared_wait;
            let late = |_| Err(GateError(format!("the shared counters did not respond within {wait:?}")));
            timeout(wait, tally.count(uses)).await.unwrap_or_else(late)
        } else {
            tally.note(uses)
        };
        match counted {
            Ok(Ok(())) => Ok(()),
            Ok(Err(over)) => Err(rates.get(over.index).unwrap_or(&&self.address).refusal(over.wait)),
            Err(error) => {
                tracing::debug!(%error, "this node counted an operation alone");
                meters.counted_locally();
                Ok(())
            }
        }
    }

    /// Whether what comes from this address is not counted.
    pub fn is_unlimited(&self, address: IpAddr) -> bool {
        self.limits.now().unlimited.iter().any(|network| network.contains(address))
    }

    /// Counts a request, or an operation on a socket.
    pub fn request(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.is_unlimited(address) { Ok(()) } else { self.address.check(network(address)) }
    }

    /// Counts an operation of the viewer. `purchases`: whether it buys.
    pub fn operation(&self, info: &RequestInfo, purchases: bool) -> Result<(), Refusal> {
        let Some(viewer) = info.viewer else { return Ok(()) };
        if self.is_unlimited(info.address) {
            return Ok(());
        }
        self.user.check(viewer.id)?;
        if purchases { self.purchases.check(viewer.id) } else { Ok(()) }
    }
}

impl<C: Clock + Clone> Rate<C> {
    fn adjust(&self, quota: u32) {
        self.quota.store(quota, Ordering::Relaxed);
        self.throttle.adjust(NonZeroU32::new(quota).map(self.per));
    }

    fn check(&self, key: impl std::hash::Hash) -> Result<(), Refusal> {
        self.throttle.check(key).map_err(|wait| self.refusal(wait))
    }

    fn refusal(&self, wait: Duration) -> Refusal {
        let wait_seconds = wait.as_millis().div_ceil(1000).clamp(1, u128::from(u32::MAX)) as u32;
        let (name, window_seconds) = (self.name, self.window_seconds);
        let quota = self.quota.load(Ordering::Relaxed);
        let message = "Too many requests. Please wait a moment and try again.";
        let refusal = Refusal::retry(Cause::RateLimited, Code::RateLimited, message, wait_seconds);
        Refusal { exhausted: Some(Exhausted { name, quota, window_seconds, wait_seconds }), ..refusal }
    }

    /// `None` when there is no limit.
    fn used_by(&self, who: String) -> Option<Use> {
        let window = Duration::from_secs(self.window_seconds.into());
        Some(Use { limit: self.name, who, quota: NonZeroU32::new(self.quota.load(Ordering::Relaxed))?, window })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::api::graphql::context::TokenIn;
    use crate::api::graphql::edge::protection::exhausted::{POLICY, STATE};
    use crate::config::Config;
    use crate::kernel::UserId;
    use crate::model::accounts::{Role, Viewer};
    use governor::clock::FakeRelativeClock;

    fn rates(clock: &FakeRelativeClock) -> Rates<FakeRelativeClock> {
        let text = "[limits]\nrequests_per_address_per_second = 2\nrequests_per_user_per_second = 3\n\
                    purchases_per_user_per_minute = 2";
        Rates::new(Config::from_toml(text).unwrap().limits.into(), clock)
    }

    fn user(number: u8, address: &str) -> RequestInfo {
        RequestInfo {
            viewer: Some(Viewer::new(UserId::from_bytes([number; 16]), Role::Buyer)),
            token: None,
            address: address.parse().unwrap(),
            request_id: "test".into(),
            known_version: None,
            device: None,
            token_in: TokenIn::Answer,
        }
    }

    #[test]
    fn an_address_waits_and_this_machine_does_not() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let ask = |address: &str| rates.request(address.parse().unwrap());
        assert!(ask("2001:db8:1:2::1").is_ok() && ask("2001:db8:1:2::2").is_ok());
        let refusal = ask("2001:db8:1:2::3").unwrap_err();
        assert_eq!((refusal.cause, refusal.retry_after), (Cause::RateLimited, Some(1)));
        let mut headers = HeaderMap::new();
        refusal.exhausted.unwrap().write(&mut headers);
        assert_eq!(headers[POLICY], "\"address\";q=2;w=1");
        assert_eq!(headers[STATE], "\"address\";r=0;t=1");
        assert!(ask("2001:db8:1:3::1").is_ok(), "another network");
        clock.advance(Duration::from_millis(500));
        assert!(ask("2001:db8:1:2::3").is_ok());
        assert!((0..100).all(|_| ask("127.0.0.1").is_ok()));
    }

    #[test]
    fn a_changed_limit_holds_at_once_and_the_others_keep_their_counts() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let anne = user(1, "192.0.2.1");
        assert!((0..2).all(|_| rates.operation(&anne, true).is_ok()));
        let mut limits = Config::default_embedded().limits;
        limits.requests_per_address_per_second = 5;
        (limits.requests_per_user_per_second, limits.purchases_per_user_per_minute) = (1_000, 2);
        rates.adjust(&limits);
        let refused = rates.operation(&anne, true).unwrap_err().exhausted.unwrap();
        assert_eq!((refused.name, refused.quota), ("purchases", 2), "no fresh count");
        assert_eq!((0..9).filter(|_| rates.request(anne.address).is_ok()).count(), 5);
        assert!((0..99).all(|_| rates.operation(&anne, false).is_ok()));
    }

    #[tokio::test]
    async fn uploads_have_a_limit_of_their_own_per_user() {
        let clock = FakeRelativeClock::default();
        let text = "[limits]\nuploads_per_user_per_minute = 2\n";
        let rates = Rates::new(Config::from_toml(text).unwrap().limits.into(), &clock);
        let (anne, ben) = (user(1, "192.0.2.1"), user(2, "192.0.2.1"));
        assert!(rates.upload(&anne).await.is_ok() && rates.upload(&anne).await.is_ok());
        let refusal = rates.upload(&anne).await.unwrap_err();
        assert_eq!((refusal.cause, refusal.retry_after), (Cause::RateLimited, Some(30)));
        assert!(rates.upload(&ben).await.is_ok() && rates.operation(&anne, true).is_ok());
        clock.advance(Duration::from_secs(30));
        assert!(rates.upload(&anne).await.is_ok());
        assert!(rates.upload(&user(1, "127.0.0.1")).await.is_ok(), "this machine");
    }

    #[test]
    fn purchases_have_a_limit_of_their_own_per_user() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let (anne, ben) = (user(1, "192.0.2.1"), user(2, "192.0.2.1"));
        assert!(rates.operation(&anne, true).is_ok() && rates.operation(&anne, true).is_ok());
        let refusal = rates.operation(&anne, true).unwrap_err();
        assert_eq!(refusal.retry_after, Some(30));
        assert!(rates.operation(&ben, true).is_ok());
        clock.advance(Duration::from_secs(2));
        assert!((0..3).all(|_| rates.operation(&anne, false).is_ok()));
        assert_eq!(rates.operation(&anne, false).unwrap_err().retry_after, Some(1));
        let here = user(1, "127.0.0.1");
        assert!((0..100).all(|_| rates.operation(&here, true).is_ok()));
    }
}
