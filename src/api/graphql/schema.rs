//! The schema, put together from the slices' parts.

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, Schema, ValidationMode};

use super::context::Services;
use super::mutation::accounts::AccountsMutation;
use super::mutation::catalog::CatalogMutation;
use super::mutation::failures::FailuresMutation;
use super::mutation::looked_at::LookedAtMutation;
use super::mutation::orders::OrdersMutation;
use super::mutation::payments::PaymentsMutation;
use super::mutation::points::PointsMutation;
use super::mutation::sale_acts::SaleActsMutation;
use super::mutation::sales::SalesMutation;
use super::mutation::second_factor::SecondFactorMutation;
use super::mutation::settings::SettingsMutation;
use super::mutation::shop::ShopMutation;
use super::mutation::user_errors::UserError;
use super::query::accounts::AccountsQuery;
use super::query::control::ControlQuery;
use super::query::edits::EditsQuery;
use super::query::node::{Node, NodeQuery};
use super::query::nodes::NodesQuery;
use super::query::orders::OrdersQuery;
use super::query::payments::PaymentsQuery;
use super::query::pulse::PulseQuery;
use super::query::reports::ReportQuery;
use super::query::sales::SalesQuery;
use super::query::settings::SettingsQuery;
use super::subscription::orders::OrdersSubscription;
use super::subscription::pulse::PulseSubscription;
use super::subscription::sales::SalesSubscription;
use super::subscription::settings::SettingsSubscription;

/// All queries.
#[derive(MergedObject, Default)]
pub struct Query(
    NodeQuery,
    SalesQuery,
    AccountsQuery,
    OrdersQuery,
    PaymentsQuery,
    ControlQuery,
    NodesQuery,
    SettingsQuery,
    EditsQuery,
    PulseQuery,
    ReportQuery,
);

/// All mutations.
#[derive(MergedObject, Default)]
pub struct Mutation(
    AccountsMutation,
    SecondFactorMutation,
    OrdersMutation,
    PaymentsMutation,
    LookedAtMutation,
    FailuresMutation,
    CatalogMutation,
    SalesMutation,
    SaleActsMutation,
    ShopMutation,
    SettingsMutation,
    PointsMutation,
);

/// All subscriptions.
#[derive(MergedSubscription, Default)]
pub struct Subscription(OrdersSubscription, SalesSubscription, SettingsSubscription, PulseSubscription);

/// Selections in each other that the executor follows: more than a document within the limits can have.
const RECURSION_MAX: usize = 512;

/// The schema's type.
pub type ShopSchema = Schema<Query, Mutation, Subscription>;

/// Subscription fields whose answers are the same for everyone.
pub const SHARED_FIELDS: &[&str] = &["saleStockChanged", "shopPulse", "salePulse"];

/// Those among them that are for operators.
pub const OPERATORS_FIELDS: &[&str] = &["shopPulse", "salePulse"];

/// Root fields of which a request may have one, once: each is a purchase and is limited as one.
pub const ONCE_FIELDS: &[&str] = &["salePurchase"];

/// The schema over these services.
pub fn build(services: Arc<Services>) -> ShopSchema {
    builder().data(services).finish()
}

/// The schema's definition in SDL, sorted, with every description.
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items();
    let sdl = builder().finish().sdl_with_options(options.include_specified_by());
    format!("{}\n", sdl.trim_end())
}

fn builder() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        // The edge has validated what it lets through, and more strictly.
        .validation_mode(ValidationMode::Fast)
        .limit_recursive_depth(RECURSION_MAX)
        .register_output_type::<Node>()
        .register_output_type::<UserError>()
}
