//! Sales, sessions and the shop without the executor: what everybody reads while they wait for a sale. The executor resolves some
//! four hundred fields for a page of twenty sales, a future each; this writes them in one go. It knows queries of these root
//! fields with plain fields in any order; everything else goes the ordinary way.

use std::sync::Arc;

use async_graphql::parser::types::{Field, OperationDefinition, OperationType};
use async_graphql::{Name, Positioned};
use futures_util::FutureExt as _;

use super::sales::bounds;
use crate::api::graphql::context::Services;
use crate::api::graphql::edge::execution::shortcut::{Plan, Ready, Shortcut};
use crate::api::graphql::plans::arguments::{Arguments, Declared, Unclear, Values};
use crate::api::graphql::plans::{Wanted, Writes, plain, wanted};
use crate::api::graphql::types::connection::{PageArgs, PageRequest, Position};
use crate::api::graphql::types::sales::SaleStatus;
use crate::config;
use crate::kernel::{SaleId, SessionId, Timestamp};
use crate::model::accounts::Viewer;
use crate::model::rights::Right;

mod fields;
mod respond;

use fields::{SaleField, SessionAt, sale_field, session_field, shop_field};

/// Plans queries about sales.
pub struct SaleShortcut(pub Arc<Services>);

struct SalePlan {
    services: Arc<Services>,
    form: Arc<Form>,
}

/// What a fitting operation asks for.
struct Form {
    variables: Declared,
    roots: Wanted<Root>,
}

/// A root field.
enum Root {
    Typename,
    ServerTime,
    /// Null; signed-in viewers are left to the executor.
    Viewer,
    Shop(Wanted<Writes<Services>>),
    Sale(Arguments, Wanted<SaleField>),
    Sales(Arguments, Wanted<ListField<SaleField>>),
    Sessions(Arguments, Wanted<ListField<Writes<SessionAt>>>),
}

/// A field of a connection.
enum ListField<F> {
    Typename,
    TotalCount,
    PageInfo(Wanted<PageField>),
    Nodes(Wanted<F>),
    Edges(Wanted<EdgeField<F>>),
}

/// A field of an edge.
enum EdgeField<F> {
    Typename,
    Cursor,
    Node(Wanted<F>),
}

/// A field of `PageInfo`.
#[derive(Clone, Copy)]
enum PageField {
    Typename,
    HasPreviousPage,
    HasNextPage,
    StartCursor,
    EndCursor,
}

/// What one request wants of a root field.
#[derive(Debug)]
enum Asked {
    Nothing,
    Sale(Option<SaleId>),
    Sales { within: Within, statuses: Option<Vec<SaleStatus>>, page: PageRequest<Position<16>> },
    Sessions { begin: Timestamp, end: Timestamp, page: PageRequest<Position<16>> },
}

/// Whose sales.
#[derive(Debug, Clone, Copy)]
enum Within {
    AllSessions,
    Session(SessionId),
    /// The ID is that of no session.
    NoSession,
}

impl Shortcut for SaleShortcut {
    fn plan(&self, operation: &OperationDefinition) -> Option<Arc<dyn Plan>> {
        Some(Arc::new(SalePlan { services: self.0.clone(), form: Arc::new(Form::of(operation)?) }))
    }
}

impl Plan for SalePlan {
    /// Safe to drop: it only reads.
    fn read(&self, variables: &str) -> Option<Ready> {
        let asked = self.form.asked(variables, &self.services).ok()?;
        let (services, form) = (self.services.clone(), self.form.clone());
        Some(Box::new(move |info| {
            let viewer = info.viewer;
            form.fits(viewer).then(|| async move { form.respond(&services, viewer, &asked).await }.boxed())
        }))
    }
}

impl Form {
    fn of(operation: &OperationDefinition) -> Option<Self> {
        let fits = operation.ty == OperationType::Query && operation.directives.is_empty();
        let roots = wanted(&operation.selection_set, root)?;
        fits.then_some(Self { variables: Declared::of(operation)?, roots })
    }

    /// Whether the plan covers everything that a signed-in viewer would see.
    fn fits(&self, viewer: Option<Viewer>) -> bool {
        let unknown = |field: &SaleField| matches!(field, SaleField::ViewerTicket(None, _));
        let left = |(_, root): &(Name, Root)| matches!(root, Root::Viewer) || root.sale_fields().any(unknown);
        viewer.is_none() || !self.roots.iter().any(left)
    }

    /// What the variables make of the arguments, for each root field.
    fn asked(&self, variables: &str, services: &Services) -> Result<Vec<Asked>, Unclear> {
        let variables = self.variables.read(variables).ok_or(Unclear)?;
        let config = &services.config.graphql;
        let asked = |(_, root): &(Name, Root)| match root {
            Root::Typename | Root::ServerTime | Root::Viewer | Root::Shop(_) => Ok(Asked::Nothing),
            Root::Sale(arguments, _) => {
                let values = arguments.values(&variables);
                Ok(Asked::Sale(values.text("id")?.ok_or(Unclear)?.parse().ok()))
            }
            Root::Sales(arguments, _) => sales_asked(&arguments.values(&variables), config),
            Root::Sessions(arguments, _) => sessions_asked(&arguments.values(&variables), services),
        };
        self.roots.iter().map(asked).collect()
    }
}

impl Root {
    /// The fields of all sales below it.
    fn sale_fields(&self) -> Box<dyn Iterator<Item = &SaleField> + '_> {
        match self {
            Self::Typename | Self::ServerTime | Self::Viewer | Self::Shop(_) | Self::Sessions(..) => {
                Box::new(std::iter::empty())
            }
            Self::Sale(_, fields) => Box::new(fields.iter().map(|(_, field)| field)),
            Self::Sales(_, list) => {
                Box::new(list.iter().flat_map(|(_, field)| field.of_nodes()).map(|(_, field)| field))
            }
        }
    }
}

impl<F> ListField<F> {
    /// The fields of the items below it.
    fn of_nodes(&self) -> impl Iterator<Item = &(Name, F)> {
        let (nodes, edges): (&[_], &[_]) = match self {
            Self::Nodes(fields) => (fields, &[]),
            Self::Edges(fields) => (&[], fields),
            Self::Typename | Self::TotalCount | Self::PageInfo(_) => (&[], &[]),
        };
        let below =
            edges.iter().filter_map(|(_, edge)| if let EdgeField::Node(fields) = edge { Some(fields) } else { None });
        nodes.iter().chain(below.flatten())
    }
}

const PAGE: [&str; 4] = ["first", "after", "last", "before"];

fn root(field: &Positioned<Field>) -> Option<Root> {
    let set = &field.node.selection_set;
    let arguments = |more: &[&str]| Arguments::of(field, &[&PAGE[..], more].concat());
    Some(match field.node.name.node.as_str() {
        "__typename" => Root::Typename,
        "serverTime" => Root::ServerTime,
        "viewer" => Root::Viewer,
        "shop" => Root::Shop(wanted(set, shop_field)?),
        "sale" => Root::Sale(Arguments::of(field, &["id"])?, wanted(set, sale_field)?),
        "sales" => Root::Sales(arguments(&["sessionId", "statuses"])?, wanted(set, |field| list(field, sale_field))?),
        "saleSessions" => {
            Root::Sessions(arguments(&["on", "until"])?, wanted(set, |field| list(field, session_field))?)
        }
        _ => return None,
    })
}

fn list<F>(field: &Positioned<Field>, of_node: impl Fn(&Positioned<Field>) -> Option<F>) -> Option<ListField<F>> {
    let set = &field.node.selection_set;
    Some(match plain(field)? {
        "__typename" => ListField::Typename,
        "totalCount" => ListField::TotalCount,
        "pageInfo" => ListField::PageInfo(wanted(set, page_field)?),
        "nodes" => ListField::Nodes(wanted(set, of_node)?),
        "edges" => ListField::Edges(wanted(set, |field| {
            Some(match plain(field)? {
                "__typename" => EdgeField::Typename,
                "cursor" => EdgeField::Cursor,
                "node" => EdgeField::Node(wanted(&field.node.selection_set, &of_node)?),
                _ => return None,
            })
        })?),
        _ => return None,
    })
}

fn page_field(field: &Positioned<Field>) -> Option<PageField> {
    Some(match plain(field)? {
        "__typename" => PageField::Typename,
        "hasPreviousPage" => PageField::HasPreviousPage,
        "hasNextPage" => PageField::HasNextPage,
        "startCursor" => PageField::StartCursor,
        "endCursor" => PageField::EndCursor,
        _ => return None,
    })
}

fn page(values: &Values, config: &config::Graphql) -> Result<PageRequest<Position<16>>, Unclear> {
    let args = PageArgs {
        first: values.int("first")?,
        after: values.text("after")?.map(str::to_owned),
        last: values.int("last")?,
        before: values.text("before")?.map(str::to_owned),
    };
    args.check(config).map_err(|_| Unclear)
}

fn sales_asked(values: &Values, config: &config::Graphql) -> Result<Asked, Unclear> {
    let status = |name: &str| {
        let items = <SaleStatus as async_graphql::resolver_utils::EnumType>::items();
        items.iter().find(|item| item.name == name).map(|item| item.value).ok_or(Unclear)
    };
    let statuses = values.texts("statuses")?;
    Ok(Asked::Sales {
        within: match values.text("sessionId")?.map(str::parse) {
            None => Within::AllSessions,
            Some(Ok(id)) => Within::Session(id),
            Some(Err(_)) => Within::NoSession,
        },
        statuses: statuses.map(|names| names.into_iter().map(status).collect()).transpose()?,
        page: page(values, config)?,
    })
}

fn sessions_asked(values: &Values, services: &Services) -> Result<Asked, Unclear> {
    let day = |name: &str| {
        let day = |text: &str| {
            let day = if text.len() == 10 { jiff::civil::Date::strptime("%Y-%m-%d", text).ok() } else { None };
            day.ok_or(Unclear)
        };
        values.text(name)?.map(day).transpose()
    };
    let first = day("on")?.unwrap_or_else(|| services.sales.today());
    let last = day("until")?.unwrap_or(first);
    let (begin, end) = bounds(services, first, last).map_err(|_| Unclear)?;
    Ok(Asked::Sessions { begin, end, page: page(values, &services.config.graphql)? })
}

/// Whether this viewer may see drafts.
fn sees_drafts(viewer: Option<Viewer>) -> bool {
    viewer.is_some_and(|viewer| viewer.may(Right::SeeShop).is_ok())
}

#[cfg(test)]
mod tests;
