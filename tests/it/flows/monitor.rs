//! What clients see while something is wrong: readiness and lists of each node, results that are pushed, and what an operator's act
//! comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use doorbuster::demo::history::{Entry, OrderStatus, Reply, Step, TicketStatus};
use doorbuster::demo::server;
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, SaleId, TicketId, Timestamp};
use doorbuster::model::facts::Facts;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::scenario::Run;
use crate::support::{PATIENCE, until};

/// What stands for an answer by which a node sheds load.
const SHED: &str = "overloaded";
/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// Longer than a node that stands still in these tests does so.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Run {
    /// What the database says now, but for a sale whose rows were edited.
    pub async fn facts(&self) -> Facts {
        self.but_for_apart(Facts::read(&self.launches[0].open_database().await.unwrap()).await.unwrap())
    }

    /// Leaves that sale out.
    pub fn but_for_apart(&self, mut facts: Facts) -> Facts {
        if let Some(apart) = self.apart.get() {
            facts.sales.retain(|sale| sale.id != *apart);
            facts.orders.retain(|order| order.sale != *apart);
        }
        facts
    }
}

/// What was seen of one node.
#[derive(Debug, Default)]
pub struct Seen {
    looks: u32,
    /// Looks at which the node took no traffic, because it said so or was not there.
    unready: u32,
    /// How long each list took that was answered.
    lists: Vec<Duration>,
    /// Lists that were refused, by their code.
    refused: BTreeMap<String, u32>,
}

impl Seen {
    /// Whether the node took traffic and answered lists at each look, unless it had more to do than it can.
    pub fn is_good(&self) -> bool {
        self.looks > 0 && self.unready == 0 && self.refused.keys().all(|code| code == SHED)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { looks, unready, lists, refused } = self;
        write!(f, "unready {unready}/{looks}, lists p99 {:.0?}", quantile(lists, 0.99))?;
        if refused.is_empty() { Ok(()) } else { write!(f, ", refused {refused:?}") }
    }
}

/// The value below which this part of the values is; zero of none.
pub fn quantile(values: &[Duration], part: f64) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = (sorted.len() as f64 * part) as usize;
    sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// When each ticket was decided, and how long after that its outcome was pushed, for those who were subscribed by then.
pub fn push_latencies(entries: &[Entry], facts: &Facts) -> Vec<(Timestamp, Duration)> {
    let decided: BTreeMap<TicketId, Timestamp> =
        facts.orders.iter().map(|order| (order.id, order.decided_at)).collect();
    let mut pushed = BTreeMap::new();
    for entry in entries {
        if let Step::Push { seen: Reply::Ticket(seen) } = &entry.step
            && seen.status != TicketStatus::Queued
        {
            pushed.entry(seen.id).or_insert(entry.wall);
        }
    }
    pushed.iter().filter_map(|(id, wall)| decided.get(id).map(|decided| (*decided, wall.since(*decided)))).collect()
}

/// A node, as a client reaches it.
struct Node {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Node {
    fn at(address: SocketAddr) -> Self {
        Self { address, http: reqwest::Client::builder().timeout(TIMEOUT).build().unwrap() }
    }

    /// The response, if there is one in time.
    async fn post(&self, token: Option<&str>, body: &Value) -> Option<Value> {
        let request = self.http.post(format!("http://{}/graphql", self.address)).json(body);
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.ok()?.json().await.ok()
    }
}

/// Looks at the nodes until it is stopped.
pub struct Monitor {
    stop: CancellationToken,
    nodes: Vec<JoinHandle<Seen>>,
}

impl Monitor {
    /// Begins.
    pub fn start(nodes: &[SocketAddr]) -> Self {
        let stop = CancellationToken::new();
        let nodes = nodes.iter().map(|node| tokio::spawn(look_at(*node, stop.clone()))).collect();
        Self { stop, nodes }
    }

    /// What was seen of each node.
    pub async fn stop(self) -> Vec<Seen> {
        self.stop.cancel();
        let mut all = Vec::new();
        for node in self.nodes {
            all.push(node.await.unwrap());
        }
        all
    }
}

async fn look_at(node: SocketAddr, stop: CancellationToken) -> Seen {
    let (mut seen, node) = (Seen::default(), Node::at(node));
    let list = json!({ "query": "{ sales(first: 20) { nodes { id status stockRemaining } } }" });
    while !stop.is_cancelled() {
        seen.looks += 1;
        if server::status(node.address, "/health/ready").await != Some(200) {
            seen.unready += 1;
        }
        let begun = Instant::now();
        match node.post(None, &list).await {
            Some(answer) if answer.get("errors").is_none() => seen.lists.push(begun.elapsed()),
            Some(answer) => {
                let error = &answer["errors"][0];
                let shed = error["message"].as_str().is_some_and(|message| message.contains("overloaded"));
                let code = error["extensions"]["code"].as_str().unwrap_or_default();
                *seen.refused.entry(if shed { SHED } else { code }.to_owned()).or_default() += 1;
            }
            None => *seen.refused.entry("no answer".to_owned()).or_default() += 1,
        }
        sleep(EVERY).await;
    }
    seen
}

/// An operator ends a sale while something is wrong, and buyers go on pressing.
pub struct Ending {
    sale: SaleId,
    nodes: Vec<SocketAddr>,
    ended: JoinHandle<Timestamp>,
    stop: CancellationToken,
    buyers: JoinHandle<()>,
}

impl Ending {
    /// Begins. The operator asks again until the shop answers.
    pub fn start(nodes: Vec<SocketAddr>, sale: SaleId, operator: Account, buyers: Vec<Account>) -> Self {
        let stop = CancellationToken::new();
        let ended = tokio::spawn(end(Node::at(nodes[0]), sale, operator));
        let pressing = tokio::spawn(press(nodes.clone(), sale, buyers, stop.clone()));
        Self { sale, nodes, ended, stop, buyers: pressing }
    }

    /// Once nothing is wrong any more: each node refuses `late`, one buyer for each. The moment at which the operator was answered.
    pub async fn finish(self, late: Vec<Account>) -> Ended {
        let at = self.ended.await.unwrap();
        self.stop.cancel();
        self.buyers.await.unwrap();
        for (node, buyer) in self.nodes.iter().zip(late) {
            let node = Node::at(*node);
            until("the sale is over on each node", async || buy(&node, &buyer, self.sale).await == "SALE_ENDED").await;
        }
        Ended { sale: self.sale, at }
    }
}

/// A sale that was ended.
pub struct Ended {
    sale: SaleId,
    at: Timestamp,
}

impl Ended {
    /// Orders of tickets that were admitted after the operator had been answered.
    pub fn sold_on(&self, facts: &Facts) -> Vec<TicketId> {
        let wrong = facts
            .orders
            .iter()
            .filter(|order| order.sale == self.sale && order.created_at > self.at && order.state.refusal().is_none());
        wrong.map(|order| order.id).collect()
    }
}

/// Asks until the sale has ended, also by a request that got no answer; when that is known.
async fn end(node: Node, sale: SaleId, operator: Account) -> Timestamp {
    let query = "mutation($s: ID!) { saleEnd(input: { saleId: $s }) { sale { status } userErrors { code } } }";
    let body = json!({ "query": query, "variables": { "s": sale } });
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = node.post(Some(&operator.token), &body).await.unwrap_or_default();
        let payload = &answer["data"]["saleEnd"];
        if payload["sale"]["status"] == "ENDED" || payload["userErrors"][0]["code"] == "SALE_ENDED" {
            return Clock::system().now();
        }
        assert!(Instant::now() < deadline, "the sale could not be ended: {answer}");
        sleep(EVERY).await;
    }
}

/// Each buyer once, at one node after the other.
async fn press(nodes: Vec<SocketAddr>, sale: SaleId, buyers: Vec<Account>, stop: CancellationToken) {
    let nodes: Vec<_> = nodes.into_iter().map(Node::at).collect();
    for (node, buyer) in nodes.iter().cycle().zip(buyers) {
        if stop.is_cancelled() {
            return;
        }
        buy(node, &buyer, sale).await;
        sleep(EVERY).await;
    }
}

/// The code of the answer; empty when there is a ticket.
async fn buy(node: &Node, buyer: &Account, sale: SaleId) -> String {
    let query = "mutation($s: ID!) { salePurchase(input: { saleId: $s, idempotencyKey: \"monitored\", quantity: 1 }) \
                 { ticket { id } userErrors { code } } }";
    let body = json!({ "query": query, "variables": { "s": sale } });
    let answer = node.post(Some(&buyer.token), &body).await.unwrap_or_else(|| json!("no answer"));
    let code: &Value = match answer.get("errors") {
        Some(errors) => &errors[0]["extensions"]["code"],
        None => &answer["data"]["salePurchase"]["userErrors"][0]["code"],
    };
    code.as_str().unwrap_or_default().to_owned()
}

/// The ticket that this entry gave to a buyer.
pub fn ticket_of(entry: &Entry) -> Option<TicketId> {
    match &entry.step {
        Step::Ok { reply: Reply::Ticket(seen) } => Some(seen.id),
        _ => None,
    }
}

/// How often buyers were told that an order is cancelled.
pub fn cancellations(entries: &[Entry]) -> usize {
    let is_one = |entry: &&Entry| matches!(&entry.step, Step::Ok { reply: Reply::Order(seen) } if seen.status == OrderStatus::Cancelled);
    entries.iter().filter(is_one).count()
}
