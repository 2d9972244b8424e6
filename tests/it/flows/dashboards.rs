//! The alerts and the dashboard in `deploy/` name metrics and labels that the program has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use doorbuster::api::health::Vitals as _;
use serde_json::json;

use super::nodes::Cluster;
use crate::support::{Shop, Terms};

/// Labels that Prometheus adds, and the bounds of histograms.
const OTHERS: [&str; 3] = ["job", "instance", "le"];

/// Metrics with the names of their labels.
type Metrics = BTreeMap<String, BTreeSet<String>>;

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// The names in front of the operators between braces, `a="b", c=~"d"`.
fn labels(text: &str) -> BTreeSet<String> {
    let name = |pair: &str| pair.trim().split(['=', '!', '~']).next().unwrap_or_default().trim().to_owned();
    text.split(',').map(name).filter(|name| !name.is_empty() && !OTHERS.contains(&name.as_str())).collect()
}

/// What the expressions in a file ask for.
fn asked(text: &str) -> Metrics {
    let mut asked = Metrics::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_name) {
        let name: String = rest[start..].chars().take_while(|c| is_name(*c)).collect();
        rest = &rest[start + name.len()..];
        let is_metric = name.starts_with("doorbuster_") || name.starts_with("process_");
        if is_metric && !name.contains(':') {
            let inside = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            asked.entry(name).or_default().extend(inside.map(|(inside, _)| labels(inside)).unwrap_or_default());
        }
    }
    asked
}

/// What a node tells, by the names of the series.
fn told(text: &str) -> Metrics {
    let mut told = Metrics::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            let suffixes: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                _ => &[""],
            };
            told.extend(suffixes.iter().map(|suffix| (format!("{name}{suffix}"), BTreeSet::new())));
        } else if let Some((name, rest)) = line.split_once('{')
            && let Some(known) = told.get_mut(name)
        {
            known.extend(labels(rest.split_once('}').unwrap().0));
        }
    }
    told
}

/// Its series come with the first connection over TLS.
const LATER: [&str; 1] = ["doorbuster_store_certificate_expiry_seconds"];

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_panels_ask_for_what_nodes_tell() {
    let cluster = Cluster::fresh("").await;
    let (alone, shared) = (Shop::open().await, cluster.node("one").await);
    let mut known = Metrics::new();
    for shop in [&alone, &shared] {
        let buyer = shop.buyer("alice").await;
        let sale = shop.sale(&Terms::default()).await;
        super::nodes::buy(shop, &buyer, &sale, "key-00001").await;
        shop.ask(None, "{ nothing }", json!({})).await;
        for (name, labels) in told(&shop.app.metrics()) {
            known.entry(name).or_default().extend(labels);
        }
    }
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    for (file, least) in [("prometheus/rules.yaml", 20), ("grafana/doorbuster.json", 30)] {
        let asked = asked(&std::fs::read_to_string(deploy.join(file)).unwrap());
        assert!(asked.len() >= least, "{file}: only {asked:?} were found");
        for (name, labels) in asked {
            if LATER.contains(&name.as_str()) {
                continue;
            }
            let known = known.get(&name).unwrap_or_else(|| panic!("{file}: no node tells {name}"));
            // A metric whose series come only with trouble, or with TLS, shows no labels here.
            let strange: Vec<_> = labels.difference(known).filter(|_| !known.is_empty()).collect();
            assert!(strange.is_empty(), "{file}: {name} has no label {strange:?}");
        }
    }
}

#[test]
fn what_is_asked_for_is_found() {
    let text = "sum by (x) (rate(doorbuster_a_total{job=\\\"$job\\\", outcome=~\\\"b|c\\\"}[5m])) / doorbuster:a:rate - process_b";
    let expected = [("doorbuster_a_total", &["outcome"][..]), ("process_b", &[])];
    let expected = expected.map(|(name, labels)| (name.to_owned(), labels.iter().map(|l| (*l).to_owned()).collect()));
    assert_eq!(asked(text), Metrics::from(expected));
}
