//! What resolvers can reach: the services of the process and the facts of the request.

use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{Context, Result};

use super::error::Code;
use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::config::{Config, Live};
use crate::control::Control;
use crate::hub::StockView;
use crate::kernel::Clock;
use crate::model::accounts::Viewer;
use crate::model::rights::Right;
use crate::model::sales::StockLevel;
use crate::model::snapshot::Offer;
use crate::orders::Orders;
use crate::payments::Payments;
use crate::points::Points;
use crate::sales::Sales;
use crate::settings::HotSettings;

/// The services that resolvers call. One per process, in the schema's data.
pub struct Services {
    /// Time.
    pub clock: Clock,
    /// The configuration that the process began with: for keys that are not hot.
    pub config: Arc<Config>,
    /// The configuration in force.
    pub live: Live,
    /// Settings that operators change while the nodes run.
    pub settings: HotSettings,
    /// Users and their tokens.
    pub accounts: Accounts,
    /// Sessions and sales.
    pub sales: Sales,
    /// Products; may fail while sales still answer.
    pub catalog: Arc<dyn Catalog>,
    /// Live stock.
    pub stock: Arc<dyn StockView>,
    /// Buying.
    pub orders: Orders,
    /// Paying, closing, refunding.
    pub payments: Payments,
    /// Loyalty points.
    pub points: Points,
    /// The shop as its operators look at it.
    pub control: Control,
}

impl Services {
    /// A sale's stock as of now: what the hub has heard, if that is newer than the snapshot.
    pub fn stock(&self, offer: &Offer) -> StockLevel {
        let heard = self.stock.level(offer.sale.id);
        heard.filter(|heard| heard.version > offer.stock.version).unwrap_or(offer.stock)
    }
}

/// Facts of one request, put into its data by the edge.
#[derive(Debug, Clone)]
pub struct RequestInfo {
    /// The signed-in user; `None` if nobody is signed in.
    pub viewer: Option<Viewer>,
    /// The access token it came with, for signing out.
    pub token: Option<String>,
    /// Where it came from.
    pub address: IpAddr,
    /// Its id in the log and in the answer's headers.
    pub request_id: String,
    /// The version that who resumes an event stream has seen.
    pub known_version: Option<u32>,
    /// The proof that the device got at an earlier sign-in.
    pub device: Option<String>,
    /// Where who signs in gets the token.
    pub token_in: TokenIn,
}

/// Where who signs in gets the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenIn {
    /// In the answer.
    #[default]
    Answer,
    /// In a cookie alone, which scripts can't read.
    Cookie,
    /// In a cookie, but where none can be set: on a socket or an event stream.
    Nowhere,
}

/// Where a resolver tells the edge what the device of who was signed in is known by.
pub const DEVICE: &str = "doorbuster-device-token";

/// Where a resolver tells the edge the token of who was signed in, or nothing for who was signed out.
pub const SESSION: &str = "doorbuster-session-token";

/// Shorthands for resolvers.
pub trait ContextExt {
    /// The process's services.
    fn services(&self) -> &Services;
    /// The request's facts.
    fn request(&self) -> &RequestInfo;
    /// The signed-in user.
    fn viewer(&self) -> Option<Viewer>;
    /// The signed-in user, or UNAUTHENTICATED.
    fn require_viewer(&self) -> Result<Viewer>;
    /// The signed-in user if they have this right, or UNAUTHENTICATED or FORBIDDEN.
    fn require(&self, right: Right) -> Result<Viewer>;
    /// Whether the signed-in user has this right.
    fn may(&self, right: Right) -> bool;
}

impl ContextExt for Context<'_> {
    fn services(&self) -> &Services {
        self.data_unchecked::<Arc<Services>>()
    }

    fn request(&self) -> &RequestInfo {
        self.data_unchecked::<RequestInfo>()
    }

    fn viewer(&self) -> Option<Viewer> {
        self.request().viewer
    }

    fn require_viewer(&self) -> Result<Viewer> {
        self.viewer().ok_or_else(|| Code::Unauthenticated.error("Please sign in first."))
    }

    fn require(&self, right: Right) -> Result<Viewer> {
        let viewer = self.require_viewer()?;
        viewer.may(right).map(|()| viewer).map_err(|why| Code::Forbidden.error(why))
    }

    fn may(&self, right: Right) -> bool {
        self.viewer().is_some_and(|viewer| viewer.may(right).is_ok())
    }
}
