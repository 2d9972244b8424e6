//! What the control room lists: products, orders, users, acts, attempts to sign in.

use async_graphql::{Context, ID, InputObject, Object, Result};
use serde_json::json;

use crate::accounts;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, accounts_fault, orders_fault, store_fault};
use crate::api::graphql::types::accounts::{User, UserConnection, UserRole};
use crate::api::graphql::types::audit::{
    AuditEntry, AuditEntryConnection, AuditFilterInput, SignInAttempt, SignInAttemptConnection,
};
use crate::api::graphql::types::catalog::{ProductConnection, ProductObject};
use crate::api::graphql::types::connection::{PageArgs, Position, TextPosition};
use crate::api::graphql::types::orders::{Order, OrderConnection, OrderStatus};
use crate::api::graphql::types::scalars::DateTime;
use crate::control::audit_log::{Entry, Filter};
use crate::kernel::{AuditId, Listed, LoginEventId, Place, ProductId, TicketId};
use crate::model::accounts::Role;
use crate::model::catalog::{Product, ProductPlace};
use crate::model::orders::OrderSearch;
use crate::model::rights::Right;
use crate::orders;

/// Characters of what is searched for at most.
const SEARCH_MAX: usize = 200;

/// A filter of orders. All given conditions must match.
#[derive(InputObject, Default)]
pub struct OrderFilterInput {
    /// The order's number, or its beginning from the whole number of the sale on (`100017`, `100017-1-00`): at least 4 characters.
    pub number: Option<String>,
    /// The buyer's username, or its beginning: at least 3 characters, and so many that at most 100 usernames begin so.
    pub buyer: Option<String>,
    /// Only orders of this sale.
    pub sale_id: Option<ID>,
    /// Only orders with one of these statuses.
    pub statuses: Option<Vec<OrderStatus>>,
    /// Made at or after.
    pub from: Option<DateTime>,
    /// Made before.
    pub until: Option<DateTime>,
}

/// Queries of operators.
#[derive(Default)]
pub struct ControlQuery;

#[Object]
#[allow(clippy::too_many_arguments, reason = "the public fields have these arguments")]
impl ControlQuery {
    /// Operators and observers: products, by name.
    async fn products(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "In the name or the title, in any case; all when absent.")] search: Option<String>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<ProductConnection> {
        ctx.require(Right::SeeShop)?;
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check_text(&services.config.graphql)?;
        let place = |at: &TextPosition| ProductPlace { name: at.text.clone(), id: ProductId::from_bytes(at.id) };
        let wanted = request.wanted(ctx, place);
        let listed = services.sales.list_products(searchable("search", search)?, wanted).await;
        let cursor =
            |product: &Product| TextPosition { text: product.name.clone(), id: product.id.to_bytes() }.encode();
        let listed = listed.map_err(|error| store_fault(&error))?;
        Ok(ProductConnection(request.page(listed, cursor, |product| ProductObject(product.into()))))
    }

    /// Staff: orders, newest first. Looking is audited.
    async fn orders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for; all orders when absent.")] filter: Option<OrderFilterInput>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<OrderConnection> {
        let operator = ctx.require(Right::SeeBuyers)?;
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check::<28>(&services.config.graphql)?;
        let wanted = request.wanted(ctx, |place| Place { at: place.at, id: TicketId::from_bytes(place.id) });
        let filter = filter.unwrap_or_default();
        let detail = order_detail(&filter);
        let search = order_search(filter)?;
        let audited = services.payments.audit_search(operator.id, "order.list", String::new(), detail).await;
        audited.map_err(|error| orders_fault(&error))?;
        let found = match search {
            Some(search) => services.orders.search(search, wanted).await.map_err(|error| orders_fault(&error))?,
            None => Ok(Listed::none()),
        };
        match found {
            Ok(listed) => Ok(OrderConnection(request.page(listed, order_cursor, shown))),
            Err(refusal) => Err(Code::BadUserInput.error(refusal.message())),
        }
    }

    /// Staff: users, by username. Looking is audited.
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The beginning of the username, or the whole display name, in any case; all when absent.")]
        search: Option<String>,
        #[graphql(desc = "Only these.")] roles: Option<Vec<UserRole>>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<UserConnection> {
        let operator = ctx.require(Right::SeeBuyers)?;
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check_text(&services.config.graphql)?;
        let wanted = request.wanted(ctx, |place| place.text.clone());
        let search = searchable("search", search)?;
        let detail = json!({ "search": search });
        let audited = services.payments.audit_search(operator.id, "user.list", String::new(), detail).await;
        audited.map_err(|error| orders_fault(&error))?;
        let roles = roles.map_or(Role::ALL.to_vec(), |roles| roles.into_iter().map(Into::into).collect());
        let listed = services.accounts.list_users(search, roles, wanted).await;
        let cursor =
            |user: &accounts::User| TextPosition { text: user.username.clone(), id: user.id.to_bytes() }.encode();
        Ok(UserConnection(request.page(listed.map_err(|error| accounts_fault(&error))?, cursor, User)))
    }

    /// Operators and observers: what staff did and looked at, newest first.
    async fn audit_entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for; everything when absent.")] filter: Option<AuditFilterInput>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<AuditEntryConnection> {
        ctx.require(Right::SeeShop)?;
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check::<16>(&services.config.graphql)?;
        let wanted = request.wanted(ctx, |place| Place { at: place.at, id: AuditId::from_bytes(place.id) });
        let AuditFilterInput { operator, act, subject, from, until } = filter.unwrap_or_default();
        let operator = searchable("operator", operator)?;
        let filter = Filter {
            operator: None,
            act: searchable("act", act)?,
            subject: searchable("subject", subject.map(|subject| subject.0))?,
            from: from.map(|moment| moment.0),
            until: until.map(|moment| moment.0),
        };
        let listed = services.control.audit_entries(operator, filter, wanted).await;
        let cursor = |entry: &Entry| Position { at: entry.at, id: entry.id.to_bytes() }.encode();
        Ok(AuditEntryConnection(request.page(listed.map_err(|error| store_fault(&error))?, cursor, AuditEntry)))
    }

    /// Staff: attempts to sign in, newest first. Looking is audited.
    async fn sign_in_attempts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only of this username.")] username: Option<String>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<SignInAttemptConnection> {
        let operator = ctx.require(Right::SeeBuyers)?;
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check::<16>(&services.config.graphql)?;
        let wanted = request.wanted(ctx, |place| Place { at: place.at, id: LoginEventId::from_bytes(place.id) });
        let username = searchable("username", username)?;
        let detail = json!({ "username": username });
        let audited = services.payments.audit_search(operator.id, "sign_in.list", String::new(), detail).await;
        audited.map_err(|error| orders_fault(&error))?;
        let listed = services.accounts.sign_in_attempts(username, wanted).await;
        let cursor =
            |attempt: &accounts::SignInAttempt| Position { at: attempt.at, id: attempt.id.to_bytes() }.encode();
        let listed = listed.map_err(|error| accounts_fault(&error))?;
        Ok(SignInAttemptConnection(request.page(listed, cursor, SignInAttempt)))
    }
}

/// What is looked for, without the space around it; `None` when that is nothing.
fn searchable(name: &str, text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.chars().count() > SEARCH_MAX || text.chars().any(char::is_control) {
        let message = format!("`{name}` must be at most {SEARCH_MAX} characters on one line.");
        return Err(Code::BadUserInput.error(message));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn order_cursor(order: &orders::Order) -> String {
    Position { at: order.created_at, id: order.ticket.to_bytes() }.encode()
}

fn shown(order: orders::Order) -> Order {
    Order(order.into())
}

/// The search; `None` when no order can be meant.
fn order_search(filter: OrderFilterInput) -> Result<Option<OrderSearch>> {
    let sale = match filter.sale_id.map(|id| id.parse()) {
        None => None,
        Some(Ok(sale)) => Some(sale),
        Some(Err(_)) => return Ok(None),
    };
    // Each once, however often it is named.
    let named = |status: &OrderStatus| filter.statuses.as_ref().is_none_or(|named| named.contains(status));
    let states = OrderStatus::ALL.into_iter().filter(named).map(OrderStatus::state).collect();
    Ok(Some(OrderSearch {
        number: searchable("number", filter.number)?,
        buyer: searchable("buyer", filter.buyer)?,
        sale,
        states,
        from: filter.from.map(|moment| moment.0),
        until: filter.until.map(|moment| moment.0),
    }))
}

/// What was looked for, for the audit log.
fn order_detail(filter: &OrderFilterInput) -> serde_json::Value {
    json!({
        "number": filter.number, "buyer": filter.buyer, "saleId": filter.sale_id.as_ref().map(|id| id.as_str()),
        "from": filter.from.map(|moment| moment.0.to_rfc3339()), "until": filter.until.map(|moment| moment.0.to_rfc3339()),
    })
}
