//! Webhook endpoints by hand. What a serving process delivers is tested with the notices.

use super::Shell;
use serde_json::{Value, json};
use testkit::on_both;

on_both! {
    async fn an_endpoint_is_made_changed_rotated_and_deleted_by_hand(engine: Engine) {
        let shell = Shell::on(engine).await;
        shell.good(&["organization", "create", "acme", "--name", "Acme"]);
        let made = shell.json(&["webhook-endpoint", "create", "https://8.8.8.8/in", "--event", "run.failed,tenant.created", "--ordered"]);
        assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
        assert_eq!((&made["events"], &made["ordered"]), (&json!(["tenant.created", "run.failed"]), &json!(true)));
        let id = made["id"].as_str().unwrap();
        let list = shell.json(&["webhook-endpoint", "list"]);
        assert_eq!((&list[0]["id"], list[0].get("secret")), (&made["id"], None));
        let set = shell.json(&["webhook-endpoint", "set", id, "--description", "ours", "--ordered", "no", "--event", "session.ended"]);
        assert_eq!((&set["description"], &set["ordered"], &set["events"]), (&json!("ours"), &json!(false), &json!(["session.ended"])));
        let rotated = shell.json(&["webhook-endpoint", "rotate-secret", id, "--overlap", "1h"]);
        assert_ne!(rotated["secret"], made["secret"]);
        assert!(rotated["previous_secret_until"].is_string());

        // Nobody serves here: the sample waits, and is seen to.
        let sent = shell.json(&["webhook-endpoint", "test", id, "--wait", "0s"]);
        assert_eq!(sent["state"], "waiting");
        let messages = shell.json(&["webhook-endpoint", "messages", id, "--state", "waiting"]);
        assert_eq!((&messages[0]["id"], &messages[0]["type"]), (&sent["message_id"], &json!("session.ended")));
        assert_eq!(shell.json(&["webhook-endpoint", "attempts", id]), json!([]));
        assert_eq!(shell.json(&["webhook-endpoint", "replay", id])["replayed"], 0, "nothing is dead");
        let told = shell.refused(&["webhook-endpoint", "replay", id, "--state", "waiting"]);
        assert!(told.contains("is delivered anyway"), "{told}");

        assert_eq!(shell.json(&["webhook-endpoint", "set", id, "--disable"])["status"], "disabled");
        let told = shell.refused(&["webhook-endpoint", "test", id]);
        assert!(told.contains("is disabled"), "{told}");
        assert_eq!(shell.json(&["webhook-endpoint", "set", id, "--enable"])["disabled_because"], Value::Null);
        let told = shell.refused(&["webhook-endpoint", "create", "https://192.168.0.1/"]);
        assert!(told.contains("private network"), "{told}");
        let told = shell.refused(&["webhook-endpoint", "create", "https://8.8.8.8/", "--event", "tenant.gone"]);
        assert!(told.contains("is not an event"), "{told}");
        shell.good(&["webhook-endpoint", "delete", id]);
        let told = shell.refused(&["webhook-endpoint", "show", id]);
        assert!(told.contains("there is no webhook endpoint"), "{told}");
        let audit = shell.json(&["audit", "list"]).to_string();
        for action in ["created", "changed", "rotated", "tested", "replayed", "deleted"] {
            assert!(audit.contains(&format!("webhook_endpoint.{action}")), "{action}");
        }
        assert!(!audit.contains("whsec_"), "no secret is in the log");
    }
}
