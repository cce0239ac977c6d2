//! Who asks at the second door: extractors of access tokens.

use crate::Web;
use crate::oauth_answer::{self, Bearing};
use crate::oauth_form::{Unreadable, bearer};
use crate::who::Here;
use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::Response;
use service::enter::grant::{BearerRefused, ServiceToken as HeldService, TokenHolder, UserToken as HeldUser};
use service::{Fault, Place};

/// A user's access token that is worth something now, in `Authorization`.
#[derive(Debug, Clone)]
pub struct UserToken(pub Box<HeldUser>);

/// A user's access token with which an account is asked about, whatever has become of the token's own account.
#[derive(Debug, Clone)]
pub struct AskingUser(pub Box<HeldUser>);

/// A service account's access token that is worth something now, in `Authorization`.
#[derive(Debug, Clone)]
pub struct ServiceToken(pub Box<HeldService>);

/// Who holds the access token `text`.
///
/// # Errors
/// The answer.
pub async fn holder(web: &Web, place: &Place, text: &str) -> Result<TokenHolder, Box<Response>> {
    verified(web.service().verify_access_token(place, text).await)
}

fn verified(held: Result<Result<TokenHolder, BearerRefused>, Fault>) -> Result<TokenHolder, Box<Response>> {
    match held {
        Ok(Ok(holder)) => Ok(holder),
        Ok(Err(why)) => {
            tracing::info!(%why, "an access token was refused");
            Err(Box::new(oauth_answer::bearing(Bearing::Invalid)))
        }
        Err(fault) => Err(Box::new(oauth_answer::fault(&fault))),
    }
}

async fn presented(web: &Web, place: &Place, headers: &HeaderMap) -> Result<TokenHolder, Box<Response>> {
    holder(web, place, shown(headers)?).await
}

/// A program is no user, whatever it may do elsewhere.
fn user(held: Result<TokenHolder, Box<Response>>) -> Result<Box<HeldUser>, Response> {
    match held {
        Ok(TokenHolder::User(token)) => Ok(token),
        Ok(TokenHolder::ServiceAccount(_)) => Err(oauth_answer::bearing(Bearing::Invalid)),
        Err(response) => Err(*response),
    }
}

/// The token in `Authorization`.
fn shown(headers: &HeaderMap) -> Result<&str, Box<Response>> {
    match bearer(headers) {
        Ok(Some(token)) => Ok(token),
        Ok(None) => Err(Box::new(oauth_answer::bearing(Bearing::Missing))),
        Err(Unreadable) => Err(Box::new(oauth_answer::bearing(Bearing::Invalid))),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for UserToken
where
    Web: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Here(place) = Here::from_request_parts(parts, state).await?;
        user(presented(&Web::from_ref(state), &place, &parts.headers).await).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for AskingUser
where
    Web: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Here(place) = Here::from_request_parts(parts, state).await?;
        let token = shown(&parts.headers).map_err(|response| *response)?;
        user(verified(Web::from_ref(state).service().verify_asking_token(&place, token).await)).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ServiceToken
where
    Web: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Here(place) = Here::from_request_parts(parts, state).await?;
        match presented(&Web::from_ref(state), &place, &parts.headers).await {
            Ok(TokenHolder::ServiceAccount(token)) => Ok(Self(token)),
            Ok(TokenHolder::User(_)) => Err(oauth_answer::bearing(Bearing::Invalid)),
            Err(response) => Err(*response),
        }
    }
}
