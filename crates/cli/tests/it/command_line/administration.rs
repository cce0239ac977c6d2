//! Working by hand, from an empty folder to a key that is revoked.

use super::{Shell, text};
use serde_json::json;
use testkit::on_both;
use testkit::world::Engine;

const OWN: &str = "id = \"gwt\"\nname = \"Greenway\"\n[auth]\nkind = \"none\"\n";

async fn shell(engine: Engine) -> Shell {
    let shell = Shell::on(engine).await;
    shell.good(&["organization", "create", "acme", "--name", "Acme", "--color", "#6b4eff"]);
    shell
}

on_both! {
    async fn an_organization_is_set_up_by_hand(engine: Engine) {
        let shell = shell(engine).await;
        shell.write("gwt.toml", OWN);
        shell.good(&["connector", "add", "gwt.toml"]);
        shell.good(&["origin", "add", "https://app.acme.example"]);
        let create = [
            "integration",
            "create",
            "orders",
            "--own-connector",
            "gwt",
            "--connector",
            "hubspot",
            "--connector",
            "stripe",
        ];
        let made = shell.json(&create);
        assert_eq!(made["connectors"], json!(["hubspot", "stripe"]));
        let set = ["app", "set", "hubspot", "--client-id", "abc", "--client-secret-file", "-", "--json"];
        let stored = shell.fed(&set, "s3cret-of-the-app\n");
        let told: serde_json::Value = serde_json::from_slice(&stored.stdout).unwrap();
        assert_eq!(told["callback_url"], "http://localhost:8080/oauth2/callback");
        assert_eq!(told["has_secret"], true);

        let shown = shell.json(&["organization", "show"]);
        assert_eq!((&shown["organization"], &shown["color"]), (&json!("acme"), &json!("#6b4eff")));
        assert_eq!(shell.json(&["origin", "list"])[0]["origin"], "https://app.acme.example");
        assert_eq!(shell.json(&["app", "list"])[0]["client_id"], "abc");
        assert_eq!(shell.json(&["tenant", "list"]), json!([]));
        let connectors = shell.good(&["connector", "list", "--organization", "acme"]);
        assert!(connectors.contains("Greenway") && connectors.contains("HubSpot"), "{connectors}");

        // Everything was audited, and no secret stands in any list, in the log or in the database's clear text.
        let audit = shell.json(&["audit", "list"]);
        let actions: Vec<_> = audit.as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
        assert_eq!(
            actions,
            [
                "connector_app.stored",
                "integration.created",
                "origin.added",
                "connector.stored",
                "organization.created"
            ]
        );
        assert!(!audit.to_string().contains("s3cret"));
        let database = shell.database_in_the_raw().await;
        let holds = |text: &str| database.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds("https://app.acme.example") && !holds("s3cret"));
    }
}

on_both! {
    async fn a_secret_is_shown_once_and_alone(engine: Engine) {
        let shell = shell(engine).await;
        let made = shell.run(&["signing-key", "create", "--name", "backend"], &[]);
        let secret = text(&made.stdout);
        assert_eq!(secret.trim_end().len(), 43, "nothing but the secret: {secret}");
        assert!(text(&made.stderr).contains("shown only this once"));
        let listed = shell.json(&["signing-key", "list"]);
        assert!(!listed.to_string().contains(secret.trim_end()));
        let old = listed[0]["id"].as_str().unwrap().to_owned();

        let new = shell.json(&["signing-key", "rotate", &old, "--overlap", "1h"]);
        assert_eq!(new["secret"].as_str().unwrap().len(), 43);
        assert_ne!(new["secret"], json!(secret.trim_end()));
        let states = |shell: &Shell| {
            let keys = shell.json(&["signing-key", "list"]);
            keys.as_array()
                .unwrap()
                .iter()
                .map(|key| key["state"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(states(&shell), ["retiring", "live"]);
        shell.good(&["signing-key", "revoke", &old]);
        assert_eq!(states(&shell), ["revoked", "live"]);

        let key = shell.json(&["api-key", "create", "--scope", "tenants:read,integrations:read"]);
        assert!(key["secret"].as_str().unwrap().starts_with("vst_test_"));
        shell.good(&["api-key", "revoke", key["id"].as_str().unwrap()]);
        assert!(!shell.json(&["api-key", "list"])[0]["revoked"].is_null());
    }
}

on_both! {
    async fn refused_input_is_one_sentence_and_changes_nothing(engine: Engine) {
        let shell = shell(engine).await;
        let before = shell.json(&["audit", "list"]);
        let key = "key_01arz3ndektsv4rrffq69g5fav";
        for (arguments, wanted) in [
            (&["organization", "create", "acme"][..], "exists already"),
            (&["organization", "create", "oauth2"], "path of the gateway itself"),
            (&["organization", "create", "Acme Ltd"], "lower-case"),
            (&["organization", "set", "--color", "red"], "#rrggbb"),
            (&["organization", "set", "--token-max-age", "2h"], "30 to 3600"),
            (&["organization", "set"], "nothing to change"),
            (&["organization", "show", "globex"], "`vestibule organization list` shows them"),
            (&["origin", "add", "http://app.example"], "must use https"),
            (&["origin", "add", "https://app.example/path"], "origin"),
            (&["origin", "remove", "https://app.example"], "no origin"),
            (&["origin", "add", "https://app.example", "--environment", "production"], "public_url"),
            (&["integration", "create", "x", "--connector", "nothing"], "`vestibule connector list`"),
            (&["integration", "create", "x", "--connector", "stripe", "--schedule", "often"], "often"),
            (&["app", "set", "stripe", "--client-id", "a"], "without an app"),
            (&["app", "set", "hubspot", "--client-id", "a", "--client-secret-file", "missing"], "missing"),
            (&["signing-key", "revoke", "hunter2"], "`vestibule signing-key list`"),
            (&["signing-key", "revoke", key], "no signing key"),
            (&["signing-key", "create", "--algorithm", "RS256"], "--public-key"),
            (&["api-key", "create", "--scope", "everything"], "tenants:read"),
            (&["tenant", "show", "12"], "`vestibule tenant list`"),
            (&["tenant", "webhook", "rotate", "12"], "webhook address"),
        ] {
            let said = shell.refused(arguments);
            assert!(said.contains(wanted), "{arguments:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        }
        assert_eq!(shell.json(&["audit", "list"]), before);
    }
}

on_both! {
    async fn which_organization_and_environment_is_asked_where_it_is_not_clear(engine: Engine) {
        let shell = shell(engine).await;
        shell.good(&["organization", "create", "globex"]);
        let said = shell.refused(&["origin", "list"]);
        assert!(said.contains("--organization") && said.contains("acme, globex"), "{said}");
        let two = "environments.production.public_url=https://connect.example.com";
        let sandbox = "environments.sandbox.public_url=http://localhost:8080";
        let both = ["--set", two, "--set", sandbox, "--organization", "acme"];
        let add: Vec<_> = ["origin", "add", "https://a.example"].into_iter().chain(both).collect();
        assert!(shell.refused(&add).contains("--environment sandbox or --environment production"));
        let add: Vec<_> = add.into_iter().chain(["--environment", "production"]).collect();
        assert!(shell.good(&add).contains("in production"));
    }
}

#[test]
fn connector_files_are_checked_without_a_database() {
    let shell = Shell::new();
    shell.write("good.toml", OWN);
    shell.write("bad.toml", "id = \"x\"\nname = \"X\"\n[auth]\nkind = \"oath2\"\n");
    assert!(shell.good(&["connector", "check", "good.toml"]).contains("gwt is without problems"));
    let output = shell.run(&["connector", "check", "good.toml", "bad.toml"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("bad.toml:4: auth.kind") && said.contains("did you mean `oauth2`?"), "{said}");
    assert!(!shell.path("vestibule.db").exists());
}

on_both! {
    async fn a_token_is_signed_for_trying_out(engine: Engine) {
        let shell = shell(engine).await;
        let secret = shell.good(&["signing-key", "create"]);
        let arguments = [
            "token",
            "sign",
            "--user",
            "anna",
            "--integration",
            "orders",
            "--own-connector",
            "gwt",
            "--own-token",
            "t",
            "--claim",
            "meta={\"plan\":1}",
            "--url",
            "--organization",
            "acme",
        ];
        let url = text(&shell.fed(&arguments, &secret).stdout);
        assert!(url.starts_with("http://localhost:8080/acme/connector/auth?tenant=eyJ"), "{url}");
        assert_eq!(url.trim_end().split('.').count(), 3, "{url}");
        assert!(!url.contains(secret.trim_end()));
    }
}
