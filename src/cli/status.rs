//! `doorbuster status`: the nodes, their jobs and the backlog.

use std::fmt::Write as _;
use std::time::Duration;

use crate::app::Observer;
use crate::kernel::{Clock, Timestamp};
use crate::model::messages::Topic;
use crate::model::nodes::NodeRow;
use crate::nodes::{Leases, Registry};
use crate::orders::rebuild::WRITER;
use crate::workers::GROUPS;

/// The whole report, as tables for people.
pub async fn report(seen: &Observer, clock: &Clock, heartbeat: Duration) -> anyhow::Result<String> {
    let Observer { db, broker, snapshot } = seen;
    let now = clock.now();
    let mut text =
        format!("{:<40} {:<34} {:<22} {:>10} {:>8}  {}\n", "node", "roles", "address", "started", "seen", "state");
    for node in Registry::list(db).await? {
        let (started, seen) = (ago(now, node.started_at), ago(now, node.seen_at));
        let state = state(&node, now, heartbeat);
        writeln!(text, "{:<40} {:<34} {:<22} {started:>10} {seen:>8}  {state}", node.name, node.roles, node.address)?;
    }
    writeln!(text, "\n{:<20} {:<40} {:>6}", "job", "held by", "token")?;
    for lease in Leases::list(db).await? {
        let holder = if lease.holder.is_empty() { "none" } else { &lease.holder };
        writeln!(text, "{:<20} {holder:<40} {:>6}", lease.job, lease.token)?;
    }
    writeln!(text, "\n{:<20} {:>10} {:>10}", "topic", "partitions", "waiting")?;
    for (topic, group) in GROUPS {
        let (partitions, waiting) = (broker.partitions(topic), broker.backlog(topic, group).await?);
        writeln!(text, "{:<20} {partitions:>10} {waiting:>10}", topic.name())?;
    }
    writeln!(text, "{:<20} {:>10} {:>10}", Topic::Failures.name(), "", broker.failures(0, 1_000).await?.len())?;
    writeln!(text, "\n{:<34} {:<60} {:>10}", "partition", "consumer", "waiting")?;
    for share in broker.shares(Topic::OrderRequests, WRITER).await? {
        let reader = share.reader.as_deref().unwrap_or("-");
        writeln!(text, "{:<34} {reader:<60} {:>10}", share.partition, share.waiting)?;
    }
    writeln!(text, "\n{:<28} {:>6} {:<10} {:>9} {:>9}", "sale", "epoch", "state", "left", "of")?;
    for offer in snapshot.offers() {
        let (sale, stock) = (&offer.sale, &offer.stock);
        let (id, state) = (sale.id.to_string(), format!("{:?}", sale.state));
        writeln!(text, "{id:<28} {:>6} {state:<10} {:>9} {:>9}", sale.epoch, stock.left, stock.total)?;
    }
    Ok(text)
}

/// Whether a node runs, and can do its work.
fn state(node: &NodeRow, now: Timestamp, heartbeat: Duration) -> String {
    match &node.vitals {
        _ if node.is_silent(now, heartbeat) => "silent".to_owned(),
        None => "running".to_owned(),
        Some(vitals) if vitals.is_ready() => "ready".to_owned(),
        Some(vitals) => {
            let failed = vitals.checks.iter().filter(|check| !check.ready);
            let reasons = failed.map(|check| format!("{}: {}", check.name, check.reason.as_deref().unwrap_or("-")));
            format!("not ready ({})", reasons.collect::<Vec<_>>().join("; "))
        }
    }
}

fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{}s ago", now.since(then).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::nodes::{NodeCheck, NodeSettings, NodeVitals};

    #[test]
    fn the_state_of_a_node_is_told_with_what_it_lacks() {
        let now = Timestamp::from_millis(1_000_000);
        let node = |vitals, seen_at| NodeRow {
            name: "one".into(),
            roles: "api".into(),
            address: String::new(),
            version: String::new(),
            started_at: seen_at,
            seen_at,
            settings: NodeSettings::default(),
            data_version: 1,
            vitals,
        };
        let heartbeat = Duration::from_secs(2);
        let ready = NodeCheck { name: "database".into(), ready: true, reason: None };
        let failed = NodeCheck { name: "gates".into(), ready: false, reason: Some("still being recorded".into()) };
        let vitals = |checks| Some(NodeVitals { every_ms: 2_000, checks, ..NodeVitals::default() });
        let told = |vitals| state(&node(vitals, now), now, heartbeat);
        assert_eq!(told(None), "running");
        assert_eq!(told(vitals(vec![ready.clone()])), "ready");
        assert_eq!(told(vitals(vec![ready, failed])), "not ready (gates: still being recorded)");
        let long_ago = now.minus(Duration::from_secs(60));
        assert_eq!(state(&node(None, long_ago), now, heartbeat), "silent");
    }
}
