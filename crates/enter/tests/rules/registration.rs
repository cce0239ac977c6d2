//! What a client may register.

use enter::ids::{AppId, ClientId};
use enter::oidc::registration::{Metadata, MetadataRefused, Method, Registered};
use enter::oidc::{Authentication, ClientKeys, ClientKind};
use kernel::Hashed;
use kernel::jose::{Algorithm, SigningKey};
use serde_json::json;

fn text(text: &str) -> String {
    text.to_owned()
}

fn good() -> Metadata {
    Metadata { redirect_uris: vec![text("https://app.example.com/cb")], ..Metadata::default() }
}

fn refused(metadata: &Metadata) -> MetadataRefused {
    metadata.check().unwrap_err()
}

fn set(algorithms: &[Algorithm]) -> String {
    let keys: Vec<_> =
        algorithms.iter().map(|one| SigningKey::generate(*one).unwrap().public().to_jwk()).collect();
    json!({ "keys": keys }).to_string()
}

#[test]
fn the_least_is_a_web_client_with_a_secret() {
    let registered = good().check().unwrap();
    assert_eq!(
        registered,
        Registered {
            kind: ClientKind::Web,
            method: Method::Secret,
            redirect_uris: registered.redirect_uris.clone(),
            post_logout_redirect_uris: vec![],
            scopes: vec![text("openid")],
            id_token_algorithm: Algorithm::Rs256,
            backchannel_logout_uri: None,
            forgiveness: true,
        }
    );
    let secrets = vec![Hashed::from_stored("h")];
    let client = registered.into_client(
        ClientId::parse("c").unwrap(),
        AppId::parse("MP-1").unwrap(),
        secrets.clone(),
        None,
    );
    assert_eq!(client.authentication, Authentication::Secret(secrets));
}

#[test]
fn what_runs_at_everybodys_has_no_secret_and_no_forgiveness() {
    for kind in ["browser", "native"] {
        let metadata = Metadata { application_type: text(kind), ..good() };
        let registered = metadata.check().unwrap();
        assert_eq!((registered.method, registered.forgiveness), (Method::None, false), "{kind}");
        for method in ["client_secret_basic", "client_secret_post", "private_key_jwt"] {
            let secret = Metadata { token_endpoint_auth_method: text(method), ..metadata.clone() };
            assert_eq!(refused(&secret).field, "token_endpoint_auth_method", "{kind} {method}");
        }
        let forgiving = Metadata { refresh_forgiveness: Some(true), ..metadata };
        assert!(forgiving.check().unwrap().forgiveness);
    }
    let public = Metadata { token_endpoint_auth_method: text("none"), ..good() };
    assert_eq!(public.check().unwrap().method, Method::None);
}

#[test]
fn keys_are_registered_or_published_and_fit_the_algorithm() {
    let keyed = || Metadata { token_endpoint_auth_method: text("private_key_jwt"), ..good() };
    assert_eq!(refused(&keyed()).field, "jwks");
    let both =
        Metadata { jwks: set(&[Algorithm::Es256]), jwks_uri: text("https://a.example/jwks"), ..keyed() };
    assert!(refused(&both).what.contains("not both"));
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let own = Metadata { jwks: set(&[algorithm]), ..keyed() };
        let Method::PrivateKeyJwt { algorithm: read, keys: ClientKeys::Registered(keys) } =
            own.check().unwrap().method
        else {
            panic!("registered keys")
        };
        assert_eq!((read, keys.len()), (algorithm, 1));
    }
    let published = Metadata { jwks_uri: text("https://a.example/jwks"), ..keyed() };
    assert!(matches!(
        published.check().unwrap().method,
        Method::PrivateKeyJwt { algorithm: Algorithm::Es256, keys: ClientKeys::Published(_) }
    ));
    for bad in [
        text("x"),
        text("{}"),
        text(r#"{"keys":[]}"#),
        text(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#),
        set(&[Algorithm::Es256, Algorithm::Rs256]),
    ] {
        assert_eq!(refused(&Metadata { jwks: bad.clone(), ..keyed() }).field, "jwks", "{bad}");
    }
    let private = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}"#;
    let told = refused(&Metadata { jwks: text(private), ..keyed() });
    assert!(told.what.contains("private member") && !told.what.contains("nWGxne"));
    for (field, metadata) in [
        ("jwks", Metadata { jwks: set(&[Algorithm::Es256]), ..good() }),
        ("jwks_uri", Metadata { jwks_uri: text("https://a.example/jwks"), ..good() }),
        ("jwks_uri", Metadata { jwks_uri: text("http://a.example/jwks"), ..keyed() }),
    ] {
        assert_eq!(refused(&metadata).field, field);
    }
}

/// Lesson 17: nothing unsigned, and no secret that would have to be kept.
#[test]
fn lesson_17_algorithms_are_asymmetric() {
    for bad in ["none", "None", "HS256", "RS512", "ES384", "RS256 "] {
        let signed = Metadata { id_token_signed_response_alg: text(bad), ..good() };
        assert_eq!(refused(&signed).field, "id_token_signed_response_alg", "{bad}");
        let keyed = Metadata {
            token_endpoint_auth_method: text("private_key_jwt"),
            token_endpoint_auth_signing_alg: text(bad),
            jwks: set(&[Algorithm::Es256]),
            ..good()
        };
        assert_eq!(refused(&keyed).field, "token_endpoint_auth_signing_alg", "{bad}");
    }
    let eddsa = Metadata { id_token_signed_response_alg: text("EdDSA"), ..good() };
    assert_eq!(eddsa.check().unwrap().id_token_algorithm, Algorithm::EdDsa);
}

#[test]
fn lesson_1_2_4_and_5_of_redirect_uris_only_what_is_matched_byte_for_byte() {
    for bad in [
        "https://*.example.com/cb",
        "https://app.example.com/*",
        "http://app.example.com/cb",
        "javascript:alert(1)",
        "data:text/html,x",
        "myapp://cb",
        "https://u@app.example.com/cb",
        "http://localhost:80@evil.example",
        "https://app.example.com/cb#x",
        "https://app.example.com/a/../cb",
        "https://app.example.com/cb?code=x",
        "https://app.example.com/cb?state=x",
        "https://APP.example.com/cb",
        "/cb",
    ] {
        let told = refused(&Metadata { redirect_uris: vec![text(bad)], ..good() });
        assert_eq!((told.field, told.error()), ("redirect_uris", "invalid_redirect_uri"), "{bad}");
        let told = refused(&Metadata { post_logout_redirect_uris: vec![text(bad)], ..good() });
        assert_eq!(
            (told.field, told.error()),
            ("post_logout_redirect_uris", "invalid_client_metadata"),
            "{bad}"
        );
    }
    assert_eq!(refused(&Metadata::default()).field, "redirect_uris");
    let many = vec![text("https://app.example.com/cb"); 51];
    assert_eq!(refused(&Metadata { redirect_uris: many, ..good() }).field, "redirect_uris");
}

#[test]
fn everything_else_that_is_wrong_is_named() {
    for (field, metadata) in [
        ("application_type", Metadata { application_type: text("spa"), ..good() }),
        (
            "token_endpoint_auth_method",
            Metadata { token_endpoint_auth_method: text("tls_client_auth"), ..good() },
        ),
        ("scopes", Metadata { scopes: vec![text("openid"), text("admin")], ..good() }),
        (
            "backchannel_logout_uri",
            Metadata { backchannel_logout_uri: text("http://a.example/out"), ..good() },
        ),
    ] {
        assert_eq!(refused(&metadata).field, field);
    }
    let twice = Metadata { scopes: vec![text("email"), text("email")], ..good() };
    assert_eq!(twice.check().unwrap().scopes, ["email"]);
}
