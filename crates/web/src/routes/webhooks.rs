//! `/v1/webhooks/{hash}`: what outside systems and companies send to a tenant (contract `connect.md`, 7).

use crate::Web;
use crate::answer;
use crate::who::Here;
use axum::body::to_bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use connect::webhook_verify::ChallengeReply;
use kernel::Plain;
use service::connect::receive_webhook::{Arrival, Received};

/// In the table.
pub const ROUTE: &str = "/v1/webhooks/{hash}";

/// Stores the delivery durably and answers 202.
pub async fn post(
    State(web): State<Web>,
    Here(place): Here,
    Path(secret): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let (Parts { headers, .. }, body) = request.into_parts();
    let most = web.service().limits.webhook_body;
    let Ok(body) = to_bytes(body, most).await else {
        return answer::api_message(413, &format!("the body is larger than {most} bytes"));
    };
    let arrival = Arrival {
        environment: place.environment,
        secret: Plain::presented(secret),
        is_get: false,
        query: query.unwrap_or_default(),
        headers: plain_headers(&headers),
        body: body.to_vec(),
    };
    receive(&web, arrival).await
}

/// A challenge by GET, answered as the connector declares it.
pub async fn get(
    State(web): State<Web>,
    Here(place): Here,
    Path(secret): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let arrival = Arrival {
        environment: place.environment,
        secret: Plain::presented(secret),
        is_get: true,
        query: query.unwrap_or_default(),
        headers: plain_headers(&headers),
        body: Vec::new(),
    };
    receive(&web, arrival).await
}

async fn receive(web: &Web, arrival: Arrival) -> Response {
    match web.service().receive_webhook(arrival).await {
        Ok(Received::Accepted { delivery }) => {
            answer::json_answer(202, &serde_json::json!({ "message": "accepted", "id": delivery }))
        }
        Ok(Received::Repeated) => {
            answer::json_answer(202, &serde_json::json!({ "message": "accepted before" }))
        }
        Ok(Received::Challenge(reply)) => challenge(reply),
        Ok(Received::Unknown) => answer::api_message(404, "no such webhook address"),
        Ok(Received::Archived) => {
            answer::api_message(410, "this tenant is archived; it takes no more deliveries")
        }
        Ok(Received::NotVerified { reason }) => answer::api_message(401, &reason),
        Err(fault) => answer::api_fault(&fault),
    }
}

/// A challenge's answer, as text that no browser runs.
fn challenge(reply: ChallengeReply) -> Response {
    let mut response =
        (StatusCode::OK, [(header::CONTENT_TYPE, reply.content_type)], reply.body).into_response();
    if let Some((name, value)) = reply.header
        && let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
    {
        response.headers_mut().insert(name, value);
    }
    response
}

/// Header names in lower case with their values; what is no text is left out.
fn plain_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let texts = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    texts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
