//! The names of topics and subscriptions on the brokers.

use std::sync::Arc;
use std::time::Duration;

use crate::model::messages::{Delivery, Topic};

/// The subscription of every competing topic: it has one group, so that nothing is lost before the first consumer comes.
pub(super) const COMPETING: &str = "group";

/// The group that order requests are kept for from the start (`orders::rebuild::WRITER`). Other groups begin when they first attach.
pub(super) const ORDERED: &str = "order-writer";

/// Delayed messages are spread over topics by how long they wait, since a broker remembers what was acknowledged best
/// when messages are due in the order in which they stand. Names and longest waits.
const DELAYS: [(&str, Duration); 5] = [
    ("2m", Duration::from_secs(2 * 60)),
    ("10m", Duration::from_secs(10 * 60)),
    ("30m", Duration::from_secs(30 * 60)),
    ("2h", Duration::from_secs(2 * 3_600)),
    ("long", Duration::MAX),
];

/// One topic as a broker knows it: unpartitioned, a partition, or all partitions together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    tenant: Arc<str>,
    namespace: &'static str,
    name: String,
}

impl Place {
    /// `persistent://tenant/namespace/name`
    pub(super) fn url(&self) -> String {
        format!("persistent://{}/{}/{}", self.tenant, self.namespace, self.name)
    }

    /// Its last part.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The path of its resource in the admin API.
    pub(super) fn path(&self) -> [&str; 4] {
        ["persistent", &self.tenant, self.namespace, &self.name]
    }

    /// One partition of it.
    pub(super) fn partition(&self, partition: u32) -> Self {
        Self { name: format!("{}-partition-{partition}", self.name), ..self.clone() }
    }
}

/// The places of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) tenant: Arc<str>,
}

impl Names {
    /// Where nothing is lost.
    pub(super) const TRADE: &str = "trade";
    /// Where messages and subscriptions end after a while.
    pub(super) const RESULTS: &str = "results";

    fn place(&self, namespace: &'static str, name: String) -> Place {
        Place { tenant: self.tenant.clone(), namespace, name }
    }

    /// All partitions of an ordered topic in the layout with that many.
    pub(super) fn layout(&self, topic: Topic, partitions: u32) -> Place {
        self.place(Self::TRADE, format!("{}-{partitions}", topic.name()))
    }

    /// The number of partitions in the name of a layout.
    pub(super) fn partitions(topic: Topic, url: &str) -> Option<u32> {
        url.rsplit('/').next()?.strip_prefix(topic.name())?.strip_prefix('-')?.parse().ok()
    }

    /// The place of a broadcast topic.
    pub(super) fn broadcast(&self, topic: Topic) -> Place {
        self.place(Self::RESULTS, topic.name().to_owned())
    }

    /// The places of a competing topic.
    pub(super) fn competing(&self, topic: Topic) -> Vec<Place> {
        let place = |suffix: &str| self.place(Self::TRADE, format!("{}{suffix}", topic.name()));
        match topic {
            Topic::PaymentTimeouts => DELAYS.iter().map(|(name, _)| place(&format!("-{name}"))).collect(),
            _ => vec![place("")],
        }
    }

    /// Where among them a message stands that waits this long.
    pub(super) fn competing_for(&self, topic: Topic, wait: Duration) -> Place {
        let mut places = self.competing(topic);
        let index = DELAYS.iter().position(|(_, longest)| wait <= *longest).unwrap_or(0);
        places.swap_remove(index.min(places.len() - 1))
    }
}

/// The topics with this delivery.
pub(super) fn topics(delivery: Delivery) -> impl Iterator<Item = Topic> {
    Topic::ALL.into_iter().filter(move |topic| topic.delivery() == delivery)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_after_their_topics() {
        let names = Names { tenant: "shop".into() };
        let layout = names.layout(Topic::OrderRequests, 4);
        assert_eq!(layout.partition(3).url(), "persistent://shop/trade/order-requests-4-partition-3");
        assert_eq!(Names::partitions(Topic::OrderRequests, &layout.url()), Some(4));
        assert_eq!(Names::partitions(Topic::OrderRequests, "persistent://shop/trade/order-requests-x"), None);
        assert_eq!(names.broadcast(Topic::PurchaseResults).url(), "persistent://shop/results/purchase-results");
        let wait = |seconds| names.competing_for(Topic::PaymentTimeouts, Duration::from_secs(seconds)).name;
        assert_eq!(
            [wait(0), wait(120), wait(121), wait(900), wait(90_000)].map(|name| name.replace("payment-timeouts-", "")),
            ["2m", "2m", "10m", "30m", "long"]
        );
        assert_eq!(names.competing_for(Topic::LoginEvents, Duration::from_secs(900)).name, "login-events");
        assert_eq!(ORDERED, crate::orders::rebuild::WRITER);
    }
}
