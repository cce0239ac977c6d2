//! What an organization's programs see and change of its own settings: origins, signing keys, API keys. Everything is of
//! the key's environment, except the organization itself, which has none.

use crate::json_body::JsonBody;
use crate::listing;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use connect::api_key::ApiKey;
use connect::signing_key::{Algorithm, Material, SigningKey};
use kernel::Time;
use kernel::ids::{ApiKeyId, SigningKeyId};
use serde::Deserialize;
use serde_json::{Value, json};
use service::admin::signing_keys::{NewMaterial, OVERLAP_S};
use service::connect::look_up::Caller;

/// What reading needs.
pub const READ: &str = "settings:read";
/// What changing needs: whoever has it decides who may embed pages and sign tokens.
pub const WRITE: &str = "settings:write";

type Parameters = Vec<(String, String)>;

/// What the lists are sorted by that are read whole.
pub mod fields {
    pub const ORGANIZATIONS: &[&str] = &["id", "slug", "name", "created_date"];
    pub const ORIGINS: &[&str] = &["origin"];
    pub const SIGNING_KEYS: &[&str] = &["created_date", "id", "name", "algorithm", "state"];
    pub const API_KEYS: &[&str] = &["created_date", "id", "name", "revoked_date"];
}

/// The caller's own organization, as the only one of a list.
pub async fn organizations(
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Parameters>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    let organization = &caller.config.organization;
    let shown = json!({
        "id": organization.id,
        "slug": organization.slug,
        "name": organization.name,
        "brand": organization.brand.as_str(),
        "namespace": organization.namespace(caller.environment),
        "created_date": organization.created.iso_micros(),
    });
    listing::whole(&query, uri.path(), fields::ORGANIZATIONS, vec![shown])
}

/// The origins that may frame pages.
pub async fn origins(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Parameters>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    match web.service().origins(&caller.organization, caller.environment).await {
        Ok(origins) => {
            let items = origins.iter().map(|it| json!({ "origin": it.as_str() })).collect();
            listing::whole(&query, uri.path(), fields::ORIGINS, items)
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// An origin that is registered or taken away.
#[derive(Debug, Deserialize)]
pub struct OneOrigin {
    origin: String,
}

/// Registers an origin.
pub async fn add_origin(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    JsonBody(body): JsonBody<OneOrigin>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let (service, owner) = (web.service(), &caller.organization);
    match service.add_origin(&caller.actor(), owner, caller.environment, &body.origin).await {
        Ok(added) => {
            let status = if added { StatusCode::CREATED } else { StatusCode::OK };
            (status, Json(json!({ "origin": body.origin }))).into_response()
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// Takes an origin away.
pub async fn remove_origin(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Query(query): Query<OneOrigin>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let (service, owner) = (web.service(), &caller.organization);
    match service.remove_origin(&caller.actor(), owner, caller.environment, &query.origin).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(no) => answer::api_refused(&no),
    }
}

fn shown_key(key: &SigningKey, now: Time) -> Value {
    let state = match (key.revoked, key.retires) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "retired",
        (None, Some(_)) => "retiring",
        (None, None) => "live",
    };
    let url = match &key.material {
        Material::JwksUrl(url) => Some(url.as_str()),
        _ => None,
    };
    json!({
        "id": key.id,
        "name": key.name,
        "algorithm": key.algorithm.as_str(),
        "jwks_url": url,
        "state": state,
        "created_date": key.created.iso_micros(),
    })
}

/// The keys that tokens are signed with, without their secrets.
pub async fn signing_keys(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Parameters>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    let now = web.service().clock.now();
    match web.service().signing_keys(&caller.organization).await {
        Ok(keys) => {
            let own = keys.iter().filter(|key| key.environment == caller.environment);
            let items = own.map(|key| shown_key(key, now)).collect();
            listing::whole(&query, uri.path(), fields::SIGNING_KEYS, items)
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// A signing key that is to be made or registered.
#[derive(Debug, Deserialize)]
pub struct NewKey {
    name: String,
    algorithm: Option<String>,
    /// JWK or PEM.
    public_key: Option<String>,
    jwks_url: Option<String>,
}

/// Makes a shared secret, which is shown this once, or registers a public key.
pub async fn add_signing_key(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    JsonBody(body): JsonBody<NewKey>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let Some(algorithm) = Algorithm::parse(body.algorithm.as_deref().unwrap_or("HS256")) else {
        let text = "this is HS256, RS256, ES256 or EdDSA";
        return answer::api_invalid(&["body", "algorithm"], text, "value_error");
    };
    let material = match (body.public_key, body.jwks_url) {
        (Some(_), Some(_)) => {
            return answer::api_invalid(
                &["body", "jwks_url"],
                "a key or an address, not both",
                "value_error",
            );
        }
        (Some(key), None) => NewMaterial::PublicKey(key),
        (None, Some(url)) => NewMaterial::JwksUrl(url),
        (None, None) => NewMaterial::Secret,
    };
    let (service, actor, owner) = (web.service(), caller.actor(), &caller.organization);
    let made = service.add_signing_key(&actor, owner, caller.environment, algorithm, &body.name, material);
    match made.await {
        Ok((key, secret)) => {
            let mut shown = shown_key(&key, service.clock.now());
            if let (Some(secret), Some(fields)) = (secret, shown.as_object_mut()) {
                fields.insert("secret".to_owned(), json!(secret.reveal()));
            }
            answer::json_answer(201, &shown)
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// The key of this id, where it is one of the caller's environment.
async fn own_signing_key(web: &Web, caller: &Caller, id: &str) -> Result<SigningKeyId, Response> {
    let not_found = || answer::api_message(404, "no signing key with this id");
    let id = SigningKeyId::parse(id).map_err(|_| not_found())?;
    let keys = web.service().signing_keys(&caller.organization).await;
    let keys = keys.map_err(|no| answer::api_refused(&no))?;
    let own = keys.iter().any(|it| it.id == id && it.environment == caller.environment);
    if own { Ok(id) } else { Err(not_found()) }
}

/// Ends a signing key at once.
pub async fn revoke_signing_key(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(key): Path<String>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let key = match own_signing_key(&web, &caller, &key).await {
        Ok(key) => key,
        Err(response) => return response,
    };
    match web.service().revoke_signing_key(&caller.actor(), &caller.organization, &key).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(no) => answer::api_refused(&no),
    }
}

/// How a signing key is rotated.
#[derive(Debug, Deserialize)]
pub struct Rotation {
    /// How long the old one is accepted beside the new one, in seconds.
    overlap_s: Option<i64>,
}

/// Makes a new shared secret, which is shown this once, in place of another.
pub async fn rotate_signing_key(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(key): Path<String>,
    JsonBody(body): JsonBody<Rotation>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let key = match own_signing_key(&web, &caller, &key).await {
        Ok(key) => key,
        Err(response) => return response,
    };
    let (service, overlap_s) = (web.service(), body.overlap_s.unwrap_or(OVERLAP_S));
    match service.rotate_signing_key(&caller.actor(), &caller.organization, &key, overlap_s).await {
        Ok((key, secret)) => {
            let mut shown = shown_key(&key, service.clock.now());
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("secret".to_owned(), json!(secret.reveal()));
            }
            answer::json_answer(201, &shown)
        }
        Err(no) => answer::api_refused(&no),
    }
}

fn shown_api_key(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "created_date": key.created.iso_micros(),
        "revoked_date": key.revoked.map(Time::iso_micros),
    })
}

async fn own_api_keys(web: &Web, caller: &Caller) -> Result<Vec<ApiKey>, Response> {
    let mut keys =
        web.service().api_keys(&caller.organization).await.map_err(|no| answer::api_refused(&no))?;
    keys.retain(|key| key.environment == caller.environment);
    Ok(keys)
}

/// API keys, without what they are presented with.
pub async fn api_keys(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Parameters>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    match own_api_keys(&web, &caller).await {
        Ok(keys) => {
            listing::whole(&query, uri.path(), fields::API_KEYS, keys.iter().map(shown_api_key).collect())
        }
        Err(response) => response,
    }
}

/// An API key that is to be made.
#[derive(Debug, Deserialize)]
pub struct NewApiKey {
    name: String,
    scopes: Vec<String>,
}

/// Makes an API key, which is shown this once.
///
/// Decision: a key makes keys of its own scopes at most. Attack: a program that may change settings gives itself the
/// right to read credentials. Trade: the first key of a scope comes from the operator.
pub async fn add_api_key(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    JsonBody(body): JsonBody<NewApiKey>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    if let Some(beyond) = body.scopes.iter().find(|scope| !caller.may(scope)) {
        let text = format!("a key gives no more than it has: `{}`", beyond.escape_debug());
        return answer::api_invalid(&["body", "scopes"], &text, "value_error");
    }
    let (service, actor, owner) = (web.service(), caller.actor(), &caller.organization);
    match service.create_api_key(&actor, owner, caller.environment, &body.name, &body.scopes).await {
        Ok((key, secret)) => {
            let mut shown = shown_api_key(&key);
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("key".to_owned(), json!(secret.reveal()));
            }
            answer::json_answer(201, &shown)
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// Ends an API key at once; also its own.
pub async fn revoke_api_key(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(key): Path<String>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let not_found = || answer::api_message(404, "no API key with this id");
    let Ok(key) = ApiKeyId::parse(&key) else { return not_found() };
    match own_api_keys(&web, &caller).await {
        Ok(keys) if keys.iter().any(|it| it.id == key) => {}
        Ok(_) => return not_found(),
        Err(response) => return response,
    }
    match web.service().revoke_api_key(&caller.actor(), &caller.organization, &key).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(no) => answer::api_refused(&no),
    }
}
