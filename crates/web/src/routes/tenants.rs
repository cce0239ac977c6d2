//! `/v1/tenants` and `/v2/tenants`: the REST API for what is installed (contract `connect.md`, 5 and 6).

use crate::Web;
use crate::answer;
use crate::listing::{Listed, Listing};
use crate::who::ApiCaller;
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use kernel::Slug;
use kernel::ids::{IntegrationId, TenantId};
use service::connect::disconnect::Disconnected;
use service::connect::look_up::{ChosenTenants, Shape};

fn no_such_tenant() -> Response {
    answer::api_message(404, "no tenant with this id")
}

/// One tenant in the v1 shape.
pub async fn get_v1(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Response {
    one(&web, &caller, &id, Shape::V1).await
}

/// One tenant in the v2 shape.
pub async fn get_v2(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Response {
    one(&web, &caller, &id, Shape::V2).await
}

async fn one(web: &Web, caller: &service::connect::look_up::Caller, id: &str, shape: Shape) -> Response {
    if !caller.may("tenants:read") {
        return answer::not_authorized();
    }
    let Ok(id) = TenantId::parse(id) else {
        return answer::api_not_a_number("tenant_id");
    };
    match web.service().tenant(caller, id, shape).await {
        Ok(Some(tenant)) => Json(tenant).into_response(),
        Ok(None) => no_such_tenant(),
        Err(fault) => answer::api_fault(&fault),
    }
}

/// A page of tenants in the v2 shape.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !caller.may("tenants:read") {
        return answer::not_authorized();
    }
    let listing = match Listing::read(&query) {
        Ok(listing) => listing,
        Err(response) => return *response,
    };
    let chosen = match chosen(&query, listing.archived()) {
        Ok(chosen) => chosen,
        Err(response) => return *response,
    };
    match web.service().tenants(&caller, listing.page(), chosen).await {
        Ok((tenants, total)) => {
            Listed { items: tenants, total, listing: &listing, path: uri.path() }.into_response()
        }
        Err(fault) => answer::api_fault(&fault),
    }
}

/// `integration_id` and `user_name`; empty and 0 stand for nothing, as published.
fn chosen(query: &[(String, String)], archived: bool) -> Result<ChosenTenants, Box<Response>> {
    let mut chosen = ChosenTenants { archived: Some(archived), ..ChosenTenants::default() };
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        match name.as_str() {
            "integration_id" if value == "0" => {}
            "integration_id" => {
                let Ok(id) = IntegrationId::parse(value) else {
                    let text = "value is not a valid integer";
                    return Err(Box::new(answer::api_invalid(&["query", name], text, "type_error.integer")));
                };
                chosen.integration = Some(id);
            }
            "user_name" => chosen.username = Some(value.clone()),
            _ => {}
        }
    }
    Ok(chosen)
}

/// Takes one connector's connection away and revokes it outside where that can be done.
pub async fn disconnect(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path((id, connector)): Path<(String, String)>,
) -> Response {
    if !caller.may("tenants:write") {
        return answer::not_authorized();
    }
    let (Ok(id), Ok(connector)) = (TenantId::parse(&id), Slug::parse(&connector)) else {
        return no_such_tenant();
    };
    match web.service().disconnect(&caller, id, &connector).await {
        Ok(Disconnected::Done(tenant)) => Json(tenant).into_response(),
        Ok(Disconnected::NoTenant) => no_such_tenant(),
        Ok(Disconnected::NoConnection) => answer::api_message(404, "this tenant has no such connector"),
        Err(fault) => answer::api_fault(&fault),
    }
}
