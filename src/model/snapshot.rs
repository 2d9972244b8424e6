//! The node's snapshot of products, sessions and sales. Lists and details are served from it without any I/O.

use std::collections::HashMap;
use std::sync::Arc;

use super::sales::{Sale, SaleState, Session, ShopState, StockLevel};
use crate::kernel::{ProductId, SaleId, SessionId};
use crate::model::answers::Tally;
use crate::model::catalog::Product;
use crate::model::gate::SaleTerms;

/// A sale in its session, with its stock as of when it was read. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The sale.
    pub sale: Arc<Sale>,
    /// When it runs.
    pub session: Arc<Session>,
    /// Its stock as the database had it; the hub may know better.
    pub stock: StockLevel,
}

impl Offer {
    /// The terms for the gate.
    pub fn terms(&self) -> SaleTerms {
        self.sale.terms(&self.session)
    }

    /// Whether only operators may see it.
    pub fn is_draft(&self) -> bool {
        self.sale.state == SaleState::Draft
    }
}

/// The result of one consistent read of the database.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Each session, with one of its sales and that sale's product; a session without sales stands once, with `None`.
    pub rows: Vec<(Session, Option<(Sale, StockLevel, Product)>)>,
    /// Whether the shop sells.
    pub shop: ShopState,
}

/// All sessions that are not long over, with their sales and the products of those. Never changes once built.
#[derive(Debug, Default)]
pub struct Snapshot {
    revision: u64,
    shop: ShopState,
    products: HashMap<ProductId, Arc<Product>>,
    sessions: Vec<Arc<Session>>,
    session_index: HashMap<SessionId, usize>,
    offers: Vec<Offer>,
    offer_index: HashMap<SaleId, usize>,
    /// What purchases were answered, in the order of the offers.
    tallies: Vec<Arc<Tally>>,
    by_session: HashMap<SessionId, Vec<Offer>>,
}

impl Snapshot {
    /// Arranges what was read when the catalog was at `revision` or later.
    pub fn build(revision: u64, contents: Contents) -> Self {
        let mut sessions: HashMap<SessionId, Arc<Session>> = HashMap::new();
        let mut products: HashMap<ProductId, Arc<Product>> = HashMap::new();
        let mut offers = Vec::new();
        for (session, sold) in contents.rows {
            let session = sessions.entry(session.id).or_insert_with(|| Arc::new(session)).clone();
            let Some((sale, stock, product)) = sold else { continue };
            products.entry(product.id).or_insert_with(|| Arc::new(product));
            offers.push(Offer { sale: Arc::new(sale), session, stock });
        }
        let mut sessions: Vec<_> = sessions.into_values().collect();
        sessions.sort_unstable_by_key(|session| (session.starts_at, session.id));
        offers.sort_unstable_by_key(|offer| (offer.session.starts_at, offer.sale.id));
        let mut by_session: HashMap<SessionId, Vec<Offer>> = HashMap::new();
        for offer in &offers {
            by_session.entry(offer.session.id).or_default().push(offer.clone());
        }
        Self {
            revision,
            tallies: offers.iter().map(|_| Arc::default()).collect(),
            shop: contents.shop,
            products,
            session_index: sessions.iter().enumerate().map(|(index, session)| (session.id, index)).collect(),
            sessions,
            offer_index: offers.iter().enumerate().map(|(index, offer)| (offer.sale.id, index)).collect(),
            offers,
            by_session,
        }
    }

    /// The catalog's revision that it has at least; grows from one snapshot to the next. 0: nothing was read yet.
    pub const fn version(&self) -> u64 {
        self.revision
    }

    /// Whether the shop sells, and since when.
    pub const fn shop(&self) -> ShopState {
        self.shop
    }

    /// A product of one of the sales.
    pub fn product(&self, id: ProductId) -> Option<&Arc<Product>> {
        self.products.get(&id)
    }

    /// A session.
    pub fn session(&self, id: SessionId) -> Option<&Arc<Session>> {
        self.session_index.get(&id).map(|&index| &self.sessions[index])
    }

    /// All sessions, by start and id.
    pub fn sessions(&self) -> &[Arc<Session>] {
        &self.sessions
    }

    /// A sale.
    pub fn sale(&self, id: SaleId) -> Option<&Sale> {
        self.offer(id).map(|offer| &*offer.sale)
    }

    /// All sales, drafts too.
    pub fn sales(&self) -> impl Iterator<Item = &Sale> {
        self.offers.iter().map(|offer| &*offer.sale)
    }

    /// The stock of all sales, as the database had it.
    pub fn stock_levels(&self) -> impl Iterator<Item = StockLevel> {
        self.offers.iter().map(|offer| offer.stock)
    }

    /// A sale with its session.
    pub fn offer(&self, id: SaleId) -> Option<&Offer> {
        self.offer_index.get(&id).map(|&index| &self.offers[index])
    }

    /// A sale that is not a draft, and where its answers are counted.
    pub fn listed(&self, id: SaleId) -> Option<(&Offer, &Arc<Tally>)> {
        let index = *self.offer_index.get(&id)?;
        Some((&self.offers[index], &self.tallies[index])).filter(|(offer, _)| !offer.is_draft())
    }

    /// All sales with their counts, in the same order.
    pub fn tallies(&self) -> impl Iterator<Item = (&Offer, &Arc<Tally>)> {
        self.offers.iter().zip(&self.tallies)
    }

    /// Goes on counting where the snapshot before this one does.
    pub fn count_on(&mut self, before: &Self) {
        for (offer, tally) in self.offers.iter().zip(&mut self.tallies) {
            if let Some(&index) = before.offer_index.get(&offer.sale.id) {
                *tally = before.tallies[index].clone();
            }
        }
    }

    /// All sales, drafts too, by the session's start and the sale's id.
    pub fn offers(&self) -> &[Offer] {
        &self.offers
    }

    /// The sales of one session in the same order; none when the session is unknown.
    pub fn offers_of(&self, session: SessionId) -> &[Offer] {
        self.by_session.get(&session).map_or(&[], Vec::as_slice)
    }
}
