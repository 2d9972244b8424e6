//! Every statement of the store, explained and run over a database that has been in use for a while: none may read a whole
//! table that grows. `DOORBUSTER_PLANS=1 … -- --nocapture plans::` prints the plans.
//!
//! Statements are found by themselves: each place in `src/store/sql` that executes one must be reached by `calls.rs`.

mod binds;
mod calls;
mod capture;
mod data;
mod postgres;
mod sqlite;

use std::collections::BTreeMap;

use self::capture::{Recorder, Site, Statement};
use super::Place;

/// Functions that read more on purpose (in both dialects, or in the one that is named), and why. Nobody waits for them who buys or
/// pays.
const WHOLE_PASSES: [(&str, &str); 21] = [
    ("sql/audit.rs sale_facts", "the history checker reads everything, once at the end of a run"),
    ("sql/audit.rs order_facts", "the history checker reads everything, once at the end of a run"),
    ("sql/audit.rs facts", "the history checker counts what is not announced"),
    ("sql/audit.rs sold", "the demo's screen sums all sales up"),
    ("sql/books.rs breaches", "`payments audit` proves the books from all their rows"),
    ("sql/books.rs paid_with_points", "`payments audit` goes through all payments with points"),
    ("sql/books.rs waiting", "`payments audit` counts what is open"),
    ("sql/ledger.rs breaches", "`payments audit` proves the ledger from all its rows"),
    ("sql/bills.rs list", "the total of an operator's list: an index is counted"),
    ("sql/acts.rs count", "the total of an operator's list, for who asks for it: an index is counted"),
    ("sql/edits.rs count", "the total of an operator's list, for who asks for it: an index is counted"),
    ("sql/people.rs count", "the total of an operator's list, for who asks for it: an index is counted"),
    ("sql/people.rs count_attempts", "the total of an operator's list, for who asks for it: an index is counted"),
    ("sql/catalog.rs count_products", "the total of an operator's list, for who asks for it: an index is counted"),
    ("sql/order_search.rs count_all", "the total of an operator's list, for who asks for it: an index is counted"),
    ("sql/order_search.rs count_in_range", "the total of an operator's list, for who asks for it: an index is counted"),
    ("sql/restored.rs end_tokens", "once after a restore, while no node runs: all rows are removed"),
    ("sql/restored.rs raise_epochs", "once after a restore, while no node runs: all rows are changed"),
    ("PostgreSQL sql/broker.rs read_topic", "the embedded broker's log is SQLite's alone, where it is read in pages"),
    ("sql/broker.rs count", "the backlog: an index is counted as far as it waits"),
    ("sql/bills.rs compared_since", "a day each, as far back as it is asked for"),
];

/// What was found out about a statement.
struct Explained {
    plan: Vec<String>,
    /// What it must not do, if it does.
    faults: Vec<String>,
    /// Rows read (PostgreSQL), or steps of the virtual machine (SQLite).
    cost: Option<u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_reads_no_table_that_grows_as_a_whole() {
    let place = Place::sqlite().await;
    let path = place.config.store.url.expose().trim_start_matches("sqlite://").to_owned();
    sqlite::fill(&path);
    let (statements, sites) = recorded(&place, "sqlite/bulk.rs").await;
    // As after the first start, and as after a while: other plans are best then.
    let faults = judge("SQLite without statistics", &statements, &sites, &mut sqlite::Explainer::open(&path)).await;
    assert_none(&faults);
    sqlite::analyze(&path);
    assert_none(&judge("SQLite with statistics", &statements, &sites, &mut sqlite::Explainer::open(&path)).await);
    place.execute(&indexes_dropped("sqlite")).await;
    assert_noticed(&judge("SQLite without indexes", &statements, &sites, &mut sqlite::Explainer::open(&path)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_reads_no_table_that_grows_as_a_whole() {
    let place = Place::postgres().await;
    let url = place.config.store.url.expose().to_owned();
    postgres::fill(&url).await;
    let (statements, sites) = recorded(&place, "postgres/bulk.rs").await;
    assert_none(&judge("PostgreSQL", &statements, &sites, &mut postgres::Explainer::open(&url).await).await);
    place.execute(&indexes_dropped("postgres")).await;
    let explainer = &mut postgres::Explainer::open(&url).await;
    assert_noticed(&judge("PostgreSQL without indexes", &statements, &sites, explainer).await);
}

/// Sessions keep plans: one that was made without the values, while the tables were empty, must be right once they are full. (Over
/// full tables a plan is kept only if it costs no more than those with the values, which the test above looks at.)
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_postgres_keeps_from_empty_tables_is_right_for_full_ones() {
    let (full, empty) = (Place::postgres().await, Place::postgres().await);
    let (full_url, url) = (full.config.store.url.expose().to_owned(), empty.config.store.url.expose().to_owned());
    postgres::fill(&full_url).await;
    let (statements, sites) = recorded(&full, "postgres/bulk.rs").await;
    let is_kept = |statement: &Statement| !statement.sql.contains("planned for each execution");
    let statements: Vec<_> = statements.into_iter().filter(is_kept).collect();
    let mut kept = postgres::Kept::plan(&url, &statements).await;
    postgres::fill_unnoticed(&url).await;
    assert_none(&judge("PostgreSQL", &statements, &sites, &mut kept).await);
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} statements:\n{}", faults.len(), faults.join("\n"));
}

/// Statements that read a whole table without the indexes of one migration: what this test is blind to, nobody else sees.
fn assert_noticed(faults: &[String]) {
    for function in ["payments.rs stuck", "refunds.rs stuck", "bills.rs learnt", "catalog.rs acts_on", "sales.rs load"]
    {
        assert!(faults.iter().any(|fault| fault.contains(function)), "{function} is not among {faults:#?}");
    }
}

/// The statements that take that migration back.
fn indexes_dropped(dialect: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
    std::fs::read_to_string(folder.join("2026-11-29-000011_indexes_of_growing_tables/down.sql")).unwrap()
}

/// The statements that the calls have executed, each text once per place that it came from; and all places, each of them reached.
async fn recorded(place: &Place, bulk: &str) -> (Vec<Statement>, Vec<Site>) {
    let recorder = Recorder::default();
    calls::all(place.db(), &recorder).await;
    let (all, sites) = (recorder.statements(), capture::sites(&[bulk]));
    let missed: Vec<_> = sites.iter().filter(|site| !site.is_seen_in(&all)).collect();
    assert!(missed.is_empty(), "no call in calls.rs leads to these statements: {missed:#?}");
    let mut once = BTreeMap::new();
    for statement in all {
        let begins = |word: &&str| statement.sql.trim_start().to_uppercase().starts_with(*word);
        if ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(begins) {
            once.entry((origin(&statement, &sites), statement.sql.clone())).or_insert(statement);
        }
    }
    (once.into_values().collect(), sites)
}

/// The file and the function that a statement came from.
fn origin(statement: &Statement, sites: &[Site]) -> String {
    let mut found = statement.lines.iter().filter_map(|(file, line)| {
        let here = |site: &&Site| site.file == *file && (site.first..=site.last).contains(line);
        sites.iter().find(here).map(|site| format!("{} {}", site.file, site.function))
    });
    found.next().unwrap_or_else(|| "elsewhere".to_owned())
}

/// So a statement of the program is told from an edit by hand, see the migration `catalog_edits`.
#[tokio::test(flavor = "multi_thread")]
async fn every_update_of_the_catalog_raises_a_version() {
    let place = Place::sqlite().await;
    sqlite::fill(place.config.store.url.expose().trim_start_matches("sqlite://"));
    let (statements, sites) = recorded(&place, "sqlite/bulk.rs").await;
    let mut seen = 0;
    for statement in &statements {
        let sql = short(&statement.sql);
        let Some((table, set)) = sql.strip_prefix("UPDATE ").and_then(|rest| rest.split_once(" SET ")) else {
            continue;
        };
        if ["sales", "products", "sale_sessions"].contains(&table.trim()) {
            let set = set.split(" WHERE ").next().unwrap_or_default();
            let raises = ["version =", "stock_version =", "epoch ="].iter().any(|column| set.contains(column));
            assert!(raises, "{} would be taken for an edit: {sql}", origin(statement, &sites));
            seen += 1;
        }
    }
    assert!(seen > 10, "vacuous: {seen}");
}

trait Explain {
    async fn explain(&mut self, statement: &Statement) -> Explained;
}

/// The statements that read more than they may.
async fn judge(title: &str, statements: &[Statement], sites: &[Site], explainer: &mut impl Explain) -> Vec<String> {
    let print = std::env::var_os("DOORBUSTER_PLANS").is_some();
    let mut faults = Vec::new();
    for statement in statements {
        let origin = origin(statement, sites);
        let Explained { plan, faults: found, cost } = explainer.explain(statement).await;
        let here = format!("{title} {origin}");
        let reason = WHOLE_PASSES.iter().find(|(function, _)| *function == origin || *function == here);
        let reason = reason.map(|(_, reason)| *reason);
        let verdict = match (&found[..], reason) {
            ([], _) => "good".to_owned(),
            (_, Some(reason)) => format!("on purpose: {reason}"),
            (found, None) => format!("REFUSED: {}", found.join("; ")),
        };
        let cost = cost.map_or("-".to_owned(), |cost| cost.to_string());
        let row =
            format!("{title} | {origin} | {cost} | {verdict}\n    {}\n    {}", short(&statement.sql), plan.join(" / "));
        if print {
            println!("{row}");
        }
        if verdict.starts_with("REFUSED") {
            faults.push(row);
        }
    }
    assert!(statements.len() > 100, "vacuous: {} statements", statements.len());
    faults
}

/// The statement on one line, without the columns that it selects.
fn short(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ").replace(['`', '"'], "");
    match (line.strip_prefix("SELECT "), line.find(" FROM ")) {
        (Some(_), Some(from)) if from > 60 => format!("SELECT …{}", &line[from..]),
        _ => line,
    }
}
