//! Input for sessions and sales, and its validation.

use std::time::Duration;

use crate::catalog::{PriceInput, Problem, Reason, absent_if_blank, is_line, price};
use crate::kernel::{INT_MAX, ProductId, SaleId, SessionId, Timestamp, text};
use crate::model::sales::{Sale, SaleState, Session};

/// Characters of a reason at most.
const REASON_MAX: usize = 500;

/// Units of a sale at most.
pub const STOCK_MAX: i64 = 10_000_000;
/// Units one buyer may be allowed at most.
pub const LIMIT_PER_BUYER_MAX: i64 = 1_000;
/// How long an order may wait for its payment at most, in seconds.
pub const PAY_WITHIN_MAX: i64 = 7 * 86_400;
/// Price in points of one unit at most; of as many as one buyer may hold, [`INT_MAX`].
pub const POINTS_PRICE_MAX: i64 = 1_000_000_000;
/// Length of a session at most.
pub const SESSION_MAX: Duration = Duration::from_secs(7 * 86_400);
/// Length of a session that does not say when it ends.
pub const SESSION_DEFAULT: Duration = Duration::from_secs(2 * 3_600);

/// A new session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInput {
    /// The name for shoppers; blank means none.
    pub name: Option<String>,
    /// First moment.
    pub starts_at: Timestamp,
    /// First moment after it; `None` for [`SESSION_DEFAULT`] later.
    pub ends_at: Option<Timestamp>,
}

/// A new sale. Session and product must exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleInput {
    /// When.
    pub session_id: SessionId,
    /// What.
    pub product_id: ProductId,
    /// Price of one unit, above zero.
    pub price: PriceInput,
    /// Price of one unit in points, 1 to [`POINTS_PRICE_MAX`]; `None` when points are not taken.
    pub points_price: Option<i64>,
    /// Units, 1 to [`STOCK_MAX`].
    pub stock: i64,
    /// Units one buyer may hold, 1 to [`LIMIT_PER_BUYER_MAX`].
    pub limit_per_buyer: i64,
    /// Seconds an order waits for its payment, 1 to [`PAY_WITHIN_MAX`].
    pub pay_within_seconds: i64,
    /// Whether refunded units are sold again.
    pub returns_on_refund: bool,
}

/// An edit of a draft: `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaleChange {
    /// The version the edit was made from; `None` to overwrite whatever is there.
    pub version: Option<i64>,
    /// See [`SaleInput::session_id`].
    pub session_id: Option<SessionId>,
    /// See [`SaleInput::product_id`].
    pub product_id: Option<ProductId>,
    /// See [`SaleInput::price`].
    pub price: Option<PriceInput>,
    /// See [`SaleInput::points_price`]; `Some(None)` to take no points.
    pub points_price: Option<Option<i64>>,
    /// See [`SaleInput::stock`].
    pub stock: Option<i64>,
    /// See [`SaleInput::limit_per_buyer`].
    pub limit_per_buyer: Option<i64>,
    /// See [`SaleInput::pay_within_seconds`].
    pub pay_within_seconds: Option<i64>,
    /// See [`SaleInput::returns_on_refund`].
    pub returns_on_refund: Option<bool>,
}

/// Whether a reason can stand in the audit log.
pub(super) fn check_reason(reason: &str) -> Result<(), Problem> {
    if text::is_line(reason, REASON_MAX) {
        return Ok(());
    }
    let message = "The reason must be 1 to 500 characters on one line.";
    Err(Problem::new(Reason::ReasonInvalid, &["input", "reason"], message))
}

/// What an operator says with an act on a sale.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grounds {
    /// Why, for the audit log.
    pub reason: Option<String>,
    /// The sale's version that the operator has seen: the act is refused where there is another one.
    pub version: Option<i64>,
}

impl Grounds {
    /// The grounds, unless the reason has a wrong form.
    pub fn check(self) -> Result<Self, Problem> {
        if let Some(reason) = &self.reason {
            check_reason(reason)?;
        }
        Ok(self)
    }

    /// These particulars with the reason, if there is one.
    pub fn with(&self, mut detail: serde_json::Value) -> serde_json::Value {
        if let (Some(reason), Some(detail)) = (&self.reason, detail.as_object_mut()) {
            detail.insert("reason".into(), reason.as_str().into());
        }
        detail
    }
}

/// More units for a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockAdd {
    /// The sale.
    pub sale: SaleId,
    /// How many; the sum may not exceed [`STOCK_MAX`].
    pub units: i64,
    /// The same key adds only once, for ever.
    pub idempotency_key: String,
}

impl SessionInput {
    /// The session, or everything that is wrong with the input.
    pub fn check(self, id: SessionId, now: Timestamp) -> Result<Session, Vec<Problem>> {
        let mut problems = Vec::new();
        let name = absent_if_blank(self.name);
        if name.as_deref().is_some_and(|name| !is_line(name)) {
            let message = "The name must be one line of at most 200 characters, with at least one visible character.";
            problems.push(Problem::new(Reason::NameInvalid, &["input", "name"], message));
        }
        let ends_at = self.ends_at.unwrap_or_else(|| self.starts_at.plus(SESSION_DEFAULT));
        if ends_at <= self.starts_at {
            let message = "The session must end after it starts.";
            problems.push(Problem::new(Reason::WindowInvalid, &["input", "endsAt"], message));
        } else if ends_at.since(self.starts_at) > SESSION_MAX {
            let message = "The session must not be longer than seven days.";
            problems.push(Problem::new(Reason::WindowTooLong, &["input", "endsAt"], message));
        }
        if problems.is_empty() {
            Ok(Session { id, name, starts_at: self.starts_at, ends_at, created_at: now })
        } else {
            Err(problems)
        }
    }
}

impl SaleInput {
    /// The draft, or everything that is wrong with the input. `session_known` and `product_known` say what the
    /// database has.
    pub fn check(
        &self,
        session_known: bool,
        product_known: bool,
        id: SaleId,
        now: Timestamp,
    ) -> Result<Sale, Vec<Problem>> {
        let mut problems = Vec::new();
        if !session_known {
            problems.push(Problem::new(
                Reason::SessionNotFound,
                &["input", "sessionId"],
                "This session does not exist.",
            ));
        }
        if !product_known {
            problems.push(Problem::new(
                Reason::ProductNotFound,
                &["input", "productId"],
                "This product does not exist.",
            ));
        }
        let price = price(&self.price).map_err(|problem| problems.push(problem));
        let mut bounded = |value: i64, max: i64, reason, field, what: &str| {
            if !(1..=max).contains(&value) {
                problems.push(Problem::new(reason, field, format!("{what} must be from 1 to {max}.")));
            }
            value as u32
        };
        let points_price = self.points_price.map(|points| {
            let field = &["input", "pointsPrice"];
            bounded(points, POINTS_PRICE_MAX, Reason::PointsPriceInvalid, field, "The price in points")
        });
        let stock_total = bounded(self.stock, STOCK_MAX, Reason::StockInvalid, &["input", "stock"], "The stock");
        let field = &["input", "limitPerBuyer"];
        let what = "The limit per buyer";
        let limit_per_buyer =
            bounded(self.limit_per_buyer, LIMIT_PER_BUYER_MAX, Reason::LimitPerBuyerInvalid, field, what);
        let field = &["input", "payWithinSeconds"];
        let what = "The payment period in seconds";
        let pay_within = bounded(self.pay_within_seconds, PAY_WITHIN_MAX, Reason::PayWithinInvalid, field, what);
        if let Some(points) = points_price.filter(|_| problems.is_empty())
            && u64::from(points) * u64::from(limit_per_buyer) > INT_MAX
        {
            problems.push(order_too_dear());
        }
        match price {
            Ok(price) if problems.is_empty() => Ok(Sale {
                id,
                number: 0,
                session_id: self.session_id,
                product_id: self.product_id,
                price,
                points_price,
                stock_total,
                limit_per_buyer,
                pay_within: Duration::from_secs(pay_within.into()),
                returns_on_refund: self.returns_on_refund,
                state: SaleState::Draft,
                held: false,
                epoch: 0,
                version: 1,
                created_at: now,
                updated_at: now,
                ended_at: None,
            }),
            _ => Err(problems),
        }
    }
}

impl SaleChange {
    /// The whole of the draft after the edit, still to be checked.
    pub fn applied_to(self, old: &Sale) -> SaleInput {
        SaleInput {
            session_id: self.session_id.unwrap_or(old.session_id),
            product_id: self.product_id.unwrap_or(old.product_id),
            price: self.price.unwrap_or_else(|| old.price.into()),
            points_price: self.points_price.unwrap_or_else(|| old.points_price.map(i64::from)),
            stock: self.stock.unwrap_or_else(|| old.stock_total.into()),
            limit_per_buyer: self.limit_per_buyer.unwrap_or_else(|| old.limit_per_buyer.into()),
            pay_within_seconds: self.pay_within_seconds.unwrap_or(old.pay_within.as_secs() as i64),
            returns_on_refund: self.returns_on_refund.unwrap_or(old.returns_on_refund),
        }
    }
}

impl StockAdd {
    /// The units, or everything that is wrong with the input in itself.
    pub fn check(&self) -> Result<u32, Vec<Problem>> {
        let mut problems = Vec::new();
        if !(1..=STOCK_MAX).contains(&self.units) {
            problems.push(units_invalid());
        }
        let key = self.idempotency_key.as_bytes();
        if !(8..=64).contains(&key.len()) || !key.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        {
            let message = "The idempotency key must be 8 to 64 characters of A-Z a-z 0-9 _ -.";
            problems.push(Problem::new(Reason::IdempotencyKeyInvalid, &["input", "idempotencyKey"], message));
        }
        if problems.is_empty() { Ok(self.units as u32) } else { Err(problems) }
    }
}

/// An order of as many units as one buyer may hold would cost more points than the API can show.
fn order_too_dear() -> Problem {
    let message = format!("The price in points times the limit per buyer must be at most {INT_MAX}.");
    Problem::new(Reason::PointsPriceInvalid, &["input", "pointsPrice"], message)
}

/// The units, or the sum with those there already, are outside their limits.
pub fn units_invalid() -> Problem {
    let message = format!("The number of units must be at least 1, and the resulting total at most {STOCK_MAX}.");
    Problem::new(Reason::UnitsInvalid, &["input", "units"], message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Currency;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn good() -> SaleInput {
        SaleInput {
            session_id: SessionId::from_bytes([1; 16]),
            product_id: ProductId::from_bytes([2; 16]),
            price: PriceInput { amount: "9.90".into(), currency: Currency::Cny },
            points_price: Some(990),
            stock: 100,
            limit_per_buyer: 1,
            pay_within_seconds: 900,
            returns_on_refund: true,
        }
    }

    fn reasons(problems: Vec<Problem>) -> Vec<Reason> {
        problems.into_iter().map(|problem| problem.reason).collect()
    }

    fn check(input: &SaleInput) -> Result<Sale, Vec<Reason>> {
        input.check(true, true, SaleId::from_bytes([3; 16]), NOW).map_err(reasons)
    }

    #[test]
    fn numbers_have_limits() {
        let cases: Vec<(&dyn Fn(&mut SaleInput, i64), i64, Reason)> = vec![
            (&|s, n| s.stock = n, STOCK_MAX, Reason::StockInvalid),
            (&|s, n| s.points_price = Some(n), POINTS_PRICE_MAX, Reason::PointsPriceInvalid),
            (&|s, n| s.limit_per_buyer = n, LIMIT_PER_BUYER_MAX, Reason::LimitPerBuyerInvalid),
            (&|s, n| s.pay_within_seconds = n, PAY_WITHIN_MAX, Reason::PayWithinInvalid),
        ];
        for (set, max, reason) in cases {
            for value in [1, max] {
                let mut input = good();
                set(&mut input, value);
                assert!(check(&input).is_ok(), "{reason:?} {value}");
            }
            for value in [0, -1, max + 1, i64::MIN, i64::MAX, 1 << 31, (1 << 32) + 1] {
                let mut input = good();
                set(&mut input, value);
                assert_eq!(check(&input), Err(vec![reason]), "{value}");
            }
        }
    }

    #[test]
    fn what_an_order_costs_in_points_fits_the_api() {
        for (points, limit, fits) in
            [(1_000_000_000, 2, true), (1_000_000_000, 3, false), (2_147_483, 1000, true), (2_147_484, 1000, false)]
        {
            let input = SaleInput { points_price: Some(points), limit_per_buyer: limit, ..good() };
            let refused = (!fits).then(|| vec![Reason::PointsPriceInvalid]);
            assert_eq!(check(&input).err(), refused, "{points} points, {limit} units");
        }
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut input = good();
        input.price.amount = "0".into();
        input.stock = 0;
        let problems = input.check(false, false, SaleId::from_bytes([3; 16]), NOW).unwrap_err();
        let found = reasons(problems);
        let wanted = [Reason::SessionNotFound, Reason::ProductNotFound, Reason::PriceOutOfRange, Reason::StockInvalid];
        assert_eq!(found, wanted);
    }

    #[test]
    fn an_empty_edit_changes_nothing() {
        let sale = check(&good()).unwrap();
        assert_eq!(SaleChange::default().applied_to(&sale), good());
    }

    #[test]
    fn sessions_have_an_order_and_a_length() {
        let at = |seconds: u64| NOW.plus(Duration::from_secs(seconds));
        let check = |ends_at| {
            let input = SessionInput { name: Some(" Ten ".into()), starts_at: at(100), ends_at };
            input.check(SessionId::from_bytes([1; 16]), NOW).map_err(reasons)
        };
        assert_eq!(check(None).unwrap().ends_at, at(100 + 7200));
        assert_eq!(check(Some(at(100 + 7 * 86_400))).unwrap().name.as_deref(), Some("Ten"));
        assert_eq!(check(Some(at(100))), Err(vec![Reason::WindowInvalid]));
        assert_eq!(check(Some(at(99))), Err(vec![Reason::WindowInvalid]));
        assert_eq!(check(Some(at(101 + 7 * 86_400))), Err(vec![Reason::WindowTooLong]));
        let input = SessionInput { name: Some("x".repeat(201)), starts_at: at(1), ends_at: Some(at(0)) };
        let problems = input.check(SessionId::from_bytes([1; 16]), NOW).unwrap_err();
        assert_eq!(reasons(problems), [Reason::NameInvalid, Reason::WindowInvalid]);
    }

    #[test]
    fn added_stock_needs_units_and_a_key() {
        let check = |units, key: &str| {
            let add = StockAdd { sale: SaleId::from_bytes([3; 16]), units, idempotency_key: key.into() };
            add.check().map_err(reasons)
        };
        assert_eq!(check(5, "abcDEF_-9"), Ok(5));
        assert_eq!(check(0, "short"), Err(vec![Reason::UnitsInvalid, Reason::IdempotencyKeyInvalid]));
        for key in ["", "1234567", &"x".repeat(65), "with space", "ключключ"] {
            assert_eq!(check(1, key), Err(vec![Reason::IdempotencyKeyInvalid]), "{key}");
        }
        for units in [-1, STOCK_MAX + 1] {
            assert_eq!(check(units, "12345678"), Err(vec![Reason::UnitsInvalid]));
        }
    }
}
