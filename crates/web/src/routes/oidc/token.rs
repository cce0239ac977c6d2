//! `POST /oauth2/token` (RFC 6749, section 3.2).

use crate::Web;
use crate::oauth_answer;
use crate::oauth_form::{basic, form};
use crate::who::Here;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::Response;
use enter::oidc::authorize::Parameters;
use enter::service_account::Exchange;
use serde_json::json;
use service::Place;
use service::enter::oauth::{OAuthDenied, OAuthRefused};
use service::enter::service_token::ExchangeDenied;

const ROUTE: &str = "/oauth2/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Swaps a code, a refresh token or a service account's assertion for tokens.
pub async fn post(
    State(web): State<Web>,
    Here(place): Here,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let answered = match form(&headers, body) {
        Ok(form) => dispatch(&web, &place, &headers, &form).await,
        Err(refused) => Err(refused.into()),
    };
    match answered {
        Ok(response) => response,
        Err(OAuthDenied::Refused(refused)) => {
            web.service().record_oauth(&place, &refused, ROUTE).await;
            oauth_answer::refused(&headers, &refused)
        }
        Err(OAuthDenied::Fault(fault)) => oauth_answer::fault(&fault),
    }
}

async fn dispatch(
    web: &Web,
    place: &Place,
    headers: &HeaderMap,
    form: &Parameters,
) -> Result<Response, OAuthDenied> {
    let grant = form.get("grant_type");
    let missing = || OAuthRefused::new("invalid_request", "grant_type is missing");
    match grant.ok_or_else(missing)? {
        "authorization_code" | "refresh_token" => {}
        JWT_BEARER => return Ok(exchange(web, place, form).await),
        _ => {
            let text = format!("grant_type must be authorization_code, refresh_token or {JWT_BEARER}");
            return Err(OAuthRefused::new("unsupported_grant_type", text).into());
        }
    }
    let client = web.service().claim_client(place, form, basic(headers)?).await?;
    let tokens = match grant {
        Some("authorization_code") => web.service().redeem_code(place, client, form).await?,
        _ => web.service().refresh(place, client, form).await?,
    };
    let response = oauth_answer::fresh_json(200, &tokens.body());
    Ok(oauth_answer::readable_for(headers, Some(&*tokens.client), response))
}

/// A service account's assertion. It proves its caller by itself, and is recorded where it is judged.
async fn exchange(web: &Web, place: &Place, form: &Parameters) -> Response {
    let Some(assertion) = form.get("assertion") else {
        let refused = OAuthRefused::new("invalid_request", "assertion is missing");
        return oauth_answer::refused(&HeaderMap::new(), &refused);
    };
    let exchanged =
        web.service().exchange_assertion(place, Exchange::Bearer, assertion, form.get("scope"), ROUTE).await;
    match exchanged {
        Ok(token) => oauth_answer::fresh_json(
            200,
            &json!({
                "access_token": token.token.reveal(),
                "token_type": "Bearer",
                "expires_in": token.expires_in,
                "scope": token.scopes.join(" "),
            }),
        ),
        Err(ExchangeDenied::Refused(refused)) => {
            oauth_answer::refused(&HeaderMap::new(), &OAuthRefused::new("invalid_grant", refused))
        }
        Err(ExchangeDenied::Fault(fault)) => oauth_answer::fault(&fault),
    }
}
