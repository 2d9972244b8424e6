//! Stopping all sales at once, and letting the shop sell again. Each sale that could sell gets a new version in the same transaction, so
//! that the gate hears of it as of an act on that sale.

use std::sync::Arc;

use serde_json::json;

use super::input::check_reason;
use super::operate::{Decided, gate_event};
use super::service::Sales;
use super::state::Act;
use crate::catalog::{ActError, Problem, Reason};
use crate::kernel::UserId;
use crate::model::audit::Audit;
use crate::model::sales::{Sale, SaleState, ShopState};
use crate::model::snapshot::Offer;
use crate::store;

impl Sales {
    /// Stops all sales for now, also those that are published later. Orders that exist keep their units and their time to pay. Returns once
    /// the gate refuses purchases, unless it is unavailable: then it does as soon as it is back.
    pub async fn shop_pause(&self, operator: UserId, reason: String) -> Result<ShopState, ActError> {
        self.shop_turn(operator, true, reason).await
    }

    /// Lets the shop sell again. Sales that were paused by themselves stay paused.
    pub async fn shop_resume(&self, operator: UserId, reason: String) -> Result<ShopState, ActError> {
        self.shop_turn(operator, false, reason).await
    }

    async fn shop_turn(&self, operator: UserId, paused: bool, reason: String) -> Result<ShopState, ActError> {
        check_reason(&reason)?;
        self.owned(move |sales| async move {
            let now = sales.parts().clock.now();
            let (shop, act) = (ShopState { paused, since: now }, if paused { "shop.pause" } else { "shop.resume" });
            let audit = sales.audit(operator, act, &"", json!(null));
            let decided: Decided<(Vec<Offer>, u64)> = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                if sql::sales::shop(conn).await?.paused == paused {
                    return Ok(Err(vec![stands_so(paused)]));
                }
                sql::sales::set_shop(conn, shop).await?;
                let mut offers = Vec::new();
                let live = sql::sales::published_since(conn, now, now).await?;
                for offer in live.into_iter().filter(|offer| offer.sale.state != SaleState::Ended) {
                    let old = &offer.sale;
                    let sale = Sale { held: paused, version: old.version + 1, updated_at: now, ..(**old).clone() };
                    sql::sales::update_state(conn, &sale).await?;
                    sql::outbox::append(conn, &[gate_event(&sale)?], now).await?;
                    offers.push(Offer { sale: Arc::new(sale), ..offer });
                }
                let detail = json!({ "reason": reason, "sales": offers.len() });
                let revision = sql::catalog::record(conn, &Audit { detail, ..audit }).await?;
                Ok(Ok((offers, revision)))
            });
            let (offers, revision) = decided??;
            sales.parts().relay.wake();
            for offer in &offers {
                sales.tell_gate(offer, if paused { Act::Pause } else { Act::Resume }).await;
            }
            sales.announce(&"", revision).await;
            Ok(shop)
        })
        .await
    }
}

fn stands_so(paused: bool) -> Problem {
    let (reason, message) = if paused {
        (Reason::ShopAlreadyPaused, "All sales are stopped already.")
    } else {
        (Reason::ShopNotPaused, "The shop is not stopped.")
    };
    Problem::new(reason, &[], message)
}
