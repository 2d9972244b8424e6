//! The objects whose types refer to each other. Their fields are in the file of each type, so that no two files know each other.

use std::sync::Arc;

use crate::api::graphql::loaders::ProductLoader;
use crate::control::audit_log::Entry;
use crate::model::snapshot::Offer;
use crate::{accounts, orders, payments, points};

/// A registered user.
#[derive(Clone)]
pub struct User(pub accounts::User);

/// A purchase that was accepted for processing. It ends in exactly one outcome: an order or a refusal.
pub struct PurchaseTicket(pub orders::Ticket);

/// An order: a purchase for which units were available.
#[derive(Clone)]
pub struct Order(pub Arc<orders::Order>);

/// An attempt to pay an order.
#[derive(Clone)]
pub struct Payment(pub payments::Payment);

/// A refund of money or points to the buyer.
#[derive(Clone)]
pub struct Refund(pub payments::Refund);

/// A user's loyalty points.
pub struct PointsAccount(pub points::Account);

/// One product in one session, at a special price and with limited stock.
#[derive(Clone)]
pub struct SaleObject {
    pub(super) offer: Offer,
    pub(super) products: Arc<ProductLoader>,
}

/// An audit log entry: an operator's action, or data that an operator looked up.
#[derive(Clone)]
pub struct AuditEntry(pub Entry);
