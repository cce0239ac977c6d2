//! `/v2/webhooks`: where an organization hears of events, and what became of the messages (contract `runs.md`, section
//! "Notices out").

use crate::json_body::JsonBody;
use crate::listing::{self, BEFORE, Field, Listed, Listing, Sortable};
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use connect::notice::{self, Endpoint, json};
use kernel::ids::MessageId;
use kernel::{SecretText, Time};
use serde::Deserialize;
use serde_json::{Value, json};
use service::admin::Holder;
use service::connect::look_up::{Caller, Page};
use service::work::endpoints::{EndpointChange, NewEndpoint};
use service::work::messages::Replay;

/// What may be read, and what may be changed.
pub const READ: &str = "webhooks:read";
pub const WRITE: &str = "webhooks:write";
/// What endpoints are sorted by.
pub const FIELDS: &[&str] = &["id", "url", "status", "created_date", "modified_date"];

/// The one order of tries: the newest first.
#[derive(Debug, Clone, Copy)]
pub struct Newest;

impl Field for Newest {
    fn field(self) -> &'static str {
        "at"
    }
}

impl Sortable for Newest {
    const ALL: &[Self] = &[Self];
    const FIRST: Self = Self;
    const DESCENDING: bool = true;
    // What is skipped is read; `before` leads as far as they go.
    const FARTHEST: i64 = 100_000;
}

type Parameters = Vec<(String, String)>;

/// Whose endpoints, for a key that may do this.
fn holder(caller: &Caller, scope: &str) -> Result<Holder, Response> {
    if caller.may(scope) { Ok(caller.holder()) } else { Err(answer::not_authorized()) }
}

fn invalid(name: &str, said: &str) -> Response {
    answer::api_invalid(&["query", name], said, "value_error")
}

fn with_secret(endpoint: &Endpoint, secret: &SecretText) -> Value {
    let mut shown = json::endpoint(endpoint);
    if let Some(members) = shown.as_object_mut() {
        members.insert("secret".to_owned(), json!(secret.reveal()));
    }
    shown
}

/// All endpoints.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Parameters>,
) -> Result<Response, Response> {
    let endpoints =
        web.service().endpoints(&holder(&caller, READ)?).await.map_err(|why| answer::api_refused(&why))?;
    let items = endpoints.iter().map(json::endpoint).collect();
    Ok(listing::whole(&query, uri.path(), FIELDS, items))
}

/// What an endpoint is made of.
#[derive(Debug, Deserialize)]
pub struct Creation {
    url: String,
    #[serde(default)]
    description: String,
    events: Option<Vec<String>>,
    #[serde(default)]
    ordered: bool,
}

/// Makes one; 201 with its secret, shown this once.
pub async fn create(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    JsonBody(asked): JsonBody<Creation>,
) -> Result<Response, Response> {
    let holder = holder(&caller, WRITE)?;
    let Creation { url, description, events, ordered } = asked;
    let new = NewEndpoint { url, description, events, ordered };
    let made = web.service().create_endpoint(&caller.actor(), &holder, new).await;
    let (endpoint, secret) = made.map_err(|why| answer::api_refused(&why))?;
    Ok(answer::json_answer(201, &with_secret(&endpoint, &secret)))
}

/// One endpoint.
pub async fn get(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let endpoint = web
        .service()
        .endpoint(&holder(&caller, READ)?, &id)
        .await
        .map_err(|why| answer::api_refused(&why))?;
    Ok(Json(json::endpoint(&endpoint)).into_response())
}

/// What changes of an endpoint.
#[derive(Debug, Deserialize)]
pub struct Change {
    url: Option<String>,
    description: Option<String>,
    events: Option<Vec<String>>,
    ordered: Option<bool>,
    disabled: Option<bool>,
}

/// Changes what is given and leaves the rest.
pub async fn change(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(asked): JsonBody<Change>,
) -> Result<Response, Response> {
    let holder = holder(&caller, WRITE)?;
    let Change { url, description, events, ordered, disabled } = asked;
    let change = EndpointChange { url, description, events, ordered, disabled };
    let changed = web.service().change_endpoint(&caller.actor(), &holder, &id, change).await;
    Ok(Json(json::endpoint(&changed.map_err(|why| answer::api_refused(&why))?)).into_response())
}

/// Deletes one; what waits for it is not delivered any more.
pub async fn delete(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let holder = holder(&caller, WRITE)?;
    web.service()
        .delete_endpoint(&caller.actor(), &holder, &id)
        .await
        .map_err(|why| answer::api_refused(&why))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// How a secret is rotated.
#[derive(Debug, Deserialize)]
pub struct Rotation {
    overlap_s: Option<i64>,
}

/// Makes a new secret, shown this once; the old one signs as well for a while.
pub async fn rotate(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(asked): JsonBody<Rotation>,
) -> Result<Response, Response> {
    let holder = holder(&caller, WRITE)?;
    let made = web.service().rotate_endpoint_secret(&caller.actor(), &holder, &id, asked.overlap_s).await;
    let (endpoint, secret) = made.map_err(|why| answer::api_refused(&why))?;
    Ok(answer::json_answer(200, &with_secret(&endpoint, &secret)))
}

/// Which event a test is of.
#[derive(Debug, Deserialize)]
pub struct Test {
    event: Option<String>,
}

/// Sends a sample of an event; 202 with the message's id.
pub async fn test(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(asked): JsonBody<Test>,
) -> Result<Response, Response> {
    let holder = holder(&caller, WRITE)?;
    let sent = web.service().test_endpoint(&caller.actor(), &holder, &id, asked.event.as_deref()).await;
    let message = sent.map_err(|why| answer::api_refused(&why))?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "message_id": message }))).into_response())
}

/// A page of an endpoint's tries, newest first.
pub async fn attempts(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Parameters>,
) -> Result<Response, Response> {
    let holder = holder(&caller, READ)?;
    let (mut failed_only, mut before) = (false, None);
    let listing = Listing::<Newest>::read(&query).map_err(|no| *no)?;
    for (name, value) in &query {
        match (name.as_str(), value.as_str()) {
            ("failed", "true") => failed_only = true,
            ("failed", "false") => failed_only = false,
            ("failed", _) => return Err(invalid("failed", "true or false")),
            (BEFORE, text) => {
                before = Some(json::read_place(text).ok_or_else(|| invalid(BEFORE, MOMENT))?);
            }
            _ => {}
        }
    }
    let page = behind(&listing, before.is_some())?;
    let found = web.service().attempts(&holder, &id, failed_only, before, page).await;
    let mut found = found.map_err(|why| answer::api_refused(&why))?;
    let last = last_of(&mut found.rows, page).map(|(place, _)| place.to_string());
    let items = found.rows.iter().map(|(_, attempt)| json::attempt(attempt)).collect();
    Ok(Listed::of_lasting(items, found.total, &listing, uri.path()).behind(last))
}

/// A page of an endpoint's messages, newest first.
pub async fn messages(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Parameters>,
) -> Result<Response, Response> {
    let holder = holder(&caller, READ)?;
    let (mut state, mut before) = (None, None);
    let listing = Listing::<listing::Newest>::read(&query).map_err(|no| *no)?;
    for (name, value) in &query {
        match name.as_str() {
            "state" => state = Some(state_of(value).ok_or_else(|| invalid("state", STATES))?),
            BEFORE => {
                let id = MessageId::parse(value).map_err(|why| invalid(BEFORE, &why.to_string()))?;
                before = Some(id);
            }
            _ => {}
        }
    }
    let page = behind(&listing, before.is_some())?;
    let found = web.service().messages(&holder, &id, state, before, page).await;
    let mut found = found.map_err(|why| answer::api_refused(&why))?;
    let last = last_of(&mut found.rows, page).map(|listed| listed.message.id.to_string());
    let items = found.rows.iter().map(|it| json::message(&it.message, it.event, it.tenant)).collect();
    Ok(Listed::of_lasting(items, found.total, &listing, uri.path()).behind(last))
}

/// One message with its tries.
pub async fn message(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let holder = holder(&caller, READ)?;
    let found = web.service().message_with_attempts(&holder, &message_id(&id)?).await;
    let (listed, attempts) = found.map_err(|why| answer::api_refused(&why))?;
    let mut shown = json::message(&listed.message, listed.event, listed.tenant);
    if let Some(members) = shown.as_object_mut() {
        members.insert("endpoint_id".to_owned(), json!(listed.message.endpoint));
        members.insert("attempt_log".to_owned(), attempts.iter().map(json::attempt).collect());
    }
    Ok(Json(shown).into_response())
}

/// Delivers one message once more.
pub async fn replay_one(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let holder = holder(&caller, WRITE)?;
    let id = message_id(&id)?;
    let replayed = web.service().replay_message(&caller.actor(), &holder, &id).await;
    replayed.map_err(|why| answer::api_refused(&why))?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "message_id": id }))).into_response())
}

/// Which messages are delivered once more.
#[derive(Debug, Deserialize)]
pub struct Span {
    state: Option<String>,
    from: Option<String>,
    to: Option<String>,
    after: Option<String>,
}

/// Delivers an endpoint's dead messages once more: all, or those of a span of time.
pub async fn replay(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(asked): JsonBody<Span>,
) -> Result<Response, Response> {
    let holder = holder(&caller, WRITE)?;
    let state = match asked.state.as_deref() {
        None => notice::State::Dead,
        Some(text) => state_of(text)
            .filter(|state| *state != notice::State::Waiting)
            .ok_or_else(|| answer::api_invalid(&["body", "state"], "dead or delivered", "value_error"))?,
    };
    let time = |name: &str, text: Option<&String>| text.map(|text| moment(name, text)).transpose();
    let (from, to) = (time("from", asked.from.as_ref())?, time("to", asked.to.as_ref())?);
    let after = asked.after.as_deref().map(message_id).transpose()?;
    let wanted = Replay { state, from, to, after };
    let done = web.service().replay_endpoint(&caller.actor(), &holder, &id, wanted).await;
    let done = done.map_err(|why| answer::api_refused(&why))?;
    let shown = json!({ "replayed": done.count, "more_after": done.more_after });
    Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
}

const MOMENT: &str = "a time such as 2026-01-31T10:00:00Z";
const STATES: &str = "waiting, delivered or dead";

fn state_of(text: &str) -> Option<notice::State> {
    notice::State::parse(text)
}

fn message_id(text: &str) -> Result<MessageId, Response> {
    MessageId::parse(text).map_err(|_| answer::api_message(404, "there is no such message"))
}

/// A time as RFC 3339 writes it.
fn moment(name: &str, text: &str) -> Result<Time, Response> {
    json::read_moment(text).ok_or_else(|| invalid(name, MOMENT))
}

/// Which part is asked for, and one row more; what stands behind something is asked for newest first.
fn behind<S: Sortable>(listing: &Listing<S>, is_behind: bool) -> Result<Page<()>, Response> {
    let page = listing.page().by(());
    if is_behind && !page.descending {
        return Err(invalid(BEFORE, "this goes with the newest first"));
    }
    Ok(Page { limit: page.limit + 1, ..page })
}

/// The last of a page behind which there is more: one row more was asked for, which tells that, and is not shown.
fn last_of<T>(rows: &mut Vec<T>, page: Page<()>) -> Option<&T> {
    let most = usize::try_from(page.limit - 1).unwrap_or(usize::MAX);
    let is_more = rows.len() > most;
    rows.truncate(most);
    rows.last().filter(|_| is_more)
}
