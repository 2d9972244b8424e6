//! From the layers to the configuration.

use std::sync::Arc;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::check::Check;
use super::layers::{KeptLayers, Layer, Layers, Rules, Sources};
use super::{Config, ConfigErrors, schema};

impl Config {
    /// Reads all layers and checks the result as a whole.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        Layers::read(sources).config()
    }

    /// The defaults alone.
    #[expect(clippy::expect_used, reason = "default.toml is compiled in, and a unit test loads it")]
    pub fn default_embedded() -> Self {
        Self::load(&Sources::default()).expect("the defaults are valid")
    }

    /// The defaults with the keys of `text` over them, for tests.
    pub fn from_toml(text: &str) -> Result<Self, ConfigErrors> {
        let mut layers = Layers::read(&Sources::default());
        layers.begin(Layer::File);
        layers.apply_document("config", text);
        layers.config()
    }
}

impl Layers {
    /// Reads the layers over each other. What is wrong is kept for [`Layers::config`].
    pub fn read(sources: &Sources) -> Self {
        let accepts = |table| Config::deserialize(table).map(drop);
        Self::over_defaults(Rules { schema: Arc::new(schema::base()), accepts }, sources)
    }

    /// The checked configuration, or everything that is wrong with it.
    pub fn config(&self) -> Result<Config, ConfigErrors> {
        let mut table = Table::new();
        for entry in self.entries() {
            let section = table.entry(&entry.section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(entry.key.clone(), entry.value.clone());
            }
        }
        let origins = |keys: &[&str]| self.origins(keys);
        let mut check = Check::new(&origins, self.problems().to_vec());
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

impl KeptLayers {
    /// The layers; the defaults where there are none.
    pub fn layers(&self) -> Layers {
        self.get().map_or_else(|| Layers::read(&Sources::default()), Layers::clone)
    }
}
