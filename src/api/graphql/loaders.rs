//! Loading together what a list's items need one by one.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Error, Result};
use parking_lot::Mutex;

use super::error::Code;
use crate::catalog::{Catalog, CatalogError};
use crate::kernel::ProductId;
use crate::model::catalog::Product;

/// The catalog's result for a product; `None` if it does not exist.
type Answer = Result<Option<Arc<Product>>, CatalogError>;

/// Reads the products of one root field: lists say beforehand which they will want, and the first that is asked for
/// brings all of them with one call. Each product is read once, failures too; nothing outlives the root field.
pub struct ProductLoader {
    catalog: Arc<dyn Catalog>,
    wanted: Mutex<Vec<ProductId>>,
    known: tokio::sync::Mutex<HashMap<ProductId, Answer>>,
}

impl ProductLoader {
    /// A loader that knows nothing yet.
    pub fn new(catalog: &Arc<dyn Catalog>) -> Arc<Self> {
        Arc::new(Self { catalog: catalog.clone(), wanted: Mutex::default(), known: tokio::sync::Mutex::default() })
    }

    /// These will probably be asked for.
    pub fn want(&self, ids: impl IntoIterator<Item = ProductId>) {
        self.wanted.lock().extend(ids);
    }

    /// The product; `None` when there is none, UNAVAILABLE when the catalog can't tell.
    pub async fn load(&self, id: ProductId) -> Result<Option<Arc<Product>>> {
        let mut known = self.known.lock().await;
        if !known.contains_key(&id) {
            let mut ids = std::mem::take(&mut *self.wanted.lock());
            ids.push(id);
            ids.retain(|id| !known.contains_key(id));
            ids.sort_unstable();
            ids.dedup();
            let found = self.catalog.find_many(&ids).await;
            if let Err(error) = &found {
                tracing::warn!(%error, products = ids.len(), "could not load products");
            }
            for id in ids {
                let answer = found.as_ref().map(|found| found.get(&id).cloned()).map_err(Clone::clone);
                known.insert(id, answer);
            }
        }
        match known.get(&id) {
            Some(Ok(product)) => Ok(product.clone()),
            _ => Err(not_shown()),
        }
    }
}

/// The catalog can't tell.
pub fn not_shown() -> Error {
    Code::Unavailable.retry("The product is temporarily unavailable.", 2)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::kernel::{Currency, Money, Timestamp};

    /// Has every product but those that begin with 0; fails for those that begin with 255. Remembers its calls.
    #[derive(Default)]
    struct Shelf(Mutex<Vec<Vec<ProductId>>>);

    #[async_trait]
    impl Catalog for Shelf {
        async fn find_many(&self, ids: &[ProductId]) -> Result<HashMap<ProductId, Arc<Product>>, CatalogError> {
            self.0.lock().push(ids.to_vec());
            if ids.iter().any(|id| id.to_bytes()[0] == 255) {
                return Err(CatalogError("down".into()));
            }
            let now = Timestamp::from_millis(0);
            let price = Money { minor: 1, currency: Currency::Cny };
            let product = |id: ProductId| Product {
                id,
                name: String::new(),
                title: None,
                description: None,
                image_url: None,
                price,
                version: 1,
                created_at: now,
                updated_at: now,
            };
            let there = ids.iter().filter(|id| id.to_bytes()[0] != 0);
            Ok(there.map(|id| (*id, Arc::new(product(*id)))).collect())
        }
    }

    fn id(first: u8) -> ProductId {
        ProductId::from_bytes([first; 16])
    }

    #[tokio::test]
    async fn one_call_brings_all_that_are_wanted() {
        let shelf = Arc::new(Shelf::default());
        let catalog: Arc<dyn Catalog> = shelf.clone();
        let loader = ProductLoader::new(&catalog);
        loader.want([id(3), id(1), id(2), id(1)]);
        let (a, b) = tokio::join!(loader.load(id(1)), loader.load(id(2)));
        assert_eq!((a.unwrap().unwrap().id, b.unwrap().unwrap().id), (id(1), id(2)));
        assert!(loader.load(id(3)).await.unwrap().is_some());
        assert_eq!(*shelf.0.lock(), [vec![id(1), id(2), id(3)]]);
        assert!(loader.load(id(0)).await.unwrap().is_none());
        assert!(loader.load(id(0)).await.unwrap().is_none());
        assert_eq!(shelf.0.lock().len(), 2, "absence is remembered too");
    }

    #[tokio::test]
    async fn a_failure_is_told_to_each_and_asked_for_once() {
        let shelf = Arc::new(Shelf::default());
        let catalog: Arc<dyn Catalog> = shelf.clone();
        let loader = ProductLoader::new(&catalog);
        loader.want([id(1), id(255)]);
        assert!(loader.load(id(1)).await.is_err());
        assert!(loader.load(id(255)).await.is_err());
        assert_eq!(shelf.0.lock().len(), 1);
    }
}
