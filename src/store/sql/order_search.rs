//! Orders of all buyers, for operators.

use diesel::sql_types::Binary;
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods, QueryDsl, SelectableHelper as _, TextExpressionMethods as _,
};
use diesel_async::RunQueryDsl;

use super::super::Conn;
use super::super::schema::orders;
use super::orders::Row;
use super::{newest_first, planned_each_time};
use crate::kernel::{Listed, Place, TicketId, UserId, Wanted};
use crate::model::orders::{Among, Order, OrderSearch, OrderState};
use crate::store::StoreError;

/// The orders in one state, through the index that has them in their order.
macro_rules! in_state {
    ($query:expr, $state:expr) => {
        $query.filter(planned_each_time()).filter(orders::status.eq($state.as_str()))
    };
}

/// The orders in any of the states. Not through the index of states: who looks here knows a shorter way.
macro_rules! in_states {
    ($query:expr, $search:expr) => {{
        let states: Vec<&'static str> = $search.states.iter().map(|state: &OrderState| state.as_str()).collect();
        $query.filter(planned_each_time()).filter(orders::status.concat("").eq_any(states))
    }};
}

/// Narrows a boxed query to the time that is searched.
macro_rules! in_time {
    ($query:expr, $search:expr) => {{
        let mut query = $query;
        if let Some(from) = $search.from {
            query = query.filter(orders::created_at.ge(from));
        }
        if let Some(until) = $search.until {
            query = query.filter(orders::created_at.lt(until));
        }
        query
    }};
}

/// A page of a boxed query, the newest first.
macro_rules! page {
    ($query:expr, $search:expr, $wanted:expr) => {
        newest_first!(
            $query,
            $wanted,
            $search.from,
            $search.until,
            orders::created_at,
            orders::id,
            ("orders.created_at, orders.id", Binary)
        )
    };
}

/// A page of the orders that are looked for, the newest first.
pub async fn list(
    conn: &mut Conn,
    among: &Among,
    search: &OrderSearch,
    wanted: &Wanted<Place<TicketId>>,
) -> Result<Listed<Order>, StoreError> {
    let (mut read, mut total): (Vec<Row>, i64) = (Vec::new(), 0);
    match among {
        // Of each state the index has its orders in their order.
        Among::All => {
            for state in &search.states {
                let query = in_state!(orders::table.select(Row::as_select()).into_boxed(), state);
                let found = page!(query, search, wanted);
                read.extend(found.load::<Row>(conn).await?);
                if wanted.count {
                    total += count_all(conn, search, *state).await?;
                }
            }
        }
        Among::Buyers(buyers) => {
            let query = in_states!(orders::table.select(Row::as_select()).into_boxed(), search);
            let query = query.filter(orders::buyer_id.eq_any(buyers.clone()));
            let found = page!(query, search, wanted);
            read.extend(found.load::<Row>(conn).await?);
            if wanted.count {
                let query = in_time!(in_states!(orders::table.count().into_boxed(), search), search);
                total = query.filter(orders::buyer_id.eq_any(buyers.clone())).get_result(conn).await?;
            }
        }
        Among::Ids(ranges, buyers) => {
            let mut ranges = ranges.clone();
            if wanted.from_end {
                ranges.reverse();
            }
            for (low, high) in ranges {
                if read.len() < wanted.read() {
                    read.extend(in_range(conn, (low, high), buyers.as_deref(), search, wanted).await?);
                }
                if wanted.count {
                    total += count_in_range(conn, (low, high), buyers.as_deref(), search).await?;
                }
            }
        }
    }
    let orders = read.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    let newest_first = |a: &Order, b: &Order| match among {
        Among::Ids(..) => b.ticket.cmp(&a.ticket),
        _ => (b.created_at, b.ticket).cmp(&(a.created_at, a.ticket)),
    };
    Ok(Listed::merged(orders, wanted, total as usize, newest_first))
}

/// Those of a range of ids, which is a part of one sale: by id, which is by time.
async fn in_range(
    conn: &mut Conn,
    (low, high): (TicketId, TicketId),
    buyers: Option<&[UserId]>,
    search: &OrderSearch,
    wanted: &Wanted<Place<TicketId>>,
) -> Result<Vec<Row>, StoreError> {
    let query = in_time!(in_states!(orders::table.select(Row::as_select()).into_boxed(), search), search);
    let mut query = query.filter(orders::id.ge(low).and(orders::id.le(high))).limit(wanted.read() as i64);
    if let Some(buyers) = buyers {
        query = query.filter(orders::buyer_id.eq_any(buyers.to_vec()));
    }
    if let Some(place) = wanted.after {
        query = query.filter(orders::id.lt(place.id));
    }
    if let Some(place) = wanted.before {
        query = query.filter(orders::id.gt(place.id));
    }
    query = if wanted.from_end { query.order(orders::id.asc()) } else { query.order(orders::id.desc()) };
    Ok(query.load(conn).await?)
}

async fn count_all(conn: &mut Conn, search: &OrderSearch, state: OrderState) -> Result<i64, StoreError> {
    Ok(in_time!(in_state!(orders::table.count().into_boxed(), state), search).get_result(conn).await?)
}

async fn count_in_range(
    conn: &mut Conn,
    (low, high): (TicketId, TicketId),
    buyers: Option<&[UserId]>,
    search: &OrderSearch,
) -> Result<i64, StoreError> {
    let query = in_time!(in_states!(orders::table.count().into_boxed(), search), search);
    let mut query = query.filter(orders::id.ge(low).and(orders::id.le(high)));
    if let Some(buyers) = buyers {
        query = query.filter(orders::buyer_id.eq_any(buyers.to_vec()));
    }
    Ok(query.get_result(conn).await?)
}
