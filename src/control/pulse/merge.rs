//! Frames from parts: which second a part belongs to, when a frame is closed, and which nodes there are. Without I/O and without a clock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::alerts::{Alerts, Situation};
use super::frame::{Frame, SaleNumbers};
use super::part::{Gated, Part, People, add_sparse};
use super::sums::Sums;
use crate::kernel::{Currency, Money, SaleId, Timestamp};
use crate::model::sales::SaleStatus;
use crate::telemetry::Answer;

/// Frames that are kept.
pub const KEPT: usize = 900;
/// Seconds that the clock of another node may be ahead.
const AHEAD: i64 = 60;
/// Nodes that are remembered at most.
const NODES_MAX: usize = 1_000;
/// A node that was silent for so many seconds is not expected any more.
const FORGET_AFTER: i64 = 300;
/// Looks at gates and at what waits for a person that are older than so many seconds say nothing any more.
const GATES_FRESH: i64 = 3;
const PEOPLE_FRESH: i64 = 60;
/// Sales in one frame.
const SALES_MAX: usize = 20;

/// What is known of a sale outside of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleFacts {
    /// The sale.
    pub sale: SaleId,
    /// Its status.
    pub status: SaleStatus,
    /// Units in all.
    pub total: u32,
    /// Units free in the database.
    pub free: u32,
    /// Units in unpaid orders.
    pub held: u32,
    /// What it is sold in.
    pub currency: Currency,
}

/// The settings that matter here.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// `node.lease`: a node that is silent for longer raises an alert.
    pub lease: Duration,
    /// `limits.latency_target`
    pub latency_target: Duration,
}

#[derive(Debug)]
struct Node {
    started: i64,
    number: u64,
    /// Of its first part.
    since: i64,
    /// Of its last part.
    second: i64,
    /// By the clock of the node that hears, so that clocks are not compared.
    heard: i64,
    api: bool,
    left: bool,
    unready: Option<String>,
    down: Vec<String>,
}

#[derive(Debug, Default)]
struct SaleState {
    answers: [u64; Answer::COUNT],
    sums: Sums,
}

/// Everything that was heard.
#[derive(Debug)]
pub struct Merge {
    bounds: Bounds,
    nodes: BTreeMap<String, Node>,
    open: BTreeMap<i64, Frame>,
    /// Closed frames without a gap, the oldest first.
    ring: VecDeque<Arc<Frame>>,
    sales: HashMap<SaleId, SaleState>,
    gates: Option<(i64, HashMap<SaleId, Gated>)>,
    people: Option<(i64, People)>,
    alerts: Alerts,
}

impl Merge {
    /// Nothing was heard.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            nodes: BTreeMap::new(),
            open: BTreeMap::new(),
            ring: VecDeque::new(),
            sales: HashMap::new(),
            gates: None,
            people: None,
            alerts: Alerts::default(),
        }
    }

    /// Takes a part, heard in this second. A second copy of it changes nothing, and neither does one of another time.
    pub fn add(&mut self, part: Part, now: i64) {
        let oldest = self.ring.front().map_or(now - KEPT as i64, |frame| frame.second);
        if part.second < oldest || part.second > now + AHEAD || !self.meet(&part, now) {
            return;
        }
        match self.ring.iter().position(|frame| frame.second == part.second) {
            // Too late for subscribers. Queries of past frames include it.
            Some(index) => Arc::make_mut(&mut self.ring[index]).add(&part),
            None => self.open.entry(part.second).or_insert_with(|| Frame::new(part.second)).add(&part),
        }
        for sale in &part.sales {
            let state = self.sales.entry(sale.sale).or_default();
            add_sparse(&mut state.answers, &sale.answers);
            if let Some(committed) = &sale.committed {
                state.sums.add(committed, part.second - part.before, part.second);
            }
        }
        if let Some(gates) = part.gates {
            self.gates = Some((now, gates.into_iter().map(|gated| (gated.sale, gated)).collect()));
        }
        if let Some(people) = part.people {
            self.people = Some((now, people));
        }
    }

    /// Whether the part is new. What was missed before it is missing from the sums.
    fn meet(&mut self, part: &Part, now: i64) -> bool {
        let known = self.nodes.get(&part.node);
        let node = Node {
            started: part.started,
            number: part.number,
            since: known.filter(|known| known.started == part.started).map_or(part.second, |known| known.since),
            second: part.second,
            heard: now,
            api: part.api,
            left: part.leaving,
            unready: part.unready.clone(),
            down: part.down.clone(),
        };
        let missed = match known {
            Some(known) if known.started == part.started && part.number <= known.number => return false,
            Some(known) if known.started > part.started && !known.left => return false,
            Some(known) if known.started == part.started => part.number != known.number + 1,
            // The end of its former process may have been lost with it.
            Some(known) => !known.left || part.number != 1,
            None if self.nodes.len() >= NODES_MAX => return false,
            None => part.number != 1,
        } || part.leaving; // No later part reports what it still commits.
        if missed {
            self.sales.values_mut().for_each(|sale| sale.sums.forget());
        }
        self.nodes.insert(part.node.clone(), node);
        true
    }

    /// Closes all frames up to this second, and tells whether there is a new one. `facts` are the listed sales.
    pub fn close(&mut self, second: i64, now: Timestamp, facts: &HashMap<SaleId, SaleFacts>) -> Option<Arc<Frame>> {
        if self.ring.back().is_some_and(|last| last.second > second + AHEAD) {
            // The clock was set back.
            self.ring.clear();
            self.open.clear();
        }
        // Before anything was heard, there is nothing to tell.
        let next = match self.ring.back() {
            Some(last) => last.second + 1,
            None => *self.open.first_key_value()?.0,
        };
        let first = next.max(second - KEPT as i64 + 1);
        if self.ring.back().is_some_and(|last| last.second + 1 < first) {
            // The clock was set ahead by more than is kept.
            self.ring.clear();
        }
        // Nobody waits for them any more.
        self.open.retain(|open, _| *open >= first);
        self.sales.retain(|sale, _| facts.contains_key(sale));
        for sale in facts.keys() {
            self.sales.entry(*sale).or_default().sums.settle(second);
        }
        for second in first..=second {
            let frame = self.open.remove(&second).unwrap_or_else(|| Frame::new(second));
            let frame = Arc::new(self.finished(frame, now, facts));
            self.ring.push_back(frame);
            if self.ring.len() > KEPT {
                self.ring.pop_front();
            }
        }
        self.ring.back().filter(|_| first <= second).cloned()
    }

    fn finished(&mut self, mut frame: Frame, now: Timestamp, facts: &HashMap<SaleId, SaleFacts>) -> Frame {
        let heard_at = now.as_millis() / 1_000;
        self.nodes
            .retain(|_, node| heard_at - node.heard <= FORGET_AFTER && !(node.left && node.second < frame.second));
        let running = self.nodes.values().filter(|node| node.since <= frame.second).count();
        frame.running = running.max(frame.heard);
        let fresh = self.gates.as_ref().filter(|(at, _)| heard_at - at <= GATES_FRESH).map(|(_, gates)| gates);
        let gates = || fresh.into_iter().flat_map(HashMap::values);
        let drifting: Vec<(SaleId, u64)> =
            gates().map(|gated| (gated.sale, gated.drift.unsigned_abs())).filter(|(_, units)| *units > 0).collect();
        frame.end.waiting = fresh.map(|_| gates().map(|gated| u64::from(gated.pending)).sum());
        frame.end.oldest_ms = fresh.map(|_| gates().map(|gated| gated.oldest_ms).max().unwrap_or(0));
        frame.end.drift = fresh.map(|_| drifting.iter().map(|(_, units)| units).sum());
        let people = self.people.filter(|(at, _)| heard_at - at <= PEOPLE_FRESH).map(|(_, people)| people);
        frame.end.people = people.map(|people| people.messages + people.money + people.bills);
        let situation = self.situation(heard_at, drifting, people);
        frame.end.alerts = self.alerts.of(&frame, &situation);
        frame.end.sales = self.busiest(&frame, now, facts);
        frame.busy = HashMap::new();
        frame
    }

    fn situation(&self, now: i64, drifting: Vec<(SaleId, u64)>, people: Option<People>) -> Situation {
        let silent_for = |node: &Node| now - node.heard;
        let lease = self.bounds.lease.as_secs() as i64;
        let present = || self.nodes.iter().filter(move |(_, node)| silent_for(node) <= lease && !node.left);
        let silent = self.nodes.iter().filter(|(_, node)| silent_for(node) > lease);
        Situation {
            silent: silent.map(|(name, node)| (name.clone(), silent_for(node).unsigned_abs())).collect(),
            unready: present().filter_map(|(name, node)| Some((name.clone(), node.unready.clone()?))).collect(),
            down: present()
                .flat_map(|(name, node)| node.down.iter().map(|down| (down.clone(), name.clone())))
                .collect(),
            drifting,
            people,
            latency_target: self.bounds.latency_target,
        }
    }

    fn busiest(&self, frame: &Frame, now: Timestamp, facts: &HashMap<SaleId, SaleFacts>) -> Vec<SaleNumbers> {
        let mut busy: Vec<(u64, SaleId)> = frame.busy.iter().map(|(sale, count)| (*count, *sale)).collect();
        busy.sort_unstable_by(|(a, first), (b, second)| b.cmp(a).then(first.cmp(second)));
        let listed = busy.into_iter().filter_map(|(_, sale)| facts.get(&sale));
        listed.take(SALES_MAX).map(|facts| self.numbers(facts, now)).collect()
    }

    /// A sale in numbers.
    pub fn numbers(&self, facts: &SaleFacts, now: Timestamp) -> SaleNumbers {
        let SaleFacts { sale, status, total, free, held, currency } = *facts;
        let state = self.sales.get(&sale);
        let heard_at = now.as_millis() / 1_000;
        let fresh = self.gates.as_ref().filter(|(at, _)| heard_at - at <= GATES_FRESH);
        let gated = fresh.and_then(|(_, gates)| gates.get(&sale));
        let waiting = gated.map(|gated| u64::from(gated.pending));
        let sums = state.and_then(|state| state.sums.now());
        SaleNumbers {
            sale,
            as_of: now,
            status,
            total,
            free,
            free_in_gate: gated.map(|gated| gated.free),
            held,
            paid: sums.map(|sums| sums.units_paid),
            tickets: sums.zip(waiting).map(|(sums, waiting)| sums.tickets + waiting),
            waiting,
            refused: sums.map(|sums| sums.refused),
            answers: state.map_or([0; Answer::COUNT], |state| state.answers),
            revenue: sums.map(|sums| Money { minor: sums.revenue, currency }),
        }
    }

    /// The newest closed frames, at most so many, the oldest first.
    pub fn last(&self, frames: usize) -> Vec<Arc<Frame>> {
        self.ring.iter().skip(self.ring.len().saturating_sub(frames)).cloned().collect()
    }

    /// Whether it is this node's turn to look at what one node looks at for all: it is the first of those that were heard lately.
    pub fn has_turn(&self, node: &str, now: i64) -> bool {
        let present = |(_, other): &(&String, &Node)| other.api && !other.left && now - other.heard <= GATES_FRESH;
        self.nodes.iter().find(present).is_none_or(|(first, _)| first == node)
    }

    /// Listed sales whose sums are not known, and of which none is being read.
    pub fn unknown_sums(&self) -> Vec<SaleId> {
        self.sales.iter().filter(|(_, state)| state.sums.is_unknown()).map(|(sale, _)| *sale).collect()
    }

    /// What the database had for a sale between these seconds.
    pub fn seed(&mut self, sale: SaleId, sums: crate::model::sums::SaleSums, from: i64, until: i64) {
        if let Some(state) = self.sales.get_mut(&sale) {
            state.sums.seed(sums, from, until);
        }
    }
}

#[cfg(test)]
mod tests;
