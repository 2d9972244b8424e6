//! Plans of SQLite, and how many steps of its virtual machine a statement takes: a table of thousands of rows can't be read in
//! so few.

use rusqlite::{Connection, StatementStatus};

use super::capture::Statement;
use super::{Explain, Explained, data};

const STEPS_MAX: u64 = 30_000;

pub fn fill(path: &str) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN").unwrap();
    for statement in data::statements(false) {
        conn.execute_batch(&statement).unwrap_or_else(|error| panic!("{error}: {statement}"));
    }
    conn.execute_batch("COMMIT").unwrap();
}

pub fn analyze(path: &str) {
    Connection::open(path).unwrap().execute_batch("ANALYZE").unwrap();
}

pub struct Explainer {
    conn: Connection,
    /// Indexes of a part of their table.
    partial: Vec<String>,
}

impl Explainer {
    pub fn open(path: &str) -> Self {
        let conn = Connection::open(path).unwrap();
        let query = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'";
        let names = conn.prepare(query).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>();
        Self { partial: names.unwrap(), conn }
    }

    fn plan(&self, statement: &Statement) -> Vec<String> {
        let mut explain = self.conn.prepare(&format!("EXPLAIN QUERY PLAN {}", statement.sql)).unwrap();
        bind(&mut explain, statement);
        let mut rows = explain.raw_query();
        let mut plan = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            plan.push(row.get("detail").unwrap());
        }
        plan
    }

    /// Runs it and takes it back. `None` when it is refused.
    fn steps(&self, statement: &Statement) -> Option<u64> {
        self.conn.execute_batch("BEGIN").unwrap();
        let steps = {
            let mut run = self.conn.prepare(&statement.sql).unwrap();
            bind(&mut run, statement);
            let mut rows = run.raw_query();
            let ended = loop {
                match rows.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            drop(rows);
            ended.then(|| u64::try_from(run.get_status(StatementStatus::VmStep)).unwrap())
        };
        self.conn.execute_batch("ROLLBACK").unwrap();
        steps
    }

    fn scans(&self, sql: &str, step: &str, plan: &[String]) -> bool {
        let mut words = step.split_whitespace();
        if words.next() != Some("SCAN") {
            return false;
        }
        let table = words.next().unwrap_or_default();
        let index = step.split_once("INDEX ").and_then(|(_, rest)| rest.split_whitespace().next());
        let is_partial = index.is_some_and(|index| self.partial.iter().any(|name| name == index));
        // The first rows in the order of the index.
        let is_page =
            sql.contains(" LIMIT ") && !sql.contains("WHERE") && !plan.iter().any(|step| step.contains("TEMP"));
        // A subquery or an alias may be anything.
        let grows = data::GROWING.contains(&table) || table.len() <= 2;
        grows && !is_partial && !is_page
    }
}

fn bind(prepared: &mut rusqlite::Statement<'_>, statement: &Statement) {
    for (index, bind) in statement.binds.iter().enumerate() {
        prepared.raw_bind_parameter(index + 1, bind.value()).unwrap();
    }
}

impl Explain for Explainer {
    async fn explain(&mut self, statement: &Statement) -> Explained {
        let plan = self.plan(statement);
        let scans = plan.iter().filter(|step| self.scans(&statement.sql, step, &plan));
        let mut faults: Vec<String> = scans.cloned().collect();
        let cost = self.steps(statement);
        faults.extend(cost.filter(|steps| *steps > STEPS_MAX).map(|steps| format!("{steps} steps")));
        Explained { plan, faults, cost }
    }
}
