//! Checks that involve more than the type of a single value.

use serde::Deserialize as _;
use toml::{Table, Value};

use super::layers::Layers;
use super::stored::KeptLayers;
use super::{Config, ConfigErrors, Problem};

/// Collects what is wrong; each problem is placed where its values came from.
pub(super) struct Check<'a> {
    layers: &'a Layers,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// Begins with what was already found while reading.
    pub(super) fn new(layers: &'a Layers, problems: Vec<Problem>) -> Self {
        Self { layers, problems }
    }

    /// Notes a problem unless `holds`. A key that already has a problem is not blamed again: its value is not in force.
    pub(super) fn require(&mut self, holds: bool, keys: &[&str], message: &str) {
        let blamed = |key: &&str| self.problems.iter().any(|problem| problem.keys.iter().any(|known| known == key));
        if holds || keys.iter().any(blamed) {
            return;
        }
        self.problems.push(Problem {
            at: self.layers.origins(keys),
            keys: keys.iter().map(ToString::to_string).collect(),
            message: message.to_owned(),
        });
    }

    pub(super) fn finish(self) -> Vec<Problem> {
        self.problems
    }
}

impl Layers {
    /// The checked configuration, or everything that is wrong with it.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        let mut table = Table::new();
        for entry in self.entries() {
            let section = table.entry(&entry.section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(entry.key.clone(), entry.value.clone());
            }
        }
        let mut check = Check::new(self, self.problems().to_vec());
        let config = Config::deserialize(table);
        match &config {
            Ok(config) => config.validate(&mut check),
            Err(error) => check.require(false, &[], error.message()),
        }
        match (config, check.finish()) {
            (Ok(config), problems) if problems.is_empty() => {
                Ok(Config { settings: self.settings(), layers: KeptLayers::of(self), ..config })
            }
            (_, problems) => Err(ConfigErrors(problems)),
        }
    }
}
