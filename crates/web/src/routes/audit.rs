//! `/v2/audit`: who changed what (contract `connect.md`, section 6). An organization's log is of both environments.

use crate::listing;
use crate::who::ApiCaller;
use crate::{Web, answer};
use axum::extract::{OriginalUri, Query, State};
use axum::response::Response;
use kernel::Time;
use serde_json::{Value, json};
use service::admin::AdminRefused;
use service::admin::records::Entry;

/// What reading needs.
pub const READ: &str = "audit:read";
/// Thirteen months, which is how long it is kept; in seconds.
const FARTHEST_S: i64 = 396 * 24 * 3600;

/// Since when: `since_seconds` ago, 30 days unless it says otherwise.
fn since(query: &[(String, String)], now: Time) -> Result<Time, Response> {
    let asked = query.iter().rfind(|(name, _)| name == "since_seconds");
    let span = asked.map_or(Some(30 * 24 * 3600), |(_, text)| text.parse().ok());
    let span = span.filter(|span| (1..=FARTHEST_S).contains(span)).ok_or_else(|| {
        let text = format!("since_seconds is a whole number from 1 to {FARTHEST_S}");
        answer::api_invalid(&["query", "since_seconds"], &text, "value_error")
    })?;
    Ok(now.plus_seconds(-span))
}

fn shown_entry(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "date": entry.at.iso_micros(),
        "actor": entry.actor.label(),
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
    })
}

/// Who changed what, the newest first.
pub async fn list(
    State(web): State<Web>,
    ApiCaller(caller): ApiCaller,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<Vec<(String, String)>>,
) -> Response {
    if !caller.may(READ) {
        return answer::not_authorized();
    }
    let (service, owner) = (web.service(), &caller.organization);
    let since = match since(&query, service.clock.now()) {
        Ok(since) => since,
        Err(response) => return response,
    };
    let read = |page| async move {
        let found = service.audit(Some(owner), since, page).await?;
        Ok::<_, AdminRefused>((found.rows.iter().map(shown_entry).collect(), found.total))
    };
    listing::never_archived(&query, uri.path(), read).await
}
