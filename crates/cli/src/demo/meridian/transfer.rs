//! Meridian's session-transfer endpoint: all that a partner has to write. The demo shows this file.

use super::{Meridian, PARTNER};
use axum::extract::{Query, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use enter::context::ServiceContext;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    service_provider_id: String,
    service_context: String,
    next_url: Option<String>,
}

pub(super) async fn session_transfer(
    State(meridian): State<Arc<Meridian>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    Query(asked): Query<Asked>,
) -> Response {
    // 1. Who is it? Whoever is not signed in signs in first, and the query is kept through that.
    let Some((person, session)) = meridian.signed_in(&headers) else {
        return meridian.sign_in_first(&query.unwrap_or_default());
    };
    // 2. May this person go there? Everything that is not known is a no.
    let context = match ServiceContext::parse(&asked.service_context) {
        Ok(ServiceContext::Account(id)) if person.may_use(id.as_str()) => {
            json!({ "account": { "account_id": id } })
        }
        Ok(ServiceContext::Partner(id)) if id.as_str() == PARTNER => {
            json!({ "partner": { "partner_id": id } })
        }
        _ => return meridian.denied(person, &asked.service_context),
    };
    // 3. Ask the gateway for the way in, and send the browser there.
    let order = json!({
        "service_provider_id": asked.service_provider_id,
        "context": context,
        "user_id": person.id,
        "email": person.email,
        "session_id": session,
        "next_url": asked.next_url,
        "back_url": meridian.own_url("/"),
        "back_url_text": "Back to Meridian",
    });
    match meridian.ask("GetEntryURLWithCode", &order).await {
        Ok(answer) => match answer.get("entryUrl").and_then(Value::as_str) {
            Some(entry_url) => Redirect::to(entry_url).into_response(),
            None => meridian.failed("the answer has no entryUrl"),
        },
        Err(why) => meridian.failed(&why),
    }
}
