//! Whether somebody does each job, as far as a node can tell: by its own clock, as for taking a lease over.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::nodes::LeaseRow;

/// Lifetimes without a sign of the holder after which a job has none. Another node would take the lease over after one and a quarter.
const PATIENCE: u32 = 3;

/// What grows while somebody has a lease.
type Sign = (u64, u64);

/// The signs of each lease that were seen last, and since when they are the same.
pub(super) struct Watch {
    lifetime: Duration,
    seen: HashMap<&'static str, (Option<Sign>, Instant)>,
}

impl Watch {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, seen: HashMap::new() }
    }

    /// Whether each job has a holder, by the leases that were read at this moment. At first each has.
    pub(super) fn note(
        &mut self,
        jobs: &[&'static str],
        leases: &[LeaseRow],
        now: Instant,
    ) -> Vec<(&'static str, bool)> {
        let mut held = Vec::with_capacity(jobs.len());
        for job in jobs {
            let lease = leases.iter().find(|lease| lease.job == *job && !lease.holder.is_empty());
            let sign = lease.map(|lease| (lease.token, lease.beat));
            let (before, since) = self.seen.entry(*job).or_insert((sign, now));
            if sign.is_some() && *before != sign {
                (*before, *since) = (sign, now);
            }
            held.push((*job, now.duration_since(*since) < self.lifetime * PATIENCE));
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(5);

    fn lease(holder: &str, token: u64, beat: u64) -> LeaseRow {
        LeaseRow { job: "sweep".to_owned(), holder: holder.to_owned(), token, beat }
    }

    #[test]
    fn a_job_has_a_holder_while_its_lease_changes_and_a_while_longer() {
        let begun = Instant::now();
        let mut watch = Watch::new(LIFETIME);
        let mut holds = |lease: &[LeaseRow], lifetimes: u32| {
            let told = watch.note(&["sweep"], lease, begun + LIFETIME * lifetimes);
            assert_eq!(told.len(), 1);
            told[0].1
        };
        assert!(holds(&[], 0), "a node that has just begun knows nothing");
        assert!(holds(&[], 2));
        assert!(!holds(&[], 3), "nobody ever took it");
        assert!(holds(&[lease("a", 1, 0)], 4));
        assert!(holds(&[lease("a", 1, 1)], 6));
        assert!(holds(&[lease("a", 1, 1)], 8));
        assert!(!holds(&[lease("a", 1, 1)], 9), "the holder is silent");
        assert!(holds(&[lease("b", 2, 0)], 10), "another one took it");
        assert!(holds(&[lease("", 2, 7)], 12), "released a moment ago");
        assert!(!holds(&[lease("", 2, 7)], 13));
    }
}
