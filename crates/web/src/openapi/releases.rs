//! Releases, and what is changed of tenants and integrations, in the OpenAPI document.

use super::described::Described;
use super::{list_of, listing, query, reference};
use crate::table::Route;
use axum::http::Method;
use serde_json::json;
use service::admin::releases::Sort;

pub(super) const SCHEMAS: &str = include_str!("releases.json");

pub(super) fn describe(route: &Route) -> Option<Described> {
    let mut described = Described::default();
    let conflict = |said| ("409", said, Some(reference("Message")));
    let said = |status, said, schema: &str| (status, said, Some(reference(schema)));
    let mut body = |name: &str| described.body = Some(reference(name));
    let answers = match (&route.method, route.path) {
        (&Method::POST, "/v2/tenants") => {
            body("NewTenant");
            let taken = "The user has this integration, or another tenant the name.";
            vec![said("200", "The tenant: paused, and not connected yet.", "TenantV2"), conflict(taken)]
        }
        (&Method::PATCH, "/v2/tenants/{id}") => {
            body("TenantChange");
            vec![
                said("200", "The tenant as it is now.", "TenantV2"),
                conflict("It is archived, or a name is taken."),
            ]
        }
        (&Method::DELETE, "/v2/tenants/{id}") => vec![said("200", "The tenant, archived.", "TenantV2")],
        (&Method::GET, "/v2/tenants/{id}/metadata") => {
            vec![said("200", "What is kept; 404 where nothing is.", "TenantMetadata")]
        }
        (&Method::PATCH, "/v2/tenants/{id}/metadata") => {
            body("Metadata");
            let none = "The tenant is archived, or its release has no metadata schema.";
            vec![said("200", "All that is kept now.", "TenantMetadata"), conflict(none)]
        }
        (&Method::POST, "/v2/integrations") => {
            body("NewIntegration");
            vec![said("201", "The integration.", "Integration"), conflict("The name is taken.")]
        }
        (&Method::PATCH, "/v2/integrations/{id}") => {
            body("IntegrationChange");
            vec![said("200", "The integration as it is now.", "Integration")]
        }
        (_, "/v2/integrations/{id}/releases") => {
            described.parameters = listing::<Sort>();
            vec![("200", "A page of releases that can be used.", Some(list_of("Release")))]
        }
        (
            _,
            "/v2/integrations/{id}/releases/default"
            | "/v2/integrations/{id}/releases/latest"
            | "/v2/integrations/{id}/releases/{rid}",
        ) => vec![said("200", "The release.", "Release")],
        (_, "/v2/sourcecontrol/build") => {
            body("Build");
            let made = "The release. It can be used at once, or as soon as its build command has run.";
            vec![
                said("201", made, "Release"),
                said("404", "There is no such integration.", "Message"),
                conflict("The tag is taken."),
            ]
        }
        _ => return None,
    };
    described.answers = answers;
    Some(described)
}

/// What a list of tenants can be narrowed by.
pub(super) fn chosen_tenants() -> Vec<serde_json::Value> {
    vec![
        query(
            "archived",
            &json!({ "type": "boolean", "default": false }),
            "Those that are archived, in place of those in use.",
        ),
        query("integration_id", &json!({ "type": "integer" }), "Only those of this integration."),
        query("user_name", &json!({ "type": "string" }), "Only this user's."),
    ]
}
