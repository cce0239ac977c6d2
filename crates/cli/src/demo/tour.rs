//! The tour: what to do, and what happened, as it happens.

use super::Stage;
use super::harbor::{Harbor, News};
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

#[derive(Template)]
#[template(path = "demo/tenants.html")]
struct TenantsPage {
    links: Links,
    command: String,
    answer: String,
    empty: bool,
}

pub(crate) fn router(stage: Arc<Stage>, harbor: Arc<Harbor>) -> axum::Router {
    with_files(axum::Router::new())
        .route("/", get(tour))
        .route("/tenants", get(tenants))
        .route("/readme", get(|| async { README }))
        .route("/story", get(story))
        .route("/webhook", post(webhook))
        .with_state(Arc::new(Tour { stage, harbor }))
}

async fn tour(State(tour): State<Arc<Tour>>) -> Response {
    page(tour.stage.addresses, 200, &TourPage { links: tour.stage.links() })
}

/// The same request that any program would make, and its answer.
async fn tenants(State(tour): State<Arc<Tour>>) -> Response {
    let Stage { addresses, service, given, .. } = &*tour.stage;
    let url = format!("{}/v2/tenants", addresses.origin(Site::Gateway));
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
            let empty = value.as_array().is_some_and(Vec::is_empty);
            (serde_json::to_string_pretty(&value).unwrap_or_default(), empty)
        }
        Err(error) => (error, false),
    };
    page(*addresses, 200, &TenantsPage { links: tour.stage.links(), command, answer, empty })
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
