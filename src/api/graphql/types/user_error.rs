//! Business errors: each mutation has its own type with its own codes, and all have the same three fields.

use crate::api::graphql::mutation::accounts::{
    UserPasswordChangeUserError, UserSignInUserError, UserSignOutEverywhereUserError, UserSignOutUserError,
    UserSignUpUserError,
};
use crate::api::graphql::mutation::catalog::{ProductCreateUserError, ProductUpdateUserError};
use crate::api::graphql::mutation::failures::{FailureDismissUserError, FailureReplayUserError};
use crate::api::graphql::mutation::looked_at::{BillDifferenceCloseUserError, PaymentFlagClearUserError};
use crate::api::graphql::mutation::orders::{OrderCancelUserError, SalePurchaseUserError};
use crate::api::graphql::mutation::payments::{OrderPayUserError, OrderRefundUserError, PaymentRefundUserError};
use crate::api::graphql::mutation::points::PointsGrantUserError;
use crate::api::graphql::mutation::sale_acts::{
    SaleEndUserError, SalePauseUserError, SalePublishUserError, SaleResumeUserError, SaleStockAddUserError,
};
use crate::api::graphql::mutation::sales::{SaleCreateUserError, SaleSessionCreateUserError, SaleUpdateUserError};
use crate::api::graphql::mutation::settings::{
    SettingConfirmUserError, SettingPromoteUserError, SettingRollbackUserError, SettingSetUserError,
    SettingUnsetUserError,
};
use crate::api::graphql::mutation::shop::{ShopPauseUserError, ShopResumeUserError};

/// Declares the user error type of a mutation: `user_error!(/** What it is. */ UserSignInUserError, UserSignInErrorCode);`
macro_rules! user_error {
    ($(#[$doc:meta])* $name:ident, $code:ty) => {
        $(#[$doc])*
        #[derive(async_graphql::SimpleObject, Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            /// The error code. Values are stable, so programs may rely on them.
            pub code: $code,
            /// A human-readable explanation.
            pub message: String,
            /// The path to the input field that caused the error, such as `["input", "username"]`. Null when the
            /// error concerns the input as a whole.
            pub field: Option<Vec<String>>,
        }

        impl $name {
            /// About the input's field of this name.
            #[allow(dead_code, reason = "some mutations have only refusals about the whole")]
            pub fn about(code: $code, message: impl Into<String>, field: &str) -> Self {
                Self { code, message: message.into(), field: Some(vec!["input".to_owned(), field.to_owned()]) }
            }

            /// About the input as a whole.
            #[allow(dead_code, reason = "some mutations have only refusals about a field")]
            pub fn whole(code: $code, message: impl Into<String>) -> Self {
                Self { code, message: message.into(), field: None }
            }
        }
    };
}

pub(crate) use user_error;

/// Why a mutation had no effect. Each mutation has its own type, which adds a `code` with the mutation's own values.
#[derive(async_graphql::Interface)]
#[graphql(
    field(name = "message", ty = "&String", desc = "A human-readable explanation."),
    field(
        name = "field",
        ty = "&Option<Vec<String>>",
        desc = "The path to the input field that caused the error. Null when the error concerns the input as a whole."
    )
)]
#[allow(missing_docs, reason = "each variant is the type of its name")]
pub enum UserError {
    UserSignUp(UserSignUpUserError),
    UserSignIn(UserSignInUserError),
    UserSignOut(UserSignOutUserError),
    UserSignOutEverywhere(UserSignOutEverywhereUserError),
    UserPasswordChange(UserPasswordChangeUserError),
    SalePurchase(SalePurchaseUserError),
    OrderPay(OrderPayUserError),
    OrderCancel(OrderCancelUserError),
    OrderRefund(OrderRefundUserError),
    PaymentRefund(PaymentRefundUserError),
    BillDifferenceClose(BillDifferenceCloseUserError),
    PaymentFlagClear(PaymentFlagClearUserError),
    FailureReplay(FailureReplayUserError),
    FailureDismiss(FailureDismissUserError),
    ProductCreate(ProductCreateUserError),
    ProductUpdate(ProductUpdateUserError),
    SaleSessionCreate(SaleSessionCreateUserError),
    SaleCreate(SaleCreateUserError),
    SaleUpdate(SaleUpdateUserError),
    SalePublish(SalePublishUserError),
    SalePause(SalePauseUserError),
    SaleResume(SaleResumeUserError),
    SaleEnd(SaleEndUserError),
    SaleStockAdd(SaleStockAddUserError),
    SettingSet(SettingSetUserError),
    SettingUnset(SettingUnsetUserError),
    SettingRollback(SettingRollbackUserError),
    SettingPromote(SettingPromoteUserError),
    SettingConfirm(SettingConfirmUserError),
    ShopPause(ShopPauseUserError),
    ShopResume(ShopResumeUserError),
    PointsGrant(PointsGrantUserError),
}
