//! `/oauth2/user-info` (OpenID Connect Core, section 5.3).

use crate::Web;
use crate::oauth_answer::{self, Bearing};
use crate::oauth_form::{Unreadable, bearer, form};
use crate::who::Here;
use crate::who_enter::{UserToken, holder};
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use service::Place;
use service::enter::grant::{TokenHolder, UserToken as Held};

/// The claims of the token's user; the token in `Authorization`.
pub async fn get(
    State(web): State<Web>,
    Here(place): Here,
    UserToken(token): UserToken,
    headers: HeaderMap,
) -> Response {
    answer(&web, &place, &headers, &token)
}

/// The same; the token in `Authorization` or as `access_token` of a form (RFC 6750, section 2.2).
pub async fn post(
    State(web): State<Web>,
    Here(place): Here,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    // A POST with the token in its header needs no form, and no body at all.
    let has_form =
        headers.contains_key(header::CONTENT_TYPE) && body.as_ref().is_ok_and(|body| !body.is_empty());
    let form = match has_form.then(|| form(&headers, body)).transpose() {
        Ok(form) => form,
        Err(refused) => return oauth_answer::refused(&headers, &refused),
    };
    let in_form = form.as_ref().and_then(|form| form.get("access_token"));
    let token = match (bearer(&headers), in_form) {
        (Ok(Some(token)), None) | (Ok(None), Some(token)) => token,
        (Ok(None), None) => return oauth_answer::bearing(Bearing::Missing),
        (Ok(Some(_)), Some(_)) => return oauth_answer::bearing(Bearing::Several),
        (Err(Unreadable), _) => return oauth_answer::bearing(Bearing::Invalid),
    };
    match holder(&web, &place, token).await {
        Ok(TokenHolder::User(token)) => answer(&web, &place, &headers, &token),
        Ok(TokenHolder::ServiceAccount(_)) => oauth_answer::bearing(Bearing::Invalid),
        Err(response) => *response,
    }
}

fn answer(web: &Web, place: &Place, headers: &HeaderMap, token: &Held) -> Response {
    let response = if token.may("openid") {
        match web.service().user_info(place, token) {
            Ok(claims) => oauth_answer::fresh_json(200, &claims),
            Err(fault) => oauth_answer::fault(&fault),
        }
    } else {
        oauth_answer::bearing(Bearing::Scope("openid"))
    };
    oauth_answer::readable_for(headers, Some(&*token.loaded.client), response)
}
