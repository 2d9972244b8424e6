//! Those who work in the shop: created, given another role, helped after a lost phone. Meant for the command line.

use super::{Accounts, AccountsError, Application, SignUpRefusal};
use crate::kernel::UserId;
use crate::model::accounts::{Role, User};
use crate::model::upgrade::Feature;
use crate::store;

/// A role that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChange {
    /// The user, with the new role.
    pub user: User,
    /// The role before.
    pub old: Role,
    /// Sessions that ended.
    pub ended: usize,
}

/// Why nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaffRefusal {
    /// There is no user of that name.
    NoSuchUser,
    /// The name of who makes the change is no operator's.
    NoSuchOperator,
    /// They have that role.
    SameRole,
    /// They have no second factor.
    NoSecondFactor,
    /// Nodes of the previous version may run, which do not know the role.
    NotFinalised,
}

impl StaffRefusal {
    /// A sentence for the person.
    pub const fn message(self) -> &'static str {
        match self {
            Self::NoSuchUser => "There is no user with this name.",
            Self::NoSuchOperator => "The name after --as is not that of an operator.",
            Self::SameRole => "The user already has this role.",
            Self::NoSecondFactor => "The user has no second factor.",
            Self::NotFinalised => {
                "The previous version does not know this role. Finalise the upgrade first: doorbuster upgrade finalise"
            }
        }
    }
}

impl Accounts {
    /// Creates an operator. It is not throttled, logged or signed in.
    pub async fn create_operator(
        &self,
        username: &str,
        password: &str,
        display_name: &str,
    ) -> Result<Result<User, Vec<SignUpRefusal>>, AccountsError> {
        self.create_staff(username, password, display_name, Role::Operator).await
    }

    /// Creates a user with this role, likewise. Ask [`Self::knows`] before.
    pub async fn create_staff(
        &self,
        username: &str,
        password: &str,
        display_name: &str,
        role: Role,
    ) -> Result<Result<User, Vec<SignUpRefusal>>, AccountsError> {
        let application: Application = match self.apply(username, password, display_name).await? {
            Ok(application) => application,
            Err(refusals) => return Ok(Err(refusals)),
        };
        let id = UserId::generate(&self.0.clock, &self.0.rng);
        let user = self.insert(id, application, role, None).await?;
        Ok(user.ok_or_else(|| vec![SignUpRefusal::UsernameTaken]))
    }

    /// Gives a user another role and ends all their sessions. Audited in the name of the operator `by`, or of the user if there is none.
    pub async fn change_role(
        &self,
        username: &str,
        role: Role,
        by: Option<&str>,
    ) -> Result<Result<RoleChange, StaffRefusal>, AccountsError> {
        let (user, by) = match self.whom(username, by).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (id, old) = (user.id, user.role);
        if old == role {
            return Ok(Err(StaffRefusal::SameRole));
        }
        if !self.knows(role).await? {
            return Ok(Err(StaffRefusal::NotFinalised));
        }
        let mut audit = self.audit(by, id, "operator.role");
        audit.detail = serde_json::json!({ "from": old.as_str(), "to": role.as_str(), "via": "cli" });
        let ended = store::write!(&self.0.db, |conn| {
            if !sql::second_factors::change_role(conn, id, old, role).await? {
                return Ok(None);
            }
            sql::catalog::write_down(conn, &audit).await?;
            sql::accounts::delete_tokens_of(conn, id, None).await.map(Some)
        })?;
        // Somebody else changed it at the same moment.
        let Some(ended) = ended else { return Ok(Err(StaffRefusal::SameRole)) };
        self.ended(&ended).await;
        Ok(Ok(RoleChange { user: User { role, ..user }, old, ended: ended.len() }))
    }

    /// Removes a user's second factor and recovery codes, for a lost phone, and ends all their sessions. Audited likewise.
    pub async fn reset_second_factor(
        &self,
        username: &str,
        by: Option<&str>,
    ) -> Result<Result<User, StaffRefusal>, AccountsError> {
        let (user, by) = match self.whom(username, by).await? {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let id = user.id;
        let mut audit = self.audit(by, id, "second_factor.reset");
        audit.detail = serde_json::json!({ "via": "cli" });
        let ended = store::write!(&self.0.db, |conn| {
            if !sql::second_factors::remove(conn, id).await? {
                return Ok(None);
            }
            sql::catalog::write_down(conn, &audit).await?;
            sql::accounts::delete_tokens_of(conn, id, None).await.map(Some)
        })?;
        let Some(ended) = ended else { return Ok(Err(StaffRefusal::NoSecondFactor)) };
        self.ended(&ended).await;
        Ok(Ok(user))
    }

    /// Whether every program that may run on this database knows the role.
    pub async fn knows(&self, role: Role) -> Result<bool, AccountsError> {
        if matches!(role, Role::Buyer | Role::Operator) {
            return Ok(true);
        }
        Ok(store::read!(&self.0.db, |conn| sql::upgrade::allows(conn, Feature::StaffRoles).await)?)
    }

    /// Who is meant, and in whose name it is done.
    async fn whom(
        &self,
        username: &str,
        by: Option<&str>,
    ) -> Result<Result<(User, UserId), StaffRefusal>, AccountsError> {
        let Some(user) = self.user_named(username).await? else { return Ok(Err(StaffRefusal::NoSuchUser)) };
        let by = match by {
            None => user.id,
            Some(name) => match self.user_named(name).await?.filter(|by| by.role == Role::Operator) {
                Some(by) => by.id,
                None => return Ok(Err(StaffRefusal::NoSuchOperator)),
            },
        };
        Ok(Ok((user, by)))
    }
}

#[cfg(test)]
mod tests;
