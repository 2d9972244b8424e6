//! The nodes as far as settings concern them: which live, what their own configurations say, and which version they follow.

use super::{HotSettings, POLL_EVERY};
use crate::config::{Ignored, Layers, LocalValue, Role, StoredValue};
use crate::model::nodes::NodeRow;
use crate::store::{self, StoreError};

/// A node that a change is checked against.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) roles: Vec<Role>,
    pub(super) layers: Layers,
}

/// How a stored value fares on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueState {
    /// The node has looked at the newest change.
    Current,
    /// It has not yet.
    Behind,
    /// Its program knows no stored settings.
    Unknown,
}

/// What a node says of its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// The number of the newest change that it has seen.
    pub revision: Option<u64>,
    /// Compared with the newest.
    pub state: ValueState,
    /// Stored values that are not in force on it.
    pub rejected: Vec<Ignored>,
    /// Keys with a stored value over which a flag of the node stands.
    pub shadowed: Vec<String>,
}

impl HotSettings {
    /// The nodes that live, with what each says of itself; this one as it is.
    pub(super) fn checked_nodes(&self, rows: &[NodeRow]) -> Vec<Checked> {
        let mut watched = self.0.watched.lock();
        watched.note(rows);
        let patience = *self.0.live.now().node.heartbeat * 3 + POLL_EVERY;
        let own = self.0.node.as_ref().map(|own| Checked {
            name: own.name.clone(),
            roles: own.roles.clone(),
            layers: self.0.own.clone(),
        });
        let others = rows.iter().filter(|row| own.as_ref().is_none_or(|own| own.name != row.name));
        let living = others.filter(|row| watched.lives(&row.name, patience));
        let told = living.filter_map(|row| {
            let local: Vec<LocalValue> = serde_json::from_str(row.settings.local.as_deref()?).ok()?;
            Some(Checked { name: row.name.clone(), roles: roles(row), layers: self.0.own.of_node(&local) })
        });
        let mut nodes: Vec<Checked> = told.collect();
        nodes.extend(own);
        if nodes.is_empty() {
            let layers = self.0.own.clone();
            nodes.push(Checked { name: String::new(), roles: Role::ALL.to_vec(), layers });
        }
        nodes
    }

    /// Waits so long that a node which lives has said something, so that those which do not are known.
    pub async fn watch_nodes(&self) -> Result<(), StoreError> {
        let wait = *self.0.live.now().node.heartbeat * 3 + POLL_EVERY;
        for _ in 0..2 {
            let rows = store::read!(&self.0.db, |conn| sql::nodes::list(conn).await)?;
            self.0.watched.lock().note(&rows);
            tokio::time::sleep(wait * 11 / 20).await;
        }
        let rows = store::read!(&self.0.db, |conn| sql::nodes::list(conn).await)?;
        self.0.watched.lock().note(&rows);
        Ok(())
    }

    /// The newest change's number, what is stored, and what each node says of it.
    pub async fn status(&self) -> Result<(u64, Vec<StoredValue>, Vec<NodeView>), StoreError> {
        let (revision, stored, rows) = store::read!(&self.0.db, |conn| {
            let revision = sql::settings::revision(conn).await?;
            Ok((revision, sql::settings::all(conn).await?, sql::nodes::list(conn).await?))
        })?;
        let views = rows.iter().map(|row| self.view(row, revision, &stored)).collect();
        Ok((revision, stored, views))
    }

    fn view(&self, row: &NodeRow, revision: u64, stored: &[StoredValue]) -> NodeView {
        let rejected = row.settings.rejected.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let local = row.settings.local.as_deref().and_then(|text| serde_json::from_str::<Vec<LocalValue>>(text).ok());
        let over = local.map(|local| self.0.own.of_node(&local).overlaid(stored, &row.name, &roles(row)));
        NodeView {
            name: row.name.clone(),
            revision: row.settings.revision,
            state: match row.settings.revision {
                None => ValueState::Unknown,
                Some(known) if known >= revision => ValueState::Current,
                Some(_) => ValueState::Behind,
            },
            rejected: rejected.unwrap_or_default(),
            shadowed: over.map(|over| over.shadowed).unwrap_or_default(),
        }
    }
}

fn roles(row: &NodeRow) -> Vec<Role> {
    let known = |name: &str| Role::ALL.into_iter().find(|role| role.as_str() == name);
    row.roles.split(',').filter_map(known).collect()
}
