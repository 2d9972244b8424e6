//! Makes what the topics need, over and over until it is there: tenant, namespaces with their policies, topics, subscriptions.
//!
//! **Layouts.** The number of partitions is part of an ordered topic's name: `order-requests-4` is a partitioned topic with
//! four. Raising it makes the next layout and then *terminates* the one before, which the brokers enforce: nothing can be
//! stored there any more, by whichever node. Publishers that hit this move on to the newest layout; consumers read the
//! old one to its end, all partitions of it, before they read the new one. So two messages of one key never overtake each other.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::admin::{Admin, Begin, minutes};
use super::names::{COMPETING, Names, ORDERED, topics};
use super::shared::Shared;
use crate::broker::{BrokerError, backoff};
use crate::config;
use crate::model::messages::{Delivery, Topic};

/// Makes everything, waiting up to `broker.start_timeout` for the brokers to come up.
pub(super) async fn prepare(shared: &Shared) -> Result<(), BrokerError> {
    let config = &shared.config;
    let deadline = Instant::now() + *config.start_timeout;
    let mut backoff = backoff(shared.rng.clone());
    loop {
        match everything(shared).await {
            Err(BrokerError::Unavailable(reason)) if Instant::now() < deadline => {
                tracing::warn!(reason, "the topics are not ready yet");
                backoff.failed();
                backoff.pause().await;
            }
            done => return done,
        }
    }
}

async fn everything(shared: &Shared) -> Result<(), BrokerError> {
    let (admin, names, config) = (&shared.admin, &shared.names, &shared.config);
    let clusters: Vec<String> = admin.read(&["clusters"]).await?.unwrap_or_default();
    let tenant = json!({ "allowedClusters": clusters, "adminRoles": [] });
    admin.create(&["tenants", &names.tenant], &tenant).await?;
    for namespace in [Names::TRADE, Names::RESULTS] {
        admin.create(&["namespaces", &names.tenant, namespace], &json!({})).await?;
        policies(admin, &names.tenant, namespace, config).await?;
    }
    for topic in topics(Delivery::Competing) {
        for place in names.competing(topic) {
            admin.create(&place.path(), &json!({})).await?;
            admin.subscribe(&place, COMPETING, Begin::Earliest).await?;
        }
    }
    for topic in topics(Delivery::Broadcast) {
        admin.create(&names.broadcast(topic).path(), &json!({})).await?;
    }
    layout(shared).await
}

/// No broker default may lose what must not be lost, or swallow what is sent again.
async fn policies(admin: &Admin, tenant: &str, namespace: &str, config: &config::Broker) -> Result<(), BrokerError> {
    let ends = namespace == Names::RESULTS;
    let kept = if ends { minutes(*config.results_kept) } else { 0 };
    let inactive = json!({
        "inactiveTopicDeleteMode": "delete_when_no_subscriptions",
        "maxInactiveDurationSeconds": 86_400,
        "deleteWhileInactive": false,
    });
    for (policy, value) in [
        ("messageTTL", json!(kept * 60)),
        ("subscriptionExpirationTime", json!(kept)),
        ("deduplication", json!(false)),
        // A subscription that vanished must not come back silently at another place.
        ("autoSubscriptionCreation", json!({ "allowAutoSubscriptionCreation": false })),
        ("autoTopicCreation", json!({ "allowAutoTopicCreation": false })),
        ("inactiveTopicPolicies", inactive),
    ] {
        admin.post(&["namespaces", tenant, namespace, policy], &value).await?;
    }
    Ok(())
}

/// The layouts that exist, oldest first.
async fn existing(shared: &Shared, topic: Topic) -> Result<Vec<u32>, BrokerError> {
    let path = ["persistent", &shared.names.tenant, Names::TRADE, "partitioned"];
    let urls: Vec<String> = shared.admin.read(&path).await?.unwrap_or_default();
    let mut layouts: Vec<u32> = urls.iter().filter_map(|url| Names::partitions(topic, url)).collect();
    layouts.sort_unstable();
    Ok(layouts)
}

/// Raises the number of partitions if the settings ask for more than there are.
async fn layout(shared: &Shared) -> Result<(), BrokerError> {
    for topic in topics(Delivery::Ordered) {
        let layouts = existing(shared, topic).await?;
        let (newest, wanted) = (layouts.last().copied().unwrap_or(0), shared.config.partitions);
        if newest > wanted {
            let name = topic.name();
            return Err(BrokerError::Refused(format!(
                "{name} has {newest} partitions and broker.partitions is {wanted}: it can be raised but not lowered"
            )));
        }
        if newest > 0 && newest < wanted {
            tracing::info!(topic = topic.name(), from = newest, to = wanted, "raised the number of partitions");
        }
        let place = shared.names.layout(topic, wanted);
        let path = [&place.path()[..], &["partitions"]].concat();
        shared.admin.create(&path, &json!(wanted)).await?;
        shared.admin.subscribe(&place, ORDERED, Begin::Earliest).await?;
        for older in layouts.iter().filter(|older| **older < wanted) {
            copy_groups(shared, topic, *older, wanted).await?;
        }
        refresh_topic(shared, topic).await?;
    }
    Ok(())
}

/// Groups go on in the new layout: nothing may be removed there before they have seen it.
async fn copy_groups(shared: &Shared, topic: Topic, from: u32, to: u32) -> Result<(), BrokerError> {
    let place = shared.names.layout(topic, from);
    let path = [&place.path()[..], &["subscriptions"]].concat();
    let groups: Vec<String> = shared.admin.read(&path).await?.unwrap_or_default();
    for group in groups.iter().filter(|group| *group != ORDERED) {
        shared.admin.subscribe(&shared.names.layout(topic, to), group, Begin::Earliest).await?;
    }
    Ok(())
}

/// Finds out how many partitions there are, and leaves everything as it is.
pub(super) async fn look(shared: &Shared) -> Result<(), BrokerError> {
    for topic in topics(Delivery::Ordered) {
        let layouts = existing(shared, topic).await?;
        if layouts.is_empty() {
            let tenant = &shared.names.tenant;
            return Err(BrokerError::Refused(format!("no node has used the tenant {tenant} on these brokers yet")));
        }
        shared.layouts.send_replace(layouts);
    }
    Ok(())
}

/// Looks for a newer layout, seals the older ones and tells everyone who waits for the change.
pub(super) async fn refresh(shared: &Shared) -> Result<(), BrokerError> {
    for topic in topics(Delivery::Ordered) {
        refresh_topic(shared, topic).await?;
    }
    Ok(())
}

async fn refresh_topic(shared: &Shared, topic: Topic) -> Result<(), BrokerError> {
    let layouts = existing(shared, topic).await?;
    if layouts.is_empty() {
        return Err(BrokerError::Unavailable(format!("{} has no partitions", topic.name())));
    }
    if *shared.layouts.borrow() == layouts {
        return Ok(());
    }
    for older in &layouts[..layouts.len() - 1] {
        let place = shared.names.layout(topic, *older);
        let path = [&place.path()[..], &["terminate", "partitions"]].concat();
        shared.admin.post(&path, &json!({})).await?;
    }
    shared.layouts.send_replace(layouts);
    Ok(())
}

/// Whether a group has acknowledged everything in a sealed layout.
pub(super) async fn drained(shared: &Shared, topic: Topic, layout: u32, group: &str) -> Result<bool, BrokerError> {
    #[cfg(feature = "sabotage")]
    if crate::kernel::sabotage::active("pulsar.forget_old_partitions") {
        return Ok(true);
    }
    let known = (layout, group.to_owned());
    if shared.drained.lock().contains(&known) {
        return Ok(true);
    }
    let whole = shared.names.layout(topic, layout);
    for partition in 0..layout {
        let partition = shared.admin.internal(&whole.partition(partition)).await?;
        if partition.backlog(group) > 0 {
            return Ok(false);
        }
    }
    // Nothing can come there any more, and what was acknowledged is decided, even if a broker forgets that it was.
    shared.drained.lock().insert(known);
    Ok(true)
}

/// How often a consumer looks whether the others have come to the end of a sealed layout.
pub(super) const DRAIN_POLL: Duration = Duration::from_millis(200);
