//! What is refused, in one sentence, and changes nothing.

use super::shell;
use testkit::on_both;

const CREATE_APP: [&str; 4] = ["service-provider", "create", "--id", "MP-9"];

on_both! {
    async fn refused_input_at_the_second_door_changes_nothing(engine: Engine) {
        let shell = shell(engine).await;
        shell.good(&["client", "create", "--id", "c", "--redirect-uri", "https://app.beacon.example/cb"]);
        shell.good(&["service-account", "create", "--email", "sa@x.example"]);
        let before = shell.json(&["audit", "list"]);
        let app = |more: &[&'static str]| CREATE_APP.iter().chain(more).copied().collect::<Vec<_>>();
        let long = "x".repeat(65);
        for (arguments, wanted) in [
            (vec!["partner", "create"], "session_transfer_url"),
            (vec!["partner", "create", "--transfer-url", "http://login.example/x"], "session_transfer_url"),
            (vec!["partner", "create", "--transfer-url", "https://x.example/?nextUrl=a"], "nextUrl"),
            (vec!["partner", "create", "--id", "PT 1", "--transfer-url", "https://x.example/"], "partner_id"),
            (vec!["partner", "create", "--id", &long, "--transfer-url", "https://x.example/"], "partner_id"),
            (vec!["partner", "create", "--id", "PT-1", "--transfer-url", "https://x.example/"], "exists already"),
            (vec!["partner", "set", "PT-1", "--domain", "*.example.com"], "domains"),
            (vec!["partner", "set", "PT-1", "--domain", "https://example.com"], "domains"),
            (vec!["partner", "show", "PT-2"], "`vestibule partner list`"),
            (vec!["account", "create", "--id", "../x"], "an account's id"),
            (vec!["account", "create", "--partner", "PT-2"], "no partner"),
            (vec!["account", "create", "--id", "AG-123"], "exists already"),
            (vec!["account", "set", "AG-123", "--name", ""], "1 to 200"),
            (vec!["account", "set", "AG-123"], "nothing to change"),
            (vec!["user", "create", ""], "255"),
            (vec!["user", "create", "a", "--email", "nobody"], "e-mail address"),
            (vec!["user", "create", "a", "--picture", "javascript:alert(1)"], "picture"),
            (vec!["user", "associate", "U-1", "AG-123"], "`vestibule user list`"),
            (app(&[]), "--entry-url"),
            (app(&["--entry-url", "https://{{accountId}}.example/"]), "host"),
            (app(&["--entry-url", "https://a.example/?code=x"]), "code"),
            (app(&["--entry-url", "https://a.example/{{userId}}"]), "{{accountId}}"),
            (app(&["--entry-url", "https://a.example/", "--domain", "b.example"]), "a.example"),
            (app(&["--entry-url", "https://a.example/", "--pre-approved-scope", "root"]), "openid"),
            (vec!["service-provider", "activate", "MP-1", "AG-999"], "no account"),
            (vec!["client", "create", "--redirect-uri", "https://a.example/*"], "wildcard"),
            (vec!["client", "create", "--redirect-uri", "http://a.example/cb"], "https"),
            (vec!["client", "create", "--redirect-uri", "https://a.example/cb#x"], "redirect_uris"),
            (vec!["client", "create", "--redirect-uri", "https://a.example/cb?code=1"], "code"),
            (vec!["client", "create"], "redirect_uris"),
            (vec!["client", "set", "c", "--type", "browser"], "token_endpoint_auth_method"),
            (vec!["client", "set", "c", "--method", "client_secret_jwt"], "token_endpoint_auth_method"),
            (vec!["client", "set", "c", "--method", "private_key_jwt"], "jwks"),
            (vec!["client", "set", "c", "--id-token-algorithm", "HS256"], "RS256, ES256 or EdDSA"),
            (vec!["client", "set", "c", "--id-token-algorithm", "none"], "RS256, ES256 or EdDSA"),
            (vec!["client", "set", "c", "--scope", "admin"], "openid"),
            (vec!["client", "rotate-secret", "c", "--overlap", "91d"], "90 days"),
            (vec!["client", "show", "d"], "`vestibule client list`"),
            (vec!["service-account", "create", "--email", "x"], "e-mail address"),
            (vec!["service-account", "create", "--email", "x@y?z"], "e-mail address"),
            (vec!["service-account", "create", "--email", "n@x.example", "--scope", "*"], "no scope"),
            (vec!["service-key", "create", "--service-account", "nobody@x.example"], "no service account"),
            (vec!["service-key", "create", "--service-account", "sa@x.example", "--algorithm", "EdDSA"], "ES256 and RS256"),
            (vec!["service-key", "create", "--service-account", "sa@x.example", "--lives", "0s"], "ten years"),
            (vec!["service-key", "disable", "sak-1"], "`vestibule service-key list`"),
        ] {
            let said = shell.refused(&arguments);
            assert!(said.contains(wanted), "{arguments:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        }
        assert_eq!(shell.json(&["audit", "list"]), before);
    }
}
