//! `/v2/tenants/{id}/metadata`: what is known of a tenant beside its configuration (contract `connect.md`, section 6).

use super::tenant_changes::{WRITE, refused};
use crate::json_body::JsonBody;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use kernel::ids::TenantId;
use serde_json::{Map, Value};

/// What reading needs.
pub const READ: &str = "tenants:read";

/// What is kept.
pub async fn get(State(web): State<Web>, ApiCaller(caller): ApiCaller, Path(id): Path<String>) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    let Ok(id) = TenantId::parse(&id) else { return answer::api_not_a_number("tenant_id") };
    match web.service().metadata(&caller.holder(), id).await {
        Ok(metadata) => Json(metadata).into_response(),
        Err(no) => refused(&no),
    }
}

/// Merges into what is kept.
pub async fn merge(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let Ok(id) = TenantId::parse(&id) else { return answer::api_not_a_number("tenant_id") };
    match web.service().merge_metadata(&caller.actor(), &caller.holder(), id, body).await {
        Ok(metadata) => Json(metadata).into_response(),
        Err(no) => refused(&no),
    }
}
