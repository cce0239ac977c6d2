//! `/dialogs/{dialog}`: the framed page, its events, and what a person does in it.

use crate::Web;
use crate::answer;
use crate::dialog_page::{asks_first, framing, report_to, show};
use crate::first_page;
use crate::headers::{framed_policy, page_under};
use crate::who::{Bearer, Here, wants_json};
use crate::who_dialog::{AtDialog, Change};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use service::Fault;
use service::connect::turn::Turn;
use service::connect::view::DialogContext;
use std::convert::Infallible;
use std::time::Duration;

/// The page's, in the table.
pub const ROUTE: &str = "/dialogs/{dialog}";
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
            if let Some(response) = first_page::answer(&web, &context, &bearer, headers) {
                return response;
            }
            let mut page = show(&web, &context, &bearer, headers);
            if asks_first(&context, headers) {
                page = page.asking_who_is_there();
            }
            let policy = framed_policy(&framing(&context), &page.shell.nonce, &report_to(&context));
            page_under(page.render(), &policy)
        }
        Ok(None) => answer::dialog_expired(&web, headers),
        Err(fault) => answer::fault(&web, headers, &fault),
    }
}

/// The state as JSON: what polling reads.
pub async fn state(at: AtDialog) -> Response {
    let found = at.web.service().dialog(at.environment, &at.bearer).await;
    state_answer(&at, found)
}

/// The same as server-sent events: one at once, then one per change, until the dialog ends. Whoever finds every
/// seat taken polls instead.
pub async fn events(at: AtDialog) -> Response {
    match at.web.service().dialog(at.environment, &at.bearer).await {
        Ok(Some(_)) => {}
        Ok(None) => return answer::dialog_expired(&at.web, &at.headers),
        Err(fault) => return answer::fault(&at.web, &at.headers, &fault),
    }
    let Some(seat) = at.web.service().bells.sit(&connect::dialog::id_of(&at.bearer)) else {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    };
    let watch = Watch { at, seat, sent: None, is_over: false };
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
    at: AtDialog,
    seat: service::bells::Seat,
    sent: Option<i64>,
    /// What was told last was the end.
    is_over: bool,
}

impl Watch {
    /// `None` ends the stream: the dialog is over, the store does not answer (the page then polls), or the
    /// process stops (the page then asks another node, or this one's successor).
    async fn next(&mut self) -> Option<Event> {
        let web = self.at.web.clone();
        let stopping = &web.service().stopping;
        loop {
            if stopping.has_begun() || self.is_over {
                return None;
            }
            let rung = self.seat.listen();
            let context = web.service().dialog(self.at.environment, &self.at.bearer).await.ok().flatten()?;
            if self.sent != Some(context.dialog.version) {
                self.sent = Some(context.dialog.version);
                self.is_over = context.dialog.stage.is_over();
                let state = show(&web, &context, &self.at.bearer, &self.at.headers).state();
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
pub async fn start_link(Change { at, .. }: Change) -> Response {
    match at.web.service().dialog(at.environment, &at.bearer).await {
        Ok(Some(context)) => {
            let url = at.web.service().start_path(&context.dialog);
            Json(json!({ "start_url": url, "expires_in": connect::attempt::TICKET_LIFETIME_S }))
                .into_response()
        }
        Ok(None) => answer::dialog_expired(&at.web, &at.headers),
        Err(fault) => answer::fault(&at.web, &at.headers, &fault),
    }
}

/// The form of keys, passwords, or what the sign-in address needs.
pub async fn inputs(Change { at, fields }: Change) -> Response {
    let done = at.web.service().enter_inputs(at.environment, &at.bearer, &fields).await;
    turned(&at, done)
}

/// "Yes, that is me": the landing was opened as a link.
pub async fn identity(Change { at, .. }: Change) -> Response {
    turn(&at, Turn::IdentityConfirmed).await
}

/// The short code shown after the callback, typed here.
pub async fn code(Change { at, mut fields }: Change) -> Response {
    let typed = fields.remove("code").unwrap_or_default();
    let done = at.web.service().type_code(at.environment, &at.bearer, &typed).await;
    turned(&at, done)
}

/// Phase two: the dialog takes the pending credential.
pub async fn confirm(Change { at, .. }: Change) -> Response {
    let done = at.web.service().confirm(at.environment, &at.bearer).await;
    turned(&at, done)
}

/// One of several that an `after` step offers.
pub async fn choose(Change { at, mut fields }: Change) -> Response {
    let chosen = fields.remove("choice").unwrap_or_default();
    let done = at.web.service().choose(at.environment, &at.bearer, &chosen).await;
    turned(&at, done)
}

pub async fn cancel(Change { at, .. }: Change) -> Response {
    turn(&at, Turn::Cancelled).await
}

/// Back to the beginning, after a failure or to connect again.
pub async fn retry(Change { at, .. }: Change) -> Response {
    turn(&at, Turn::Retried).await
}

/// Takes the connection away, and revokes it at the outside system where that can be done.
pub async fn disconnect(Change { at, .. }: Change) -> Response {
    let done = at.web.service().disconnect_in_dialog(at.environment, &at.bearer).await;
    turned(&at, done)
}

/// Hands the messages for the parent window to the page; those of a success to one page only, which names itself
/// in the field `page` and may ask again where the answer was lost.
pub async fn announcement(Change { at, fields }: Change) -> Response {
    let page = fields.get("page").map(String::as_str);
    match at.web.service().announce(at.environment, &at.bearer, page).await {
        Ok(Some((config, data))) => {
            Json(json!({ "messages": crate::messages::addressed(&config, &data) })).into_response()
        }
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(fault) => answer::fault(&at.web, &at.headers, &fault),
    }
}

async fn turn(at: &AtDialog, turn: Turn) -> Response {
    turned(at, at.web.service().turn(at.environment, &at.bearer, turn).await)
}

/// With a script the answer is the new state; without, the browser is sent back to the page.
fn turned(at: &AtDialog, found: Found) -> Response {
    if wants_json(&at.headers) {
        return state_answer(at, found);
    }
    match found {
        Ok(Some(_)) => {
            let to = format!("/dialogs/{}", at.bearer.reveal());
            (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
        }
        Ok(None) => answer::dialog_expired(&at.web, &at.headers),
        Err(fault) => answer::fault(&at.web, &at.headers, &fault),
    }
}

fn state_answer(at: &AtDialog, found: Found) -> Response {
    match found {
        Ok(Some(context)) => Json(show(&at.web, &context, &at.bearer, &at.headers).state()).into_response(),
        Ok(None) => answer::dialog_expired(&at.web, &at.headers),
        Err(fault) => answer::fault(&at.web, &at.headers, &fault),
    }
}
