//! Discovery (OpenID Connect Discovery, section 4; RFC 8414): each promise is held against what the endpoints do.

use super::scene::{SANDBOX, Scene, opened, text};
use enter::oidc::{Authentication, ClientKeys};
use kernel::Environment;
use kernel::jose::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;

fn list<'j>(document: &'j Value, name: &str) -> Vec<&'j str> {
    let list = document[name].as_array().unwrap_or_else(|| panic!("no {name}"));
    list.iter().map(|one| one.as_str().unwrap()).collect()
}

on_both! {
    async fn one_issuer_per_environment_with_everything_on_its_host(world: World) {
        let scene = Scene::of(&world).await;
        for (caller, environment) in [(world.person(), SANDBOX), (world.person_in_production(), Environment::Production)] {
            let issuer = world.url(environment);
            let document = caller.get("/.well-known/openid-configuration").await.json();
            let same = caller.get("/.well-known/oauth-authorization-server").await.json();
            assert_eq!(document, same);
            assert_eq!(document["issuer"], issuer);
            for (name, value) in document.as_object().unwrap() {
                if name.ends_with("_endpoint") || name == "jwks_uri" {
                    let path = value.as_str().unwrap().strip_prefix(issuer);
                    let path = path.unwrap_or_else(|| panic!("{name} is elsewhere: {value}"));
                    // Every endpoint is there: whatever it says, it is not "no such page".
                    let method = if name == "jwks_uri" || name == "authorization_endpoint" || name == "end_session_endpoint" { Method::GET } else { Method::POST };
                    let answer = caller.ask(method, path).await;
                    assert!(![404, 405].contains(&answer.status), "{name}: {}", answer.status);
                }
            }
        }
        // Nobody's forged header moves the issuer (lesson 22).
        let forged = scene.caller.get("/.well-known/openid-configuration")
            .header("x-forwarded-host", "evil.example").header("forwarded", "host=evil.example;proto=https").header("x-forwarded-proto", "https").await;
        assert_eq!(forged.json()["issuer"], scene.url());
    }

    async fn the_promised_algorithms_are_the_published_keys(world: World) {
        let scene = Scene::of(&world).await;
        let document = scene.caller.get("/.well-known/openid-configuration").await.json();
        let set = scene.caller.get("/oauth2/v1/certs").await.json();
        let keys = set["keys"].as_array().unwrap();
        let mut published: Vec<&str> = keys.iter().map(|key| text(key, "alg")).collect();
        let mut promised = list(&document, "id_token_signing_alg_values_supported");
        published.sort_unstable();
        promised.sort_unstable();
        assert_eq!(published, promised);
        for key in keys {
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert_eq!(key.get(private), None, "{private}");
            }
        }
        for algorithm in promised {
            let algorithm = Algorithm::parse(algorithm).unwrap();
            let rp = scene.client(|client| client.id_token_algorithm = algorithm).await;
            let tokens = scene.tokens(&rp).await;
            assert_eq!(opened(text(&tokens, "id_token")).0["alg"], algorithm.as_str());
        }
    }

    async fn the_promised_proofs_and_grants_are_taken_and_no_others(world: World) {
        let scene = Scene::of(&world).await;
        let document = scene.caller.get("/.well-known/openid-configuration").await.json();
        assert_eq!(list(&document, "token_endpoint_auth_methods_supported"), ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]);
        let (web, spa) = (scene.web().await, scene.browser().await);
        assert_eq!(scene.redeeming(&web, &scene.code(&web).await).await.status, 200);
        assert_eq!(scene.redeeming(&spa, &scene.code(&spa).await).await.status, 200);
        let keyed = scene.client(|client| {
            let keys = ClientKeys::Registered(vec![]);
            client.authentication = Authentication::PrivateKeyJwt { algorithm: Algorithm::Es256, keys };
        }).await;
        assert_eq!(scene.redeeming(&keyed, &scene.code(&keyed).await).await.status, 401, "not without its key");
        let introspection = list(&document, "introspection_endpoint_auth_methods_supported");
        assert!(!introspection.contains(&"none"));
        let asked = scene.posts("/oauth2/introspect", &super::scene::with(&spa, &[("token", "x")])).await;
        assert_eq!(asked.status, 401);
        for grant in ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer", "password", "client_credentials", "implicit"] {
            let answer = scene.asks_token(&web, &[("grant_type", grant)]).await;
            let unsupported = answer.json()["error"] == "unsupported_grant_type";
            assert_eq!(unsupported, !list(&document, "grant_types_supported").contains(&grant), "{grant}: {}", answer.text());
        }
    }

    async fn the_promised_claims_are_those_that_come(world: World) {
        let scene = Scene::of(&world).await;
        let rp = scene.web().await;
        let document = scene.caller.get("/.well-known/openid-configuration").await.json();
        let promised = list(&document, "claims_supported");
        let tokens = scene.tokens(&rp).await;
        let info = scene.user_info(text(&tokens, "access_token")).await.json();
        let id_token = opened(text(&tokens, "id_token")).1;
        for name in info.as_object().unwrap().keys().chain(id_token.as_object().unwrap().keys()) {
            assert!(promised.contains(&name.as_str()), "{name} is not promised");
        }
        let there = |name: &&str| info.get(*name).is_some() || id_token.get(*name).is_some();
        let missing: Vec<&str> = promised.into_iter().filter(|name| !there(name)).collect();
        // This person has no picture.
        assert_eq!(missing, ["picture"]);
    }

    async fn what_is_not_there_is_promised_as_not_there(world: World) {
        let scene = Scene::of(&world).await;
        let document = scene.caller.get("/.well-known/openid-configuration").await.json();
        for (name, value) in [
            ("request_parameter_supported", json!(false)), ("request_uri_parameter_supported", json!(false)),
            ("response_types_supported", json!(["code"])), ("response_modes_supported", json!(["query"])),
            ("code_challenge_methods_supported", json!(["S256"])), ("subject_types_supported", json!(["public"])),
            ("authorization_response_iss_parameter_supported", json!(true)), ("claims_parameter_supported", json!(true)),
            ("backchannel_logout_supported", json!(true)), ("backchannel_logout_session_supported", json!(true)),
        ] {
            assert_eq!(document[name], value, "{name}");
        }
        // A pushed request with what is promised is taken, with what is not, refused.
        let rp = scene.web().await;
        let push = async |name: &str, value: &str| {
            let mut fields = vec![("response_type", "code"), ("redirect_uri", super::scene::REDIRECT), ("scope", "openid"),
                ("code_challenge", super::scene::CHALLENGE), ("code_challenge_method", "S256")];
            fields.retain(|(own, _)| *own != name);
            fields.push((name, value));
            scene.posts("/oauth2/par", &super::scene::with(&rp, &fields)).await.status
        };
        for (name, promised, not) in [
            ("response_type", "response_types_supported", "token"), ("response_mode", "response_modes_supported", "form_post"),
            ("code_challenge_method", "code_challenge_methods_supported", "plain"), ("prompt", "prompt_values_supported", "create"),
            ("scope", "scopes_supported", "profile"),
        ] {
            for value in list(&document, promised) {
                let value = if name == "scope" { format!("openid {value}") } else { value.to_owned() };
                assert_eq!(push(name, &value).await, 201, "{name}={value}");
            }
            assert_eq!(push(name, not).await, 400, "{name}={not}");
        }
        assert_eq!(push("request", "eyJhbGciOiJub25lIn0.e30.").await, 400);
    }
}
