//! `doorbuster upgrade`: whether the previous version of the program can still be started, and the end of that.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::json;

use super::common::print;
use crate::config::Config;
use crate::kernel::{Clock, Timestamp};
use crate::model::nodes::NodeRow;
use crate::model::upgrade::{Feature, SchemaState, data_version};
use crate::nodes::{Finalised, Registry, Upgrades};
use crate::store::Database;
use crate::telemetry::say;

/// Commands about upgrades.
#[derive(Debug, Subcommand)]
pub enum UpgradeCommand {
    /// Show the data versions of the database, this program and the nodes, and what waits for the upgrade to be finalised.
    Status(Status),
    /// Finalise the upgrade to this program: the previous version can't be started any more.
    #[command(alias = "finalize")]
    Finalise,
}

/// Options of `upgrade status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(config: Config, command: UpgradeCommand) -> anyhow::Result<ExitCode> {
    match command {
        UpgradeCommand::Status(Status { json }) => {
            let db = Database::look(&config.store).await?;
            let report = report(&db).await;
            db.close().await;
            let (state, nodes) =
                report.context("reading which programs the database is for (`doorbuster migrate` prepares it)")?;
            let nodes = nodes.as_deref();
            print(&if json { object(&config, &state, nodes) } else { text(&config, &state, nodes) })
        }
        UpgradeCommand::Finalise => {
            let db = Database::open(&config.store).await?;
            let done = finalise(&config, &db).await;
            db.close().await;
            done
        }
    }
}

/// The state of the database, and its nodes. The table of nodes may lack columns until a node of this version has migrated it.
async fn report(db: &Database) -> anyhow::Result<(SchemaState, Option<Vec<NodeRow>>)> {
    let state = Upgrades::state(db).await?;
    let nodes = if db.is_current().await? { Some(Registry::list(db).await?) } else { None };
    Ok((state, nodes))
}

async fn finalise(config: &Config, db: &Database) -> anyhow::Result<ExitCode> {
    let current = db.is_current().await?;
    anyhow::ensure!(current, "the database has the tables of an older program; start the nodes of this version first");
    match Upgrades::new(db.clone(), Clock::system(), *config.node.heartbeat).finalise().await? {
        Finalised::Now(version) => print(&format!("finalised: data version {version} is in force\n")),
        Finalised::Already(version) => print(&format!("data version {version} is in force already\n")),
        Finalised::OlderNodes(nodes) => {
            for node in nodes {
                say(&format!(
                    "{} ({}) runs version {}: upgrade or stop it first",
                    node.name, node.address, node.version
                ));
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What can't be used yet.
fn held_back(state: &SchemaState) -> impl Iterator<Item = Feature> {
    let version = state.version;
    Feature::ALL.into_iter().filter(move |feature| feature.since() > version && feature.since() <= data_version())
}

fn text(config: &Config, state: &SchemaState, nodes: Option<&[NodeRow]>) -> String {
    let program = data_version();
    let mut lines =
        vec![format!("database  data version {}", state.version), format!("program   data version {program}")];
    if nodes.is_none() {
        let note =
            "nodes     not shown: the tables are those of an older program until the first node of this version starts";
        lines.push(note.to_owned());
    }
    for node in nodes.unwrap_or_default() {
        let (name, version, data) = (&node.name, &node.version, node.data_version);
        lines.push(format!(
            "node      {name}: version {version}, data version {data}, seen {}",
            node.seen_at.to_rfc3339()
        ));
    }
    lines.extend(held_back(state).map(|feature| format!("waits     {}", feature.title())));
    lines.push(if state.is_pending(program) {
        let due = state.due(*config.upgrade.finalise_after).map_or_else(String::new, |due| {
            format!(", or by itself at {} unless a node of the previous version is seen before", due.to_rfc3339())
        });
        format!(
            "upgrade   not finalised: the previous version can be started. `doorbuster upgrade finalise` ends that{due}"
        )
    } else {
        "upgrade   finalised".to_owned()
    });
    lines.join("\n") + "\n"
}

fn object(config: &Config, state: &SchemaState, nodes: Option<&[NodeRow]>) -> String {
    let node = |node: &NodeRow| {
        let (name, version, data) = (&node.name, &node.version, node.data_version);
        json!({ "name": name, "version": version, "dataVersion": data, "seenAt": node.seen_at.to_rfc3339() })
    };
    let nodes = nodes.map(|nodes| nodes.iter().map(node).collect::<Vec<_>>());
    let held: Vec<_> = held_back(state).map(Feature::title).collect();
    let object = json!({
        "databaseVersion": state.version, "programVersion": data_version(), "minProgram": state.min_program,
        "pending": state.is_pending(data_version()), "waiting": held, "nodes": nodes,
        "olderSeenAt": state.older_seen_at.map(Timestamp::to_rfc3339),
        "finalisedAt": state.due(*config.upgrade.finalise_after).map(Timestamp::to_rfc3339),
    });
    format!("{object}\n")
}
