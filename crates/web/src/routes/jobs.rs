//! `/v2/jobs`: work that was given up, beyond what the contract publishes.

use crate::Web;
use crate::answer;
use crate::listing::{self, Newest};
use crate::who::ApiCaller;
use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kernel::ids::JobId;
use serde_json::{Value, json};
use service::admin::AdminRefused;
use service::admin::jobs::{Job, Kind, Letters};
use service::connect::look_up::Page;

fn shown(job: &Job) -> Value {
    json!({
        "id": job.id,
        "kind": job.kind.as_str(),
        "subject": job.subject,
        "state": job.state.as_str(),
        "attempts": job.attempts,
        "due_date": job.due.iso_micros(),
        "failure": job.failure,
        "created_date": job.created.iso_micros(),
        "died_date": job.died.map(kernel::Time::iso_micros),
    })
}

fn no_such_job() -> Response {
    answer::api_message(404, "there is no such dead job")
}

/// A page of dead letters, of one kind where `kind` says so. `state` is `dead` or left out.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !caller.may("jobs:read") {
        return answer::not_authorized();
    }
    let asked = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if asked("state").is_some_and(|state| state != "dead") {
        return answer::api_invalid(&["query", "state"], "state is `dead`", "value_error");
    }
    let kind = match asked("kind").map(|kind| (kind, Kind::parse(kind))) {
        Some((_, None)) => {
            let message = format!("kind is one of {}", Kind::ALL.map(Kind::as_str).join(", "));
            return answer::api_invalid(&["query", "kind"], &message, "value_error");
        }
        Some((_, kind)) => kind,
        None => None,
    };
    let (organization, environment) = (caller.organization.clone(), Some(caller.environment));
    let read = |page: Page<Newest>| async move {
        let which = Letters { organization, environment, kind, page: page.by(()) };
        let found = web.service().dead_jobs(which).await?;
        Ok::<_, AdminRefused>((found.rows.iter().map(shown).collect(), found.total))
    };
    listing::never_archived(&query, uri.path(), read).await
}

/// Has a dead letter done once more.
pub async fn replay(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Response {
    if !caller.may("jobs:write") {
        return answer::not_authorized();
    }
    let Ok(id) = JobId::parse(&id) else { return no_such_job() };
    let environment = Some(caller.environment);
    match web.service().replay_job(&caller.actor(), &caller.organization, environment, &id).await {
        Ok(job) => (StatusCode::ACCEPTED, Json(shown(&job))).into_response(),
        Err(no) => answer::api_refused(&no),
    }
}

/// Deletes a dead letter.
pub async fn delete(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    Path(id): Path<String>,
) -> Response {
    if !caller.may("jobs:write") {
        return answer::not_authorized();
    }
    let Ok(id) = JobId::parse(&id) else { return no_such_job() };
    let environment = Some(caller.environment);
    match web.service().delete_job(&caller.actor(), &caller.organization, environment, &id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(no) => answer::api_refused(&no),
    }
}
