//! Ledger: the second outside system. It knows no sign-in for programs, only keys that a person copies.

use super::Stage;
use super::sites::{Links, bearer, json, page, with_files};
use super::story::{At, Line};
use askama::Template;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use kernel::Plain;
use serde_json::json as object;
use std::sync::Arc;

#[derive(Debug)]
struct Ledger {
    stage: Arc<Stage>,
    key: Plain,
}

#[derive(Template)]
#[template(path = "demo/ledger.html")]
struct KeysPage<'a> {
    links: Links,
    key: &'a str,
}

pub(crate) fn router(stage: Arc<Stage>) -> axum::Router {
    let key = Plain::with_prefix("ldg_", &*stage.service.chance);
    with_files(axum::Router::new())
        .route("/", get(keys))
        .route("/api/account", get(account))
        .with_state(Arc::new(Ledger { stage, key }))
}

async fn keys(State(ledger): State<Arc<Ledger>>) -> Response {
    let shown = KeysPage { links: ledger.stage.links(), key: ledger.key.reveal() };
    page(ledger.stage.addresses, 200, &shown)
}

/// Whose key this is.
async fn account(State(ledger): State<Arc<Ledger>>, headers: HeaderMap) -> Response {
    let presented = bearer(&headers).map(|key| Plain::presented(key).hashed());
    if presented != Some(ledger.key.hashed()) {
        let text = "The gateway asks before it stores anything, so a wrong key never becomes a connection.";
        ledger.stage.story.tell(Line::new(At::Ledger, "Did not know the key", text).bad());
        return json(401, &object!({ "error": "unknown key" }));
    }
    let text = "The gateway tried the key before it stored it.";
    ledger.stage.story.tell(Line::new(At::Ledger, "Knew the key", text));
    json(200, &object!({ "company": "Northwind Ltd", "currency": "EUR" }))
}
