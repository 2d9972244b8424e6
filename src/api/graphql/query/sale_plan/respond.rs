//! Reads the requested sales and sessions, and writes the response.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Error, PathSegment, Pos, Response, ServerError, Value};
use futures_util::future::join_all;

use super::fields::{SaleAt, SaleField, SessionAt};
use super::{Asked, EdgeField, Form, ListField, PageField, Root, Within, sees_drafts};
use crate::api::graphql::context::Services;
use crate::api::graphql::edge::execution::shortcut::Planned;
use crate::api::graphql::error::orders_fault;
use crate::api::graphql::loaders::not_shown;
use crate::api::graphql::plans::{
    Wanted, Writes, write_fields, write_key, write_name, write_null, write_object, write_option, write_plain,
    write_quoted,
};
use crate::api::graphql::types::connection::{Page, PageRequest, Position};
use crate::api::graphql::types::orders::PurchaseTicket;
use crate::api::graphql::types::sales::{SaleSessionObject, SaleStatus, status};
use crate::catalog::CatalogError;
use crate::kernel::{ProductId, SaleId, Timestamp};
use crate::model::accounts::Viewer;
use crate::model::catalog::Product;
use crate::model::snapshot::Offer;
use crate::orders::OrdersError;

/// Room for most pages of twenty sales.
const CAPACITY: usize = 16 * 1024;

/// What was read for a root field.
enum Found {
    Nothing,
    Sale(Option<SaleAt>),
    Sales(Page<SaleAt>),
    Sessions(Page<SessionAt>),
}

/// What the sales of a response need besides themselves. Each is read once.
#[derive(Default)]
struct Beside {
    products: HashMap<ProductId, Arc<Product>>,
    no_products: Option<CatalogError>,
    tickets: HashMap<SaleId, Result<Option<PurchaseTicket>, OrdersError>>,
}

/// The response, as far as it is written.
struct Writing<'a> {
    services: &'a Services,
    now: Timestamp,
    beside: &'a Beside,
    body: Vec<u8>,
    path: Vec<PathSegment>,
    faults: Vec<ServerError>,
}

impl Form {
    pub(super) async fn respond(&self, services: &Services, viewer: Option<Viewer>, asked: &[Asked]) -> Planned {
        let now = services.clock.now();
        let find = |asked| find(services, viewer, now, asked);
        let found: Vec<Found> = asked.iter().map(find).collect();
        let beside = self.beside(services, viewer, &found).await;
        let (body, path, faults) = (Vec::with_capacity(CAPACITY), Vec::new(), Vec::new());
        let mut writing = Writing { services, now, beside: &beside, body, path, faults };
        writing.body.extend_from_slice(b"{\"data\":{");
        for (index, ((key, root), found)) in self.roots.iter().zip(&found).enumerate() {
            if index > 0 {
                writing.body.push(b',');
            }
            write_key(key, &mut writing.body);
            writing.path.push(PathSegment::Field(key.to_string()));
            writing.root(root, found);
            writing.path.pop();
        }
        writing.body.extend_from_slice(b"}}");
        writing.end()
    }

    async fn beside(&self, services: &Services, viewer: Option<Viewer>, found: &[Found]) -> Beside {
        let mut beside = Beside::default();
        let (mut products, mut sales) = (Vec::new(), Vec::new());
        for ((_, root), found) in self.roots.iter().zip(found) {
            let below = found.sales();
            if root.sale_fields().any(SaleField::needs_product) {
                products.extend(below.iter().map(|sale| sale.offer.sale.product_id));
            }
            if root.sale_fields().any(SaleField::needs_ticket) {
                sales.extend(below.iter().map(|sale| sale.offer.sale.id));
            }
        }
        products.sort_unstable();
        products.dedup();
        if !products.is_empty() {
            match services.catalog.find_many(&products).await {
                Ok(found) => beside.products = found,
                Err(error) => {
                    tracing::warn!(%error, products = products.len(), "could not load products");
                    beside.no_products = Some(error);
                }
            }
        }
        if let Some(viewer) = viewer {
            sales.sort_unstable();
            sales.dedup();
            let tickets = sales.iter().map(async |sale| {
                let ticket = services.orders.ticket_in_sale(viewer.id, *sale).await;
                (*sale, ticket.map(|ticket| ticket.map(PurchaseTicket)))
            });
            beside.tickets = join_all(tickets).await.into_iter().collect();
        }
        beside
    }
}

impl Found {
    fn sales(&self) -> Vec<&SaleAt> {
        match self {
            Self::Nothing | Self::Sessions(_) | Self::Sale(None) => Vec::new(),
            Self::Sale(Some(sale)) => vec![sale],
            Self::Sales(page) => page.edges.iter().map(|(_, sale)| sale).collect(),
        }
    }
}

fn find(services: &Services, viewer: Option<Viewer>, now: Timestamp, asked: &Asked) -> Found {
    let snapshot = services.sales.snapshot();
    let visible = |offer: &Offer| sees_drafts(viewer) || !offer.is_draft();
    let at = |offer: &Offer| {
        let (stock, status) = (services.stock(offer), status(services, offer).into());
        SaleAt { offer: offer.clone(), stock, status, now }
    };
    match asked {
        Asked::Nothing => Found::Nothing,
        Asked::Sale(id) => Found::Sale(id.and_then(|id| snapshot.offer(id)).filter(|offer| visible(offer)).map(at)),
        Asked::Sales { within, statuses, page } => {
            let offers = offers_of(&snapshot, *within);
            let wanted = |offer: &&Offer| {
                let is_one_of = |statuses: &Vec<SaleStatus>| statuses.contains(&status(services, offer).into());
                visible(offer) && statuses.as_ref().is_none_or(is_one_of)
            };
            let listed: Vec<&Offer> = offers.iter().filter(wanted).collect();
            let position = |offer: &&Offer| Position { at: offer.session.starts_at, id: offer.sale.id.to_bytes() };
            Found::Sales(page.of(&listed, position).map(at))
        }
        Asked::Sessions { begin, end, page } => {
            let touches =
                |session: &&Arc<crate::model::sales::Session>| session.starts_at < *end && session.ends_at > *begin;
            let listed: Vec<_> = snapshot.sessions().iter().filter(touches).collect();
            let page: &PageRequest<Position<16>> = page;
            let found = page.of(&listed, |session| SaleSessionObject::position(session));
            Found::Sessions(found.map(|session| SessionAt { session: session.clone(), now }))
        }
    }
}

fn offers_of(snapshot: &crate::model::snapshot::Snapshot, within: Within) -> &[Offer] {
    match within {
        Within::AllSessions => snapshot.offers(),
        Within::Session(id) => snapshot.offers_of(id),
        Within::NoSession => &[],
    }
}

impl Writing<'_> {
    fn root(&mut self, root: &Root, found: &Found) {
        match (root, found) {
            (Root::Typename, _) => write_name("Query", &mut self.body),
            (Root::ServerTime, _) => write_quoted(self.now.to_rfc3339(), &mut self.body),
            (Root::Shop(wanted), _) => write_fields(wanted, self.services, &mut self.body),
            (Root::Sale(_, wanted), Found::Sale(Some(sale))) => self.sale(wanted, sale),
            (Root::Sales(_, wanted), Found::Sales(page)) => {
                self.list(wanted, page, "Sale", Self::sale);
            }
            (Root::Sessions(_, wanted), Found::Sessions(page)) => {
                self.list(wanted, page, "SaleSession", |writing, fields, session| {
                    write_fields(fields, session, &mut writing.body);
                });
            }
            _ => write_null(&mut self.body),
        }
    }

    fn list<T, F>(
        &mut self,
        wanted: &Wanted<ListField<F>>,
        page: &Page<T>,
        name: &str,
        node: impl Fn(&mut Self, &Wanted<F>, &T),
    ) {
        self.object(wanted, |writing, key, field| match field {
            ListField::Typename => write_name(&format!("{name}Connection"), &mut writing.body),
            ListField::TotalCount => write_plain(i32::try_from(page.total).unwrap_or(i32::MAX), &mut writing.body),
            ListField::PageInfo(wanted) => write_page_info(wanted, page, &mut writing.body),
            ListField::Nodes(wanted) => {
                writing.items(key, page, |writing, (_, item)| node(writing, wanted, item));
            }
            ListField::Edges(wanted) => writing.items(key, page, |writing, (cursor, item)| {
                writing.object(wanted, |writing, key, field| match field {
                    EdgeField::Typename => write_name(&format!("{name}Edge"), &mut writing.body),
                    EdgeField::Cursor => write_quoted(cursor, &mut writing.body),
                    EdgeField::Node(wanted) => {
                        writing.path.push(PathSegment::Field(key.to_owned()));
                        node(writing, wanted, item);
                        writing.path.pop();
                    }
                });
            }),
        });
    }

    fn items<T>(&mut self, key: &str, page: &Page<T>, item: impl Fn(&mut Self, &(String, T))) {
        self.path.push(PathSegment::Field(key.to_owned()));
        self.body.push(b'[');
        for (index, edge) in page.edges.iter().enumerate() {
            if index > 0 {
                self.body.push(b',');
            }
            self.path.push(PathSegment::Index(index));
            item(self, edge);
            self.path.pop();
        }
        self.body.push(b']');
        self.path.pop();
    }

    fn object<F>(&mut self, wanted: &Wanted<F>, value: impl Fn(&mut Self, &str, &F)) {
        for (index, (key, field)) in wanted.iter().enumerate() {
            self.body.push(if index == 0 { b'{' } else { b',' });
            write_key(key, &mut self.body);
            value(self, key, field);
        }
        self.body.push(b'}');
    }

    fn sale(&mut self, wanted: &Wanted<SaleField>, sale: &SaleAt) {
        self.object(wanted, |writing, key, field| {
            let out = &mut writing.body;
            match field {
                SaleField::Plain(write) => write(sale, out),
                SaleField::Price(wanted) => write_fields(wanted, &sale.offer.sale.price, out),
                SaleField::Session(wanted) => {
                    let session = SessionAt { session: sale.offer.session.clone(), now: sale.now };
                    write_fields(wanted, &session, out);
                }
                SaleField::OriginalPrice(wanted, at) => writing.with_product(key, *at, sale, |product, out| {
                    write_fields(wanted, &product.price, out);
                }),
                SaleField::Product(wanted, at) => writing.with_product(key, *at, sale, |product, out| {
                    write_object(wanted, out, |field, out| field.write(product, out));
                }),
                SaleField::ViewerTicket(wanted, at) => writing.ticket(key, *at, sale, wanted.as_ref()),
            }
        });
    }

    fn with_product(&mut self, key: &str, at: Pos, sale: &SaleAt, write: impl Fn(&Product, &mut Vec<u8>)) {
        if self.beside.no_products.is_some() {
            return self.fault(key, at, not_shown());
        }
        let product = self.beside.products.get(&sale.offer.sale.product_id);
        write_option(product, &mut self.body, |product, out| write(product, out));
    }

    fn ticket(&mut self, key: &str, at: Pos, sale: &SaleAt, wanted: Option<&Wanted<Writes<PurchaseTicket>>>) {
        match (self.beside.tickets.get(&sale.offer.sale.id), wanted) {
            (Some(Ok(Some(ticket))), Some(wanted)) => write_fields(wanted, ticket, &mut self.body),
            (Some(Err(error)), _) => self.fault(key, at, orders_fault(error)),
            _ => write_null(&mut self.body),
        }
    }

    /// Null, with an error entry.
    fn fault(&mut self, key: &str, at: Pos, error: Error) {
        write_null(&mut self.body);
        let mut path = self.path.clone();
        path.push(PathSegment::Field(key.to_owned()));
        self.faults.push(error.into_server_error(at).with_path(path));
    }

    fn end(self) -> Planned {
        if self.faults.is_empty() {
            return Planned::Done(self.body.into());
        }
        // A tree of GraphQL's own values keeps the order of the fields.
        let written = serde_json::from_slice::<HashMap<String, Value>>(&self.body);
        let data = written.ok().and_then(|mut written| written.remove("data"));
        let mut response = Response::new(data.unwrap_or_default());
        response.errors = self.faults;
        Planned::Failed(response)
    }
}

fn write_page_info<T>(wanted: &Wanted<PageField>, page: &Page<T>, out: &mut Vec<u8>) {
    let cursor = |edge: Option<&(String, T)>, out: &mut Vec<u8>| {
        write_option(edge, out, |(cursor, _), out| write_quoted(cursor, out));
    };
    write_object(wanted, out, |field, out| match field {
        PageField::Typename => write_name("PageInfo", out),
        PageField::HasPreviousPage => write_plain(page.has_previous, out),
        PageField::HasNextPage => write_plain(page.has_next, out),
        PageField::StartCursor => cursor(page.edges.first(), out),
        PageField::EndCursor => cursor(page.edges.last(), out),
    });
}
