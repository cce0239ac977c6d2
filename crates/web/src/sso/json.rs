//! `sso.v1` as JSON over any HTTP.

use super::carry_out::{Input, caller, carry_out};
use super::{bearer, late, longest};
use crate::Web;
use crate::answer;
use crate::who;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use enter::sso::{Code, Method, Refused};
use serde_json::Value;
use service::Place;

pub(super) async fn call(web: &Web, method: Method, request: Request) -> Response {
    let Some(place) = who::place(web.service(), request.uri(), request.headers()).cloned() else {
        return answer::host_unknown(web, request.headers());
    };
    let answered = tokio::time::timeout(longest(web), answered(web, &place, method, request)).await;
    match answered.unwrap_or_else(|_| Err(late())) {
        Ok(answer) => answer::json_answer(200, &answer),
        Err(refused) => self::refused(&refused),
    }
}

async fn answered(web: &Web, place: &Place, method: Method, request: Request) -> Result<Value, Refused> {
    let caller = caller(web, place, method, bearer(request.headers())).await?;
    let body = body(web, request).await?;
    carry_out(web, &caller, method, &Input::Json(body)).await
}

/// The body, as far as it is allowed to be long.
pub(crate) async fn body(web: &Web, request: Request) -> Result<Bytes, Refused> {
    let most = web.service().limits.body;
    let read = to_bytes(request.into_body(), most).await;
    read.map_err(|_| Refused::field("body", format!("it could not be read; at most {most} bytes are taken")))
}

/// The published shape of an error.
pub(crate) fn refused(refused: &Refused) -> Response {
    let mut response = answer::json_answer(refused.code.status(), &refused.body());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match refused.code {
        Code::Unauthenticated => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Code::Unavailable => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    response
}
