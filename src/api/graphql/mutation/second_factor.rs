//! The second factor of staff.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use super::accounts::{can_get_a_token, nobody, shown, tell_edge};
use crate::accounts::{Begun, Confirmed, FactorRefusal, Origin, SignedIn};
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, accounts_fault};
use crate::api::graphql::types::accounts::{AccessToken, User};
use crate::api::graphql::types::second_factor::modules;
use crate::api::graphql::types::user_error::user_error;
use crate::model::accounts::Viewer;

/// Declares the codes and the user error of a mutation, with the refusals that it can have.
macro_rules! refusals {
    ($(#[$doc:meta])* $code:ident, $error:ident { $($(#[$variant_doc:meta])* $variant:ident => $field:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $code { $($(#[$variant_doc])* $variant,)+ }

        user_error! { $(#[$doc])* $error, $code }

        impl $error {
            fn of(refusal: FactorRefusal) -> Result<Self> {
                let field: Option<&str> = match refusal {
                    $(FactorRefusal::$variant => $field,)+
                    #[allow(unreachable_patterns, reason = "a mutation may have all of them")]
                    _ => return Err(Code::InternalServerError.error("Something went wrong on our side.")),
                };
                let code = match refusal {
                    $(FactorRefusal::$variant => $code::$variant,)+
                    #[allow(unreachable_patterns, reason = "a mutation may have all of them")]
                    _ => return Err(Code::InternalServerError.error("Something went wrong on our side.")),
                };
                Ok(match field {
                    Some(field) => Self::about(code, refusal.message(), field),
                    None => Self::whole(code, refusal.message()),
                })
            }
        }
    };
}

refusals! {
    /// Why no second factor was begun.
    UserSecondFactorBeginErrorCode, UserSecondFactorBeginUserError {
        /// The second factor is already in force. It has to be switched off first.
        AlreadyEnabled => None,
        /// The password is wrong.
        InvalidCredentials => Some("password"),
        /// An upgrade of the shop is not finalised: nodes of the previous version would not ask for the second factor.
        NotFinalised => None,
        /// The shop does not use second factors (`accounts.second_factor`).
        SwitchedOff => None,
    }
}

refusals! {
    /// Why the second factor was not put in force.
    UserSecondFactorConfirmErrorCode, UserSecondFactorConfirmUserError {
        /// The code is wrong.
        CodeInvalid => Some("code"),
        /// No second factor was begun, or another one was begun meanwhile, or one is already in force.
        NotEnabled => None,
    }
}

refusals! {
    /// Why the second factor was not switched off.
    UserSecondFactorDisableErrorCode, UserSecondFactorDisableUserError {
        /// The code is wrong, or was already used.
        CodeInvalid => Some("code"),
        /// The password is wrong.
        InvalidCredentials => Some("password"),
        /// No second factor is in force.
        NotEnabled => None,
    }
}

refusals! {
    /// Why no recovery codes were made.
    UserRecoveryCodesRenewErrorCode, UserRecoveryCodesRenewUserError {
        /// The code is wrong, or was already used.
        CodeInvalid => Some("code"),
        /// The password is wrong.
        InvalidCredentials => Some("password"),
        /// No second factor is in force.
        NotEnabled => None,
    }
}

/// The password of who sets up a second factor.
#[derive(InputObject)]
pub struct UserSecondFactorBeginInput {
    /// The password.
    #[graphql(secret)]
    pub password: String,
}

/// A second factor that is not in force yet. It is shown only once.
#[derive(SimpleObject, Default)]
pub struct UserSecondFactorBeginPayload {
    /// The secret in base32, to be typed into an authenticator app. Null when there are user errors.
    pub secret: Option<String>,
    /// The secret as an `otpauth:` URL. Null when there are user errors.
    pub otpauth_url: Option<String>,
    /// The URL as a QR code, to be scanned by an authenticator app: one string per row, with `1` for dark modules and `0` for light ones,
    /// without a margin. Null when there are user errors.
    pub qr_code: Option<Vec<String>>,
    /// Why no second factor was begun. Empty on success.
    pub user_errors: Vec<UserSecondFactorBeginUserError>,
}

/// The first code of the authenticator app.
#[derive(InputObject)]
pub struct UserSecondFactorConfirmInput {
    /// The code that the app shows now: 6 digits.
    #[graphql(secret)]
    pub code: String,
}

/// The result of putting a second factor in force.
#[derive(SimpleObject, Default)]
pub struct UserSecondFactorConfirmPayload {
    /// The user. Null when there are user errors.
    pub user: Option<User>,
    /// A new access token: all earlier ones of the user were revoked. Null when there are user errors, and when the client requested a
    /// cookie, which then holds the token.
    pub access_token: Option<AccessToken>,
    /// Codes for a lost phone, each of which can be used once in place of a code of the app. They are shown only once. Null when there are
    /// user errors.
    pub recovery_codes: Option<Vec<String>>,
    /// Why the second factor was not put in force. Empty on success.
    pub user_errors: Vec<UserSecondFactorConfirmUserError>,
}

/// The password, and a code.
#[derive(InputObject)]
pub struct UserSecondFactorDisableInput {
    /// The password.
    #[graphql(secret)]
    pub password: String,
    /// A code of the authenticator app, or a recovery code.
    #[graphql(secret)]
    pub code: String,
}

/// The result of switching a second factor off.
#[derive(SimpleObject, Default)]
pub struct UserSecondFactorDisablePayload {
    /// The user. Null when there are user errors.
    pub user: Option<User>,
    /// A new access token: all earlier ones of the user were revoked. Null when there are user errors, and when the client requested a
    /// cookie, which then holds the token.
    pub access_token: Option<AccessToken>,
    /// Why the second factor was not switched off. Empty on success.
    pub user_errors: Vec<UserSecondFactorDisableUserError>,
}

/// The password, and a code.
#[derive(InputObject)]
pub struct UserRecoveryCodesRenewInput {
    /// The password.
    #[graphql(secret)]
    pub password: String,
    /// A code of the authenticator app, or a recovery code.
    #[graphql(secret)]
    pub code: String,
}

/// The result of making new recovery codes.
#[derive(SimpleObject, Default)]
pub struct UserRecoveryCodesRenewPayload {
    /// The new codes, which are shown only once. Earlier ones are invalid. Null when there are user errors.
    pub recovery_codes: Option<Vec<String>>,
    /// Why no recovery codes were made. Empty on success.
    pub user_errors: Vec<UserRecoveryCodesRenewUserError>,
}

/// Mutations of second factors.
#[derive(Default)]
pub struct SecondFactorMutation;

#[Object]
impl SecondFactorMutation {
    /// Begins to set up the viewer's second factor: codes of an authenticator app (TOTP, RFC 6238). It is in force once
    /// `userSecondFactorConfirm` has confirmed it. Staff only.
    async fn user_second_factor_begin(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The password.")] input: UserSecondFactorBeginInput,
    ) -> Result<UserSecondFactorBeginPayload> {
        let viewer = staff(ctx)?;
        let services = ctx.services();
        let issuer = services.live.now().shop.name.clone();
        let begun = services.accounts.begin_second_factor(viewer, &input.password, &issuer, origin(ctx)).await;
        Ok(match begun.map_err(|error| accounts_fault(&error))?.ok_or_else(nobody)? {
            Ok(Begun { secret, url }) => UserSecondFactorBeginPayload {
                secret: Some(secret),
                qr_code: Some(modules(&url)?),
                otpauth_url: Some(url),
                user_errors: Vec::new(),
            },
            Err(refusal) => UserSecondFactorBeginPayload {
                user_errors: vec![UserSecondFactorBeginUserError::of(refusal)?],
                ..Default::default()
            },
        })
    }

    /// Puts the viewer's second factor in force. All access tokens of the viewer are revoked, and a new one is issued. Staff only; audited.
    async fn user_second_factor_confirm(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first code.")] input: UserSecondFactorConfirmInput,
    ) -> Result<UserSecondFactorConfirmPayload> {
        let viewer = staff(ctx)?;
        can_get_a_token(ctx)?;
        let confirmed = ctx.services().accounts.confirm_second_factor(viewer, &input.code, origin(ctx)).await;
        Ok(match confirmed.map_err(|error| accounts_fault(&error))?.ok_or_else(nobody)? {
            Ok(Confirmed { signed_in: SignedIn { user, access_token, device }, recovery_codes }) => {
                tell_edge(ctx, &access_token, &device);
                UserSecondFactorConfirmPayload {
                    user: Some(User(user)),
                    access_token: shown(ctx, access_token),
                    recovery_codes: Some(recovery_codes),
                    user_errors: Vec::new(),
                }
            }
            Err(refusal) => UserSecondFactorConfirmPayload {
                user_errors: vec![UserSecondFactorConfirmUserError::of(refusal)?],
                ..Default::default()
            },
        })
    }

    /// Switches the viewer's second factor off. All access tokens of the viewer are revoked, and a new one is issued. Staff only; audited.
    async fn user_second_factor_disable(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The password, and a code.")] input: UserSecondFactorDisableInput,
    ) -> Result<UserSecondFactorDisablePayload> {
        let viewer = staff(ctx)?;
        can_get_a_token(ctx)?;
        let given = (input.password.as_str(), input.code.as_str());
        let disabled = ctx.services().accounts.disable_second_factor(viewer, given, origin(ctx)).await;
        Ok(match disabled.map_err(|error| accounts_fault(&error))?.ok_or_else(nobody)? {
            Ok(SignedIn { user, access_token, device }) => {
                tell_edge(ctx, &access_token, &device);
                UserSecondFactorDisablePayload {
                    user: Some(User(user)),
                    access_token: shown(ctx, access_token),
                    user_errors: Vec::new(),
                }
            }
            Err(refusal) => UserSecondFactorDisablePayload {
                user_errors: vec![UserSecondFactorDisableUserError::of(refusal)?],
                ..Default::default()
            },
        })
    }

    /// Makes new recovery codes for the viewer. Earlier ones become invalid. Staff only; audited.
    async fn user_recovery_codes_renew(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The password, and a code.")] input: UserRecoveryCodesRenewInput,
    ) -> Result<UserRecoveryCodesRenewPayload> {
        let viewer = staff(ctx)?;
        let given = (input.password.as_str(), input.code.as_str());
        let renewed = ctx.services().accounts.renew_recovery_codes(viewer, given, origin(ctx)).await;
        Ok(match renewed.map_err(|error| accounts_fault(&error))?.ok_or_else(nobody)? {
            Ok(codes) => UserRecoveryCodesRenewPayload { recovery_codes: Some(codes), user_errors: Vec::new() },
            Err(refusal) => UserRecoveryCodesRenewPayload {
                user_errors: vec![UserRecoveryCodesRenewUserError::of(refusal)?],
                ..Default::default()
            },
        })
    }
}

/// Somebody of the staff, also without the second factor that the shop requires: this is how one is set up.
fn staff(ctx: &Context<'_>) -> Result<Viewer> {
    let viewer = ctx.require_viewer()?;
    if viewer.role.is_staff() {
        return Ok(viewer);
    }
    Err(Code::Forbidden.error("Second factors are for the shop's staff."))
}

fn origin<'a>(ctx: &'a Context<'_>) -> Origin<'a> {
    let request = ctx.request();
    Origin { address: request.address, device: request.device.as_deref() }
}
