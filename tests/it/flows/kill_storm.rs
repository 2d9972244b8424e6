//! The server is killed again and again while shoppers buy, cancel and let orders expire; every promise holds after each kill.
//!
//! `DOORBUSTER_KILLS` says how often (12 unless set), `DOORBUSTER_SEED` which plan.

use std::time::Duration;

use doorbuster::demo::checker::RETURN_GRACE;
use doorbuster::demo::plan::{Arrivals, Habits, part};

use super::scenario::{Scenario, kill_plan};

const KILLS: u32 = 12;

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

fn storm(seed: u64, kills: u32) -> Scenario {
    let (least, most) = (Duration::from_millis(50), Duration::from_millis(900));
    // A return that a kill cuts off goes on when the server has started again, and on a busy machine that alone takes seconds.
    let return_grace = RETURN_GRACE + Duration::from_secs(4);
    let pay_within = Duration::from_secs(2);
    Scenario { seed, kills, load: (least, most), pay_within, sales: 3, return_grace, ..Scenario::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariants_hold_after_kills_under_load() {
    let kills = number("DOORBUSTER_KILLS").unwrap_or(KILLS);
    let seed = number("DOORBUSTER_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("DOORBUSTER_SEED={seed} DOORBUSTER_KILLS={kills}");
    let begun = tokio::time::Instant::now();
    let outcome = storm(seed, kills).run().await;
    let counts = &outcome.report.counts;
    println!("{kills} kills in {:?}: {counts:#?}", begun.elapsed());
    assert_eq!(outcome.faults(), "", "seed {seed}");

    // A storm in which nothing happens proves nothing.
    assert_eq!(outcome.kills, kills);
    let at_least = [
        ("accepted", counts.accepted, 5 * u64::from(kills)),
        ("orders", counts.orders, 5 * u64::from(kills)),
        ("cancelled", counts.cancelled, u64::from(kills)),
        ("expired", counts.expired, u64::from(kills)),
        ("repeated", counts.repeated, u64::from(kills)),
        ("replayed", counts.replayed, u64::from(kills)),
        ("unknown", counts.unknown, u64::from(kills)),
        ("lost sockets", counts.lost_sockets, u64::from(kills)),
        ("resumed", counts.resumed, u64::from(kills)),
        ("fully sold", counts.fully_sold, 3),
    ];
    for (what, count, least) in at_least {
        assert!(count >= least, "only {count} {what}, seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_kills_and_shoppers() {
    assert_eq!(kill_plan(&storm(5, 40)), kill_plan(&storm(5, 40)));
    assert_ne!(kill_plan(&storm(5, 40)), kill_plan(&storm(6, 40)));
    let shopper = |seed| part(seed, 17, Arrivals::Steady(100), &Habits::default());
    assert_eq!(shopper(5), shopper(5));
    assert_ne!(shopper(5), shopper(6));
}
