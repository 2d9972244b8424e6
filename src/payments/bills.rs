//! Compares the gateway's bill of a day with the records. Payments in the bill that are not recorded as paid are
//! queried at the gateway and applied like any other response. Nothing else changes automatically: discrepancies are
//! recorded for operators.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use super::Payments;
use crate::gateway::{BillRow, Outcome};
use crate::kernel::{BillDifferenceId, PaymentId, RefundId};
use crate::model::bills::{BillReport, Ours};
use crate::orders::OrdersError;
use crate::payments::reconciliation::{compare, day_of, key, start_of};
use crate::store;

/// Numbers in one question to the database.
const CHUNK: usize = 500;
/// How far the gateway's clock may be off, and a message be late, before a payment is expected in the bill of its day.
const SLACK: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
pub enum BillTrouble {
    /// No gateway is configured.
    #[error("no payment gateway is configured")]
    NoGateway,
    /// There is no bill (yet), or it can't be had or read.
    #[error("no bill for {day}: {why}")]
    NoBill {
        /// Of this day.
        day: String,
        /// Why.
        why: String,
    },
    /// Something that orders need does not work.
    #[error(transparent)]
    Orders(#[from] OrdersError),
}

impl From<store::StoreError> for BillTrouble {
    fn from(error: store::StoreError) -> Self {
        Self::Orders(error.into())
    }
}

impl Payments {
    /// Compares the bill of a day with the records and writes down what differs. Doing it again brings the report up to date.
    pub async fn reconcile_bill(&self, day: jiff::civil::Date) -> Result<BillReport, BillTrouble> {
        let bill = self.bill_of(day).await?;
        let mut ours = self.ours_of(&bill).await?;
        if self.catch_up(&bill, &ours).await? {
            ours = self.ours_of(&bill).await?;
        }
        let start = start_of(day);
        let (from, to) = (start.minus(SLACK), start.plus(DAY - SLACK));
        let expected = store::read!(&self.0.db, |conn| sql::bills::learnt(conn, from, to).await)?;
        let elsewhere = self.elsewhere(day, &bill, &expected).await?;
        let compared = compare(&bill, &ours, &expected, &elsewhere);
        let (name, now) = (day.to_string(), self.0.clock.now());
        let new_id = || BillDifferenceId::generate(&self.0.clock, &self.0.rng);
        let found: Vec<_> = compared.differences.iter().map(|found| (new_id(), found.clone())).collect();
        let report = store::write!(&self.0.db, |conn| {
            sql::bills::record(conn, &name, &compared, &found, now).await?;
            sql::bills::report(conn, &name).await
        })?;
        let report = report.ok_or_else(|| store::StoreError::internal("a bill comparison is missing"))?;
        self.0.counts_due.notify_one();
        match report.open().count() {
            0 => tracing::info!(%day, "the bill agrees with the records, except for closed discrepancies"),
            open => {
                tracing::error!(%day, differences = open, "the bill differs from the records; an operator must review it");
            }
        }
        Ok(report)
    }

    /// Compares the days that are due: those of the last `days` days that never were, and those with open differences. A day is due
    /// `after` its end. Returns how many were compared.
    pub async fn reconcile_due(&self, after: Duration, days: u32) -> Result<usize, BillTrouble> {
        let last = day_of(self.0.clock.now().minus(after)).yesterday().unwrap_or(jiff::civil::Date::MIN);
        let first = last.saturating_sub(jiff::Span::new().days(i64::from(days.max(1)) - 1));
        let from = first.to_string();
        let done = store::read!(&self.0.db, |conn| sql::bills::compared_since(conn, &from).await)?;
        let open = store::read!(&self.0.db, |conn| sql::bills::days_with_differences(conn).await)?;
        let recent = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
        let due: Vec<_> = recent
            .filter(|day| {
                let name = day.to_string();
                !done.contains(&name) || open.contains(&name)
            })
            .collect();
        let mut failed = None;
        for day in &due {
            if let Err(error) = self.reconcile_bill(*day).await {
                tracing::warn!(%day, %error, "could not compare the bill");
                failed = Some(error);
            }
        }
        failed.map_or(Ok(due.len()), Err)
    }

    async fn bill_of(&self, day: jiff::civil::Date) -> Result<Vec<BillRow>, BillTrouble> {
        let gateway = self.0.gateway.as_ref().ok_or(BillTrouble::NoGateway)?;
        let why = match gateway.bill(day).await {
            Outcome::Succeeded(rows) => return Ok(rows),
            Outcome::Pending { code } | Outcome::Rejected { code } => code,
            Outcome::Unknown { reason } | Outcome::Misconfigured { reason } => reason,
        };
        Err(BillTrouble::NoBill { day: day.to_string(), why })
    }

    async fn ours_of(&self, bill: &[BillRow]) -> Result<Vec<Ours>, OrdersError> {
        let numbers: BTreeSet<&str> = bill.iter().map(key).collect();
        let numbers: Vec<&str> = numbers.into_iter().collect();
        let mut all = Vec::with_capacity(numbers.len());
        for numbers in numbers.chunks(CHUNK) {
            let payments: Vec<_> = numbers.iter().filter_map(|number| PaymentId::from_number(number)).collect();
            let refunds: Vec<_> = numbers.iter().filter_map(|number| RefundId::from_number(number)).collect();
            let is_ours =
                |number: &str| PaymentId::from_number(number).is_some() || RefundId::from_number(number).is_some();
            let others: Vec<String> =
                numbers.iter().filter(|number| !is_ours(number)).map(|number| (*number).to_owned()).collect();
            all.extend(store::read!(&self.0.db, |conn| {
                sql::bills::of_numbers(conn, &payments, &refunds, &others).await
            })?);
        }
        Ok(all)
    }

    /// Asks the gateway for what the bill has as paid, or as paid back, and we have not. Whether there was any.
    async fn catch_up(&self, bill: &[BillRow], ours: &[Ours]) -> Result<bool, OrdersError> {
        let behind: HashSet<&str> = ours.iter().filter(|ours| !ours.moved).map(|ours| ours.number.as_str()).collect();
        for row in bill.iter().filter(|row| behind.contains(key(row))) {
            let Some(payment) = PaymentId::from_number(&row.number) else { continue };
            if row.refund_number.is_some() {
                let now = self.0.clock.now();
                store::write!(&self.0.db, |conn| sql::refunds::hurry(conn, payment, now).await)?;
                continue;
            }
            if let Some(payment) = self.payment(payment).await? {
                tracing::warn!(number = row.number, "the bill has a payment that is not recorded");
                self.ask(&payment).await?;
            }
        }
        let refunds = bill.iter().any(|row| row.refund_number.is_some() && behind.contains(key(row)));
        if refunds {
            self.drive_due_refunds().await?;
        }
        Ok(!behind.is_empty())
    }

    /// Numbers that are expected and are not in this bill, but were in that of another day: around midnight, or heard of late.
    async fn elsewhere(
        &self,
        day: jiff::civil::Date,
        bill: &[BillRow],
        expected: &[Ours],
    ) -> Result<BTreeSet<String>, BillTrouble> {
        let here: HashSet<&str> = bill.iter().map(key).collect();
        let absent = expected.iter().filter(|ours| !here.contains(ours.number.as_str()));
        let absent: Vec<String> = absent.map(|ours| ours.number.clone()).collect();
        if absent.is_empty() {
            return Ok(BTreeSet::new());
        }
        let mut found: BTreeSet<String> = BTreeSet::new();
        if let Ok(before) = day.yesterday() {
            found.extend(self.bill_of(before).await?.iter().map(|row| key(row).to_owned()));
        }
        let name = day.to_string();
        for numbers in absent.chunks(CHUNK) {
            let (name, numbers) = (name.clone(), numbers.to_vec());
            found.extend(store::read!(&self.0.db, |conn| {
                sql::bills::seen_on_other_days(conn, &name, numbers).await
            })?);
        }
        Ok(found)
    }
}
