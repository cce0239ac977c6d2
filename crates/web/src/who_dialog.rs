//! Who is in a dialog, and who changes something there: extractors that prove it before a handler does anything.

use crate::Web;
use crate::answer;
use crate::headers::Framing;
use crate::pages::RefusalKind;
use crate::who::{Bearer, Here, OwnOrigin};
use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use kernel::{Environment, Plain};
use std::collections::BTreeMap;

/// Somebody with a dialog's bearer, at one of our places. Whether the dialog is there is the service's to say.
#[derive(Debug, Clone)]
pub struct AtDialog {
    pub web: Web,
    pub environment: Environment,
    pub bearer: Plain,
    pub headers: HeaderMap,
}

impl FromRequestParts<Web> for AtDialog {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let Here(place) = Here::from_request_parts(parts, web).await?;
        let Bearer(bearer) = Bearer::from_request_parts(parts, web).await?;
        let (environment, headers) = (place.environment, parts.headers.clone());
        Ok(Self { web: web.clone(), environment, bearer, headers })
    }
}

/// A form of a page of our own. Of a field that stands twice the last counts, as it does in a browser's own reading.
#[derive(Debug)]
pub struct OwnForm {
    pub headers: HeaderMap,
    pub fields: BTreeMap<String, String>,
}

/// What every change in a dialog needs: its bearer, and a form of a page of our own.
#[derive(Debug)]
pub struct Change {
    pub at: AtDialog,
    pub fields: BTreeMap<String, String>,
}

impl FromRequest<Web> for OwnForm {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        OwnOrigin::from_request_parts(&mut parts, web).await?;
        let headers = parts.headers;
        match to_bytes(body, web.service().limits.body).await {
            Ok(body) => Ok(Self { headers, fields: fields(&body) }),
            // Or it did not come whole, and then nobody is left to be told.
            Err(_) => Err(answer::other(web, &headers, RefusalKind::BodyTooLarge, &Framing::Anyone)),
        }
    }
}

impl FromRequest<Web> for Change {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let at = AtDialog::from_request_parts(&mut parts, web).await?;
        let OwnForm { fields, .. } = OwnForm::from_request(Request::from_parts(parts, body), web).await?;
        Ok(Self { at, fields })
    }
}

fn fields(body: &[u8]) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}
