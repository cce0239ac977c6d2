//! `sso.v1` as JSON over any HTTP.

use super::carry_out::{Input, caller, carry_out};
use super::{bearer, late, longest};
use crate::Web;
use crate::answer;
use crate::who;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use enter::sso::{Code, Method, Refused};
use futures_util::StreamExt as _;
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
    carry_out(web, caller, method, &Input::Json(body)).await
}

/// How many times the allowed size is read, and dropped, of a body that is too long.
const HEARD_OUT: usize = 8;

/// The body, as far as it is allowed to be long. Of a longer one somewhat more is read and dropped before the answer:
/// who is still writing when the connection ends hears of nothing but that.
pub(crate) async fn body(web: &Web, request: Request) -> Result<Bytes, Refused> {
    let most = web.service().limits.body;
    let mut pieces = request.into_body().into_data_stream();
    let (mut body, mut length) = (BytesMut::new(), 0_usize);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| Refused::field("body", "it ended before it was complete"))?;
        length = length.saturating_add(piece.len());
        if length <= most {
            body.extend_from_slice(&piece);
        } else if length > most.saturating_mul(HEARD_OUT) {
            break;
        }
    }
    if length <= most {
        return Ok(body.freeze());
    }
    Err(Refused::field("body", format!("it is too long; at most {most} bytes are taken")))
}

/// The published shape of an error.
pub(crate) fn refused(refused: &Refused) -> Response {
    let mut response = answer::json_answer(refused.code.status(), &refused.body());
    let headers = response.headers_mut();
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
