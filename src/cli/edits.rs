//! `doorbuster edits`: what somebody changed in the catalog by SQL.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::common::print;
use crate::config::Config;
use crate::kernel::{SaleId, Timestamp, Wanted};
use crate::model::edits::{Edit, EditedRow};
use crate::sales;
use crate::store::Database;

/// Edits read at once.
const PAGE: usize = 500;

/// Commands about edits of the catalog in SQL.
#[derive(Debug, Subcommand)]
pub enum EditsCommand {
    /// List the edits, newest first.
    List(List),
}

/// Options of `edits list`.
#[derive(Debug, Args)]
pub struct List {
    /// Only edits of the sale with this ID.
    #[arg(long, value_name = "ID")]
    pub sale: Option<String>,
    /// Print one JSON object per line, with the rows before and after.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(config: Config, command: EditsCommand) -> anyhow::Result<ExitCode> {
    let EditsCommand::List(List { sale, json }) = command;
    let sale: Option<SaleId> =
        sale.map(|id| id.parse().map_err(|_| anyhow::anyhow!("{id:?} is not the ID of a sale"))).transpose()?;
    let db = Database::look(&config.store).await?;
    let listed = list(&db, sale.map(EditedRow::Sale), json).await;
    db.close().await;
    listed
}

async fn list(db: &Database, row: Option<EditedRow>, json: bool) -> anyhow::Result<ExitCode> {
    let mut after = None;
    loop {
        let wanted = Wanted { after, before: None, limit: PAGE, from_end: false, count: false };
        let page = sales::list_edits(db, row, wanted).await?;
        for edit in &page.items {
            print(&if json { object(edit) } else { line(edit) })?;
        }
        match page.items.last() {
            Some(last) if page.more => after = Some(last.id),
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn line(edit: &Edit) -> String {
    let by =
        [&edit.by_role, &edit.by_app, &edit.by_addr].map(|by| by.as_deref().filter(|by| !by.is_empty()).unwrap_or("-"));
    let applied = edit.handled_at.map_or("not applied".to_owned(), Timestamp::to_rfc3339);
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{applied}\n",
        edit.id,
        edit.at.to_rfc3339(),
        edit.op.as_str(),
        edit.row.table(),
        edit.row.public_id(),
        by.join(" "),
    )
}

fn object(edit: &Edit) -> String {
    let row = |text: Option<&String>| text.and_then(|row| serde_json::from_str::<serde_json::Value>(row).ok());
    let object = json!({
        "id": edit.id, "table": edit.row.table(), "subject": edit.row.public_id(), "op": edit.op.as_str(),
        "before": row(edit.before.as_ref()), "after": row(edit.after.as_ref()), "byRole": edit.by_role, "byProgram": edit.by_app,
        "byAddress": edit.by_addr, "at": edit.at.to_rfc3339(), "appliedAt": edit.handled_at.map(Timestamp::to_rfc3339),
    });
    format!("{object}\n")
}
