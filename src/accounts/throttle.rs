//! How often one account, one user or one address may try.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// Keys share this many counters, chosen by a hash that outsiders can't predict. That bounds memory (about 2 MiB) without
/// evicting anybody's counter; in exchange two keys now and then share a limit.
const BUCKETS: u64 = 1 << 16;

type Limiter<C> = RateLimiter<u32, DashMapStateStore<u32>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// So many attempts per key and minute: as many at once, then one each time a minute's share has passed.
pub struct Throttle<C: Clock = DefaultClock> {
    limiter: Option<Limiter<C>>,
    hasher: RandomState,
    clock: C,
}

impl<C: Clock + Clone> Throttle<C> {
    /// Limits each key to `per_minute` attempts; 0 means no limit.
    pub fn new(per_minute: u32, clock: C) -> Self {
        Self::of(NonZeroU32::new(per_minute).map(Quota::per_minute), clock)
    }

    /// Limits each key to this quota; none means no limit.
    pub fn of(quota: Option<Quota>, clock: C) -> Self {
        let limiter = quota.map(|quota| Limiter::dashmap_with_clock(quota, clock.clone()));
        Self { limiter, hasher: RandomState::new(), clock }
    }

    /// Counts an attempt. `Err` says how long to wait until the next one will be let through.
    pub fn check(&self, key: impl Hash) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let bucket = (self.hasher.hash_one(key) % BUCKETS) as u32;
        limiter.check_key(&bucket).map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    /// Forgets keys that have not tried for so long that they start afresh anyway.
    pub fn forget_idle(&self) {
        if let Some(limiter) = &self.limiter {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

/// What counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer gets.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn a_key_over_its_limit_waits_and_others_do_not() {
        let clock = FakeRelativeClock::default();
        let throttle = Throttle::new(3, clock.clone());
        for _ in 0..3 {
            assert_eq!(throttle.check("alice"), Ok(()));
        }
        assert_eq!(throttle.check("alice"), Err(Duration::from_secs(20)));
        assert_eq!(throttle.check("bob"), Ok(()));
        clock.advance(Duration::from_secs(19));
        assert_eq!(throttle.check("alice"), Err(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(throttle.check("alice"), Ok(()));
        assert!(throttle.check("alice").is_err());
    }

    #[test]
    fn zero_lifts_the_limit() {
        let throttle = Throttle::new(0, FakeRelativeClock::default());
        assert!((0..10_000).all(|_| throttle.check("alice").is_ok()));
    }

    #[test]
    fn keys_never_need_more_than_the_bounded_number_of_counters() {
        let clock = FakeRelativeClock::default();
        let throttle = Throttle::new(1, clock.clone());
        for spoofed in 0..200_000_u32 {
            let _ = throttle.check(spoofed);
        }
        let counters = |throttle: &Throttle<_>| throttle.limiter.as_ref().unwrap().len();
        assert!((50_000..=BUCKETS as usize).contains(&counters(&throttle)));
        clock.advance(Duration::from_secs(300));
        throttle.forget_idle();
        assert_eq!(counters(&throttle), 0);
    }

    #[test]
    fn one_customer_is_one_address() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:aaaa::1"), network("2001:db8:1:2:bbbb::2"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.7"), network("192.0.2.7"));
        assert_ne!(network("192.0.2.7"), network("192.0.2.8"));
    }
}
