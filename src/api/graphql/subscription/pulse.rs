//! The shop in numbers, as it goes on. Everything here is the same for every operator, so the edge executes it once, and
//! asks each who joins whether they are one.

use std::sync::Arc;

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;

use crate::api::graphql::context::{ContextExt as _, Services};
use crate::api::graphql::edge::SlotReporter;
use crate::api::graphql::error::Code;
use crate::api::graphql::types::pulse::{SalePulse, ShopPulse};
use crate::control::pulse::{Frame, SaleFacts, SaleNumbers};
use crate::kernel::SaleId;
use crate::model::rights::Right;

/// Subscriptions of operators to numbers.
#[derive(Default)]
pub struct PulseSubscription;

#[Subscription]
impl PulseSubscription {
    /// The shop in numbers: the latest second first, and then one frame per second. It is the same for every operator. Slow clients receive
    /// the latest frame only. Operators and observers only.
    async fn shop_pulse(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = ShopPulse> + use<>> {
        require_operator(ctx)?;
        let frames = services(ctx).control.pulse().newest();
        let from_now = Frames { frames, begun: false };
        Ok(stream::unfold(from_now, |mut frames| async move { Some((ShopPulse(frames.next().await), frames)) }))
    }

    /// The numbers of a sale: the current ones first, and then at most one frame per second, if they changed. It is the same for every
    /// operator. Slow clients receive the latest frame only. Operators and observers only.
    async fn sale_pulse(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale.")] sale_id: ID,
    ) -> Result<impl Stream<Item = SalePulse> + use<>> {
        require_operator(ctx)?;
        let services = services(ctx);
        let sale = sale_id.parse().ok().filter(|sale| numbers(&services, *sale).is_some());
        let sale = sale.ok_or_else(|| Code::BadUserInput.error("This sale does not exist."))?;
        let frames = Frames { frames: services.control.pulse().newest(), begun: true };
        let watch = SaleWatch { services, sale, frames, sent: None };
        Ok(stream::unfold(watch, |mut watch| async move { Some((watch.next().await?, watch)) }))
    }
}

/// Where the execution is shared, the edge has asked.
fn require_operator(ctx: &Context<'_>) -> Result<()> {
    match ctx.data_opt::<SlotReporter>() {
        Some(_) => Ok(()),
        None => ctx.require(Right::SeeShop).map(drop),
    }
}

fn services(ctx: &Context<'_>) -> Arc<Services> {
    ctx.data_unchecked::<Arc<Services>>().clone()
}

/// A sale that is listed and not a draft, as of now.
fn numbers(services: &Services, sale: SaleId) -> Option<SaleNumbers> {
    let snapshot = services.sales.snapshot();
    let offer = snapshot.offer(sale).filter(|offer| !offer.is_draft())?;
    let now = services.clock.now();
    Some(services.control.pulse().numbers(&SaleFacts::of(offer, &*services.stock, now), now))
}

/// Closed frames, the newest when there are several.
struct Frames {
    frames: watch::Receiver<Option<Arc<Frame>>>,
    /// Whether the present one was taken.
    begun: bool,
}

impl Frames {
    async fn next(&mut self) -> Arc<Frame> {
        loop {
            let taken = std::mem::replace(&mut self.begun, true);
            if taken && self.frames.changed().await.is_err() {
                // Its sender lives as long as the services.
                std::future::pending::<()>().await;
            }
            if let Some(frame) = self.frames.borrow_and_update().clone() {
                return frame;
            }
        }
    }
}

/// One sale.
struct SaleWatch {
    services: Arc<Services>,
    sale: SaleId,
    frames: Frames,
    sent: Option<SaleNumbers>,
}

impl SaleWatch {
    /// `None` once the sale is not listed any more.
    async fn next(&mut self) -> Option<SalePulse> {
        loop {
            if self.sent.is_some() {
                self.frames.next().await;
            }
            let numbers = numbers(&self.services, self.sale)?;
            if self.sent.as_ref().is_none_or(|sent| numbers.differs(sent)) {
                self.sent = Some(numbers.clone());
                return Some(SalePulse(numbers));
            }
        }
    }
}
