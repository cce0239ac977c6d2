//! An organization's own settings in the OpenAPI document.

use super::described::Described;
use super::{list_of, listing, listing_whole, query, reference};
use crate::routes::settings::fields;
use crate::table::Route;
use axum::http::Method;
use serde_json::{Value, json};
use service::admin::records::AuditSort;

pub(super) const SCHEMAS: &str = include_str!("settings.json");

pub(super) fn describe(route: &Route) -> Option<Described> {
    let mut described = Described::default();
    let list = |said, schema: &str| vec![("200", said, Some(list_of(schema)))];
    let made = |said, schema: &str| vec![("201", said, Some(reference(schema)))];
    let gone = |said| vec![("204", said, None::<Value>)];
    let mut body = |name: &str| described.body = Some(reference(name));
    let answers = match (&route.method, route.path) {
        (_, "/v2/organizations") => {
            described.parameters = listing_whole(fields::ORGANIZATIONS);
            list("The key's own organization.", "Organization")
        }
        (&Method::GET, "/v2/origins") => {
            described.parameters = listing_whole(fields::ORIGINS);
            list("The origins that may frame pages.", "Origin")
        }
        (&Method::POST, "/v2/origins") => {
            body("Origin");
            let mut answers = made("Registered.", "Origin");
            answers.push(("200", "It was registered before.", Some(reference("Origin"))));
            answers
        }
        (&Method::DELETE, "/v2/origins") => {
            described.parameters =
                vec![query("origin", &json!({ "type": "string" }), "The origin; required.")];
            gone("It is no longer registered.")
        }
        (&Method::GET, "/v2/signing-keys") => {
            described.parameters = listing_whole(fields::SIGNING_KEYS);
            list("The keys, without their secrets.", "SigningKey")
        }
        (&Method::POST, "/v2/signing-keys") => {
            body("NewSigningKey");
            made("The key; a secret that was made is shown this once.", "SigningKey")
        }
        (_, "/v2/signing-keys/{key}/rotate") => {
            body("SigningKeyRotation");
            made("The new key; its secret is shown this once.", "SigningKey")
        }
        (_, "/v2/signing-keys/{key}") => gone("Tokens signed with it are refused from now on."),
        (&Method::GET, "/v2/api-keys") => {
            described.parameters = listing_whole(fields::API_KEYS);
            list("The keys, without what they are presented with.", "ApiKey")
        }
        (&Method::POST, "/v2/api-keys") => {
            body("NewApiKey");
            made("The key, which is shown this once.", "ApiKey")
        }
        (_, "/v2/api-keys/{key}") => gone("It is refused from now on."),
        (_, "/v2/audit") => {
            let number = json!({ "type": "integer", "minimum": 1 });
            let since = query("since_seconds", &number, "How far back; 30 days unless said otherwise.");
            described.parameters = listing::<AuditSort>();
            described.parameters.push(since);
            list("Who changed what, the newest first.", "AuditEntry")
        }
        _ => return None,
    };
    described.answers = answers;
    Some(described)
}
