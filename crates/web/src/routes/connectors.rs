//! `/v2/connectors`: those that ship with the gateway and the organization's own (contract `connect.md`, section 6).

use crate::json_body::{self, JsonBody};
use crate::listing;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::extract::{OriginalUri, Path, Query, Request, State};
use axum::http::header;
use axum::response::Response;
use connect::connector::{Problem, Way};
use connect::credential::{App, Values};
use kernel::{SecretText, Time};
use serde::Deserialize;
use serde_json::{Value, json};
use service::Place;
use service::admin::AdminRefused;
use service::admin::connectors::{ConnectorApp, Listed as Connector};
use service::connect::look_up::Caller;
use std::collections::BTreeMap;

/// What reading needs.
pub const READ: &str = "connectors:read";
/// What storing needs: whoever has it decides where the credentials of the organization's users are sent.
pub const WRITE: &str = "connectors:write";
/// The name under which problems name a definition that came in a request.
const FILE: &str = "definition";

/// What connectors are sorted by.
pub const FIELDS: &[&str] = &["name", "long_name", "kind"];

fn shown_app(app: &ConnectorApp) -> Value {
    json!({ "client_id": app.client_id, "scopes": app.scopes, "modified_date": app.modified.iso_micros() })
}

fn shown(connector: &Connector, apps: &[ConnectorApp]) -> Value {
    let definition = &connector.definition;
    let (connects_by, not_yet) = match definition.way() {
        Way::SignIn => ("sign_in", None),
        Way::Form => ("form", None),
        Way::Nothing => ("nothing", None),
        Way::NotYet(what) => ("not_yet", Some(what)),
    };
    let app = apps.iter().find(|app| app.connector == definition.id);
    json!({
        "name": definition.id,
        "long_name": definition.name,
        "isGlobal": connector.global,
        "kind": definition.kind.as_str(),
        "connects_by": connects_by,
        "not_yet": not_yet,
        "categories": definition.categories,
        "documentation": definition.docs_url,
        "needs_app": definition.needs_app(),
        "app": app.map(shown_app),
    })
}

fn in_detail(connector: &Connector, apps: &[ConnectorApp], text: Option<&str>) -> Value {
    let definition = &connector.definition;
    let mut shown = shown(connector, apps);
    let Some(members) = shown.as_object_mut() else { return shown };
    let inputs = definition.inputs.iter().map(|input| {
        json!({ "name": input.key, "label": input.label, "secret": input.secret, "optional": input.optional })
    });
    let scopes = definition.authorize.as_ref().map(|authorize| authorize.scope.default.clone());
    let more = json!({
        "inputs": inputs.collect::<Vec<_>>(),
        "scopes": scopes.unwrap_or_default(),
        "app_fields": definition.app_fields,
        "verified": definition.verify.is_some(),
        "revoked_outside": definition.revoke.is_some(),
        "webhook_scheme": definition.webhook.is_some(),
        "modified_date": connector.modified.map(Time::iso_micros),
        "definition": text,
    });
    if let Value::Object(more) = more {
        members.extend(more);
    }
    shown
}

/// What the caller can use, by name; an own connector stands for a shipped one of the same name.
async fn known(web: &Web, caller: &Caller) -> Result<(Vec<Connector>, Vec<ConnectorApp>), AdminRefused> {
    let service = web.service();
    let mut connectors = service.connectors(Some(&caller.organization), caller.environment).await?;
    // Own ones come first, and the sort keeps that among equals.
    connectors.sort_by(|one, other| one.definition.id.cmp(&other.definition.id));
    connectors.dedup_by(|later, first| later.definition.id == first.definition.id);
    let mut apps = service.apps(&caller.organization).await?;
    apps.retain(|app| app.environment == caller.environment);
    Ok((connectors, apps))
}

/// A page of connectors.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    match known(&web, &caller).await {
        Ok((connectors, apps)) => {
            let items = connectors.iter().map(|connector| shown(connector, &apps)).collect();
            listing::whole(&query, uri.path(), FIELDS, items)
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// One connector, with its definition.
pub async fn get(State(web): State<Web>, ApiCaller(caller): ApiCaller, Path(name): Path<String>) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    detailed(&web, &caller, &name, 200).await
}

async fn detailed(web: &Web, caller: &Caller, name: &str, status: u16) -> Response {
    let (connectors, apps) = match known(web, caller).await {
        Ok(known) => known,
        Err(no) => return answer::api_refused(&no),
    };
    match connectors.iter().find(|it| it.definition.id.as_str() == name) {
        Some(found) => {
            let text = found.written(web.service().policy);
            answer::json_answer(status, &in_detail(found, &apps, text.as_deref()))
        }
        None => answer::api_message(404, "no connector with this name"),
    }
}

/// A definition in JSON.
#[derive(Debug, Deserialize)]
struct Written {
    definition: String,
}

/// The definition of a request: TOML, as it is or as a text in JSON.
async fn written(web: &Web, request: Request) -> Result<String, Response> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let is_toml = kind.eq_ignore_ascii_case("application/toml");
    let body = json_body::whole(web, request).await?;
    if !is_toml {
        return json_body::read(&body).map(|Written { definition }| definition);
    }
    String::from_utf8(body.to_vec())
        .map_err(|_| answer::api_invalid(&["body"], "TOML is written in UTF-8", "value_error"))
}

/// What is wrong in a definition, each with its line and field.
fn mistaken(problems: &[Problem]) -> Response {
    let detail = problems.iter().map(|problem| {
        let mut place = vec!["body", FILE];
        place.extend(Some(problem.field.as_str()).filter(|field| !field.is_empty()));
        json!({
            "loc": place,
            "msg": problem.text,
            "type": "value_error.connector",
            "ctx": { "line": problem.line },
        })
    });
    answer::json_answer(422, &json!({ "detail": detail.collect::<Vec<_>>() }))
}

/// Stores an own connector: 201 for a new one, 200 for one that takes the place of another.
pub async fn put(State(web): State<Web>, ApiCaller(caller): ApiCaller, request: Request) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let text = match written(&web, request).await {
        Ok(text) => text,
        Err(response) => return response,
    };
    let service = web.service();
    match service.put_connector_of(&caller.actor(), &caller.holder(), FILE, &text).await {
        Ok((definition, is_new)) => {
            let status = if is_new { 201 } else { 200 };
            detailed(&web, &caller, definition.id.as_str(), status).await
        }
        Err(AdminRefused::Connector(problems)) => mistaken(&problems),
        Err(no) => answer::api_refused(&no),
    }
}

/// What an organization registered at an outside system.
#[derive(Deserialize)]
pub struct NewApp {
    client_id: String,
    client_secret: Option<String>,
    scopes: Option<Vec<String>>,
    user_scopes: Option<Vec<String>>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
}

impl std::fmt::Debug for NewApp {
    /// Some of it is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewApp").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Stores the app of the caller's environment as a whole. Its secrets are in no answer.
pub async fn put_app(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(name): Path<String>,
    JsonBody(body): JsonBody<NewApp>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let (service, environment) = (web.service(), caller.environment);
    let NewApp { client_id, client_secret, scopes, user_scopes, fields } = body;
    let client_secret = client_secret.map(SecretText::new);
    let fields = fields.into_iter().collect::<Values>();
    let app = App { client_id, client_secret, scopes, user_scopes, fields };
    let stored = service.put_app(&caller.actor(), &caller.organization, environment, &name, &app).await;
    match stored {
        Ok(()) => {
            let fields: Vec<&str> = app.fields.names().collect();
            answer::json_answer(
                200,
                &json!({
                    "connector": name,
                    "client_id": app.client_id,
                    "has_secret": app.client_secret.is_some(),
                    "scopes": app.scopes.unwrap_or_default(),
                    "user_scopes": app.user_scopes.unwrap_or_default(),
                    "fields": fields,
                    "callback_url": service.places.of(environment).map(Place::callback),
                }),
            )
        }
        Err(no) => answer::api_refused(&no),
    }
}
