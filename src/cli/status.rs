//! `doorbuster status`: the nodes, their jobs and the backlog.

use std::fmt::Write as _;

use crate::app::Observer;
use crate::kernel::{Clock, Timestamp};
use crate::model::messages::Topic;
use crate::nodes::{Leases, Registry};
use crate::orders::rebuild::WRITER;
use crate::workers::GROUPS;

/// The whole report, as tables for people.
pub async fn report(seen: &Observer, clock: &Clock) -> anyhow::Result<String> {
    let Observer { db, broker, snapshot } = seen;
    let now = clock.now();
    let mut text = format!("{:<40} {:<34} {:<22} {:>10} {:>8}\n", "node", "roles", "address", "started", "seen");
    for node in Registry::list(db).await? {
        let (started, seen) = (ago(now, node.started_at), ago(now, node.seen_at));
        writeln!(text, "{:<40} {:<34} {:<22} {started:>10} {seen:>8}", node.name, node.roles, node.address)?;
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

fn ago(now: Timestamp, then: Timestamp) -> String {
    format!("{}s ago", now.since(then).as_secs())
}
