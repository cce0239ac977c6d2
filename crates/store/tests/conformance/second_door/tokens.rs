//! Grants, codes, refresh tokens, pushed requests and the gateway's own keys.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, hashed, sealed};
use enter::account::Association;
use enter::ids::{AccountId, AppId, GrantId, IssuerKeyId, PartnerId, SessionId};
use enter::oidc::authorize::Parameters;
use enter::oidc::consent::Consent;
use enter::oidc::par::PushedRequest;
use enter::oidc::{AuthorizationCode, CodeState, Grant, RefreshState};
use enter::session::Session;
use enter::signing::IssuerKey;
use kernel::jose::Algorithm;
use kernel::{Environment, Hashed, Time};
use serde_json::json;
use store::issuer_keys::KeptKey;
use store::refresh_tokens::{FromMemory, Next};
use store::*;

on_both!(
    access_is_told_part_by_part,
    what_is_in_memory_is_told_by_its_revision,
    a_visit_is_told_part_by_part,
    a_grant_is_found_in_its_environment_and_revoked_once,
    a_code_is_redeemed_by_one_of_many,
    a_burnt_code_brings_nothing_and_a_revoked_grant_no_more,
    what_became_of_a_refresh_token_is_told_by_those_after_it,
    a_revoked_token_is_remembered,
    a_pushed_request_is_used_once,
    of_two_keys_of_one_generation_one_is_kept,
    keys_are_retired_and_removed,
    what_is_over_goes_with_its_family,
    what_takes_something_away_moves_the_revision,
    what_was_decided_from_memory_is_confirmed_by_its_row,
    what_a_token_rests_on_is_asked_shortly,
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
        grants::insert(tx, &new, &code(&new)).await
    });
    grant
}

async fn access_is_told_part_by_part(world: World) {
    let grant = grant(&world).await;
    let (person, account) = (grant.person.clone(), grant.account.clone().unwrap());
    let app = AppId::parse("MP-1").unwrap();
    let told = async |environment: Environment| {
        let found = standings::of_access_token(&world.db, environment, &grant.id, "j").await.unwrap();
        found.map(|(revoked, rests)| {
            assert_eq!((&rests.grant, rests.person.id.as_str()), (&grant, person.as_str()));
            (revoked, rests.account_live, rests.activated, rests.roles)
        })
    };
    assert_eq!(told(SANDBOX).await, Some((false, true, false, None)));
    assert_eq!(told(Environment::Production).await, None);
    let association =
        Association { person: person.clone(), account: account.clone(), roles: vec!["ä".to_owned()] };
    let (of, id) = (app.clone(), account.clone());
    write!(world, |tx| async {
        assert!(associations::insert_if_new(tx, &association, NOW).await?);
        assert!(activations::insert(tx, &of, &id, NOW).await?);
        revoked_tokens::insert(tx, "j", NOW).await
    });
    assert_eq!(told(SANDBOX).await, Some((true, true, true, Some(vec!["ä".to_owned()]))));
    let off = sql("UPDATE accounts SET disabled_at = $1").bind(NOW);
    assert!(world.write(move |tx| Box::pin(off.wrote(tx))).await);
    assert!(!told(SANDBOX).await.unwrap().1, "an account that is switched off");
}

async fn what_is_in_memory_is_told_by_its_revision(world: World) {
    let grant = grant(&world).await;
    let read = async || {
        let found = standings::of_access_token(&world.db, SANDBOX, &grant.id, "").await.unwrap();
        let (_, rests) = found.unwrap();
        (rests.client, rests.app, rests.partner)
    };
    let mut seen = vec![read().await.0];
    let client = grant.client.clone();
    let known = read!(world, |tx| clients::known(tx, SANDBOX, &client, NOW)).unwrap();
    assert_eq!((known.version, known.until), (seen[0].version, None));
    // Every change of a client and of its secrets.
    let id = grant.client.clone();
    write!(world, |tx| clients::add_secret(tx, &id, &hashed("one"), NOW));
    seen.push(read().await.0);
    let id = grant.client.clone();
    write!(world, |tx| clients::add_secret(tx, &id, &hashed("two"), NOW));
    seen.push(read().await.0);
    let (id, ends) = (grant.client.clone(), NOW.plus_seconds(60));
    write!(world, |tx| async {
        clients::end_secrets(tx, &id, Some(&hashed("two")), ends, NOW).await.map(|ended| assert_eq!(ended, 1))
    });
    seen.push(read().await.0);
    let client = grant.client.clone();
    let known = read!(world, |tx| clients::known(tx, SANDBOX, &client, NOW)).unwrap();
    assert_eq!((known.version, known.until), (seen[3].version, Some(ends)));
    let client = grant.client.clone();
    assert_eq!(read!(world, |tx| clients::known(tx, SANDBOX, &client, ends)).unwrap().until, None);
    let app = AppId::parse("MP-1").unwrap();
    let mut kept = read!(world, |tx| clients::of_app(tx, &app, NOW)).remove(0);
    kept.noun.client.disabled = Some(NOW);
    assert!(write!(world, |tx| clients::update(tx, &kept.noun, kept.revision, NOW)).is_some());
    seen.push(read().await.0);
    assert_eq!(seen[4].disabled, Some(NOW));
    let mut versions: Vec<i64> = seen.iter().map(|one| one.version).collect();
    versions.dedup();
    assert_eq!(versions.len(), 5, "each change is noticed");
    // An organization that is switched off takes its apps and partners along.
    let before = read().await;
    assert_eq!((before.1.disabled, before.2.disabled), (None, None));
    let off = sql("UPDATE organizations SET disabled = $1").bind(true);
    assert!(world.write(move |tx| Box::pin(off.wrote(tx))).await);
    let after = read().await;
    assert!(after.1.disabled.is_some() && after.2.disabled.is_some());
}

async fn a_visit_is_told_part_by_part(world: World) {
    let grant = grant(&world).await;
    let (cookie, account) = (hashed("cookie"), grant.account.clone().unwrap());
    let find = async |environment,
                      session: Option<&Hashed>,
                      account: Option<&AccountId>,
                      partner: Option<&PartnerId>| {
        let wanted = visits::Wanted { client: &grant.client, session, account, partner };
        visits::find(&world.db, environment, wanted).await.unwrap()
    };
    assert_eq!(find(Environment::Production, Some(&cookie), None, None).await, None);
    let nobody = find(SANDBOX, Some(&hashed("other")), None, None).await.unwrap();
    assert_eq!((nobody.session, nobody.person, nobody.partner, nobody.place), (None, None, None, None));
    let found = find(SANDBOX, Some(&cookie), Some(&account), None).await.unwrap();
    assert_eq!(found.session.unwrap().id, grant.session);
    assert_eq!(found.person.unwrap().id, grant.person);
    assert_eq!(found.account.unwrap().id, account);
    assert_eq!(found.partner, found.place);
    assert_eq!((found.activated, found.roles, found.consent), (false, None, None));
    let own = PartnerId::parse("P1").unwrap();
    let at_partner = find(SANDBOX, None, None, Some(&own)).await.unwrap();
    assert_eq!(at_partner.place.unwrap().id, own);
    assert_eq!((at_partner.account, at_partner.session), (None, None));
    let (person, client, of) = (grant.person.clone(), grant.client.clone(), account.clone());
    let allowed = Consent { person: person.clone(), client, scopes: vec!["email".to_owned()], given: NOW };
    let (new, roles) = (allowed.clone(), vec!["member".to_owned()]);
    write!(world, |tx| async {
        consents::upsert(tx, &new).await?;
        let association = Association { person, account: of.clone(), roles };
        assert!(associations::insert_if_new(tx, &association, NOW).await?);
        activations::insert(tx, &AppId::parse("MP-1").unwrap(), &of, NOW).await
    });
    let found = find(SANDBOX, Some(&cookie), Some(&account), None).await.unwrap();
    assert_eq!(found.consent, Some(allowed));
    assert_eq!((found.activated, found.roles), (true, Some(vec!["member".to_owned()])));
}

async fn a_grant_is_found_in_its_environment_and_revoked_once(world: World) {
    let grant = grant(&world).await;
    let found = async |environment| {
        let found = standings::of_code(&world.db, environment, &grant.id).await.unwrap();
        found.map(|(_, rests)| rests.grant)
    };
    assert_eq!(found(SANDBOX).await, Some(grant.clone()));
    assert_eq!(found(Environment::Production).await, None);
    let id = grant.id.clone();
    assert!(write!(world, |tx| grants::revoke(tx, &id, NOW)));
    let id = grant.id.clone();
    assert!(!write!(world, |tx| grants::revoke(tx, &id, NOW.plus_seconds(1))));
    assert_eq!(found(SANDBOX).await.unwrap().revoked, Some(NOW));
    let (session, person, client) = (grant.session.clone(), grant.person.clone(), grant.client.clone());
    let told = write!(world, |tx| async {
        let more = Grant { id: GrantId::parse("grant-2").unwrap(), ..grant.clone() };
        grants::insert(tx, &more, &code(&more)).await?;
        let third = Grant { id: GrantId::parse("grant-3").unwrap(), ..grant.clone() };
        grants::insert(tx, &third, &code(&third)).await?;
        Ok((
            grants::revoke_of_person(tx, &person, &client, NOW).await?,
            grants::revoke_of_session(tx, &session, NOW).await?,
        ))
    });
    assert_eq!(told, (2, 0));
}

fn code(grant: &Grant) -> AuthorizationCode {
    AuthorizationCode {
        hash: hashed("code"),
        client: grant.client.clone(),
        grant: grant.id.clone(),
        redirect_uri: "https://app.example/cb?x=ä".to_owned(),
        challenge: Some("c".repeat(43)),
        nonce: Some("n \"'; --".to_owned()),
        scopes: grant.scopes.clone(),
        issued: NOW,
        state: CodeState::Issued,
    }
}

async fn a_code_is_redeemed_by_one_of_many(world: World) {
    let grant = grant(&world).await;
    let (found, rests) = standings::of_code(&world.db, SANDBOX, &grant.id).await.unwrap().unwrap();
    assert_eq!((found, rests.grant), (code(&grant), grant.clone()));
    let unknown = GrantId::parse("grant-9").unwrap();
    assert_eq!(standings::of_code(&world.db, SANDBOX, &unknown).await.unwrap(), None);
    assert_eq!(standings::of_code(&world.db, Environment::Production, &grant.id).await.unwrap(), None);
    let at = NOW.plus_seconds(5);
    let first = |name: String| next(&grant, 1, 0, &name);
    let all = (0..20).map(|one| {
        let (db, next) = (world.db.clone(), first(one.to_string()));
        async move { refresh_tokens::insert(&db, &next, at).await.unwrap() }
    });
    let all = futures_util::future::join_all(all).await;
    assert_eq!(all.into_iter().filter(|won| *won).count(), 1);
    let (found, _) = standings::of_code(&world.db, SANDBOX, &grant.id).await.unwrap().unwrap();
    assert_eq!(found.state, CodeState::Redeemed { at });
}

async fn a_burnt_code_brings_nothing_and_a_revoked_grant_no_more(world: World) {
    let grant = grant(&world).await;
    let id = grant.id.clone();
    assert!(write!(world, |tx| grants::burn(tx, &id, NOW)));
    let id = grant.id.clone();
    assert!(!write!(world, |tx| grants::burn(tx, &id, NOW.plus_seconds(1))));
    let (found, _) = standings::of_code(&world.db, SANDBOX, &grant.id).await.unwrap().unwrap();
    assert_eq!(found.state, CodeState::Redeemed { at: NOW });
    assert!(!refresh_tokens::insert(&world.db, &next(&grant, 1, 0, "1"), NOW).await.unwrap());
    let other = Grant { id: GrantId::parse("grant-2").unwrap(), ..grant.clone() };
    let new = other.clone();
    write!(world, |tx| async { grants::insert(tx, &new, &code(&new)).await });
    assert!(refresh_tokens::insert(&world.db, &next(&other, 1, 0, "1"), NOW).await.unwrap());
    let id = other.id.clone();
    assert!(write!(world, |tx| grants::revoke(tx, &id, NOW)));
    assert!(!refresh_tokens::insert(&world.db, &next(&other, 2, 1, "2"), NOW).await.unwrap());
}

fn next(grant: &Grant, number: i64, given_for: i64, name: &str) -> Next {
    Next { grant: grant.id.clone(), number, hash: hashed(name), given_for, from_memory: None }
}

/// Where the token `number` stands, and its successor.
async fn family(world: &World, grant: &Grant, number: i64) -> (RefreshState, Option<RefreshState>, i64) {
    let name = hashed(&number.to_string());
    let found = standings::of_refresh_token(&world.db, SANDBOX, &grant.id, number, &name).await;
    let (family, _) = found.unwrap().unwrap();
    assert_eq!((family.token.hash, family.number), (name, number));
    (family.token.state, family.successor.map(|one| one.state), family.last)
}

async fn what_became_of_a_refresh_token_is_told_by_those_after_it(world: World) {
    use RefreshState::{Forgiven, Live, Revoked, Rotated};
    let grant = grant(&world).await;
    let give = async |number: i64, given_for: i64, at: Time| {
        let next = next(&grant, number, given_for, &number.to_string());
        refresh_tokens::insert(&world.db, &next, at).await.unwrap()
    };
    let (first, second) = (NOW.plus_seconds(1), NOW.plus_seconds(2));
    assert!(give(1, 0, NOW).await);
    assert_eq!(family(&world, &grant, 1).await, (Live, None, 1));
    for (number, name) in [(1, "other"), (2, "1")] {
        let found =
            standings::of_refresh_token(&world.db, SANDBOX, &grant.id, number, &hashed(name)).await.unwrap();
        assert_eq!(found, None, "another secret, another number");
    }
    assert!(give(2, 1, first).await);
    assert!(!give(2, 1, second).await, "somebody was faster");
    let rotated = Rotated { at: first, successor: hashed("2") };
    assert_eq!(family(&world, &grant, 1).await, (rotated, Some(Live), 2));
    assert_eq!(family(&world, &grant, 2).await, (Live, None, 2));
    // A lost answer is forgiven: what was given out first is revoked by that.
    assert!(give(3, 1, second).await);
    let forgiven = Forgiven { at: first, successor: hashed("3") };
    assert_eq!(family(&world, &grant, 1).await, (forgiven.clone(), Some(Live), 3));
    assert_eq!(family(&world, &grant, 2).await, (Revoked, None, 3));
    assert_eq!(family(&world, &grant, 3).await, (Live, None, 3));
    // And the family goes on.
    assert!(give(4, 3, second).await);
    let used = Rotated { at: second, successor: hashed("4") };
    assert_eq!(family(&world, &grant, 1).await, (forgiven, Some(used.clone()), 4));
    assert_eq!(family(&world, &grant, 2).await, (Revoked, None, 4));
    assert_eq!(family(&world, &grant, 3).await, (used, Some(Live), 4));
    for number in 5..=9 {
        assert!(give(number, number - 1, second).await);
    }
    let (state, successor, last) = family(&world, &grant, 1).await;
    assert!(matches!(state, Forgiven { .. }) && matches!(successor, Some(Rotated { .. })) && last == 9);
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
    assert!(refresh_tokens::insert(&world.db, &next(&grant, 1, 0, "1"), NOW).await.unwrap());
    let late = grant.expires.plus_seconds(1);
    assert_eq!(write!(world, |tx| grants::delete_expired(tx, NOW, 10)), 0);
    assert_eq!(write!(world, |tx| grants::delete_expired(tx, late, 10)), 1);
    let left = sql("SELECT (SELECT COUNT(*) FROM grants), (SELECT COUNT(*) FROM refresh_tokens)");
    let mut row = world.db.maybe(left).await.unwrap().unwrap();
    assert_eq!((row.take::<i64>().unwrap(), row.take::<i64>().unwrap()), (0, 0));
}

/// Ends the session, and nothing that hangs from it: a grant that is kept at the same moment is not seen by a logout.
async fn end(world: &World, grant: &Grant) {
    let ends = sql("UPDATE sessions SET ended_at = $2 WHERE id = $1").bind(&grant.session).bind(NOW);
    assert!(world.write(|tx| Box::pin(ends.wrote(tx))).await);
}

async fn revision_of(world: &World) -> i64 {
    read!(world, |tx| revision::read(tx))
}

/// Keeps a grant that was decided about from memory.
async fn confirmed(world: &World, like: &Grant, name: &str, cookie: &str, at: i64) -> bool {
    let new = Grant { id: GrantId::parse(name).unwrap(), ..like.clone() };
    grants::insert_confirmed(&world.db, &new, &code(&new), &hashed(cookie), at).await.unwrap()
}

async fn what_takes_something_away_moves_the_revision(world: World) {
    let grant = grant(&world).await;
    let (person, account) = (grant.person.clone(), grant.account.clone().unwrap());
    let before = revision_of(&world).await;
    let association = Association { person: person.clone(), account: account.clone(), roles: vec![] };
    let (of, app) = (account.clone(), AppId::parse("MP-1").unwrap());
    write!(world, |tx| async {
        assert!(associations::insert_if_new(tx, &association, NOW).await?);
        assert!(activations::insert(tx, &app, &of, NOW).await?);
        revoked_tokens::insert(tx, "j", NOW).await
    });
    let (id, cookie, other) = (grant.session.clone(), hashed("cookie"), hashed("other"));
    write!(world, |tx| async {
        sessions::change_secret(tx, &id, &cookie, &other).await?;
        sessions::change_secret(tx, &id, &other, &cookie).await
    });
    assert_eq!(
        revision_of(&world).await,
        before,
        "nobody decided by what is new, and sessions are looked at"
    );
    for change in [
        "UPDATE organizations SET name = 'x'",
        "UPDATE partners SET name = 'x'",
        "UPDATE accounts SET name = 'x'",
        "UPDATE people SET locale = 'de'",
        "UPDATE associations SET roles = '[\"x\"]'",
        "UPDATE apps SET name = 'x'",
        "UPDATE clients SET name = 'x'",
        "UPDATE client_secrets SET ends_at = 1",
        "UPDATE service_accounts SET name = 'x'",
        "UPDATE service_keys SET disabled_at = 1",
        "DELETE FROM activations WHERE account_id = 'AG-1'",
        "DELETE FROM associations WHERE account_id = 'AG-1'",
    ] {
        let before = revision_of(&world).await;
        world.write(move |tx| Box::pin(async move { sql(change).execute(tx).await })).await;
        assert_eq!(revision_of(&world).await, before + 1, "{change}");
    }
    let before = revision_of(&world).await;
    let failed = world.db.write(|tx| {
        Box::pin(async move {
            sql("UPDATE people SET locale = 'en'").execute(tx).await?;
            Err::<(), _>(DbError::Reference)
        })
    });
    assert_eq!(failed.await, Err(DbError::Reference));
    assert_eq!(revision_of(&world).await, before, "what is not kept moves nothing");
    world.db.execute(sql("DELETE FROM consents")).await.unwrap();
    assert_eq!(revision_of(&world).await, before);
    world.db.execute(sql("DELETE FROM associations")).await.unwrap();
    assert_eq!(revision_of(&world).await, before + 1, "also a statement that goes by itself");
}

async fn what_was_decided_from_memory_is_confirmed_by_its_row(world: World) {
    let grant = grant(&world).await;
    let at = revision_of(&world).await;
    assert!(!confirmed(&world, &grant, "grant-2", "other", at).await, "another cookie");
    assert!(!confirmed(&world, &grant, "grant-2", "cookie", at - 1).await);
    assert!(confirmed(&world, &grant, "grant-2", "cookie", at).await);
    let many = (0..40).map(|one| {
        let (world, grant) = (&world, &grant);
        async move {
            let stale = one % 4 == 0;
            let name = format!("grant-many-{one}");
            (stale, confirmed(world, grant, &name, "cookie", at - i64::from(stale)).await)
        }
    });
    for (stale, kept) in futures_util::future::join_all(many).await {
        assert_eq!(kept, !stale, "each by itself, also where they share a statement");
    }
    let by = |name: &str, revision, cookie: &str| {
        let grant = Grant { id: GrantId::parse(name).unwrap(), ..grant.clone() };
        let from_memory = Some(FromMemory { revision, cookie: hashed(cookie) });
        Next { from_memory, ..next(&grant, 1, 0, "1") }
    };
    let from_memory = |name: &str, at| by(name, at, "cookie");
    let insert = async |next: Next| refresh_tokens::insert(&world.db, &next, NOW).await.unwrap();
    assert!(!insert(from_memory("grant-2", at - 1)).await);
    assert!(!insert(by("grant-2", at, "other")).await, "the session was renewed meanwhile");
    assert!(insert(from_memory("grant-2", at)).await);
    assert!(!insert(from_memory("grant-2", at)).await, "once");
    world
        .write(|tx| Box::pin(async move { sql("UPDATE people SET disabled_at = 1").execute(tx).await }))
        .await;
    assert!(!confirmed(&world, &grant, "grant-3", "cookie", at).await);
    assert!(!insert(from_memory("grant-many-1", at)).await);
    let at = revision_of(&world).await;
    end(&world, &grant).await;
    assert!(!confirmed(&world, &grant, "grant-3", "cookie", at).await, "its session has ended");
    assert!(
        !insert(from_memory("grant-many-2", at)).await,
        "that of a code that was given out meanwhile, too"
    );
}

async fn what_a_token_rests_on_is_asked_shortly(world: World) {
    let grant = grant(&world).await;
    let still = async |jti: &str| standings::still(&world.db, &grant.id, jti).await.unwrap();
    let at = revision_of(&world).await;
    assert_eq!(still("j").await, Some(at));
    let (_, rests) = standings::of_access_token(&world.db, SANDBOX, &grant.id, "j").await.unwrap().unwrap();
    assert_eq!(rests.revision, at);
    write!(world, |tx| revoked_tokens::insert(tx, "j", NOW));
    assert_eq!((still("j").await, still("k").await), (None, Some(at)));
    end(&world, &grant).await;
    assert_eq!(still("k").await, None, "its session has ended");
    world
        .write(|tx| Box::pin(async move { sql("UPDATE sessions SET ended_at = NULL").execute(tx).await }))
        .await;
    assert_eq!(still("k").await, Some(at));
    let id = grant.id.clone();
    assert!(write!(world, |tx| grants::revoke(tx, &id, NOW)));
    assert_eq!(still("k").await, None);
}
