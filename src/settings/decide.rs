//! Whether a change may be made, and what it comes to. Pure: what it needs was read in the transaction that makes it.

use std::time::Duration;

use super::nodes::Checked;
use super::wish::{By, Wish};
use crate::config::{Layers, Scope, SettingAct, SettingChange, StoredValue, Unfit};
use crate::kernel::Timestamp;
use crate::kernel::text::is_line;

/// Characters of a reason at most.
const REASON_MAX: usize = 500;
/// Characters of a value at most.
const VALUE_MAX: usize = 4_096;
/// Changes of one operator within a minute at most.
pub const PER_MINUTE: usize = 60;
/// Changes that are taken back at once at most.
pub(super) const BACK_MAX: usize = 1_000;
/// The input with the value.
const VALUE: &str = "value";
/// The input that says on which nodes a value holds.
pub const SCOPE: &str = "scope";
/// The input that says how long a change waits to be confirmed.
const CONFIRM: &str = "confirmWithinSeconds";
/// How long a change may wait to be confirmed.
const CONFIRM_WITHIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(24 * 3600)];

/// The kinds of refusals. Stable: clients see them as codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalCode {
    /// No such key.
    SettingUnknown,
    /// It takes effect at a start only, or it is a secret.
    SettingNotHot,
    /// The value is none for the key, or its scope or time is none.
    ValueInvalid,
    /// A node could not run on the whole configuration.
    ConfigurationInvalid,
    /// Somebody else changed something in the meantime.
    VersionConflict,
    /// There is no reason, or it is too long.
    ReasonRequired,
    /// The key may only be changed with a time to confirm.
    ConfirmationRequired,
    /// There is no such change, or it can't be treated so.
    RevisionInvalid,
    /// The operator has made as many changes as they may in a minute.
    TooManyChanges,
}

impl RefusalCode {
    /// Its name, as clients see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SettingUnknown => "SETTING_UNKNOWN",
            Self::SettingNotHot => "SETTING_NOT_HOT",
            Self::ValueInvalid => "VALUE_INVALID",
            Self::ConfigurationInvalid => "CONFIGURATION_INVALID",
            Self::VersionConflict => "VERSION_CONFLICT",
            Self::ReasonRequired => "REASON_REQUIRED",
            Self::ConfirmationRequired => "CONFIRMATION_REQUIRED",
            Self::RevisionInvalid => "REVISION_INVALID",
            Self::TooManyChanges => "TOO_MANY_CHANGES",
        }
    }
}

/// Why a change was not made. Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind.
    pub code: RefusalCode,
    /// The same for a person: it names the key, the bound, the other key, the node.
    pub message: String,
    /// The node that could not take it.
    pub node: Option<String>,
    /// The input that is to blame, where it is one: `value`, `scope`, `confirmWithinSeconds`, `reason`.
    pub input: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), node: None, input: None }
    }

    /// The same with the input that is to blame.
    #[must_use]
    pub const fn about(mut self, input: &'static str) -> Self {
        self.input = Some(input);
        self
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Unknown(why) => Self::new(RefusalCode::SettingUnknown, why),
            Unfit::NotHot(why) => Self::new(RefusalCode::SettingNotHot, why),
            Unfit::Value(why) => Self::new(RefusalCode::ValueInvalid, why).about(VALUE),
        }
    }
}

/// A flag that stands over a stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadow {
    /// The node with the flag.
    pub node: String,
    /// The key.
    pub key: String,
}

/// What was read in the transaction.
pub(super) struct Facts {
    pub(super) revision: u64,
    pub(super) stored: Vec<StoredValue>,
    pub(super) nodes: Vec<Checked>,
    /// Changes by the operator within the last minute.
    pub(super) made: usize,
    /// The change that is meant, and the number of the newest of its key and scope.
    pub(super) meant: Option<(SettingChange, u64)>,
    /// Changes after the one that is to be gone back to, oldest first.
    pub(super) later: Vec<SettingChange>,
    /// Those that wait to be confirmed.
    pub(super) unconfirmed: Vec<SettingChange>,
}

/// One value to be stored or removed.
struct Edit {
    key: String,
    scope: String,
    new: Option<String>,
    act: SettingAct,
    undoes: Option<u64>,
}

/// What a change comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) changes: Vec<SettingChange>,
    pub(super) shadows: Vec<Shadow>,
}

/// What the wish comes to, if it may be done.
pub(super) fn decide(own: &Layers, facts: &Facts, wish: &Wish, by: &By, now: Timestamp) -> Result<Plan, Refusal> {
    check_by(facts, by)?;
    let edits = edits(own, facts, wish)?;
    let edits: Vec<Edit> = edits.into_iter().filter(|edit| !stands(facts, edit)).collect();
    if facts.made + edits.len() > PER_MINUTE && !is_bulk(wish) {
        let message = format!("An operator can make {PER_MINUTE} changes in a minute. Please wait a moment.");
        return Err(Refusal::new(RefusalCode::TooManyChanges, message));
    }
    let confirm_before = match wish {
        Wish::Set { confirm_within: Some(within), .. } => {
            let [least, most] = CONFIRM_WITHIN;
            if !(least..=most).contains(within) {
                let message = "The time to confirm must be from 1 second to 24 hours.";
                return Err(Refusal::new(RefusalCode::ValueInvalid, message).about(CONFIRM));
            }
            Some(now.plus(*within))
        }
        _ => None,
    };
    let next = with(&facts.stored, &edits);
    let shadows = check(facts, &edits, &next, by.force)?;
    let change = |(edit, revision): (Edit, u64)| SettingChange {
        revision,
        old: stored_at(&facts.stored, &edit.key, &edit.scope).map(str::to_owned),
        key: edit.key,
        scope: edit.scope,
        new: edit.new,
        act: edit.act,
        operator: Some(by.operator),
        username: Some(by.username.clone()),
        via: by.via.to_owned(),
        reason: by.reason.trim().to_owned(),
        at: now,
        undoes: edit.undoes,
        confirm_before,
    };
    let changes = edits.into_iter().zip(facts.revision + 1..).map(change).collect();
    Ok(Plan { changes, shadows })
}

/// The change that ends one that nobody confirmed.
pub(super) fn expired(change: SettingChange, revision: u64, now: Timestamp) -> SettingChange {
    SettingChange {
        revision,
        act: SettingAct::Expire,
        operator: None,
        username: None,
        via: "expiry".to_owned(),
        reason: format!("nobody confirmed change {}", change.revision),
        at: now,
        undoes: Some(change.revision),
        confirm_before: None,
        old: change.new,
        new: change.old,
        key: change.key,
        scope: change.scope,
    }
}

/// A file or a state that is taken over whole counts as one change.
const fn is_bulk(wish: &Wish) -> bool {
    matches!(wish, Wish::RollbackTo(_)) || matches!(wish, Wish::Set { values, .. } if values.len() > 1)
}

fn check_by(facts: &Facts, by: &By) -> Result<(), Refusal> {
    if !is_line(by.reason.trim(), REASON_MAX) {
        let message = format!("Say why in 1 to {REASON_MAX} characters on one line.");
        return Err(Refusal::new(RefusalCode::ReasonRequired, message).about("reason"));
    }
    if facts.made >= PER_MINUTE {
        let message = format!("An operator can make {PER_MINUTE} changes in a minute. Please wait a moment.");
        return Err(Refusal::new(RefusalCode::TooManyChanges, message));
    }
    match by.expect {
        Some(expected) if expected != facts.revision => {
            let message = format!("The settings are at revision {} by now, not at {expected}.", facts.revision);
            Err(Refusal::new(RefusalCode::VersionConflict, message))
        }
        _ => Ok(()),
    }
}

/// The values to be stored and removed.
fn edits(own: &Layers, facts: &Facts, wish: &Wish) -> Result<Vec<Edit>, Refusal> {
    match wish {
        Wish::Set { values, confirm_within } => {
            let mut edits: Vec<Edit> = Vec::with_capacity(values.len());
            for (key, scope, text) in values {
                if confirm_within.is_none() && own.must_be_confirmed(key) {
                    let message = format!("A mistake in `{key}` would lock everybody out: give a time to confirm.");
                    return Err(Refusal::new(RefusalCode::ConfirmationRequired, message).about(CONFIRM));
                }
                let new = Some(value(own, key, text)?);
                let edit = Edit { key: key.clone(), scope: scope.to_string(), new, act: SettingAct::Set, undoes: None };
                edits.retain(|before| (&before.key, &before.scope) != (&edit.key, &edit.scope));
                edits.push(edit);
            }
            Ok(edits)
        }
        Wish::Unset { key, scope } => {
            let scope = scope.to_string();
            // What is stored can be removed, also if this version does not know it.
            if stored_at(&facts.stored, key, &scope).is_none() {
                own.check_hot(key)?;
            }
            Ok(vec![Edit { key: key.clone(), scope, new: None, act: SettingAct::Unset, undoes: None }])
        }
        Wish::Rollback(revision) => {
            let change = newest(facts, *revision)?;
            let act = SettingAct::Rollback;
            if change.act == SettingAct::Confirm {
                let message = format!("Change {revision} only confirms another one; roll that one back.");
                return Err(Refusal::new(RefusalCode::RevisionInvalid, message));
            }
            Ok(vec![edit_of(change, change.old.clone(), act)])
        }
        Wish::RollbackTo(revision) => back_to(facts, *revision),
        Wish::Promote(revision) => {
            let change = newest(facts, *revision)?;
            if change.scope == "*" || change.new.is_none() {
                let message = format!("Change {revision} holds on all nodes already, or stores nothing.");
                return Err(Refusal::new(RefusalCode::RevisionInvalid, message));
            }
            let everywhere = Edit { scope: "*".to_owned(), ..edit_of(change, change.new.clone(), SettingAct::Promote) };
            Ok(vec![everywhere, edit_of(change, None, SettingAct::Promote)])
        }
        Wish::Confirm(revision) => {
            let Some(change) = facts.unconfirmed.iter().find(|change| change.revision == *revision) else {
                let message = format!("Change {revision} does not wait to be confirmed.");
                return Err(Refusal::new(RefusalCode::RevisionInvalid, message));
            };
            Ok(vec![edit_of(change, change.new.clone(), SettingAct::Confirm)])
        }
    }
}

fn edit_of(change: &SettingChange, new: Option<String>, act: SettingAct) -> Edit {
    Edit { key: change.key.clone(), scope: change.scope.clone(), new, act, undoes: Some(change.revision) }
}

/// The change that is meant, if no later one of its key and scope stands.
fn newest(facts: &Facts, revision: u64) -> Result<&SettingChange, Refusal> {
    let Some((change, newest)) = &facts.meant else {
        return Err(Refusal::new(RefusalCode::RevisionInvalid, format!("There is no change {revision}.")));
    };
    let confirms = facts.later.iter().any(|later| later.revision == *newest && later.act == SettingAct::Confirm);
    if *newest != revision && !confirms {
        let message = format!(
            "Change {newest} of `{}` came after change {revision}. Roll that one back first, or go back to the whole state \
             after a revision.",
            change.key
        );
        return Err(Refusal::new(RefusalCode::VersionConflict, message));
    }
    Ok(change)
}

/// The state as it was after a change: of each key and scope that changed since, what the first of those changes found.
fn back_to(facts: &Facts, revision: u64) -> Result<Vec<Edit>, Refusal> {
    if revision > facts.revision {
        return Err(Refusal::new(RefusalCode::RevisionInvalid, format!("There is no change {revision}.")));
    }
    if facts.later.len() > BACK_MAX {
        let message = format!("More than {BACK_MAX} changes were made since; import an exported state instead.");
        return Err(Refusal::new(RefusalCode::RevisionInvalid, message));
    }
    let mut edits: Vec<Edit> = Vec::new();
    for change in &facts.later {
        if !edits.iter().any(|edit| (&edit.key, &edit.scope) == (&change.key, &change.scope)) {
            let edit = edit_of(change, change.old.clone(), SettingAct::Rollback);
            edits.push(Edit { undoes: None, ..edit });
        }
    }
    Ok(edits)
}

fn value(own: &Layers, key: &str, text: &str) -> Result<String, Refusal> {
    own.check_hot(key)?;
    if text.chars().count() > VALUE_MAX {
        let message = format!("A value has at most {VALUE_MAX} characters.");
        return Err(Refusal::new(RefusalCode::ValueInvalid, message).about(VALUE));
    }
    own.read_input(key, text).map_err(|unfit| {
        let refusal = Refusal::from(unfit);
        Refusal { message: format!("`{key}`: {}", refusal.message), ..refusal }
    })
}

fn stored_at<'a>(stored: &'a [StoredValue], key: &str, scope: &str) -> Option<&'a str> {
    stored.iter().find(|value| value.key == key && value.scope == scope).map(|value| value.value.as_str())
}

/// Whether the edit would change nothing: what it says is stored, or in force anyway wherever it would hold.
fn stands(facts: &Facts, edit: &Edit) -> bool {
    if edit.act == SettingAct::Confirm {
        return false;
    }
    match (stored_at(&facts.stored, &edit.key, &edit.scope), &edit.new) {
        (Some(stored), Some(new)) => stored == new,
        (None, None) => true,
        (Some(_), None) => false,
        (None, Some(new)) => {
            let Some(scope) = Scope::parse(&edit.scope) else { return false };
            let mut here = facts.nodes.iter().filter(|node| scope.holds_on(&node.name, &node.roles)).peekable();
            edit.act == SettingAct::Set
                && here.peek().is_some()
                && here.all(|node| {
                    let over = node.layers.overlaid(&facts.stored, &node.name, &node.roles);
                    over.layers.value_of(&edit.key).as_ref() == Some(new)
                })
        }
    }
}

/// What is stored after the edits.
fn with(stored: &[StoredValue], edits: &[Edit]) -> Vec<StoredValue> {
    let touched = |value: &&StoredValue| {
        edits.iter().any(|edit| edit.key == value.key && edit.scope == value.scope && edit.act != SettingAct::Confirm)
    };
    let mut next: Vec<StoredValue> = stored.iter().filter(|value| !touched(value)).cloned().collect();
    next.extend(edits.iter().filter(|edit| edit.act != SettingAct::Confirm).filter_map(|edit| {
        let (key, scope, value) = (edit.key.clone(), edit.scope.clone(), edit.new.clone()?);
        let (at, reason) = (Timestamp::MAX, String::new());
        Some(StoredValue { key, scope, value, revision: u64::MAX, operator: None, at, reason })
    }));
    next
}

/// Whether every node could run on what is stored then. Problems that a node has already are no reason.
fn check(facts: &Facts, edits: &[Edit], next: &[StoredValue], force: bool) -> Result<Vec<Shadow>, Refusal> {
    let mut shadows = Vec::new();
    for edit in edits.iter().filter(|edit| edit.new.is_some()) {
        let scope = Scope::parse(&edit.scope);
        if let Some(Scope::Node(name)) = scope
            && !force
            && !facts.nodes.iter().any(|node| node.name == name)
        {
            let names: Vec<_> = facts.nodes.iter().map(|node| node.name.as_str()).collect();
            let message = format!("No node that runs is named `{name}`; there are {}.", names.join(", "));
            return Err(Refusal::new(RefusalCode::ValueInvalid, message).about(SCOPE));
        }
    }
    for node in &facts.nodes {
        let over = node.layers.overlaid(next, &node.name, &node.roles);
        let edited = |key: &&String| edits.iter().any(|edit| edit.key == **key && edit.new.is_some());
        let shadow = |key: &String| Shadow { node: node.name.clone(), key: key.clone() };
        shadows.extend(over.shadowed.iter().filter(edited).map(shadow));
        let Err(errors) = over.layers.config() else { continue };
        let before = node.layers.overlaid(&facts.stored, &node.name, &node.roles).layers.config().err();
        let known = |message: &String| {
            before.as_ref().is_some_and(|before| before.0.iter().any(|problem| problem.message == *message))
        };
        if let Some(problem) = errors.0.iter().find(|problem| !known(&problem.message))
            && !force
        {
            let message = format!("{} (on node `{}`, {})", problem.message, node.name, problem.at);
            let keys = problem.keys.join(", ");
            return Err(Refusal {
                code: RefusalCode::ConfigurationInvalid,
                message: format!("{keys}: {message}"),
                node: Some(node.name.clone()),
                input: None,
            });
        }
    }
    Ok(shadows)
}
