//! The rows of a sale's report as a file: `GET /sale-reports/{id}?format=csv|json`, for operators. The rows are read page by page as
//! fast as the client takes them, so a download of any size takes little memory and holds no connection to the database.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::{Stream, stream};
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::graphql::edge::{self, Edge};
use crate::kernel::{SaleId, TicketId, UserId};
use crate::model::rights::Right;
use crate::model::sale_report::{Digester, Report, Row, csv_header, csv_line, json_row};
use crate::sales::{ReportError, Sales};
use crate::store::StoreError;

/// The digest of the rows that follow.
const DIGEST: HeaderName = HeaderName::from_static("doorbuster-report-digest");

/// What the route needs.
#[derive(Clone)]
struct Desk {
    sales: Sales,
    edge: Edge,
}

/// The route; see [`Report::download_path`].
pub fn routes(sales: Sales, edge: Edge) -> Router {
    Router::new().route("/sale-reports/{id}", get(download)).with_state(Desk { sales, edge })
}

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// A header, and a line for each row.
    #[default]
    Csv,
    /// The report with its rows.
    Json,
}

impl Format {
    const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Json => "application/json",
        }
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    format: Format,
}

/// Why there is no file.
#[derive(Serialize)]
struct Told {
    code: &'static str,
    message: String,
}

fn told(status: StatusCode, code: &'static str, message: impl Into<String>) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(Told { code, message: message.into() })).into_response()
}

fn unavailable(message: &str) -> Response {
    let told = told(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
    ([(RETRY_AFTER, "2")], told).into_response()
}

async fn download(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let (parts, _) = request.into_parts();
    let operator = match operator(&desk.edge, &parts, peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let Ok(Query(Asked { format })) = asked else {
        return told(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "`format` must be `csv` or `json`.");
    };
    let Ok(id) = id.parse::<SaleId>() else { return absent() };
    match desk.sales.report(id).await {
        Ok(Some(report)) => file(&desk.sales, report, format, operator).await,
        Ok(None) => absent(),
        Err(ReportError::Busy) => unavailable("Other reports are being prepared. Please try again shortly."),
        Err(ReportError::Store(error)) => fault(&error),
    }
}

fn fault(error: &StoreError) -> Response {
    if error.is_transient() {
        tracing::warn!(%error, "database unavailable");
        return unavailable("The service is temporarily unavailable. Please try again shortly.");
    }
    tracing::error!(%error, "database error");
    told(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", "Something went wrong on our side.")
}

fn absent() -> Response {
    told(StatusCode::NOT_FOUND, "SALE_NOT_FOUND", "This sale does not exist.")
}

/// The operator who sent the request, or the response to who is none.
async fn operator(edge: &Edge, parts: &http::request::Parts, peer: IpAddr) -> Result<UserId, Response> {
    let as_ours = |refusal: edge::response::refusal::Refusal| {
        let (code, message) = (refusal.code().unwrap_or("INTERNAL_SERVER_ERROR"), refusal.message().to_owned());
        let (head, _) = edge.refuse_plainly(&refusal).into_parts();
        Response::from_parts(head, Json(Told { code, message }).into_response().into_body())
    };
    match edge.viewer_of(parts, peer).await.map_err(as_ours)? {
        None => Err(told(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "Sign in to download reports.")),
        Some(viewer) => match viewer.may(Right::SeeShop) {
            Ok(()) => Ok(viewer.id),
            Err(why) => Err(told(StatusCode::FORBIDDEN, "FORBIDDEN", why)),
        },
    }
}

async fn file(sales: &Sales, report: Report, format: Format, operator: UserId) -> Response {
    let id = report.sale();
    if let Err(error) = sales.audit_download(operator, id, format.name()).await {
        return fault(&error);
    }
    let settled = if report.settled { "" } else { "-provisional" };
    let name = format!("sale-{}{settled}.{}", report.offer.sale.number, format.name());
    let headers = [
        (CONTENT_TYPE, format.media().to_owned()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    let digest = report.digest.as_deref().and_then(|digest| HeaderValue::try_from(digest).ok());
    let mut response = (headers, Body::from_stream(pieces(sales.clone(), report, format))).into_response();
    if let Some(digest) = digest {
        response.headers_mut().insert(DIGEST, digest);
    }
    response
}

/// How far a download has got.
struct Progress {
    sales: Sales,
    report: Report,
    format: Format,
    digester: Digester,
    after: Option<TicketId>,
    /// The head was sent.
    begun: bool,
    /// All rows were sent.
    ended: bool,
}

/// The file, a page of rows at a time. It breaks off if the rows of a settled sale have changed since they were counted: better no
/// file than one that contradicts its digest.
fn pieces(sales: Sales, report: Report, format: Format) -> impl Stream<Item = Result<Bytes, StoreError>> {
    let digester = Digester::default();
    let progress = Progress { sales, report, format, digester, after: None, begun: false, ended: false };
    stream::try_unfold(progress, |mut progress| async move {
        if progress.ended {
            return Ok(None);
        }
        let piece = progress.next().await?;
        Ok(Some((piece, progress)))
    })
}

impl Progress {
    async fn next(&mut self) -> Result<Bytes, StoreError> {
        let rows = self.sales.report_rows(self.report.sale(), self.after).await?;
        let mut text = String::new();
        if !self.begun {
            text.push_str(&self.head());
        }
        for (index, row) in rows.iter().enumerate() {
            self.digester.add(row);
            self.write(row, !self.begun && index == 0, &mut text);
        }
        self.begun = true;
        match rows.last() {
            Some(last) => self.after = Some(last.ticket),
            None => {
                self.ended = true;
                let is_same =
                    self.report.digest.as_ref().is_none_or(|digest| *digest == self.digester.clone().finish());
                if !is_same {
                    let sale = self.report.sale();
                    tracing::warn!(%sale, "a download of a report was broken off: a refund changed its rows meanwhile");
                    return Err(StoreError::unavailable("the rows have changed in the meantime"));
                }
                if self.format == Format::Json {
                    text.push_str("\n]}\n");
                }
            }
        }
        Ok(text.into())
    }

    fn head(&self) -> String {
        match self.format {
            Format::Csv => csv_header(),
            Format::Json => {
                let report = self.report.to_json().to_string();
                format!("{},\"rows\":[", report.strip_suffix('}').unwrap_or(&report))
            }
        }
    }

    fn write(&self, row: &Row, is_first: bool, text: &mut String) {
        match self.format {
            Format::Csv => csv_line(row, text),
            Format::Json => {
                text.push_str(if is_first { "\n" } else { ",\n" });
                text.push_str(&json_row(row).to_string());
            }
        }
    }
}
