//! Releases of integrations, and builds of them (contract `connect.md`, section 6).

use crate::json_body::JsonBody;
use crate::listing::{Listed, Listing};
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::response::{IntoResponse, Response};
use connect::release::release_v2;
use kernel::ids::{IntegrationId, ReleaseId};
use serde::Deserialize;
use service::admin::releases::Which;
use service::connect::look_up::Caller;
use service::work::release_build::{BuildRefused, Order};

/// What reading needs.
pub const READ: &str = "integrations:read";
/// What building and changing needs.
pub const WRITE: &str = "integrations:write";

/// The integration that a path names.
///
/// # Errors
/// The 422 answer.
pub fn integration_id(text: &str) -> Result<IntegrationId, Box<Response>> {
    IntegrationId::parse(text).map_err(|_| Box::new(answer::api_not_a_number("integration_id")))
}

/// A page of the releases that can be used.
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
    let (id, listing) = match (integration_id(&id), Listing::read(&query)) {
        (Ok(id), Ok(listing)) => (id, listing),
        (Err(response), _) | (_, Err(response)) => return *response,
    };
    match web.service().releases(&caller.holder(), id, listing.page()).await {
        Ok((releases, total)) => {
            let items = releases.iter().map(release_v2).collect();
            Listed::of_lasting(items, total, &listing, uri.path()).into_response()
        }
        Err(no) => answer::api_refused(&no),
    }
}

/// What `Default` means.
pub async fn default(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Response {
    one(&web, &caller, &id, Ok(Which::Default)).await
}

/// The newest.
pub async fn latest(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Response {
    one(&web, &caller, &id, Ok(Which::Latest)).await
}

/// One release.
pub async fn get(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path((id, release)): Path<(String, String)>,
) -> Response {
    let which = ReleaseId::parse(&release)
        .map(Which::Exactly)
        .map_err(|_| Box::new(answer::api_not_a_number("release_id")));
    one(&web, &caller, &id, which).await
}

async fn one(web: &Web, caller: &Caller, id: &str, which: Result<Which, Box<Response>>) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    let (id, which) = match (integration_id(id), which) {
        (Ok(id), Ok(which)) => (id, which),
        (Err(response), _) | (_, Err(response)) => return *response,
    };
    match web.service().release(&caller.holder(), id, which).await {
        Ok(release) => Json(release_v2(&release)).into_response(),
        Err(no) => answer::api_refused(&no),
    }
}

/// What shall be built. Unknown members are passed over, as unknown parameters of the query are.
#[derive(Debug, Deserialize)]
pub struct Build {
    tag: String,
    integration_id: IntegrationId,
    branch: Option<String>,
}

/// Builds a release from the integration's repository.
pub async fn build(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    JsonBody(body): JsonBody<Build>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let order = Order {
        organization: caller.organization.clone(),
        environment: caller.environment,
        integration: body.integration_id,
        tag: body.tag,
    };
    // A task of its own: a caller that hangs up would else leave a release that is never ready.
    let (service, actor) = (web.service().clone(), caller.actor());
    let work = tokio::spawn(async move { service.order_release(&actor, &order, body.branch).await });
    match work.await {
        Ok(Ok(release)) => answer::json_answer(201, &release_v2(&release)),
        Ok(Err(no)) => not_built(&no),
        Err(_) => answer::api_message(500, "the build ended unexpectedly"),
    }
}

fn not_built(refused: &BuildRefused) -> Response {
    match refused {
        BuildRefused::NoIntegration(_) => answer::api_message(404, "no integration with this id"),
        BuildRefused::Taken(_) => answer::api_message(409, &refused.to_string()),
        BuildRefused::Fault(fault) => answer::api_fault(fault),
        BuildRefused::Disk(error) => {
            tracing::error!(%error, "a release could not be built");
            answer::api_message(503, "the gateway cannot build just now; try again later")
        }
        _ => answer::api_message(422, &refused.to_string()),
    }
}
