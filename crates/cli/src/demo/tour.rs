//! The tour: what to do, and what happened, as it happens.

use super::Stage;
use super::harbor::{Harbor, News};
use super::setup::ENVIRONMENT;
use super::sites::{Links, Site, json, page, with_files};
use super::story::{Line, Story};
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use kernel::SecretText;
use outbound::Request;
use service::Service;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use url::Url;

/// For reading offline what to do next.
const README: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));

#[derive(Debug)]
struct Tour {
    stage: Arc<Stage>,
    harbor: Arc<Harbor>,
}

#[derive(Template)]
#[template(path = "demo/tour.html")]
struct TourPage {
    links: Links,
}

/// A request that any program would make, and its answer.
#[derive(Template)]
#[template(path = "demo/answer.html")]
struct AnswerPage {
    links: Links,
    title: &'static str,
    about: &'static str,
    command: String,
    answer: String,
    empty: bool,
}

pub(crate) fn router(stage: Arc<Stage>, harbor: Arc<Harbor>) -> axum::Router {
    with_files(axum::Router::new())
        .route("/", get(tour))
        .route("/tenants", get(tenants))
        .route("/runs", get(runs))
        .route("/readme", get(|| async { README }))
        .route("/story", get(story))
        .route("/webhook", post(webhook))
        .with_state(Arc::new(Tour { stage, harbor }))
}

async fn tour(State(tour): State<Arc<Tour>>) -> Response {
    page(tour.stage.addresses, 200, &TourPage { links: tour.stage.links() })
}

async fn tenants(State(tour): State<Arc<Tour>>) -> Response {
    let about = "A tenant is one installation of one integration for one user.";
    answered(&tour, "The tenants", about, "/v2/tenants").await
}

/// Of the newest tenant.
async fn runs(State(tour): State<Arc<Tour>>) -> Response {
    let Stage { service, given, .. } = &*tour.stage;
    let newest = service.newest_tenants(&given.organization, ENVIRONMENT, 1).await;
    let newest = newest.ok().and_then(|(tenants, _)| Some(tenants.first()?.0.id));
    let about = "A run is one time that the integration's program does its work for one tenant.";
    let path = newest.map_or("/v2/tenants/1/runs".to_owned(), |id| format!("/v2/tenants/{id}/runs"));
    answered(&tour, "The runs", about, &path).await
}

async fn answered(tour: &Tour, title: &'static str, about: &'static str, path: &str) -> Response {
    let Stage { addresses, service, given, .. } = &*tour.stage;
    let url = format!("{}{path}", addresses.origin(Site::Gateway));
    let key = given.api_key.reveal();
    let command = format!("curl -H 'X-API-KEY: {key}' {url}");
    let answered = match Url::parse(&url) {
        Ok(url) => {
            let request = Request::get(url).secret_header("x-api-key", SecretText::new(key));
            service.outbound.send(request).await.map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    let value =
        answered.and_then(|answer| answer.json::<serde_json::Value>().map_err(|error| error.to_string()));
    let (answer, empty) = match value {
        Ok(value) => {
            // Not a list: there is no such tenant yet.
            let empty = value.as_array().is_none_or(Vec::is_empty);
            (serde_json::to_string_pretty(&value).unwrap_or_default(), empty)
        }
        Err(error) => (error, false),
    };
    page(*addresses, 200, &AnswerPage { links: tour.stage.links(), title, about, command, answer, empty })
}

/// Harbor wins a deal and sends the news.
async fn webhook(State(tour): State<Arc<Tour>>, headers: HeaderMap) -> Response {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if origin != Some(tour.stage.addresses.origin(Site::Tour).as_str()) {
        return json(403, &serde_json::json!({ "sent": false }));
    }
    let sent = tour.harbor.win_next().await == News::Sent;
    json(200, &serde_json::json!({ "sent": sent }))
}

/// The story as server-sent events, from where the browser was.
async fn story(State(tour): State<Arc<Tour>>, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let reader = Reader {
        story: Arc::clone(&tour.stage.story),
        service: Arc::clone(&tour.stage.service),
        newest: tour.stage.story.listen(),
        read: last.unwrap_or(0),
        waiting: VecDeque::new(),
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let line = reader.next().await?;
        let event = Event::default().id(line.number.to_string()).json_data(&line).unwrap_or_default();
        Some((Ok::<_, Infallible>(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

/// Someone who reads the story.
struct Reader {
    story: Arc<Story>,
    service: Arc<Service>,
    newest: watch::Receiver<u64>,
    read: u64,
    waiting: VecDeque<Line>,
}

impl Reader {
    /// `None` when the demo ends.
    async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                self.read = line.number;
                return Some(line);
            }
            self.waiting.extend(self.story.since(self.read));
            if !self.waiting.is_empty() {
                continue;
            }
            // What was told before the end is read to the end.
            if self.service.stopping.has_begun() {
                return None;
            }
            tokio::select! {
                changed = self.newest.changed() => changed.ok()?,
                () = self.service.stopping.begun() => {}
            }
        }
    }
}
