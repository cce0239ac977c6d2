//! What programs see of Harbor: tokens, who they speak for, and the registration of webhooks.

use super::Harbor;
use super::books::{TOKEN_LIFETIME_S, Tokens};
use crate::demo::setup::CLIENT_ID;
use crate::demo::sites::{bearer, json};
use crate::demo::story::{At, Line, Milestone};
use axum::extract::{Form, Json, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::Plain;
use serde::Deserialize;
use serde_json::json as object;
use std::collections::HashMap;
use std::sync::Arc;

impl Harbor {
    /// HTTP Basic with the client's id and secret (RFC 6749, section 2.3.1; neither has characters to escape).
    fn is_client(&self, headers: &HeaderMap) -> bool {
        let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let basic = basic.and_then(|value| value.strip_prefix("Basic "));
        let presented = basic.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        let wanted = format!("{CLIENT_ID}:{}", self.stage.given.client_secret.reveal());
        Plain::presented(String::from_utf8_lossy(&presented)).hashed() == Plain::presented(wanted).hashed()
    }
}

/// The token endpoint.
pub(super) async fn token(
    State(harbor): State<Arc<Harbor>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    if !harbor.is_client(&headers) {
        return json(401, &object!({ "error": "invalid_client" }));
    }
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let service = &harbor.stage.service;
    let (now, chance) = (service.clock.now(), &*service.chance);
    let swapped = of("grant_type") == "authorization_code";
    let tokens = match of("grant_type") {
        "authorization_code" => {
            harbor.books().swap(of("code"), of("redirect_uri"), of("code_verifier"), now, chance)
        }
        "refresh_token" => harbor.books().refresh(of("refresh_token"), now, chance),
        _ => return json(400, &object!({ "error": "unsupported_grant_type" })),
    };
    let Some(Tokens { access, refresh, scope }) = tokens else {
        let line = Line::new(At::Harbor, "Gave no token", "The code or its proof does not fit.");
        harbor.stage.story.tell(line.bad());
        return json(400, &object!({ "error": "invalid_grant" }));
    };
    let answer = |access: &str, refresh: &str| {
        object!({
            "access_token": access,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": TOKEN_LIFETIME_S,
            "scope": scope,
        })
    };
    if swapped {
        let text = "The gateway proved that it is Acme's, and with PKCE that it is the one who asked.";
        let shown = answer("hbr_at_••••", "hbr_rt_••••");
        harbor
            .stage
            .story
            .tell(Line::new(At::Harbor, "Swapped the code for tokens", text).json("The answer", &shown));
    } else {
        let text = "The gateway asked before the old one ended. The refresh token is a new one too, and the old pair \
                    is worth nothing any more.";
        let line = Line::new(At::Harbor, "Renewed the access token", text).reaches(Milestone::Renewed);
        harbor.stage.story.tell(line);
    }
    json(200, &answer(access.reveal(), refresh.reveal()))
}

/// RFC 7009: the answer is the same for a token that is not known.
pub(super) async fn revoke(
    State(harbor): State<Arc<Harbor>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    if !harbor.is_client(&headers) {
        return json(401, &object!({ "error": "invalid_client" }));
    }
    let token = form.get("token").map(String::as_str).unwrap_or_default();
    if harbor.books().revoke(token) {
        let text =
            "The gateway asked for it. The tokens and the webhook of this connection are gone here too.";
        harbor.stage.story.tell(Line::new(At::Harbor, "Revoked the access", text));
    }
    json(200, &object!({}))
}

/// Whom the access token speaks for.
pub(super) async fn me(State(harbor): State<Arc<Harbor>>, headers: HeaderMap) -> Response {
    let now = harbor.stage.service.clock.now();
    let books = harbor.books();
    let grant = bearer(&headers).and_then(|token| books.grant_of(token, now));
    match grant {
        Some(grant) => {
            let account = grant.account;
            let answer = object!({ "sub": account.id, "email": account.email, "name": account.name, "workspace": account.workspace });
            json(200, &answer)
        }
        None => json(401, &object!({ "error": "invalid_token" })),
    }
}

#[derive(Deserialize)]
pub(super) struct Registration {
    url: String,
    events: Vec<String>,
}

/// Registers a webhook. Its secret is answered once.
pub(super) async fn register(
    State(harbor): State<Arc<Harbor>>,
    headers: HeaderMap,
    Json(wanted): Json<Registration>,
) -> Response {
    let now = harbor.stage.service.clock.now();
    let hook = {
        let mut books = harbor.books();
        let grant = bearer(&headers).and_then(|token| books.grant_of(token, now)).cloned();
        grant.map(|grant| books.hook(&grant, &wanted.url, &*harbor.stage.service.chance))
    };
    let Some(hook) = hook else { return json(401, &object!({ "error": "invalid_token" })) };
    let text = format!(
        "The gateway registered this tenant's own address for {} and got a secret to check signatures with.",
        wanted.events.join(", ")
    );
    harbor.stage.story.tell(Line::new(At::Harbor, "Took a webhook's address", text));
    json(201, &object!({ "id": hook.id, "url": hook.url, "secret": hook.secret.reveal() }))
}
