//! `POST /v2/tenants`, `PATCH` and `DELETE /v2/tenants/{id}`: what is chosen of a tenant (contract `connect.md`,
//! sections 5 and 6).

use crate::json_body::JsonBody;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use connect::integration::Channel;
use kernel::ids::{IntegrationId, ReleaseId, TenantId};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use service::admin::tenants::{NewTenant, TenantChange, TenantRefused};
use service::connect::look_up::{Caller, Shape};

/// What changing needs.
pub const WRITE: &str = "tenants:write";

/// What a change names; what it does not name stays as it is.
#[derive(Debug, Default, Deserialize)]
pub struct Changed {
    name: Option<String>,
    paused: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    user_schedule: Option<Option<String>>,
    time_zone: Option<String>,
    configs: Option<Value>,
    integration_release_channel: Option<String>,
    #[serde(default, deserialize_with = "given")]
    integration_release_id: Option<Option<ReleaseId>>,
    archived: Option<bool>,
}

/// Tells `null` from a member that is not there.
///
/// # Errors
/// Those of the member.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// `Default` or `Latest`.
///
/// # Errors
/// The 422 answer.
pub fn channel(word: Option<&str>, field: &str) -> Result<Option<Channel>, Box<Response>> {
    let invalid =
        || Box::new(answer::api_invalid(&["body", field], "this is `Default` or `Latest`", "value_error"));
    word.map(|word| Channel::parse(word).ok_or_else(invalid)).transpose()
}

impl Changed {
    fn change(self) -> Result<TenantChange, Box<Response>> {
        let channel = channel(self.integration_release_channel.as_deref(), "integration_release_channel")?;
        Ok(TenantChange {
            name: self.name,
            paused: self.paused,
            user_schedule: self.user_schedule,
            time_zone: self.time_zone,
            configs: self.configs,
            channel,
            release: self.integration_release_id,
            archived: self.archived,
        })
    }
}

/// A tenant that is to be made. Members that are `null` count as absent, as published.
#[derive(Debug, Deserialize)]
pub struct New {
    name: String,
    integration_id: IntegrationId,
    /// Whose it is.
    user_name: Option<String>,
    user_schedule: Option<String>,
    time_zone: Option<String>,
    integration_release_id: Option<ReleaseId>,
    integration_release_channel: Option<String>,
    configs: Option<Value>,
}

/// Makes a tenant: paused, and not connected yet.
pub async fn create(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    JsonBody(body): JsonBody<New>,
) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let channel = match channel(body.integration_release_channel.as_deref(), "integration_release_channel") {
        Ok(channel) => channel,
        Err(response) => return *response,
    };
    let change = TenantChange {
        user_schedule: body.user_schedule.map(Some),
        time_zone: body.time_zone,
        configs: body.configs,
        channel,
        release: body.integration_release_id.map(Some),
        ..TenantChange::default()
    };
    let new =
        NewTenant { name: body.name, integration: body.integration_id, username: body.user_name, change };
    match web.service().create_tenant(&caller.actor(), &caller.holder(), new).await {
        Ok(tenant) => shown(&web, &caller, tenant.id).await,
        Err(no) => refused(&no),
    }
}

/// Changes what can be chosen of a tenant; archives it and takes it back.
pub async fn change(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Changed>,
) -> Response {
    match body.change() {
        Ok(change) => changed(&web, &caller, &id, change).await,
        Err(response) => *response,
    }
}

/// Archives a tenant.
pub async fn archive(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Response {
    changed(&web, &caller, &id, TenantChange { archived: Some(true), ..TenantChange::default() }).await
}

async fn changed(web: &Web, caller: &Caller, id: &str, change: TenantChange) -> Response {
    if !caller.may(WRITE) {
        return answer::not_authorized();
    }
    let Ok(id) = TenantId::parse(id) else { return answer::api_not_a_number("tenant_id") };
    match web.service().change_tenant(&caller.actor(), &caller.holder(), id, change).await {
        Ok(_) => shown(web, caller, id).await,
        Err(no) => refused(&no),
    }
}

/// As it is now: whoever may write a tenant is shown what became of it.
async fn shown(web: &Web, caller: &Caller, id: TenantId) -> Response {
    match web.service().tenant(caller, id, Shape::V2).await {
        Ok(Some(tenant)) => Json(tenant).into_response(),
        Ok(None) => answer::api_message(404, "no tenant with this id"),
        Err(fault) => answer::api_fault(&fault),
    }
}

/// What a tenant's refusal is as an answer.
pub fn refused(refused: &TenantRefused) -> Response {
    match refused {
        TenantRefused::NotFound("tenant") => answer::api_message(404, "no tenant with this id"),
        TenantRefused::NotFound(what) => answer::api_message(404, &format!("this tenant has no {what}")),
        TenantRefused::Conflict(text) => answer::api_message(409, text),
        TenantRefused::Invalid(mistakes) => {
            let detail = mistakes.iter().map(|mistake| {
                let location = std::iter::once("body").chain(mistake.path.iter().map(String::as_str));
                json!({ "loc": location.collect::<Vec<_>>(), "msg": mistake.text, "type": "value_error" })
            });
            answer::json_answer(422, &json!({ "detail": detail.collect::<Vec<_>>() }))
        }
        TenantRefused::Release(unusable) => {
            answer::api_invalid(&["body", "integration_release_id"], &unusable.to_string(), unusable.code())
        }
        TenantRefused::Fault(fault) => answer::api_fault(fault),
    }
}
