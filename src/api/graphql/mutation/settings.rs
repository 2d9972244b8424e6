//! Changing settings while the nodes run.

use std::time::Duration;

use async_graphql::{Context, InputObject, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{accounts_fault, store_fault};
use crate::api::graphql::types::settings::{SettingChange, SettingOverride};
use crate::api::graphql::types::user_error::user_error;
use crate::config::Scope;
use crate::model::rights::Right;
use crate::settings::{By, Changed, Refusal, RefusalCode, SCOPE, Wish};
use crate::store::StoreError;

/// Declares the codes, the user error and the payload of a mutation of settings.
macro_rules! setting_act {
    (
        $(#[$code_doc:meta])* codes $code:ident;
        $(#[$error_doc:meta])* error $error:ident;
        $(#[$payload_doc:meta])* payload $payload:ident;
    ) => {
        $(#[$code_doc])*
        #[derive(async_graphql::Enum, Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $code {
            /// The setting does not exist. The message suggests the most similar one.
            SettingUnknown,
            /// The setting takes effect only at a start, or is a secret.
            SettingNotHot,
            /// The value, the scope or the time is invalid.
            ValueInvalid,
            /// A node could not run with the whole configuration. The message names the node and the other setting.
            ConfigurationInvalid,
            /// Something was changed in the meantime, or a later change of the setting must be rolled back first.
            VersionConflict,
            /// The reason is missing, too long, or contains control characters.
            ReasonRequired,
            /// The setting can only be changed with a time to confirm the change, because a mistake would lock everybody out.
            ConfirmationRequired,
            /// The change does not exist, or can't be treated this way.
            RevisionInvalid,
            /// The operator has made 60 changes within a minute.
            TooManyChanges,
        }

        impl From<RefusalCode> for $code {
            fn from(code: RefusalCode) -> Self {
                match code {
                    RefusalCode::SettingUnknown => Self::SettingUnknown,
                    RefusalCode::SettingNotHot => Self::SettingNotHot,
                    RefusalCode::ValueInvalid => Self::ValueInvalid,
                    RefusalCode::ConfigurationInvalid => Self::ConfigurationInvalid,
                    RefusalCode::VersionConflict => Self::VersionConflict,
                    RefusalCode::ReasonRequired => Self::ReasonRequired,
                    RefusalCode::ConfirmationRequired => Self::ConfirmationRequired,
                    RefusalCode::RevisionInvalid => Self::RevisionInvalid,
                    RefusalCode::TooManyChanges => Self::TooManyChanges,
                }
            }
        }

        user_error! { $(#[$error_doc])* $error, $code }

        $(#[$payload_doc])*
        #[derive(async_graphql::SimpleObject)]
        pub struct $payload {
            /// The changes. Empty if everything was so already. Null when there are user errors.
            pub changes: Option<Vec<SettingChange>>,
            /// Flags of nodes that override the stored value: the change has no effect there.
            pub overridden_on: Vec<SettingOverride>,
            /// All problems with the input. Empty on success.
            pub user_errors: Vec<$error>,
        }

        impl $payload {
            fn of(done: Result<Result<Changed, Refusal>, StoreError>) -> Result<Self> {
                Ok(match done.map_err(|error| store_fault(&error))? {
                    Ok(Changed { changes, shadows, .. }) => Self {
                        changes: Some(changes.into_iter().map(SettingChange).collect()),
                        overridden_on: shadows.into_iter().map(Into::into).collect(),
                        user_errors: Vec::new(),
                    },
                    Err(Refusal { code, message, input, .. }) => {
                        let user_error = match input {
                            Some(name) => $error::about(code.into(), message, name),
                            None => $error::whole(code.into(), message),
                        };
                        Self { changes: None, overridden_on: Vec::new(), user_errors: vec![user_error] }
                    }
                })
            }
        }
    };
}

setting_act! {
    /// Why a value was not stored.
    codes SettingSetErrorCode;
    /// Why a value was not stored.
    error SettingSetUserError;
    /// The result of storing a value.
    payload SettingSetPayload;
}

setting_act! {
    /// Why a stored value was not removed.
    codes SettingUnsetErrorCode;
    /// Why a stored value was not removed.
    error SettingUnsetUserError;
    /// The result of removing a stored value.
    payload SettingUnsetPayload;
}

setting_act! {
    /// Why changes were not rolled back.
    codes SettingRollbackErrorCode;
    /// Why changes were not rolled back.
    error SettingRollbackUserError;
    /// The result of rolling back changes.
    payload SettingRollbackPayload;
}

setting_act! {
    /// Why a value was not promoted.
    codes SettingPromoteErrorCode;
    /// Why a value was not promoted.
    error SettingPromoteUserError;
    /// The result of promoting a value.
    payload SettingPromotePayload;
}

setting_act! {
    /// Why a change was not confirmed.
    codes SettingConfirmErrorCode;
    /// Why a change was not confirmed.
    error SettingConfirmUserError;
    /// The result of confirming a change.
    payload SettingConfirmPayload;
}

/// A value to store.
#[derive(InputObject)]
pub struct SettingSetInput {
    /// The key, such as `orders.sweep_every`.
    pub key: String,
    /// The value, as it would be written in the environment or in the file: `500ms`, `40`, `true`.
    pub value: String,
    /// The nodes on which it holds: `*` (all), `role:NAME` or `node:NAME`.
    #[graphql(default_with = "everywhere()")]
    pub scope: String,
    /// Take the value back unless the change is confirmed within so many seconds (`settingConfirm`): 1 to 86400. The change stays when
    /// absent.
    pub confirm_within_seconds: Option<i32>,
    /// For the history and the audit log: 1 to 500 characters on one line.
    pub reason: String,
    /// Change nothing if the newest change is not this one. Not compared when absent.
    pub expected_revision: Option<i32>,
    /// Check the change without making it.
    #[graphql(default)]
    pub dry_run: bool,
    /// Make the change even if a node could not run with it. The node then keeps its configuration and reports it.
    #[graphql(default)]
    pub force: bool,
}

/// A stored value to remove.
#[derive(InputObject)]
pub struct SettingUnsetInput {
    /// The key.
    pub key: String,
    /// The scope of the stored value.
    #[graphql(default_with = "everywhere()")]
    pub scope: String,
    /// For the history and the audit log: 1 to 500 characters on one line.
    pub reason: String,
    /// Change nothing if the newest change is not this one. Not compared when absent.
    pub expected_revision: Option<i32>,
    /// Check the change without making it.
    #[graphql(default)]
    pub dry_run: bool,
    /// Make the change even if a node could not run with it. The node then keeps its configuration and reports it.
    #[graphql(default)]
    pub force: bool,
}

/// The changes to roll back.
#[derive(InputObject)]
pub struct SettingRollbackInput {
    /// The change.
    pub revision: i32,
    /// Restore the whole state after this change, instead of taking this change back.
    #[graphql(default)]
    pub whole_state: bool,
    /// For the history and the audit log: 1 to 500 characters on one line.
    pub reason: String,
    /// Change nothing if the newest change is not this one. Not compared when absent.
    pub expected_revision: Option<i32>,
    /// Check the change without making it.
    #[graphql(default)]
    pub dry_run: bool,
    /// Make the change even if a node could not run with it. The node then keeps its configuration and reports it.
    #[graphql(default)]
    pub force: bool,
}

/// The change to promote.
#[derive(InputObject)]
pub struct SettingPromoteInput {
    /// The change, which stored a value for some nodes.
    pub revision: i32,
    /// For the history and the audit log: 1 to 500 characters on one line.
    pub reason: String,
    /// Change nothing if the newest change is not this one. Not compared when absent.
    pub expected_revision: Option<i32>,
    /// Check the change without making it.
    #[graphql(default)]
    pub dry_run: bool,
    /// Make the change even if a node could not run with it. The node then keeps its configuration and reports it.
    #[graphql(default)]
    pub force: bool,
}

/// The change to confirm.
#[derive(InputObject)]
pub struct SettingConfirmInput {
    /// The change.
    pub revision: i32,
    /// For the history and the audit log: 1 to 500 characters on one line.
    pub reason: String,
    /// Change nothing if the newest change is not this one. Not compared when absent.
    pub expected_revision: Option<i32>,
    /// Check the change without making it.
    #[graphql(default)]
    pub dry_run: bool,
    /// Make the change even if a node could not run with it. The node then keeps its configuration and reports it.
    #[graphql(default)]
    pub force: bool,
}

fn everywhere() -> String {
    "*".to_owned()
}

/// Mutations of settings.
#[derive(Default)]
pub struct SettingsMutation;

#[Object]
impl SettingsMutation {
    /// Stores a value of a setting, which all nodes concerned take over within two seconds. Operators only; audited.
    async fn setting_set(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The value to store.")] input: SettingSetInput,
    ) -> Result<SettingSetPayload> {
        let SettingSetInput { key, value, scope, confirm_within_seconds, reason, expected_revision, dry_run, force } =
            input;
        let by = by(ctx, reason, expected_revision, dry_run, force).await?;
        let Some(scope) = Scope::parse(&scope) else { return SettingSetPayload::of(Ok(Err(no_scope()))) };
        let confirm_within = confirm_within_seconds.map(|seconds| Duration::from_secs(number(seconds)));
        let wish = Wish::Set { values: vec![(key, scope, value)], confirm_within };
        SettingSetPayload::of(ctx.services().settings.act(wish, by).await)
    }

    /// Removes a stored value: the configuration of each node holds again. Operators only; audited.
    async fn setting_unset(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The stored value to remove.")] input: SettingUnsetInput,
    ) -> Result<SettingUnsetPayload> {
        let SettingUnsetInput { key, scope, reason, expected_revision, dry_run, force } = input;
        let by = by(ctx, reason, expected_revision, dry_run, force).await?;
        let Some(scope) = Scope::parse(&scope) else { return SettingUnsetPayload::of(Ok(Err(no_scope()))) };
        SettingUnsetPayload::of(ctx.services().settings.act(Wish::Unset { key, scope }, by).await)
    }

    /// Takes a change back, or restores the whole state after a change. A change can't be taken back alone while a later change of the same
    /// setting stands. Operators only; audited.
    async fn setting_rollback(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes to roll back.")] input: SettingRollbackInput,
    ) -> Result<SettingRollbackPayload> {
        let SettingRollbackInput { revision, whole_state, reason, expected_revision, dry_run, force } = input;
        let by = by(ctx, reason, expected_revision, dry_run, force).await?;
        let revision = number(revision);
        let wish = if whole_state { Wish::RollbackTo(revision) } else { Wish::Rollback(revision) };
        SettingRollbackPayload::of(ctx.services().settings.act(wish, by).await)
    }

    /// Stores for all nodes what a change stored for some, and removes the narrower value. Operators only; audited.
    async fn setting_promote(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change to promote.")] input: SettingPromoteInput,
    ) -> Result<SettingPromotePayload> {
        let SettingPromoteInput { revision, reason, expected_revision, dry_run, force } = input;
        let by = by(ctx, reason, expected_revision, dry_run, force).await?;
        SettingPromotePayload::of(ctx.services().settings.act(Wish::Promote(number(revision)), by).await)
    }

    /// Keeps a change that would expire. Operators only; audited.
    async fn setting_confirm(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The change to confirm.")] input: SettingConfirmInput,
    ) -> Result<SettingConfirmPayload> {
        let SettingConfirmInput { revision, reason, expected_revision, dry_run, force } = input;
        let by = by(ctx, reason, expected_revision, dry_run, force).await?;
        SettingConfirmPayload::of(ctx.services().settings.act(Wish::Confirm(number(revision)), by).await)
    }
}

/// The operator who sends the request.
async fn by(
    ctx: &Context<'_>,
    reason: String,
    expected_revision: Option<i32>,
    dry_run: bool,
    force: bool,
) -> Result<By> {
    let operator = ctx.require(Right::ChangeSettings)?.id;
    let user = ctx.services().accounts.user(operator).await.map_err(|error| accounts_fault(&error))?;
    let username = user.map(|user| user.username).unwrap_or_default();
    let expect = expected_revision.map(number);
    Ok(By { operator, username, via: "graphql", reason, expect, dry_run, force })
}

/// Below zero there is nothing.
fn number(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX >> 1)
}

fn no_scope() -> Refusal {
    let message = "The scope must be `*`, `role:NAME` with a role of nodes, or `node:NAME`.".to_owned();
    Refusal { code: RefusalCode::ValueInvalid, message, node: None, input: Some(SCOPE) }
}
