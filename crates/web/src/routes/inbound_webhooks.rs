//! `/v2/tenants/{id}/webhooks`: the addresses at which a tenant takes deliveries (contract `connect.md`, sections 6
//! and 7).

use crate::json_body::JsonBody;
use crate::listing;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use kernel::ids::TenantId;
use kernel::{Slug, Time};
use serde::Deserialize;
use serde_json::{Value, json};
use service::admin::webhooks::WebhookAddress;

/// What reading needs.
pub const READ: &str = "tenants:read";
/// What rotating needs, and being shown the addresses themselves.
pub const WRITE: &str = "tenants:write";
/// What addresses are sorted by.
pub const FIELDS: &[&str] = &["source", "connector", "created_date", "ends_date"];

/// Decision: the address is shown to a key that may change tenants, to others that there is one. Attack: whoever has
/// a tenant's own address starts its runs with any content, so that a key that may only read would do more than read.
/// Trade: such a program asks for the second scope.
fn shown(address: &WebhookAddress, with_url: bool) -> Value {
    json!({
        "source": address.source(),
        "connector": address.connector,
        "url": with_url.then_some(&address.url),
        "created_date": address.created.iso_micros(),
        "ends_date": address.ends.map(Time::iso_micros),
    })
}

/// The addresses of a tenant that take deliveries, the tenant's own first.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Path(id): Path<String>,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    let Ok(id) = TenantId::parse(&id) else { return answer::api_not_a_number("tenant_id") };
    match web.service().webhook_addresses(&caller.holder(), id).await {
        Ok(addresses) => {
            let items = addresses.iter().map(|address| shown(address, caller.may(WRITE))).collect();
            listing::whole(&query, uri.path(), FIELDS, items)
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// Which address is made anew.
#[derive(Debug, Deserialize)]
pub struct Rotation {
    /// The address that an outside system calls, instead of the tenant's own.
    connector: Option<String>,
    /// Ends the old address now, instead of in 7 days.
    at_once: Option<bool>,
}

/// Makes a new address.
pub async fn rotate(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Rotation>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let Ok(id) = TenantId::parse(&id) else { return answer::api_not_a_number("tenant_id") };
    let Ok(connector) = body.connector.as_deref().map(Slug::parse).transpose() else {
        return answer::api_invalid(&["body", "connector"], "this is no connector's name", "value_error");
    };
    let (service, at_once) = (web.service(), body.at_once.unwrap_or(false));
    let (actor, holder) = (caller.actor(), caller.holder());
    match service.rotate_webhook_of(&actor, &holder, id, connector.as_ref(), at_once).await {
        Ok(address) => Json(shown(&address, true)).into_response(),
        Err(no) => answer::api_refused(&no),
    }
}
