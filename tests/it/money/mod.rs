//! Money, end to end: the server, the sandbox gateway and the messages between them, each in a process of its own, over real HTTP.
//!
//! Cases have the numbers of the list of what a payments engineer would test, and each runs on both profiles:
//!
//! | numbers | what | where |
//! | --- | --- | --- |
//! | 1-14 | notifications, genuine, repeated, forged and odd; browsers that come back | `notifications`, `forgeries` |
//! | 15-24 | messages in whatever order, races, late and double payments | `ordering`, `surplus` |
//! | 25-32 | the gateway's answers get lost, lie or come late; crashes; clocks | `unknown` |
//! | 33-37 | who gets how much back, and how often | `refunds` |
//! | 38-45 | points, keys of requests, books, bills, events, foreign SDKs, keys, load | `operations`, `bills`, `interop` |
//!
//! `every_case_has_its_test` finds each number among the tests of this very program. `fail_points` ends the process at each step,
//! `storm` does everything at once.

mod bills;
mod booked;
mod books;
mod fail_points;
mod forgeries;
mod gateway;
mod interop;
mod lists;
mod looked_at;
mod notifications;
mod operations;
mod ordering;
mod races;
mod refunds;
mod sandbox;
mod storm;
mod surplus;
mod till;
mod told;
mod unknown;

/// Numbers whose test needs no server, and so no profile: foreign SDKs drive the sandbox and judge signatures.
const WITHOUT_PROFILE: &[u32] = &[43];

#[test]
fn every_case_has_its_test() {
    let program = std::env::current_exe().unwrap();
    let listed = std::process::Command::new(program).args(["--list", "money::"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let has = |number: u32, profile: &str| {
        let name = format!("{profile}case_{number:02}_");
        listed.lines().any(|line| line.contains(&name) && line.ends_with(": test"))
    };
    let missing: Vec<_> = (1..=45)
        .flat_map(|number| [(number, "embedded::"), (number, "distributed::")])
        .filter(|(number, profile)| !has(*number, if WITHOUT_PROFILE.contains(number) { "" } else { profile }))
        .collect();
    assert!(missing.is_empty(), "cases without a test: {missing:?}");
    // Case 38 stands for a list of its own, which the coordinator's own tests carry.
    let tcc = [
        include_str!("../../../src/tcc/tests/crash.rs"),
        include_str!("../../../src/tcc/tests/fence.rs"),
        include_str!("../../../src/tcc/tests/race.rs"),
        include_str!("../../../src/tcc/tests/storm.rs"),
    ]
    .concat();
    let missing: Vec<_> = (1..=23).filter(|number| !tcc.contains(&format!("fn tcc_{number:02}_"))).collect();
    assert!(missing.is_empty(), "cases of the coordinator without a test: {missing:?}");
}
