//! What every route of the browser's side begins with: extractors that prove the place, and for a form its origin.

use super::shown::Visitor;
use super::{field, form_text};
use crate::Web;
use crate::who::{Fetch, Here, OwnOrigin};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, RawQuery, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use service::Place;

/// An address that somebody looks at. HEAD and prefetch end here: nothing of theirs uses anything up or decides
/// anything.
#[derive(Debug)]
pub struct Looked {
    pub(super) web: Web,
    pub(super) place: Place,
    pub(super) headers: HeaderMap,
    /// Empty where there is none.
    pub(super) query: String,
}

impl FromRequestParts<Web> for Looked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Response> {
        let Here(place) = Here::from_request_parts(parts, web).await?;
        if parts.method == Method::HEAD {
            return Err(StatusCode::OK.into_response());
        }
        if Fetch::of(&parts.headers).prefetch {
            // Not a success, so that the browser throws the early answer away and asks again when it is looked at.
            return Err(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        let Ok(RawQuery(query)) = RawQuery::from_request_parts(parts, web).await;
        let headers = parts.headers.clone();
        Ok(Self { web: web.clone(), place, headers, query: query.unwrap_or_default() })
    }
}

impl Looked {
    pub(super) fn visitor(&self) -> Visitor<'_> {
        Visitor::new(&self.web, &self.place, &self.headers, &self.query)
    }

    /// One parameter; `None` where it is missing or stands twice.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        field(&self.query, name)
    }
}

/// A form of a page of our own.
#[derive(Debug)]
pub struct Answered {
    pub(super) web: Web,
    pub(super) place: Place,
    pub(super) headers: HeaderMap,
    /// Empty for what is no form.
    form: String,
}

impl FromRequest<Web> for Answered {
    type Rejection = Response;

    async fn from_request(request: Request, web: &Web) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let Here(place) = Here::from_request_parts(&mut parts, web).await?;
        OwnOrigin::from_request_parts(&mut parts, web).await?;
        let headers = parts.headers.clone();
        let body = Bytes::from_request(Request::from_parts(parts, body), web).await;
        let form = form_text(&headers, body).unwrap_or_default();
        Ok(Self { web: web.clone(), place, headers, form })
    }
}

impl Answered {
    pub(super) fn visitor(&self) -> Visitor<'_> {
        self.visitor_of("")
    }

    /// For a form that carries the query of the request that it answers.
    pub(super) fn visitor_of(&self, query: &str) -> Visitor<'_> {
        Visitor::new(&self.web, &self.place, &self.headers, query)
    }

    /// One field; `None` where it is missing or stands twice.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        field(&self.form, name)
    }
}
