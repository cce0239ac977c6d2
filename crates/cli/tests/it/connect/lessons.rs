//! Lessons from advisories of this class of software, as far as they show over HTTP; each test is named after its
//! lesson. Others stand beside what they belong to: 16 in `keys`, 20 and 25 in `callback`, 22 in `access`.

use connect::signing_key::Algorithm;
use kernel::{Actor, Environment};
use serde_json::json;
use service::admin::signing_keys::NewMaterial;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use testkit::on_both;
use testkit::signers::{Order, key_pairs, sign_with_jose};
use testkit::world::{Answer, Company, Person, World};
use tokio::net::TcpListener;

async fn posted(person: &Person, company: &Company, token: &str) -> Answer {
    person
        .ask(reqwest::Method::POST, &company.page("hubspot"))
        .framed()
        .json()
        .form(&[("tenant", token)])
        .await
}

async fn code(person: &Person, company: &Company, token: &str) -> String {
    let answer = posted(person, company, token).await;
    if answer.status == 303 { "open".to_owned() } else { answer.json()["code"].as_str().unwrap().to_owned() }
}

/// A server inside, which nobody outside may make us call.
struct Inside {
    port: u16,
    called: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl Inside {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let called = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&called);
        let server = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, called, server }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.server.abort();
    }
}

on_both! {
    async fn lesson_15_a_token_ends_whether_it_says_so_or_not(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let now = world.now().seconds();
        let endless = acme.token("hubspot").sign();
        for (about, token, expected) in [
            ("a year ahead", acme.token("hubspot").claim("exp", now + 31_536_000), "claim_invalid"),
            ("issued in the future", acme.token("hubspot").claim("iat", now + 600), "token_not_yet_valid"),
            ("not before the future", acme.token("hubspot").claim("nbf", now + 600), "token_not_yet_valid"),
            ("issued long ago, ending late", acme.token("hubspot").claim("iat", now - 3000).claim("exp", now + 500), "token_stale"),
            ("ending before it began", acme.token("hubspot").claim("exp", now - 1), "token_expired"),
            ("for somebody else", acme.token("hubspot").claim("aud", "https://other.example"), "token_audience"),
        ] {
            assert_eq!(code(&anna, &acme, &token.sign()).await, expected, "{about}");
        }
        world.pass_seconds(301);
        assert_eq!(code(&anna, &acme, &endless).await, "token_stale");
        assert_eq!(world.count("dialogs").await, 0);
    }

    async fn lesson_17_no_header_chooses_its_own_key_or_algorithm(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let mallory = key_pairs(&["ES256"]).remove(0);
        world.own_system.publish(std::slice::from_ref(&mallory.public_jwk));
        let url = world.own_system.url("/keys.json");
        let own = |name: &str, value: serde_json::Value| {
            let order = Order::new("ES256", &mallory.private_pem, acme.token("hubspot").claims().clone());
            sign_with_jose(&[order.header(name, value)]).remove(0)
        };
        // Signed well, by a key that the token brings along.
        for (name, value) in [("jwk", mallory.public_jwk.clone()), ("jku", json!(url)), ("x5u", json!(url))] {
            assert_eq!(code(&anna, &acme, &own(name, value)).await, "token_algorithm", "{name}");
        }
        assert_eq!(world.own_system.key_set_reads(), 0, "nothing that a token names is fetched");
        for alg in ["none", "None", "NONE", "nOnE", "HS384", "HS512", "PS256", "ES256K", "RS256", "", "hs256", "HS256 "] {
            let token = acme.token("hubspot").header("alg", alg);
            assert_eq!(code(&anna, &acme, &token.sign()).await, "token_algorithm", "{alg}");
            let unsigned = format!("{}.", token.sign().rsplit_once('.').unwrap().0);
            assert!(matches!(code(&anna, &acme, &unsigned).await.as_str(), "token_algorithm" | "token_malformed"), "{alg}");
        }
        for kid in ["../../../../../../dev/null", "/dev/null", "x' UNION SELECT 'k", "key|id", "\0", "%00", "${jndi:ldap://x}", acme.id.as_str()] {
            let token = acme.token("hubspot").header("kid", kid).secret("");
            assert_eq!(code(&anna, &acme, &token.sign()).await, "token_signature", "{kid}");
        }
        assert_eq!(world.count("dialogs").await, 0);
    }

    async fn lesson_18_nothing_that_was_cut_or_changed_is_taken(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let key = acme.api_key(&["tenants:read"]).await;
        let dialog = anna.opens(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let webhook = dialog.clone();
        let tenant = { webhook.goes_and_comes_back().await; webhook.confirms().await; webhook.announcement().await };
        let address = tenant[0]["data"]["webhook_url"].as_str().unwrap().to_owned();
        let secret = address.rsplit('/').next().unwrap().to_owned();
        let base = address.strip_suffix(secret.as_str()).unwrap().to_owned();

        // Of what is 43 characters long each prefix and a change at each place.
        for spoiled in spoilt(&secret) {
            let answer = anna.ask(reqwest::Method::POST, &format!("{base}{spoiled}")).body("text/plain", "x").await;
            assert_eq!(answer.status, 404, "webhook {spoiled}");
        }
        for spoiled in spoilt(dialog.bearer()) {
            let answer = anna.get(&format!("/dialogs/{spoiled}/state")).json().await;
            assert!(matches!(answer.status, 404 | 410), "dialog {spoiled}: {}", answer.status);
        }
        for spoiled in spoilt(&key) {
            assert_eq!(anna.calls(&spoiled, "/v2/tenants").await.status, 403, "key {spoiled}");
        }
        // Tokens and tickets are longer: every seventh place.
        let fresh = anna.opens(&acme, "notion", &acme.token("notion").sign()).await;
        let ticket = fresh.start_link().await.trim_start_matches("/start/").to_owned();
        for spoiled in spoilt(&ticket).into_iter().step_by(7) {
            let answer = anna.get(&format!("/start/{spoiled}")).same_origin().await;
            assert!(matches!(answer.status, 404 | 410), "ticket {spoiled}: {}", answer.status);
        }
        let before = world.count("dialogs").await;
        let token = acme.token("hubspot").sign();
        for spoiled in spoilt(&token).into_iter().step_by(23) {
            assert_ne!(posted(&anna, &acme, &spoiled).await.status, 303, "{spoiled}");
        }
        assert_eq!(world.count("dialogs").await, before);
        assert_eq!(world.count("deliveries").await, 0);
        // The whole ones still work.
        assert_eq!(anna.get(&format!("/start/{ticket}")).same_origin().await.status, 303);
        assert_eq!(posted(&anna, &acme, &token).await.status, 303);
    }

    async fn lesson_23_a_key_set_inside_is_not_fetched(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let inside = Inside::start().await;
        let port = inside.port;
        let pair = key_pairs(&["ES256"]).remove(0);
        let service = world.service();
        let register = |url: String| {
            let (service, acme) = (Arc::clone(service), acme.clone());
            async move { service.add_signing_key(&Actor::Operator, &acme.id, acme.environment, Algorithm::Es256, "set", NewMaterial::JwksUrl(url)).await }
        };
        // Refused at once: no https, a user name, another scheme.
        for url in ["http://169.254.169.254/keys".to_owned(), "http://10.0.0.1/keys".to_owned(), "file:///etc/passwd".to_owned(), "gopher://127.0.0.1/".to_owned(), format!("http://127.0.0.1:{port}@example.com/"), "https://user@example.com/k".to_owned()] {
            assert!(register(url.clone()).await.is_err(), "{url}");
        }
        // Taken, because it could be meant for a development machine, but never called unless the operator allows it.
        world.own_system.redirect_to(&format!("http://127.0.0.1:{port}/keys.json"));
        for url in [
            format!("http://127.0.0.1:{port}/keys.json"), format!("http://localhost:{port}/keys.json"), format!("http://any.localhost:{port}/k"),
            format!("http://[::1]:{port}/k"), format!("http://0x7f.1:{port}/k"), format!("http://2130706433:{port}/k"), format!("http://127.1:{port}/k"),
            format!("https://127.0.0.1:{port}/k"), "https://169.254.169.254/latest/meta-data".to_owned(), format!("https://[::ffff:127.0.0.1]:{port}/k"),
            world.own_system.url("/redirected.json"),
        ] {
            let Ok((key, _)) = register(url.clone()).await else { continue };
            let order = Order::new("ES256", &pair.private_pem, acme.token("hubspot").claims().clone());
            let token = sign_with_jose(&[order.header("kid", "k-1")]).remove(0);
            let answer = posted(&anna, &acme, &token).await;
            assert_eq!((answer.status, answer.json()["code"].as_str()), (401, Some("token_signature")), "{url}");
            service.revoke_signing_key(&Actor::Operator, &acme.id, &key.id).await.unwrap();
        }
        assert_eq!(inside.called.load(Ordering::SeqCst), 0, "no connection was made");
        assert_eq!(world.count("dialogs").await, 0);
    }

    async fn lesson_23_a_connector_of_a_company_cannot_call_inside(world: World) {
        let acme = world.organization("acme").await;
        let inside = Inside::start().await;
        let text = |url: &str| format!(
            "id = \"inner\"\nname = \"Inner\"\n[auth]\nkind = \"api_key\"\n[[inputs]]\nkey = \"api_key\"\nlabel = \"Key\"\nsecret = true\n\
             [verify]\nrequest = {{ url = \"{url}\", headers = {{ Authorization = \"Bearer {{inputs.api_key}}\" }} }}\n"
        );
        // Where the definition got past the check (as one that was stored by an older release could have), the call does not.
        acme.add_connector(&text(&format!("http://127.0.0.1:{}/me", inside.port))).await;
        acme.integrate(&["inner"]).await;
        let anna = world.person();
        let dialog = anna.opens(&acme, "inner", &acme.token("inner").sign()).await;
        let state = dialog.types(&[("api_key", "k")]).await;
        assert!(matches!(state["stage"].as_str(), Some("failed" | "form")), "{state}");
        assert_eq!(inside.called.load(Ordering::SeqCst), 0);
        assert_eq!(world.count("tenants").await, 0);
    }

    async fn lesson_24_a_user_is_the_companys_id_for_them_and_nothing_else(world: World) {
        let acme = world.organization("acme").await;
        let other = world.organization("other").await;
        let mut tenants = BTreeSet::new();
        let mut users = 0;
        for (company, sub) in [
            (&acme, "admin@x.example"), (&acme, "Admin@x.example"), (&acme, "admin@X.example"), (&acme, "admin@x.example "), (&acme, " admin@x.example"),
            (&acme, "аdmin@x.example"), (&acme, "admin@x.example@evil.example"), (&acme, "admin\u{200b}@x.example"), (&acme, "ａdmin@x.example"),
            (&acme, "4711"), (&other, "admin@x.example"),
        ] {
            // All of them say the same e-mail and the same external id.
            let token = company.token("hubspot").sub(sub).claim("ti.uem", "admin@x.example").claim("external_id", "4711");
            let person = world.person();
            let dialog = person.opens(company, "hubspot", &token.sign()).await;
            assert_eq!(dialog.stage().await, "ready", "{sub:?} is somebody new");
            let tenant = dialog.succeeds().await;
            assert!(tenants.insert(tenant["id"].as_i64().unwrap()), "{sub:?}");
            users += 1;
        }
        assert_eq!(world.count("users").await, users);
        // The same id with another e-mail is the same user.
        let person = world.person();
        let moved = acme.token("hubspot").sub("admin@x.example").claim("ti.uem", "new@x.example").claim("external_id", "other");
        let dialog = person.opens(&acme, "hubspot", &moved.sign()).await;
        assert_eq!(dialog.stage().await, "connected");
        let tenant = dialog.succeeds().await;
        assert!(tenants.contains(&tenant["id"].as_i64().unwrap()));
        assert_eq!(tenant["connected_users"]["vestibule"]["email"], "new@x.example");
        assert_eq!(world.count("users").await, users);
    }
}

on_both! {
    async fn lesson_23_definitions_with_addresses_inside_are_refused_with_their_line(engine: Engine) {
        let (world, acme) = World::build(engine).strict_definitions().with("acme").await;
        for url in [
            "http://127.0.0.1/me", "https://127.0.0.1/me", "https://localhost/me", "https://x.localhost/me", "https://10.1.2.3/me", "https://192.168.1.1/me",
            "https://169.254.169.254/latest", "https://[::1]/me", "https://[::ffff:10.0.0.1]/me", "https://0x7f.1/me", "https://2130706433/me",
            "https://intranet/me", "https://metadata.google.internal/me", "https://user@example.com/me", "http://example.com/me", "ftp://example.com/me",
        ] {
            let text = format!(
                "id = \"inner\"\nname = \"Inner\"\n[auth]\nkind = \"api_key\"\n[[inputs]]\nkey = \"api_key\"\nlabel = \"Key\"\nsecret = true\n\
                 [verify]\nrequest = {{ url = \"{url}\" }}\n"
            );
            let refused = world.service().put_connector(&Actor::Operator, &acme.id, "inner.toml", &text).await;
            let refused = refused.err().unwrap_or_else(|| panic!("{url} was taken")).to_string();
            assert!(refused.contains("inner.toml:10"), "{url}: {refused}");
        }
        // A template that uses itself.
        let text = "id = \"loop\"\nname = \"Loop\"\n[auth]\nkind = \"api_key\"\naccount = \"{capture.a}\"\n[verify]\n\
             request = { url = \"https://api.example.com/{capture.a}\" }\nsave = { \"/a\" = \"a\" }\n";
        let refused = world.service().put_connector(&Actor::Operator, &acme.id, "loop.toml", text).await;
        assert!(refused.unwrap_err().to_string().contains("loop.toml:7"));
        assert_eq!(world.count("organization_connectors").await, 1, "only the company's own");
        assert_eq!(acme.environment, Environment::Sandbox);
    }
}

/// Every proper prefix, and the text with the character at each place changed.
fn spoilt(text: &str) -> Vec<String> {
    let mut spoilt: Vec<String> = (1..text.len()).map(|end| text[..end].to_owned()).collect();
    for at in 0..text.len() {
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        spoilt.push(format!("{}{other}{}", &text[..at], &text[at + 1..]));
    }
    spoilt
}
