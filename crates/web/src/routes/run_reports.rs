//! What an integration at a URL of its own calls with its run's token: reports and credentials (contract `runs.md`).

use crate::who::Here;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use connect::run::message::Report;
use kernel::ids::RunId;
use kernel::{Plain, Slug};
use serde_json::{Value, json};
use service::work::credential::NoCredential;
use service::work::run_report::{Fetched, Heard};

/// A log and a state.
const LARGEST: usize = 11 << 20;

/// `Authorization: Bearer` with the token of this very run. Whose it is, the service finds out; a run that has ended
/// has none.
fn token(headers: &HeaderMap) -> Result<Plain, Response> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Plain::presented(token.trim())) } else { Err(unknown()) }
}

fn unknown() -> Response {
    answer::api_message(401, "this is not the token of an open run")
}

/// How the run stands.
pub async fn report(
    State(web): State<Web>,
    Here(place): Here,
    Path(run): Path<String>,
    request: Request,
) -> Result<Response, Response> {
    let token = token(request.headers())?;
    let run = RunId::parse(&run).map_err(|_| unknown())?;
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await;
    let body =
        body.map_err(|_| answer::api_message(413, &format!("a report has at most {LARGEST} bytes")))?;
    let value: Value = serde_json::from_slice(&body)
        .map_err(|error| answer::api_invalid(&["body"], &error.to_string(), "value_error.jsondecode"))?;
    let report = Report::read(&value).map_err(|unreadable| {
        answer::api_invalid(&["body", unreadable.field], unreadable.text, "value_error")
    })?;
    let heard = web.service().report_run(place.environment, run, &token, report).await;
    match heard.map_err(|fault| answer::api_fault(&fault))? {
        Heard::Kept => Ok(Json(json!({ "message": "kept" })).into_response()),
        Heard::Unknown => Err(unknown()),
    }
}

/// The fresh credential of one connector.
pub async fn credentials(
    State(web): State<Web>,
    Here(place): Here,
    Path((run, connector)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Response> {
    let token = token(&headers)?;
    let run = RunId::parse(&run).map_err(|_| unknown())?;
    let no_connector = || answer::api_message(404, "this run has no such connector");
    let connector = Slug::parse(&connector).map_err(|_| no_connector())?;
    let fetched = web.service().run_credentials(place.environment, run, &token, &connector).await;
    match fetched.map_err(|fault| answer::api_fault(&fault))? {
        Fetched::Credentials(found) => Ok(Json(found).into_response()),
        Fetched::Unknown => Err(unknown()),
        Fetched::No(NoCredential::NotFound) => Err(no_connector()),
        Fetched::No(NoCredential::NotNow { .. }) => {
            Err(answer::api_message(503, "the token has ended and could not be renewed just now"))
        }
        Fetched::No(NoCredential::Fault(fault)) => Err(answer::api_fault(&fault)),
        Fetched::No(NoCredential::Disconnected) => {
            Err(answer::api_message(409, "this connector is not connected; the user must connect it"))
        }
    }
}
