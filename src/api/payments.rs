//! Callbacks of the payment gateway and returning browsers: `POST /payments/alipay/notify` and `GET /payments/alipay/return`.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::model::payments::Payment;
use crate::payments::PaymentState;
use crate::payments::Payments;

/// Bytes of a notification at most; real ones have about two thousand.
const NOTIFICATION_MAX: usize = 16 * 1024;

/// Bytes of a returning browser's query string at most.
const QUERY_MAX: usize = 8 * 1024;

/// The routes.
pub fn routes(payments: Payments) -> Router {
    Router::new()
        .route("/payments/alipay/notify", post(notify).layer(DefaultBodyLimit::max(NOTIFICATION_MAX)))
        .route("/payments/alipay/return", get(come_back))
        .with_state(payments)
}

/// Answers exactly `success` once the notification is durably recorded; anything else makes the gateway send it again.
async fn notify(State(payments): State<Payments>, headers: HeaderMap, body: Bytes) -> Response {
    let form = "application/x-www-form-urlencoded";
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.get(..form.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(form)) {
        return answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, "failure");
    }
    match payments.notified(&body).await {
        Ok(true) => answer(StatusCode::OK, "success"),
        Ok(false) => answer(StatusCode::OK, "failure"),
        Err(error) => {
            tracing::warn!(%error, "could not record a notification; the gateway will send it again");
            answer(StatusCode::SERVICE_UNAVAILABLE, "failure")
        }
    }
}

fn answer(status: StatusCode, word: &'static str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")], word).into_response()
}

/// A browser comes back from the cashier: on to where the buyer wanted to go, or a small page.
async fn come_back(State(payments): State<Payments>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    if query.len() > QUERY_MAX {
        return page(StatusCode::BAD_REQUEST, "This URL is invalid.");
    }
    match payments.returned(&query).await {
        Ok(Some(payment)) => onward(&payment),
        Ok(None) => page(StatusCode::BAD_REQUEST, "This URL is invalid."),
        Err(error) => {
            tracing::warn!(%error, "could not look up the payment when the browser returned");
            page(StatusCode::SERVICE_UNAVAILABLE, PROCESSING)
        }
    }
}

const PROCESSING: &str =
    "Your payment is being processed. You can close this page; your order will show when it is paid.";

fn onward(payment: &Payment) -> Response {
    if let Some(Ok(url)) = payment.return_url.as_deref().map(HeaderValue::from_str) {
        return (StatusCode::SEE_OTHER, [(LOCATION, url), (CACHE_CONTROL, HeaderValue::from_static("no-store"))])
            .into_response();
    }
    let words = match payment.state {
        PaymentState::Succeeded => "Your order is paid. Thank you!",
        PaymentState::Surplus => "This payment could not be applied to your order. It is being refunded.",
        PaymentState::Closed | PaymentState::Failed => "This payment was not completed.",
        PaymentState::Pending => PROCESSING,
    };
    page(StatusCode::OK, words)
}

const STYLE: &str = "body{font:18px/1.5 system-ui,sans-serif;margin:0;display:grid;place-items:center;min-height:100vh;\
background:#f4f5f7;color:#1f2933}main{max-width:32em;margin:1em;padding:2em;background:#fff;border-radius:12px}";

fn page(status: StatusCode, words: &'static str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Payment</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style><main>{words}</main></html>"
    );
    (status, [(CACHE_CONTROL, "no-store")], Html(html)).into_response()
}
