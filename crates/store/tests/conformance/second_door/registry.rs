//! Partners, accounts, people, apps, clients and service accounts.

use super::{domain, partner_user};
use crate::on_both;
use crate::world::{NOW, SANDBOX, World, hashed};
use enter::account::{Account, Association, MEMBER};
use enter::app::{App, SignIn};
use enter::ids::{AccountId, AppId, ClientId, PartnerId, PersonId, ServiceKeyId};
use enter::oidc::{Authentication, ClientKeys, ClientKind};
use enter::partner::{Partner, TransferUrl};
use enter::service_account::{ServiceAccount, ServiceKey, Switches};
use kernel::jose::Algorithm;
use kernel::{Environment, SafeUrl};
use store::service_accounts::ServiceAccountRecord;
use store::*;

on_both!(
    partners_are_kept,
    a_partner_goes_with_its_people_but_not_with_accounts,
    accounts_are_kept,
    people_are_kept,
    a_hundred_first_entries_make_one_user,
    associations_stay_within_a_partner,
    apps_are_kept,
    activations_stay_within_an_environment,
    clients_are_kept,
    client_secrets_overlap,
    service_accounts_are_kept,
    service_keys_are_kept,
    published_ids_of_the_other_environment_are_unknown,
);

const PRODUCTION: Environment = Environment::Production;

async fn partners_are_kept(world: World) {
    let mut partner = world.partner("PT-1").await;
    let (own, id) = (partner.organization.clone(), partner.id.clone());
    let stranger = world.organization("stranger").await;
    let (taken, of) = (Partner { organization: stranger.clone(), ..partner.clone() }, id.clone());
    assert!(!write!(world, |tx| partners::insert(tx, &taken, NOW)), "the id is taken, by whomever");
    assert_eq!(read!(world, |tx| partners::find(tx, SANDBOX, &of)), Some(partner.clone()));

    partner.name = "Meridian".to_owned();
    partner.transfer = TransferUrl::parse("http://localhost:9/transfer").unwrap();
    partner.more_domains = vec![domain("shop.meridian.example")];
    (partner.just_in_time, partner.disabled) = (false, Some(NOW));
    let foreign = Partner { organization: stranger.clone(), ..partner.clone() };
    assert_eq!(write!(world, |tx| partners::update(tx, &foreign, NOW, NOW)), None);
    let changed = partner.clone();
    let revision = write!(world, |tx| partners::update(tx, &changed, NOW, NOW)).unwrap();
    assert!(revision > NOW, "another revision also where the clock stands still");
    let stale = Partner { disabled: None, ..partner.clone() };
    let late = NOW.plus_seconds(9);
    assert_eq!(write!(world, |tx| partners::update(tx, &stale, NOW, late)), None, "changed in between");
    let (of, by) = (id.clone(), own.clone());
    let kept = read!(world, |tx| partners::owned(tx, &by, SANDBOX, &of)).unwrap();
    assert_eq!((&kept.noun, kept.revision), (&partner, revision), "it stays switched off");
    let of = id.clone();
    assert_eq!(read!(world, |tx| partners::owned(tx, &stranger, SANDBOX, &of)), None);
    let (of, by) = (id.clone(), own.clone());
    assert_eq!(read!(world, |tx| partners::owned(tx, &by, PRODUCTION, &of)), None);
    let by = own.clone();
    assert_eq!(read!(world, |tx| partners::of_organization(tx, &by, SANDBOX, None, 9)), [kept]);
    assert!(read!(world, |tx| partners::of_organization(tx, &own, SANDBOX, Some(&id), 9)).is_empty());
}

async fn a_partner_goes_with_its_people_but_not_with_accounts(world: World) {
    let partner = world.partner("PT-1").await;
    let account = world.account(&partner, "AG-1").await;
    let person = world.person(&partner, "anna").await;
    let record = account_of(&partner.id, "portal@pt-1.example");
    assert!(write!(world, |tx| service_accounts::insert(tx, &record)));
    let (by, of) = (partner.organization.clone(), partner.id.clone());
    assert!(!write!(world, |tx| partners::delete(tx, &by, SANDBOX, &of)), "it still has an account");
    let (of, id) = (PartnerId::parse("PT-2").unwrap(), account.id.clone());
    assert!(!write!(world, |tx| accounts::delete(tx, &of, &id)), "another partner's");
    let of = partner.id.clone();
    assert!(write!(world, |tx| accounts::delete(tx, &of, &account.id)));
    assert!(write!(world, |tx| partners::delete(tx, &partner.organization, SANDBOX, &partner.id)));
    assert_eq!(read!(world, |tx| people::find(tx, &person.id)), None);
    assert_eq!(read!(world, |tx| service_accounts::find(tx, SANDBOX, "portal@pt-1.example")), None);
}

async fn accounts_are_kept(world: World) {
    let (partner, other) = (world.partner("PT-1").await, world.partner("PT-2").await);
    let mut account = world.account(&partner, "AG-1").await;
    let (second, theirs) = (world.account(&partner, "AG-2").await, world.account(&other, "AG-3").await);
    let taken = world.new_account(&other, "AG-1");
    assert!(!write!(world, |tx| accounts::insert(tx, SANDBOX, &taken, NOW)));
    account.name = "Bakery".to_owned();
    account.customer_identifier = None;
    account.disabled = Some(NOW);
    let foreign = Account { partner: other.id.clone(), ..account.clone() };
    let wrote = write!(world, |tx| accounts::update(tx, &foreign, NOW, NOW));
    assert_eq!(wrote, None, "an account never changes its partner");
    let (changed, stale) = (account.clone(), account.clone());
    let revision = write!(world, |tx| accounts::update(tx, &changed, NOW, NOW)).unwrap();
    assert_eq!(write!(world, |tx| accounts::update(tx, &stale, NOW, NOW)), None, "changed in between");
    let (by, id) = (partner.organization.clone(), account.id.clone());
    let kept = read!(world, |tx| accounts::owned(tx, &by, SANDBOX, &id)).unwrap();
    assert_eq!((kept.noun, kept.revision), (account.clone(), revision));
    let (by, id) = (other.organization.clone(), account.id.clone());
    assert_eq!(read!(world, |tx| accounts::owned(tx, &by, SANDBOX, &id)), None);
    let id = account.id.clone();
    assert_eq!(read!(world, |tx| accounts::find(tx, SANDBOX, &id)), Some(account.clone()));
    let id = theirs.id.clone();
    assert_eq!(read!(world, |tx| accounts::find(tx, SANDBOX, &id)), Some(theirs));
    let of = partner.id.clone();
    let page = read!(world, |tx| accounts::of_partner(tx, &of, None, 1));
    assert_eq!(page, [account.clone()]);
    let page = read!(world, |tx| accounts::of_partner(tx, &partner.id, Some(&account.id), 9));
    assert_eq!(page, [second]);
}

async fn people_are_kept(world: World) {
    let (partner, other) = (world.partner("PT-1").await, world.partner("PT-2").await);
    let mut anna = world.person(&partner, "U-1/anna @é").await;
    let namesake = world.person(&other, "U-1/anna @é").await;
    let again = world.new_person(&partner, "U-1/anna @é");
    assert!(!write!(world, |tx| people::insert_if_new(tx, &again, NOW)), "the identity is there");
    let identity = anna.identity.clone();
    assert_eq!(read!(world, |tx| people::by_identity(tx, &identity)), Some(anna.clone()));
    let mut unknown = anna.identity.clone();
    unknown.partner_user = partner_user("u-1/anna @é");
    assert_eq!(read!(world, |tx| people::by_identity(tx, &unknown)), None, "byte for byte");

    anna.email = Some("a@example.com".to_owned());
    (anna.email_verified, anna.picture) = (false, Some("https://x.example/a.png".to_owned()));
    (anna.given_name, anna.family_name, anna.locale) = (None, Some("Ñ".to_owned()), None);
    anna.disabled = Some(NOW);
    let mut foreign = anna.clone();
    foreign.identity.partner = other.id.clone();
    assert_eq!(write!(world, |tx| people::update(tx, &foreign, NOW, NOW)), None, "another partner's");
    let (changed, stale) = (anna.clone(), anna.clone());
    let revision = write!(world, |tx| people::update(tx, &changed, NOW, NOW)).unwrap();
    assert_eq!(write!(world, |tx| people::update(tx, &stale, NOW, NOW)), None, "changed in between");
    let (by, id) = (partner.organization.clone(), anna.id.clone());
    let kept = read!(world, |tx| people::owned(tx, &by, SANDBOX, &id)).unwrap();
    assert_eq!((kept.noun, kept.revision), (anna.clone(), revision));
    let (by, id) = (other.organization.clone(), anna.id.clone());
    assert_eq!(read!(world, |tx| people::owned(tx, &by, SANDBOX, &id)), None);
    let (of, id) = (partner.id.clone(), anna.id.clone());
    assert!(write!(world, |tx| people::learn_email(tx, &of, &id, "anna@new.example", NOW)));
    anna.email = Some("anna@new.example".to_owned());
    let id = anna.id.clone();
    assert_eq!(read!(world, |tx| people::find(tx, &id)), Some(anna.clone()));

    let of = other.id.clone();
    assert_eq!(read!(world, |tx| people::by_email(tx, &of, "anna@example.com")), [namesake]);
    let of = partner.id.clone();
    assert!(read!(world, |tx| people::by_email(tx, &of, "anna@example.com")).is_empty(), "lesson 24");
    let (of, id) = (other.id.clone(), anna.id.clone());
    assert!(!write!(world, |tx| people::delete(tx, &of, &id)), "another partner's");
    let (of, id) = (partner.id.clone(), anna.id.clone());
    assert!(write!(world, |tx| people::delete(tx, &of, &id)));
    for name in ["b", "c", "d"] {
        world.person(&partner, name).await;
    }
    let of = partner.id.clone();
    assert_eq!(read!(world, |tx| people::by_email(tx, &of, "anna@example.com")).len(), 2, "several");
    let of = partner.id.clone();
    let page = read!(world, |tx| people::of_partner(tx, &of, Some(&partner_user("b")), 1));
    assert_eq!(page.iter().map(|person| person.identity.partner_user.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(read!(world, |tx| people::of_partner(tx, &partner.id, None, 9)).len(), 3);
}

async fn a_hundred_first_entries_make_one_user(world: World) {
    let partner = world.partner("PT-1").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (db, person) = (world.db.clone(), world.new_person(&partner, "anna"));
        tasks.spawn(async move {
            let found = db.write(move |tx| {
                Box::pin(async move {
                    let new = people::insert_if_new(tx, &person, NOW).await?;
                    Ok::<_, DbError>((new, people::by_identity(tx, &person.identity).await?.unwrap().id))
                })
            });
            found.await.unwrap()
        });
    }
    let all = tasks.join_all().await;
    assert_eq!(all.iter().filter(|(new, _)| *new).count(), 1);
    assert!(all.iter().all(|(_, id)| *id == all[0].1), "all of them are the same user");
}

async fn associations_stay_within_a_partner(world: World) {
    let (partner, other) = (world.partner("PT-1").await, world.partner("PT-2").await);
    let (anna, ben) = (world.person(&partner, "anna").await, world.person(&partner, "ben").await);
    let account = world.account(&partner, "AG-1").await;
    let theirs = world.account(&other, "AG-2").await;
    let association = |person: &PersonId, account: &AccountId, role: &str| Association {
        person: person.clone(),
        account: account.clone(),
        roles: vec![role.to_owned()],
    };
    let first = association(&anna.id, &account.id, "owner");
    let (new, again) = (first.clone(), association(&anna.id, &account.id, MEMBER));
    assert!(write!(world, |tx| associations::insert_if_new(tx, &new, NOW)));
    assert!(!write!(world, |tx| associations::insert_if_new(tx, &again, NOW)), "what is there stays");
    let foreign = association(&anna.id, &theirs.id, MEMBER);
    assert!(!write!(world, |tx| associations::insert_if_new(tx, &foreign, NOW)), "another partner's account");
    let (person, of) = (anna.id.clone(), account.id.clone());
    assert_eq!(read!(world, |tx| associations::find(tx, &person, &of)), Some(first.clone()));
    let changed = association(&anna.id, &account.id, "reader");
    let new = changed.clone();
    assert!(write!(world, |tx| associations::set_roles(tx, &new)));
    let none = association(&ben.id, &account.id, "reader");
    let new = none.clone();
    assert!(!write!(world, |tx| associations::set_roles(tx, &new)));
    let new = none.clone();
    assert!(write!(world, |tx| associations::insert_if_new(tx, &new, NOW)));
    let person = anna.id.clone();
    assert_eq!(read!(world, |tx| associations::of_person(tx, &person)), std::slice::from_ref(&changed));
    let person = anna.id.clone();
    assert_eq!(read!(world, |tx| accounts::of_person(tx, &person, 9)), std::slice::from_ref(&account));
    let mut both = vec![changed, none];
    both.sort_by(|a, b| a.person.cmp(&b.person));
    let of = account.id.clone();
    assert_eq!(read!(world, |tx| associations::of_account(tx, &of, None, 9)), both);
    let (of, first) = (account.id.clone(), both[0].person.clone());
    assert_eq!(read!(world, |tx| associations::of_account(tx, &of, Some(&first), 9)), both[1..]);
    let (person, of) = (anna.id.clone(), account.id.clone());
    assert!(write!(world, |tx| associations::delete(tx, &person, &of)));
    let (person, of) = (anna.id.clone(), account.id.clone());
    assert!(!write!(world, |tx| associations::delete(tx, &person, &of)));
    assert_eq!(read!(world, |tx| associations::find(tx, &anna.id, &account.id)), None);
}

async fn apps_are_kept(world: World) {
    let (acme, stranger) = (world.organization("acme").await, world.organization("stranger").await);
    let mut app = world.app(&acme, "MP-1").await;
    let taken = world.new_app(&stranger, "MP-1");
    assert!(!write!(world, |tx| apps::insert(tx, &taken, NOW)));
    let id = app.id.clone();
    assert_eq!(read!(world, |tx| apps::find(tx, SANDBOX, &id)), Some(app.clone()));
    app.sign_in = SignIn::SessionUrl(SafeUrl::parse("https://app.beacon.example/session").unwrap());
    (app.logout_url, app.open_to_all, app.pre_approved_scopes) = (None, true, vec![]);
    (app.name, app.more_domains) = ("Older".to_owned(), vec![]);
    app.disabled = Some(NOW);
    let foreign = App { organization: stranger.clone(), ..app.clone() };
    assert_eq!(write!(world, |tx| apps::update(tx, &foreign, NOW, NOW)), None);
    let (changed, stale) = (app.clone(), app.clone());
    let revision = write!(world, |tx| apps::update(tx, &changed, NOW, NOW)).unwrap();
    assert_eq!(write!(world, |tx| apps::update(tx, &stale, NOW, NOW)), None, "changed in between");
    let (of, id) = (acme.clone(), app.id.clone());
    let kept = read!(world, |tx| apps::owned(tx, &of, SANDBOX, &id)).unwrap();
    assert_eq!((&kept.noun, kept.revision), (&app, revision));
    let (of, id) = (stranger.clone(), app.id.clone());
    assert_eq!(read!(world, |tx| apps::owned(tx, &of, SANDBOX, &id)), None);
    let (of, id) = (acme.clone(), app.id.clone());
    assert_eq!(read!(world, |tx| apps::owned(tx, &of, PRODUCTION, &id)), None);
    let of = acme.clone();
    assert_eq!(read!(world, |tx| apps::of_organization(tx, &of, SANDBOX, None, 9)), [kept]);
    let (of, id) = (acme.clone(), app.id.clone());
    assert!(read!(world, |tx| apps::of_organization(tx, &of, SANDBOX, Some(&id), 9)).is_empty());
    let client = world.client(&app, "client-1").await.client.id;
    let id = app.id.clone();
    assert!(!write!(world, |tx| apps::delete(tx, &stranger, SANDBOX, &id)));
    assert!(write!(world, |tx| apps::delete(tx, &acme, SANDBOX, &app.id)));
    assert_eq!(read!(world, |tx| clients::find(tx, SANDBOX, &client, NOW)), None, "goes with its app");
}

async fn activations_stay_within_an_environment(world: World) {
    let partner = world.partner("PT-1").await;
    let account = world.account(&partner, "AG-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let live = App {
        environment: PRODUCTION,
        id: AppId::parse("MP-2").unwrap(),
        ..world.new_app(&partner.organization, "MP-2")
    };
    let (other, a, m) = (live.id.clone(), account.id.clone(), app.id.clone());
    assert!(write!(world, |tx| apps::insert(tx, &live, NOW)));
    assert!(!write!(world, |tx| activations::insert(tx, &other, &a, NOW)), "an app of the other environment");
    let a = account.id.clone();
    assert!(!read!(world, |tx| activations::is_active(tx, &m, &a)), "default is no");
    let (a, m) = (account.id.clone(), app.id.clone());
    assert!(write!(world, |tx| activations::insert(tx, &m, &a, NOW)));
    let (a, m) = (account.id.clone(), app.id.clone());
    assert!(!write!(world, |tx| activations::insert(tx, &m, &a, NOW)));
    let (a, m) = (account.id.clone(), app.id.clone());
    assert!(read!(world, |tx| activations::is_active(tx, &m, &a)));
    let a = account.id.clone();
    assert_eq!(read!(world, |tx| activations::of_account(tx, &a)), [(app.id.clone(), NOW)]);
    let m = app.id.clone();
    assert_eq!(read!(world, |tx| activations::of_app(tx, &m, None, 9)), [(account.id.clone(), NOW)]);
    let (a, m) = (account.id.clone(), app.id.clone());
    assert!(read!(world, |tx| activations::of_app(tx, &m, Some(&a), 9)).is_empty());
    let (a, m) = (account.id.clone(), app.id.clone());
    assert!(write!(world, |tx| activations::delete(tx, &m, &a)));
    assert!(!read!(world, |tx| activations::is_active(tx, &app.id, &account.id)));
}

async fn clients_are_kept(world: World) {
    let (acme, stranger) = (world.organization("acme").await, world.organization("stranger").await);
    let (app, other) = (world.app(&acme, "MP-1").await, world.app(&acme, "MP-2").await);
    let mut record = world.client(&app, "client-1").await;
    let taken = world.new_client(&other, "client-1");
    assert!(!write!(world, |tx| clients::insert(tx, &taken)));
    let id = record.client.id.clone();
    assert_eq!(read!(world, |tx| clients::find(tx, SANDBOX, &id, NOW)), Some(record.client.clone()));

    let ways = [
        Authentication::PrivateKeyJwt {
            algorithm: Algorithm::Es256,
            keys: ClientKeys::Registered(vec![r#"{"kty":"EC"}"#.to_owned(), r#"{"kty":"OKP"}"#.to_owned()]),
        },
        Authentication::PrivateKeyJwt {
            algorithm: Algorithm::EdDsa,
            keys: ClientKeys::Published(SafeUrl::parse("https://app.beacon.example/jwks").unwrap()),
        },
        Authentication::None,
    ];
    let mut seen = NOW;
    for way in ways {
        record.client.authentication = way;
        record.client.kind = ClientKind::Native;
        (record.client.forgiveness, record.client.backchannel_logout_uri) = (false, None);
        record.client.redirect_uris.truncate(1);
        record.client.post_logout_redirect_uris.clear();
        (record.client.scopes, record.name) = (vec!["a".to_owned(), "b".to_owned()], "Other".to_owned());
        record.client.id_token_algorithm = Algorithm::EdDsa;
        record.client.disabled = Some(NOW);
        let changed = record.clone();
        seen = write!(world, |tx| clients::update(tx, &changed, seen, NOW)).unwrap();
        let of = app.id.clone();
        let kept = Kept { noun: record.clone(), revision: seen };
        assert_eq!(read!(world, |tx| clients::of_app(tx, &of, NOW)), std::slice::from_ref(&kept));
        let (of, id) = (acme.clone(), record.client.id.clone());
        assert_eq!(read!(world, |tx| clients::owned(tx, &of, SANDBOX, &id, NOW)), Some(kept));
    }
    let stale = record.clone();
    assert_eq!(write!(world, |tx| clients::update(tx, &stale, NOW, NOW)), None, "changed in between");
    let id = record.client.id.clone();
    assert_eq!(read!(world, |tx| clients::owned(tx, &stranger, SANDBOX, &id, NOW)), None);
    let (of, id) = (other.id.clone(), record.client.id.clone());
    assert!(!write!(world, |tx| clients::delete(tx, &of, &id)), "another app's");
    let id = record.client.id.clone();
    assert_eq!(read!(world, |tx| clients::find(tx, SANDBOX, &id, NOW)), Some(record.client.clone()));
    assert!(write!(world, |tx| clients::delete(tx, &app.id, &record.client.id)));
    let id = ClientId::parse("client-1").unwrap();
    assert_eq!(read!(world, |tx| clients::find(tx, SANDBOX, &id, NOW)), None);
    let id = ClientId::parse("client-2").unwrap();
    assert_eq!(read!(world, |tx| clients::find(tx, SANDBOX, &id, NOW)), None);
}

async fn client_secrets_overlap(world: World) {
    let acme = world.organization("acme").await;
    let app = world.app(&acme, "MP-1").await;
    let id = world.client(&app, "client-1").await.client.id;
    let second = world.client(&app, "client-2").await.client.id;
    let later = |seconds: i64| NOW.plus_seconds(seconds);
    let (of, other) = (id.clone(), second.clone());
    write!(world, |tx| clients::add_secret(tx, &of, &hashed("one"), NOW));
    write!(world, |tx| clients::add_secret(tx, &other, &hashed("theirs"), NOW));
    let of = id.clone();
    assert_eq!(write!(world, |tx| clients::end_secrets(tx, &of, None, later(60), NOW)), 1);
    let of = id.clone();
    assert_eq!(
        write!(world, |tx| clients::end_secrets(tx, &of, None, later(90), NOW)),
        0,
        "only ever nearer"
    );
    let of = id.clone();
    write!(world, |tx| clients::add_secret(tx, &of, &hashed("two"), later(1)));
    for (at, live) in [(59, &["one", "two"][..]), (60, &["two"])] {
        let of = id.clone();
        let client = read!(world, |tx| clients::find(tx, SANDBOX, &of, later(at))).unwrap();
        let hashes = live.iter().map(|text| hashed(text)).collect();
        assert_eq!(client.authentication, Authentication::Secret(hashes), "after {at} s");
    }
    let of = app.id.clone();
    let both = read!(world, |tx| clients::of_app(tx, &of, later(2)));
    let secrets = |at: usize| match &both[at].noun.client.authentication {
        Authentication::Secret(hashes) => hashes.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((both.len(), secrets(0).len(), secrets(1)), (2, 2, vec![hashed("theirs")]));
    let of = id.clone();
    let kept = write!(world, |tx| clients::end_secrets(tx, &of, Some(&hashed("two")), later(99), later(99)));
    assert_eq!(kept, 0, "all but that one had ended");
    let of = id.clone();
    assert_eq!(write!(world, |tx| clients::end_secrets(tx, &of, None, later(100), later(100))), 1);
    let client = read!(world, |tx| clients::find(tx, SANDBOX, &id, later(100))).unwrap();
    assert_eq!(client.authentication, Authentication::Secret(vec![]));
}

fn account_of(partner: &enter::ids::PartnerId, email: &str) -> ServiceAccountRecord {
    let account = ServiceAccount {
        email: email.to_owned(),
        partner: partner.clone(),
        scopes: vec!["sso".to_owned()],
        disabled: None,
    };
    ServiceAccountRecord { account, name: "Portal".to_owned(), created: NOW }
}

async fn service_accounts_are_kept(world: World) {
    let (partner, other) = (world.partner("PT-1").await, world.partner("PT-2").await);
    let mut record = account_of(&partner.id, "portal@pt-1.example");
    let (new, taken) = (record.clone(), account_of(&other.id, "portal@pt-1.example"));
    assert!(write!(world, |tx| service_accounts::insert(tx, &new)));
    assert!(!write!(world, |tx| service_accounts::insert(tx, &taken)));
    let found = read!(world, |tx| service_accounts::find(tx, SANDBOX, "portal@pt-1.example"));
    assert_eq!(found, Some(record.account.clone()));
    assert_eq!(read!(world, |tx| service_accounts::find(tx, SANDBOX, "Portal@pt-1.example")), None);
    (record.name, record.account.scopes) = ("P".to_owned(), vec![]);
    record.account.disabled = Some(NOW);
    let (changed, stale, mut foreign) = (record.clone(), record.clone(), record.clone());
    foreign.account.partner = other.id.clone();
    assert_eq!(write!(world, |tx| service_accounts::update(tx, &foreign, NOW, NOW)), None);
    let revision = write!(world, |tx| service_accounts::update(tx, &changed, NOW, NOW)).unwrap();
    assert_eq!(
        write!(world, |tx| service_accounts::update(tx, &stale, NOW, NOW)),
        None,
        "changed in between"
    );
    let kept = Kept { noun: record, revision };
    let of = partner.id.clone();
    assert_eq!(read!(world, |tx| service_accounts::of_partner(tx, &of)), std::slice::from_ref(&kept));
    let of = other.id.clone();
    assert!(read!(world, |tx| service_accounts::of_partner(tx, &of)).is_empty());
    let (email, by) = ("portal@pt-1.example", partner.organization.clone());
    assert_eq!(read!(world, |tx| service_accounts::owned(tx, &by, SANDBOX, email)), Some(kept));
    assert_eq!(read!(world, |tx| service_accounts::owned(tx, &other.organization, SANDBOX, email)), None);
    assert!(!write!(world, |tx| service_accounts::delete(tx, &other.id, email)));
    assert!(write!(world, |tx| service_accounts::delete(tx, &partner.id, email)));
    assert_eq!(read!(world, |tx| service_accounts::find(tx, SANDBOX, email)), None);
}

async fn service_keys_are_kept(world: World) {
    let partner = world.partner("PT-1").await;
    let record = account_of(&partner.id, "portal@pt-1.example");
    assert!(write!(world, |tx| service_accounts::insert(tx, &record)));
    let key = |id: &str, generated: bool| {
        let id = ServiceKeyId::parse(id).unwrap();
        let email = "portal@pt-1.example".to_owned();
        ServiceKey::new(id, email, Algorithm::Es256, r#"{"kty":"EC"}"#.to_owned(), generated)
    };
    let (made, brought) = (key("sak-1", true), key("sak-2", false));
    for (new, at) in [(made.clone(), NOW), (brought.clone(), NOW.plus_seconds(1))] {
        assert!(write!(world, |tx| service_accounts::insert_key(tx, &new, at)));
    }
    let again = made.clone();
    assert!(!write!(world, |tx| service_accounts::insert_key(tx, &again, NOW)), "the id is taken");
    let email = "portal@pt-1.example";
    let switches = Switches { without_jti: false, audience_in_header: true, legacy_audience: true };
    assert!(read!(world, |tx| service_accounts::lenient_keys(tx)).is_empty());
    let id = brought.id.clone();
    assert!(!write!(world, |tx| service_accounts::set_switches(tx, email, &id, switches)), "it was brought");
    let id = made.id.clone();
    assert!(!write!(world, |tx| service_accounts::set_switches(tx, "x@y", &id, switches)), "another's");
    let id = made.id.clone();
    assert!(write!(world, |tx| service_accounts::set_switches(tx, email, &id, switches)));
    let mut expected = made.with_switches(switches).unwrap();
    assert_eq!(read!(world, |tx| service_accounts::lenient_keys(tx)), [expected.clone()]);
    let id = expected.id.clone();
    let end = NOW.plus_seconds(5);
    assert!(write!(world, |tx| service_accounts::set_key_expires(tx, email, &id, Some(end))));
    let id = expected.id.clone();
    assert!(write!(world, |tx| service_accounts::set_key_disabled(tx, email, &id, Some(NOW))));
    let id = expected.id.clone();
    assert!(!write!(world, |tx| service_accounts::set_key_disabled(tx, "x@y", &id, None)), "another's");
    (expected.expires, expected.disabled) = (Some(end), Some(NOW));
    let id = expected.id.clone();
    assert_eq!(read!(world, |tx| service_accounts::key(tx, SANDBOX, &id)), Some(expected.clone()));
    let (by, id) = (partner.organization.clone(), expected.id.clone());
    let found = read!(world, |tx| service_accounts::owned_key(tx, &by, SANDBOX, &id));
    assert_eq!(found, Some(expected.clone()));
    let (by, id) = (world.organization("stranger").await, expected.id.clone());
    assert_eq!(read!(world, |tx| service_accounts::owned_key(tx, &by, SANDBOX, &id)), None);
    assert_eq!(read!(world, |tx| service_accounts::keys_of(tx, email)), [expected, brought]);
}

async fn published_ids_of_the_other_environment_are_unknown(world: World) {
    let partner = world.partner("PT-1").await;
    let account = world.account(&partner, "AG-1").await;
    let app = world.app(&partner.organization, "MP-1").await;
    let client = world.client(&app, "client-1").await.client;
    let record = account_of(&partner.id, "portal@pt-1.example");
    let key_id = ServiceKeyId::parse("sak-1").unwrap();
    let email = record.account.email.clone();
    let key = ServiceKey::new(key_id.clone(), email.clone(), Algorithm::Es256, "{}".to_owned(), true);
    assert!(write!(world, |tx| service_accounts::insert(tx, &record)));
    assert!(write!(world, |tx| service_accounts::insert_key(tx, &key, NOW)));
    for (environment, known) in [(SANDBOX, true), (PRODUCTION, false)] {
        let (partner, account, app) = (partner.id.clone(), account.id.clone(), app.id.clone());
        let (client, key, email) = (client.id.clone(), key_id.clone(), email.clone());
        let seen = world.read(move |tx| {
            Box::pin(async move {
                Ok([
                    partners::find(tx, environment, &partner).await?.is_some(),
                    accounts::find(tx, environment, &account).await?.is_some(),
                    apps::find(tx, environment, &app).await?.is_some(),
                    clients::find(tx, environment, &client, NOW).await?.is_some(),
                    service_accounts::find(tx, environment, &email).await?.is_some(),
                    service_accounts::key(tx, environment, &key).await?.is_some(),
                ])
            })
        });
        assert_eq!(seen.await, [known; 6], "{environment}");
    }
}
