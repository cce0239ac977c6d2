//! `/v2/integrations`: what can be installed (contract `connect.md`, section 6).

use crate::Web;
use crate::answer;
use crate::listing;
use crate::who::ApiCaller;
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use kernel::ids::IntegrationId;

/// A page of integrations.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !caller.may("integrations:read") {
        return answer::not_authorized();
    }
    listing::never_archived(&query, uri.path(), |page| web.service().integrations(&caller, page)).await
}

/// One integration.
pub async fn get(State(web): State<Web>, ApiCaller(caller): ApiCaller, Path(id): Path<String>) -> Response {
    if !caller.may("integrations:read") {
        return answer::not_authorized();
    }
    let Ok(id) = IntegrationId::parse(&id) else {
        return answer::api_not_a_number("integration_id");
    };
    match web.service().integration(&caller, id).await {
        Ok(Some(integration)) => Json(integration).into_response(),
        Ok(None) => answer::api_message(404, "no integration with this id"),
        Err(fault) => answer::api_fault(&fault),
    }
}
