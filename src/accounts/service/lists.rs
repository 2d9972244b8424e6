//! Users and their attempts to sign in, as lists for operators.

use super::{Accounts, AccountsError, rules};
use crate::kernel::{Listed, LoginEventId, Place, Wanted};
use crate::model::accounts::{Role, SignInAttempt, User};
use crate::store;

impl Accounts {
    /// The user with this name, in any case.
    pub async fn user_named(&self, username: &str) -> Result<Option<User>, AccountsError> {
        let Some(username) = rules::username(username.trim()) else { return Ok(None) };
        let found = store::read!(&self.0.db, |conn| sql::accounts::find_by_username(conn, &username).await)?;
        Ok(found.map(|(user, _)| user))
    }

    /// A page of the users with these roles, by username: all, or those whose username begins with `search` or who show exactly this
    /// name, in any case of ASCII letters.
    pub async fn list_users(
        &self,
        search: Option<String>,
        mut roles: Vec<Role>,
        wanted: Wanted<String>,
    ) -> Result<Listed<User>, AccountsError> {
        let search = search.map(|text| text.to_ascii_lowercase());
        roles.sort_unstable();
        roles.dedup();
        Ok(store::read!(&self.0.db, |conn| sql::people::list(conn, search.as_deref(), &roles, &wanted).await)?)
    }

    /// A page of the attempts to sign in, the newest first: all, or those with this username.
    pub async fn sign_in_attempts(
        &self,
        username: Option<String>,
        wanted: Wanted<Place<LoginEventId>>,
    ) -> Result<Listed<SignInAttempt>, AccountsError> {
        let username = username.map(|text| text.to_ascii_lowercase());
        Ok(store::read!(&self.0.db, |conn| sql::people::attempts(conn, username.as_deref(), &wanted).await)?)
    }
}
