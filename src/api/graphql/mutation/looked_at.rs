//! What operators do with what they have looked at.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, orders_fault};
use crate::api::graphql::types::bills::BillDifference;
use crate::api::graphql::types::payments::{PaymentFlag, PaymentRecord, RefundRecord};
use crate::api::graphql::types::user_error::user_error;
use crate::model::rights::Right;
use crate::payments::{BookRefusal, LookRefusal};

const REASON: &str = "The reason must be 1 to 500 characters on one line.";

/// The discrepancy to close, and the reason.
#[derive(InputObject)]
pub struct BillDifferenceCloseInput {
    /// The discrepancy.
    pub difference_id: ID,
    /// Why no further action is needed, for the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why the discrepancy was not closed. Values are stable, so programs may rely on them.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillDifferenceCloseErrorCode {
    /// No such discrepancy exists, or the values now differ in another way.
    DifferenceNotFound,
    /// The discrepancy has been resolved, or was already closed by another operator or for another reason.
    DifferenceNotOpen,
    /// The reason is missing, too long, or contains control characters.
    ReasonInvalid,
}

user_error! {
    /// Why the discrepancy was not closed.
    BillDifferenceCloseUserError, BillDifferenceCloseErrorCode
}

/// The result of closing a discrepancy.
#[derive(SimpleObject, Default)]
pub struct BillDifferenceClosePayload {
    /// The closed discrepancy. Null when there are user errors.
    pub difference: Option<BillDifference>,
    /// Why the discrepancy was not closed. Empty on success.
    pub user_errors: Vec<BillDifferenceCloseUserError>,
}

/// The refund to record, and the reason.
#[derive(InputObject)]
pub struct BillDifferenceBookInput {
    /// The discrepancy that shows the refund.
    pub difference_id: ID,
    /// Why the money was refunded, for the buyer and the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why the refund was not recorded. Values are stable, so programs may rely on them.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum BillDifferenceBookErrorCode {
    /// The refund was already recorded by another operator or for another reason.
    AlreadyBooked,
    /// The refund is greater than the remaining amount of the payment. Amounts in pending refunds do not count as remaining.
    AmountExceedsPaid,
    /// No such discrepancy exists, or the values now differ in another way.
    DifferenceNotFound,
    /// The discrepancy has been resolved: a later comparison no longer found it.
    DifferenceNotOpen,
    /// The bill does not list exactly one refund with a number that the gateway assigned.
    NotARefund,
    /// The refunded payment is not one of the shop's payments.
    PaymentNotFound,
    /// The reason is missing, too long, or contains control characters.
    ReasonInvalid,
}

user_error! {
    /// Why the refund was not recorded.
    BillDifferenceBookUserError, BillDifferenceBookErrorCode
}

/// The result of recording a refund.
#[derive(SimpleObject, Default)]
pub struct BillDifferenceBookPayload {
    /// The closed discrepancy. Null when there are user errors.
    pub difference: Option<BillDifference>,
    /// The recorded refund. Null when there are user errors.
    pub refund: Option<RefundRecord>,
    /// Why the refund was not recorded. Empty on success.
    pub user_errors: Vec<BillDifferenceBookUserError>,
}

/// The payment whose flag to clear, and the reason.
#[derive(InputObject)]
pub struct PaymentFlagClearInput {
    /// The payment.
    pub payment_id: ID,
    /// The flag that was reviewed. If the payment has a different flag by now, nothing changes.
    pub flag: PaymentFlag,
    /// Why no further action is needed, for the payment log and the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// Why the flag was not cleared. Values are stable, so programs may rely on them.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentFlagClearErrorCode {
    /// No such payment exists.
    PaymentNotFound,
    /// The payment does not have this flag, or no longer has it.
    FlagNotSet,
    /// The gateway received an amount other than the one requested, which does not pay the order. Refund it with
    /// `paymentRefund`, which also clears the flag.
    MoneyWaits,
    /// The reason is missing, too long, or contains control characters.
    ReasonInvalid,
}

user_error! {
    /// Why the flag was not cleared.
    PaymentFlagClearUserError, PaymentFlagClearErrorCode
}

/// The result of clearing a payment's flag.
#[derive(SimpleObject, Default)]
pub struct PaymentFlagClearPayload {
    /// The payment, without the flag. Null when there are user errors.
    pub payment: Option<PaymentRecord>,
    /// Why the flag was not cleared. Empty on success.
    pub user_errors: Vec<PaymentFlagClearUserError>,
}

fn close_error(refusal: LookRefusal) -> Result<BillDifferenceCloseUserError> {
    use BillDifferenceCloseErrorCode as Code;
    type Told = BillDifferenceCloseUserError;
    Ok(match refusal {
        LookRefusal::NotFound => {
            Told::about(Code::DifferenceNotFound, "This discrepancy does not exist or has changed.", "differenceId")
        }
        LookRefusal::NotOpen => {
            Told::about(Code::DifferenceNotOpen, "This discrepancy is already resolved or closed.", "differenceId")
        }
        LookRefusal::ReasonInvalid => Told::about(Code::ReasonInvalid, REASON, "reason"),
        LookRefusal::MoneyWaits => return Err(unforeseen(refusal)),
    })
}

fn book_error(refusal: BookRefusal) -> BillDifferenceBookUserError {
    use BillDifferenceBookErrorCode as Code;
    let (code, message) = match refusal {
        BookRefusal::ReasonInvalid => return BillDifferenceBookUserError::about(Code::ReasonInvalid, REASON, "reason"),
        BookRefusal::NotFound => (Code::DifferenceNotFound, "This discrepancy does not exist or has changed."),
        BookRefusal::NotOpen => (Code::DifferenceNotOpen, "This discrepancy is already resolved."),
        BookRefusal::NotARefund => {
            (Code::NotARefund, "This discrepancy is not a refund that was made on the gateway's own site.")
        }
        BookRefusal::PaymentNotFound => (Code::PaymentNotFound, "The refunded payment does not belong to this shop."),
        BookRefusal::ExceedsPaid => {
            (Code::AmountExceedsPaid, "The refund is greater than the remaining amount of the payment.")
        }
        BookRefusal::AlreadyBooked => {
            (Code::AlreadyBooked, "This refund was already recorded by another operator or for another reason.")
        }
    };
    BillDifferenceBookUserError::about(code, message, "differenceId")
}

fn clear_error(refusal: LookRefusal) -> PaymentFlagClearUserError {
    use PaymentFlagClearErrorCode as Code;
    type Told = PaymentFlagClearUserError;
    match refusal {
        LookRefusal::NotFound => Told::about(Code::PaymentNotFound, "This payment does not exist.", "paymentId"),
        LookRefusal::NotOpen => Told::about(Code::FlagNotSet, "The payment does not have this flag.", "flag"),
        LookRefusal::MoneyWaits => Told::about(
            Code::MoneyWaits,
            "The amount received does not match the payment and must be refunded first.",
            "flag",
        ),
        LookRefusal::ReasonInvalid => Told::about(Code::ReasonInvalid, REASON, "reason"),
    }
}

/// The act did not happen.
fn unforeseen(refusal: LookRefusal) -> async_graphql::Error {
    tracing::error!(?refusal, "a rejection has no error code");
    Code::InternalServerError.error("Something went wrong on our side.")
}

/// Mutations of what operators have looked at.
#[derive(Default)]
pub struct LookedAtMutation;

#[Object]
impl LookedAtMutation {
    /// Closes a discrepancy between a bill and the shop's records that needs no further action, so that it no longer
    /// fails the audit. Operators only; audited. This moves no money. If a later comparison finds another discrepancy
    /// for the same number, it opens a new one.
    async fn bill_difference_close(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The discrepancy to close, and the reason.")] input: BillDifferenceCloseInput,
    ) -> Result<BillDifferenceClosePayload> {
        let operator = ctx.require(Right::KeepBooks)?;
        let (id, payments) = (input.difference_id.parse().ok(), &ctx.services().payments);
        let answer = payments.close_difference(operator.id, id, &input.reason).await;
        Ok(match answer.map_err(|error| orders_fault(&error))? {
            Ok(item) => BillDifferenceClosePayload { difference: Some(BillDifference(item)), user_errors: Vec::new() },
            Err(refusal) => BillDifferenceClosePayload { difference: None, user_errors: vec![close_error(refusal)?] },
        })
    }

    /// Records a refund that was made on the payment gateway's own site and appears as a discrepancy of its bill. The
    /// refund is then like any other, with the cause `EXTERNAL`, and the discrepancy is closed. Operators only; audited.
    /// This moves no money. Repeating the same request returns the same result.
    async fn bill_difference_book(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refund to record, and the reason.")] input: BillDifferenceBookInput,
    ) -> Result<BillDifferenceBookPayload> {
        let operator = ctx.require(Right::KeepBooks)?;
        let (id, payments) = (input.difference_id.parse().ok(), &ctx.services().payments);
        let answer = payments.book_difference(operator.id, id, &input.reason).await;
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

    /// Clears the flag that lists a payment in `stuckPayments`, once no further action is needed. Operators only;
    /// audited. This moves no money. If the cause persists, the payment is flagged again.
    async fn payment_flag_clear(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment whose flag to clear, and the reason.")] input: PaymentFlagClearInput,
    ) -> Result<PaymentFlagClearPayload> {
        let operator = ctx.require(Right::KeepBooks)?;
        let (id, payments) = (input.payment_id.parse().ok(), &ctx.services().payments);
        let answer = payments.clear_flag(operator.id, id, input.flag.into(), &input.reason).await;
        Ok(match answer.map_err(|error| orders_fault(&error))? {
            Ok(payment) => PaymentFlagClearPayload { payment: Some(PaymentRecord(payment)), user_errors: Vec::new() },
            Err(refusal) => PaymentFlagClearPayload { payment: None, user_errors: vec![clear_error(refusal)] },
        })
    }
}
