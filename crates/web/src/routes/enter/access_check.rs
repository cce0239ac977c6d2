//! `/oauth2/access-check`: whether a user may open an account, now.

use super::field;
use crate::Web;
use crate::oauth_answer::{self, Bearing};
use crate::who::Here;
use crate::who_enter::AskingUser;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use enter::oidc::access_check::AccessCheck;

/// The status says it all: 200, 401, 403 or 404. HEAD answers the same.
pub async fn get(
    State(web): State<Web>,
    Here(place): Here,
    AskingUser(token): AskingUser,
    RawQuery(query): RawQuery,
) -> Response {
    let account = field(&query.unwrap_or_default(), "account_id");
    let outcome = web.service().check_access(&place, &token, account.as_deref()).await;
    match outcome {
        Ok(AccessCheck::Token(_)) => oauth_answer::bearing(Bearing::Invalid),
        Ok(outcome) => {
            StatusCode::from_u16(outcome.status()).unwrap_or(StatusCode::FORBIDDEN).into_response()
        }
        Err(fault) => oauth_answer::fault(&fault),
    }
}
