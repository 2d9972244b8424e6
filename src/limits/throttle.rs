//! Counters of one node, by account, user, address or any other key.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hash};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use governor::clock::{Clock, DefaultClock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

/// Keys share this many counters, chosen by a hash that outsiders can't predict. That bounds memory (about 2 MiB) without
/// evicting anybody's counter; in exchange two keys now and then share a limit.
const BUCKETS: u64 = 1 << 16;

/// In nanoseconds.
const MINUTE: u64 = 60_000_000_000;

type Limiter<C> = RateLimiter<u32, DashMapStateStore<u32>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// So many attempts per key and minute: as many at once, then one each time a minute's share has passed.
pub struct Throttle<C: Clock = DefaultClock> {
    limiter: ArcSwapOption<Limiter<C>>,
    quota: Mutex<Option<Quota>>,
    hasher: RandomState,
    clock: C,
}

impl<C: Clock + Clone> Throttle<C> {
    /// Limits each key to `per_minute` attempts; 0 means no limit.
    pub fn new(per_minute: u32, clock: C) -> Self {
        Self::of(self::per_minute(per_minute), clock)
    }

    /// Limits each key to this quota; none means no limit.
    pub fn of(quota: Option<Quota>, clock: C) -> Self {
        let limiter = ArcSwapOption::new(limiter(quota, &clock));
        Self { limiter, quota: Mutex::new(quota), hasher: RandomState::new(), clock }
    }

    /// Limits each key to another quota from now on. Where it is the same, counts stay; otherwise all start afresh.
    pub fn adjust(&self, quota: Option<Quota>) {
        let mut present = self.quota.lock();
        if *present != quota {
            *present = quota;
            self.limiter.store(limiter(quota, &self.clock));
        }
    }

    /// Counts an attempt. `Err` says how long to wait until the next one will be let through.
    pub fn check(&self, key: impl Hash) -> Result<(), Duration> {
        let limiter = self.limiter.load();
        let Some(limiter) = &*limiter else { return Ok(()) };
        let bucket = (self.hasher.hash_one(key) % BUCKETS) as u32;
        limiter.check_key(&bucket).map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    /// Forgets keys that have not tried for so long that they start afresh anyway.
    pub fn forget_idle(&self) {
        if let Some(limiter) = &*self.limiter.load() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

fn limiter<C: Clock + Clone>(quota: Option<Quota>, clock: &C) -> Option<Arc<Limiter<C>>> {
    quota.map(|quota| Arc::new(Limiter::dashmap_with_clock(quota, clock.clone())))
}

/// A limit per minute; 0 means none.
pub fn per_minute(limit: u32) -> Option<Quota> {
    NonZeroU32::new(limit).map(Quota::per_minute)
}

/// So many failures per key and period, such as a minute. An attempt is counted when it begins, or many at once would not be, and taken
/// back when it was none.
pub struct Failures<C: Clock = DefaultClock> {
    counts: ArcSwap<Counts>,
    /// In nanoseconds.
    period: u64,
    hasher: RandomState,
    start: C::Instant,
    clock: C,
}

/// The counts under one limit.
struct Counts {
    limit: u32,
    /// The share of a period that one failure takes, in nanoseconds; 0 means no limit.
    share: u64,
    /// How far a bucket may be ahead of the time.
    most: u64,
    /// For each bucket when it is empty again, in nanoseconds from the start.
    buckets: Box<[AtomicU64]>,
}

impl Counts {
    fn new(limit: u32, period: u64) -> Self {
        let share = period.checked_div(limit.into()).unwrap_or(0);
        let buckets = if share == 0 { 0 } else { BUCKETS };
        let buckets = (0..buckets).map(|_| AtomicU64::new(0)).collect();
        Self { limit, share, most: share * u64::from(limit), buckets }
    }
}

/// An attempt that was counted: its bucket, and the limit that it was counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt(usize, u32);

impl<C: Clock> Failures<C> {
    /// Limits each key to `per_minute` failures; 0 means no limit.
    pub fn new(per_minute: u32, clock: C) -> Self {
        Self::over(per_minute, 1, clock)
    }

    /// Limits each key to `limit` failures in so many minutes; 0 means no limit.
    pub fn over(limit: u32, minutes: u32, clock: C) -> Self {
        let period = MINUTE * u64::from(minutes);
        let counts = ArcSwap::from_pointee(Counts::new(limit, period));
        Self { counts, period, hasher: RandomState::new(), start: clock.now(), clock }
    }

    /// Limits each key to another number from now on. Where it is the same, counts stay; otherwise all start afresh.
    pub fn adjust(&self, limit: u32) {
        if self.counts.load().limit != limit {
            self.counts.store(Arc::new(Counts::new(limit, self.period)));
        }
    }

    /// Counts an attempt. `Err` says how long to wait until the next one will be let through.
    pub fn begin(&self, key: impl Hash) -> Result<Attempt, Duration> {
        let counts = self.counts.load();
        let Counts { limit, share, most, buckets } = &**counts;
        let bucket = (self.hasher.hash_one(key) % BUCKETS) as usize;
        let attempt = Attempt(bucket, *limit);
        let Some(empty_at) = buckets.get(bucket) else { return Ok(attempt) };
        let now = self.clock.now().duration_since(self.start).as_u64();
        let after = |empty_at: u64| empty_at.max(now) + share;
        let counted = empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| {
            Some(after(at)).filter(|after| *after <= now + most)
        });
        counted.map(|_| attempt).map_err(|at| Duration::from_nanos(after(at) - now - most))
    }

    /// It was no failure.
    pub fn take_back(&self, attempt: Attempt) {
        let counts = self.counts.load();
        if let Some(empty_at) = counts.buckets.get(attempt.0).filter(|_| counts.limit == attempt.1) {
            let less = |at: u64| Some(at.saturating_sub(counts.share));
            let _ = empty_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

/// What counts as one place for the limit of an account: an IPv4 network of 24 bits, or an IPv6 network of 64.
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match network(address) {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & !0xff)),
        v6 @ IpAddr::V6(_) => v6,
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
    fn failures_are_counted_and_what_was_none_is_not() {
        let clock = FakeRelativeClock::default();
        let failures = Failures::new(3, clock.clone());
        for _ in 0..10 {
            failures.take_back(failures.begin("alice").unwrap());
        }
        let begun: Vec<_> = (0..3).map(|_| failures.begin("alice").unwrap()).collect();
        assert_eq!(failures.begin("alice"), Err(Duration::from_secs(20)), "begun is counted");
        failures.take_back(begun[0]);
        failures.begin("alice").unwrap();
        assert!(failures.begin("bob").is_ok());
        clock.advance(Duration::from_secs(19));
        assert_eq!(failures.begin("alice"), Err(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        failures.begin("alice").unwrap();
        assert!(failures.begin("alice").is_err());
        let unlimited = Failures::new(0, clock);
        assert!((0..1000).all(|_| unlimited.begin("alice").is_ok()));
        unlimited.take_back(unlimited.begin("alice").unwrap());
    }

    #[test]
    fn failures_of_several_minutes_come_back_one_by_one() {
        let clock = FakeRelativeClock::default();
        let failures = Failures::over(2, 5, clock.clone());
        assert!(failures.begin("alice").is_ok() && failures.begin("alice").is_ok());
        assert_eq!(failures.begin("alice"), Err(Duration::from_secs(150)));
        clock.advance(Duration::from_secs(150));
        assert!(failures.begin("alice").is_ok());
        assert_eq!(failures.begin("alice"), Err(Duration::from_secs(150)), "one, not all");
    }

    #[test]
    fn a_changed_limit_holds_at_once_and_the_same_one_keeps_its_counts() {
        let clock = FakeRelativeClock::default();
        let throttle = Throttle::new(2, clock.clone());
        assert!(throttle.check("alice").is_ok() && throttle.check("alice").is_ok());
        throttle.adjust(per_minute(2));
        assert!(throttle.check("alice").is_err(), "nobody is given a fresh count");
        throttle.adjust(per_minute(3));
        assert_eq!((0..9).filter(|_| throttle.check("alice").is_ok()).count(), 3);
        throttle.adjust(None);
        assert!((0..9).all(|_| throttle.check("alice").is_ok()));
        let failures = Failures::new(1, clock);
        let begun = failures.begin("alice").unwrap();
        failures.adjust(1);
        assert!(failures.begin("alice").is_err());
        failures.adjust(2);
        assert!(failures.begin("alice").is_ok() && failures.begin("alice").is_ok());
        failures.take_back(begun);
        assert!(failures.begin("alice").is_err(), "it was counted under another limit");
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
        let counters = |throttle: &Throttle<_>| throttle.limiter.load().as_ref().unwrap().len();
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
        let near = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(near("192.0.2.7"), near("::ffff:192.0.2.8"));
        assert_ne!(near("192.0.2.7"), near("192.0.3.7"));
        assert_eq!(near("2001:db8:1:2::1"), network("2001:db8:1:2::2"));
    }
}
