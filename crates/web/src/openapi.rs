//! The REST API as an OpenAPI 3.1 document: made from the route table, so that it has every route of the API
//! and no other.

mod connections;
mod described;
mod outside;
mod releases;
mod runs;
mod settings;
mod webhook_endpoints;

use crate::listing::{DEFAULT_LIMIT, FARTHEST, MOST, Newest, Sortable};
use crate::table::{Proof, Route};
use axum::http::Method;
use described::Described;
use serde_json::{Map, Value, json};
use service::admin::jobs::Kind;
use service::connect::look_up::{IntegrationSort, TenantSort};

const SCHEMAS: &str = include_str!("openapi/schemas.json");

/// Whether a route belongs to the API for programs.
pub fn is_api(route: &Route) -> bool {
    route.path.starts_with("/v1/") || route.path.starts_with("/v2/")
}

/// The document for a gateway that is reached at `server`, an origin or `/`.
pub fn document(routes: &[Route], server: &str) -> Value {
    let mut paths = Map::new();
    for route in routes.iter().filter(|route| is_api(route)) {
        let path = paths.entry(route.path.to_owned()).or_insert_with(|| Value::Object(Map::new()));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation(route));
        }
    }
    // A test holds that the file is JSON.
    let mut schemas: Map<String, Value> = serde_json::from_str(SCHEMAS).unwrap_or_default();
    schemas.extend(described::schemas());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Vestibule",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What is installed for an organization's users, and where outside systems deliver. \
                Ids are integers below 2^53; errors are `{\"message\": ..}`.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": server }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "api_key": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-KEY",
                    "description": "Made with `vestibule api-key create`; each operation names the scope it needs.",
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let described = described::describe(route);
    let mut operation = json!({
        "summary": route.about,
        "operationId": operation_id(route),
        "parameters": parameters(route, described.as_ref()),
        "responses": responses(route, described.as_ref()),
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    match route.proof {
        Proof::ApiKey(scope) => fields.insert("security".to_owned(), json!([{ "api_key": [scope] }])),
        _ => fields.insert("security".to_owned(), json!([])),
    };
    if let Some(described) = described {
        if let Some(schema) = described.body {
            let content = json!({ "application/json": { "schema": schema } });
            fields.insert("requestBody".to_owned(), json!({ "content": content }));
        }
    } else if route.method == Method::POST {
        let content = json!({ "*/*": {} });
        let body = json!({ "description": "Kept byte for byte.", "content": content });
        fields.insert("requestBody".to_owned(), body);
    }
    operation
}

/// `get_v2_tenants_by_id`
fn operation_id(route: &Route) -> String {
    let words = route.path.split('/').filter(|part| !part.is_empty()).map(|part| {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(parameter) => format!("by_{parameter}"),
            None => part.to_owned(),
        }
    });
    let words: Vec<_> = words.collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), words.join("_"))
}

fn parameters(route: &Route, described: Option<&Described>) -> Value {
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| {
            let own = described.and_then(|described| described.id.clone());
            let schema = match name {
                "id" => own.unwrap_or_else(|| reference("Id")),
                "rid" => reference("Id"),
                _ => json!({ "type": "string" }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    parameters.extend(described.into_iter().flat_map(|described| described.parameters.clone()));
    match route.path {
        "/v2/tenants" if route.method == Method::GET => {
            parameters.extend(listing::<TenantSort>());
            parameters.extend(releases::chosen_tenants());
        }
        "/v2/jobs" => {
            parameters.extend(listing::<Newest>());
            parameters.push(query("state", &json!({ "const": "dead" }), "The only ones that are listed."));
            let kinds = json!({ "type": "string", "enum": Kind::ALL.map(Kind::as_str) });
            parameters.push(query("kind", &kinds, "Only these."));
        }
        "/v2/integrations" if route.method == Method::GET => parameters.extend(listing::<IntegrationSort>()),
        _ => {}
    }
    Value::Array(parameters)
}

fn listing<S: Sortable>() -> Vec<Value> {
    let fields: Vec<_> = S::ALL.iter().map(|sort| sort.field()).collect();
    listing_by(&fields, S::FARTHEST)
}

/// Of a list that is read whole.
fn listing_whole(fields: &[&str]) -> Vec<Value> {
    listing_by(fields, FARTHEST)
}

fn listing_by(fields: &[&str], farthest: i64) -> Vec<Value> {
    let orders = fields.iter().flat_map(|field| ["ASC", "DESC"].map(|way| format!("{field}__{way}")));
    let orders: Vec<_> = orders.collect();
    vec![
        query("sort_by", &json!({ "type": "string", "enum": orders }), "Field and direction."),
        query(
            "limit",
            &json!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT }),
            "At most so many.",
        ),
        query(
            "skip",
            &json!({ "type": "integer", "minimum": 0, "maximum": farthest, "default": 0 }),
            "Leaves so many out at the beginning.",
        ),
    ]
}

fn query(name: &str, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": "query", "required": false, "schema": schema, "description": description })
}

fn responses(route: &Route, described: Option<&Described>) -> Value {
    let mut responses = Map::new();
    let mut say = |status: &str, description: &str, schema: Option<Value>| {
        let mut response = json!({ "description": description });
        if let (Some(schema), Some(fields)) = (schema, response.as_object_mut()) {
            fields.insert("content".to_owned(), json!({ "application/json": { "schema": schema } }));
        }
        responses.insert(status.to_owned(), response);
    };
    let message = || Some(reference("Message"));
    for (status, description, schema) in described.into_iter().flat_map(|described| &described.answers) {
        say(status, description, schema.clone());
    }
    match (&route.method, route.path) {
        (method, "/v1/webhooks/{hash}") => {
            if *method == Method::POST {
                say("202", "Stored durably, or stored before.", Some(reference("Accepted")));
                say("413", "The body is too large.", message());
            }
            say("200", "A challenge, answered as the connector declares.", None);
            say("401", "The signature is missing or wrong; nothing was stored.", message());
            say("404", "There is no such address, or it has ended.", message());
            say("410", "The tenant is archived.", message());
        }
        (_, "/v1/tenants/{id}") => say("200", "The tenant.", Some(reference("TenantV1"))),
        (&Method::GET, "/v2/tenants") => say("200", "A page of tenants.", Some(list_of("TenantV2"))),
        (&Method::GET, "/v2/tenants/{id}") => say("200", "The tenant.", Some(reference("TenantV2"))),
        (_, "/v2/tenants/{id}/connectors/{name}/disconnect") => {
            say("200", "The tenant without the connection.", Some(reference("TenantV2")));
        }
        (_, "/v2/jobs") => say("200", "A page of dead letters, the newest first.", Some(list_of("Job"))),
        (_, "/v2/jobs/{job}/replay") => {
            say("202", "The job, in the queue again.", Some(reference("Job")));
            say("409", "It is not dead.", message());
        }
        (_, "/v2/jobs/{job}") => {
            say("204", "It is deleted.", None);
            say("409", "It is not dead.", message());
        }
        (&Method::GET, "/v2/integrations") => {
            say("200", "A page of integrations.", Some(list_of("Integration")));
        }
        (&Method::GET, "/v2/integrations/{id}") => {
            say("200", "The integration.", Some(reference("Integration")));
        }
        _ => {}
    }
    if matches!(route.proof, Proof::ApiKey(_)) {
        say(
            "403",
            "The key is missing, unknown, revoked or lacks the scope.",
            Some(reference("NotAuthorized")),
        );
        if route.path.contains('{') {
            say("404", "There is none with this id in the organization and environment.", message());
        }
        say("422", "A parameter does not fit.", Some(reference("Invalid")));
    }
    say("503", "Not just now; `Retry-After` says when.", message());
    let listed = responses.get_mut("200").filter(|answer| is_list(answer)).and_then(Value::as_object_mut);
    if let Some(listed) = listed {
        let headers = json!({
            "X-Total-Count": { "description": "How many there are in all.", "schema": { "type": "integer" } },
            "Link": { "description": "The next page, as rel=\"next\".", "schema": { "type": "string" } },
        });
        listed.insert("headers".to_owned(), headers);
    }
    Value::Object(responses)
}

/// Whether an answer is a page of a list, as [`list_of`] says it.
fn is_list(answer: &Value) -> bool {
    answer.pointer("/content/application~1json/schema/type").is_some_and(|it| it == "array")
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn list_of(name: &str) -> Value {
    json!({ "type": "array", "items": reference(name) })
}

#[cfg(test)]
mod tests;
