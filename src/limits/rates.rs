//! Limits on the requests, purchases and uploads of one address or one user. Each limit is counted by this node before
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
use prometheus_client::metrics::counter::Counter;
use tokio::time::timeout;

use super::tally::{Tally, TallyError, Use};
use super::throttle::{Throttle, network};
use crate::config::{self, Section};
use crate::kernel::UserId;

/// The client that an operation counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The address of the client.
    pub address: IpAddr,
    /// The user who is signed in, if any.
    pub user: Option<UserId>,
}

/// The kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Reads only.
    Query,
    /// Changes something.
    Change,
    /// Buys from a sale.
    Purchase,
}

/// A limit that somebody is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverLimit {
    /// The name of the limit.
    pub limit: &'static str,
    /// What it allows in its window.
    pub quota: u32,
    /// The window, in seconds.
    pub window_seconds: u32,
    /// How long until the next one will be let through.
    pub wait: Duration,
}

/// All limits in force.
pub struct Rates<C: Clock = DefaultClock> {
    limits: Section<config::Limits>,
    address: Rate<C>,
    user: Rate<C>,
    purchases: Rate<C>,
    uploads: Rate<C>,
    tally: Option<(Arc<dyn Tally>, Counter)>,
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

    /// With the counters of all nodes, and a count of the acts that only this node counted.
    #[must_use]
    pub fn shared(self, tally: Option<Arc<dyn Tally>>, counted_locally: Counter) -> Self {
        Self { tally: tally.map(|tally| (tally, counted_locally)), ..self }
    }

    /// Counts a query or mutation that this node let through for all nodes.
    pub async fn everywhere(&self, asker: Asker, act: Act) -> Result<(), OverLimit> {
        let user = asker.user.map(|user| user.to_string());
        let counted = [
            (&self.address, Some(network(asker.address).to_string())),
            (&self.purchases, user.clone().filter(|_| act == Act::Purchase)),
            (&self.user, user),
        ];
        self.together(asker.address, &counted, act != Act::Query).await
    }

    /// Counts an upload of a picture, here and for all nodes.
    pub async fn upload(&self, asker: Asker) -> Result<(), OverLimit> {
        let Some(user) = asker.user.filter(|_| !self.is_unlimited(asker.address)) else { return Ok(()) };
        self.uploads.check(user)?;
        self.together(asker.address, &[(&self.uploads, Some(user.to_string()))], true).await
    }

    /// `waits`: for the answer of the common counters, for a moment.
    async fn together(
        &self,
        address: IpAddr,
        counted: &[(&Rate<C>, Option<String>)],
        waits: bool,
    ) -> Result<(), OverLimit> {
        let Some((tally, counted_locally)) = self.tally.as_ref().filter(|_| !self.is_unlimited(address)) else {
            return Ok(());
        };
        let (rates, uses): (Vec<_>, Vec<_>) =
            counted.iter().filter_map(|(rate, who)| Some((*rate, rate.used_by(who.clone()?)?))).unzip();
        if uses.is_empty() {
            return Ok(());
        }
        let counted = if waits {
            let wait = *self.limits.now().shared_wait;
            let late = |_| Err(TallyError(format!("the shared counters did not respond within {wait:?}")));
            timeout(wait, tally.count(uses)).await.unwrap_or_else(late)
        } else {
            tally.note(uses)
        };
        match counted {
            Ok(Ok(())) => Ok(()),
            Ok(Err(over)) => Err(rates.get(over.index).unwrap_or(&&self.address).over(over.wait)),
            Err(error) => {
                tracing::debug!(%error, "this node counted an operation alone");
                counted_locally.inc();
                Ok(())
            }
        }
    }

    /// Whether what comes from this address is not counted.
    pub fn is_unlimited(&self, address: IpAddr) -> bool {
        self.limits.now().unlimited.iter().any(|network| network.contains(address))
    }

    /// Counts a request, or an operation on a socket.
    pub fn request(&self, address: IpAddr) -> Result<(), OverLimit> {
        if self.is_unlimited(address) { Ok(()) } else { self.address.check(network(address)) }
    }

    /// Counts an operation of who is signed in.
    pub fn operation(&self, asker: Asker, act: Act) -> Result<(), OverLimit> {
        let Some(user) = asker.user else { return Ok(()) };
        if self.is_unlimited(asker.address) {
            return Ok(());
        }
        self.user.check(user)?;
        if act == Act::Purchase { self.purchases.check(user) } else { Ok(()) }
    }
}

impl<C: Clock + Clone> Rate<C> {
    fn adjust(&self, quota: u32) {
        self.quota.store(quota, Ordering::Relaxed);
        self.throttle.adjust(NonZeroU32::new(quota).map(self.per));
    }

    fn check(&self, key: impl std::hash::Hash) -> Result<(), OverLimit> {
        self.throttle.check(key).map_err(|wait| self.over(wait))
    }

    fn over(&self, wait: Duration) -> OverLimit {
        let (limit, window_seconds) = (self.name, self.window_seconds);
        OverLimit { limit, quota: self.quota.load(Ordering::Relaxed), window_seconds, wait }
    }

    /// `None` when there is no limit.
    fn used_by(&self, who: String) -> Option<Use> {
        let window = Duration::from_secs(self.window_seconds.into());
        Some(Use { limit: self.name, who, quota: NonZeroU32::new(self.quota.load(Ordering::Relaxed))?, window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use governor::clock::FakeRelativeClock;

    fn rates(clock: &FakeRelativeClock) -> Rates<FakeRelativeClock> {
        let text = "[limits]\nrequests_per_address_per_second = 2\nrequests_per_user_per_second = 3\n\
                    purchases_per_user_per_minute = 2";
        Rates::new(Config::from_toml(text).unwrap().limits.into(), clock)
    }

    fn user(number: u8, address: &str) -> Asker {
        Asker { address: address.parse().unwrap(), user: Some(UserId::from_bytes([number; 16])) }
    }

    #[test]
    fn an_address_waits_and_this_machine_does_not() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let ask = |address: &str| rates.request(address.parse().unwrap());
        assert!(ask("2001:db8:1:2::1").is_ok() && ask("2001:db8:1:2::2").is_ok());
        let over = OverLimit { limit: "address", quota: 2, window_seconds: 1, wait: Duration::from_millis(500) };
        assert_eq!(ask("2001:db8:1:2::3"), Err(over));
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
        assert!((0..2).all(|_| rates.operation(anne, Act::Purchase).is_ok()));
        let mut limits = Config::default_embedded().limits;
        limits.requests_per_address_per_second = 5;
        (limits.requests_per_user_per_second, limits.purchases_per_user_per_minute) = (1_000, 2);
        rates.adjust(&limits);
        let over = rates.operation(anne, Act::Purchase).unwrap_err();
        assert_eq!((over.limit, over.quota), ("purchases", 2), "no fresh count");
        assert_eq!((0..9).filter(|_| rates.request(anne.address).is_ok()).count(), 5);
        assert!((0..99).all(|_| rates.operation(anne, Act::Query).is_ok()));
    }

    #[tokio::test]
    async fn uploads_have_a_limit_of_their_own_per_user() {
        let clock = FakeRelativeClock::default();
        let text = "[limits]\nuploads_per_user_per_minute = 2\n";
        let rates = Rates::new(Config::from_toml(text).unwrap().limits.into(), &clock);
        let (anne, ben) = (user(1, "192.0.2.1"), user(2, "192.0.2.1"));
        assert!(rates.upload(anne).await.is_ok() && rates.upload(anne).await.is_ok());
        let over = rates.upload(anne).await.unwrap_err();
        assert_eq!((over.limit, over.wait), ("uploads", Duration::from_secs(30)));
        assert!(rates.upload(ben).await.is_ok() && rates.operation(anne, Act::Purchase).is_ok());
        clock.advance(Duration::from_secs(30));
        assert!(rates.upload(anne).await.is_ok());
        assert!(rates.upload(user(1, "127.0.0.1")).await.is_ok(), "this machine");
    }

    #[test]
    fn purchases_have_a_limit_of_their_own_per_user() {
        let clock = FakeRelativeClock::default();
        let rates = rates(&clock);
        let (anne, ben) = (user(1, "192.0.2.1"), user(2, "192.0.2.1"));
        assert!(rates.operation(anne, Act::Purchase).is_ok() && rates.operation(anne, Act::Purchase).is_ok());
        let over = rates.operation(anne, Act::Purchase).unwrap_err();
        assert_eq!(over.wait, Duration::from_secs(30));
        assert!(rates.operation(ben, Act::Purchase).is_ok());
        clock.advance(Duration::from_secs(2));
        assert!((0..3).all(|_| rates.operation(anne, Act::Query).is_ok()));
        let over = rates.operation(anne, Act::Query).unwrap_err();
        assert!(over.limit == "user" && over.wait <= Duration::from_secs(1), "{over:?}");
        let here = user(1, "127.0.0.1");
        assert!((0..100).all(|_| rates.operation(here, Act::Purchase).is_ok()));
    }
}
