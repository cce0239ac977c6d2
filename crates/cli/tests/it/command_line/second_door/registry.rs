//! Made, shown, changed, switched off and on, deleted; each change told once in the audit log.

use super::{audited, shell};
use serde_json::{Value, json};
use testkit::on_both;

fn actions(shell: &super::Shell) -> Vec<String> {
    audited(shell).iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn a_partner_is_set_up_and_changed(engine: Engine) {
        let shell = shell(engine).await;
        let shown = shell.json(&["partner", "show", "PT-1"]);
        assert_eq!((&shown["name"], &shown["just_in_time"]), (&json!("PT-1"), &json!(false)), "least by default");
        assert_eq!(shown["domains"], json!(["login.meridian.example"]));
        let set = [
            "partner", "set", "PT-1", "--just-in-time", "yes", "--domain", "www.meridian.example", "--domain",
            "meridian.example", "--name", "Meridian",
        ];
        let changed = shell.json(&set);
        assert_eq!(changed["domains"], json!(["login.meridian.example", "www.meridian.example", "meridian.example"]));
        assert_eq!(shell.json(&set), changed);
        assert_eq!(actions(&shell), ["partner.changed"], "saying the same again is no change");
        let detail = &audited(&shell)[0]["detail"];
        assert_eq!(detail["justInTime"], json!([false, true]));
        assert_eq!(detail["name"], json!(["PT-1", "Meridian"]));
        assert!(detail.get("sessionTransferUrl").is_none(), "what stayed is not told: {detail}");

        let off = shell.json(&["partner", "set", "PT-1", "--disable"]);
        assert!(off["disabled"].is_string());
        assert_eq!(shell.json(&["partner", "set", "PT-1", "--disable"])["disabled"], off["disabled"], "since then");
        assert_eq!(shell.json(&["partner", "set", "PT-1", "--domain", "", "--enable"])["disabled"], Value::Null);
        assert_eq!(shell.json(&["partner", "list"])[0]["domains"], json!(["login.meridian.example"]));

        assert!(shell.refused(&["partner", "delete", "PT-1"]).contains("still has accounts"));
        shell.good(&["account", "delete", "AG-123"]);
        shell.good(&["partner", "delete", "PT-1"]);
        assert_eq!(shell.json(&["partner", "list"]), json!([]));
    }
}

on_both! {
    async fn users_are_known_by_the_partners_own_id(engine: Engine) {
        let shell = shell(engine).await;
        let made = shell.json(&["user", "create", "anna/7 é", "--email", "anna@example.com", "--given-name", "Anna"]);
        let id = made["user"].as_str().unwrap();
        assert!(id.starts_with("U-") && made["email_verified"] == false, "{made}");
        let said = shell.refused(&["user", "create", "anna/7 é", "--email", "other@example.com"]);
        assert!(said.contains("exists already"), "{said}");
        let other = shell.json(&["user", "create", "ben", "--id", "U-2", "--email", "anna@example.com"]);
        assert_eq!(other["user"], "U-2", "an address is no identity");
        shell.good(&["user", "associate", id, "AG-123"]);
        assert_eq!(shell.json(&["user", "show", id])["accounts"], json!([{ "account": "AG-123", "roles": ["member"] }]));
        shell.good(&["user", "associate", id, "AG-123", "--role", "owner", "--role", "reader"]);
        shell.good(&["user", "associate", id, "AG-123", "--role", "owner", "--role", "reader"]);
        assert!(shell.good(&["user", "show", id]).contains("AG-123 (owner reader)"));
        assert_eq!(shell.json(&["consent", "list", id]), json!([]));
        assert_eq!(shell.json(&["consent", "revoke", id, "client-7"])["revoked"], false);
        assert!(shell.refused(&["consent", "list", "U-404"]).contains("vestibule user list"));
        let users = shell.json(&["account", "users", "AG-123"]);
        assert_eq!(users, json!([{ "user": id, "roles": ["owner", "reader"] }]));
        shell.good(&["user", "set", id, "--email", "", "--family-name", "Ñandú", "--disable"]);
        let shown = shell.json(&["user", "show", id]);
        assert_eq!((&shown["email"], &shown["name"]), (&Value::Null, &json!("Anna Ñandú")));
        assert!(shown["disabled"].is_string());
        shell.good(&["user", "dissociate", id, "AG-123"]);
        assert!(shell.refused(&["user", "dissociate", id, "AG-123"]).contains("anyway"));
        let page = shell.json(&["user", "list", "--limit", "1"]);
        assert_eq!(page[0]["partner_user"], "anna/7 é");
        assert_eq!(shell.json(&["user", "list", "--after", "anna/7 é"])[0]["user"], "U-2");
        shell.good(&["user", "delete", id]);
        assert_eq!(shell.json(&["user", "list"]).as_array().unwrap().len(), 1);
        let told = [
            "user.created", "user.created", "user.associated", "user.associated", "user.changed", "user.dissociated",
            "user.deleted",
        ];
        assert_eq!(actions(&shell), told, "each change once");
        let log = Value::Array(audited(&shell)).to_string();
        assert!(!log.contains("anna@example.com") && !log.contains("Ñandú"), "nothing personal: {log}");
    }
}

on_both! {
    async fn an_app_is_opened_to_accounts(engine: Engine) {
        let shell = shell(engine).await;
        let shown = shell.json(&["service-provider", "show", "MP-1"]);
        assert_eq!(shown["domains"], json!(["app.beacon.example"]), "the entry URL's host");
        assert_eq!((&shown["open_to_all"], &shown["signs_in_by"]), (&json!(false), &json!("OpenID Connect")));
        shell.good(&["account", "create", "--id", "AG-124"]);
        for _ in 0..2 {
            shell.good(&["service-provider", "activate", "MP-1", "AG-123", "AG-124"]);
        }
        let open = shell.json(&["service-provider", "activations", "MP-1"]);
        assert_eq!((&open[0]["account"], &open[1]["account"]), (&json!("AG-123"), &json!("AG-124")));
        shell.good(&["service-provider", "deactivate", "MP-1", "AG-123"]);
        assert_eq!(shell.json(&["service-provider", "activations", "MP-1"]).as_array().unwrap().len(), 1);
        assert_eq!(shell.json(&["account", "show", "AG-123"])["service_providers"], json!([]));
        assert_eq!(shell.json(&["account", "show", "AG-124"])["service_providers"], json!(["MP-1"]));

        // Of the older kind and back.
        let older = ["service-provider", "set", "MP-1", "--session-url", "https://app.beacon.example/session"];
        let older = shell.json(&older);
        assert_eq!((&older["signs_in_by"], &older["initiate_login_uri"]), (&json!("session URL"), &Value::Null));
        let login = "https://app.beacon.example/login";
        let newer = shell.json(&["service-provider", "set", "MP-1", "--initiate-login-uri", login, "--open-to-all", "on"]);
        assert_eq!((&newer["initiate_login_uri"], &newer["session_url"]), (&json!(login), &Value::Null));
        let told = ["account.created", "app.activated", "app.activated", "app.deactivated", "app.changed", "app.changed"];
        assert_eq!(actions(&shell), told);
        shell.good(&["service-provider", "delete", "MP-1"]);
        assert_eq!(shell.json(&["service-provider", "list"]), json!([]));
    }
}

on_both! {
    async fn a_clients_secret_is_shown_once_and_rotated_with_overlap(engine: Engine) {
        let shell = shell(engine).await;
        let callback = "https://app.beacon.example/callback";
        let made = shell.run(&["client", "create", "--id", "beacon-web", "--redirect-uri", callback], &[]);
        let secret = super::super::text(&made.stdout);
        let secret = secret.trim_end();
        assert!(secret.starts_with("vst_cs_") && secret.len() == 50, "nothing but the secret: {secret}");
        let shown = shell.json(&["client", "show", "beacon-web"]);
        assert_eq!((&shown["secrets"], &shown["method"]), (&json!(1), &json!("client_secret_basic")));
        assert_eq!((&shown["scopes"], &shown["redirect_uris"]), (&json!(["openid"]), &json!([callback])));

        let next = shell.json(&["client", "rotate-secret", "beacon-web", "--overlap", "1h"]);
        let next = next["secret"].as_str().unwrap().to_owned();
        assert_ne!(next, secret);
        assert_eq!(shell.json(&["client", "show", "beacon-web"])["secrets"], 2, "two during the change");
        assert_eq!(shell.json(&["client", "end-old-secrets", "beacon-web"])["ended"], 1);
        assert_eq!(shell.json(&["client", "end-old-secrets", "beacon-web"])["ended"], 0);
        assert_eq!(shell.json(&["client", "show", "beacon-web"])["secrets"], 1);

        // Neither secret stands anywhere, in no list, not in the log, and not in the database.
        let database = shell.database_in_the_raw().await;
        let log = Value::Array(audited(&shell)).to_string();
        for secret in [secret, &next] {
            assert!(!log.contains(secret) && !database.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
        let told = ["client.created", "client.secret_created", "client.secrets_ended"];
        assert_eq!(actions(&shell), told);
    }
}

on_both! {
    async fn a_client_may_prove_itself_in_each_way(engine: Engine) {
        let shell = shell(engine).await;
        let callback = "https://app.beacon.example/callback";
        shell.good(&["client", "create", "--id", "c", "--redirect-uri", callback]);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": "k", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        });
        shell.write("jwks.json", &json!({ "keys": [jwk] }).to_string());
        let set = shell.json(&["client", "set", "c", "--method", "private_key_jwt", "--jwks-file", "jwks.json"]);
        assert_eq!((&set["assertion_algorithm"], &set["secrets"]), (&json!("ES256"), &Value::Null));
        assert!(set["jwks"].as_str().unwrap().contains("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"));
        assert!(shell.refused(&["client", "rotate-secret", "c"]).contains("without a secret"));
        let url = "https://app.beacon.example/jwks.json";
        let set = shell.json(&["client", "set", "c", "--jwks-uri", url, "--assertion-algorithm", "EdDSA"]);
        assert_eq!((&set["jwks_uri"], &set["jwks"]), (&json!(url), &Value::Null));
        let none = shell.json(&["client", "set", "c", "--method", "none", "--type", "native", "--redirect-uri", "http://127.0.0.1/cb"]);
        assert_eq!((&none["method"], &none["jwks_uri"]), (&json!("none"), &Value::Null));

        // Back to a secret: the old one stays dead, and a new one has to be made.
        let back = shell.run(&["client", "set", "c", "--type", "web", "--method", "client_secret_post", "--json"], &[]);
        assert!(super::super::text(&back.stderr).contains("rotate-secret c"));
        assert_eq!(shell.json(&["client", "show", "c"])["secrets"], 0);
        shell.good(&["client", "rotate-secret", "c"]);
        assert_eq!(shell.json(&["client", "show", "c"])["secrets"], 1);
        let set = shell.json(&["client", "set", "c", "--backchannel-logout-uri", "https://app.beacon.example/bcl", "--forgive-lost-answers", "no"]);
        assert_eq!(set["forgive_lost_answers"], false);
        assert!(shell.json(&["client", "set", "c", "--disable"])["disabled"].is_string());
        shell.good(&["client", "delete", "c"]);
        assert_eq!(shell.json(&["client", "list"]), json!([]));
    }
}

on_both! {
    async fn one_environment_sees_nothing_of_the_other(engine: Engine) {
        let shell = shell(engine).await;
        let both = ["--set", "environments.production.public_url=https://connect.example.com"];
        let elsewhere = |words: &[&'static str]| {
            let rest = ["--environment", "production"].iter().chain(&both).copied();
            words.iter().copied().chain(rest).collect::<Vec<_>>()
        };
        for words in [
            &["partner", "show", "PT-1"][..],
            &["account", "show", "AG-123"],
            &["service-provider", "show", "MP-1"],
            &["service-provider", "activate", "MP-1", "AG-123"],
        ] {
            assert!(shell.refused(&elsewhere(words)).contains("there is no"), "{words:?}");
        }
        assert!(shell.refused(&elsewhere(&["account", "list"])).contains("there is no partner yet"));
        // Nor one organization anything of another's.
        shell.good(&["organization", "create", "stranger"]);
        for words in [
            &["partner", "set", "PT-1", "--disable"][..],
            &["account", "set", "AG-123", "--disable"],
            &["service-provider", "delete", "MP-1"],
            &["account", "list", "--partner", "PT-1"],
        ] {
            let words: Vec<_> = words.iter().copied().chain(["--organization", "stranger"]).collect();
            assert!(shell.refused(&words).contains("there is no"), "{words:?}");
        }
        let transfer = "https://login.stranger.example/transfer";
        let taken = ["partner", "create", "--id", "PT-1", "--transfer-url", transfer, "--organization", "stranger"];
        assert!(shell.refused(&taken).contains("exists already"), "ids are unique in the gateway");
    }
}
