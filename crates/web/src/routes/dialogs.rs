//! `/dialogs/{dialog}`: the framed page, its events, and what a person does in it.

use crate::Web;
use crate::answer;
use crate::dialog_page::{asks_first, framing, show};
use crate::headers;
use crate::who::{Bearer, Here, OwnOrigin, wants_json};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use kernel::{Environment, Plain};
use serde_json::json;
use service::Fault;
use service::connect::turn::Turn;
use service::connect::view::DialogContext;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

/// How often those who wait look at the database, for changes that another node made.
const LOOK_EVERY: Duration = Duration::from_secs(1);

type Found = Result<Option<DialogContext>, Fault>;

/// The page of the dialog's stage.
pub async fn page(
    State(web): State<Web>,
    Here(place): Here,
    Bearer(bearer): Bearer,
    request: Request,
) -> Response {
    let headers = request.headers();
    match web.service().dialog(place.environment, &bearer).await {
        Ok(Some(context)) => {
            let mut page = show(&web, &context, &bearer, headers);
            if asks_first(&context, headers) {
                page = page.asking_who_is_there();
            }
            let framing = framing(&context);
            let report_to = format!("/reports/frames/{}", context.config.organization.slug);
            headers::framed_page(page.render(), &framing, &page.shell.nonce, &report_to)
        }
        Ok(None) => answer::dialog_expired(&web, headers),
        Err(fault) => answer::fault(&web, headers, &fault),
    }
}

/// The state as JSON: what polling reads.
pub async fn state(
    State(web): State<Web>,
    Here(place): Here,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    let found = web.service().dialog(place.environment, &bearer).await;
    state_answer(&web, found, &bearer, &headers)
}

/// The same as server-sent events: one at once, then one per change, until the dialog ends. Whoever finds every
/// seat taken polls instead.
pub async fn events(
    State(web): State<Web>,
    Here(place): Here,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    match web.service().dialog(place.environment, &bearer).await {
        Ok(Some(_)) => {}
        Ok(None) => return answer::dialog_expired(&web, &headers),
        Err(fault) => return answer::fault(&web, &headers, &fault),
    }
    let Some(seat) = web.service().bells.sit(&bearer.hashed()) else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    let environment = place.environment;
    let watch = Watch { web, environment, bearer, headers, seat, sent: None, is_over: false };
    let events = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok::<_, Infallible>(event), watch))
    });
    let stream = Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)));
    let mut response = stream.into_response();
    let out = response.headers_mut();
    // The driver says `no-cache`, which lets a copy be kept; and proxies shall not wait for more of it.
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    out.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Someone who waits for a dialog to change.
struct Watch {
    web: Web,
    environment: Environment,
    bearer: Plain,
    headers: HeaderMap,
    seat: service::bells::Seat,
    sent: Option<i64>,
    /// What was told last was the end.
    is_over: bool,
}

impl Watch {
    /// `None` ends the stream: the dialog is over, the store does not answer (the page then polls), or the
    /// process stops (the page then asks another node, or this one's successor).
    async fn next(&mut self) -> Option<Event> {
        let web = self.web.clone();
        let stopping = &web.service().stopping;
        loop {
            if stopping.has_begun() || self.is_over {
                return None;
            }
            let rung = self.seat.listen();
            let context = self.web.service().dialog(self.environment, &self.bearer).await.ok().flatten()?;
            if self.sent != Some(context.dialog.version) {
                self.sent = Some(context.dialog.version);
                self.is_over = context.dialog.stage.is_over();
                let state = show(&self.web, &context, &self.bearer, &self.headers).state();
                return Event::default().event("stage").json_data(&state).ok();
            }
            // Whatever it is that comes first, the database is looked at next.
            tokio::select! {
                () = rung => {}
                () = stopping.begun() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// A fresh start link.
pub async fn start_link(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    match web.service().dialog(place.environment, &bearer).await {
        Ok(Some(context)) => {
            let url = web.service().start_path(&context.dialog);
            Json(json!({ "start_url": url, "expires_in": connect::attempt::TICKET_LIFETIME_S }))
                .into_response()
        }
        Ok(None) => answer::dialog_expired(&web, &headers),
        Err(fault) => answer::fault(&web, &headers, &fault),
    }
}

/// The form of keys, passwords, or what the sign-in address needs.
pub async fn inputs(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let entered: BTreeMap<String, String> = form(&body);
    let done = web.service().enter_inputs(place.environment, &bearer, &entered).await;
    turned(&web, done, &bearer, &headers)
}

/// "Yes, that is me": the landing was opened as a link.
pub async fn identity(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    turn(&web, place.environment, &bearer, &headers, Turn::IdentityConfirmed).await
}

/// The short code shown after the callback, typed here.
pub async fn code(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let typed = form(&body).remove("code").unwrap_or_default();
    let done = web.service().type_code(place.environment, &bearer, &typed).await;
    turned(&web, done, &bearer, &headers)
}

/// Phase two: the dialog takes the pending credential.
pub async fn confirm(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    let done = web.service().confirm(place.environment, &bearer).await;
    turned(&web, done, &bearer, &headers)
}

/// One of several that an `after` step offers.
pub async fn choose(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let chosen = form(&body).remove("choice").unwrap_or_default();
    let done = web.service().choose(place.environment, &bearer, &chosen).await;
    turned(&web, done, &bearer, &headers)
}

pub async fn cancel(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    turn(&web, place.environment, &bearer, &headers, Turn::Cancelled).await
}

/// Back to the beginning, after a failure or to connect again.
pub async fn retry(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    turn(&web, place.environment, &bearer, &headers, Turn::Retried).await
}

/// Takes the connection away, and revokes it at the outside system where that can be done.
pub async fn disconnect(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    let done = web.service().disconnect_in_dialog(place.environment, &bearer).await;
    turned(&web, done, &bearer, &headers)
}

/// Hands the messages for the parent window to the page; those of a success exactly once.
pub async fn announcement(
    State(web): State<Web>,
    Here(place): Here,
    _: OwnOrigin,
    Bearer(bearer): Bearer,
    headers: HeaderMap,
) -> Response {
    match web.service().announce(place.environment, &bearer).await {
        Ok(Some((config, data))) => {
            Json(json!({ "messages": crate::messages::addressed(&config, &data) })).into_response()
        }
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(fault) => answer::fault(&web, &headers, &fault),
    }
}

async fn turn(
    web: &Web,
    environment: Environment,
    bearer: &Plain,
    headers: &HeaderMap,
    turn: Turn,
) -> Response {
    turned(web, web.service().turn(environment, bearer, turn).await, bearer, headers)
}

/// With a script the answer is the new state; without, the browser is sent back to the page.
fn turned(web: &Web, found: Found, bearer: &Plain, headers: &HeaderMap) -> Response {
    if wants_json(headers) {
        return state_answer(web, found, bearer, headers);
    }
    match found {
        Ok(Some(_)) => {
            let to = format!("/dialogs/{}", bearer.reveal());
            (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
        }
        Ok(None) => answer::dialog_expired(web, headers),
        Err(fault) => answer::fault(web, headers, &fault),
    }
}

fn state_answer(web: &Web, found: Found, bearer: &Plain, headers: &HeaderMap) -> Response {
    match found {
        Ok(Some(context)) => Json(show(web, &context, bearer, headers).state()).into_response(),
        Ok(None) => answer::dialog_expired(web, headers),
        Err(fault) => answer::fault(web, headers, &fault),
    }
}

/// The fields of a form; of a field that stands twice the last counts, as it does in a browser's own reading.
fn form(body: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
