//! Runs in the OpenAPI document.

use super::described::Described;
use super::{list_of, listing, query, reference};
use crate::table::Route;
use serde_json::json;
use service::work::run_look_up::RunSort;

pub(super) const SCHEMAS: &str = include_str!("runs.json");

pub(super) fn describe(route: &Route) -> Option<Described> {
    let mut described = Described::default();
    let mode = || {
        query(
            "mode",
            &json!({ "type": "string", "enum": ["init", "normal"], "default": "normal" }),
            "What the run is for.",
        )
    };
    let message = || Some(reference("Message"));
    let triggered = || {
        vec![
            ("202", "It is asked for; several that wait become one run.", Some(reference("Triggered"))),
            ("409", "The tenant is archived.", message()),
        ]
    };
    let text = || json!({ "type": "string" });
    described.answers = match route.path {
        "/v2/tenants/{id}/sync" => {
            described.parameters = vec![mode()];
            described.body = Some(reference("TriggerPayload"));
            triggered()
        }
        "/v2/integrations/{id}/sync" => {
            let said = "Whose tenant; may be left out where one user has the integration.";
            described.parameters = vec![mode(), query("user_name", &text(), said)];
            described.body = Some(reference("TriggerPayload"));
            triggered()
        }
        "/v2/tenants/{id}/runs" => {
            described.parameters = listing::<RunSort>();
            vec![("200", "A page of the tenant's runs.", Some(list_of("Run")))]
        }
        "/v2/runs/{id}" => vec![("200", "The run.", Some(reference("Run")))],
        "/v2/runs/triggers/{id}/status" => {
            vec![(
                "200",
                "The run that took the trigger; 404 until there is one.",
                Some(reference("TriggerStatus")),
            )]
        }
        "/v2/runs/{id}/log" => vec![("302", "To the log, by a link that is good for 15 minutes.", None)],
        "/v2/runs/{id}/cancel" => {
            vec![("202", "It ends within a few seconds.", message()), ("409", "It has ended.", message())]
        }
        "/v2/runs/{id}/rerun" => {
            described.body = Some(reference("Rerun"));
            vec![
                ("202", "It is done once more, with the same triggers.", Some(reference("Triggered"))),
                ("409", "The tenant is archived.", message()),
            ]
        }
        "/v1/runs/{id}/log" => {
            described.parameters = vec![
                query("expires", &json!({ "type": "integer" }), "When the link ends, in seconds since 1970."),
                query("signature", &text(), "What makes it good."),
            ];
            vec![
                ("200", "The log as text, secrets masked.", None),
                ("403", "The link is not good.", message()),
            ]
        }
        "/v1/runs/{id}/report" => {
            described.body = Some(reference("RunReport"));
            vec![
                ("200", "It is kept.", message()),
                ("401", "This is not the token of an open run.", message()),
                ("413", "The report is too large.", message()),
                ("422", "It cannot be read.", Some(reference("Invalid"))),
            ]
        }
        "/v1/runs/{id}/credentials/{connector}" => vec![
            ("200", "The fresh credential; not to be kept.", Some(reference("RunCredentials"))),
            ("401", "This is not the token of an open run.", message()),
            ("404", "The run has no such connector.", message()),
            ("409", "The connector is not connected: the user must connect it.", message()),
        ],
        _ => return None,
    };
    Some(described)
}
