//! Pulsar over TLS. The broker's certificate is from an authority that only `broker.tls_roots` names.

use super::pulsar::Pulsar;
use super::*;
use crate::support::pki::Authority;
use crate::support::servers::find;
use doorbuster::broker::pulsar::PulsarBroker;
use doorbuster::config::{self, Secret, Span};
use doorbuster::kernel::{Clock, Rng};

/// A tenant of the shared server, over TLS, with these trusted authorities.
fn encrypted(roots: &str) -> config::Broker {
    config::Broker {
        url: Secret::new(find("DOORBUSTER_TEST_PULSAR_TLS")),
        admin_url: Secret::new(find("DOORBUSTER_TEST_PULSAR_TLS_ADMIN")),
        tls_roots: roots.to_owned(),
        start_timeout: Span(Duration::from_secs(1)),
        ..Pulsar::shared().config
    }
}

async fn open(config: &config::Broker) -> Result<PulsarBroker, BrokerError> {
    PulsarBroker::open(config, "node", Clock::system(), Rng::system()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_travel_over_tls_to_a_broker_of_an_own_authority() {
    let config = encrypted(&find("DOORBUSTER_TEST_PULSAR_TLS_ROOTS"));
    let broker = within(open(&config)).await.unwrap();
    within(broker.publish(Topic::OrderRequests, messages("k", 0..3))).await.unwrap();
    assert_eq!(broker.backlog(Topic::OrderRequests, GROUP).await.unwrap(), 3);
    let partition = doorbuster::broker::partition_for(b"k", 4);
    let mut consumer = broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap();
    let mut seen = 0;
    while seen < 3 {
        seen += within(consumer.receive(3, NONE)).await.unwrap().len();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_of_another_authority_is_not_spoken_to() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.pem");
    std::fs::write(&other, Authority::new("somebody else").pem()).unwrap();
    // The public authorities did not issue it, and neither did somebody else.
    for roots in ["", other.to_str().unwrap()] {
        let mut config = encrypted(roots);
        let refused = within(open(&config)).await.err();
        assert!(matches!(refused, Some(BrokerError::Unavailable(_))), "{roots}: {refused:?}");
        // The admin API alone is right: the connection that carries messages must not be.
        config.admin_url = Pulsar::shared().config.admin_url;
        let broker = within(open(&config)).await.unwrap();
        let refused = within(broker.publish(Topic::OrderRequests, messages("k", 0..1))).await.err();
        assert!(matches!(refused, Some(BrokerError::Unavailable(_))), "{roots}: {refused:?}");
    }
}

#[test]
fn a_file_without_authorities_is_refused_before_anything_is_contacted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    std::fs::write(&file, "nothing").unwrap();
    for roots in [file.to_str().unwrap(), "/nowhere/roots.pem"] {
        let (key, error) = PulsarBroker::check(&encrypted(roots)).unwrap_err();
        assert_eq!(key, "broker.tls_roots");
        assert!(error.to_string().contains(roots), "{error}");
    }
}
