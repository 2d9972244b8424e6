//! A bounded cache of what was put in or asked for last.

use std::hash::Hash;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter};

/// The share of its room for what was asked for again; the rest is for what came last, however much comes.
const AGAIN: f64 = 0.5;

/// A cache that keeps about this many entries, the newest among them. (A plain [`Cache`] keeps what is asked for often, and
/// what is new only if there is room.)
pub fn recent<K: Eq + Hash, V: Clone>(capacity: u64) -> Cache<K, V> {
    let mut options = OptionsBuilder::new();
    options.estimated_items_capacity(capacity as usize).weight_capacity(capacity).hot_allocation(AGAIN);
    let options = options.build().unwrap_or_else(|_| unreachable!("both capacities are said"));
    Cache::with_options(options, UnitWeighter, DefaultHashBuilder::default(), DefaultLifecycle::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_when_it_is_full() {
        let cache = recent(1000);
        for n in 0..10_000 {
            cache.insert(n, n);
            if n % 2 == 0 {
                assert_eq!(cache.get(&n), Some(n));
            }
        }
        assert!(cache.len() <= 1000, "{}", cache.len());
        let kept = (9_900..10_000).filter(|n| cache.get(n).is_some()).count();
        assert_eq!(kept, 100);
    }
}
