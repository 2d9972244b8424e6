//! Live stock.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::graphql::context::Services;
use crate::api::graphql::edge::SlotReporter;
use crate::api::graphql::error::Code;
use crate::api::graphql::types::stock::SaleStock;
use crate::kernel::SaleId;

/// Subscriptions of sales. Their answers are the same for everyone, so the edge executes each of them once.
#[derive(Default)]
pub struct SalesSubscription;

#[Subscription]
impl SalesSubscription {
    /// Live stock. It sends the current stock of each sale first and then the latest stock of each sale that changed,
    /// at most once per server tick. When two values for the same sale differ, keep the one with the higher
    /// `version`. Unknown sale IDs are ignored.
    async fn sale_stock_changed(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sales to watch.")] sale_ids: Vec<ID>,
    ) -> Result<impl Stream<Item = SaleStock> + use<>> {
        let services = ctx.data_unchecked::<Arc<Services>>().clone();
        let max = services.config.hub.sales_per_subscription;
        if sale_ids.len() > max {
            return Err(Code::BadUserInput.error(format!("At most {max} sales can be watched at once.")));
        }
        let mut sales: Vec<SaleId> = Vec::new();
        for id in sale_ids.iter().filter_map(|id| id.parse().ok()) {
            if !sales.contains(&id) && SaleStock::now(&services, id).is_some() {
                sales.push(id);
            }
        }
        if sales.is_empty() {
            return Err(Code::BadUserInput.error("This sale does not exist."));
        }
        let slots = ctx.data_opt::<SlotReporter>().cloned();
        let stock = services.orders.hub().stock_changes();
        let catalog = services.sales.changes();
        let feed =
            Feed { services, sales, slots, stock, catalog, sent: HashMap::new(), due: VecDeque::new(), last: None };
        Ok(stream::unfold(feed, |mut feed| async move { Some((feed.next().await, feed)) }))
    }
}

/// One execution of the subscription.
struct Feed {
    services: Arc<Services>,
    sales: Vec<SaleId>,
    slots: Option<SlotReporter>,
    stock: watch::Receiver<()>,
    catalog: watch::Receiver<u64>,
    sent: HashMap<SaleId, u32>,
    due: VecDeque<SaleStock>,
    last: Option<Instant>,
}

impl Feed {
    async fn next(&mut self) -> SaleStock {
        loop {
            if let Some(stock) = self.due.pop_front() {
                let slot = self.sales.iter().position(|sale| *sale == stock.sale()).unwrap_or_default();
                if let Some(slots) = &self.slots {
                    slots.push(slot as u64);
                }
                return stock;
            }
            if self.last.is_some() {
                self.change().await;
            }
            if let Some(last) = self.last {
                tokio::time::sleep_until(last + *self.services.live.now().hub.stock_tick).await;
            }
            self.stock.mark_unchanged();
            self.catalog.mark_unchanged();
            self.collect();
            self.last = Some(Instant::now());
        }
    }

    /// Waits until stock, the catalog or the time may have changed something.
    async fn change(&mut self) {
        let now = self.services.clock.now();
        let boundary = self.sales.iter().filter_map(|sale| SaleStock::next_boundary(&self.services, *sale, now)).min();
        let turn = async {
            match boundary {
                Some(at) => tokio::time::sleep(at.since(now)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Their senders live as long as the services that this holds.
            _ = self.stock.changed() => {}
            _ = self.catalog.changed() => {}
            () = turn => {}
        }
    }

    fn collect(&mut self) {
        for sale in &self.sales {
            let Some(stock) = SaleStock::now(&self.services, *sale) else { continue };
            let known = self.sent.entry(*sale).or_default();
            if stock.version() > *known {
                *known = stock.version();
                self.due.push_back(stock);
            }
        }
    }
}
