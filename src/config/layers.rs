//! The sources of values (`default.toml` < file < environment < flags) and the effective value of each key.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use toml::{Table, Value};

use super::bounds::out_of_bounds;
use super::document::{self, DEFAULT, FoundKey, FoundSection};
use super::{ConfigErrors, Objection, Problem, Secret};

/// Variables that begin so are ours, and a misspelt one is refused. (One underscore alone is not: Kubernetes sets
/// `DOORBUSTER_SERVICE_HOST` and the like for a service called doorbuster.)
const PREFIX: &str = "DOORBUSTER__";
/// The byte order mark that some editors add.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The sources to read over the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A TOML file.
    pub file: Option<PathBuf>,
    /// Variables; those that do not begin with `DOORBUSTER__` are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// Settings from the command line, the last one wins.
    pub flags: Vec<Flag>,
}

impl Sources {
    /// This process's environment with what its command line names.
    pub fn process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        Self { file, environment: std::env::vars_os().collect(), flags }
    }
}

/// A setting from the command line.
#[derive(Debug, Clone)]
pub struct Flag {
    /// The flag as it was written, `--listen`.
    pub name: &'static str,
    /// `section.key=value`.
    pub assignment: String,
}

/// The kinds of sources, from the weakest to the strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    Default,
    File,
    Environment,
    Stored,
    Flag,
}

/// A key with the value in force.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: Value,
    /// Where it came from: `default`, `shop.toml:3:1`, a variable, a flag.
    origin: String,
    pub(super) layer: Layer,
}

impl Entry {
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}

/// What values must satisfy. The layers know nothing of the sections that are made of them.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// The keys with the bounds of their values.
    pub(super) schema: Arc<serde_json::Value>,
    /// Whether the sections can be read from a table.
    pub(super) accepts: fn(Table) -> Result<(), toml::de::Error>,
}

/// The layers that a configuration was made of.
#[derive(Clone, Default)]
pub struct KeptLayers(Option<Arc<Layers>>);

impl KeptLayers {
    pub(super) fn of(layers: &Layers) -> Self {
        Self(Some(Arc::new(layers.clone())))
    }

    /// `None` if the configuration was not made of layers.
    pub(super) fn get(&self) -> Option<&Layers> {
        self.0.as_deref()
    }
}

impl fmt::Debug for KeptLayers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptLayers")
    }
}

/// All keys with the values in force, and what was wrong with the others. Cheap to clone but for the values.
#[derive(Debug, Clone)]
pub struct Layers {
    entries: Vec<Entry>,
    defaults: Arc<Table>,
    rules: Rules,
    problems: Vec<Problem>,
    /// What is being read.
    layer: Layer,
}

impl Layers {
    /// The defaults with the sources over them, the strongest last.
    pub(super) fn over_defaults(rules: Rules, sources: &Sources) -> Self {
        let mut layers = Self {
            entries: Vec::new(),
            defaults: Arc::new(DEFAULT.parse().unwrap_or_default()),
            rules,
            problems: Vec::new(),
            layer: Layer::Default,
        };
        for section in document::parse("default.toml", DEFAULT).unwrap_or_default() {
            for FoundKey { name, value, .. } in section.keys.unwrap_or_default() {
                let (section, origin) = (section.name.clone(), "default".to_owned());
                layers.entries.push(Entry { section, key: name, value, origin, layer: Layer::Default });
            }
        }
        layers.layer = Layer::File;
        if let Some(path) = &sources.file {
            let name = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => layers.apply_document(&name, &text),
                Err(error) => layers.problem(name, None, format!("can't be read: {error}")),
            }
        }
        layers.layer = Layer::Environment;
        for (name, value) in &sources.environment {
            layers.apply_variable(name, value);
        }
        layers.layer = Layer::Flag;
        for flag in &sources.flags {
            layers.apply_flag(flag);
        }
        layers
    }

    /// The same, when there are objections by those who would use it, each with the place that its values come from.
    pub fn refuse(&self, objections: Vec<Objection>) -> ConfigErrors {
        let problem = |Objection { keys, message }: Objection| Problem {
            at: self.origins(&keys),
            keys: keys.into_iter().map(str::to_owned).collect(),
            message,
        };
        ConfigErrors(objections.into_iter().map(problem).collect())
    }

    /// The values in force as a TOML document with the origin of each as a comment; secrets are hidden.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for entry in &self.entries {
            if entry.section != section {
                section = &entry.section;
                let gap = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}[{section}]");
            }
            let value = match &entry.value {
                // What is not set is no secret.
                Value::String(text) if self.is_secret(entry) && !text.is_empty() => {
                    Value::String(Secret::new(text).redacted())
                }
                value => value.clone(),
            };
            let _ = writeln!(text, "{} = {value} # {}", entry.key, entry.origin);
        }
        text
    }

    /// Lays the keys of a TOML document over what is there.
    pub(super) fn apply_document(&mut self, name: &str, text: &str) {
        let sections = match document::parse(name, text.trim_start_matches(BYTE_ORDER_MARK)) {
            Ok(sections) => sections,
            Err(problems) => return self.problems.extend(problems),
        };
        for FoundSection { name: section, at, keys } in sections {
            match keys {
                Some(keys) if self.has_section(&section) => {
                    for FoundKey { name, at, value } in keys {
                        match self.index(&section, &name) {
                            Some(index) => self.set(index, value, at),
                            None => self.unknown(at, &section, &name),
                        }
                    }
                }
                Some(_) => self.unknown_section(at, &section),
                None => self.unknown(at, "", &section),
            }
        }
    }

    pub(super) fn default_of(&self, entry: &Entry) -> Option<&Value> {
        self.defaults.get(&entry.section)?.get(&entry.key)
    }

    /// The problems found while reading.
    pub(super) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same keys with their defaults.
    pub(super) fn bare(&self) -> Self {
        let mut bare = Self { problems: Vec::new(), ..self.clone() };
        for entry in &mut bare.entries {
            let default = self.defaults.get(&entry.section).and_then(|section| section.get(&entry.key));
            entry.value = default.cloned().unwrap_or_else(|| Value::String(String::new()));
            "default".clone_into(&mut entry.origin);
            entry.layer = Layer::Default;
        }
        bare
    }

    /// What follows is of this kind.
    pub(super) fn begin(&mut self, layer: Layer) {
        self.layer = layer;
    }

    /// The problem that the last value had, if it had one.
    pub(super) fn take_problem(&mut self, before: usize) -> Option<String> {
        self.problems.split_off(before).pop().map(|problem| problem.message)
    }

    /// Where the values of `keys` came from; defaults are mentioned only when nothing else is to blame.
    pub(super) fn origins(&self, keys: &[&str]) -> String {
        let origins =
            self.entries.iter().filter(|entry| keys.contains(&entry.path().as_str())).map(|entry| &entry.origin);
        let given: Vec<&str> = origins.filter(|origin| *origin != "default").map(String::as_str).collect();
        if given.is_empty() { "default".to_owned() } else { given.join(", ") }
    }

    fn apply_variable(&mut self, name: &OsString, value: &OsString) {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { return };
        let path = name[PREFIX.len()..].to_ascii_lowercase();
        let Some((section, key)) = path.split_once("__") else {
            return self.problem(name.to_owned(), None, format!("is not of the form {PREFIX}SECTION__KEY"));
        };
        let Some(value) = value.to_str() else {
            return self.problem(name.to_owned(), None, "is not UTF-8".to_owned());
        };
        self.apply_text(name, section, key, value);
    }

    fn apply_flag(&mut self, flag: &Flag) {
        let parts = flag.assignment.split_once('=').and_then(|(path, value)| Some((path.split_once('.')?, value)));
        match parts {
            Some(((section, key), value)) => self.apply_text(flag.name, section.trim(), key.trim(), value),
            None => self.problem(flag.name.to_owned(), None, "is not of the form section.key=value".to_owned()),
        }
    }

    /// Sets a key to a value that is not TOML: it is read as what the default is.
    fn apply_text(&mut self, at: &str, section: &str, key: &str, text: &str) {
        let Some(index) = self.index(section, key) else { return self.unknown(at.to_owned(), section, key) };
        match self.read_text(index, text) {
            Ok(value) => self.set(index, value, at.to_owned()),
            Err(message) => self.problem(at.to_owned(), Some(index), message),
        }
    }

    /// A value that is not TOML, read as what the default is.
    pub(super) fn read_text(&self, index: usize, text: &str) -> Result<Value, String> {
        let Entry { section, key, .. } = &self.entries[index];
        let value = match self.defaults[section][key] {
            Value::Integer(_) => trim(text).parse().map(Value::Integer).map_err(|_| "a whole number"),
            Value::Boolean(_) => trim(text).parse().map(Value::Boolean).map_err(|_| "`true` or `false`"),
            Value::Array(_) => list(trim(text)).ok_or("a list, `a, b` or `[\"a\", \"b\"]`"),
            _ => Ok(Value::String(text.to_owned())),
        };
        value.map_err(|expected| format!("expected {expected}, found `{text}`"))
    }

    /// Puts a value in force if it is within its bounds and it alone, among the defaults, makes a configuration: so each
    /// problem has its key.
    pub(super) fn set(&mut self, index: usize, value: Value, at: String) {
        let value = trimmed(value);
        let entry = &self.entries[index];
        if let Some(message) = self.property(entry).and_then(|property| out_of_bounds(property, &value)) {
            return self.problem(at, Some(index), message);
        }
        let mut table = Table::clone(&self.defaults);
        table[&entry.section][&entry.key] = value.clone();
        match (self.rules.accepts)(table) {
            Ok(()) => {
                let entry = &mut self.entries[index];
                entry.value = value;
                entry.origin = at;
                entry.layer = self.layer;
            }
            Err(_) if self.is_secret(entry) => self.problem(at, Some(index), "expected a string".to_owned()),
            Err(error) => self.problem(at, Some(index), plainly(error.message())),
        }
    }

    fn unknown_section(&mut self, at: String, section: &str) {
        let mut names: Vec<_> = self.entries.iter().map(|entry| entry.section.as_str()).collect();
        names.dedup();
        let hint = nearest(section, names.iter().copied())
            .map_or_else(|| format!("there are {}", names.join(", ")), |name| format!("did you mean [{name}]?"));
        self.problem(at, None, format!("unknown section [{section}]; {hint}"));
    }

    /// An unknown key: of a known section, of an unknown one, or (`section` is empty) of none.
    fn unknown(&mut self, at: String, section: &str, key: &str) {
        if !section.is_empty() && !self.has_section(section) {
            return self.unknown_section(at, section);
        }
        let here = self.entries.iter().filter(|entry| entry.section == section).map(|entry| entry.key.as_str());
        let elsewhere = self.entries.iter().filter(|entry| entry.key == key).map(|entry| entry.section.as_str());
        let elsewhere: Vec<_> = elsewhere.map(|section| format!("[{section}]")).collect();
        let hint = match nearest(key, here) {
            Some(name) => format!("; did you mean `{name}`?"),
            None if !elsewhere.is_empty() => format!("; `{key}` belongs to {}", elsewhere.join(" or ")),
            None => String::new(),
        };
        let place = if section.is_empty() { "outside of a section".to_owned() } else { format!("in [{section}]") };
        self.problem(at, None, format!("unknown key `{key}` {place}{hint}"));
    }

    fn has_section(&self, section: &str) -> bool {
        self.entries.iter().any(|entry| entry.section == section)
    }

    pub(super) fn index(&self, section: &str, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.section == section && entry.key == key)
    }

    pub(super) fn is_secret(&self, entry: &Entry) -> bool {
        self.property(entry).is_some_and(|property| property["writeOnly"] == true)
    }

    pub(super) fn is_hot(&self, entry: &Entry) -> bool {
        self.property(entry).is_some_and(|property| property["x-hot"] == true)
    }

    /// The JSON Schema of a key.
    pub(super) fn property(&self, entry: &Entry) -> Option<&serde_json::Value> {
        self.rules.schema["properties"].get(&entry.section)?["properties"].get(&entry.key)
    }

    fn problem(&mut self, at: String, index: Option<usize>, message: String) {
        let keys = index.map(|index| self.entries[index].path()).into_iter().collect();
        self.problems.push(Problem { at, keys, message });
    }
}

/// Without what an editor, an env file or a shell leaves around a value: spaces, ends of lines, a byte order mark.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == BYTE_ORDER_MARK)
}

fn trimmed(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(trim(&text).to_owned()),
        Value::Array(items) => Value::Array(items.into_iter().map(trimmed).collect()),
        other => other,
    }
}

/// A list as in TOML, or its items separated by commas.
pub(super) fn list(text: &str) -> Option<Value> {
    if text.starts_with('[') {
        let document: Table = format!("list = {text}").parse().ok()?;
        // A value that goes on as a document of its own is none.
        let mut values = document.into_iter().map(|(_, value)| value);
        return values.next().filter(|value| value.is_array() && values.next().is_none());
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Some(items.map(Value::from).collect::<Vec<_>>().into())
}

/// The most similar name, if one is similar enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|known| (strsim::jaro_winkler(name, known), known)).filter(|(score, _)| *score > 0.8);
    scored.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, known)| known)
}

/// The kinds of whole numbers are of no interest to who writes a configuration.
fn plainly(message: &str) -> String {
    ["usize", "u64", "u32"].iter().fold(message.to_owned(), |text, kind| text.replace(kind, "a whole number"))
}
