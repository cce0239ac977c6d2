//! `Idempotency-Key` on every POST of the REST API (contract `connect.md`, section 6): the first request is carried
//! out, the same request after it is answered the same.

use crate::Web;
use crate::answer;
use crate::who::ApiCaller;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts as _, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use service::asked::carry_on;
use service::idempotency::{Begun, KeptAnswer, Once};
use std::convert::Infallible;
use tower::Service;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Said of an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key, in bytes.
const LONGEST: usize = 255;
/// The largest answer that is kept, in bytes.
const ANSWER: u64 = 1024 * 1024;
/// Headers that belong to what was answered; all others belong to the way it is sent.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::LOCATION];

/// Whether a request is one of those that a key makes single: a POST of the REST API.
pub fn is_meant(request: &Request) -> bool {
    request.method() == Method::POST
        && request.headers().contains_key(KEY)
        && request.headers().contains_key("x-api-key")
}

/// Carries the request out, or answers as before. A caller that proves nothing is left to the handler, which refuses.
pub async fn once<S>(web: &Web, request: Request, mut inner: S) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible> + Send + 'static,
    S::Future: Send,
{
    let (mut parts, body) = request.into_parts();
    let mut keys = parts.headers.get_all(KEY).iter();
    let key = match (keys.next(), keys.next()) {
        (Some(key), None) => key.to_str().ok().map(str::trim).filter(|key| is_key(key)).map(str::to_owned),
        _ => None,
    };
    let Some(key) = key else {
        let said = "must be given once, with 1 to 255 visible ASCII characters";
        return answer::api_invalid(&["header", "Idempotency-Key"], said, "value_error.idempotency_key");
    };
    let Ok(ApiCaller(caller)) = ApiCaller::from_request_parts(&mut parts, web).await else {
        let Ok(response) = inner.call(Request::from_parts(parts, body)).await;
        return response;
    };
    let Ok(body) = to_bytes(body, web.service().limits.body).await else {
        return answer::api_message(413, "the body is too large, or it did not arrive as a whole");
    };
    let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
    let described: [&[u8]; 3] = [parts.method.as_str().as_bytes(), address.as_bytes(), &body];
    match web.service().once(caller, &key, &described).await {
        Ok(Once::Go(begun)) => {
            // A task of its own: a caller that hangs up would else leave the work half done and the key taken.
            let (web, request) = (web.clone(), Request::from_parts(parts, Body::from(body)));
            let work = async move {
                let Ok(response) = inner.call(request).await;
                keep(&web, begun, response).await
            };
            match tokio::spawn(carry_on(work)).await {
                Ok(response) => response,
                Err(_) => {
                    answer::api_message(500, "the request ended unexpectedly; look before you try again")
                }
            }
        }
        Ok(Once::Again(kept)) => replay(*kept),
        Ok(Once::AnswerGone { status }) => answer::api_message(
            409,
            &format!(
                "this request was carried out before, with status {status}; its answer was too large to keep"
            ),
        ),
        Ok(Once::InProgress) => {
            answer::api_message(409, "this request is being carried out just now; ask again in a few seconds")
        }
        Ok(Once::OtherRequest) => answer::api_message(
            422,
            "this Idempotency-Key was used for another request; take a new key for each request",
        ),
        Err(fault) => answer::api_fault(&fault),
    }
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

/// Keeps the answer, if it is one that will stay true.
async fn keep(web: &Web, begun: Begun, response: Response) -> Response {
    let service = web.service();
    let status = response.status();
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::FORBIDDEN | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
        );
    if passing {
        if let Err(fault) = service.forget_key(begun).await {
            tracing::warn!(error = %fault, "an idempotency key stays taken for ten minutes");
        }
        return response;
    }
    // A body that is sent piece by piece has no size yet, and is not held up for being kept.
    let is_small = response.body().size_hint().upper().is_some_and(|size| size <= ANSWER);
    let (response, kept) = if is_small { split(response).await } else { (response, None) };
    if let Err(fault) = service.keep_answer(begun, status.as_u16(), kept.as_ref()).await {
        // The work is done; a refusal now would have the caller do it again.
        tracing::warn!(error = %fault, "an answer could not be kept for its idempotency key");
    }
    response
}

async fn split(response: Response) -> (Response, Option<KeptAnswer>) {
    let (parts, body) = response.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return (Response::from_parts(parts, Body::empty()), None);
    };
    let kept = String::from_utf8(body.to_vec()).ok().map(|body| KeptAnswer {
        status: parts.status.as_u16(),
        headers: KEPT
            .iter()
            .filter_map(|name| Some((name.to_string(), parts.headers.get(name)?.to_str().ok()?.to_owned())))
            .collect(),
        body,
    });
    (Response::from_parts(parts, Body::from(body)), kept)
}

fn replay(kept: KeptAnswer) -> Response {
    let mut response = Response::new(Body::from(Bytes::from(kept.body)));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &kept.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::is_key;

    #[test]
    fn a_key_is_short_and_visible() {
        assert!(is_key("8e03978e-40d5-43e8-bc93-6894a57f9324"));
        assert!(is_key(&"k".repeat(255)));
        for bad in ["", "a\tb", "ä", &"k".repeat(256)] {
            assert!(!is_key(bad), "{bad:?}");
        }
    }
}
