//! The JSON body of a request to the REST API, read into the shape that a handler asks for.

use crate::{Web, answer};
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, Request};
use axum::response::Response;
use serde::de::DeserializeOwned;

/// A body of this shape. No body at all reads as `{}`, so that an action whose members are all optional needs none.
/// The content type is not looked at: nothing but JSON is taken, and no browser can send an API key.
#[derive(Debug, Clone, Copy)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T>
where
    Web: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = whole(&Web::from_ref(state), request).await?;
        let text = if body.is_empty() { b"{}" } else { body.as_ref() };
        read(text).map(Self)
    }
}

/// The whole body.
///
/// # Errors
/// The 413 answer.
pub async fn whole(web: &Web, request: Request) -> Result<Bytes, Response> {
    let most = web.service().limits.body;
    let body = axum::body::to_bytes(request.into_body(), most).await;
    body.map_err(|_| answer::api_message(413, &format!("the body is larger than {most} bytes")))
}

/// Reads JSON of this shape.
///
/// # Errors
/// The 422 answer.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Response> {
    // What follows tells the place in bytes of the body, which its sender has.
    serde_json::from_slice(text)
        .map_err(|error| answer::api_invalid(&["body"], &error.to_string(), "value_error.jsondecode"))
}
