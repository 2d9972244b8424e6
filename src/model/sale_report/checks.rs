//! The ten checks of a report.

use serde::{Serialize, Serializer};

use super::counts::{Counts, Flow, Odd};
use super::facts::{EXAMPLES_MAX, Facts, GateView};
use crate::model::orders::OrderState;
use crate::model::sales::{SaleState, SaleStatus};

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckCode {
    /// The total is the stock at publication and what was added.
    StockTotal,
    /// Every unit is free or in an order.
    UnitsAccounted,
    /// Every accepted purchase became an order or was refused.
    TicketsDecided,
    /// Every order is in one state, and its own columns say the same.
    OrdersConsistent,
    /// No buyer has two live orders.
    OneOrderPerBuyer,
    /// No order has more units than the limit.
    LimitPerBuyer,
    /// What came in is what the paid orders cost, and surplus.
    MoneyReceived,
    /// No payment gave back more than came in.
    MoneyReturned,
    /// The gate and the database have the same units free.
    GateAgrees,
    /// The tickets of each epoch are numbered without a gap.
    SequenceComplete,
}

impl CheckCode {
    /// Every check, in the order of the report.
    pub const ALL: [Self; 10] = [
        Self::StockTotal,
        Self::UnitsAccounted,
        Self::TicketsDecided,
        Self::OrdersConsistent,
        Self::OneOrderPerBuyer,
        Self::LimitPerBuyer,
        Self::MoneyReceived,
        Self::MoneyReturned,
        Self::GateAgrees,
        Self::SequenceComplete,
    ];

    /// What must hold, in words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::StockTotal => "units in total = units at publication + units added",
            Self::UnitsAccounted => {
                "units in total = free + in unpaid orders + paid + being refunded + refunded and not sold again"
            }
            Self::TicketsDecided => "accepted purchases = orders + refused + voided",
            Self::OrdersConsistent => "orders = orders whose status agrees with their own times and identity",
            Self::OneOrderPerBuyer => "active orders = buyers with an active order",
            Self::LimitPerBuyer => "largest order ≤ limit per buyer",
            Self::MoneyReceived => "received = totals of paid orders + surplus",
            Self::MoneyReturned => "returned ≤ received, for each payment",
            Self::GateAgrees => "free units in the gate = free units in the database",
            Self::SequenceComplete => "numbers that the gate gave out = tickets with that number",
        }
    }
}

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckStatus {
    /// It does.
    Holds,
    /// It does not.
    Violated,
    /// It is unknown, or not known yet.
    Undecided,
    /// There is nothing to compare.
    NotApplicable,
}

/// Why a check is undecided, or has nothing to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// The sale is a draft.
    Draft,
    /// The sale runs, so both sides move.
    SaleRunning,
    /// Purchases wait for their decision.
    PurchasesPending,
    /// The gate does not answer.
    GateUnreachable,
    /// The gate is in the memory of a server, and a command can't ask it.
    GateNotAsked,
    /// The gate no longer holds the sale, which was over long ago.
    GateForgot,
    /// Nothing recorded the units at publication: the sale was made in SQL.
    NotRecorded,
    /// A number of a former epoch has no ticket. A node that dies can leave such a gap; no buyer received that ticket.
    FormerEpoch,
}

impl Cause {
    /// In words.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Draft => "The sale is a draft.",
            Self::SaleRunning => "The sale is running, so both numbers are changing.",
            Self::PurchasesPending => "Accepted purchases are waiting for their decision.",
            Self::GateUnreachable => "The gate did not respond.",
            Self::GateNotAsked => "The gate is in the memory of the server; see the report in the control room.",
            Self::GateForgot => "The gate no longer holds the sale, which ended long ago.",
            Self::NotRecorded => "The sale was created in SQL, so its units at publication are not recorded.",
            Self::FormerEpoch => {
                "A number from before the gate was rebuilt has no ticket. That can happen when a node is killed: it gave out the number \
                 but told nobody. It can also mean that a row was deleted."
            }
        }
    }
}

/// Something that must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Which.
    pub code: CheckCode,
    /// Its left side.
    pub left: String,
    /// Its right side.
    pub right: String,
    /// Whether it holds.
    pub status: CheckStatus,
    /// Why it is undecided, or not applicable.
    pub cause: Option<Cause>,
    /// Where the numbers come from.
    pub detail: String,
    /// Some of the rows that violate it.
    pub examples: Vec<String>,
}

impl Check {
    fn new(code: CheckCode, left: impl ToString, right: impl ToString, holds: bool) -> Self {
        let status = if holds { CheckStatus::Holds } else { CheckStatus::Violated };
        let (left, right) = (left.to_string(), right.to_string());
        Self { code, left, right, status, cause: None, detail: String::new(), examples: Vec::new() }
    }

    fn detail(self, detail: String) -> Self {
        Self { detail, ..self }
    }

    fn examples(self, examples: &[String]) -> Self {
        Self { examples: examples.to_vec(), ..self }
    }

    fn because(self, status: CheckStatus, cause: Cause) -> Self {
        Self { status, cause: Some(cause), ..self }
    }

    fn undecided(self, cause: Cause) -> Self {
        self.because(CheckStatus::Undecided, cause)
    }

    /// What must hold, its two numbers, and why it is as it is, in one sentence each.
    pub fn reason(&self) -> Option<&'static str> {
        self.cause.map(Cause::sentence)
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = serde_json::json!({
            "code": self.code, "title": self.code.title(), "left": self.left, "right": self.right, "status": self.status,
            "cause": self.cause, "reason": self.reason(), "detail": self.detail, "examples": self.examples,
        });
        object.serialize(serializer)
    }
}

/// All of them.
pub fn all(facts: &Facts, counts: &Counts) -> Vec<Check> {
    CheckCode::ALL
        .into_iter()
        .map(|code| match code {
            CheckCode::StockTotal => stock_total(facts),
            CheckCode::UnitsAccounted => units_accounted(facts, counts),
            CheckCode::TicketsDecided => tickets_decided(facts, counts),
            CheckCode::OrdersConsistent => orders_consistent(counts),
            CheckCode::OneOrderPerBuyer => one_order_per_buyer(facts, counts),
            CheckCode::LimitPerBuyer => limit_per_buyer(facts, counts),
            CheckCode::MoneyReceived => money_received(counts),
            CheckCode::MoneyReturned => money_returned(counts),
            CheckCode::GateAgrees => gate_agrees(facts),
            CheckCode::SequenceComplete => sequence_complete(facts, counts),
        })
        .collect()
}

fn stock_total(facts: &Facts) -> Check {
    let (history, total) = (facts.history, facts.offer.stock.total);
    let Some(first) = history.at_publication else {
        return Check::new(CheckCode::StockTotal, total, "?", true).undecided(Cause::NotRecorded);
    };
    let sum = i128::from(first) + i128::from(history.added) + i128::from(history.edited);
    let edited = if history.edited == 0 { String::new() } else { format!(", {:+} in SQL", history.edited) };
    Check::new(CheckCode::StockTotal, total, sum, i128::from(total) == sum)
        .detail(format!("{first} at publication, {} added{edited}", history.added))
}

fn units_accounted(facts: &Facts, counts: &Counts) -> Check {
    let (total, sum) = (facts.offer.stock.total, counts.accounted_units(facts));
    let units = |state| counts.of(state).units;
    let refunded = units(OrderState::Refunded);
    let kept = if facts.offer.sale.returns_on_refund { 0 } else { refunded };
    Check::new(CheckCode::UnitsAccounted, total, sum, u64::from(total) == sum).detail(format!(
        "{} free, {} in unpaid orders, {} paid, {} being refunded, {kept} refunded and not sold again",
        facts.offer.stock.left,
        units(OrderState::AwaitingPayment),
        units(OrderState::Paid),
        units(OrderState::Refunding),
    ))
}

fn tickets_decided(facts: &Facts, counts: &Counts) -> Check {
    let pending = match facts.gate {
        GateView::Holds { pending, .. } => pending,
        _ => 0,
    };
    let tickets = facts.tickets + pending;
    let of = |state| counts.of(state).tickets;
    let known: u64 = OrderState::ALL.into_iter().map(of).sum();
    let check = Check::new(CheckCode::TicketsDecided, tickets, known, tickets == known)
        .detail(format!(
            "{} orders, {} refused as sold out, {} as already bought, {} as ended, {} voided, {pending} waiting",
            counts.orders(),
            of(OrderState::RefusedSoldOut),
            of(OrderState::RefusedAlreadyBought),
            of(OrderState::RefusedSaleEnded),
            of(OrderState::Voided),
        ))
        .examples(&counts.unknown.examples);
    // What waits is no mistake; what is missing besides is one.
    if pending > 0 && facts.tickets == known { check.undecided(Cause::PurchasesPending) } else { check }
}

fn orders_consistent(counts: &Counts) -> Check {
    let Odd { count, examples } = &counts.contradictory;
    let orders = counts.orders();
    let of = |state| counts.of(state).tickets;
    Check::new(CheckCode::OrdersConsistent, orders, orders.saturating_sub(*count), *count == 0)
        .detail(format!(
            "{} unpaid, {} paid, {} being refunded, {} refunded, {} cancelled, {} expired",
            of(OrderState::AwaitingPayment),
            of(OrderState::Paid),
            of(OrderState::Refunding),
            of(OrderState::Refunded),
            of(OrderState::Cancelled),
            of(OrderState::Expired),
        ))
        .examples(examples)
}

fn one_order_per_buyer(facts: &Facts, counts: &Counts) -> Check {
    let (orders, buyers) = (counts.live(), facts.live_buyers);
    let examples: Vec<String> = facts.doubled.iter().map(ToString::to_string).collect();
    Check::new(CheckCode::OneOrderPerBuyer, orders, buyers, orders == buyers && examples.is_empty()).examples(&examples)
}

fn limit_per_buyer(facts: &Facts, counts: &Counts) -> Check {
    let limit = facts.history.limit_max;
    Check::new(CheckCode::LimitPerBuyer, counts.quantity_max, limit, counts.over_limit.count == 0)
        .examples(&counts.over_limit.examples)
}

/// Amounts by their unit, for people.
fn amounts(counts: &Counts, amount: impl Fn(&Flow) -> i128) -> String {
    let shown: Vec<String> = counts.flows().map(|(unit, flow)| unit.show(amount(flow))).collect();
    if shown.is_empty() { "0".to_owned() } else { shown.join(", ") }
}

fn money_received(counts: &Counts) -> Check {
    let received = amounts(counts, |flow| flow.received);
    let expected = amounts(counts, |flow| flow.totals + flow.surplus);
    let holds = counts.flows().all(|(_, flow)| flow.received == flow.totals + flow.surplus);
    let surplus = amounts(counts, |flow| flow.surplus);
    Check::new(CheckCode::MoneyReceived, received, expected, holds)
        .detail(format!("{} for paid orders, {surplus} surplus", amounts(counts, |flow| flow.totals)))
}

fn money_returned(counts: &Counts) -> Check {
    let Odd { count, examples } = &counts.over_refunded;
    let sums = counts.flows().all(|(_, flow)| flow.returned + flow.returning <= flow.received);
    let returned = amounts(counts, |flow| flow.returned);
    Check::new(CheckCode::MoneyReturned, returned, amounts(counts, |flow| flow.received), sums && *count == 0)
        .detail(format!("{} on its way back", amounts(counts, |flow| flow.returning)))
        .examples(examples)
}

fn gate_agrees(facts: &Facts) -> Check {
    let (code, stored) = (CheckCode::GateAgrees, facts.offer.stock.left);
    let check = |left: &str| Check::new(code, left, stored, true);
    if facts.offer.sale.state == SaleState::Draft {
        return check("–").because(CheckStatus::NotApplicable, Cause::Draft);
    }
    match facts.gate {
        GateView::Absent if facts.status() == SaleStatus::Ended => {
            check("–").because(CheckStatus::NotApplicable, Cause::GateForgot)
        }
        // Closed until it is rebuilt.
        GateView::Absent | GateView::Unreachable => check("?").undecided(Cause::GateUnreachable),
        GateView::NotAsked { .. } => check("?").undecided(Cause::GateNotAsked),
        GateView::Holds { left, pending, .. } => {
            let (left, stored) = facts.drift.unwrap_or((left, u64::from(stored)));
            let check = Check::new(code, left, stored, left == stored);
            match facts.status() {
                _ if pending > 0 => check.undecided(Cause::PurchasesPending),
                SaleStatus::Ended => check,
                // Events are on their way to the gate.
                _ if left != stored => check.undecided(Cause::SaleRunning),
                _ => check,
            }
        }
    }
}

fn sequence_complete(facts: &Facts, counts: &Counts) -> Check {
    let current = facts.offer.sale.epoch;
    let given_now = match facts.gate {
        GateView::Holds { epoch, seq, .. } if epoch == current => seq,
        _ => 0,
    };
    let (mut given, mut rows, mut is_former) = (0_u128, 0_u128, true);
    let (mut examples, mut seen) = (Vec::new(), false);
    for (epoch, count) in counts.epochs() {
        let last = if epoch == current { count.last.max(given_now) } else { count.last };
        seen |= epoch == current;
        given += u128::from(last);
        rows += u128::from(count.rows);
        let missing = count.missing.or((count.last < last).then_some(count.last + 1));
        if let Some(first) = missing.filter(|_| last != count.rows) {
            is_former &= epoch != current;
            examples.push(format!(
                "epoch {epoch}: {} missing, the first is {first}",
                i128::from(last) - i128::from(count.rows)
            ));
        }
    }
    if !seen && given_now > 0 {
        given += u128::from(given_now);
        is_former = false;
        examples.push(format!("epoch {current}: {given_now} missing, the first is 1"));
    }
    let epochs = counts.epochs().count();
    examples.truncate(EXAMPLES_MAX);
    let check = Check::new(CheckCode::SequenceComplete, given, rows, given == rows)
        .detail(format!("{epochs} {}", if epochs == 1 { "epoch" } else { "epochs" }))
        .examples(&examples);
    if given == rows {
        check
    } else if facts.status() != SaleStatus::Ended {
        check.undecided(Cause::SaleRunning)
    } else if facts.gate == GateView::Unreachable {
        check.undecided(Cause::GateUnreachable)
    } else if !facts.is_decided() {
        check.undecided(Cause::PurchasesPending)
    } else if is_former {
        check.undecided(Cause::FormerEpoch)
    } else {
        check
    }
}
