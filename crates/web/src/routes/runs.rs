//! Runs of the REST API: asking for them, looking at them, ending them (contract `connect.md`, section 6).

use crate::json_body::JsonBody;
use crate::listing::{Listed, Listing};
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::body::Body;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use connect::run::{Mode, Source};
use kernel::ids::{IntegrationId, NotANumber, RunId, TenantId, TriggerId};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use service::Service;
use service::admin::Holder;
use service::connect::look_up::Caller;
use service::work::run_control::{Asked, Chosen, Controlled, Desk, Synced};
use service::work::run_look_up::{LogLink, RunSort};
use std::sync::Arc;

/// What may be read, and what may be asked for.
pub const READ: &str = "runs:read";
pub const WRITE: &str = "runs:write";

type Parameters = Vec<(String, String)>;

fn holder(caller: &Caller) -> Result<Holder, Response> {
    if caller.may(READ) { Ok(caller.holder()) } else { Err(answer::not_authorized()) }
}

fn desk(caller: &Caller) -> Result<Desk, Response> {
    if caller.may(WRITE) { Ok(Desk::from(caller)) } else { Err(answer::not_authorized()) }
}

fn id<T>(parse: impl FnOnce(&str) -> Result<T, NotANumber>, name: &str, text: &str) -> Result<T, Response> {
    parse(text).map_err(|_| answer::api_not_a_number(name))
}

fn find<'a>(query: &'a Parameters, name: &str) -> Option<&'a str> {
    query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn no_run() -> Response {
    answer::api_message(404, "no run with this id")
}

/// `mode=init|normal`, and what the body brings along.
fn asked(query: &Parameters, body: Option<Map<String, Value>>) -> Result<Asked, Response> {
    let mode = find(query, "mode")
        .map_or(Some(Mode::Normal), Mode::asked)
        .ok_or_else(|| answer::api_invalid(&["query", "mode"], "mode is init or normal", "value_error"))?;
    let payload = body.filter(|body| !body.is_empty()).map(Value::Object);
    Ok(Asked { source: Source::Api, mode, payload })
}

/// As published, the id is a text here.
fn triggered(id: TriggerId) -> Response {
    (StatusCode::ACCEPTED, Json(json!({ "trigger_id": id.to_string() }))).into_response()
}

fn synced(synced: &Synced) -> Response {
    match synced {
        Synced::Triggered(id) => triggered(*id),
        Synced::NoIntegration => answer::api_message(404, "no integration with this id"),
        Synced::NoTenant => answer::api_message(404, "no such tenant"),
        Synced::WhichUser => answer::api_invalid(
            &["query", "user_name"],
            "several users have this integration: name one",
            "value_error.missing",
        ),
        Synced::Archived => answer::api_message(409, "this tenant is archived"),
    }
}

/// Asks for a run of one tenant. A JSON object as body travels to the run as the trigger's payload; `null` is none, as
/// published.
pub async fn sync_tenant(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(tenant): Path<String>,
    Query(query): Query<Parameters>,
    JsonBody(body): JsonBody<Option<Map<String, Value>>>,
) -> Result<Response, Response> {
    let desk = desk(&caller)?;
    let tenant = id(TenantId::parse, "tenant_id", &tenant)?;
    let asked = asked(&query, body)?;
    let outcome = web.service().sync_tenant(&desk, tenant, asked).await;
    Ok(synced(&outcome.map_err(|fault| answer::api_fault(&fault))?))
}

/// Asks for a run of the tenant that a user has of an integration.
pub async fn sync_integration(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(integration): Path<String>,
    Query(query): Query<Parameters>,
    JsonBody(body): JsonBody<Option<Map<String, Value>>>,
) -> Result<Response, Response> {
    let desk = desk(&caller)?;
    let integration = id(IntegrationId::parse, "integration_id", &integration)?;
    let asked = asked(&query, body)?;
    let username = find(&query, "user_name").filter(|name| !name.is_empty()).map(str::to_owned);
    let outcome = web.service().sync_integration(&desk, integration, username, asked).await;
    Ok(synced(&outcome.map_err(|fault| answer::api_fault(&fault))?))
}

/// A tenant's runs.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Path(tenant): Path<String>,
    Query(query): Query<Parameters>,
) -> Result<Response, Response> {
    let holder = holder(&caller)?;
    let tenant = id(TenantId::parse, "tenant_id", &tenant)?;
    let listing = Listing::<RunSort>::read(&query).map_err(|response| *response)?;
    let found = web.service().runs(&holder, Some(tenant), listing.page()).await;
    let found = found.map_err(|fault| answer::api_fault(&fault))?;
    let (items, total) = found.ok_or_else(|| answer::api_message(404, "no tenant with this id"))?;
    Ok(Listed::of_lasting(items, total, &listing, uri.path()).into_response())
}

/// One run.
pub async fn get(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(run): Path<String>,
) -> Result<Response, Response> {
    let holder = holder(&caller)?;
    let run = id(RunId::parse, "run_id", &run)?;
    let found = web.service().run(&holder, run).await.map_err(|fault| answer::api_fault(&fault))?;
    found.map(|run| Json(run).into_response()).ok_or_else(no_run)
}

/// What a trigger became; 404 until it has a run.
pub async fn trigger_status(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(trigger): Path<String>,
) -> Result<Response, Response> {
    let holder = holder(&caller)?;
    let trigger = id(TriggerId::parse, "trigger_id", &trigger)?;
    let found = web.service().trigger_status(&holder, trigger).await;
    let found = found.map_err(|fault| answer::api_fault(&fault))?;
    let status = found.ok_or_else(|| answer::api_message(404, "this trigger has no run yet"))?;
    Ok(Json(status).into_response())
}

/// 302 to the run's log, by a link that is good for 15 minutes.
pub async fn log(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(run): Path<String>,
) -> Result<Response, Response> {
    let holder = holder(&caller)?;
    let run = id(RunId::parse, "run_id", &run)?;
    let link = web.service().log_link(&holder, run).await.map_err(|fault| answer::api_fault(&fault))?;
    let link = link.and_then(|link| HeaderValue::from_str(&link).ok()).ok_or_else(no_run)?;
    Ok((StatusCode::FOUND, [(header::LOCATION, link)]).into_response())
}

fn controlled(done: &Controlled) -> Response {
    match done {
        Controlled::Ending => {
            (StatusCode::ACCEPTED, Json(json!({ "message": "the run is being ended" }))).into_response()
        }
        Controlled::Again(trigger) => triggered(*trigger),
        Controlled::NoRun => no_run(),
        Controlled::Over(said) => answer::api_message(409, said),
    }
}

/// Asks that a run end.
pub async fn cancel(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(run): Path<String>,
) -> Result<Response, Response> {
    let desk = desk(&caller)?;
    let run = id(RunId::parse, "run_id", &run)?;
    let done = web.service().cancel_run(&desk, run).await.map_err(|fault| answer::api_fault(&fault))?;
    Ok(controlled(&done))
}

/// What is chosen for a rerun.
#[derive(Debug, Default, Deserialize)]
pub struct Rerun {
    configs: Option<Map<String, Value>>,
    state: Option<Value>,
}

/// Does a run once more.
pub async fn rerun(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(run): Path<String>,
    JsonBody(body): JsonBody<Rerun>,
) -> Result<Response, Response> {
    let desk = desk(&caller)?;
    let run = id(RunId::parse, "run_id", &run)?;
    let state = body.state.map(|state| match state {
        Value::String(text) => text,
        other => other.to_string(),
    });
    let chosen = Chosen { configs: body.configs.map(Value::Object), state };
    let done = web.service().rerun(&desk, run, chosen).await.map_err(|fault| answer::api_fault(&fault))?;
    Ok(controlled(&done))
}

/// The log itself, for whoever has a good link.
pub async fn signed_log(
    State(web): State<Web>,
    here: crate::who::Here,
    Path(run): Path<String>,
    Query(query): Query<Parameters>,
) -> Result<Response, Response> {
    let refused = || answer::api_message(403, "this link is not good, or not any more");
    let run = RunId::parse(&run).map_err(|_| refused())?;
    let expires = find(&query, "expires").and_then(|text| text.parse().ok()).ok_or_else(refused)?;
    let signature = find(&query, "signature").unwrap_or_default().to_owned();
    let service = web.service();
    if !service.is_good(here.0.environment, &LogLink { run, expires, signature }) {
        return Err(refused());
    }
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((headers, Body::from_stream(parts(Arc::clone(service), run))).into_response())
}

/// A log may be large: it is read as it is sent.
fn parts(
    service: Arc<Service>,
    run: RunId,
) -> impl futures_util::Stream<Item = Result<String, service::Fault>> {
    futures_util::stream::try_unfold(0, move |after| {
        let service = Arc::clone(&service);
        async move {
            let parts = service.log_parts(run, after).await?;
            let Some(last) = parts.last().map(|part| part.number) else { return Ok(None) };
            let text: String = parts.into_iter().map(|part| part.body).collect();
            Ok(Some((text, last)))
        }
    })
}
