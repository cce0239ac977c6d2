//! What the document says of a tenant's connections: credentials and calls.

use super::described::Described;
use super::{query, reference};
use crate::table::Route;
use serde_json::{Value, json};

pub(super) const SCHEMAS: &str = include_str!("connections.json");

const CREDENTIAL: &str = "/v2/tenants/{id}/connectors/{name}/credential";
const CALL: &str = "/v2/tenants/{id}/connectors/{name}/call";
const SOAP: &str = "/v2/tenants/{id}/connectors/{name}/soap";
const XML: &str = "/v2/tenants/{id}/connectors/{name}/xml";

pub(super) fn describe(route: &Route) -> Option<Described> {
    match route.path {
        CREDENTIAL => Some(Described {
            answers: vec![
                ("200", "The fresh credential; not to be kept.", Some(reference("Credential"))),
                not_connected(),
            ],
            ..Described::default()
        }),
        CALL => {
            let about = "The outside system's body as it is, for what is no JSON.";
            let raw = query("raw", &json!({ "type": "boolean", "default": false }), about);
            Some(Described {
                parameters: vec![raw],
                body: Some(reference("Call")),
                answers: answers(),
                ..Described::default()
            })
        }
        SOAP | XML => {
            Some(Described { body: Some(reference("XmlCall")), answers: answers(), ..Described::default() })
        }
        _ => None,
    }
}

type Said = (&'static str, &'static str, Option<Value>);

fn answers() -> Vec<Said> {
    let failed = |status, about| (status, about, Some(reference("CallFailed")));
    let good =
        "What the outside system answered. `call` with `raw=true`: its body as it is, in its own type.";
    let bad = "The outside system answered with an error, which stands in `status` and `body`, or with nothing usable.";
    vec![
        ("200", good, Some(reference("CallAnswer"))),
        not_connected(),
        ("413", "The body is too large.", Some(reference("Message"))),
        failed("429", "The outside system wants fewer calls; `Retry-After` says when."),
        failed("502", bad),
        failed("504", "The outside system did not answer in time."),
    ]
}

fn not_connected() -> Said {
    let about = "The connector is not connected: the user must connect it.";
    ("409", about, Some(reference("CallFailed")))
}
