//! The report of a sale.

use async_graphql::{Context, Enum, Object};

use super::int::clamped;
use super::sales::SaleObject;
use super::scalars::{DateTime, Money, Url};
use crate::api::graphql::context::ContextExt as _;
use crate::model::sale_report::{Cause, Check, CheckCode, CheckStatus, Line, Report, Verdict};

/// A condition that every sale must meet.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "CheckCode")]
pub enum SaleReportCheckCode {
    /// The total number of units is the number at publication plus the units that were added.
    StockTotal,
    /// Every unit is available or belongs to an order.
    UnitsAccounted,
    /// Every accepted purchase resulted in an order or a rejection.
    TicketsDecided,
    /// Every order has exactly one status, which agrees with its times and its identity.
    OrdersConsistent,
    /// No buyer has two active orders.
    OneOrderPerBuyer,
    /// No order has more units than the limit per buyer.
    LimitPerBuyer,
    /// The money received is the total of the paid orders plus the surplus.
    MoneyReceived,
    /// No payment was refunded by more than was received.
    MoneyReturned,
    /// The gate and the database agree about the available units.
    GateAgrees,
    /// The tickets of each epoch are numbered without gaps.
    SequenceComplete,
}

/// The result of a check.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "CheckStatus")]
pub enum SaleReportCheckStatus {
    /// The condition holds.
    Holds,
    /// The condition is violated.
    Violated,
    /// It can't be determined, or not yet. `cause` explains it.
    Undecided,
    /// There is nothing to compare. `cause` explains it.
    NotApplicable,
}

/// Why a check is undecided or not applicable.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Cause")]
pub enum SaleReportCheckCause {
    /// The sale is a draft.
    Draft,
    /// The sale is running, so both numbers are changing.
    SaleRunning,
    /// Accepted purchases are waiting for their decision.
    PurchasesPending,
    /// The gate did not respond.
    GateUnreachable,
    /// The gate is in the memory of the server, and a command can't query it.
    GateNotAsked,
    /// The gate no longer holds the sale, which ended long ago.
    GateForgot,
    /// The sale was created in SQL, so its units at publication are not recorded.
    NotRecorded,
    /// A number from before the gate was rebuilt has no ticket: either a node was killed before it told anybody, or a row was deleted.
    FormerEpoch,
}

/// The result of all checks of a sale.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Verdict")]
pub enum SaleReportStatus {
    /// All checks hold, and the sale is settled.
    Holds,
    /// No check is violated, but the sale is not settled, or a check is undecided.
    Provisional,
    /// A check is violated.
    Violated,
}

/// What became of every unit and every accepted purchase of a sale.
pub struct SaleReport(pub Report);

/// What became of every unit and every accepted purchase of a sale.
#[Object]
impl SaleReport {
    /// The sale.
    async fn sale(&self, ctx: &Context<'_>) -> SaleObject {
        SaleObject::single(ctx.services(), self.0.offer.clone())
    }

    /// When the report was made. All numbers of the database are of this moment.
    async fn as_of(&self) -> DateTime {
        DateTime(self.0.as_of)
    }

    /// Whether the sale has ended, every purchase is decided, no order can still be paid and no refund is in progress. While false, the
    /// numbers change by themselves.
    async fn settled(&self) -> bool {
        self.0.settled
    }

    /// The result in one word.
    async fn verdict(&self) -> SaleReportStatus {
        self.0.verdict().into()
    }

    /// Whether all checks hold and the sale is settled.
    async fn holds(&self) -> bool {
        self.0.verdict() == Verdict::Holds
    }

    /// The numbers.
    async fn lines(&self) -> Vec<SaleReportLine> {
        self.0.lines.iter().cloned().map(SaleReportLine).collect()
    }

    /// The ten checks.
    async fn checks(&self) -> Vec<SaleReportCheck> {
        self.0.checks.iter().cloned().map(SaleReportCheck).collect()
    }

    /// The SHA-256 of the CSV file with all rows, in hexadecimal, as shoppers see it in `SaleOutcome.digest`. Null until the sale is
    /// settled.
    async fn digest(&self) -> Option<&str> {
        self.0.digest.as_deref()
    }

    /// Where operators download all rows: append `?format=csv` or `?format=json`. Downloads are audited.
    async fn download_url(&self) -> Url {
        Url(self.0.download_path())
    }
}

/// A number of a report.
pub struct SaleReportLine(Line);

/// A number of a report.
#[Object]
impl SaleReportLine {
    /// The name, such as `units.paid`.
    async fn name(&self) -> &str {
        self.0.name
    }

    /// The number of units, tickets, orders, payments or points.
    async fn count(&self) -> i32 {
        clamped(self.0.count)
    }

    /// The amount of money. Null if the line is not about money.
    async fn amount(&self) -> Option<Money> {
        self.0.amount.map(Money)
    }
}

/// A check of a report.
pub struct SaleReportCheck(Check);

/// A check of a report.
#[Object]
impl SaleReportCheck {
    /// The condition.
    async fn code(&self) -> SaleReportCheckCode {
        self.0.code.into()
    }

    /// The condition in words.
    async fn title(&self) -> &str {
        self.0.code.title()
    }

    /// The left side.
    async fn left(&self) -> &str {
        &self.0.left
    }

    /// The right side.
    async fn right(&self) -> &str {
        &self.0.right
    }

    /// The result.
    async fn status(&self) -> SaleReportCheckStatus {
        self.0.status.into()
    }

    /// Whether the condition holds.
    async fn holds(&self) -> bool {
        self.0.status == CheckStatus::Holds
    }

    /// Why the check is undecided or not applicable. Null otherwise.
    async fn cause(&self) -> Option<SaleReportCheckCause> {
        self.0.cause.map(Into::into)
    }

    /// What the numbers consist of, in words. May be empty.
    async fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Some of the rows that violate the condition.
    async fn examples(&self) -> Vec<&str> {
        self.0.examples.iter().map(String::as_str).collect()
    }
}
