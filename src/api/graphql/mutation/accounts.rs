//! Signing up, in and out.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

use crate::accounts::{SignInRefusal, SignUpRefusal, SignedIn};
use crate::api::graphql::context::{ContextExt as _, SESSION};
use crate::api::graphql::error::accounts_fault;
use crate::api::graphql::types::accounts::{AccessToken, User};
use crate::api::graphql::types::user_error::user_error;

/// Who wants to sign up.
#[derive(InputObject)]
pub struct UserSignUpInput {
    /// The name to sign in with: 3 to 32 characters of a-z, 0-9, `_`, `-` and `.`, beginning with a letter or digit. Upper
    /// case is taken as lower case.
    pub username: String,
    /// 8 to 128 bytes of anything.
    #[graphql(secret)]
    pub password: String,
    /// The name that others see: 1 to 64 visible characters.
    pub display_name: String,
}

/// Why nobody was signed up.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "SignUpRefusal")]
pub enum UserSignUpErrorCode {
    /// The username is too short, too long, or has other characters.
    UsernameInvalid,
    /// Somebody has this username.
    UsernameTaken,
    /// The password is too short.
    PasswordTooShort,
    /// The password is too long.
    PasswordTooLong,
    /// The display name is empty, too long, or has invisible characters.
    DisplayNameInvalid,
}

user_error! {
    /// Why nobody was signed up.
    UserSignUpUserError, UserSignUpErrorCode
}

impl From<SignUpRefusal> for UserSignUpUserError {
    fn from(refusal: SignUpRefusal) -> Self {
        let field = match refusal {
            SignUpRefusal::UsernameInvalid | SignUpRefusal::UsernameTaken => "username",
            SignUpRefusal::PasswordTooShort | SignUpRefusal::PasswordTooLong => "password",
            SignUpRefusal::DisplayNameInvalid => "displayName",
        };
        Self::about(refusal.into(), refusal.message(), field)
    }
}

/// What came of signing up.
#[derive(SimpleObject, Default)]
pub struct UserSignUpPayload {
    /// The new user; null when there are user errors.
    pub user: Option<User>,
    /// The new user is signed in with this; null when there are user errors.
    pub access_token: Option<AccessToken>,
    /// Everything that is wrong with the input; empty on success.
    pub user_errors: Vec<UserSignUpUserError>,
}

/// Who wants to sign in.
#[derive(InputObject)]
pub struct UserSignInInput {
    /// The name chosen when signing up.
    pub username: String,
    /// The password.
    #[graphql(secret)]
    pub password: String,
}

/// Why nobody was signed in.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "SignInRefusal")]
pub enum UserSignInErrorCode {
    /// There is no such user, or it has another password: which of them is not told.
    InvalidCredentials,
}

user_error! {
    /// Why nobody was signed in.
    UserSignInUserError, UserSignInErrorCode
}

/// What came of signing in.
#[derive(SimpleObject, Default)]
pub struct UserSignInPayload {
    /// Who is signed in; null when there are user errors.
    pub user: Option<User>,
    /// A new token; null when there are user errors. Tokens from earlier sign-ins stay valid.
    pub access_token: Option<AccessToken>,
    /// Why nobody was signed in; empty on success.
    pub user_errors: Vec<UserSignInUserError>,
}

/// Why nobody was signed out.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserSignOutErrorCode {
    /// Another request signed out with the same token at the same time.
    AlreadySignedOut,
}

user_error! {
    /// Why nobody was signed out.
    UserSignOutUserError, UserSignOutErrorCode
}

/// What came of signing out.
#[derive(SimpleObject, Default)]
pub struct UserSignOutPayload {
    /// Who was signed out; null when there are user errors.
    pub user: Option<User>,
    /// Why nobody was signed out; empty on success.
    pub user_errors: Vec<UserSignOutUserError>,
}

/// Mutations of accounts.
#[derive(Default)]
pub struct AccountsMutation;

#[Object]
impl AccountsMutation {
    /// Creates a buyer and signs them in. Everything that is wrong with the input is reported at once.
    async fn user_sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who wants to sign up.")] input: UserSignUpInput,
    ) -> Result<UserSignUpPayload> {
        let UserSignUpInput { username, password, display_name } = input;
        let accounts = &ctx.services().accounts;
        let result = accounts.sign_up(&username, &password, &display_name, ctx.request().address).await;
        Ok(match result.map_err(|error| accounts_fault(&error))? {
            Ok(SignedIn { user, access_token }) => {
                // Whoever has no account yet gets it, with the same points, when it is first looked at.
                if let Err(error) = ctx.services().points.open(user.id).await {
                    tracing::warn!(%error, user = %user.id, "points account not opened at sign-up");
                }
                ctx.insert_http_header(SESSION, access_token.token.as_str());
                UserSignUpPayload {
                    user: Some(User(user)),
                    access_token: Some(AccessToken(access_token)),
                    ..UserSignUpPayload::default()
                }
            }
            Err(refusals) => UserSignUpPayload {
                user_errors: refusals.into_iter().map(Into::into).collect(),
                ..UserSignUpPayload::default()
            },
        })
    }

    /// Signs in with a new token.
    async fn user_sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who wants to sign in.")] input: UserSignInInput,
    ) -> Result<UserSignInPayload> {
        let UserSignInInput { username, password } = input;
        let result = ctx.services().accounts.sign_in(&username, &password, ctx.request().address).await;
        Ok(match result.map_err(|error| accounts_fault(&error))? {
            Ok(SignedIn { user, access_token }) => {
                ctx.insert_http_header(SESSION, access_token.token.as_str());
                UserSignInPayload {
                    user: Some(User(user)),
                    access_token: Some(AccessToken(access_token)),
                    ..UserSignInPayload::default()
                }
            }
            Err(refusal) => UserSignInPayload {
                user_errors: vec![UserSignInUserError::whole(refusal.into(), refusal.message())],
                ..UserSignInPayload::default()
            },
        })
    }

    /// Ends the token that the request came with.
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
            let message = "This sign-in has ended already.";
            let error = UserSignOutUserError::whole(UserSignOutErrorCode::AlreadySignedOut, message);
            UserSignOutPayload { user: None, user_errors: vec![error] }
        })
    }
}

#[cfg(test)]
mod tests;
