//! `doorbuster settings`: changes settings while the nodes run, and shows their history.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::common::print;
use crate::config::{Config, Layers, Role, Scope, SettingChange, Span, StoredValue};
use crate::kernel::{Clock, Rng, Wanted};
use crate::settings::{By, Changed, HotSettings, Refusal, ValueState, Wish};
use crate::store::{self, Database, StoreError};
use crate::telemetry::say;

/// Changes that `history` and `diff` read at most.
const SHOWN_MAX: usize = 1_000;
/// Bytes of an imported file at most.
const FILE_MAX: u64 = 1 << 20;

/// Commands about settings that can change while the nodes run.
#[derive(Debug, Subcommand)]
pub enum SettingsCommand {
    /// List the settings that can change while the nodes run.
    List {
        /// Only those with a stored value.
        #[arg(long)]
        changed: bool,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show one setting.
    Get {
        /// The key, such as `orders.sweep_every`.
        key: String,
        #[command(flatten)]
        shown: Shown,
    },
    /// Store a value. The nodes take it over within two seconds.
    Set {
        /// The key.
        key: String,
        /// The value, as in the environment.
        value: String,
        #[command(flatten)]
        scope: ScopeOptions,
        /// Take the value back unless the change is confirmed within this time, such as `5m`.
        #[arg(long, value_name = "TIME", value_parser = span)]
        confirm_within: Option<Duration>,
        #[command(flatten)]
        act: Act,
    },
    /// Remove a stored value: the file, the environment and the default hold again.
    Unset {
        /// The key.
        key: String,
        #[command(flatten)]
        scope: ScopeOptions,
        #[command(flatten)]
        act: Act,
    },
    /// Show the changes, newest first.
    History {
        /// Only those of this key.
        key: Option<String>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Show what differs between the states after two changes.
    Diff {
        /// The earlier change.
        from: u64,
        /// The later change. Defaults to the newest.
        to: Option<u64>,
        #[command(flatten)]
        shown: Shown,
    },
    /// Take a change back, or everything since a change.
    Rollback {
        /// The change to take back.
        #[arg(required_unless_present = "to")]
        revision: Option<u64>,
        /// Restore the whole state after this change instead. 0 removes everything that is stored.
        #[arg(long, value_name = "REVISION", conflicts_with = "revision")]
        to: Option<u64>,
        #[command(flatten)]
        act: Act,
    },
    /// Store on all nodes what a change stored on some.
    Promote {
        /// The change.
        revision: u64,
        #[command(flatten)]
        act: Act,
    },
    /// Keep a change that would end by itself.
    Confirm {
        /// The change.
        revision: u64,
        #[command(flatten)]
        act: Act,
    },
    /// Show which node follows which change, and what it can't take.
    Status {
        #[command(flatten)]
        shown: Shown,
    },
    /// Print all stored values as JSON.
    Export,
    /// Store the values of an exported file. Others stay.
    Import {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        act: Act,
    },
}

/// How the result is shown.
#[derive(Debug, Args)]
pub struct Shown {
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Where a value holds.
#[derive(Debug, Args)]
pub struct ScopeOptions {
    /// Only on the node of this name.
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Only on nodes with this role.
    #[arg(long, value_name = "ROLE", conflicts_with = "node")]
    role: Option<String>,
}

/// Who makes a change, and why.
#[derive(Debug, Args)]
pub struct Act {
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The username of the operator who makes the change.
    #[arg(long = "as", value_name = "OPERATOR")]
    operator: String,
    /// Change nothing if the newest change is another one.
    #[arg(long, value_name = "REVISION")]
    expect: Option<u64>,
    /// Check the change without making it.
    #[arg(long)]
    dry_run: bool,
    /// Make the change even if a node can't take it. The node keeps what it has.
    #[arg(long)]
    force: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    Span::parse(text).map(|span| span.0)
}

impl ScopeOptions {
    fn scope(&self) -> anyhow::Result<Scope> {
        Ok(match (&self.node, &self.role) {
            (Some(name), _) => Scope::Node(name.clone()),
            (None, Some(role)) => {
                let known = Role::ALL.into_iter().find(|known| known.as_str() == role);
                Scope::Role(known.with_context(|| format!("there is no role `{role}`"))?)
            }
            (None, None) => Scope::All,
        })
    }
}

/// Runs the command on the database, which a server may be using.
pub async fn run(config: Config, command: SettingsCommand) -> anyhow::Result<ExitCode> {
    Database::must_exist(&config.store)?;
    let db = Database::open(&config.store).await?;
    let settings = HotSettings::of_command(db.clone(), &config, Clock::system(), Rng::system());
    let done = Session { config, db: db.clone(), settings }.run(command).await;
    db.close().await;
    done
}

/// The configuration as a node of this name and these roles has it, as far as the database can be read. One that is not there yet is
/// no reason to say so.
pub(super) async fn with_stored(layers: &Layers, config: &Config) -> String {
    if Database::must_exist(&config.store).is_err() {
        return layers.render();
    }
    match stored(config).await {
        Ok(stored) => layers.overlaid(&stored, &config.node.name, &config.node.roles).layers.render(),
        Err(error) => format!("# Stored settings are missing here: {error}\n{}", layers.render()),
    }
}

async fn stored(config: &Config) -> Result<Vec<StoredValue>, StoreError> {
    let db = Database::look(&config.store).await?;
    let stored = store::read!(&db, |conn| sql::settings::all(conn).await);
    db.close().await;
    stored
}

/// The values of an exported file.
#[derive(Debug, Serialize, Deserialize)]
struct Exported {
    settings: Vec<ExportedValue>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ExportedValue {
    key: String,
    scope: String,
    value: String,
}

struct Session {
    config: Config,
    db: Database,
    settings: HotSettings,
}

impl Session {
    async fn run(&self, command: SettingsCommand) -> anyhow::Result<ExitCode> {
        match command {
            SettingsCommand::List { changed, shown } => self.list(|_| true, changed, shown.json).await,
            SettingsCommand::Get { key, shown } => {
                if let Err(unfit) = self.config.layers.layers().check_hot(&key) {
                    return Ok(refuse(&unfit.into(), shown.json));
                }
                self.list(|found| found == key, false, shown.json).await
            }
            SettingsCommand::Set { key, value, scope, confirm_within, act } => {
                let values = vec![(key, scope.scope()?, value)];
                self.act(Wish::Set { values, confirm_within }, act).await
            }
            SettingsCommand::Unset { key, scope, act } => {
                self.act(Wish::Unset { key, scope: scope.scope()? }, act).await
            }
            SettingsCommand::Rollback { revision, to, act } => {
                let wish = to.map(Wish::RollbackTo).or(revision.map(Wish::Rollback));
                self.act(wish.context("name a change")?, act).await
            }
            SettingsCommand::Promote { revision, act } => self.act(Wish::Promote(revision), act).await,
            SettingsCommand::Confirm { revision, act } => self.act(Wish::Confirm(revision), act).await,
            SettingsCommand::History { key, shown } => self.history(key, shown.json).await,
            SettingsCommand::Diff { from, to, shown } => self.diff(from, to, shown.json).await,
            SettingsCommand::Status { shown } => self.status(shown.json).await,
            SettingsCommand::Export => {
                let exported = |StoredValue { key, scope, value, .. }| ExportedValue { key, scope, value };
                let settings = self.settings.stored().await?.into_iter().map(exported).collect();
                print(&format!("{}\n", serde_json::to_string_pretty(&Exported { settings })?))
            }
            SettingsCommand::Import { file, act } => self.import(file, act).await,
        }
    }

    async fn import(&self, file: PathBuf, act: Act) -> anyhow::Result<ExitCode> {
        let size = std::fs::metadata(&file).with_context(|| file.display().to_string())?.len();
        anyhow::ensure!(size <= FILE_MAX, "{} is larger than {FILE_MAX} bytes", file.display());
        let read = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let exported: Exported = serde_json::from_str(&read).with_context(|| file.display().to_string())?;
        let mut values = Vec::with_capacity(exported.settings.len());
        for ExportedValue { key, scope, value } in exported.settings {
            let scope = Scope::parse(&scope).with_context(|| format!("`{scope}` is no scope"))?;
            values.push((key, scope, value));
        }
        self.act(Wish::Set { values, confirm_within: None }, act).await
    }

    async fn act(&self, wish: Wish, act: Act) -> anyhow::Result<ExitCode> {
        let username = act.operator.trim().to_lowercase();
        let found = store::read!(&self.db, |conn| sql::accounts::find_by_username(conn, &username).await)?;
        let operator = found.map(|(user, _)| user).filter(|user| user.role == crate::model::accounts::Role::Operator);
        let operator = operator.with_context(|| format!("there is no operator `{}`", act.operator))?;
        let by = By {
            operator: operator.id,
            username: operator.username,
            via: "cli",
            reason: act.reason,
            expect: act.expect,
            dry_run: act.dry_run,
            force: act.force,
        };
        let mut done = self.settings.act(wish.clone(), by.clone()).await?;
        if done.as_ref().is_err_and(|refusal| refusal.node.is_some()) {
            // The node may be gone without having said so.
            say("a node may not be able to take this; waiting to see whether it runs");
            self.settings.watch_nodes().await?;
            done = self.settings.act(wish, by).await?;
        }
        match done {
            Err(refusal) => Ok(refuse(&refusal, act.json)),
            Ok(changed) if act.json => print(&format!("{}\n", changed_json(&changed))),
            Ok(changed) => print(&changed_text(&changed)),
        }
    }

    async fn list(&self, wanted: impl Fn(&str) -> bool, changed: bool, json: bool) -> anyhow::Result<ExitCode> {
        let stored = self.settings.stored().await?;
        let over = self.config.layers.layers().overlaid(&stored, "", &[]);
        let config = over.layers.config().or_else(|_| self.config.layers.layers().config())?;
        let (mut text, mut values) = (String::new(), Vec::new());
        for setting in config.settings.iter().filter(|setting| setting.hot && wanted(&setting.key)) {
            let own: Vec<_> = stored.iter().filter(|value| value.key == setting.key).collect();
            if changed && own.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{} = {} # {}", setting.key, setting.value, setting.source);
            for value in own.iter().filter(|value| value.scope != "*") {
                let _ = writeln!(text, "  {}: {} # #{} {:?}", value.scope, value.value, value.revision, value.reason);
            }
            values.push(json!({
                "key": setting.key, "value": setting.value, "default": setting.default, "source": setting.source,
                "stored": own.into_iter().map(stored_json).collect::<Vec<_>>(),
            }));
        }
        for value in stored.iter().filter(|value| wanted(&value.key)) {
            if !config.settings.iter().any(|setting| setting.key == value.key) {
                let _ = writeln!(text, "{} = {} # {}, unknown to this version", value.key, value.value, value.scope);
                values.push(json!({ "key": value.key, "unknown": true, "stored": [stored_json(value)] }));
            }
        }
        print(&if json { format!("{:#}\n", Value::from(values)) } else { text })
    }

    async fn history(&self, key: Option<String>, json: bool) -> anyhow::Result<ExitCode> {
        let wanted = Wanted { after: None, before: None, limit: SHOWN_MAX, from_end: false, count: false };
        let changes = self.settings.history(key, wanted).await?.items;
        print(&if json {
            format!("{:#}\n", changes.iter().map(change_json).collect::<Value>())
        } else {
            changes.iter().map(change_text).collect()
        })
    }

    async fn diff(&self, from: u64, to: Option<u64>, json: bool) -> anyhow::Result<ExitCode> {
        let changes = self.settings.since(from, SHOWN_MAX + 1).await?;
        anyhow::ensure!(changes.len() <= SHOWN_MAX, "there are more than {SHOWN_MAX} changes between them");
        let mut found: Vec<SettingChange> = Vec::new();
        for change in changes.into_iter().filter(|change| to.is_none_or(|to| change.revision <= to)) {
            let same = |known: &&mut SettingChange| (&known.key, &known.scope) == (&change.key, &change.scope);
            match found.iter_mut().find(same) {
                Some(known) => known.new = change.new,
                None => found.push(change),
            }
        }
        found.retain(|change| change.old != change.new);
        if json {
            let line = |change: &SettingChange| json!({ "key": change.key, "scope": change.scope, "old": change.old, "new": change.new });
            return print(&format!("{:#}\n", found.iter().map(line).collect::<Value>()));
        }
        let mut text = String::new();
        for SettingChange { key, scope, old, new, .. } in &found {
            if let Some(old) = old {
                writeln!(text, "- {key} [{scope}] = {old}")?;
            }
            if let Some(new) = new {
                writeln!(text, "+ {key} [{scope}] = {new}")?;
            }
        }
        print(&text)
    }

    async fn status(&self, json: bool) -> anyhow::Result<ExitCode> {
        let (revision, stored, nodes) = self.settings.status().await?;
        if json {
            let node = |node: &crate::settings::NodeView| {
                json!({
                    "name": node.name, "revision": node.revision, "state": state(node.state),
                    "rejected": node.rejected, "shadowed": node.shadowed,
                })
            };
            let nodes: Vec<_> = nodes.iter().map(node).collect();
            return print(&format!("{:#}\n", json!({ "revision": revision, "stored": stored.len(), "nodes": nodes })));
        }
        let mut text =
            format!("revision {revision}, {} stored\n\n{:<40} {:>8} state\n", stored.len(), "node", "revision");
        for node in &nodes {
            let revision = node.revision.map_or("-".to_owned(), |revision| revision.to_string());
            writeln!(text, "{:<40} {revision:>8} {}", node.name, state(node.state))?;
            for rejected in &node.rejected {
                writeln!(text, "    can't take {} [{}]: {}", rejected.key, rejected.scope, rejected.problem)?;
            }
            for key in &node.shadowed {
                writeln!(text, "    {key} is overridden by a flag")?;
            }
        }
        print(&text)
    }
}

const fn state(state: ValueState) -> &'static str {
    match state {
        ValueState::Current => "CURRENT",
        ValueState::Behind => "BEHIND",
        ValueState::Unknown => "UNKNOWN",
    }
}

fn refuse(refusal: &Refusal, json: bool) -> ExitCode {
    if json {
        let told = json!({ "code": refusal.code.as_str(), "message": refusal.message, "node": refusal.node });
        let _ = print(&format!("{:#}\n", json!({ "error": told })));
    } else {
        say(&format!("{}: {}", refusal.code.as_str(), refusal.message));
    }
    ExitCode::FAILURE
}

fn stored_json(value: &StoredValue) -> Value {
    json!({
        "scope": value.scope, "value": value.value, "revision": value.revision, "operator": value.operator,
        "at": value.at.to_rfc3339(), "reason": value.reason,
    })
}

fn change_json(change: &SettingChange) -> Value {
    json!({
        "revision": change.revision, "act": change.act.as_str(), "key": change.key, "scope": change.scope,
        "old": change.old, "new": change.new, "operator": change.username, "via": change.via, "reason": change.reason,
        "at": change.at.to_rfc3339(), "undoes": change.undoes,
        "confirmBefore": change.confirm_before.map(crate::kernel::Timestamp::to_rfc3339),
    })
}

fn change_text(change: &SettingChange) -> String {
    let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
    let by = change.username.as_deref().unwrap_or("nobody");
    let until = change.confirm_before.map(|at| format!(", to be confirmed before {}", at.to_rfc3339()));
    format!(
        "#{} {} {} {} [{}] {} -> {} by {by}: {}{}\n",
        change.revision,
        change.at.to_rfc3339(),
        change.act.as_str(),
        change.key,
        change.scope,
        shown(&change.old),
        shown(&change.new),
        change.reason,
        until.unwrap_or_default()
    )
}

fn changed_json(changed: &Changed) -> String {
    let shadows: Vec<_> =
        changed.shadows.iter().map(|shadow| json!({ "node": shadow.node, "key": shadow.key })).collect();
    let changes = changed.changes.iter().map(change_json).collect::<Value>();
    format!("{:#}", json!({ "stored": changed.stored, "changes": changes, "shadowedBy": shadows }))
}

fn changed_text(changed: &Changed) -> String {
    let mut text: String = changed.changes.iter().map(change_text).collect();
    if changed.changes.is_empty() {
        text.push_str("nothing to change: it is so already\n");
    } else if !changed.stored {
        text.push_str("the change is possible; it was not made (--dry-run)\n");
    }
    for shadow in &changed.shadows {
        let _ = writeln!(text, "note: a flag of node `{}` overrides `{}` there", shadow.node, shadow.key);
    }
    text
}
