//! Signing up, in and out.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use crate::accounts::{
    self, Credentials, DeviceToken, Origin, PasswordChanged, PasswordRefusal, SignInRefusal, SignUpRefusal, SignedIn,
};
use crate::api::graphql::context::{ContextExt as _, DEVICE, SESSION, TokenIn};
use crate::api::graphql::error::{Code, accounts_fault};
use crate::api::graphql::types::accounts::{AccessToken, User};
use crate::api::graphql::types::int::clamped;
use crate::api::graphql::types::user_error::user_error;

/// The new account.
#[derive(InputObject)]
pub struct UserSignUpInput {
    /// The name used to sign in: 3 to 32 characters of `a-z`, `0-9`, `_`, `-` and `.`, beginning with a letter or
    /// digit. Upper case is converted to lower case.
    pub username: String,
    /// The password: 8 to 128 bytes, with any characters.
    #[graphql(secret)]
    pub password: String,
    /// The name that other users see: 1 to 64 characters on one line, with at least one visible character.
    pub display_name: String,
}

/// Why the sign-up failed.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "SignUpRefusal")]
pub enum UserSignUpErrorCode {
    /// The shop does not accept new accounts.
    SignUpClosed,
    /// The username is too short, too long, or contains invalid characters.
    UsernameInvalid,
    /// The username is already taken.
    UsernameTaken,
    /// The password is too short.
    PasswordTooShort,
    /// The password is too long.
    PasswordTooLong,
    /// The display name has no visible characters, is too long, or contains line breaks or other control characters.
    DisplayNameInvalid,
}

user_error! {
    /// Why the sign-up failed.
    UserSignUpUserError, UserSignUpErrorCode
}

impl From<SignUpRefusal> for UserSignUpUserError {
    fn from(refusal: SignUpRefusal) -> Self {
        let field = match refusal {
            SignUpRefusal::SignUpClosed => return Self::whole(refusal.into(), refusal.message()),
            SignUpRefusal::UsernameInvalid | SignUpRefusal::UsernameTaken => "username",
            SignUpRefusal::PasswordTooShort | SignUpRefusal::PasswordTooLong => "password",
            SignUpRefusal::DisplayNameInvalid => "displayName",
        };
        Self::about(refusal.into(), refusal.message(), field)
    }
}

/// The result of signing up.
#[derive(SimpleObject, Default)]
pub struct UserSignUpPayload {
    /// The new user. Null when there are user errors.
    pub user: Option<User>,
    /// An access token of the new user. Null when there are user errors, and when the client requested a cookie,
    /// which then holds the token.
    pub access_token: Option<AccessToken>,
    /// All problems with the input. Empty on success.
    pub user_errors: Vec<UserSignUpUserError>,
}

/// The credentials.
#[derive(InputObject)]
pub struct UserSignInInput {
    /// The username chosen at sign-up.
    pub username: String,
    /// The password.
    #[graphql(secret)]
    pub password: String,
    /// The second factor, if the user has one: a code of the authenticator app, or a recovery code. Each is accepted once.
    #[graphql(secret)]
    pub code: Option<String>,
}

/// Why the sign-in failed.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "SignInRefusal")]
pub enum UserSignInErrorCode {
    /// The username or the password is wrong. The error does not reveal which.
    InvalidCredentials,
    /// The password is right, and the user has a second factor: sign in again with `code`.
    SecondFactorRequired,
    /// The password is right, and the code is wrong or was already used.
    SecondFactorInvalid,
}

user_error! {
    /// Why the sign-in failed.
    UserSignInUserError, UserSignInErrorCode
}

/// The result of signing in.
#[derive(SimpleObject, Default)]
pub struct UserSignInPayload {
    /// The user who signed in. Null when there are user errors.
    pub user: Option<User>,
    /// A new access token. Null when there are user errors, and when the client requested a cookie, which then holds
    /// the token. Tokens from earlier sign-ins stay valid.
    pub access_token: Option<AccessToken>,
    /// Why the sign-in failed. Empty on success.
    pub user_errors: Vec<UserSignInUserError>,
}

/// Why the sign-out failed.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSignOutErrorCode {
    /// A concurrent request signed out with the same token.
    AlreadySignedOut,
}

user_error! {
    /// Why the sign-out failed.
    UserSignOutUserError, UserSignOutErrorCode
}

/// The result of signing out.
#[derive(SimpleObject, Default)]
pub struct UserSignOutPayload {
    /// The user who signed out. Null when there are user errors.
    pub user: Option<User>,
    /// Why the sign-out failed. Empty on success.
    pub user_errors: Vec<UserSignOutUserError>,
}

/// The current password and the new one.
#[derive(InputObject)]
pub struct UserPasswordChangeInput {
    /// The current password.
    #[graphql(secret)]
    pub current_password: String,
    /// The new password: 8 to 128 bytes, with any characters.
    #[graphql(secret)]
    pub new_password: String,
}

/// Why the password was not changed. Values are stable, so programs may rely on them.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "PasswordRefusal")]
pub enum UserPasswordChangeErrorCode {
    /// The current password is wrong.
    InvalidCredentials,
    /// The new password is too long.
    PasswordTooLong,
    /// The new password is too short.
    PasswordTooShort,
}

user_error! {
    /// Why the password was not changed.
    UserPasswordChangeUserError, UserPasswordChangeErrorCode
}

impl From<PasswordRefusal> for UserPasswordChangeUserError {
    fn from(refusal: PasswordRefusal) -> Self {
        let field = match refusal {
            PasswordRefusal::InvalidCredentials => "currentPassword",
            PasswordRefusal::PasswordTooLong | PasswordRefusal::PasswordTooShort => "newPassword",
        };
        Self::about(refusal.into(), refusal.message(), field)
    }
}

/// The result of changing the password.
#[derive(SimpleObject, Default)]
pub struct UserPasswordChangePayload {
    /// The user. Null when there are user errors.
    pub user: Option<User>,
    /// Why the password was not changed. Empty on success.
    pub user_errors: Vec<UserPasswordChangeUserError>,
}

/// Why no token was revoked.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSignOutEverywhereErrorCode {
    /// A concurrent request revoked all tokens.
    AlreadySignedOut,
}

user_error! {
    /// Why no token was revoked.
    UserSignOutEverywhereUserError, UserSignOutEverywhereErrorCode
}

/// The result of signing out everywhere.
#[derive(SimpleObject, Default)]
pub struct UserSignOutEverywherePayload {
    /// The user who signed out. Null when there are user errors.
    pub user: Option<User>,
    /// The number of access tokens that were revoked, including the one used for this request.
    pub ended: i32,
    /// Why no token was revoked. Empty on success.
    pub user_errors: Vec<UserSignOutEverywhereUserError>,
}

/// Mutations of accounts.
#[derive(Default)]
pub struct AccountsMutation;

#[Object]
impl AccountsMutation {
    /// Creates a buyer's account and signs the buyer in. All problems with the input are reported together.
    async fn user_sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new account.")] input: UserSignUpInput,
    ) -> Result<UserSignUpPayload> {
        let UserSignUpInput { username, password, display_name } = input;
        let accounts = &ctx.services().accounts;
        can_get_a_token(ctx)?;
        let result = accounts.sign_up(&username, &password, &display_name, ctx.request().address).await;
        Ok(match result.map_err(|error| accounts_fault(&error))? {
            Ok(SignedIn { user, access_token, device }) => {
                // A user without a points account gets it, with the same points, when it is first read.
                if let Err(error) = ctx.services().points.open(user.id).await {
                    tracing::warn!(%error, user = %user.id, "could not open the points account at sign-up");
                }
                tell_edge(ctx, &access_token, &device);
                UserSignUpPayload {
                    user: Some(User(user)),
                    access_token: shown(ctx, access_token),
                    ..UserSignUpPayload::default()
                }
            }
            Err(refusals) => UserSignUpPayload {
                user_errors: refusals.into_iter().map(Into::into).collect(),
                ..UserSignUpPayload::default()
            },
        })
    }

    /// Signs a user in and issues a new access token.
    async fn user_sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The credentials.")] input: UserSignInInput,
    ) -> Result<UserSignInPayload> {
        let UserSignInInput { username, password, code } = input;
        can_get_a_token(ctx)?;
        let request = ctx.request();
        let origin = Origin { address: request.address, device: request.device.as_deref() };
        let credentials = Credentials { username: &username, password: &password, code: code.as_deref() };
        let result = ctx.services().accounts.sign_in_with(credentials, origin).await;
        Ok(match result.map_err(|error| accounts_fault(&error))? {
            Ok(SignedIn { user, access_token, device }) => {
                tell_edge(ctx, &access_token, &device);
                UserSignInPayload {
                    user: Some(User(user)),
                    access_token: shown(ctx, access_token),
                    ..UserSignInPayload::default()
                }
            }
            Err(refusal) => UserSignInPayload {
                user_errors: vec![match refusal {
                    SignInRefusal::InvalidCredentials => UserSignInUserError::whole(refusal.into(), refusal.message()),
                    SignInRefusal::SecondFactorRequired | SignInRefusal::SecondFactorInvalid => {
                        UserSignInUserError::about(refusal.into(), refusal.message(), "code")
                    }
                }],
                ..UserSignInPayload::default()
            },
        })
    }

    /// Signs out by revoking the access token used for this request.
    async fn user_sign_out(&self, ctx: &Context<'_>) -> Result<UserSignOutPayload> {
        let viewer = ctx.require_viewer()?;
        let accounts = &ctx.services().accounts;
        let token = ctx.request().token.as_deref().unwrap_or_default();
        // Read first: once the token is gone, failing to would leave the sender in doubt.
        let user = accounts.user(viewer.id).await.map_err(|error| accounts_fault(&error))?;
        Ok(if accounts.sign_out(token).await.map_err(|error| accounts_fault(&error))? {
            ctx.insert_http_header(SESSION, "");
            UserSignOutPayload { user: user.map(User), user_errors: Vec::new() }
        } else {
            let message = "You are already signed out.";
            let error = UserSignOutUserError::whole(UserSignOutErrorCode::AlreadySignedOut, message);
            UserSignOutPayload { user: None, user_errors: vec![error] }
        })
    }

    /// Changes the viewer's password and revokes all of their access tokens except the one used for this request.
    async fn user_password_change(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The current password and the new one.")] input: UserPasswordChangeInput,
    ) -> Result<UserPasswordChangePayload> {
        let viewer = ctx.require_viewer()?;
        let request = ctx.request();
        let origin = Origin { address: request.address, device: request.device.as_deref() };
        let token = request.token.as_deref().unwrap_or_default();
        let passwords = (input.current_password.as_str(), input.new_password.as_str());
        let result = ctx.services().accounts.change_password(viewer, token, passwords, origin).await;
        match result.map_err(|error| accounts_fault(&error))?.ok_or_else(nobody)? {
            Ok(PasswordChanged { user, device: DeviceToken(device) }) => {
                ctx.insert_http_header(DEVICE, device.as_str());
                Ok(UserPasswordChangePayload { user: Some(User(user)), user_errors: Vec::new() })
            }
            Err(refusal) => Ok(UserPasswordChangePayload { user: None, user_errors: vec![refusal.into()] }),
        }
    }

    /// Signs out everywhere by revoking all of the viewer's access tokens, including the one used for this request.
    async fn user_sign_out_everywhere(&self, ctx: &Context<'_>) -> Result<UserSignOutEverywherePayload> {
        let viewer = ctx.require_viewer()?;
        let result = ctx.services().accounts.sign_out_everywhere(viewer.id, ctx.request().address).await;
        let (user, ended) = result.map_err(|error| accounts_fault(&error))?.ok_or_else(nobody)?;
        if ended == 0 {
            let code = UserSignOutEverywhereErrorCode::AlreadySignedOut;
            let error = UserSignOutEverywhereUserError::whole(code, "You are already signed out everywhere.");
            return Ok(UserSignOutEverywherePayload { user_errors: vec![error], ..Default::default() });
        }
        ctx.insert_http_header(SESSION, "");
        let ended = clamped(ended as u64);
        Ok(UserSignOutEverywherePayload { user: Some(User(user)), ended, user_errors: Vec::new() })
    }
}

/// Users are never removed, but a database may be put back to an older state under a running node.
pub(super) fn nobody() -> async_graphql::Error {
    Code::Unauthenticated.error("Please sign in first.")
}

/// Refuses a sign-in whose token would get nowhere.
pub(super) fn can_get_a_token(ctx: &Context<'_>) -> Result<()> {
    if ctx.request().token_in != TokenIn::Nowhere {
        return Ok(());
    }
    let message =
        "A cookie can't be set over this transport. Sign in with a plain POST, or without requesting a cookie.";
    Err(Code::BadUserInput.error(message))
}

pub(super) fn tell_edge(ctx: &Context<'_>, token: &accounts::AccessToken, DeviceToken(device): &DeviceToken) {
    ctx.insert_http_header(SESSION, token.token.as_str());
    ctx.insert_http_header(DEVICE, device.as_str());
}

/// What the answer shows of the token: nothing where a cookie has it, which scripts can't read for a reason.
pub(super) fn shown(ctx: &Context<'_>, token: accounts::AccessToken) -> Option<AccessToken> {
    (ctx.request().token_in == TokenIn::Answer).then_some(AccessToken(token))
}

#[cfg(test)]
mod tests;
