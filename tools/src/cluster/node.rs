//! What a node takes: memory, and connections to each server. Idle: one that joins another and has nothing to do. Loaded: the one
//! that took the crowds of the other benchmarks, or one of its own; memory as the most that it ever took.

use std::time::Duration;

use anyhow::Context as _;
use tokio::time::sleep;

use super::{Shop, purchases};
use crate::load::{CONNECTIONS, rush};
use crate::report::{Row, Target};
use doorbuster::demo::server::{Launch, Server};
use doorbuster::demo::usage;

/// How long a node does nothing before it is looked at.
const QUIET: Duration = Duration::from_secs(3);
/// Purchases that make sure that the node has had something to do.
const PURCHASES: usize = 10_000;

/// What each row is of; the servers in the order of [`ports`].
const IDLE: [&str; 5] = [
    "idle node",
    "idle node, connections to PostgreSQL",
    "idle node, connections to Redis",
    "idle node, connections to Pulsar",
    "idle node, connections to its admin API",
];
const LOADED: [&str; 5] = [
    "loaded node",
    "loaded node, connections to PostgreSQL",
    "loaded node, connections to Redis",
    "loaded node, connections to Pulsar",
    "loaded node, connections to its admin API",
];

/// Looks at a new node in each round, and once at the one that works.
pub(super) async fn run(rounds: usize, shop: &Shop, server: &Server) -> anyhow::Result<Vec<Row>> {
    let ports = ports(&shop.launch)?;
    let mut idle: [Vec<f64>; 5] = Default::default();
    for _ in 0..rounds {
        let second = shop.further("bench-2", &[]).await?;
        sleep(QUIET).await;
        let (memory, _) = usage::memory(second.pid()).context("the node is gone")?;
        for (column, value) in idle.iter_mut().zip(look(&second, memory, ports)?) {
            column.push(value);
        }
        second.stop(super::READY_WITHIN).await?;
    }
    let shots = purchases(&shop.buyers[..PURCHASES], shop.next_sale()?)?;
    rush(server.launch().address, shots, CONNECTIONS, b"QUEUED", Duration::from_secs(20)).await;
    let (_, most) = usage::memory(server.pid()).context("the node is gone")?;
    let loaded = look(server, most, ports)?.map(|value| vec![value]);
    let row = |(name, product): (&'static str, Vec<f64>)| {
        let unit = if name.contains(',') { "number" } else { "MB" };
        Row { name, unit, product, baseline: None, target: Target::None }
    };
    Ok(IDLE.into_iter().zip(idle).chain(LOADED.into_iter().zip(loaded)).map(row).collect())
}

fn look(server: &Server, memory: u64, ports: [u16; 4]) -> anyhow::Result<[f64; 5]> {
    let mut values = [memory as f64 / 1e6, 0.0, 0.0, 0.0, 0.0];
    for (value, port) in values[1..].iter_mut().zip(ports) {
        *value = usage::connections(server.pid(), port).context("the node is gone")? as f64;
    }
    Ok(values)
}

/// PostgreSQL, Redis, Pulsar and its admin API, by their ports.
fn ports(launch: &Launch) -> anyhow::Result<[u16; 4]> {
    let port = |key: &str| {
        let set = launch.settings.iter().find(|(known, _)| known == key);
        let after = set.and_then(|(_, url)| url.rsplit_once(':')).map(|(_, after)| after);
        let digits = after.and_then(|after| after.split(|c: char| !c.is_ascii_digit()).next());
        digits.and_then(|digits| digits.parse().ok()).with_context(|| format!("{key} names no port"))
    };
    Ok([port("store.url")?, port("gate.url")?, port("broker.url")?, port("broker.admin_url")?])
}
