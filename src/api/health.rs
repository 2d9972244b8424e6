//! `/health/live`, `/health/ready` and `/metrics`: all details for operators, and only the readiness for everybody else.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

/// A condition that every request needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name, such as `database`.
    pub name: String,
    /// Whether it works.
    pub ready: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A condition that operators should know about but that does not affect readiness: lists, orders and payments are served
/// without it, and requests that need it fail fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Its name, such as `reconcile`.
    pub name: String,
    /// Whether it works.
    pub healthy: bool,
    /// Why it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The health of this process.
pub trait Vitals: Send + Sync + 'static {
    /// The conditions of readiness. Must be fast: load balancers query it often.
    fn checks(&self) -> Vec<Check>;

    /// The conditions that do not affect readiness.
    fn notes(&self) -> Vec<Note>;

    /// The metrics in the OpenMetrics text format.
    fn metrics(&self) -> String;
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<Check>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    information: Option<Vec<Note>>,
}

/// The public part, when the details have a listener of their own.
pub fn public_routes(vitals: Arc<dyn Vitals>) -> Router {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready_or_not)).with_state(vitals)
}

/// All routes.
pub fn routes(vitals: Arc<dyn Vitals>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(vitals)
}

/// The process runs; it says nothing about what it depends on, so that nobody restarts it because of that.
async fn live() -> Response {
    ([(CACHE_CONTROL, "no-store")], "ok\n").into_response()
}

async fn ready(State(vitals): State<Arc<dyn Vitals>>) -> Response {
    let checks = vitals.checks();
    Readiness { ready: is_ready(&checks), checks: Some(checks), information: Some(vitals.notes()) }.into_response()
}

async fn ready_or_not(State(vitals): State<Arc<dyn Vitals>>) -> Response {
    Readiness { ready: is_ready(&vitals.checks()), checks: None, information: None }.into_response()
}

fn is_ready(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ready)
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        let status = if self.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, [(CACHE_CONTROL, "no-store")], Json(self)).into_response()
    }
}

async fn metrics(State(vitals): State<Arc<dyn Vitals>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], vitals.metrics()).into_response()
}
