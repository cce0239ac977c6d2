//! `POST /oauth2/revoke` (RFC 7009), `/oauth2/introspect` (RFC 7662) and `/oauth2/par` (RFC 9126): a client proves
//! itself, and asks one thing.

use crate::Web;
use crate::oauth_answer;
use crate::oauth_form::{basic, form};
use crate::who::Here;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use enter::oidc::Client;
use enter::oidc::authorize::Parameters;
use enter::oidc::par::PUSHED_LIFETIME_S;
use serde_json::json;
use service::Place;
use service::enter::oauth::{OAuthDenied, OAuthRefused};
use std::sync::Arc;

type Body = Result<Bytes, BytesRejection>;

/// The proven client and its form.
async fn proven(
    web: &Web,
    place: &Place,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Arc<Client>, Parameters), OAuthDenied> {
    let form = form(headers, body)?;
    let client = web.service().prove_client(place, &form, basic(headers)?).await?;
    Ok((client, form))
}

fn token<'f>(client: &Client, form: &'f Parameters) -> Result<&'f str, OAuthRefused> {
    form.get("token").ok_or_else(|| OAuthRefused::new("invalid_request", "token is missing").of(client))
}

async fn denied(
    web: &Web,
    place: &Place,
    headers: &HeaderMap,
    denied: OAuthDenied,
    route: &'static str,
) -> Response {
    match denied {
        OAuthDenied::Refused(refused) => {
            web.service().record_oauth(place, &refused, route).await;
            oauth_answer::refused(headers, &refused)
        }
        OAuthDenied::Fault(fault) => oauth_answer::fault(&fault),
    }
}

/// Ends a token. 200 also for one that is not there.
pub async fn revoke(State(web): State<Web>, Here(place): Here, headers: HeaderMap, body: Body) -> Response {
    let done = async {
        let (client, form) = proven(&web, &place, &headers, body).await?;
        web.service().revoke_token(&place, &client, token(&client, &form)?).await?;
        Ok(client)
    };
    match done.await {
        Ok(client) => oauth_answer::readable_for(&headers, Some(&*client), StatusCode::OK.into_response()),
        Err(error) => denied(&web, &place, &headers, error, "/oauth2/revoke").await,
    }
}

/// What a token is worth.
pub async fn introspect(
    State(web): State<Web>,
    Here(place): Here,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let done = async {
        let form = form(&headers, body)?;
        let client = web.service().claim_client(&place, &form, basic(&headers)?).await?;
        web.service().introspect_token(&place, client, form.get("token")).await
    };
    match done.await {
        Ok(answer) => oauth_answer::fresh_json(200, &answer),
        Err(error) => denied(&web, &place, &headers, error, "/oauth2/introspect").await,
    }
}

/// Keeps an authorization request and answers its reference.
pub async fn push(State(web): State<Web>, Here(place): Here, headers: HeaderMap, body: Body) -> Response {
    let done = async {
        let (client, form) = proven(&web, &place, &headers, body).await?;
        Ok((web.service().push_request(&client, &form).await?, client))
    };
    match done.await {
        Ok((request_uri, client)) => {
            let body = json!({ "request_uri": request_uri.reveal(), "expires_in": PUSHED_LIFETIME_S });
            oauth_answer::readable_for(&headers, Some(&*client), oauth_answer::fresh_json(201, &body))
        }
        Err(error) => denied(&web, &place, &headers, error, "/oauth2/par").await,
    }
}
