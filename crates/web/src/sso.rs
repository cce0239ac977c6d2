//! `sso.v1` on one address in two encodings, told apart by the content type (contract `enter.md`, section 3).
//!
//! Both lead to the same messages: gRPC's are read by the published description into the JSON that partners may send
//! as well, so that there is one reading, one set of checks and one writing.

mod carry_out;
mod describe;
mod grpc;
mod grpc_beside;
mod json;
mod raw;

pub use grpc_beside::{health, reflect_v1, reflect_v1alpha};
pub(crate) use json::{body, refused};

use crate::Web;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use enter::sso::{Code, Encoding, Method, Refused};
use service::Fault;
use std::time::Duration;

/// Every method of every service comes here.
pub async fn call(State(web): State<Web>, request: Request) -> Response {
    match (Method::of_path(request.uri().path()), encoding(request.headers())) {
        (Some(method), Some(Encoding::Json)) => json::call(&web, method, request).await,
        (Some(method), Some(Encoding::Grpc)) => grpc::call(&web, method, request).await,
        (None, encoding) => no_such_method(encoding),
        (_, None) => json::refused(&Refused::field(
            "content-type",
            "send application/json, or application/grpc over HTTP/2",
        )),
    }
}

/// Code 12, for what looks like a method of ours and is none: a client that is newer than this gateway shall know.
pub fn no_such_method(encoding: Option<Encoding>) -> Response {
    let refused =
        Refused::new(Code::Unimplemented, "this gateway has no such method; check service and method");
    match encoding {
        Some(Encoding::Grpc) => grpc::refused(&refused),
        Some(Encoding::Json) | None => json::refused(&refused),
    }
}

/// Whether a path that no route has is meant for this API.
pub fn is_meant(path: &str, headers: &HeaderMap) -> bool {
    path.starts_with("/sso.v1.") || encoding(headers) == Some(Encoding::Grpc)
}

/// A content type that is no text is none that we read.
pub fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let kind = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("(no text)"));
    Encoding::of(kind)
}

/// The one `Authorization: Bearer`; two of them name nobody.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}

/// Somewhat less than what every request gets, so that the answer is this API's own.
fn longest(web: &Web) -> Duration {
    web.options().request_timeout.mul_f64(0.9)
}

fn late() -> Refused {
    Refused::new(Code::DeadlineExceeded, "this took too long; try again in a few seconds")
}

/// Our own fault: worth another try.
fn fault(method: Method, fault: &Fault) -> Refused {
    tracing::error!(error = %fault, method = method.path(), "a call could not be carried out");
    Refused::new(Code::Unavailable, "the gateway cannot answer just now; try again in a few seconds")
}
