//! Who may sign: shared secrets with rotation and revocation, public keys inline and by URL, and tokens signed by
//! libraries that other people wrote.

use connect::signing_key::{Algorithm, SigningKey};
use kernel::Actor;
use serde_json::{Value, json};
use service::admin::signing_keys::NewMaterial;
use testkit::on_both;
use testkit::signers::{KeyPair, Order, key_pairs, sign_with_jose, sign_with_pyjwt};
use testkit::world::{Company, Person, World};

const ALGORITHMS: [&str; 3] = ["RS256", "ES256", "EdDSA"];

/// The code of a refused landing, `open` for one that led to a dialog.
async fn landing(person: &Person, company: &Company, token: &str) -> String {
    let request = person.ask(reqwest::Method::POST, &company.page("hubspot")).framed().json();
    let answer = request.form(&[("tenant", token)]).await;
    match answer.status {
        303 => "open".to_owned(),
        _ => answer.json()["code"].as_str().unwrap_or_default().to_owned(),
    }
}

async fn register(world: &World, company: &Company, algorithm: &str, material: NewMaterial) -> SigningKey {
    let algorithm = Algorithm::parse(algorithm).unwrap();
    let added = world.service().add_signing_key(
        &Actor::Operator,
        &company.id,
        company.environment,
        algorithm,
        "more",
        material,
    );
    added.await.unwrap().0
}

fn order(company: &Company, pair: &KeyPair) -> Order {
    Order::new(&pair.alg, &pair.private_pem, company.token("hubspot").claims().clone())
}

fn published(pair: &KeyPair, kid: &str) -> Value {
    let mut jwk = pair.public_jwk.clone();
    jwk["kid"] = json!(kid);
    jwk["use"] = json!("sig");
    jwk["alg"] = json!(pair.alg);
    jwk
}

on_both! {
    async fn a_kid_names_exactly_one_key(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let (second, secret) = {
            let made = world.service().add_signing_key(&Actor::Operator, &acme.id, acme.environment, Algorithm::Hs256, "second", NewMaterial::Secret).await.unwrap();
            (made.0, made.1.unwrap())
        };
        // Without a kid every live key is tried.
        assert_eq!(landing(&anna, &acme, &acme.token("hubspot").sign()).await, "open");
        assert_eq!(landing(&anna, &acme, &acme.token("hubspot").secret(secret.reveal()).sign()).await, "open");
        // With one, exactly that key.
        let first = acme.token("hubspot").header("kid", acme.key.id.as_str());
        assert_eq!(landing(&anna, &acme, &first.sign()).await, "open");
        let crossed = acme.token("hubspot").header("kid", second.id.as_str());
        assert_eq!(landing(&anna, &acme, &crossed.sign()).await, "token_signature");
        assert_eq!(landing(&anna, &acme, &crossed.secret(secret.reveal()).sign()).await, "open");
        let unknown = acme.token("hubspot").header("kid", "key-of-somebody");
        assert_eq!(landing(&anna, &acme, &unknown.sign()).await, "token_signature");
    }

    async fn a_rotated_secret_overlaps_and_then_ends(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let service = world.service();
        let (_, secret) = service.rotate_signing_key(&Actor::Operator, &acme.id, &acme.key.id, 3600).await.unwrap();
        let (old, new) = (|| acme.token("hubspot").sign(), || acme.token("hubspot").secret(secret.reveal()).sign());
        assert_eq!(landing(&anna, &acme, &old()).await, "open");
        assert_eq!(landing(&anna, &acme, &new()).await, "open");
        world.pass_seconds(3599);
        assert_eq!(landing(&anna, &acme, &old()).await, "open");
        world.pass_seconds(1);
        assert_eq!(landing(&anna, &acme, &old()).await, "token_signature");
        let named = acme.token("hubspot").header("kid", acme.key.id.as_str());
        assert_eq!(landing(&anna, &acme, &named.sign()).await, "token_signature");
        assert_eq!(landing(&anna, &acme, &new()).await, "open");
        // Also for a node that reads the keys only now.
        let node = world.another_node().await;
        let there = world.person_at(&node);
        assert_eq!(landing(&there, &acme, &old()).await, "token_signature");
        assert_eq!(landing(&there, &acme, &new()).await, "open");
    }

    async fn a_revoked_key_is_refused_by_the_next_request_on_every_node(world: World) {
        let acme = world.organization("acme").await;
        let node = world.another_node().await;
        let (here, there) = (world.person(), world.person_at(&node));
        assert_eq!(landing(&here, &acme, &acme.token("hubspot").sign()).await, "open");
        assert_eq!(landing(&there, &acme, &acme.token("hubspot").sign()).await, "open");
        world.service().revoke_signing_key(&Actor::Operator, &acme.id, &acme.key.id).await.unwrap();
        assert_eq!(landing(&there, &acme, &acme.token("hubspot").sign()).await, "token_signature");
        assert_eq!(landing(&here, &acme, &acme.token("hubspot").sign()).await, "token_signature");
    }

    async fn tokens_of_pyjwt_and_jose_are_accepted_with_every_algorithm(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let pairs = key_pairs(&ALGORITHMS);
        for (at, pair) in pairs.iter().enumerate() {
            // As PEM or as JWK: whatever the company has.
            let text = if at % 2 == 0 { pair.public_pem.clone() } else { pair.public_jwk.to_string() };
            register(&world, &acme, &pair.alg, NewMaterial::PublicKey(text)).await;
        }
        let orders = || {
            let mut orders: Vec<Order> = pairs.iter().map(|pair| order(&acme, pair)).collect();
            orders.push(Order::new("HS256", acme.secret(), acme.token("hubspot").claims().clone()));
            orders
        };
        for (library, tokens) in [("PyJWT", sign_with_pyjwt(&orders())), ("jose", sign_with_jose(&orders()))] {
            assert_eq!(tokens.len(), 4);
            for token in tokens {
                assert_eq!(landing(&anna, &acme, &token).await, "open", "{library}: {token}");
                assert_eq!(landing(&anna, &acme, &token).await, "token_replayed", "{library}");
            }
        }
    }

    async fn published_keys_are_read_once_and_again_at_an_unknown_kid(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let pairs = key_pairs(&["ES256", "ES256"]);
        let (old, new) = (&pairs[0], &pairs[1]);
        let sign = |pair: &KeyPair, kid: &str| sign_with_jose(&[order(&acme, pair).header("kid", kid)]).remove(0);
        world.own_system.publish(&[published(old, "k-1")]);
        register(&world, &acme, "ES256", NewMaterial::JwksUrl(world.own_system.url("/keys.json"))).await;

        for _ in 0..3 {
            assert_eq!(landing(&anna, &acme, &sign(old, "k-1")).await, "open");
        }
        assert_eq!(world.own_system.key_set_reads(), 1, "a known key is not asked for again");

        // A key that was published since: an unknown kid makes the set be read again, at most once per 30 s.
        world.own_system.publish(&[published(old, "k-1"), published(new, "k-2")]);
        world.pass_seconds(31);
        assert_eq!(landing(&anna, &acme, &sign(new, "k-2")).await, "open");
        assert_eq!(world.own_system.key_set_reads(), 2);
        for kid in ["nobody", "../../etc/passwd", "' OR 1=1 --"] {
            assert_eq!(landing(&anna, &acme, &sign(new, kid)).await, "token_signature", "{kid}");
        }
        assert_eq!(world.own_system.key_set_reads(), 2, "whoever invents kids causes no reading");

        // A key that the company took back ends when the set is read next.
        world.own_system.publish(&[published(new, "k-2")]);
        world.pass_seconds(601);
        assert_eq!(landing(&anna, &acme, &sign(new, "k-2")).await, "open");
        assert_eq!(landing(&anna, &acme, &sign(old, "k-1")).await, "token_signature");
        // The right kid with the wrong key proves nothing.
        assert_eq!(landing(&anna, &acme, &sign(old, "k-2")).await, "token_signature");
        // And without a kid nobody says which key of the set is meant.
        let nameless = sign_with_jose(&[order(&acme, new)]).remove(0);
        assert_eq!(landing(&anna, &acme, &nameless).await, "token_signature");
    }

    async fn lesson_16_a_key_of_another_organization_or_environment_opens_nothing(world: World) {
        let acme = world.organization("acme").await;
        let other = world.organization("other").await;
        let real = world.organization("real").in_production().await;
        let anna = world.person();
        // Another company's key, also under its own kid and under the victim's.
        assert_eq!(landing(&anna, &acme, &acme.token("hubspot").secret(other.secret()).sign()).await, "token_signature");
        for kid in [other.key.id.as_str(), acme.key.id.as_str()] {
            let token = acme.token("hubspot").secret(other.secret()).header("kid", kid);
            assert_eq!(landing(&anna, &acme, &token.sign()).await, "token_signature", "{kid}");
        }
        // A production key in the sandbox, and the other way round.
        let (sandboxed, productive) = (world.person(), world.person_in_production());
        assert_eq!(landing(&sandboxed, &real, &real.token("hubspot").sign()).await, "token_signature");
        assert_eq!(landing(&productive, &real, &real.token("hubspot").sign()).await, "open");
        assert_eq!(landing(&productive, &acme, &acme.token("hubspot").sign()).await, "token_signature");
        assert_eq!(world.count("dialogs").await, 1);
    }

    async fn a_disabled_organization_opens_nothing_from_the_next_request_on(world: World) {
        let acme = world.organization("acme").await;
        let anna = world.person();
        let key = acme.api_key(&["tenants:read"]).await;
        let tenant = anna.connects(&acme, "hubspot", &acme.token("hubspot").sign()).await;
        let to = format!("/v1/tenants/{}", tenant["id"]);
        assert_eq!(anna.calls(&key, &to).await.status, 200);
        let change = service::admin::organizations::OrganizationChange { disabled: Some(true), ..Default::default() };
        world.service().change_organization(&Actor::Operator, "acme", change).await.unwrap();
        assert_eq!(landing(&anna, &acme, &acme.token("hubspot").sign()).await, "organization_unknown");
        assert_eq!(anna.calls(&key, &to).await.status, 403);
    }
}
