//! The proof that a backup can be used: a shop on a copy of it, which sells one unit and is thrown away.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use data_encoding::HEXLOWER;

use super::App;
use crate::catalog::{ActError, PriceInput, ProductInput};
use crate::config::{self, Config, Role};
use crate::kernel::{Clock, Currency, Rng, SaleId, UserId};
use crate::model::orders::Order;
use crate::orders::PurchaseRequest;
use crate::orders::rebuild::Rebuilt;
use crate::sales::{SaleInput, SessionInput};

/// How long the order of the drill may take to be recorded.
const DECIDED_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked for.
const POLL: Duration = Duration::from_millis(20);

/// What the shop on the copy did.
#[derive(Debug)]
pub struct Drill {
    /// Sales that were opened from the copy.
    pub gates: Rebuilt,
    /// The number of the order that was sold.
    pub order: String,
}

/// Opens a shop on this database, which it changes, and sells one unit. Gate and broker are its own, it has no payment gateway, and listens
/// on no address, so nobody outside hears of it.
pub async fn drill(store: config::Store, clock: &Clock, rng: &Rng) -> anyhow::Result<Drill> {
    let mut config = Config::default_embedded();
    config.store = store;
    config.node.roles = vec![Role::Writer, Role::Relay];
    let app = App::build(config, clock.clone(), rng.clone()).await?;
    // What every node does, and writing orders; no jobs, which would look after payments and expiry.
    app.start();
    let done = app.sell_one().await;
    app.stop(&tokio_util::sync::CancellationToken::new()).await;
    done
}

impl App {
    async fn sell_one(&self) -> anyhow::Result<Drill> {
        let gates = self.orders().open_gates(*self.config().gate.retention).await?;
        ensure!(gates.failed == 0, "{} of {} sales could not be opened", gates.failed, gates.failed + gates.opened);
        let name = format!("drill-{}", HEXLOWER.encode(&self.0.rng.bytes::<8>()));
        let password = HEXLOWER.encode(&self.0.rng.bytes::<16>());
        let operator = self.accounts().create_operator(&name, &password, "Backup drill").await?;
        let operator = operator.map_err(|refusals| anyhow!("{refusals:?}"))?.id;
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let buyer = self.accounts().sign_up(&format!("{name}-b"), &password, "Backup drill", address).await?;
        let buyer = buyer.map_err(|refusals| anyhow!("{refusals:?}"))?.user.id;
        let sale =
            self.drill_sale(operator).await.map_err(|error| anyhow!("a sale could not be created: {error:?}"))?;
        let request = PurchaseRequest { sale: Some(sale), quantity: 1, key: name };
        let ticket = self.orders().purchase(buyer, request).await?;
        let ticket = ticket.map_err(|refusal| anyhow!("the purchase was refused: {refusal:?}"))?;
        let order = tokio::time::timeout(DECIDED_WITHIN, self.decided(buyer, ticket.id)).await;
        let order = order.with_context(|| format!("the order was not recorded within {DECIDED_WITHIN:?}"))??;
        ensure!(order.state.is_live(), "the order was refused: {:?}", order.state);
        Ok(Drill { gates, order: order.number() })
    }

    /// A sale of one unit that is open.
    async fn drill_sale(&self, operator: UserId) -> Result<SaleId, ActError> {
        let (sales, now) = (self.sales(), self.0.clock.now());
        let session = SessionInput { name: None, starts_at: now.minus(Duration::from_secs(60)), ends_at: None };
        let price = PriceInput { amount: "1.00".to_owned(), currency: Currency::Cny };
        let product = ProductInput {
            name: "Backup drill".to_owned(),
            title: None,
            description: None,
            image_url: None,
            price: price.clone(),
        };
        let input = SaleInput {
            session_id: sales.session_create(operator, session).await?.id,
            product_id: sales.product_create(operator, product).await?.id,
            price,
            points_price: None,
            stock: 1,
            limit_per_buyer: 1,
            pay_within_seconds: 60,
            returns_on_refund: true,
        };
        let draft = sales.sale_create(operator, input).await?;
        Ok(sales.sale_publish(operator, draft.sale.id).await?.sale.id)
    }

    async fn decided(&self, buyer: UserId, ticket: crate::kernel::TicketId) -> anyhow::Result<std::sync::Arc<Order>> {
        loop {
            let found = self.orders().ticket_of_buyer(buyer, ticket).await?;
            if let Some(order) = found.and_then(|ticket| ticket.decision) {
                return Ok(order);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
