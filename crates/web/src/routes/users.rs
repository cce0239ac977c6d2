//! `/v2/users`: whom the organization vouched for with signed tokens (contract `connect.md`, section 6).

use crate::listing;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use kernel::ids::UserId;

/// What reading needs: users are people, and whoever reads tenants one by one need not have the list of them.
pub const READ: &str = "users:read";

/// A page of users.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    listing::never_archived(&query, uri.path(), |page| web.service().users(&caller, page)).await
}

/// One user.
pub async fn get(State(web): State<Web>, ApiCaller(caller): ApiCaller, Path(id): Path<String>) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    let not_found = || answer::api_message(404, "no user with this id");
    let Ok(id) = UserId::parse(&id) else { return not_found() };
    match web.service().user(&caller, id).await {
        Ok(Some(user)) => Json(user).into_response(),
        Ok(None) => not_found(),
        Err(fault) => answer::api_fault(&fault),
    }
}
