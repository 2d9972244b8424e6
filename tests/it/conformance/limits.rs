//! Counters that nodes share, in a real server.

use std::num::NonZeroU32;
use std::time::Duration;

use doorbuster::limits::{Over, RedisTally, Tally, Use};
use futures_util::FutureExt as _;
use futures_util::future::join_all;

use crate::support::proxy::{Network, Proxy};
use crate::support::redis::{assert_nothing_remains, client, connect, fresh_prefix};
use crate::support::{servers, until};

async fn tally(url: &str, prefix: &str) -> RedisTally {
    RedisTally::new(&client(url, prefix).await, 10_000)
}

fn limit(limit: &'static str, who: &str, quota: u32, seconds: u64) -> Use {
    let (quota, window) = (NonZeroU32::new(quota).unwrap(), Duration::from_secs(seconds));
    Use { limit, who: who.to_owned(), quota, window }
}

/// So many in an hour: nothing comes back while a test runs.
fn hourly(name: &'static str, who: &str, quota: u32) -> Use {
    limit(name, who, quota, 3600)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_count_together() {
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let (one, two) = (tally(&url, &prefix).await, tally(&url, &prefix).await);
    let alice = || vec![hourly("user", "alice", 3)];
    assert_eq!(one.count(alice()).await.unwrap(), Ok(()));
    assert_eq!(two.count(alice()).await.unwrap(), Ok(()));
    assert_eq!(one.count(alice()).await.unwrap(), Ok(()));
    for node in [&one, &two] {
        let Over { index, wait } = node.count(alice()).await.unwrap().unwrap_err();
        assert_eq!(index, 0);
        assert!((1190..=1200).contains(&wait.as_secs()), "a third of an hour until the next: {wait:?}");
    }
    assert_eq!(two.count(vec![hourly("user", "bob", 3)]).await.unwrap(), Ok(()));
    assert_eq!(two.count(vec![hourly("address", "alice", 3)]).await.unwrap(), Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_on_two_nodes_gets_exactly_the_quota() {
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let nodes = [tally(&url, &prefix).await, tally(&url, &prefix).await];
    let acts = (0..1000).map(|n| nodes[n % 2].count(vec![hourly("user", "alice", 77)]));
    let answers = join_all(acts).await;
    assert_eq!(answers.iter().filter(|answer| answer.as_ref().unwrap().is_ok()).count(), 77);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_count_in_order_up_to_the_first_that_is_exhausted() {
    let tally = tally(&servers::redis(), &fresh_prefix()).await;
    let act = || vec![hourly("address", "here", 5), hourly("purchases", "alice", 1), hourly("user", "alice", 2)];
    assert_eq!(tally.count(act()).await.unwrap(), Ok(()));
    assert_eq!(tally.count(act()).await.unwrap().unwrap_err().index, 1);
    // The address was counted twice, the user once.
    let left = |name, who, quota| {
        let tally = &tally;
        async move {
            let mut left = 0;
            while tally.count(vec![hourly(name, who, quota)]).await.unwrap().is_ok() {
                left += 1;
            }
            left
        }
    };
    assert_eq!((left("address", "here", 5).await, left("user", "alice", 2).await), (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buckets_empty_with_time_and_then_take_no_memory() {
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let tally = tally(&url, &prefix).await;
    let act = || vec![limit("user", "alice", 50, 1)];
    assert!(join_all((0..60).map(|_| tally.count(act()))).await.iter().any(|answer| answer.as_ref().unwrap().is_err()));
    until("let through again", async || tally.count(act()).await.unwrap().is_ok()).await;
    assert_nothing_remains(&url, &prefix).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_library_that_was_removed_is_loaded_again() {
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let tally = tally(&url, &prefix).await;
    assert_eq!(tally.count(vec![hourly("user", "alice", 1)]).await.unwrap(), Ok(()));
    let delete = redis::cmd("FUNCTION").arg("DELETE").arg("doorbuster_tally_v1").clone();
    let _another_test_was_faster: redis::RedisResult<()> = delete.query_async(&mut connect(&url).await).await;
    assert!(tally.count(vec![hourly("user", "alice", 1)]).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_counts_is_told_when_redis_is_away_and_it_counts_again_afterwards() {
    let proxy = Proxy::before(&servers::redis()).await;
    let tally = tally(&proxy.url(), &fresh_prefix()).await;
    let act = || vec![hourly("user", "alice", 1_000_000)];
    assert_eq!(tally.count(act()).await.unwrap(), Ok(()));
    proxy.set(Network::Cut);
    until("told", async || tally.count(act()).await.is_err()).await;
    proxy.set(Network::Fine);
    until("counted", async || tally.count(act()).await.is_ok()).await;
}

/// Nobody waits for what is counted afterwards; whoever is over a limit is known by this node without asking again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_noted_counts_afterwards() {
    let (url, prefix) = (servers::redis(), fresh_prefix());
    let proxy = Proxy::before(&url).await;
    let (one, two) = (tally(&proxy.url(), &prefix).await, tally(&url, &prefix).await);
    let alice = || vec![hourly("user", "alice", 3)];
    proxy.set(Network::Frozen);
    for _ in 0..4 {
        // Its future is ready at once: there is none.
        assert_eq!(one.note(alice()).unwrap(), Ok(()));
    }
    assert_eq!(two.count(vec![hourly("user", "bob", 3)]).await.unwrap(), Ok(()));
    proxy.set(Network::Fine);
    until("known to be over", async || one.note(alice()).unwrap().is_err()).await;
    assert!(two.count(alice()).await.unwrap().is_err(), "the other node was not told");
    proxy.set(Network::Frozen);
    let Over { index, wait } = one.count(alice()).now_or_never().expect("asks again").unwrap().unwrap_err();
    assert!(index == 0 && (1100..=1200).contains(&wait.as_secs()), "{wait:?}");
    assert_eq!(one.note(vec![hourly("user", "bob", 3)]).unwrap(), Ok(()));
    proxy.set(Network::Fine);
}
