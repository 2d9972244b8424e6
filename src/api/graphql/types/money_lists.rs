//! Lists of payments and refunds, for operators.

use async_graphql::{Context, Result, SimpleObject};
use data_encoding::BASE64URL_NOPAD;

use super::connection::{Page, PageArgs, PageRequest, Position, connection};
use super::payments::{PaymentMethod, PaymentRecord, PaymentRefundCause, PaymentStatus, RefundRecord, RefundStatus};
use super::scalars::{DateTime, PageInfo};
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, accounts_fault, orders_fault};
use crate::kernel::Timestamp;
use crate::model::lists::{MoneyKey, MoneyList, MoneyPage, PaymentFilter, RefundFilter};
use crate::payments::{Method, PaymentState, RefundCause, RefundState};

connection! {
    /// A page of payments, newest first. `totalCount` is at most 1000.
    PaymentRecordConnection, PaymentRecordEdge, PaymentRecord
}

connection! {
    /// A page of refunds, newest first. `totalCount` is at most 1000.
    RefundRecordConnection, RefundRecordEdge, RefundRecord
}

/// A page of payments and refunds that need an operator's attention.
#[derive(SimpleObject)]
pub struct StuckPayments {
    /// Flagged payments, and payments whose outcome has been unknown for too long, oldest first.
    pub payments: Vec<PaymentRecord>,
    /// Refunds that have been pending for too long, oldest first.
    pub refunds: Vec<RefundRecord>,
    /// The position of this page. Pass `endCursor` as `after` to get the next page of both lists.
    pub page_info: PageInfo,
}

/// The time range of a list.
#[derive(Clone, Copy, Default)]
pub struct Within {
    /// At this time or later.
    pub from: Option<DateTime>,
    /// Before this time.
    pub until: Option<DateTime>,
}

/// The filters of a query for payments. An absent filter does not restrict the list.
#[derive(Default)]
pub struct PaymentsWanted {
    /// Their statuses.
    pub statuses: Option<Vec<PaymentStatus>>,
    /// Their methods.
    pub methods: Option<Vec<PaymentMethod>>,
    /// Whether they have a flag.
    pub flagged: Option<bool>,
    /// The buyer's username.
    pub buyer: Option<String>,
    /// When they were started.
    pub within: Within,
}

/// A page of payments.
pub async fn list_payments(
    ctx: &Context<'_>,
    wanted: PaymentsWanted,
    args: &PageArgs,
) -> Result<PaymentRecordConnection> {
    let services = ctx.services();
    let request = args.check::<16>(&services.config.graphql)?;
    let buyer = match &wanted.buyer {
        None => None,
        Some(name) => {
            let named = services.accounts.user_named(name).await.map_err(|error| accounts_fault(&error))?;
            // An unknown user has no payments.
            let Some(user) = named else { return Ok(PaymentRecordConnection(nothing(&request))) };
            Some(user.id)
        }
    };
    let states = wanted.statuses.map(|all| all.into_iter().map(Into::into).collect());
    let methods = wanted.methods.map(|all| all.into_iter().map(Into::into).collect());
    let filter = PaymentFilter {
        states: states.unwrap_or_else(|| PaymentState::ALL.to_vec()),
        methods: methods.unwrap_or_else(|| Method::ALL.to_vec()),
        flagged: wanted.flagged,
        buyer,
    };
    let page = page(&request, wanted.within);
    let listed = services.payments.list_payments(filter.clone(), page.clone()).await;
    let listed = listed.map_err(|error| orders_fault(&error))?;
    let total = if counts(ctx) { services.payments.count_payments(filter, page).await } else { Ok(0) };
    let total = total.map_err(|error| orders_fault(&error))?;
    Ok(PaymentRecordConnection(as_page(&request, listed, total, MoneyKey::of_payment).map(PaymentRecord)))
}

/// A page of refunds.
pub async fn list_refunds(
    ctx: &Context<'_>,
    statuses: Option<Vec<RefundStatus>>,
    causes: Option<Vec<PaymentRefundCause>>,
    within: Within,
    args: &PageArgs,
) -> Result<RefundRecordConnection> {
    let services = ctx.services();
    let request = args.check::<16>(&services.config.graphql)?;
    let stands = |state: RefundState| statuses.as_ref().is_none_or(|all| all.contains(&state.into()));
    let causes = causes.map(|all| all.into_iter().map(Into::into).collect());
    let filter = RefundFilter {
        states: RefundState::ALL.iter().copied().filter(|state| stands(*state)).collect(),
        causes: causes.unwrap_or_else(|| RefundCause::ALL.to_vec()),
    };
    let page = page(&request, within);
    let listed = services.payments.list_refunds(filter.clone(), page.clone()).await;
    let listed = listed.map_err(|error| orders_fault(&error))?;
    let total = if counts(ctx) { services.payments.count_refunds(filter, page).await } else { Ok(0) };
    let total = total.map_err(|error| orders_fault(&error))?;
    Ok(RefundRecordConnection(as_page(&request, listed, total, MoneyKey::of_refund).map(RefundRecord)))
}

/// Payments and refunds that need an operator's attention: the first `first` of each after the cursor `after`.
pub async fn list_stuck(ctx: &Context<'_>, first: Option<i32>, after: Option<&str>) -> Result<StuckPayments> {
    let services = ctx.services();
    let limits = &services.config.graphql;
    let first = first.map_or(limits.page_default, |first| first.max(0) as usize).min(limits.page_max);
    let place = match after {
        None => Place { payment: MoneyKey::START, refund: MoneyKey::START },
        Some(cursor) => {
            Place::decode(cursor).ok_or_else(|| Code::BadUserInput.error("`after` is not a cursor of this list."))?
        }
    };
    let stuck =
        services.payments.stuck(place.payment, place.refund, first).await.map_err(|error| orders_fault(&error))?;
    let end = Place {
        payment: stuck.payments.last().map_or(place.payment, MoneyKey::of_payment),
        refund: stuck.refunds.last().map_or(place.refund, MoneyKey::of_refund),
    };
    let is_empty = stuck.payments.is_empty() && stuck.refunds.is_empty();
    Ok(StuckPayments {
        payments: stuck.payments.into_iter().map(PaymentRecord).collect(),
        refunds: stuck.refunds.into_iter().map(RefundRecord).collect(),
        page_info: PageInfo {
            has_previous_page: after.is_some(),
            has_next_page: stuck.more,
            start_cursor: None,
            end_cursor: (!is_empty).then(|| end.encode()),
        },
    })
}

/// A place in two lists at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    payment: MoneyKey,
    refund: MoneyKey,
}

impl Place {
    fn encode(self) -> String {
        let Self { payment, refund } = self;
        let parts = [payment, refund].map(|key| [&key.at.as_millis().to_be_bytes()[..], &key.id].concat());
        BASE64URL_NOPAD.encode(&parts.concat())
    }

    fn decode(cursor: &str) -> Option<Self> {
        let bytes = BASE64URL_NOPAD.decode(cursor.as_bytes()).ok()?;
        let (payment, refund) = bytes.split_at_checked(24)?;
        let key = |bytes: &[u8]| {
            let (at, id) = bytes.split_first_chunk::<8>()?;
            Some(MoneyKey { at: Timestamp::from_millis(i64::from_be_bytes(*at)), id: id.try_into().ok()? })
        };
        Some(Self { payment: key(payment)?, refund: key(refund)? })
    }
}

fn page(request: &PageRequest<Position<16>>, within: Within) -> MoneyPage {
    let key = |position: Position<16>| MoneyKey { at: position.at, id: position.id };
    MoneyPage {
        from: within.from.map(|at| at.0),
        until: within.until.map(|at| at.0),
        after: request.after.map(key),
        before: request.before.map(key),
        limit: request.size,
        from_end: request.from_end,
    }
}

/// Whether the query selects the total. Otherwise it is not counted.
fn counts(ctx: &Context<'_>) -> bool {
    ctx.look_ahead().field("totalCount").exists()
}

fn nothing<T>(request: &PageRequest<Position<16>>) -> Page<T> {
    let list = MoneyList { items: Vec::new(), more: false };
    as_page(request, list, 0, |_| MoneyKey::START)
}

fn as_page<T>(
    request: &PageRequest<Position<16>>,
    list: MoneyList<T>,
    total: usize,
    key: impl Fn(&T) -> MoneyKey,
) -> Page<T> {
    let cursor = |item: &T| {
        let MoneyKey { at, id } = key(item);
        Position { at, id }.encode()
    };
    Page {
        edges: list.items.into_iter().map(|item| (cursor(&item), item)).collect(),
        has_previous: if request.from_end { list.more } else { request.after.is_some() },
        has_next: if request.from_end { request.before.is_some() } else { list.more },
        total,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_in_both_lists() {
        let key = |at: i64, id: u8| MoneyKey { at: Timestamp::from_millis(at), id: [id; 16] };
        for place in [(key(1, 2), key(3, 4)), (MoneyKey::START, key(i64::MAX, 255)), (key(-1, 0), MoneyKey::START)] {
            let place = Place { payment: place.0, refund: place.1 };
            assert_eq!(Place::decode(&place.encode()), Some(place));
        }
        let whole = Place { payment: key(1, 2), refund: key(3, 4) }.encode();
        for cursor in ["", "x", "====", "AAAA", &whole[1..], &format!("{whole}AAAA")] {
            assert_eq!(Place::decode(cursor), None, "{cursor}");
        }
    }
}
