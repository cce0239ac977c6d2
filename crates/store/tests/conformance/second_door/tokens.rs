//! Grants, codes, refresh tokens, pushed requests and the gateway's own keys.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, hashed, sealed};
use enter::account::Association;
use enter::ids::{AppId, GrantId, IssuerKeyId, PartnerId, SessionId};
use enter::oidc::authorize::Parameters;
use enter::oidc::par::PushedRequest;
use enter::oidc::{AuthorizationCode, CodeState, Grant, RefreshState, RefreshToken};
use enter::session::Session;
use enter::signing::IssuerKey;
use kernel::Environment;
use kernel::jose::Algorithm;
use serde_json::json;
use store::issuer_keys::KeptKey;
use store::*;

on_both!(
    access_is_told_part_by_part,
    a_grant_is_found_in_its_environment_and_revoked_once,
    a_code_is_redeemed_by_one_of_many,
    a_refresh_token_moves_on_only_from_the_state_that_was_read,
    a_revoked_token_is_remembered,
    a_pushed_request_is_used_once,
    of_two_keys_of_one_generation_one_is_kept,
    keys_are_retired_and_removed,
    what_is_over_goes_with_its_family,
);

/// A grant with everything that it refers to.
async fn grant(world: &World) -> Grant {
    let partner = world.partner("P1").await;
    let account = world.account(&partner, "AG-1").await;
    let person = world.new_person(&partner, "anna");
    let app = world.new_app(&partner.organization, "MP-1");
    let client = world.new_client(&app, "client-1");
    let detail = serde_json::from_value(json!({ "acr": "a", "amr": ["fed"], "navbar": "n" })).unwrap();
    let session = Session {
        id: SessionId::parse("S-1").unwrap(),
        secret: hashed("cookie"),
        partner: partner.id.clone(),
        person: person.id.clone(),
        partner_session: "theirs".to_owned(),
        authenticated: NOW,
        detail,
        created: NOW,
        touched: NOW,
        expires: NOW.plus_seconds(3600),
        ended: None,
    };
    let grant = Grant {
        id: GrantId::parse("grant-1").unwrap(),
        client: client.client.id.clone(),
        person: person.id.clone(),
        session: session.id.clone(),
        account: Some(account.id),
        scopes: vec!["openid".to_owned(), "email".to_owned()],
        claims: json!({ "userinfo": { "email": null } }).as_object().cloned(),
        created: NOW,
        expires: session.expires,
        revoked: None,
    };
    let new = grant.clone();
    write!(world, |tx| async {
        assert!(people::insert_if_new(tx, &person, NOW).await?);
        assert!(apps::insert(tx, &app, NOW).await?);
        assert!(clients::insert(tx, &client).await?);
        sessions::insert(tx, SANDBOX, &session).await?;
        grants::insert(tx, &new).await
    });
    grant
}

async fn access_is_told_part_by_part(world: World) {
    let grant = grant(&world).await;
    let (person, account) = (grant.person.clone(), grant.account.clone().unwrap());
    let app = AppId::parse("MP-1").unwrap();
    let partner = PartnerId::parse("P1").unwrap();
    let told = async |environment: Environment, partner: &str| {
        let (person, account, app) = (person.clone(), account.clone(), app.clone());
        let partner = PartnerId::parse(partner).unwrap();
        read!(world, |tx| async {
            grants::access(tx, environment, &partner, &app, (&person, &account)).await
        })
    };
    let none = grants::Access { account_live: true, activated: false, roles: None };
    assert_eq!(told(SANDBOX, partner.as_str()).await, none);
    let association =
        Association { person: person.clone(), account: account.clone(), roles: vec!["ä".to_owned()] };
    let (of, id) = (app.clone(), account.clone());
    write!(world, |tx| async {
        assert!(associations::insert_if_new(tx, &association, NOW).await?);
        assert!(activations::insert(tx, &of, &id, NOW).await?);
        Ok(())
    });
    let all = grants::Access { account_live: true, activated: true, roles: Some(vec!["ä".to_owned()]) };
    assert_eq!(told(SANDBOX, partner.as_str()).await, all);
    assert!(!told(SANDBOX, "P2").await.account_live);
    assert!(!told(Environment::Production, "P1").await.account_live);
}

async fn a_grant_is_found_in_its_environment_and_revoked_once(world: World) {
    let grant = grant(&world).await;
    let id = grant.id.clone();
    let found = read!(world, |tx| async {
        Ok((grants::find(tx, SANDBOX, &id).await?, grants::find(tx, Environment::Production, &id).await?))
    });
    assert_eq!(found, (Some(grant.clone()), None));
    let id = grant.id.clone();
    assert!(write!(world, |tx| grants::revoke(tx, &id, NOW)));
    let id = grant.id.clone();
    assert!(!write!(world, |tx| grants::revoke(tx, &id, NOW.plus_seconds(1))));
    let id = grant.id.clone();
    assert_eq!(read!(world, |tx| grants::find(tx, SANDBOX, &id)).unwrap().revoked, Some(NOW));
    let (session, person, client) = (grant.session.clone(), grant.person.clone(), grant.client.clone());
    let told = write!(world, |tx| async {
        let more = Grant { id: GrantId::parse("grant-2").unwrap(), ..grant.clone() };
        grants::insert(tx, &more).await?;
        let third = Grant { id: GrantId::parse("grant-3").unwrap(), ..grant.clone() };
        grants::insert(tx, &third).await?;
        Ok((
            grants::clients_of_session(tx, &session).await?,
            grants::apps_of_session(tx, &session).await?.len(),
            grants::revoke_of_person(tx, &person, &client, NOW).await?,
            grants::revoke_of_session(tx, &session, NOW).await?,
        ))
    });
    assert_eq!((told.0.len(), told.1, told.2, told.3), (1, 1, 2, 0));
}

fn code(grant: &Grant) -> AuthorizationCode {
    AuthorizationCode {
        hash: hashed("code"),
        client: grant.client.clone(),
        grant: grant.id.clone(),
        redirect_uri: "https://app.example/cb?x=ä".to_owned(),
        challenge: Some("c".repeat(43)),
        nonce: Some("n \"'; --".to_owned()),
        scopes: vec!["openid".to_owned()],
        issued: NOW,
        state: CodeState::Issued,
    }
}

async fn a_code_is_redeemed_by_one_of_many(world: World) {
    let grant = grant(&world).await;
    let new = code(&grant);
    write!(world, |tx| authorization_codes::insert(tx, &new));
    assert_eq!(read!(world, |tx| authorization_codes::by_hash(tx, &hashed("code"))), Some(code(&grant)));
    assert_eq!(read!(world, |tx| authorization_codes::by_hash(tx, &hashed("other"))), None);
    let at = NOW.plus_seconds(5);
    let redeem = || async {
        let db = world.db.clone();
        let redeemed = db.write(move |tx| {
            Box::pin(async move { authorization_codes::mark_redeemed(tx, &hashed("code"), at).await })
        });
        redeemed.await.unwrap()
    };
    let all = futures_util::future::join_all((0..20).map(|_| redeem())).await;
    assert_eq!(all.into_iter().filter(|won| *won).count(), 1);
    let found = read!(world, |tx| authorization_codes::by_hash(tx, &hashed("code"))).unwrap();
    assert_eq!(found.state, CodeState::Redeemed { at });
}

fn token(grant: &Grant, name: &str) -> RefreshToken {
    RefreshToken {
        hash: hashed(name),
        client: grant.client.clone(),
        grant: grant.id.clone(),
        expires: grant.expires,
        state: RefreshState::Live,
    }
}

async fn a_refresh_token_moves_on_only_from_the_state_that_was_read(world: World) {
    let grant = grant(&world).await;
    let (first, second) = (token(&grant, "1"), token(&grant, "2"));
    let live = first.clone();
    write!(world, |tx| async {
        refresh_tokens::insert(tx, &first, NOW).await?;
        refresh_tokens::insert(tx, &second, NOW).await
    });
    let rotated = RefreshState::Rotated { at: NOW, successor: hashed("2") };
    let other = RefreshState::Rotated { at: NOW, successor: hashed("3") };
    let forgiven = RefreshState::Forgiven { at: NOW, successor: hashed("3") };
    let moves = [
        (rotated.clone(), RefreshState::Live, true),
        (rotated.clone(), RefreshState::Live, false),
        (forgiven.clone(), other, false),
        (forgiven.clone(), rotated, true),
        (RefreshState::Revoked, forgiven, true),
    ];
    for (to, from, moved) in moves {
        let next = RefreshToken { state: to.clone(), ..live.clone() };
        assert_eq!(write!(world, |tx| refresh_tokens::save(tx, &next, &from)), moved, "{to:?}");
        if moved {
            assert_eq!(read!(world, |tx| refresh_tokens::by_hash(tx, &hashed("1"))).unwrap().state, to);
        }
    }
    let both = read!(world, |tx| refresh_tokens::with_successor(tx, &hashed("1")));
    assert_eq!(both.unwrap().1, None, "a revoked one names none");
    let again =
        RefreshToken { state: RefreshState::Rotated { at: NOW, successor: hashed("2") }, ..live.clone() };
    let next = again.clone();
    assert!(write!(world, |tx| refresh_tokens::save(tx, &next, &RefreshState::Revoked)));
    let both = read!(world, |tx| refresh_tokens::with_successor(tx, &hashed("1")));
    assert_eq!(both, Some((again, Some(token(&grant, "2")))));
    assert_eq!(read!(world, |tx| refresh_tokens::with_successor(tx, &hashed("none"))), None);
    assert!(write!(world, |tx| refresh_tokens::revoke_unused(tx, &hashed("2"))));
    assert!(!write!(world, |tx| refresh_tokens::revoke_unused(tx, &hashed("2"))));
}

async fn a_revoked_token_is_remembered(world: World) {
    for _ in 0..2 {
        write!(world, |tx| revoked_tokens::insert(tx, "j", NOW.plus_seconds(60)));
    }
    assert!(read!(world, |tx| revoked_tokens::is_revoked(tx, "j")));
    assert!(!read!(world, |tx| revoked_tokens::is_revoked(tx, "J")));
    assert_eq!(write!(world, |tx| revoked_tokens::delete_expired(tx, NOW.plus_seconds(60), 10)), 0);
    assert_eq!(write!(world, |tx| revoked_tokens::delete_expired(tx, NOW.plus_seconds(61), 10)), 1);
}

async fn a_pushed_request_is_used_once(world: World) {
    let grant = grant(&world).await;
    let pairs = [("state", "a\u{0}b"), ("scope", "openid ä"), ("state2", "")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let request = PushedRequest {
        hash: hashed("reference"),
        client: grant.client,
        parameters: Parameters::from_stored(pairs),
        expires: NOW.plus_seconds(90),
        used: None,
    };
    let new = request.clone();
    write!(world, |tx| pushed_requests::insert(tx, &new));
    assert_eq!(read!(world, |tx| pushed_requests::by_hash(tx, &hashed("reference"))), Some(request));
    assert!(write!(world, |tx| pushed_requests::mark_used(tx, &hashed("reference"), NOW)));
    assert!(!write!(world, |tx| pushed_requests::mark_used(tx, &hashed("reference"), NOW)));
    assert_eq!(write!(world, |tx| pushed_requests::delete_expired(tx, NOW.plus_seconds(91), 10)), 1);
}

fn key(id: &str, generation: i64) -> KeptKey {
    KeptKey {
        key: IssuerKey {
            id: IssuerKeyId::parse(id).unwrap(),
            algorithm: Algorithm::EdDsa,
            public_jwk: "{}".to_owned(),
            published: NOW,
            active: NOW.plus_seconds(1),
            retired: None,
            removed: None,
        },
        generation,
        private_key: sealed("der"),
    }
}

async fn of_two_keys_of_one_generation_one_is_kept(world: World) {
    assert_eq!(read!(world, |tx| issuer_keys::newest(tx, SANDBOX, Algorithm::EdDsa)), 0);
    assert!(write!(world, |tx| async { issuer_keys::insert_if_new(tx, SANDBOX, &key("key-1", 1)).await }));
    assert!(!write!(world, |tx| async { issuer_keys::insert_if_new(tx, SANDBOX, &key("key-2", 1)).await }));
    let there = Environment::Production;
    assert!(write!(world, |tx| async { issuer_keys::insert_if_new(tx, there, &key("key-3", 1)).await }));
    assert_eq!(read!(world, |tx| issuer_keys::newest(tx, SANDBOX, Algorithm::EdDsa)), 1);
    assert_eq!(read!(world, |tx| issuer_keys::newest(tx, SANDBOX, Algorithm::Rs256)), 0);
    assert_eq!(read!(world, |tx| issuer_keys::kept(tx, SANDBOX)), [key("key-1", 1)]);
}

async fn keys_are_retired_and_removed(world: World) {
    let id = || IssuerKeyId::parse("key-1").unwrap();
    let mut versions = vec![read!(world, |tx| issuer_keys::version(tx, SANDBOX))];
    assert!(write!(world, |tx| async { issuer_keys::insert_if_new(tx, SANDBOX, &key("key-1", 1)).await }));
    versions.push(read!(world, |tx| issuer_keys::version(tx, SANDBOX)));
    for expected in [true, false] {
        let done = write!(world, |tx| async { issuer_keys::retire(tx, SANDBOX, &id(), NOW).await });
        assert_eq!(done, expected);
    }
    versions.push(read!(world, |tx| issuer_keys::version(tx, SANDBOX)));
    let elsewhere = write!(world, |tx| async {
        issuer_keys::reseal(tx, Environment::Production, &id(), &sealed("again")).await
    });
    assert!(!elsewhere);
    assert!(write!(world, |tx| async { issuer_keys::reseal(tx, SANDBOX, &id(), &sealed("again")).await }));
    assert_eq!(read!(world, |tx| issuer_keys::kept(tx, SANDBOX))[0].private_key, sealed("again"));
    for expected in [true, false] {
        let done = write!(world, |tx| async { issuer_keys::remove(tx, SANDBOX, &id(), NOW).await });
        assert_eq!(done, expected);
    }
    versions.push(read!(world, |tx| issuer_keys::version(tx, SANDBOX)));
    assert_eq!(read!(world, |tx| issuer_keys::kept(tx, SANDBOX)), []);
    assert_eq!(read!(world, |tx| issuer_keys::newest(tx, SANDBOX, Algorithm::EdDsa)), 1, "never given twice");
    versions.dedup();
    assert_eq!(versions.len(), 4, "each change is noticed: {versions:?}");
}

async fn what_is_over_goes_with_its_family(world: World) {
    let grant = grant(&world).await;
    let (code, token) = (code(&grant), token(&grant, "1"));
    write!(world, |tx| async {
        authorization_codes::insert(tx, &code).await?;
        refresh_tokens::insert(tx, &token, NOW).await
    });
    let late = grant.expires.plus_seconds(1);
    assert_eq!(write!(world, |tx| authorization_codes::delete_before(tx, NOW, 10)), 0);
    assert_eq!(write!(world, |tx| refresh_tokens::delete_expired(tx, NOW, 10)), 0);
    assert_eq!(write!(world, |tx| grants::delete_expired(tx, late, 10)), 1);
    assert_eq!(read!(world, |tx| authorization_codes::by_hash(tx, &hashed("code"))), None);
    assert_eq!(read!(world, |tx| refresh_tokens::by_hash(tx, &hashed("1"))), None);
}
