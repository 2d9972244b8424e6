//! Trusted documents: those that the front ends send, compiled in. Clients name them by id, the SHA-256 of their text.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::api::graphql::edge::request::params::Hash;

/// Documents by id, `sha256:…`.
pub type Manifest = BTreeMap<String, String>;

/// The prefix of IDs.
const PREFIX: &str = "sha256:";

/// The documents of the front ends of this build.
pub fn compiled_in() -> Manifest {
    let text = include_str!("../../../../../frontend/persisted-documents.json");
    serde_json::from_str(text).unwrap_or_else(|error| {
        tracing::error!(%error, "could not read frontend/persisted-documents.json");
        Manifest::new()
    })
}

/// The manifest of the `.graphql` files in these folders.
pub fn collect(folders: &[impl AsRef<Path>]) -> std::io::Result<Manifest> {
    let mut manifest = Manifest::new();
    for folder in folders {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "graphql") {
                let text = std::fs::read_to_string(&path)?;
                manifest.insert(id(&text), text);
            }
        }
    }
    Ok(manifest)
}

/// The id of a document.
pub fn id(text: &str) -> String {
    format!("{PREFIX}{}", HEXLOWER.encode(&Sha256::digest(text)))
}

/// Trusted documents, found by what clients send.
pub struct Trusted<D> {
    ids: HashMap<String, D>,
    texts: HashMap<Arc<str>, D>,
}

impl<D> Default for Trusted<D> {
    fn default() -> Self {
        Self { ids: HashMap::new(), texts: HashMap::new() }
    }
}

impl<D: Clone> Trusted<D> {
    /// Trusts this document.
    pub fn insert(&mut self, id: &str, text: &str, document: D) {
        self.texts.insert(text.into(), document.clone());
        self.ids.insert(id.to_owned(), document);
    }

    /// The document of this id.
    pub fn by_id(&self, id: &str) -> Option<&D> {
        self.ids.get(id)
    }

    /// The document of this hash.
    pub fn by_hash(&self, hash: &Hash) -> Option<&D> {
        self.ids.get(&format!("{PREFIX}{}", HEXLOWER.encode(hash)))
    }

    /// The document of this text.
    pub fn by_text(&self, text: &str) -> Option<&D> {
        self.texts.get(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `./justw gen` writes the file.
    #[test]
    fn the_manifest_is_that_of_the_front_ends() {
        let folders = ["frontend/documents", "frontend/graphiql/src/tabs"];
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = folders.map(|folder| root.join(folder));
        let manifest = collect(&folders).unwrap();
        assert!(manifest.len() >= 15, "{}", manifest.len());
        assert_eq!(compiled_in(), manifest);
    }
}
