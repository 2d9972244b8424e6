//! Values that are stored in the database: where they hold, and how they are put between the other layers. They lie over the
//! environment and under the flags; the narrowest scope wins.

use std::fmt;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::layers::{Layer, Layers, list, nearest};
use super::{Config, ConfigErrors, Role};
use crate::kernel::Timestamp;

/// Keys that are not hot, and that hot ones are checked against.
const CROSS_CHECKED: [&str; 1] = ["broker.publish_timeout"];

/// Where a stored value holds. In the order of precedence, the strongest last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// On every node.
    All,
    /// On nodes with this role.
    Role(Role),
    /// On the node of this name.
    Node(String),
}

impl Scope {
    /// Reads the written form: `*`, `role:api`, `node:NAME`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        match text.split_once(':')? {
            ("role", role) => Role::ALL.into_iter().find(|known| known.as_str() == role).map(Self::Role),
            ("node", name) if !name.is_empty() => Some(Self::Node(name.to_owned())),
            _ => None,
        }
    }

    /// Whether it holds on that node.
    pub fn holds_on(&self, node: &str, roles: &[Role]) -> bool {
        match self {
            Self::All => true,
            Self::Role(role) => roles.contains(role),
            Self::Node(name) => name == node,
        }
    }

    const fn rank(&self) -> u8 {
        match self {
            Self::All => 0,
            Self::Role(_) => 1,
            Self::Node(_) => 2,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Role(role) => write!(f, "role:{}", role.as_str()),
            Self::Node(name) => write!(f, "node:{name}"),
        }
    }
}

/// A value that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    /// `section.key`.
    pub key: String,
    /// Where it holds, as written: a program may not know the role.
    pub scope: String,
    /// The value, as it would be written in the file.
    pub value: String,
    /// The change that stored it.
    pub revision: u64,
    /// Who stored it, if it was a person.
    pub operator: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl StoredValue {
    fn origin(&self) -> String {
        let at = self.at.to_rfc3339();
        let day = at.split('T').next().unwrap_or_default();
        let by = self.operator.as_deref().unwrap_or("doorbuster");
        format!("settings #{} ({by}, {day}, {:?})", self.revision, self.reason)
    }
}

/// A stored value that is not in force here, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// `section.key`.
    pub key: String,
    /// Where it would hold.
    pub scope: String,
    /// The change that stored it.
    pub revision: u64,
    /// Why it does not.
    pub problem: String,
}

/// What a node's own file, environment and flags say of a key that stored values are checked against. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalValue {
    /// `section.key`.
    pub key: String,
    /// The value, as it would be written in the file.
    pub value: String,
    /// The flag that it comes from, which stored values do not override; `None`: the file or the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<String>,
}

/// Why a value can't be stored, for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// There is no such key.
    Unknown(String),
    /// It takes effect at a start only, or it is a secret.
    NotHot(String),
    /// It is none for the key.
    Value(String),
}

/// The layers with stored values among them.
#[derive(Debug, Clone)]
pub struct Overlaid {
    /// All of them.
    pub layers: Layers,
    /// Stored values that no program of this version accepts.
    pub ignored: Vec<Ignored>,
    /// Keys with a stored value over which a flag stands.
    pub shadowed: Vec<String>,
}

impl Layers {
    /// Puts stored values between the environment and the flags of a node.
    pub fn overlaid(&self, stored: &[StoredValue], node: &str, roles: &[Role]) -> Overlaid {
        let mut over = Overlaid { layers: self.clone(), ignored: Vec::new(), shadowed: Vec::new() };
        over.layers.begin(Layer::Stored);
        let mut here: Vec<(Scope, &StoredValue)> = Vec::new();
        for value in stored {
            match Scope::parse(&value.scope) {
                Some(scope) if scope.holds_on(node, roles) => here.push((scope, value)),
                Some(_) => {}
                None => over.ignore(value, "its scope is unknown to this version".to_owned()),
            }
        }
        here.sort_by_key(|(scope, value)| (scope.rank(), value.revision));
        for (_, value) in here {
            if let Err(problem) = over.layers.put(value, &mut over.shadowed) {
                over.ignore(value, problem);
            }
        }
        over
    }

    /// The configuration with as many of the stored values as there can be: those that contradict the rest are ignored, too.
    pub fn with_most_of(
        &self,
        stored: &[StoredValue],
        node: &str,
        roles: &[Role],
    ) -> Result<(Config, Overlaid), ConfigErrors> {
        let mut kept = stored.to_vec();
        let mut contradictions = Vec::new();
        loop {
            let mut over = self.overlaid(&kept, node, roles);
            let errors = match over.layers.config() {
                Ok(config) => {
                    over.ignored.append(&mut contradictions);
                    return Ok((config, over));
                }
                Err(errors) => errors,
            };
            let before = kept.len();
            for problem in &errors.0 {
                let (out, rest): (Vec<_>, Vec<_>) =
                    kept.into_iter().partition(|value| problem.keys.contains(&value.key));
                kept = rest;
                contradictions.extend(out.iter().map(|value| ignored(value, problem.message.clone())));
            }
            if kept.len() == before {
                return Err(errors);
            }
        }
    }

    fn put(&mut self, stored: &StoredValue, shadowed: &mut Vec<String>) -> Result<(), String> {
        let index = self.hot(&stored.key).map_err(|unfit| match unfit {
            Unfit::Unknown(why) | Unfit::NotHot(why) | Unfit::Value(why) => why,
        })?;
        let value = written(&stored.value).ok_or("can't be read")?;
        self.try_set(index, value.clone(), stored.origin(), |layers| {
            let over = layers.entries()[index].layer == Layer::Flag;
            if over && !shadowed.contains(&stored.key) {
                shadowed.push(stored.key.clone());
            }
            over
        })
    }

    /// Sets a value, unless `kept` says that the present one stays; refused ones leave no problem behind.
    fn try_set(
        &mut self,
        index: usize,
        value: Value,
        origin: String,
        kept: impl FnOnce(&Self) -> bool,
    ) -> Result<(), String> {
        let before = self.problems().len();
        if kept(self) {
            let mut checked = self.clone();
            checked.set(index, value, origin);
            return checked.take_problem(before).map_or(Ok(()), Err);
        }
        self.set(index, value, origin);
        self.take_problem(before).map_or(Ok(()), Err)
    }

    /// The place of a key that may be stored.
    fn hot(&self, key: &str) -> Result<usize, Unfit> {
        let found = key.split_once('.').and_then(|(section, name)| self.index(section, name));
        let Some(index) = found else {
            let paths: Vec<String> = self.entries().iter().map(super::layers::Entry::path).collect();
            let hint = nearest(key, paths.iter().map(String::as_str));
            let hint = hint.map(|near| format!(" Did you mean `{near}`?")).unwrap_or_default();
            return Err(Unfit::Unknown(format!("There is no setting `{key}`.{hint}")));
        };
        let entry = &self.entries()[index];
        if self.is_secret(entry) {
            return Err(Unfit::NotHot(format!("`{key}` is a secret, and secrets are never stored.")));
        }
        if !self.is_hot(entry) {
            let why = "takes effect at a start only: set it in the file, the environment or by a flag";
            return Err(Unfit::NotHot(format!("`{key}` {why}.")));
        }
        Ok(index)
    }

    /// Whether a key may only be changed for a time, until the change is confirmed.
    pub fn must_be_confirmed(&self, key: &str) -> bool {
        let entry = self.hot(key).ok().map(|index| &self.entries()[index]);
        entry.and_then(|entry| self.property(entry)).is_some_and(|property| property["x-confirm"] == true)
    }

    /// Whether a key may be stored.
    pub fn check_hot(&self, key: &str) -> Result<(), Unfit> {
        self.hot(key).map(drop)
    }

    /// A value that somebody wrote, `500ms` or `"500ms"`, as it is stored, if it is one for the key.
    pub fn read_input(&self, key: &str, text: &str) -> Result<String, Unfit> {
        let index = self.hot(key)?;
        let quoted = text.trim().starts_with('"').then(|| written(text.trim())).flatten();
        let value = match quoted.filter(Value::is_str) {
            Some(value) if self.entries()[index].value.is_str() => value,
            _ => self.read_text(index, text).map_err(Unfit::Value)?,
        };
        let mut alone = self.of_node(&[]);
        alone.begin(Layer::Stored);
        alone.try_set(index, value, "settings".to_owned(), |_| false).map_err(Unfit::Value)?;
        Ok(alone.entries()[index].value.to_string())
    }

    /// The value in force of a key, as it would be written in the file.
    pub fn value_of(&self, key: &str) -> Option<String> {
        self.entries().iter().find(|entry| entry.path() == key).map(|entry| entry.value.to_string())
    }

    /// What this node says itself of keys that stored values are checked against.
    pub fn local_values(&self) -> Vec<LocalValue> {
        let told = self.entries().iter().filter(|entry| {
            let matters = self.is_hot(entry) || CROSS_CHECKED.contains(&entry.path().as_str());
            let own = entry.layer == Layer::Flag || self.default_of(entry) != Some(&entry.value);
            matters && own && !self.is_secret(entry)
        });
        told.map(|entry| LocalValue {
            key: entry.path(),
            value: entry.value.to_string(),
            flag: (entry.layer == Layer::Flag).then(|| entry.origin().to_owned()),
        })
        .collect()
    }

    /// The layers of a node that says this of itself, as far as this version understands it. Everything else has its default.
    #[must_use]
    pub fn of_node(&self, local: &[LocalValue]) -> Self {
        let mut layers = self.bare();
        for LocalValue { key, value, flag } in local {
            let index = key.split_once('.').and_then(|(section, name)| layers.index(section, name));
            if let (Some(index), Some(value)) = (index, written(value)) {
                layers.begin(if flag.is_some() { Layer::Flag } else { Layer::Environment });
                let origin = flag.clone().unwrap_or_else(|| "its own configuration".to_owned());
                let _ = layers.try_set(index, value, origin, |_| false);
            }
        }
        layers
    }
}

impl Overlaid {
    fn ignore(&mut self, value: &StoredValue, problem: String) {
        self.ignored.push(ignored(value, problem));
    }
}

fn ignored(value: &StoredValue, problem: String) -> Ignored {
    Ignored { key: value.key.clone(), scope: value.scope.clone(), revision: value.revision, problem }
}

/// A value as it would be written in the file.
fn written(text: &str) -> Option<Value> {
    if text.starts_with('[') {
        return list(text);
    }
    let document: Table = format!("value = {text}").parse().ok()?;
    let mut values = document.into_iter().map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Sources};

    fn stored(key: &str, scope: &str, value: &str, revision: u64) -> StoredValue {
        let (key, scope, value) = (key.to_owned(), scope.to_owned(), value.to_owned());
        let at = Timestamp::from_millis(1_795_910_400_000);
        StoredValue { key, scope, value, revision, operator: Some("boss".into()), at, reason: "rush".into() }
    }

    fn layers() -> Layers {
        let environment = vec![("DOORBUSTER__POINTS__WELCOME".into(), "2".into())];
        let flags = vec![Flag { name: "--set", assignment: "points.grant_max=9".into() }];
        Layers::read(&Sources { file: None, environment, flags })
    }

    #[test]
    fn stored_values_lie_between_the_environment_and_the_flags() {
        let values = [
            stored("points.welcome", "role:api", "4", 7),
            stored("points.welcome", "*", "3", 8),
            stored("points.grant_max", "*", "5", 9),
            stored("hub.stock_tick", "node:two", "\"70ms\"", 10),
        ];
        let over = layers().overlaid(&values, "one", &[Role::Api]);
        let config = over.layers.config().unwrap();
        assert_eq!((config.points.welcome, config.points.grant_max), (4, 9));
        assert_eq!(over.shadowed, ["points.grant_max"]);
        assert!(over.ignored.is_empty());
        let text = over.layers.render();
        assert!(text.contains("welcome = 4 # settings #7 (boss, 2026-11-29, \"rush\")\n"), "{text}");
        let two = layers().overlaid(&values, "two", &[]).layers.config().unwrap();
        assert_eq!((two.points.welcome, two.hub.stock_tick.as_millis()), (3, 70));
    }

    #[test]
    fn what_no_program_accepts_is_ignored_with_its_reason() {
        let values = [
            stored("points.welcom", "*", "1", 1),
            stored("points.welcome", "*", "-1", 2),
            stored("points.welcome", "role:cook", "1", 3),
            stored("points.welcome", "*", "1 2", 4),
            stored("server.listen", "*", "\"1.1.1.1:1\"", 5),
            stored("points.grant_max", "*", "0", 6),
        ];
        let over = layers().overlaid(&values, "one", &[]);
        assert_eq!(over.layers.config().unwrap().points.welcome, 2);
        let ignored: Vec<u64> = over.ignored.iter().map(|ignored| ignored.revision).collect();
        assert_eq!(ignored, [3, 1, 2, 4, 5, 6]);
    }

    #[test]
    fn a_node_tells_what_matters_and_no_secret() {
        let told = layers().local_values();
        let keys: Vec<_> = told.iter().map(|value| (value.key.as_str(), value.flag.as_deref())).collect();
        assert_eq!(keys, [("points.welcome", None), ("points.grant_max", Some("--set"))]);
        let node = layers().of_node(&told);
        assert_eq!(node.value_of("points.welcome").as_deref(), Some("2"));
        assert_eq!(node.overlaid(&[stored("points.grant_max", "*", "5", 1)], "", &[]).shadowed, ["points.grant_max"]);
    }

    #[test]
    fn values_are_read_as_they_are_written_anywhere() {
        let read = |key: &str, text: &str| layers().read_input(key, text);
        for text in ["70ms", " 70ms ", "\"70ms\""] {
            assert_eq!(read("hub.stock_tick", text).as_deref(), Ok("\"70ms\""), "{text}");
        }
        for text in ["https://a.example, https://b.example", "[\"https://a.example\", \"https://b.example\"]"] {
            assert_eq!(
                read("access.origins", text).unwrap(),
                "[\"https://a.example\", \"https://b.example\"]",
                "{text}"
            );
        }
        assert_eq!(read("graphql.introspection", "false").as_deref(), Ok("false"));
        assert!(matches!(read("hub.stock_tik", "1ms"), Err(Unfit::Unknown(why)) if why.contains("`hub.stock_tick`")));
        assert!(matches!(read("store.url", "x"), Err(Unfit::NotHot(why)) if why.contains("secret")));
    }
}
