//! `/v2/tenants/{id}/connectors/{name}/credential`: for programs that call an outside system themselves.

use super::calls::{credential_refused, named};
use crate::Web;
use crate::answer;
use crate::who::ApiCaller;
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

/// The scope that reads credentials; no other one includes it.
pub const SCOPE: &str = "credentials:read";

/// The fresh credential: access token, its end, and what to send where. It is nobody's to keep.
pub async fn get(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path((id, connector)): Path<(String, String)>,
) -> Response {
    if !caller.may(SCOPE) {
        return answer::not_authorized();
    }
    let Some((tenant, connector)) = named(&id, &connector) else {
        return answer::api_message(404, "this tenant has no such connector");
    };
    match web.service().read_credential(&caller, tenant, &connector).await {
        Ok(credential) => Json(credential).into_response(),
        Err(refused) => credential_refused(&refused, web.service().clock.now()),
    }
}
