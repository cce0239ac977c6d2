//! `/.well-known/openid-configuration` and `/.well-known/oauth-authorization-server` (OpenID Connect Discovery,
//! RFC 8414), and the key set that they name. A test holds each promise against what the endpoints do.

use crate::Web;
use crate::oauth_answer;
use crate::texts::Locale;
use crate::who::Here;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use enter::oidc::claims::Claim;
use enter::oidc::registration::SCOPES;
use enter::session::ACR;
use enter::signing::ALGORITHMS;
use serde_json::{Value, json};
use service::Place;

/// What the token endpoint takes (RFC 6749, section 4.1.3 and 6; RFC 7523, section 2.1).
const GRANTS: [&str; 3] =
    ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"];
/// How a client proves itself where it must: at introspection and, with `none` beside, everywhere else.
const PROOFS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
/// Claims that are there without being asked for by name.
const OTHER_CLAIMS: [&str; 16] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nonce",
    "at_hash",
    "sid",
    "act",
    "partner_id",
    "namespace",
    "account_id",
    "roles",
    "back_url",
    "back_url_text",
    "product_navbar_data_url",
];

/// What this place promises.
fn document(place: &Place) -> Value {
    let algorithms: Vec<&str> = ALGORITHMS.iter().map(|algorithm| algorithm.as_str()).collect();
    let with_none: Vec<&str> = PROOFS.into_iter().chain(["none"]).collect();
    let claims = OTHER_CLAIMS.into_iter().chain(Claim::ALL.map(Claim::as_str));
    let locales: Vec<&str> = Locale::ALL.iter().map(|locale| locale.tag()).collect();
    json!({
        "issuer": place.url(),
        "authorization_endpoint": place.link("/oauth2/auth"),
        "token_endpoint": place.link("/oauth2/token"),
        "userinfo_endpoint": place.link("/oauth2/user-info"),
        "jwks_uri": place.link("/oauth2/v1/certs"),
        "end_session_endpoint": place.link("/oauth2/logout"),
        "revocation_endpoint": place.link("/oauth2/revoke"),
        "introspection_endpoint": place.link("/oauth2/introspect"),
        "pushed_authorization_request_endpoint": place.link("/oauth2/par"),
        "require_pushed_authorization_requests": false,
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANTS,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported": with_none,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": with_none,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": PROOFS,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "acr_values_supported": [ACR],
        "claim_types_supported": ["normal"],
        "claims_supported": claims.collect::<Vec<_>>(),
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "ui_locales_supported": locales,
    })
}

/// The same at both addresses.
pub async fn configuration(Here(place): Here) -> Response {
    public(Json(document(&place)).into_response(), "public, max-age=3600")
}

/// The public halves of the keys that sign, did lately, or soon will (RFC 7517).
pub async fn certs(State(web): State<Web>, Here(place): Here) -> Response {
    match web.service().issuer_keys(place.environment).await {
        Ok(keys) => {
            let kind = [(header::CONTENT_TYPE, "application/jwk-set+json")];
            // A quarter of an hour, where the plan leaves a day: an app that keeps it knows each key in time.
            public((kind, keys.document().to_string()).into_response(), "public, max-age=900")
        }
        Err(fault) => oauth_answer::fault(&fault),
    }
}

fn public(mut response: Response, caching: &'static str) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    oauth_answer::readable_for_all(response)
}
