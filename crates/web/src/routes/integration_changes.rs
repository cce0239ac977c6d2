//! `POST /v2/integrations` and `PATCH /v2/integrations/{id}`.

use super::releases::{WRITE, integration_id};
use super::tenant_changes::{channel, given};
use crate::json_body::JsonBody;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::ids::{IntegrationId, ReleaseId};
use serde::Deserialize;
use service::admin::integrations::{IntegrationChange, NewIntegration};
use service::connect::look_up::Caller;
use service::work::git::Trust;

/// Who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Author {
    Internal,
    External,
}

/// An integration that is to be made.
#[derive(Debug, Deserialize)]
pub struct New {
    name: String,
    long_name: Option<String>,
    r#type: Option<Author>,
    own_connector: Option<String>,
    connectors: Vec<String>,
    schedule: Option<String>,
    #[serde(default)]
    shift_all: bool,
}

/// What a change names; what it does not name stays as it is.
#[derive(Debug, Default, Deserialize)]
pub struct Changed {
    long_name: Option<String>,
    r#type: Option<Author>,
    #[serde(default, deserialize_with = "given")]
    schedule: Option<Option<String>>,
    shift_all: Option<bool>,
    default_release_channel: Option<String>,
    default_release_id: Option<ReleaseId>,
    #[serde(default, deserialize_with = "given")]
    repository_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    repository_path: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    repository_tracking_branch: Option<Option<String>>,
}

/// Makes an integration of connectors that are there.
pub async fn create(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    JsonBody(body): JsonBody<New>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let new = NewIntegration {
        name: body.name,
        long_name: body.long_name,
        external: body.r#type == Some(Author::External),
        own_connector: body.own_connector,
        connectors: body.connectors,
        schedule: body.schedule,
        shift_all: body.shift_all,
    };
    let (service, actor) = (web.service(), caller.actor());
    match service.create_integration(&actor, &caller.organization, caller.environment, new).await {
        Ok(made) => shown(&web, &caller, made.id, StatusCode::CREATED).await,
        Err(no) => answer::api_refused(&no),
    }
}

/// Changes an integration: its repository, what its new tenants follow, its default release.
pub async fn change(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Changed>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let default = body.default_release_id;
    let (id, change) = match (integration_id(&id), body.change()) {
        (Ok(id), Ok(change)) => (id, change),
        (Err(response), _) | (_, Err(response)) => return *response,
    };
    let (service, actor, holder) = (web.service(), caller.actor(), caller.holder());
    // The release first: it is the one part that may not be what it was named as.
    if let Some(release) = default
        && let Err(no) = service.set_default_release(&actor, &holder, id, release).await
    {
        return answer::api_refused(&no);
    }
    if change != IntegrationChange::default()
        && let Err(no) = service.change_integration(&actor, &holder, id, change, Trust::Organization).await
    {
        return answer::api_refused(&no);
    }
    shown(&web, &caller, id, StatusCode::OK).await
}

impl Changed {
    fn change(self) -> Result<IntegrationChange, Box<Response>> {
        Ok(IntegrationChange {
            long_name: self.long_name,
            external: self.r#type.map(|it| it == Author::External),
            schedule: self.schedule,
            shift_all: self.shift_all,
            channel: channel(self.default_release_channel.as_deref(), "default_release_channel")?,
            repository_url: self.repository_url,
            repository_path: self.repository_path,
            repository_branch: self.repository_tracking_branch,
        })
    }
}

async fn shown(web: &Web, caller: &Caller, id: IntegrationId, status: StatusCode) -> Response {
    match web.service().integration(caller, id).await {
        Ok(Some(integration)) => (status, Json(integration)).into_response(),
        Ok(None) => answer::api_message(404, "no integration with this id"),
        Err(fault) => answer::api_fault(&fault),
    }
}
