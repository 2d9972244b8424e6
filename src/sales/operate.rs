//! Operators' changes. Each is one transaction: the guarded change, its audit row, the event for the gate and, if the
//! stock changes, the event for the hubs. Afterwards the gate is updated immediately if it responds, the snapshot is
//! refreshed and the other nodes are notified. If one of these steps fails, the change is still in effect: the outbox,
//! polling and reconciliation catch up.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::input::{Grounds, STOCK_MAX, SaleChange, SaleInput, SessionInput, StockAdd, units_invalid};
use super::messages::{
    CATALOG_CHANGE, CATALOG_CHANGE_VERSION, CatalogChange, GATE_CHANGE, GATE_CHANGE_VERSION, GateChange,
};
use super::service::Sales;
use super::state::{self, Act};
use crate::broker::envelope;
use crate::catalog::{ActError, Problem, ProductChange, ProductInput, Reason};
use crate::kernel::{AuditId, ProductId, SaleId, SessionId, UserId, next_epoch};
use crate::model::audit::Audit;
use crate::model::catalog::Product;
use crate::model::messages::{Message, NewEvent, Topic};
use crate::model::results::{RESULTS, RESULTS_VERSION, ResultBatch, ResultEvent};
use crate::model::sales::{Sale, Session, StockLevel};
use crate::model::snapshot::Offer;
use crate::pictures::Name;
use crate::store::{self, StoreError};

/// The result of a transaction: the outcome, or a rejection that changed nothing.
pub(super) type Decided<T> = Result<Result<T, Vec<Problem>>, StoreError>;

impl Sales {
    /// Creates a product.
    pub async fn product_create(&self, operator: UserId, input: ProductInput) -> Result<Arc<Product>, ActError> {
        self.owned(move |sales| async move {
            let now = sales.parts().clock.now();
            let product = Arc::new(input.check(ProductId::generate(&sales.parts().clock, &sales.parts().rng), now)?);
            let audit = sales.audit(operator, "product.create", &product.id, product_detail(&product));
            let stored = product.clone();
            let decided: Decided<u64> = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                if let Some(name) = uploaded(&stored)
                    && !sql::pictures::renew(conn, &name, now).await?
                {
                    return Ok(Err(vec![picture_gone()]));
                }
                sql::catalog::insert_product(conn, &stored).await?;
                Ok(Ok(sql::catalog::record(conn, &audit).await?))
            });
            let revision = decided??;
            sales.announce(&product.id, revision).await;
            Ok(product)
        })
        .await
    }

    /// Edits a product. Sales that show it show the edit at once; orders keep the name they were made with.
    pub async fn product_update(
        &self,
        operator: UserId,
        id: ProductId,
        change: ProductChange,
    ) -> Result<Arc<Product>, ActError> {
        self.owned(move |sales| async move {
            let now = sales.parts().clock.now();
            let audit = sales.audit(operator, "product.update", &id, Value::Null);
            let decided: Decided<(Product, u64)> = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                let Some(old) = sql::catalog::find_product(conn, id).await? else {
                    return Ok(Err(vec![not_found(Reason::ProductNotFound)]));
                };
                let product = match change.apply(&old, now) {
                    Ok(product) => product,
                    Err(problems) => return Ok(Err(problems)),
                };
                // One that it no longer shows stays for as long as a new one: pages that are open show it.
                let (before, picture) = (uploaded(&old), uploaded(&product));
                if picture != before {
                    if let Some(name) = before {
                        sql::pictures::renew(conn, &name, now).await?;
                    }
                    if let Some(name) = picture
                        && !sql::pictures::renew(conn, &name, now).await?
                    {
                        return Ok(Err(vec![picture_gone()]));
                    }
                }
                sql::catalog::update_product(conn, &product).await?;
                let audit = Audit { detail: product_detail(&product), ..audit };
                Ok(Ok((product, sql::catalog::record(conn, &audit).await?)))
            });
            let (product, revision) = decided??;
            sales.announce(&id, revision).await;
            Ok(Arc::new(product))
        })
        .await
    }

    /// Creates a session.
    pub async fn session_create(&self, operator: UserId, input: SessionInput) -> Result<Arc<Session>, ActError> {
        self.owned(move |sales| async move {
            let now = sales.parts().clock.now();
            let session = Arc::new(input.check(SessionId::generate(&sales.parts().clock, &sales.parts().rng), now)?);
            let detail = json!({
                "name": session.name, "startsAt": session.starts_at.to_rfc3339(), "endsAt": session.ends_at.to_rfc3339(),
            });
            let audit = sales.audit(operator, "session.create", &session.id, detail);
            let stored = session.clone();
            let revision = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                sql::sales::insert_session(conn, &stored).await?;
                sql::catalog::record(conn, &audit).await
            })?;
            sales.announce(&session.id, revision).await;
            Ok(session)
        })
        .await
    }

    /// Creates a sale, as a draft.
    pub async fn sale_create(&self, operator: UserId, input: SaleInput) -> Result<Offer, ActError> {
        self.owned(move |sales| async move {
            let now = sales.parts().clock.now();
            let id = SaleId::generate(&sales.parts().clock, &sales.parts().rng);
            let audit = sales.audit(operator, "sale.create", &id, Value::Null);
            let decided: Decided<(Offer, u64)> = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                let session = sql::sales::find_session(conn, input.session_id).await?;
                let product = sql::catalog::find_product(conn, input.product_id).await?;
                let mut sale = match input.check(session.is_some(), product.is_some(), id, now) {
                    Ok(sale) => sale,
                    Err(problems) => return Ok(Err(problems)),
                };
                sale.number = sql::sales::next_number(conn).await?;
                sql::sales::insert_sale(conn, &sale).await?;
                let audit = Audit { detail: sale_detail(&sale), ..audit };
                let revision = sql::catalog::record(conn, &audit).await?;
                let offer = sql::sales::find_offer(conn, id, now).await?;
                Ok(offer.map(|offer| (offer, revision)).ok_or_else(|| vec![not_found(Reason::SaleNotFound)]))
            });
            let (offer, revision) = decided??;
            sales.announce(&id, revision).await;
            Ok(offer)
        })
        .await
    }

    /// Edits a draft.
    pub async fn sale_update(&self, operator: UserId, id: SaleId, change: SaleChange) -> Result<Offer, ActError> {
        self.owned(move |sales| async move {
            let now = sales.parts().clock.now();
            let audit = sales.audit(operator, Act::Update.name(), &id, Value::Null);
            let decided: Decided<(Offer, u64)> = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                let Some(Offer { sale: old, .. }) = sql::sales::find_offer(conn, id, now).await? else {
                    return Ok(Err(vec![not_found(Reason::SaleNotFound)]));
                };
                if let Err(reason) = state::after(Act::Update, old.state, false) {
                    return Ok(Err(vec![illegal(reason)]));
                }
                if change.version.is_some_and(|version| version != i64::from(old.version)) {
                    return Ok(Err(vec![stale(old.version)]));
                }
                let input = change.applied_to(&old);
                let session = sql::sales::find_session(conn, input.session_id).await?;
                let product = sql::catalog::find_product(conn, input.product_id).await?;
                let sale = match input.check(session.is_some(), product.is_some(), id, now) {
                    Ok(new) => Sale { number: old.number, version: old.version + 1, created_at: old.created_at, ..new },
                    Err(problems) => return Ok(Err(problems)),
                };
                sql::sales::update_draft(conn, &sale).await?;
                let audit = Audit { detail: sale_detail(&sale), ..audit };
                let revision = sql::catalog::record(conn, &audit).await?;
                let offer = sql::sales::find_offer(conn, id, now).await?;
                Ok(offer.map(|offer| (offer, revision)).ok_or_else(|| vec![not_found(Reason::SaleNotFound)]))
            });
            let (offer, revision) = decided??;
            sales.announce(&id, revision).await;
            Ok(offer)
        })
        .await
    }

    /// Lets a draft sell in its session's window, and begins its first epoch.
    pub async fn sale_publish(&self, operator: UserId, id: SaleId) -> Result<Offer, ActError> {
        self.sale_act(operator, id, Act::Publish, Grounds::default()).await
    }

    /// Stops a sale for now.
    pub async fn sale_pause(&self, operator: UserId, id: SaleId) -> Result<Offer, ActError> {
        self.sale_act(operator, id, Act::Pause, Grounds::default()).await
    }

    /// Lets a paused sale sell again.
    pub async fn sale_resume(&self, operator: UserId, id: SaleId) -> Result<Offer, ActError> {
        self.sale_act(operator, id, Act::Resume, Grounds::default()).await
    }

    /// Stops a sale for good. Orders that exist keep their units and their time to pay.
    pub async fn sale_end(&self, operator: UserId, id: SaleId) -> Result<Offer, ActError> {
        self.sale_act(operator, id, Act::End, Grounds::default()).await
    }

    /// Publishes, pauses, resumes or ends a sale on these grounds.
    pub async fn sale_act(&self, operator: UserId, id: SaleId, act: Act, grounds: Grounds) -> Result<Offer, ActError> {
        self.owned(move |sales| async move {
            let grounds = grounds.check()?;
            let now = sales.parts().clock.now();
            let audit = sales.audit(operator, act.name(), &id, Value::Null);
            let decided: Decided<(Offer, u64)> = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                let Some(offer) = sql::sales::find_offer(conn, id, now).await? else {
                    return Ok(Err(vec![not_found(Reason::SaleNotFound)]));
                };
                let next = match state::after(act, offer.sale.state, offer.session.ends_at <= now) {
                    Ok(next) => next,
                    Err(reason) => return Ok(Err(vec![illegal(reason)])),
                };
                let old = &offer.sale;
                // The version is checked last, so that a retry after a lost response learns that the act was done.
                if grounds.version.is_some_and(|version| version != i64::from(old.version)) {
                    return Ok(Err(vec![stale(old.version)]));
                }
                let version = old.version + 1;
                let epoch = if act == Act::Publish { next_epoch(old.epoch, now) } else { old.epoch };
                let ended_at = (act == Act::End).then_some(now);
                let held = if act == Act::Publish { sql::sales::shop(conn).await?.paused } else { old.held };
                let sale = Sale { state: next, held, epoch, version, updated_at: now, ended_at, ..(**old).clone() };
                sql::sales::update_state(conn, &sale).await?;
                if act != Act::Publish {
                    sql::outbox::append(conn, &[gate_event(&sale)?], now).await?;
                }
                let detail =
                    grounds.with(json!({ "from": old.state.as_str(), "to": next.as_str(), "version": version }));
                let revision = sql::catalog::record(conn, &Audit { detail, ..audit }).await?;
                Ok(Ok((Offer { sale: Arc::new(sale), ..offer }, revision)))
            });
            let (offer, revision) = decided??;
            sales.parts().relay.wake();
            sales.tell_gate(&offer, act).await;
            sales.announce(&id, revision).await;
            Ok(offer)
        })
        .await
    }

    /// Adds units to a published sale, once per idempotency key. A repeated call gets the sale as it now is.
    pub async fn sale_stock_add(&self, operator: UserId, input: StockAdd) -> Result<Offer, ActError> {
        self.sale_stock_add_for(operator, input, Grounds::default()).await
    }

    /// The same on these grounds. The version is not compared: added units stand beside every other change.
    pub async fn sale_stock_add_for(
        &self,
        operator: UserId,
        input: StockAdd,
        grounds: Grounds,
    ) -> Result<Offer, ActError> {
        self.owned(move |sales| async move {
            let grounds = grounds.check()?;
            let now = sales.parts().clock.now();
            let units = input.check()?;
            let StockAdd { sale: id, idempotency_key: key, .. } = input;
            let audit = sales.audit(operator, Act::AddStock.name(), &id, Value::Null);
            // With the revision after the act, or none if the units had been added before.
            let decided: Decided<(Offer, Option<u64>)> = store::write!(&sales.parts().db, |conn| {
                sql::catalog::take_turn(conn).await?;
                let Some(offer) = sql::sales::find_offer(conn, id, now).await? else {
                    return Ok(Err(vec![not_found(Reason::SaleNotFound)]));
                };
                match sql::sales::find_stock_add(conn, id, &key).await? {
                    Some(before) if before == units => return Ok(Ok((offer, None))),
                    Some(_) => return Ok(Err(vec![key_reused()])),
                    None => {}
                }
                if let Err(reason) = state::after(Act::AddStock, offer.sale.state, offer.session.ends_at <= now) {
                    return Ok(Err(vec![illegal(reason)]));
                }
                if i64::from(offer.sale.stock_total) + i64::from(units) > STOCK_MAX {
                    return Ok(Err(vec![units_invalid()]));
                }
                sql::sales::insert_stock_add(conn, id, &key, units, now).await?;
                let (sale, stock) = sql::sales::add_stock(conn, id, offer.sale.version, units, now).await?;
                sql::outbox::append(conn, &[stock_event(stock)?, gate_event(&sale)?], now).await?;
                let detail = grounds.with(json!({ "units": units, "stockTotal": stock.total, "idempotencyKey": key }));
                let revision = sql::catalog::record(conn, &Audit { detail, ..audit }).await?;
                Ok(Ok((Offer { sale: Arc::new(sale), stock, session: offer.session }, Some(revision))))
            });
            let (offer, revision) = decided??;
            if let Some(revision) = revision {
                sales.parts().relay.wake();
                sales.tell_gate(&offer, Act::AddStock).await;
                sales.announce(&id, revision).await;
            }
            Ok(offer)
        })
        .await
    }

    /// Runs an act in a task of its own: once begun it is finished, whether or not somebody still waits for it.
    pub(super) async fn owned<T, F>(&self, act: impl FnOnce(Self) -> F + Send + 'static) -> Result<T, ActError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ActError>> + Send + 'static,
    {
        let sales = self.clone();
        // Boxed, so that acts with the same result are tasks of one type.
        let work: BoxFuture<'static, Result<T, ActError>> = Box::pin(async move {
            let inner = sales.0.clone();
            let _turn = inner.turn.lock().await;
            act(sales).await
        });
        tokio::spawn(work).await.unwrap_or_else(|error| Err(StoreError::internal_by(error).into()))
    }

    pub(super) fn audit(&self, operator: UserId, act: &'static str, subject: &impl ToString, detail: Value) -> Audit {
        let id = AuditId::generate(&self.parts().clock, &self.parts().rng);
        Audit { id, operator, act, subject: subject.to_string(), detail, at: self.parts().clock.now() }
    }

    pub(super) async fn tell_gate(&self, offer: &Offer, act: Act) {
        let terms = offer.terms();
        let told = match act {
            Act::Publish => self.parts().gate.rebuild(terms, Vec::new()).await,
            _ => self.parts().gate.update(terms).await,
        };
        if let Err(error) = told {
            tracing::warn!(%error, sale = %offer.sale.id, act = act.name(), "an operator's change is not delivered to the gate yet");
        }
    }

    pub(super) async fn announce(&self, subject: &impl ToString, revision: u64) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "could not refresh the sale snapshot");
        }
        let subject = subject.to_string();
        let key = Bytes::from(subject.clone());
        let change = CatalogChange { subject, revision };
        let published = match envelope::encode(CATALOG_CHANGE, CATALOG_CHANGE_VERSION, &change) {
            Ok(payload) => {
                let message = Message { key, payload, deliver_at: None };
                self.parts()
                    .broker
                    .publish(Topic::CatalogChanges, vec![message])
                    .await
                    .map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = published {
            tracing::warn!(%error, subject = %change.subject, "could not broadcast a catalog change");
        }
    }
}

pub(super) fn stock_event(stock: StockLevel) -> Result<NewEvent, StoreError> {
    let batch = ResultBatch { events: vec![ResultEvent::Stock(stock)] };
    let payload = envelope::encode(RESULTS, RESULTS_VERSION, &batch);
    let payload = payload.map_err(StoreError::internal_by)?;
    Ok(NewEvent { topic: Topic::PurchaseResults, key: stock.sale.to_string(), payload, deliver_at: None })
}

/// Takes the act to the gate, however long the gate is away. A sale that is being published is in no gate yet: reconciliation opens it
/// there, with the terms of then.
pub(super) fn gate_event(sale: &Sale) -> Result<NewEvent, StoreError> {
    let change = GateChange { sale: sale.id, version: sale.version };
    let payload = envelope::encode(GATE_CHANGE, GATE_CHANGE_VERSION, &change);
    let payload = payload.map_err(StoreError::internal_by)?;
    Ok(NewEvent { topic: Topic::GateChanges, key: sale.id.to_string(), payload, deliver_at: None })
}

fn not_found(reason: Reason) -> Problem {
    match reason {
        Reason::ProductNotFound => Problem::new(reason, &["input", "productId"], "This product does not exist."),
        _ => Problem::new(reason, &["input", "saleId"], "This sale does not exist."),
    }
}

fn illegal(reason: Reason) -> Problem {
    Problem::new(reason, &["input", "saleId"], state::message(reason))
}

fn stale(version: u32) -> Problem {
    let message = format!("The sale has been changed and is now at version {version}. Please reload it.");
    Problem::new(Reason::VersionConflict, &["input", "version"], message)
}

fn key_reused() -> Problem {
    let message = "This idempotency key was already used with another number of units.";
    Problem::new(Reason::IdempotencyKeyReused, &["input", "idempotencyKey"], message)
}

/// Under what the product's picture is stored, if it was uploaded.
fn uploaded(product: &Product) -> Option<String> {
    Some(Name::of_url(product.image_url.as_deref()?)?.stored())
}

fn picture_gone() -> Problem {
    let message =
        "This picture is not stored, or no longer: pictures that no product uses are removed. Please upload it again.";
    Problem::new(Reason::ImageUrlInvalid, &["input", "imageUrl"], message)
}

fn product_detail(product: &Product) -> Value {
    json!({
        "name": product.name, "title": product.title, "description": product.description,
        "imageUrl": product.image_url, "price": product.price.to_string(), "version": product.version,
    })
}

fn sale_detail(sale: &Sale) -> Value {
    json!({
        "sessionId": sale.session_id, "productId": sale.product_id, "price": sale.price.to_string(),
        "pointsPrice": sale.points_price, "stock": sale.stock_total, "limitPerBuyer": sale.limit_per_buyer,
        "payWithinSeconds": sale.pay_within.as_secs(), "returnsOnRefund": sale.returns_on_refund, "version": sale.version,
    })
}
