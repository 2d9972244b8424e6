//! What operators list and search.

use diesel_async::AsyncConnection as _;
use doorbuster::control::audit_log::Filter;
use doorbuster::kernel::{AuditId, LoginEventId, Place, TicketId, Timestamp, Wanted};
use doorbuster::model::accounts::Role;
use doorbuster::model::catalog::ProductPlace;
use doorbuster::model::orders::Among;
use doorbuster::model::orders::{OrderSearch, OrderState};
use doorbuster::store::{Database, StoreError};

use super::super::super::{NOW, on};
use super::super::capture::Recorder;
use super::super::data;
use super::{EARLIER, Page, pages};

const STATES: [OrderState; 3] = [OrderState::Paid, OrderState::Expired, OrderState::Refunding];

/// The same page of a list that is counted.
fn wanted<K>(page: Page<K>) -> Wanted<K> {
    let Page { after, before, from_end } = page;
    Wanted { after, before, limit: 10, from_end, count: true }
}

pub async fn all(db: &Database, recorder: &Recorder) {
    acts(db, recorder).await;
    people(db, recorder).await;
    products(db, recorder).await;
    orders(db, recorder).await;
}

async fn acts(db: &Database, recorder: &Recorder) {
    let entry = |n: u64| AuditId::from_bytes(u128::from(n).to_be_bytes());
    let (operator, act, subject) = (Some(data::user(0)), Some("sale.".to_owned()), Some("sale-7".to_owned()));
    let none = Filter::default();
    let filters = [
        none.clone(),
        Filter { operator, ..none.clone() },
        Filter { act: act.clone(), ..none.clone() },
        Filter { operator, act: act.clone(), ..none.clone() },
        Filter { subject: subject.clone(), ..none.clone() },
        Filter { from: Some(EARLIER), until: Some(NOW), ..none },
        Filter { operator, act, subject, from: Some(EARLIER), until: Some(NOW) },
    ];
    for filter in filters {
        let place = |n: u64| Place { at: Timestamp::from_millis(NOW.as_millis() - n as i64), id: entry(n) };
        for page in pages(place) {
            let (filter, page) = (filter.clone(), wanted(page));
            recorded!(db, recorder, |conn| {
                sql::acts::list(conn, &filter, &page);
                sql::acts::find(conn, AuditId::from_bytes([0; 16]));
            });
        }
    }
}

async fn people(db: &Database, recorder: &Recorder) {
    for search in [None, Some("user-7"), Some("user")] {
        for page in pages(|n| format!("user-{n}")) {
            let (page, roles) = (wanted(page), [Role::Buyer, Role::Operator]);
            recorded!(db, recorder, |conn| {
                sql::people::list(conn, search, &roles, &page);
                sql::people::named(conn, "user-7", 101);
            });
        }
    }
    for username in [None, Some("user")] {
        let place = |n: u64| Place { at: NOW, id: LoginEventId::from_bytes(u128::from(n).to_be_bytes()) };
        for page in pages(place) {
            let page = wanted(page);
            recorded!(db, recorder, |conn| {
                sql::people::attempts(conn, username, &page);
            });
        }
    }
}

async fn products(db: &Database, recorder: &Recorder) {
    for search in [None, Some("amp")] {
        for page in pages(|n| ProductPlace { name: "Lamp".into(), id: data::product(n) }) {
            let page = wanted(page);
            recorded!(db, recorder, |conn| {
                sql::catalog::list_products(conn, search, &page);
            });
        }
    }
}

async fn orders(db: &Database, recorder: &Recorder) {
    let (sale, buyers) = (data::sale(3), vec![data::buyer(3), data::buyer(7)]);
    let whole = (TicketId { sale, epoch: 0, seq: 0 }, TicketId { sale, epoch: 9, seq: 0 });
    let some = (TicketId { sale, epoch: 1, seq: 10 }, TicketId { sale, epoch: 1, seq: 19 });
    let all = OrderSearch { states: STATES.to_vec(), ..OrderSearch::default() };
    let searches = [
        (Among::All, all.clone()),
        (Among::All, OrderSearch { from: Some(EARLIER), until: Some(NOW), ..all.clone() }),
        (Among::Buyers(buyers.clone()), all.clone()),
        (Among::Ids(vec![whole], None), all.clone()),
        (Among::Ids(vec![some], Some(buyers)), OrderSearch { from: Some(EARLIER), until: Some(NOW), ..all }),
    ];
    for (among, search) in searches {
        for page in pages(|n| Place { at: data::created(n), id: data::ticket(n) }) {
            let (among, search, page) = (among.clone(), search.clone(), wanted(page));
            recorded!(db, recorder, |conn| {
                sql::order_search::list(conn, &among, &search, &page);
            });
        }
    }
}
