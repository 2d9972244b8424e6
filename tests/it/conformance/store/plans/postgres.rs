//! Plans of PostgreSQL with the bound values, as the program has them made, and how many rows they read.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::binds::Bind;
use super::capture::Statement;
use super::{Explain, Explained, data};

const ROWS_MAX: u64 = 2_000;

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub async fn fill(url: &str) {
    fill_unnoticed(url).await;
    connect(url).await.batch_execute("ANALYZE").await.unwrap();
}

/// Statistics stay as they were.
pub async fn fill_unnoticed(url: &str) {
    let client = connect(url).await;
    // Foreign keys and triggers are not asked.
    client.batch_execute("SET session_replication_role = replica").await.unwrap();
    for statement in data::statements(true) {
        client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{error:?}: {statement}"));
    }
}

pub struct Explainer {
    client: Client,
    /// Indexes of a part of their table.
    partial: Vec<String>,
}

impl Explainer {
    pub async fn open(url: &str) -> Self {
        let client = connect(url).await;
        client.batch_execute("SET jit = off").await.unwrap();
        let query = "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL";
        let rows = client.query(query, &[]).await.unwrap();
        Self { client, partial: rows.iter().map(|row| row.get(0)).collect() }
    }

    /// The types of the parameters.
    async fn types(&self, statement: &Statement) -> Vec<String> {
        match self.client.prepare(&statement.sql).await {
            Ok(prepared) => prepared.params().iter().map(|of| of.name().to_owned()).collect(),
            // The server can't tell the types of all of them.
            Err(_) => statement.binds.iter().map(type_of).collect(),
        }
    }

    /// The statement with its values in it.
    async fn literal(&self, statement: &Statement) -> String {
        let types = self.types(statement).await;
        let mut sql = statement.sql.clone();
        for (index, (bind, of)) in statement.binds.iter().zip(&types).enumerate().rev() {
            sql = sql.replace(&format!("${}", index + 1), &bind.literal(of));
        }
        sql
    }

    async fn ask(&self, options: &str, sql: &str) -> Result<Value, tokio_postgres::Error> {
        self.client.batch_execute("BEGIN").await?;
        let answer = self.client.simple_query(&format!("EXPLAIN ({options}, FORMAT JSON) {sql}")).await;
        self.client.batch_execute("ROLLBACK").await?;
        let text = answer?.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok(serde_json::from_str::<Value>(&text.unwrap()).unwrap()[0]["Plan"].take())
    }

    fn walk(&self, node: &Value, is_page: bool, found: &mut Explained) {
        let text = |name: &str| node[name].as_str().unwrap_or_default();
        let (kind, table, index) = (text("Node Type"), text("Relation Name"), text("Index Name"));
        let condition = text("Index Cond");
        if kind.contains("Scan") {
            found.plan.push(format!("{kind} {table} {index} {condition}").trim_end().replace("  ", " "));
            let count = |name: &str| node[name].as_f64().unwrap_or(0.0);
            let read = count("Actual Rows") + count("Rows Removed by Filter") + count("Rows Removed by Index Recheck");
            if !kind.contains("Bitmap Index") && data::GROWING.contains(&table) {
                *found.cost.get_or_insert(0) += (read * count("Actual Loops")) as u64;
            }
            if kind == "Seq Scan" && data::GROWING.contains(&table) {
                found.faults.push(format!("{kind} on {table}"));
            }
            // What never grows may be read by any of its indexes.
            let is_small = !table.is_empty() && !data::GROWING.contains(&table);
            let is_whole = kind.contains("Index")
                && condition.is_empty()
                && !is_small
                && !self.partial.iter().any(|name| name == index);
            if is_whole && !(is_page && text("Filter").is_empty()) {
                found.faults.push(format!("all of {index}"));
            }
        }
        let is_page = is_page || kind == "Limit";
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.walk(child, is_page, found);
        }
    }
}

/// What a value's type must be, as far as it shows.
fn type_of(bind: &Bind) -> String {
    match bind {
        Bind::Bytes(bytes) if bytes.len() == 16 => "uuid".into(),
        Bind::Bytes(_) => "bytea".into(),
        Bind::Int(_) | Bind::Null => "int8".into(),
        Bind::Bool(_) => "bool".into(),
        Bind::Text(_) => "text".into(),
        Bind::List(list) => match list.iter().find(|element| **element != Bind::Null) {
            Some(Bind::List(_)) => "_bytea".into(),
            Some(element) => format!("_{}", type_of(element)),
            None => "_int8".into(),
        },
    }
}

impl Explain for Explainer {
    async fn explain(&mut self, statement: &Statement) -> Explained {
        let sql = self.literal(statement).await;
        self.judge(&sql).await
    }
}

impl Explainer {
    async fn judge(&self, sql: &str) -> Explained {
        // A second insert of the same row is refused: then only its plan is known.
        let plan = match self.ask("ANALYZE, TIMING OFF", sql).await {
            Ok(plan) => plan,
            Err(_) => self.ask("VERBOSE FALSE", sql).await.unwrap_or_else(|error| panic!("{error:?}: {sql}")),
        };
        let mut found = Explained { plan: Vec::new(), faults: Vec::new(), cost: None };
        self.walk(&plan, false, &mut found);
        if found.plan.is_empty() {
            found.plan.push(plan["Node Type"].as_str().unwrap_or_default().to_owned());
        }
        found.faults.extend(found.cost.filter(|rows| *rows > ROWS_MAX).map(|rows| format!("{rows} rows read")));
        found
    }
}

/// Plans that a session keeps: made without the values, while the tables were empty.
pub struct Kept {
    explainer: Explainer,
    /// The names of the prepared statements.
    names: BTreeMap<String, String>,
}

impl Kept {
    /// Plans all of them, before the tables are filled.
    pub async fn plan(url: &str, statements: &[Statement]) -> Self {
        let mut kept = Self { explainer: Explainer::open(url).await, names: BTreeMap::new() };
        let settings = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off";
        kept.explainer.client.batch_execute(settings).await.unwrap();
        for statement in statements {
            if kept.names.contains_key(&statement.sql) {
                continue;
            }
            let (name, types) = (format!("kept_{}", kept.names.len()), kept.explainer.types(statement).await);
            let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
            let prepare = format!("PREPARE {name} {types} AS {}", statement.sql);
            let prepared = kept.explainer.client.batch_execute(&prepare).await;
            prepared.unwrap_or_else(|error| panic!("{error:?}: {prepare}"));
            kept.names.insert(statement.sql.clone(), name);
            let execute = kept.execute(statement).await;
            kept.explainer.ask("VERBOSE FALSE", &execute).await.unwrap();
        }
        kept
    }

    async fn execute(&self, statement: &Statement) -> String {
        let (name, types) = (&self.names[&statement.sql], self.explainer.types(statement).await);
        let values: Vec<_> = statement.binds.iter().zip(&types).map(|(bind, of)| bind.literal(of)).collect();
        let values = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
        format!("EXECUTE {name}{values}")
    }
}

impl Explain for Kept {
    async fn explain(&mut self, statement: &Statement) -> Explained {
        let execute = self.execute(statement).await;
        self.explainer.judge(&execute).await
    }
}
