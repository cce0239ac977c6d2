//! Connectors, users and a tenant's webhook addresses in the OpenAPI document.

use super::described::Described;
use super::{list_of, listing, listing_whole, reference};
use crate::routes::{connectors, inbound_webhooks};
use crate::table::Route;
use axum::http::Method;
use serde_json::{Value, json};
use service::connect::users::UserSort;

pub(super) const SCHEMAS: &str = include_str!("outside.json");

pub(super) fn describe(route: &Route) -> Option<Described> {
    let mut described = Described::default();
    let mut body = |name: &str| described.body = Some(reference(name));
    let shown = |said, schema: &str| vec![("200", said, Some(reference(schema)))];
    let answers = match (&route.method, route.path) {
        (&Method::GET, "/v2/connectors") => {
            described.parameters = listing_whole(connectors::FIELDS);
            vec![("200", "A page of connectors, by name.", Some(list_of("Connector")))]
        }
        (&Method::POST, "/v2/connectors") => {
            body("NewConnector");
            vec![
                ("201", "Stored.", Some(reference("ConnectorInDetail"))),
                ("200", "Stored in place of what had this name.", Some(reference("ConnectorInDetail"))),
                (
                    "409",
                    "Production or the gateway has one of this name, and the key is of the sandbox.",
                    message(),
                ),
                ("413", "The body is too large.", message()),
            ]
        }
        (_, "/v2/connectors/{name}") => shown("The connector, with its definition.", "ConnectorInDetail"),
        (_, "/v2/connectors/{name}/app") => {
            body("NewConnectorApp");
            shown("Stored; its secrets are in no answer.", "StoredConnectorApp")
        }
        (_, "/v2/users") => {
            described.parameters = listing::<UserSort>();
            vec![("200", "A page of users.", Some(list_of("User")))]
        }
        (_, "/v2/users/{id}") => {
            described.id = Some(json!({ "type": "string", "format": "uuid" }));
            shown("The user.", "User")
        }
        (_, "/v2/tenants/{id}/webhooks") => {
            described.parameters = listing_whole(inbound_webhooks::FIELDS);
            let said = "The addresses that take deliveries; those that were rotated live on for a while.";
            vec![("200", said, Some(list_of("WebhookAddress")))]
        }
        (_, "/v2/tenants/{id}/webhooks/rotate") => {
            body("WebhookAddressRotation");
            shown("The new address.", "WebhookAddress")
        }
        _ => return None,
    };
    described.answers = answers;
    Some(described)
}

fn message() -> Option<Value> {
    Some(reference("Message"))
}
