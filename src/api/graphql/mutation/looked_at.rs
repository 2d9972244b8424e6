//! What operators do with what they have looked at.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, orders_fault};
use crate::api::graphql::types::bills::BillDifference;
use crate::api::graphql::types::payments::{PaymentFlag, PaymentRecord, RefundRecord};
use crate::api::graphql::types::user_error::user_error;
use crate::orders::{BookRefusal, LookRefusal};

const REASON: &str = "The reason must be 1 to 500 characters on one line.";

/// Which difference to close, and why.
#[derive(InputObject)]
pub struct BillDifferenceCloseInput {
    /// The difference.
    pub difference_id: ID,
    /// Why it needs nothing more, for the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why a difference was not closed. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillDifferenceCloseErrorCode {
    /// There is no such difference, or it differs otherwise by now.
    DifferenceNotFound,
    /// It is resolved, or was closed before, by another operator or for another reason.
    DifferenceNotOpen,
    /// The reason is missing, too long, or has control characters.
    ReasonInvalid,
}

user_error! {
    /// Why a difference was not closed.
    BillDifferenceCloseUserError, BillDifferenceCloseErrorCode
}

/// What came of closing a difference.
#[derive(SimpleObject, Default)]
pub struct BillDifferenceClosePayload {
    /// The difference, closed; null when there are user errors.
    pub difference: Option<BillDifference>,
    /// Why it was not closed; empty on success.
    pub user_errors: Vec<BillDifferenceCloseUserError>,
}

/// Which refund to book, and why.
#[derive(InputObject)]
pub struct BillDifferenceBookInput {
    /// The difference that tells of the refund.
    pub difference_id: ID,
    /// Why the money went back, for the buyer and the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why a refund was not booked. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillDifferenceBookErrorCode {
    /// It was booked before, by another operator or for another reason.
    AlreadyBooked,
    /// It is more than is left of what was paid. What is on its way back does not count as left.
    AmountExceedsPaid,
    /// There is no such difference, or it differs otherwise by now.
    DifferenceNotFound,
    /// It is resolved: a later comparison did not find it.
    DifferenceNotOpen,
    /// The bill's line is not one refund under a number of the gateway's own.
    NotARefund,
    /// The payment that the money was taken from is not the shop's.
    PaymentNotFound,
    /// The reason is missing, too long, or has control characters.
    ReasonInvalid,
}

user_error! {
    /// Why a refund was not booked.
    BillDifferenceBookUserError, BillDifferenceBookErrorCode
}

/// What came of booking a refund.
#[derive(SimpleObject, Default)]
pub struct BillDifferenceBookPayload {
    /// The difference, closed; null when there are user errors.
    pub difference: Option<BillDifference>,
    /// The refund as it is in the books; null when there are user errors.
    pub refund: Option<RefundRecord>,
    /// Why it was not booked; empty on success.
    pub user_errors: Vec<BillDifferenceBookUserError>,
}

/// Which payment's mark to take away, and why.
#[derive(InputObject)]
pub struct PaymentFlagClearInput {
    /// The payment.
    pub payment_id: ID,
    /// The mark that was looked at. If the payment has another one by now, nothing is done.
    pub flag: PaymentFlag,
    /// Why it needs nothing more, for the payment's log and the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why a payment's mark was not taken away. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentFlagClearErrorCode {
    /// There is no such payment.
    PaymentNotFound,
    /// The payment has no such mark, or not any more.
    FlagNotSet,
    /// Another amount than was asked for came in and pays nothing: `paymentRefund` sends it back, which takes the mark away.
    MoneyWaits,
    /// The reason is missing, too long, or has control characters.
    ReasonInvalid,
}

user_error! {
    /// Why a payment's mark was not taken away.
    PaymentFlagClearUserError, PaymentFlagClearErrorCode
}

/// What came of taking a payment's mark away.
#[derive(SimpleObject, Default)]
pub struct PaymentFlagClearPayload {
    /// The payment, without the mark; null when there are user errors.
    pub payment: Option<PaymentRecord>,
    /// Why the mark was not taken away; empty on success.
    pub user_errors: Vec<PaymentFlagClearUserError>,
}

fn close_error(refusal: LookRefusal) -> Result<BillDifferenceCloseUserError> {
    use BillDifferenceCloseErrorCode as Code;
    type Told = BillDifferenceCloseUserError;
    Ok(match refusal {
        LookRefusal::NotFound => {
            Told::about(Code::DifferenceNotFound, "There is no such difference, or not any more.", "differenceId")
        }
        LookRefusal::NotOpen => {
            Told::about(Code::DifferenceNotOpen, "This difference is resolved or closed already.", "differenceId")
        }
        LookRefusal::ReasonInvalid => Told::about(Code::ReasonInvalid, REASON, "reason"),
        LookRefusal::MoneyWaits => return Err(unforeseen(refusal)),
    })
}

fn book_error(refusal: BookRefusal) -> BillDifferenceBookUserError {
    use BillDifferenceBookErrorCode as Code;
    let (code, message) = match refusal {
        BookRefusal::ReasonInvalid => return BillDifferenceBookUserError::about(Code::ReasonInvalid, REASON, "reason"),
        BookRefusal::NotFound => (Code::DifferenceNotFound, "There is no such difference, or not any more."),
        BookRefusal::NotOpen => (Code::DifferenceNotOpen, "This difference is resolved."),
        BookRefusal::NotARefund => {
            (Code::NotARefund, "This difference is not a refund that the gateway made by itself.")
        }
        BookRefusal::PaymentNotFound => (Code::PaymentNotFound, "The refund's payment is not the shop's."),
        BookRefusal::ExceedsPaid => (Code::AmountExceedsPaid, "The refund is more than is left of the payment."),
        BookRefusal::AlreadyBooked => (Code::AlreadyBooked, "This refund was booked before."),
    };
    BillDifferenceBookUserError::about(code, message, "differenceId")
}

fn clear_error(refusal: LookRefusal) -> PaymentFlagClearUserError {
    use PaymentFlagClearErrorCode as Code;
    type Told = PaymentFlagClearUserError;
    match refusal {
        LookRefusal::NotFound => Told::about(Code::PaymentNotFound, "There is no such payment.", "paymentId"),
        LookRefusal::NotOpen => Told::about(Code::FlagNotSet, "The payment has no such mark.", "flag"),
        LookRefusal::MoneyWaits => {
            Told::about(Code::MoneyWaits, "The money pays nothing and has to be sent back first.", "flag")
        }
        LookRefusal::ReasonInvalid => Told::about(Code::ReasonInvalid, REASON, "reason"),
    }
}

/// The act did not happen.
fn unforeseen(refusal: LookRefusal) -> async_graphql::Error {
    tracing::error!(?refusal, "refusal without a code");
    Code::InternalServerError.error("Something went wrong on our side.")
}

/// Mutations of what operators have looked at.
#[derive(Default)]
pub struct LookedAtMutation;

#[Object]
impl LookedAtMutation {
    /// Operators: closes a difference between a bill and the books that needs nothing more, so that the audit does not fail for it. No
    /// money moves. If the same number differs otherwise in a later comparison, that is a new difference. Audited.
    async fn bill_difference_close(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which difference to close, and why.")] input: BillDifferenceCloseInput,
    ) -> Result<BillDifferenceClosePayload> {
        let operator = ctx.require_operator()?;
        let (id, orders) = (input.difference_id.parse().ok(), &ctx.services().orders);
        let answer = orders.close_difference(operator.id, id, &input.reason).await;
        Ok(match answer.map_err(|error| orders_fault(&error))? {
            Ok(item) => BillDifferenceClosePayload { difference: Some(BillDifference(item)), user_errors: Vec::new() },
            Err(refusal) => BillDifferenceClosePayload { difference: None, user_errors: vec![close_error(refusal)?] },
        })
    }

    /// Operators: books a refund that was made at the payment gateway's own site and that a difference of its bill tells of. It is then a
    /// refund like others, with the cause `EXTERNAL`, and the difference is closed. No money moves. Saying the same again gets the same
    /// answer. Audited.
    async fn bill_difference_book(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which refund to book, and why.")] input: BillDifferenceBookInput,
    ) -> Result<BillDifferenceBookPayload> {
        let operator = ctx.require_operator()?;
        let (id, orders) = (input.difference_id.parse().ok(), &ctx.services().orders);
        let answer = orders.book_difference(operator.id, id, &input.reason).await;
        Ok(match answer.map_err(|error| orders_fault(&error))? {
            Ok((item, refund)) => BillDifferenceBookPayload {
                difference: Some(BillDifference(item)),
                refund: Some(RefundRecord(refund)),
                user_errors: Vec::new(),
            },
            Err(refusal) => BillDifferenceBookPayload {
                user_errors: vec![book_error(refusal)],
                ..BillDifferenceBookPayload::default()
            },
        })
    }

    /// Operators: takes away the mark that keeps a payment in `stuckPayments`, once nothing more is to be done about it. No money moves; a
    /// cause that lasts marks it again. Audited.
    async fn payment_flag_clear(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which payment's mark to take away, and why.")] input: PaymentFlagClearInput,
    ) -> Result<PaymentFlagClearPayload> {
        let operator = ctx.require_operator()?;
        let (id, orders) = (input.payment_id.parse().ok(), &ctx.services().orders);
        let answer = orders.clear_flag(operator.id, id, input.flag.into(), &input.reason).await;
        Ok(match answer.map_err(|error| orders_fault(&error))? {
            Ok(payment) => PaymentFlagClearPayload { payment: Some(PaymentRecord(payment)), user_errors: Vec::new() },
            Err(refusal) => PaymentFlagClearPayload { payment: None, user_errors: vec![clear_error(refusal)] },
        })
    }
}
