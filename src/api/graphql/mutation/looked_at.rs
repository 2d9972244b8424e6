//! What operators do with what they have looked at.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, orders_fault};
use crate::api::graphql::types::bills::BillDifference;
use crate::api::graphql::types::payments::{PaymentFlag, PaymentRecord};
use crate::api::graphql::types::user_error::user_error;
use crate::orders::LookRefusal;

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
        let operator = ctx.require_operator()?;
        let (id, orders) = (input.difference_id.parse().ok(), &ctx.services().orders);
        let answer = orders.close_difference(operator.id, id, &input.reason).await;
        Ok(match answer.map_err(|error| orders_fault(&error))? {
            Ok(item) => BillDifferenceClosePayload { difference: Some(BillDifference(item)), user_errors: Vec::new() },
            Err(refusal) => BillDifferenceClosePayload { difference: None, user_errors: vec![close_error(refusal)?] },
        })
    }

    /// Clears the flag that lists a payment in `stuckPayments`, once no further action is needed. Operators only;
    /// audited. This moves no money. If the cause persists, the payment is flagged again.
    async fn payment_flag_clear(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment whose flag to clear, and the reason.")] input: PaymentFlagClearInput,
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
