//! Service accounts and their keys.

use super::super::{Shell, text};
use super::{audited, shell};
use enter::service_account::KeyFile;
use serde_json::{Value, json};
use testkit::on_both;

fn service_account(shell: &Shell) -> String {
    let made = shell.json(&["service-account", "create", "--name", "Portal"]);
    made["service_account"].as_str().unwrap().to_owned()
}

on_both! {
    async fn a_service_account_may_do_little_by_default(engine: Engine) {
        let shell = shell(engine).await;
        let email = service_account(&shell);
        assert_eq!(email, "portal@PT-1.localhost");
        let shown = shell.json(&["service-account", "show", &email]);
        assert_eq!(shown["scopes"], json!(["entry", "logout"]));
        let set = shell.json(&["service-account", "set", &email, "--scope", "apps:write,entry,entry"]);
        assert_eq!(set["scopes"], json!(["entry", "apps:write"]), "each once");
        let said = shell.refused(&["service-account", "set", &email, "--scope", "everything"]);
        assert!(said.contains("partner:write"), "{said}");
        assert!(shell.json(&["service-account", "set", &email, "--disable"])["disabled"].is_string());
        let own = ["service-account", "create", "--email", "sa@portal.example", "--scope", "entry"];
        assert_eq!(shell.json(&own)["scopes"], json!(["entry"]));
        assert!(shell.refused(&own).contains("exists already"));
        assert_eq!(shell.json(&["service-account", "list"]).as_array().unwrap().len(), 2);
        let changed = audited(&shell).into_iter().find(|entry| entry["action"] == "service_account.changed");
        assert_eq!(changed.unwrap()["detail"]["scopes"], json!([["entry", "logout"], ["entry", "apps:write"]]));
        shell.good(&["service-account", "delete", &email]);
        assert!(shell.refused(&["service-account", "show", &email]).contains("`vestibule service-account list`"));
    }
}

on_both! {
    async fn a_key_file_is_made_once_and_only_its_owner_reads_it(engine: Engine) {
        let shell = shell(engine).await;
        let email = service_account(&shell);
        let create = ["service-key", "create", "--service-account", &email, "--key-file", "key.json", "--id", "sak-1"];
        let said = shell.good(&create);
        assert!(said.contains("key.json"), "{said}");
        let content = std::fs::read_to_string(shell.path("key.json")).unwrap();
        let file = KeyFile::read(&content).unwrap();
        assert_eq!((file.key_id.as_str(), file.client_email.as_str()), ("sak-1", email.as_str()));
        assert_eq!(file.token_uri, "http://localhost:8080/iam.v1.UserIAM/GetSessionToken");
        assert_eq!(file.audience, "http://localhost:8080");
        assert!(content.contains(concat!("BEGIN EC ", "PRIVATE KEY")));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(shell.path("key.json")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
        }
        // A file that is there is never overwritten, and no key is registered for it.
        let other = ["service-key", "create", "--service-account", &email, "--key-file", "key.json"];
        assert!(shell.refused(&other).contains("cannot be made"));
        assert_eq!(std::fs::read_to_string(shell.path("key.json")).unwrap(), content);
        let listed = shell.json(&["service-key", "list", "--service-account", &email]);
        assert_eq!(listed.as_array().unwrap().len(), 1);
        assert_eq!((&listed[0]["made"], &listed[0]["switches_on"]), (&json!("here"), &json!([])));
        // One that is refused leaves no file behind.
        let again = ["service-key", "create", "--service-account", &email, "--key-file", "b.json", "--id", "sak-1"];
        assert!(shell.refused(&again).contains("exists already"));
        assert!(!shell.path("b.json").exists());

        // Printed where no file is named, and nowhere kept.
        let printed = shell.run(&["service-key", "create", "--service-account", &email, "--algorithm", "RS256"], &[]);
        let printed_text = text(&printed.stdout);
        let rsa = KeyFile::read(&printed_text).unwrap();
        assert_eq!(rsa.token_uri, "http://localhost:8080/oauth2/token");
        assert!(text(&printed.stderr).contains("shown only this once"));
        let database = shell.database_in_the_raw().await;
        for file in [&content, &printed_text] {
            let file: Value = serde_json::from_str(file).unwrap();
            let key = file["private_key"].as_str().unwrap();
            let line = key.lines().nth(1).unwrap();
            assert!(!database.windows(line.len()).any(|part| part == line.as_bytes()), "a private key is kept");
        }
    }
}

on_both! {
    async fn keys_are_brought_rotated_and_ended(engine: Engine) {
        let shell = shell(engine).await;
        let email = service_account(&shell);
        let made = shell.json(&["service-key", "create", "--service-account", &email, "--lives", "365d"]);
        let (old, file) = (made["key"].as_str().unwrap(), &made["key_file"]);
        assert_eq!((&made["state"], &file["client_email"]), (&json!("live"), &json!(email)));
        assert!(made["expires"].is_string());
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        shell.write("public.json", &jwk.to_string());
        let register = [
            "service-key", "register", "--service-account", &email, "--id", "own-1", "--algorithm", "EdDSA",
            "--public-key", "public.json",
        ];
        assert_eq!(shell.json(&register)["made"], "by the partner");
        let ended = shell.json(&["service-key", "end", old, "--in", "0s"]);
        assert_eq!(ended["state"], "expired");
        assert_eq!(shell.json(&["service-key", "disable", "own-1"])["state"], "disabled");
        assert_eq!(shell.json(&["service-key", "enable", "own-1"])["state"], "live");
        let private = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" });
        shell.write("private.json", &private.to_string());
        let register = ["service-key", "register", "--service-account", &email, "--algorithm", "EdDSA", "--public-key", "private.json"];
        assert!(shell.refused(&register).contains('d'), "a private key that was sent is told of");
    }
}

on_both! {
    async fn a_switch_is_only_for_keys_made_here_and_is_shown_everywhere(engine: Engine) {
        let shell = shell(engine).await;
        let email = service_account(&shell);
        let made = shell.json(&[
            "service-key", "create", "--service-account", &email, "--id", "sak-1", "--allow", "without-jti,legacy-audience",
        ]);
        assert_eq!(made["switches_on"], json!(["without-jti", "legacy-audience"]));
        assert_eq!(made["key_file"]["assertionPayloadData"]["aud"], "vendasta.com", "as those SDKs write it");
        let listen = format!("listen=127.0.0.1:{}", testkit::process::free_port());
        let doctor = || shell.json(&["doctor", "--set", &listen]).to_string();
        let seen = doctor();
        assert!(seen.contains("sak-1 of portal@PT-1.localhost is allowed without-jti, legacy-audience"), "{seen}");
        let set = shell.json(&["service-key", "allow", "sak-1", "audience-in-header"]);
        assert_eq!(set["switches_on"], json!(["audience-in-header"]), "those that are named, and no others");
        assert_eq!(shell.json(&["service-key", "allow", "sak-1"])["switches_on"], json!([]));
        assert!(!doctor().contains("sak-1"));
        let told: Vec<_> = audited(&shell).into_iter().filter(|entry| entry["action"] == "service_key.switches_set").collect();
        let first = json!([["without-jti", "legacy-audience"], ["audience-in-header"]]);
        assert_eq!((told.len(), &told[0]["detail"]["switches"]), (2, &first));

        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        shell.write("public.json", &jwk.to_string());
        shell.good(&[
            "service-key", "register", "--service-account", &email, "--id", "own-1", "--algorithm", "EdDSA",
            "--public-key", "public.json",
        ]);
        assert!(shell.refused(&["service-key", "allow", "own-1", "without-jti"]).contains("generated here"));
    }
}
