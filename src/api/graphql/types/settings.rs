//! Settings that operators change while the nodes run.

use async_graphql::{Enum, Object, SimpleObject};

use super::connection::connection;
use super::int::clamped;
use super::scalars::DateTime;
use crate::config::{self, SettingAct};
use crate::settings::Shadow;

connection! {
    /// A page of changes of settings, newest first.
    SettingChangeConnection, SettingChangeEdge, SettingChange
}

/// A setting.
#[derive(SimpleObject)]
pub struct Setting {
    /// Its key, such as `orders.writer_batch`.
    key: String,
    /// Its value as it would be written; what is secret of it is shown as `***`.
    value: String,
    /// The default.
    default: String,
    /// Where the value comes from: `default`, a place in the file, a variable of the environment, the change that stored it, a flag.
    source: String,
    /// What it does.
    description: String,
    /// The smallest value. Null if there is none.
    minimum: Option<String>,
    /// The largest value. Null if there is none.
    maximum: Option<String>,
    /// All values that it can have, if they are few. Empty if they are not.
    choices: Vec<String>,
    /// Whether operators can change it while the nodes run (`settingSet`).
    hot: bool,
    /// Whether a change must have a time to confirm it (`confirmWithinSeconds`), because a mistake would lock everybody out.
    confirmation_required: bool,
    /// The values that are stored for it. The narrowest scope wins on each node.
    stored: Vec<StoredSetting>,
}

impl Setting {
    /// A setting with what is stored for it.
    pub fn of(setting: config::Setting, stored: &[config::StoredValue]) -> Self {
        let config::Setting { key, value, default, source, description, minimum, maximum, choices, hot, confirmed } =
            setting;
        let stored = stored.iter().filter(|stored| stored.key == key).cloned().map(Into::into).collect();
        Self {
            key,
            value,
            default,
            source,
            description,
            minimum,
            maximum,
            choices,
            hot,
            confirmation_required: confirmed,
            stored,
        }
    }
}

/// A value that is stored for a setting.
#[derive(SimpleObject)]
pub struct StoredSetting {
    /// The nodes on which it holds: `*` (all), `role:NAME` or `node:NAME`.
    scope: String,
    /// The value as it would be written.
    value: String,
    /// The change that stored it.
    revision: i32,
    /// The username of the operator who stored it. Null if an expired change was taken back.
    operator: Option<String>,
    /// When it was stored.
    at: DateTime,
    /// Why it was stored.
    reason: String,
}

impl From<config::StoredValue> for StoredSetting {
    fn from(stored: config::StoredValue) -> Self {
        let config::StoredValue { scope, value, revision, operator, at, reason, .. } = stored;
        Self { scope, value, revision: clamped(revision), operator, at: DateTime(at), reason }
    }
}

/// The kinds of changes of settings.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingChangeAct {
    /// A value was stored.
    Set,
    /// A stored value was removed.
    Unset,
    /// An earlier change was rolled back.
    Rollback,
    /// A value that held on some nodes was stored for all nodes.
    Promote,
    /// A change that would have expired was confirmed.
    Confirm,
    /// A change expired because nobody confirmed it in time.
    Expire,
}

impl From<SettingAct> for SettingChangeAct {
    fn from(act: SettingAct) -> Self {
        match act {
            SettingAct::Set => Self::Set,
            SettingAct::Unset => Self::Unset,
            SettingAct::Rollback => Self::Rollback,
            SettingAct::Promote => Self::Promote,
            SettingAct::Confirm => Self::Confirm,
            SettingAct::Expire => Self::Expire,
        }
    }
}

/// A change of one setting in one scope.
#[derive(Clone)]
pub struct SettingChange(pub config::SettingChange);

/// A change of one setting in one scope.
#[Object]
impl SettingChange {
    /// The number of the change. Each change has the next one.
    async fn revision(&self) -> i32 {
        clamped(self.0.revision)
    }

    /// The key of the setting.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// The nodes that the change concerns: `*` (all), `role:NAME` or `node:NAME`.
    async fn scope(&self) -> &str {
        &self.0.scope
    }

    /// The kind of change.
    async fn act(&self) -> SettingChangeAct {
        self.0.act.into()
    }

    /// The stored value before the change. Null if there was none.
    async fn old_value(&self) -> Option<&str> {
        self.0.old.as_deref()
    }

    /// The stored value after the change. Null if there is none.
    async fn new_value(&self) -> Option<&str> {
        self.0.new.as_deref()
    }

    /// The username of the operator. Null if the change expired by itself.
    async fn operator(&self) -> Option<&str> {
        self.0.username.as_deref()
    }

    /// The way it came: `graphql`, `cli` or `expiry`.
    async fn via(&self) -> &str {
        &self.0.via
    }

    /// The reason for the change.
    async fn reason(&self) -> &str {
        &self.0.reason
    }

    /// When the change was made.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// The change that this one rolls back, promotes, confirms or ends. Null if there is none.
    async fn undoes(&self) -> Option<i32> {
        self.0.undoes.map(clamped)
    }

    /// When the change expires unless it is confirmed. Null if it does not expire.
    async fn confirm_before(&self) -> Option<DateTime> {
        self.0.confirm_before.map(DateTime)
    }
}

/// A flag of a node that overrides a stored value.
#[derive(SimpleObject, Debug, Clone)]
pub struct SettingOverride {
    /// The name of the node.
    node: String,
    /// The key of the setting.
    key: String,
}

impl From<Shadow> for SettingOverride {
    fn from(shadow: Shadow) -> Self {
        Self { node: shadow.node, key: shadow.key }
    }
}

/// A stored value that is not in force on a node.
#[derive(SimpleObject, Debug, Clone)]
pub struct RejectedSetting {
    /// The key of the setting.
    key: String,
    /// The scope of the stored value.
    scope: String,
    /// The change that stored it.
    revision: i32,
    /// Why the node can't take it.
    problem: String,
}

impl From<config::Ignored> for RejectedSetting {
    fn from(ignored: config::Ignored) -> Self {
        let config::Ignored { key, scope, revision, problem } = ignored;
        Self { key, scope, revision: clamped(revision), problem }
    }
}
