//! The effects of decisions on this node. They arrive as events, possibly more than once. The gate is updated elsewhere
//! (`gate_news.rs`): whatever happens to it, buyers hear.

use super::{Orders, OrdersError};
use crate::kernel::SaleId;
use crate::model::results::ResultEvent;
use crate::store::{self, StoreError};

/// Orders read at once when events were missed.
const PAGE: usize = 500;

impl Orders {
    /// Whether refunded units of the sale are sold again. It never changes once the sale is published.
    pub async fn restocks(&self, sale: SaleId) -> Result<bool, StoreError> {
        let offer = self.0.sales.find_offer(sale).await?;
        Ok(offer.is_some_and(|offer| offer.sale.returns_on_refund))
    }

    /// After events were missed: reads afresh what somebody on this node waits for.
    pub async fn resync(&self) -> Result<(), OrdersError> {
        self.0.hub.forget_recent();
        let snapshot = self.0.sales.refresh().await?;
        self.0.hub.merge_stock(snapshot.offers().iter().map(|offer| offer.stock));
        for page in self.0.hub.watched().chunks(PAGE) {
            let page = page.to_vec();
            let orders = store::read!(&self.0.db, |conn| sql::orders::find_all(conn, &page).await)?;
            self.0.hub.apply(orders.into_iter().map(ResultEvent::Order).collect());
        }
        Ok(())
    }

    /// For fault tests: a message of results comes once more.
    #[cfg(feature = "sabotage")]
    pub fn hear_again(&self, payload: &[u8]) {
        use crate::model::results::{RESULTS, RESULTS_VERSION, ResultBatch};
        if let Ok(batch) = crate::broker::envelope::decode::<ResultBatch>(RESULTS, RESULTS_VERSION, payload) {
            self.0.hub.apply(batch.events);
            self.0.gate_news.hear_again(payload);
        }
    }
}
