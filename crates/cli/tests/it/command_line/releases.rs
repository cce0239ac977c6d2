//! Releases and tenants by hand: built from a folder, chosen, configured, archived.

use super::Shell;
use serde_json::{Value, json};
use testkit::on_both;

const MANIFEST: &str = "version: 1
build: cp run.sh built.sh
run: ./built.sh
configs:
  schema: {type: object, properties: {limit: {type: integer, minimum: 1}}}
";

on_both! {
    async fn a_release_is_built_chosen_and_deleted_by_hand(engine: Engine) {
        let shell = Shell::on(engine).await;
        shell.good(&["organization", "create", "acme", "--name", "Acme"]);
        shell.good(&["integration", "create", "orders", "--connector", "hubspot"]);
        std::fs::create_dir(shell.path("orders")).unwrap();
        shell.write("orders/vestibule.yaml", MANIFEST);
        shell.write("orders/run.sh", "#!/bin/sh\n");
        let build = |tag: &'static str| ["release", "build", "--integration", "orders", "--from", "orders", "--tag", tag];
        let first = shell.json(&build("1.0.0"));
        assert_eq!((&first["state"], &first["default"], &first["release"]), (&json!("ready"), &json!(true), &json!("orders-1.0.0")));
        let second = shell.json(&build("1.1.0"));
        assert_eq!((&second["state"], &second["default"]), (&json!("ready"), &json!(false)));
        let list = shell.json(&["release", "list", "--integration", "orders"]);
        assert_eq!((&list[0]["tag"], &list[1]["tag"], &list[1]["default"]), (&json!("1.1.0"), &json!("1.0.0"), &json!(true)));
        let shown = shell.json(&["release", "show", "1.0.0", "--integration", "orders"]);
        assert_eq!(shown["configs"]["schema"]["properties"]["limit"]["type"], "integer");
        shell.good(&["release", "default", "1.1.0", "--integration", "orders"]);
        let told = shell.refused(&["release", "delete", "1.1.0", "--integration", "orders"]);
        assert!(told.contains("is the integration's default"), "{told}");
        shell.good(&["release", "delete", "1.0.0", "--integration", "orders"]);
        let told = shell.refused(&build("1.1.0"));
        assert!(told.contains("exists already"), "{told}");
        shell.write("orders/vestibule.yaml", "version: 1\nrum: x\n");
        let told = shell.refused(&build("2"));
        assert!(told.contains("vestibule.yaml:2: rum: there is no such field; did you mean `run`?"), "{told}");
        let told = shell.refused(&["release", "build", "--integration", "orders", "--tag", "2"]);
        assert!(told.contains("say --from FOLDER or --git URL"), "{told}");

        let set = shell.json(&["integration", "set", "orders", "--repository", "https://git.example.com/o.git", "--branch", "main", "--channel", "latest"]);
        assert_eq!((&set["repository"], &set["repository_branch"], &set["channel"]), (&json!("https://git.example.com/o.git"), &json!("main"), &json!("Latest")));
        let told = shell.refused(&["integration", "set", "orders", "--repository", "https://user:secret@git.example.com/o.git"]);
        assert!(told.contains("without a password"), "{told}");
        assert_eq!(shell.json(&["integration", "set", "orders", "--repository", ""])["repository"], Value::Null);

        let tenant = shell.json(&["tenant", "create", "anna", "--integration", "orders"]);
        assert_eq!((&tenant["paused"], &tenant["channel"]), (&json!(true), &json!("Latest")));
        let id = tenant["id"].to_string();
        let set = shell.json(&["tenant", "set", &id, "--release", "1.1.0", "--configs", r#"{"limit": 3}"#, "--schedule", "5 4 * * *", "--zone", "Europe/Berlin", "--pause", "false"]);
        assert_eq!((&set["release"], &set["configs"], &set["time_zone"], &set["paused"]), (&second["id"], &json!({"limit": 3}), &json!("Europe/Berlin"), &json!(false)));
        let told = shell.refused(&["tenant", "set", &id, "--configs", r#"{"limit": 0}"#]);
        assert!(told.contains("configs.limit"), "{told}");
        let told = shell.refused(&["release", "delete", "1.1.0", "--integration", "orders"]);
        assert!(told.contains("a tenant's own"), "{told}");
        assert_eq!(shell.json(&["tenant", "set", &id, "--channel", "Default", "--schedule", ""])["schedule"], Value::Null);
        shell.good(&["tenant", "archive", &id]);
        let told = shell.refused(&["tenant", "set", &id, "--pause", "true"]);
        assert!(told.contains("archived"), "{told}");
        assert_eq!(shell.json(&["tenant", "unarchive", &id])["archived"], false);
        let audit = shell.json(&["audit", "list"]).to_string();
        for action in ["release.created", "release.made_default", "release.deleted", "integration.changed", "tenant.changed", "tenant.archived", "tenant.unarchived"] {
            assert!(audit.contains(action), "{action}");
        }
    }
}
