//! The witness at the gateway's door: sees each request and its answer, then looks up in the database what
//! became of it, and tells the story. It changes nothing.

use super::Stage;
use super::setup::ENVIRONMENT;
use super::sites::Site;
use super::story::{At, Line, Milestone, Story};
use super::witness_enter::SeenEntering;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::Response;
use connect::dialog::{Failure, Stage as DialogStage};
use kernel::Plain;
use kernel::ids::{DeliveryId, TenantId};
use serde_json::{Value, json};
use service::connect::look_up::Shape;
use service::connect::view::DialogContext;
use std::sync::Arc;
use store::deliveries;

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Witness {
    stage: Arc<Stage>,
}

/// What a person does in a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Announcement,
    Disconnect,
    Other,
}

/// A request that the story tells of.
enum Seen {
    Landing,
    Start,
    Callback,
    Dialog { bearer: Plain, action: Action },
    Webhook,
    Entering(SeenEntering),
}

impl Seen {
    fn of(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let post = method == Method::POST;
        match parts.as_slice() {
            [_, _, "auth"] => Some(Self::Landing),
            ["start", _] => Some(Self::Start),
            ["oauth2", "callback"] => Some(Self::Callback),
            ["dialogs", bearer, action] if post => {
                let action = match *action {
                    "announcement" => Action::Announcement,
                    "disconnect" => Action::Disconnect,
                    _ => Action::Other,
                };
                Some(Self::Dialog { bearer: Plain::presented(*bearer), action })
            }
            ["v1", "webhooks", _] if post => Some(Self::Webhook),
            _ => SeenEntering::of(method, path).map(Self::Entering),
        }
    }
}

/// The layer.
pub(crate) async fn watch(State(witness): State<Arc<Witness>>, request: Request, next: Next) -> Response {
    let Some(seen) = Seen::of(request.method(), request.uri().path()) else { return next.run(request).await };
    let response = next.run(request).await;
    match seen {
        Seen::Landing => witness.landing(response).await,
        Seen::Start => witness.start(response),
        Seen::Callback => witness.callback(response),
        Seen::Dialog { bearer, action } => witness.dialog(&bearer, action, response).await,
        Seen::Webhook => witness.webhook(response).await,
        Seen::Entering(seen) => witness.entering(seen, response).await,
    }
}

impl Witness {
    pub(crate) const fn new(stage: Arc<Stage>) -> Self {
        Self { stage }
    }

    pub(super) fn story(&self) -> &Story {
        &self.stage.story
    }

    pub(super) fn origin(&self, site: Site) -> String {
        self.stage.addresses.origin(site)
    }

    fn tell(&self, title: &str, text: impl Into<String>) {
        self.stage.story.tell(Line::new(At::Gateway, title, text));
    }

    async fn context(&self, bearer: &Plain) -> Option<DialogContext> {
        self.stage.service.dialog(ENVIRONMENT, bearer).await.ok().flatten()
    }

    async fn landing(&self, response: Response) -> Response {
        let bearer = location(&response).and_then(|to| to.strip_prefix("/dialogs/").map(Plain::presented));
        let context = match &bearer {
            Some(bearer) => self.context(bearer).await,
            None => None,
        };
        let Some(context) = context else {
            let text = format!(
                "The answer is {}. Nothing was opened, and the reason is recorded.",
                response.status()
            );
            self.stage.story.tell(Line::new(At::Gateway, "Refused a token", text).bad());
            return response;
        };
        let dialog = &context.dialog;
        let facts = json!({
            "person": { "username": dialog.visitor.username, "name": dialog.visitor.display_name, "email": dialog.visitor.email },
            "xti": dialog.visitor.extra,
            "integration": dialog.integration,
            "connector": dialog.connector,
            "framed": dialog.framed,
            "expires_in_seconds": dialog.expires.seconds_since(dialog.created),
            "bearer": "256 bits in the page's path; only its SHA-256 is stored",
        });
        let text = "The signature and every claim are right, and this token's jti can never be used again. \
                    The browser goes on to an address without the token.";
        let line = Line::new(At::Gateway, "Verified the token, opened a dialog", text);
        self.stage.story.tell(line.json("The dialog", &facts));
        response
    }

    fn start(&self, response: Response) -> Response {
        let to = location(&response).and_then(|to| url::Url::parse(to).ok());
        let Some(to) = to else { return response };
        let sent: serde_json::Map<String, Value> = to
            .query_pairs()
            .map(|(name, value)| {
                let short = if name == "state" { shortened(&value, 12) } else { value.into_owned() };
                (name.into_owned(), Value::String(short))
            })
            .collect();
        let text = "One click, one single-use start link. A cookie binds this browser to the attempt, and PKCE \
                    binds the answer to it.";
        let title = format!("Sent the person to {}", to.host_str().unwrap_or_default());
        self.stage
            .story
            .tell(Line::new(At::Gateway, title, text).json("What was asked", &Value::Object(sent)));
        response
    }

    fn callback(&self, response: Response) -> Response {
        if response.status().is_success() {
            let text = "State, cookie and issuer fit. The code became a credential, sealed and pending until the \
                        page that asked for it takes it.";
            self.tell("Welcomed the person back", text);
        } else {
            let line =
                Line::new(At::Gateway, "Came back without a connection", "The page says why in a sentence.");
            self.stage.story.tell(line.bad());
        }
        response
    }

    async fn dialog(&self, bearer: &Plain, action: Action, response: Response) -> Response {
        if !response.status().is_success() && !response.status().is_redirection() {
            return response;
        }
        let Some(context) = self.context(bearer).await else { return response };
        if action == Action::Announcement {
            return self.announcement(&context, response).await;
        }
        if action == Action::Disconnect {
            let text =
                "The credential is gone from the database. The tenant stays, so that a new connect finds it.";
            self.tell(&format!("Disconnected {}", context.definition.name), text);
        }
        let key = |what: &str| format!("{what}:{}:{}", context.reference(), context.dialog.version);
        match &context.dialog.stage {
            DialogStage::Success { tenant } => self.installed(&context, *tenant).await,
            DialogStage::Cancelled => {
                let line = Line::new(At::Gateway, "Cancelled", "Nothing was stored.");
                self.stage.story.tell_once(key("cancelled"), line);
            }
            DialogStage::Failed { failure, detail, .. } => {
                let title = match failure {
                    Failure::InvalidCredentials => "The key was not accepted",
                    _ => "Did not connect",
                };
                let text = detail.clone().unwrap_or_else(|| format!("{failure:?}"));
                self.stage.story.tell_once(key("failed"), Line::new(At::Gateway, title, text).bad());
            }
            _ => {}
        }
        response
    }

    /// The credential as it lies in the database, and the tenant as programs read it.
    async fn installed(&self, context: &DialogContext, tenant: TenantId) {
        let Stage { service, given, story, .. } = &*self.stage;
        let key = format!("{}:{}", context.reference(), context.dialog.version);
        let found = service.newest_tenants(&given.organization, ENVIRONMENT, 100).await;
        let (tenants, _) = found.unwrap_or_default();
        let connections = tenants.into_iter().find(|(found, _)| found.id == tenant).map(|(_, all)| all);
        for connection in connections.unwrap_or_default().into_iter().filter(|connection| !connection.own) {
            let Some(sealed) = &connection.credential else { continue };
            let text = "AES-256-GCM under Acme's own data key, which the master key wraps. This is all that a \
                        thief of the database would see.";
            let line = Line::new(At::Gateway, "Sealed the credential", text);
            let row = json!({
                "id": connection.id,
                "connector": connection.connector,
                "account": connection.account,
                "credential": shortened(sealed.as_str(), 64),
            });
            story.tell_once(format!("sealed:{key}"), line.json("The row", &row));
        }
        let caller = service.caller(ENVIRONMENT, &given.api_key).await.ok().flatten();
        let Some(caller) = caller else { return };
        let id = tenant;
        let Ok(Some(tenant)) = service.tenant(&caller, id, Shape::V1).await else { return };
        let text = format!(
            "Installation {} of {} for {}. User, connections, webhook addresses and the first trigger went into \
             one transaction.",
            id,
            text_at(&tenant, "/integration/name"),
            context.dialog.visitor.username
        );
        let line = Line::new(At::Gateway, "Installed the tenant", text).reaches(Milestone::Connected);
        story.tell_once(format!("installed:{key}"), line.json("The tenant", &tenant));
    }

    async fn announcement(&self, context: &DialogContext, response: Response) -> Response {
        let (response, body) = read(response).await;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        for message in answer.get("messages").and_then(Value::as_array).into_iter().flatten() {
            let name = text_at(message, "/data/message");
            let to = text_at(message, "/targetOrigin");
            let text = format!("{name}, delivered by the browser only to a parent of exactly {to}.");
            let line = Line::new(At::Gateway, "Told the parent window", text);
            let data = masked(message.get("data").unwrap_or(&Value::Null));
            let key = format!("told:{}:{}:{to}:{name}", context.reference(), context.dialog.version);
            self.stage.story.tell_once(key, line.json("The message", &data));
        }
        response
    }

    /// The delivery as it was stored before it was acknowledged.
    async fn webhook(&self, response: Response) -> Response {
        let status = response.status();
        let (response, body) = read(response).await;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let id = DeliveryId::parse(text_at(&answer, "/id")).ok();
        let Some(id) = id else {
            let text = format!("Answered {status}: {}", text_at(&answer, "/message"));
            let line = Line::new(At::Gateway, "Took no new delivery", text);
            self.stage.story.tell(if status.is_success() { line } else { line.bad() });
            return response;
        };
        let organization = self.stage.given.organization.clone();
        let read = self
            .stage
            .service
            .db
            .read(move |tx| Box::pin(async move { deliveries::by_id(tx, &organization, &id).await }));
        let Ok(Some(delivery)) = read.await else { return response };
        let headers: serde_json::Map<String, Value> = delivery
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("harbor-") || name == "content-type")
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let row = json!({
            "id": delivery.id,
            "tenant": delivery.tenant,
            "dedupe": delivery.dedupe,
            "headers": headers,
            "body": serde_json::from_slice::<Value>(&delivery.body).unwrap_or_default(),
        });
        let text = "Its signature fits, it is on disk, and only then came the answer 202.";
        let line = Line::new(At::Gateway, "A webhook arrived", text).reaches(Milestone::WebhookArrived);
        self.stage.story.tell(line.json("The delivery", &row));
        response
    }
}

pub(super) fn location(response: &Response) -> Option<&str> {
    response.headers().get(header::LOCATION)?.to_str().ok()
}

/// The answer's body, and the answer with it.
pub(super) async fn read(response: Response) -> (Response, Bytes) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, LARGEST_ANSWER).await.unwrap_or_default();
    (Response::from_parts(parts, Body::from(body.clone())), body)
}

fn text_at<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn shortened(text: &str, characters: usize) -> String {
    let start: String = text.chars().take(characters).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}

/// An address, a parameter a line, with long values cut short: some of them are secrets of this one trip.
pub(super) fn masked_query(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return shortened(url, 40) };
    let mut text = format!("{}{}", url.origin().ascii_serialization(), url.path());
    for (name, value) in url.query_pairs() {
        let most = if name == "serviceContext" { 400 } else { 24 };
        text.push_str(&format!("\n  {name} = {}", shortened(&value, most)));
    }
    text
}

/// The message with its webhook address cut short: whoever knows it may send deliveries.
fn masked(data: &Value) -> Value {
    let mut data = data.clone();
    if let Some(Value::String(url)) = data.get_mut("webhook_url") {
        let end = url.rfind('/').map_or(url.len(), |slash| (slash + 9).min(url.len()));
        *url = format!("{}…", url.get(..end).unwrap_or_default());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_story_are_cut_short() {
        let data = json!({ "webhook_url": "http://c.localhost/v1/webhooks/abcdefghijklmnop" });
        assert_eq!(masked(&data)["webhook_url"], "http://c.localhost/v1/webhooks/abcdefgh…");
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "abc…");
    }

    #[test]
    fn only_what_matters_is_seen() {
        assert!(matches!(Seen::of(&Method::POST, "/acme/harbor/auth"), Some(Seen::Landing)));
        assert!(Seen::of(&Method::GET, "/dialogs/x/state").is_none());
        let seen = Seen::of(&Method::POST, "/dialogs/x/announcement");
        assert!(matches!(seen, Some(Seen::Dialog { action: Action::Announcement, .. })));
        assert!(Seen::of(&Method::GET, "/static/abc/dialog.js").is_none());
    }
}
