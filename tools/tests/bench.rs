//! That the benchmarks run. Debug builds are slow: nothing is measured.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has done its work")]

use std::process::Command;

#[test]
fn every_benchmark_of_one_node_runs() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "purchase",
        "strangers",
        "durable",
        "points",
        "notifications",
        "list",
        "handshake",
        "fan-out",
        "goodput",
        "pulse",
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-bench"));
    let ran = command.current_dir(folder.path()).arg("--quick").args(names).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    assert!(said.lines().filter(|line| line.contains(", per ")).count() >= names.len(), "{said}");
}

/// With the Redis that `scripts/with-services` starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_benchmark_of_the_gate_in_redis_runs() {
    let url = std::env::var("DOORBUSTER_TEST_REDIS").expect("the address of a server: scripts/with-services sets it");
    for row in doorbuster_tools::gate::run(1, &url).await.unwrap() {
        assert!(row.value() > 0.0, "{}: {:?} against {:?}", row.name, row.product, row.baseline);
    }
}

/// With all the servers that `scripts/with-services` starts.
#[test]
fn the_benchmarks_of_operation_on_several_nodes_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-bench"));
    let names = ["--quick", "cluster-settings", "cluster-edits"];
    let ran = command.current_dir(folder.path()).args(names).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    for row in [
        "setting on three nodes, heard, p99",
        "second of a change / before",
        "pushed elsewhere, p99",
        "triggers of edits / none",
    ] {
        assert!(said.contains(row), "{row} is missing:\n{said}");
    }
}
