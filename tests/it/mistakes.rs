//! Deliberate mistakes on the profile with many nodes: with each of them, a test of this suite fails, and for the right
//! reason. Those on one machine are in `flows/history.rs`.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::process::Command;

/// Several times what a run takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A mistake, the test that notices it, and what that test says then.
struct Mistake {
    switch: &'static str,
    test: &'static str,
    /// Of the cluster's faults, the one in whose run it is noticed. Those take a minute or two: they are tried when asked for.
    fault: Option<&'static str>,
    says: &'static str,
}

const fn in_test(switch: &'static str, test: &'static str, says: &'static str) -> Mistake {
    Mistake { switch, test, fault: None, says }
}

const fn in_fault(switch: &'static str, fault: &'static str, says: &'static str) -> Mistake {
    let test = "flows::cluster_faults::invariants_hold_through_node_server_and_network_faults";
    Mistake { switch, test, fault: Some(fault), says }
}

const MISTAKES: [Mistake; 15] = [
    in_test(
        "gate.trust_restarted_redis",
        "conformance::gate::redis::loss::a_server_that_restarts_from_an_old_dump",
        "what was lost reads as held",
    ),
    in_test(
        "gate.no_buyer_check",
        "conformance::gate::redis::conforms::one_live_ticket_per_buyer",
        "right: AlreadyBought",
    ),
    in_test(
        "gate.release_without_seq_check",
        "conformance::gate::redis::conforms::releases_once_and_only_the_present_ticket",
        "another epoch's",
    ),
    in_test("gate.release_without_seq_check", "conformance::gate::redis::answers_like_its_model", "Test failed"),
    in_test(
        "tokens.overwrite_ended",
        "conformance::tokens::a_token_that_ended_stays_so",
        "a late word brought it back",
    ),
    in_test(
        "tokens.trust_another_life",
        "conformance::tokens::an_old_dump_brings_no_token_back",
        "what was lost is known",
    ),
    in_test(
        "broker.ack_before_work",
        "conformance::broker::pulsar::barrier_passes_when_everything_before_is_done",
        "assertion failed: !passed(barrier).await",
    ),
    in_test(
        "pulsar.forget_what_is_on_its_way",
        "conformance::broker::pulsar::barrier_stands_behind_what_was_given_up",
        "it stood behind the barrier",
    ),
    in_test(
        "pulsar.forget_old_partitions",
        "conformance::broker::pulsar::keys_keep_their_order_when_the_partitions_are_raised",
        // For what waits in the old ones.
        "the case hangs",
    ),
    in_test(
        "rebuild.skip_broker",
        "flows::nodes::a_rebuilt_gate_includes_undecided_tickets",
        "the gate opened without what was on its way",
    ),
    in_test("epoch.next_number", "flows::restore::a_restored_file_hands_no_number_out_twice", "handed out twice"),
    in_fault("purchase.answer_before_receipt", "F1+F8", "I3 accepted is recorded"),
    in_fault("writer.decrement_on_redelivery", "F4", "I2/I6 conservation"),
    in_fault("orders.expire_early", "F19", "I10 no early expiry"),
    in_fault("orders.return_twice", "F17", "I2/I6 conservation"),
];

/// Runs the test once more, in a process that makes the mistake.
async fn is_noticed(mistake: &Mistake) {
    let Mistake { switch, test, fault, says } = mistake;
    let mut run = Command::new(std::env::current_exe().unwrap());
    run.args([test, "--exact", "--nocapture"]).env("DOORBUSTER_SABOTAGE", switch);
    run.env("DOORBUSTER_FAULTS", fault.unwrap_or_default());
    let output = tokio::time::timeout(PATIENCE, run.kill_on_drop(true).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{switch}: {test} never ended")).unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("1 failed"), "{switch} was not noticed by {test}:\n{said}");
    assert!(said.contains(says), "{switch}: {test} failed for another reason:\n{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn mistakes_of_many_nodes_are_noticed() {
    let (slow, quick): (Vec<_>, Vec<_>) = MISTAKES.iter().partition(|mistake| mistake.fault.is_some());
    stream::iter(quick).for_each_concurrent(4, is_noticed).await;
    if std::env::var("DOORBUSTER_FAULTS").is_ok_and(|faults| faults == "all") {
        for mistake in slow {
            is_noticed(mistake).await;
        }
    }
}
