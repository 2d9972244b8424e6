//! A run without faults is clean; and for each deliberate mistake there is a run that is not.

use doorbuster::demo::plan::Habits;

use super::scenario::Scenario;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_without_faults_violates_no_invariant() {
    let outcome = Scenario::default().run().await;
    let counts = &outcome.report.counts;
    println!("{counts:#?}");
    assert_eq!(outcome.faults(), "");
    assert!(counts.accepted >= 50 && counts.orders >= 50 && counts.cancelled >= 5 && counts.expired >= 5, "{counts:?}");
    assert!(counts.replayed >= 5 && counts.peeks >= 3 && counts.pushes >= 50 && counts.resumed >= 5, "{counts:?}");
    assert!(counts.refused.get("SOLD_OUT").is_some_and(|count| *count >= 20), "{counts:?}");
    assert!(counts.refused.get("QUANTITY_INVALID").is_some_and(|count| *count >= 2), "{counts:?}");
    assert!(counts.refused.get("ALREADY_BOUGHT").is_some_and(|count| *count >= 2), "{counts:?}");
    assert_eq!(counts.fully_sold, 2);
    assert_eq!(counts.refused_rows, 0);
}

/// Habits that make each kind of trouble frequent.
#[allow(dead_code, reason = "used by the tests of deliberate mistakes only")]
fn busy() -> Habits {
    Habits { double_click: 25, impatient: 20, second_key: 40, replay: 40, cancel: 40, ..Habits::default() }
}

#[cfg(feature = "sabotage")]
mod sabotage {
    use std::time::Duration;

    use doorbuster::demo::checker::Invariant;

    use super::{Scenario, busy};

    /// Plays the scenario with the mistake, and expects one of these promises to be broken.
    async fn caught(name: &'static str, scenario: Scenario, expected: &[Invariant]) {
        let scenario = Scenario { sabotage: Some(name), habits: busy(), until_wrong: true, ..scenario };
        let outcome = scenario.run().await;
        let faults = outcome.faults();
        println!("{name}: {faults}");
        assert!(expected.iter().any(|invariant| outcome.broke(*invariant)), "{name} was not caught: {faults}");
    }

    fn calm() -> Scenario {
        Scenario::default()
    }

    /// Units stay with their buyers for a while, and there are some for those who buy again.
    fn slow_to_pay() -> Scenario {
        Scenario {
            stock: 40,
            pay_within: Duration::from_secs(5),
            load: (Duration::from_secs(4), Duration::from_secs(4)),
            ..calm()
        }
    }

    /// Kills while much is undecided: the writer dawdles, and acknowledgements are on disk at once.
    fn kills(kills: u32) -> Scenario {
        let load = (Duration::from_millis(400), Duration::from_millis(800));
        let settings =
            vec![("broker.ack_flush", "1ms"), ("orders.writer_linger", "200ms"), ("orders.writer_batch", "1")];
        Scenario { kills, load, settings, ..calm() }
    }

    macro_rules! caught {
        ($($test:ident: $name:literal, $scenario:expr, $($invariant:ident)|+;)*) => {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                caught($name, $scenario, &[$(Invariant::$invariant),+]).await;
            }
        )*};
    }

    caught! {
        gate_release_without_seq_check:
            "broker.deliver_results_again,gate.release_without_seq_check", slow_to_pay(), ExactGate | BuyerLimit;
        gate_no_buyer_check: "gate.no_buyer_check", calm(), ExactGate | BuyerLimit;
        broker_ack_before_work: "broker.ack_before_work,writer.slow", kills(6), AcceptedIsRecorded;
        writer_decrement_on_redelivery: "writer.decrement_on_redelivery", kills(6), Conservation;
        orders_return_twice: "orders.return_twice", calm(), Conservation;
        orders_expire_early: "orders.expire_early", calm(), NoEarlyExpiry;
        purchase_answer_before_receipt: "purchase.answer_before_receipt,publisher.slow", kills(8), AcceptedIsRecorded;
        rebuild_skip_broker: "rebuild.skip_broker,writer.slow", kills(6), ExactGate | Idempotency | AcceptedIsRecorded;
    }

    /// A writer that is slow, and killed on the way, breaks nothing: what some of the mistakes need to be seen
    /// is no mistake itself.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_slow_writer_violates_no_invariant() {
        let load = (Duration::from_millis(300), Duration::from_millis(600));
        let scenario =
            Scenario { kills: 4, load, habits: busy(), sabotage: Some("writer.slow"), ..Scenario::default() };
        assert_eq!(scenario.run().await.faults(), "");
    }

    /// Mistakes inside the gate are caught by its conformance suite: it runs here once more in a process that makes the
    /// mistake, and must fail.
    #[test]
    fn the_gate_suite_detects_injected_faults() {
        let run = |mistake: &str| {
            let mut command = std::process::Command::new(std::env::current_exe().unwrap());
            command.arg("conformance::gate::memory").env("DOORBUSTER_SABOTAGE", mistake).output().unwrap()
        };
        assert!(run("none").status.success());
        for mistake in ["gate.release_without_seq_check", "gate.no_buyer_check"] {
            let output = String::from_utf8(run(mistake).stdout).unwrap();
            assert!(output.contains("test result: FAILED"), "not noticed: {mistake}: {output}");
        }
    }

    /// Events that arrive twice, the second time late, change nothing.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn redelivered_results_violate_no_invariant() {
        let sabotage = Some("broker.deliver_results_again");
        let outcome = Scenario { habits: busy(), sabotage, ..Scenario::default() }.run().await;
        assert_eq!(outcome.faults(), "");
    }

    /// A gate that promises too much, and a writer that does not look: the guarded update still never oversells.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_faulty_gate_never_oversells() {
        let sabotage = Some("rebuild.skip_broker,writer.no_stock_guard");
        let outcome = Scenario { habits: busy(), sabotage, ..kills(6) }.run().await;
        println!("{}", outcome.faults());
        assert!(!outcome.broke(Invariant::NoOversell) && !outcome.broke(Invariant::Conservation));
    }
}
