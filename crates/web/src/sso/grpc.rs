//! `sso.v1` as gRPC over HTTP/2: the same port and path as JSON.

use super::carry_out::{Input, caller, carry_out};
use super::raw::Raw;
use super::{bearer, describe, json, late, longest};
use crate::Web;
use crate::who;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Version};
use axum::response::Response;
use enter::sso::{Code, Method, Refused};
use std::time::Duration;
use tonic::Status;

pub(super) async fn call(web: &Web, method: Method, request: Request) -> Response {
    if request.version() != Version::HTTP_2 {
        // gRPC's outcome stands in trailers, which a client of HTTP/1 would not read.
        return json::refused(&Refused::field("content-type", "gRPC needs HTTP/2; send JSON over HTTP/1"));
    }
    let Some(place) = who::place(web.service(), request.uri(), request.headers()).cloned() else {
        let what = "no environment is served under this name; use its public address";
        return self::refused(&Refused::field("host", what));
    };
    let token = bearer(request.headers()).map(str::to_owned);
    let within = deadline(request.headers()).map_or_else(|| longest(web), |asked| asked.min(longest(web)));
    let served = web.clone();
    let service = tower::service_fn(move |message: tonic::Request<Vec<u8>>| {
        let (web, place, token) = (served.clone(), place.clone(), token.clone());
        async move {
            if within.is_zero() {
                return Err(status(&late()));
            }
            let work = answered(&web, &place, method, token.as_deref(), message.get_ref());
            let answered = tokio::time::timeout(within, work).await;
            answered.unwrap_or_else(|_| Err(late())).map(tonic::Response::new).map_err(|why| status(&why))
        }
    });
    let mut grpc =
        tonic::server::Grpc::new(Raw).apply_max_message_size_config(Some(web.service().limits.body), None);
    grpc.unary(service, request).await.map(Body::new)
}

async fn answered(
    web: &Web,
    place: &service::Place,
    method: Method,
    token: Option<&str>,
    message: &[u8],
) -> Result<Vec<u8>, Refused> {
    let caller = caller(web, place, method, token).await?;
    let unreadable = || Refused::field("message", "it is not the method's message as sso.proto describes it");
    let message = describe::read(method, message).ok_or_else(unreadable)?;
    let answer = carry_out(web, caller, method, &Input::Grpc(message)).await?;
    describe::write(method, &answer).ok_or_else(|| {
        tracing::error!(method = method.path(), "an answer is not as sso.proto describes it");
        Refused::new(Code::Internal, "the gateway has no words for its answer; this is a mistake of its own")
    })
}

fn status(refused: &Refused) -> Status {
    Status::new(tonic::Code::from_i32(i32::from(refused.code.number())), refused.message.clone())
}

/// An answer of trailers only.
pub(super) fn refused(refused: &Refused) -> Response {
    status(refused).into_http::<tonic::body::Body>().map(Body::new)
}

/// `grpc-timeout`: up to eight digits and a unit. What is malformed is as if it were not there.
fn deadline(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.is_empty() || number.len() > 8 || !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(number.saturating_mul(60))),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_in_all_its_units_and_nonsense_is_none() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", axum::http::HeaderValue::from_static(text));
            deadline(&headers)
        };
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("10S"), Some(Duration::from_secs(10)));
        assert_eq!(read("150m"), Some(Duration::from_millis(150)));
        assert_eq!(read("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(read("5n"), Some(Duration::from_nanos(5)));
        for nonsense in ["", "S", "5", "-1S", "1.5S", "123456789S", "5 S", "5s"] {
            assert_eq!(read(nonsense), None, "{nonsense:?}");
        }
    }
}
