//! `POST /iam.v1.UserIAM/GetSessionToken`: the older exchange of an assertion for an access token (contract `enter.md`,
//! section 4).

use crate::Web;
use crate::answer;
use crate::sso::{body, encoding, refused};
use crate::who::Here;
use axum::extract::{Request, State};
use axum::response::Response;
use enter::service_account::Exchange;
use enter::sso::{Code, Encoding, Refused};
use kernel::jose::strict_json;
use serde_json::{Value, json};
use service::enter::service_token::ExchangeDenied;

/// The route's path, as the record of a refusal has it.
pub const PATH: &str = "/iam.v1.UserIAM/GetSessionToken";

/// `{"token": "<assertion>"}` becomes `{"token": "<access token>"}`.
pub async fn post(State(web): State<Web>, Here(place): Here, request: Request) -> Response {
    let assertion = match assertion(&web, request).await {
        Ok(assertion) => assertion,
        Err(why) => return refused(&why),
    };
    let exchanged =
        web.service().exchange_assertion(&place, Exchange::SessionToken, &assertion, None, PATH).await;
    match exchanged {
        Ok(issued) => answer::json_answer(200, &json!({ "token": issued.token.reveal() })),
        Err(ExchangeDenied::Refused(why)) => {
            refused(&Refused::new(Code::Unauthenticated, format!("token: {why}")))
        }
        Err(ExchangeDenied::Fault(fault)) => {
            tracing::error!(error = %fault, "an assertion could not be exchanged");
            let what = "the gateway cannot answer just now; try again in a few seconds";
            refused(&Refused::new(Code::Unavailable, what))
        }
    }
}

async fn assertion(web: &Web, request: Request) -> Result<String, Refused> {
    if encoding(request.headers()) != Some(Encoding::Json) {
        return Err(Refused::field("content-type", "send application/json"));
    }
    let body = body(web, request).await?;
    let body = strict_json(&body).map_err(|why| Refused::field("body", why))?;
    let token = body.get("token").and_then(Value::as_str).filter(|token| !token.is_empty());
    token.map(str::to_owned).ok_or_else(|| Refused::field("token", "missing; send the signed assertion"))
}
