//! The interface of all business errors.

use super::accounts::{
    UserPasswordChangeUserError, UserSignInUserError, UserSignOutEverywhereUserError, UserSignOutUserError,
    UserSignUpUserError,
};
use super::catalog::{ProductCreateUserError, ProductUpdateUserError};
use super::failures::{FailureDismissUserError, FailureReplayUserError};
use super::looked_at::{BillDifferenceCloseUserError, PaymentFlagClearUserError};
use super::orders::{OrderCancelUserError, SalePurchaseUserError};
use super::payments::{OrderPayUserError, OrderRefundUserError, PaymentRefundUserError};
use super::points::PointsGrantUserError;
use super::sale_acts::{
    SaleEndUserError, SalePauseUserError, SalePublishUserError, SaleResumeUserError, SaleStockAddUserError,
};
use super::sales::{SaleCreateUserError, SaleSessionCreateUserError, SaleUpdateUserError};
use super::second_factor::{
    UserRecoveryCodesRenewUserError, UserSecondFactorBeginUserError, UserSecondFactorConfirmUserError,
    UserSecondFactorDisableUserError,
};
use super::settings::{
    SettingConfirmUserError, SettingPromoteUserError, SettingRollbackUserError, SettingSetUserError,
    SettingUnsetUserError,
};
use super::shop::{ShopPauseUserError, ShopResumeUserError};

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
    UserSecondFactorBegin(UserSecondFactorBeginUserError),
    UserSecondFactorConfirm(UserSecondFactorConfirmUserError),
    UserSecondFactorDisable(UserSecondFactorDisableUserError),
    UserRecoveryCodesRenew(UserRecoveryCodesRenewUserError),
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
