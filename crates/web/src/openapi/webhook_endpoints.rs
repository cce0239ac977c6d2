//! `/v2/webhooks` in the OpenAPI document.

use super::described::Described;
use super::{list_of, listing, listing_whole, query, reference};
use crate::listing::Newest;
use crate::routes::webhook_endpoints as endpoints;
use crate::table::Route;
use axum::http::Method;
use serde_json::{Value, json};

pub(super) const SCHEMAS: &str = include_str!("webhook_endpoints.json");

fn text(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

pub(super) fn describe(route: &Route) -> Option<Described> {
    let path = route.path.strip_prefix("/v2/webhooks")?;
    let is_message = path.starts_with("/messages");
    let id = text(if is_message { "^msg_[0-9a-z]{26}$" } else { "^end_[0-9a-z]{26}$" });
    let said = |status, said, schema: Option<&str>| vec![(status, said, schema.map(reference))];
    let list = |said, schema: &str| vec![("200", said, Some(list_of(schema)))];
    let mut described = Described { id: Some(id), ..Described::default() };
    let body = |name: &str| Some(reference(name));
    described.answers = match (&route.method, path) {
        (&Method::GET, "") => {
            described.parameters = listing_whole(endpoints::FIELDS);
            list("All endpoints.", "WebhookEndpoint")
        }
        (&Method::POST, "") => {
            described.body = body("NewWebhookEndpoint");
            said("201", "Made. The secret is shown this once.", Some("WebhookEndpointWithSecret"))
        }
        (&Method::PATCH, "/{id}") => {
            described.body = body("WebhookEndpointChange");
            said("200", "The endpoint as it is now.", Some("WebhookEndpoint"))
        }
        (&Method::DELETE, "/{id}") => said("204", "Deleted; what waited for it is not delivered.", None),
        (&Method::GET, "/{id}") => said("200", "The endpoint.", Some("WebhookEndpoint")),
        (_, "/{id}/rotate") => {
            described.body = body("WebhookSecretRotation");
            said("200", "The new secret is shown this once.", Some("WebhookEndpointWithSecret"))
        }
        (_, "/{id}/test") => {
            described.body = body("WebhookTest");
            said("202", "A sample is on its way.", Some("WebhookMessageId"))
        }
        (_, "/{id}/replay") => {
            described.body = body("WebhookReplay");
            said("202", "They are on their way once more.", Some("WebhookReplayed"))
        }
        (_, "/{id}/attempts") => {
            let shape = text("^[0-9TZ:.+-]+(,msg_[0-9a-z]{26},[0-9]+)?$");
            let before = query(
                "before",
                &shape,
                "Those from before this time, or behind this one as `Link` names it.",
            );
            let failed = query("failed", &json!({ "type": "boolean" }), "Only those that failed.");
            described.parameters = listing::<endpoints::Newest>();
            described.parameters.extend([before, failed]);
            list("Tries, newest first; `Link` names the next page.", "WebhookAttempt")
        }
        (_, "/{id}/messages") => {
            let before = query("before", &text("^msg_[0-9a-z]{26}$"), "Those from before this one.");
            let states = json!({ "type": "string", "enum": ["waiting", "delivered", "dead"] });
            described.parameters = listing::<Newest>();
            described.parameters.extend([before, query("state", &states, "Only those.")]);
            list("Messages, newest first; `Link` names the next page.", "WebhookMessage")
        }
        (_, "/messages/{id}") => {
            said("200", "The message with its tries.", Some("WebhookMessageWithAttempts"))
        }
        (_, "/messages/{id}/replay") => said("202", "It is on its way once more.", Some("WebhookMessageId")),
        _ => return None,
    };
    if matches!(route.method, Method::POST | Method::PATCH) {
        described.answers.push((
            "409",
            "Something stands in the way; the message says what.",
            Some(reference("Message")),
        ));
    }
    Some(described)
}
