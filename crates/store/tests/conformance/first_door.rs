//! The functions of each table, one by one, on both databases.

use crate::on_both;
use crate::world::{NOW, SANDBOX, World, dialog_id, hashed, sealed, slug};
use connect::api_key::ApiKey;
use connect::attempt::Outcome;
use connect::connection::Status;
use connect::dialog::{Failure, GRACE_S, Stage};
use connect::refusal::RecordedRefusal;
use connect::run::{Mode, Source, Trigger};
use connect::signing_key::{Algorithm, Material, SigningKey};
use connect::token::REMEMBERED_S;
use connect::webhook::Delivery;
use kernel::audit::Event;
use kernel::ids::{ApiKeyId, ConnectionId, DeliveryId, OrganizationId, RefusalId, SigningKeyId};
use kernel::{Actor, Environment, Origin, SafeUrl, Time};
use serde_json::json;
use store::connections::{Connected, NewConnection};
use store::connector_apps::ConnectorApp;
use store::data_keys::DataKeyRecord;
use store::organization_connectors::OrganizationConnector;
use store::tenants::{Filter, Inserted, Sort};
use store::*;

on_both!(
    organizations_are_kept,
    data_keys_are_kept,
    signing_keys_live_and_end,
    origins_are_kept,
    connectors_are_kept,
    apps_are_kept,
    integrations_are_kept,
    users_keep_their_id,
    tenants_are_kept,
    tenants_are_listed,
    connections_connect_and_disconnect,
    dialogs_move_on,
    attempts_are_used_once,
    webhooks_rotate,
    deliveries_are_kept_as_they_came,
    triggers_wait,
    api_keys_are_kept,
    refusals_are_read,
    the_audit_log_is_read,
    what_is_over_is_swept,
    nobody_sees_another_organizations_rows,
);

/// A unit of work whose captured values are cloned into it.
macro_rules! write {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.write(move |$tx| Box::pin(async move { $body.await })).await
    };
}
macro_rules! read {
    ($world:expr, |$tx:ident| $body:expr) => {
        $world.read(move |$tx| Box::pin(async move { $body.await })).await
    };
}

async fn version_of(world: &World, id: &OrganizationId) -> i64 {
    let id = id.clone();
    read!(world, |tx| organizations::by_id(tx, &id)).unwrap().organization.config_version
}

async fn organizations_are_kept(world: World) {
    let mut record = world.new_organization("acme");
    let (new, again) = (record.clone(), world.new_organization("acme"));
    assert!(write!(world, |tx| organizations::insert(tx, &new)));
    assert!(!write!(world, |tx| organizations::insert(tx, &again)), "the slug is taken");
    let id = record.organization.id.clone();
    assert_eq!(read!(world, |tx| organizations::by_slug(tx, &slug("acme"))), Some(record.clone()));
    assert_eq!(read!(world, |tx| organizations::by_slug(tx, &slug("nobody"))), None);
    record.organization.color = None;
    record.organization.logo = Some("https://acme.example/logo.svg".to_owned());
    record.organization.disabled = true;
    record.token_max_age_s = 60;
    let changed = record.clone();
    assert!(write!(world, |tx| organizations::update(tx, &changed)));
    record.organization.config_version += 1;
    let of = id.clone();
    assert_eq!(read!(world, |tx| organizations::by_id(tx, &of)), Some(record.clone()));
    assert_eq!(read!(world, |tx| organizations::list(tx)), [record]);
    let of = id.clone();
    write!(world, |tx| organizations::bump_config_version(tx, &of));
    assert_eq!(version_of(&world, &id).await, 2);
}

async fn data_keys_are_kept(world: World) {
    let organization = world.organization("acme").await;
    let key = |id: &str| DataKeyRecord {
        id: id.to_owned(),
        organization: organization.clone(),
        wrapped: sealed(id),
        created: NOW,
        retired: None,
    };
    let of = organization.clone();
    assert_eq!(read!(world, |tx| data_keys::current(tx, &of)), None);
    let (one, two) = (key("one"), key("two"));
    for new in [one.clone(), two.clone()] {
        assert_eq!(write!(world, |tx| data_keys::insert_if_absent(tx, &new)), one);
    }
    let of = organization.clone();
    assert!(write!(world, |tx| data_keys::retire(tx, &of, "one", NOW)));
    let of = organization.clone();
    assert!(!write!(world, |tx| data_keys::retire(tx, &of, "one", NOW)));
    let new = two.clone();
    assert_eq!(write!(world, |tx| data_keys::insert_if_absent(tx, &new)), two);
    let of = organization.clone();
    assert!(write!(world, |tx| data_keys::rewrap(tx, &of, "two", &sealed("again"))));
    let of = organization.clone();
    assert_eq!(read!(world, |tx| data_keys::current(tx, &of)).unwrap().wrapped, sealed("again"));
    let of = organization.clone();
    assert_eq!(read!(world, |tx| data_keys::by_id(tx, &of, "one")).unwrap().retired, Some(NOW));
    assert_eq!(read!(world, |tx| data_keys::list(tx, &organization)).len(), 2);
}

async fn signing_keys_live_and_end(world: World) {
    let organization = world.organization("acme").await;
    let materials = [
        Material::Secret(sealed("secret")),
        Material::PublicJwk(r#"{"kty":"OKP"}"#.to_owned()),
        Material::JwksUrl(SafeUrl::parse("https://acme.example/jwks").unwrap()),
    ];
    let mut keys = Vec::new();
    for (number, material) in (0_i64..).zip(materials) {
        let key = SigningKey {
            id: SigningKeyId::new(NOW, &world.chance),
            organization: organization.clone(),
            environment: SANDBOX,
            algorithm: Algorithm::Hs256,
            material,
            name: "first".to_owned(),
            created: NOW.plus_seconds(number),
            retires: None,
            revoked: None,
        };
        let new = key.clone();
        write!(world, |tx| signing_keys::insert(tx, &new));
        keys.push(key);
    }
    let before = version_of(&world, &organization).await;
    let of = organization.clone();
    assert_eq!(read!(world, |tx| signing_keys::live(tx, &of, SANDBOX, NOW)), keys);
    let of = organization.clone();
    assert!(read!(world, |tx| signing_keys::live(tx, &of, Environment::Production, NOW)).is_empty());
    let end = NOW.plus_seconds(60);
    let (of, id) = (organization.clone(), keys[0].id.clone());
    assert!(write!(world, |tx| signing_keys::retire(tx, &of, &id, end)));
    let (of, id) = (organization.clone(), keys[0].id.clone());
    assert!(!write!(world, |tx| signing_keys::retire(tx, &of, &id, end.plus_seconds(1))), "no later end");
    let of = organization.clone();
    assert_eq!(read!(world, |tx| signing_keys::live(tx, &of, SANDBOX, end)).len(), 2);
    let of = organization.clone();
    assert_eq!(read!(world, |tx| signing_keys::live(tx, &of, SANDBOX, end.plus_seconds(-1))).len(), 3);
    for first in [true, false] {
        let (of, id) = (organization.clone(), keys[1].id.clone());
        assert_eq!(write!(world, |tx| signing_keys::revoke(tx, &of, &id, NOW)), first);
    }
    let of = organization.clone();
    assert_eq!(read!(world, |tx| signing_keys::live(tx, &of, SANDBOX, NOW)).len(), 2);
    let (of, id) = (organization.clone(), keys[1].id.clone());
    assert_eq!(read!(world, |tx| signing_keys::by_id(tx, &of, &id)).unwrap().revoked, Some(NOW));
    assert!(version_of(&world, &organization).await > before, "caches are told");
    assert_eq!(read!(world, |tx| signing_keys::list(tx, &organization)).len(), 3);
}

async fn origins_are_kept(world: World) {
    let organization = world.organization("acme").await;
    let origin = Origin::parse("https://app.acme.example").unwrap();
    for first in [true, false] {
        let (of, new) = (organization.clone(), origin.clone());
        assert_eq!(write!(world, |tx| origins::add(tx, &of, SANDBOX, &new)), first);
    }
    let of = organization.clone();
    assert_eq!(read!(world, |tx| origins::list(tx, &of, SANDBOX)), std::slice::from_ref(&origin));
    let of = organization.clone();
    assert!(read!(world, |tx| origins::list(tx, &of, Environment::Production)).is_empty());
    for first in [true, false] {
        let (of, old) = (organization.clone(), origin.clone());
        assert_eq!(write!(world, |tx| origins::remove(tx, &of, SANDBOX, &old)), first);
    }
}

async fn connectors_are_kept(world: World) {
    let organization = world.organization("acme").await;
    let mut connector = OrganizationConnector {
        organization: organization.clone(),
        name: slug("acme"),
        environment: SANDBOX,
        own: true,
        definition: "a".to_owned(),
        modified: NOW,
    };
    for definition in ["kind = 'oauth2'", "kind = 'none'\n"] {
        connector.definition = definition.to_owned();
        let put = connector.clone();
        assert!(write!(world, |tx| organization_connectors::put(tx, &put)));
    }
    let seen = async |world: &World, environment| {
        let of = organization.clone();
        read!(world, |tx| organization_connectors::list(tx, &of, environment))
    };
    assert_eq!(seen(&world, SANDBOX).await, std::slice::from_ref(&connector));
    assert_eq!(seen(&world, Environment::Production).await, [], "what is stored for the sandbox stays there");
    // What is stored for production is for both, and the sandbox changes nothing of it.
    let live = OrganizationConnector { environment: Environment::Production, ..connector.clone() };
    let put = live.clone();
    assert!(write!(world, |tx| organization_connectors::put(tx, &put)));
    let version = version_of(&world, &organization).await;
    let planted = OrganizationConnector { definition: "planted".to_owned(), ..connector };
    assert!(!write!(world, |tx| organization_connectors::put(tx, &planted)));
    for environment in Environment::ALL {
        assert_eq!(seen(&world, environment).await, std::slice::from_ref(&live));
    }
    assert_eq!(version_of(&world, &organization).await, version);
}

async fn apps_are_kept(world: World) {
    let organization = world.organization("acme").await;
    let mut app = ConnectorApp {
        organization: organization.clone(),
        environment: SANDBOX,
        connector: slug("hubspot"),
        client_id: "one".to_owned(),
        secrets: None,
        scopes: vec![],
        modified: NOW,
    };
    for secrets in [None, Some(sealed("secret"))] {
        app.secrets = secrets;
        app.scopes = vec!["a.read".to_owned(), "b".to_owned()];
        let put = app.clone();
        write!(world, |tx| connector_apps::put(tx, &put));
    }
    let of = organization.clone();
    assert_eq!(read!(world, |tx| connector_apps::get(tx, &of, SANDBOX, &slug("hubspot"))), Some(app.clone()));
    let of = organization.clone();
    assert_eq!(
        read!(world, |tx| connector_apps::get(tx, &of, Environment::Production, &slug("hubspot"))),
        None
    );
    assert_eq!(read!(world, |tx| connector_apps::list(tx, &organization)), [app]);
}

async fn integrations_are_kept(world: World) {
    let organization = world.organization("acme").await;
    let mut one = world.integration(&organization, "b-sync").await;
    let two = world.integration(&organization, "a-sync").await;
    let (of, id) = (organization.clone(), one.id);
    assert_eq!(read!(world, |tx| integrations::by_id(tx, &of, SANDBOX, id)), Some(one.clone()));
    let of = organization.clone();
    assert_eq!(
        read!(world, |tx| integrations::by_name(tx, &of, SANDBOX, &slug("a-sync"))),
        Some(two.clone())
    );
    let mut again = two.clone();
    again.id = kernel::ids::IntegrationId::new(99).unwrap();
    assert!(!write!(world, |tx| integrations::insert(tx, &again)), "the name is taken");
    one.connectors = vec![slug("stripe"), slug("hubspot")];
    one.own_connector = None;
    one.long_name = "Another".to_owned();
    let changed = one.clone();
    assert!(write!(world, |tx| integrations::update(tx, &changed)));
    let page = Page { sort: integrations::Sort::Name, descending: false, limit: 10, skip: 0 };
    let of = organization.clone();
    let listed = read!(world, |tx| integrations::list(tx, &of, SANDBOX, page));
    assert_eq!(listed, Listed { rows: vec![two, one.clone()], total: 2 });
    let page = Page { sort: integrations::Sort::Id, descending: true, limit: 1, skip: 1 };
    let listed = read!(world, |tx| integrations::list(tx, &organization, SANDBOX, page));
    assert_eq!(listed, Listed { rows: vec![one], total: 2 });
}

async fn users_keep_their_id(world: World) {
    let organization = world.organization("acme").await;
    let mut first = world.new_user(&organization, "anna");
    let new = first.clone();
    assert_eq!(write!(world, |tx| users::upsert(tx, &new)), first.id);
    let mut second = world.new_user(&organization, "anna");
    second.email = None;
    second.created = NOW.plus_seconds(9);
    second.modified = NOW.plus_seconds(9);
    let new = second.clone();
    assert_eq!(write!(world, |tx| users::upsert(tx, &new)), first.id);
    first.email = None;
    first.modified = second.modified;
    let (of, id) = (organization.clone(), first.id);
    assert_eq!(read!(world, |tx| users::by_id(tx, &of, id)), Some(first.clone()));
    let of = organization.clone();
    assert_eq!(read!(world, |tx| users::by_username(tx, &of, SANDBOX, "anna")), Some(first.clone()));
    let of = organization.clone();
    assert_eq!(read!(world, |tx| users::by_username(tx, &of, SANDBOX, "Anna")), None, "byte for byte");
    let mut other = world.new_user(&organization, "Anna");
    other.email = first.email.clone();
    assert_ne!(write!(world, |tx| users::upsert(tx, &other)), first.id, "lesson 24: never by e-mail");
    let bert = world.new_user(&organization, "bert");
    write!(world, |tx| users::upsert(tx, &bert));
    let page = |sort, descending, limit, skip| Page { sort, descending, limit, skip };
    for (page, names) in [
        (page(users::Sort::Username, false, 10, 2), &["bert"][..]),
        (page(users::Sort::Username, true, 1, 0), &["bert"]),
        (page(users::Sort::Created, false, 10, 5), &[]),
    ] {
        let of = organization.clone();
        let listed = read!(world, |tx| users::list(tx, &of, SANDBOX, page));
        let found: Vec<_> = listed.rows.iter().map(|user| user.username.as_str()).collect();
        assert_eq!((found.as_slice(), listed.total), (names, 3));
    }
    let page = page(users::Sort::Id, false, 10, 0);
    let listed = read!(world, |tx| users::list(tx, &organization, Environment::Production, page));
    assert_eq!(listed, Listed { rows: vec![], total: 0 });
}

async fn tenants_are_kept(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let mut tenant = world.tenant(&integration, "anna").await;
    let (of, id) = (organization.clone(), tenant.id);
    assert_eq!(read!(world, |tx| tenants::by_id(tx, &of, SANDBOX, id)), Some(tenant.clone()));
    let next = write!(world, |tx| tenants::next_id(tx));
    let twin = world.new_tenant(next, &integration, tenant.user, "another-name");
    let found = write!(world, |tx| tenants::insert(tx, &twin));
    assert_eq!(found, Inserted::Existing(Box::new(tenant.clone())));
    let bert = world.user(&organization, "bert").await;
    let taken = world.new_tenant(next, &integration, bert, &tenant.name);
    assert_eq!(write!(world, |tx| tenants::insert(tx, &taken)), Inserted::NameTaken);
    let later = NOW.plus_seconds(5);
    let of = organization.clone();
    assert!(write!(world, |tx| tenants::set_paused(tx, &of, id, true, later)));
    let of = organization.clone();
    assert!(write!(world, |tx| tenants::set_schedule(tx, &of, id, Some("0 * * * *"), None, later)));
    (tenant.paused, tenant.modified) = (true, later);
    (tenant.user_schedule, tenant.schedule) = (Some("0 * * * *".to_owned()), None);
    let (of, user) = (organization.clone(), tenant.user);
    let in_use = integration.id;
    assert_eq!(read!(world, |tx| tenants::find(tx, &of, SANDBOX, in_use, user)), Some(tenant.clone()));
    for first in [true, false] {
        let of = organization.clone();
        assert_eq!(write!(world, |tx| tenants::archive(tx, &of, id, later)), first);
    }
    let of = organization.clone();
    assert_eq!(read!(world, |tx| tenants::find(tx, &of, SANDBOX, in_use, user)), None);
    let second = world.tenant(&integration, "anna").await;
    let of = organization.clone();
    assert!(!write!(world, |tx| tenants::unarchive(tx, &of, id, later)), "the user has another one by now");
    let (of, second) = (organization.clone(), second.id);
    assert!(write!(world, |tx| tenants::archive(tx, &of, second, later)));
    let of = organization.clone();
    assert!(write!(world, |tx| tenants::unarchive(tx, &of, id, later)));
    let of = organization.clone();
    assert!(write!(world, |tx| tenants::was_connected(tx, &of, id, false, later.plus_seconds(1))));
    tenant.modified = later.plus_seconds(1);
    assert_eq!(read!(world, |tx| tenants::by_id(tx, &organization, SANDBOX, id)), Some(tenant));
}

async fn tenants_are_listed(world: World) {
    let organization = world.organization("acme").await;
    let (one, two) =
        (world.integration(&organization, "one").await, world.integration(&organization, "two").await);
    let mut ids = Vec::new();
    for (integration, username) in [(&one, "a"), (&one, "b"), (&two, "a"), (&one, "c")] {
        ids.push(world.tenant(integration, username).await.id);
    }
    let (of, gone) = (organization.clone(), ids[3]);
    write!(world, |tx| tenants::archive(tx, &of, gone, NOW));
    let all = Filter {
        organization,
        environment: SANDBOX,
        archived: Some(false),
        integration: None,
        username: None,
    };
    let cases = [
        (all.clone(), vec![ids[0], ids[1], ids[2]]),
        (Filter { archived: None, ..all.clone() }, ids.clone()),
        (Filter { archived: Some(true), ..all.clone() }, vec![ids[3]]),
        (Filter { integration: Some(one.id), ..all.clone() }, vec![ids[0], ids[1]]),
        (Filter { username: Some("a".to_owned()), ..all.clone() }, vec![ids[0], ids[2]]),
        (Filter { integration: Some(two.id), username: Some("b".to_owned()), ..all.clone() }, vec![]),
        (Filter { environment: Environment::Production, ..all.clone() }, vec![]),
    ];
    for (filter, expected) in cases {
        let page = Page { sort: Sort::Id, descending: false, limit: 10, skip: 0 };
        let shown = format!("{filter:?}");
        let listed = read!(world, |tx| tenants::list(tx, &filter, page));
        assert_eq!(listed.rows.iter().map(|tenant| tenant.id).collect::<Vec<_>>(), expected, "{shown}");
        assert_eq!(usize::try_from(listed.total), Ok(expected.len()));
    }
    for sort in Sort::ALL {
        let mut paged = Vec::new();
        for skip in 0..3 {
            let (filter, page) = (all.clone(), Page { sort, descending: true, limit: 1, skip });
            let listed = read!(world, |tx| tenants::list(tx, &filter, page));
            assert_eq!(listed.total, 3);
            paged.extend(listed.rows.into_iter().map(|tenant| tenant.id));
        }
        paged.sort();
        assert_eq!(paged, ids[..3], "{sort:?}: pages do not overlap");
    }
}

async fn connections_connect_and_disconnect(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let (anna, bert) = (world.tenant(&integration, "anna").await, world.tenant(&integration, "bert").await);
    let new = |tenant: &connect::tenant::Tenant, connector: &str| NewConnection {
        id: ConnectionId::new(NOW, &world.chance),
        organization: organization.clone(),
        tenant: tenant.id,
        connector: slug(connector),
        own: false,
    };
    let fresh = new(&anna, "hubspot");
    let (ensured, id) = (fresh.clone(), fresh.id.clone());
    let row = write!(world, |tx| connections::ensure(tx, &ensured, NOW));
    assert_eq!((row.status, row.version, row.credential), (Status::Disconnected, 0, None));
    let again = new(&anna, "hubspot");
    let connected = world
        .write(move |tx| {
            Box::pin(async move {
                connections::upsert_connected(tx, &again, NOW, |id| {
                    let account = Some("anna@example.com".to_owned());
                    Ok::<_, DbError>(Connected {
                        credential: sealed(id.as_str()),
                        account,
                        expires: Some(NOW),
                    })
                })
                .await
            })
        })
        .await;
    assert_eq!(connected.id, id, "the row that is there counts");
    assert_eq!((connected.status, connected.version), (Status::Connected, 1));
    assert_eq!(connected.credential, Some(sealed(id.as_str())));
    for first in [true, false] {
        let read = connected.clone();
        assert_eq!(write!(world, |tx| connections::renew(tx, &read, &sealed("renewed"), None)), first);
    }
    let stale = connected.clone();
    assert!(!write!(world, |tx| connections::set_disconnected(tx, &stale, NOW)), "it has changed since");
    let (of, tenant) = (organization.clone(), anna.id);
    let current = read!(world, |tx| connections::by_connector(tx, &of, tenant, &slug("hubspot"))).unwrap();
    assert_eq!((current.version, current.credential.clone()), (2, Some(sealed("renewed"))));
    let read = current.clone();
    assert!(write!(world, |tx| connections::set_disconnected(tx, &read, NOW.plus_seconds(1))));
    let of = organization.clone();
    let gone = read!(world, |tx| connections::of_tenant(tx, &of, tenant)).remove(0);
    assert_eq!(
        (gone.status, gone.credential, gone.last_change),
        (Status::Disconnected, None, NOW.plus_seconds(1))
    );
    assert_eq!(gone.account.as_deref(), Some("anna@example.com"));
    let other = new(&bert, "notion");
    write!(world, |tx| connections::ensure(tx, &other, NOW));
    let both = [anna.id, bert.id];
    assert_eq!(read!(world, |tx| connections::of_tenants(tx, &organization, &both)).len(), 2);
}

async fn dialogs_move_on(world: World) {
    let organization = world.organization("acme").await;
    let mut dialog = world.new_dialog(&organization, "bearer", "jti");
    assert!(world.open(&dialog).await);
    assert!(!world.open(&world.new_dialog(&organization, "second", "jti")).await);
    assert_eq!(read!(world, |tx| dialogs::by_id(tx, &dialog_id("bearer"))), Some(dialog.clone()));
    assert_eq!(read!(world, |tx| dialogs::by_id(tx, &dialog_id("second"))), None);
    dialog.stage = Stage::Failed { failure: Failure::TimedOut, at_input: None, detail: Some("x".to_owned()) };
    let (id, stage) = (dialog.id.clone(), dialog.stage.clone());
    assert!(write!(world, |tx| dialogs::save_stage(tx, &id, 1, &stage)));
    let (id, stage) = (dialog.id.clone(), dialog.stage.clone());
    assert!(!write!(world, |tx| dialogs::save_stage(tx, &id, 1, &stage)), "another request was faster");
    let id = dialog.id.clone();
    assert_eq!(read!(world, |tx| dialogs::version(tx, &id)), Some(2));
    let id = dialog.id.clone();
    assert!(write!(world, |tx| dialogs::save_inputs(tx, &id, Some(&sealed("typed")))));
    let page = |name: &str| kernel::Plain::presented(name).hashed();
    for (asks, told) in [("one", true), ("other", false), ("one", true), ("other", false)] {
        let (id, page) = (dialog.id.clone(), page(asks));
        assert_eq!(write!(world, |tx| dialogs::mark_announced(tx, &id, &page)), told, "{asks}");
    }
    (dialog.version, dialog.inputs, dialog.announced_to) = (2, Some(sealed("typed")), Some(page("one")));
    let id = dialog.id.clone();
    assert_eq!(read!(world, |tx| dialogs::by_id(tx, &id)), Some(dialog.clone()));
    let id = dialog.id.clone();
    write!(world, |tx| dialogs::forget_secrets(tx, &id));
    let id = dialog.id.clone();
    let left = read!(world, |tx| dialogs::by_id(tx, &id)).unwrap();
    assert_eq!((left.inputs, left.own_token), (None, None));
}

async fn attempts_are_used_once(world: World) {
    let organization = world.organization("acme").await;
    let dialog = world.new_dialog(&organization, "bearer", "jti");
    world.open(&dialog).await;
    let mut attempt = world.new_attempt(&dialog, "ticket", "state");
    let (new, again) = (attempt.clone(), world.new_attempt(&dialog, "ticket", "other"));
    assert!(write!(world, |tx| attempts::insert(tx, &new)));
    assert!(!write!(world, |tx| attempts::insert(tx, &again)), "the ticket was used");
    assert_eq!(read!(world, |tx| attempts::by_state(tx, &hashed("state"))), Some(attempt.clone()));
    assert_eq!(read!(world, |tx| attempts::by_state(tx, &hashed("other"))), None);
    let save = |attempt: &connect::attempt::Attempt| (attempt.organization.clone(), attempt.id.clone());
    let (of, id) = save(&attempt);
    assert!(
        !write!(world, |tx| attempts::save_outcome(tx, &of, &id, &Outcome::Arrived, None)),
        "not claimed yet"
    );
    for first in [true, false] {
        let (of, id) = save(&attempt);
        assert_eq!(write!(world, |tx| attempts::claim(tx, &of, &id, NOW)), first);
    }
    for first in [true, false] {
        let (of, id) = save(&attempt);
        let pending = sealed("pending");
        let saved =
            write!(world, |tx| attempts::save_outcome(tx, &of, &id, &Outcome::Arrived, Some(&pending)));
        assert_eq!(saved, first);
    }
    (attempt.used, attempt.outcome, attempt.pending) =
        (Some(NOW), Some(Outcome::Arrived), Some(sealed("pending")));
    let (of, id) = save(&attempt);
    assert_eq!(read!(world, |tx| attempts::by_id(tx, &of, &id)), Some(attempt.clone()));
    for first in [true, false] {
        let (of, id) = save(&attempt);
        assert_eq!(write!(world, |tx| attempts::forget_pending(tx, &of, &id)), first);
    }
}

async fn webhooks_rotate(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let (custom, hubspot) =
        (world.new_webhook(&tenant, None, "a"), world.new_webhook(&tenant, Some("hubspot"), "b"));
    for new in [custom.clone(), hubspot.clone()] {
        assert!(write!(world, |tx| webhooks::insert(tx, &new)));
    }
    let second = world.new_webhook(&tenant, None, "c");
    assert!(!write!(world, |tx| webhooks::insert(tx, &second)), "there is a current one");
    let found = webhooks::by_secret_hash(&world.db, &hashed("b")).await.unwrap().unwrap();
    assert_eq!((found.webhook, found.tenant_archived), (hubspot.clone(), false));
    let (ends, fresh) = (NOW.plus_seconds(7 * 86_400), world.new_webhook(&tenant, None, "d"));
    for first in [true, false] {
        let (old, new) = (custom.id.clone(), fresh.clone());
        assert_eq!(write!(world, |tx| webhooks::rotate(tx, &old, ends, &new)), first);
    }
    let (of, id) = (organization.clone(), tenant.id);
    assert_eq!(read!(world, |tx| webhooks::current(tx, &of, id, None)), Some(fresh));
    let of = organization.clone();
    assert_eq!(read!(world, |tx| webhooks::current(tx, &of, id, Some(&slug("hubspot")))), Some(hubspot));
    let of = organization.clone();
    assert_eq!(read!(world, |tx| webhooks::list(tx, &of, id)).len(), 3);
    for first in [true, false] {
        let (of, old) = (organization.clone(), custom.id.clone());
        assert_eq!(write!(world, |tx| webhooks::end(tx, &of, &old, NOW)), first);
    }
    assert_eq!(
        webhooks::by_secret_hash(&world.db, &hashed("a")).await.unwrap().unwrap().webhook.ends,
        Some(NOW)
    );
    write!(world, |tx| tenants::archive(tx, &organization, id, NOW));
    assert!(webhooks::by_secret_hash(&world.db, &hashed("b")).await.unwrap().unwrap().tenant_archived);
}

async fn deliveries_are_kept_as_they_came(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let webhook = world.new_webhook(&tenant, None, "a");
    let new = webhook.clone();
    write!(world, |tx| webhooks::insert(tx, &new));
    let bodies: [&[u8]; 5] = [b"", b"{\"a\":1}", "é 🚪".as_bytes(), b"with a \0 inside", &[0xff, 0xfe, 0, 1]];
    for body in bodies {
        let delivery = Delivery {
            id: DeliveryId::new(NOW, &world.chance),
            organization: organization.clone(),
            tenant: tenant.id,
            webhook: webhook.id.clone(),
            dedupe: None,
            headers: vec![
                ("content-type".to_owned(), "a/b".to_owned()),
                ("x-two".to_owned(), "1".to_owned()),
            ],
            body: body.to_vec(),
            received: NOW,
        };
        let new = delivery.clone();
        assert!(write!(world, |tx| deliveries::insert(tx, &new)));
        let (of, id) = (organization.clone(), delivery.id.clone());
        assert_eq!(read!(world, |tx| deliveries::by_id(tx, &of, &id)), Some(delivery));
    }
    for first in [true, false] {
        let delivery = Delivery {
            id: DeliveryId::new(NOW, &world.chance),
            organization: organization.clone(),
            tenant: tenant.id,
            webhook: webhook.id.clone(),
            dedupe: Some("evt_1".to_owned()),
            headers: vec![],
            body: vec![],
            received: NOW,
        };
        let (of, id) = (organization.clone(), delivery.id.clone());
        assert_eq!(write!(world, |tx| deliveries::insert(tx, &delivery)), first);
        assert_eq!(write!(world, |tx| deliveries::mark_taken(tx, &of, &id, NOW)), first);
    }
}

async fn triggers_wait(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let id = write!(world, |tx| triggers::next_id(tx));
    let trigger = Trigger {
        id,
        organization: organization.clone(),
        tenant: tenant.id,
        source: Source::Manual,
        mode: Mode::Init,
        delivery: None,
        payload: Some(json!({ "asked": "by hand" })),
        created: NOW,
        run: None,
    };
    let new = trigger.clone();
    write!(world, |tx| triggers::insert(tx, &new));
    assert_eq!(read!(world, |tx| triggers::count_unclaimed(tx)), 1);
    let (of, id) = (organization.clone(), tenant.id);
    assert_eq!(read!(world, |tx| triggers::count_unclaimed_of_tenant(tx, &of, id)), 1);
    assert_eq!(read!(world, |tx| triggers::list(tx, &organization, id, 10)), [trigger]);
}

async fn api_keys_are_kept(world: World) {
    let organization = world.organization("acme").await;
    let mut key = ApiKey {
        id: ApiKeyId::new(NOW, &world.chance),
        organization: organization.clone(),
        environment: SANDBOX,
        name: "CI".to_owned(),
        hash: hashed("key"),
        scopes: vec!["tenants:read".to_owned()],
        created: NOW,
        revoked: None,
    };
    let new = key.clone();
    write!(world, |tx| api_keys::insert(tx, &new));
    let (caller, _, version) = api_keys::caller(&world.db, &hashed("key")).await.unwrap().unwrap();
    assert_eq!((caller, version), (key.clone(), 0));
    assert_eq!(api_keys::caller(&world.db, &hashed("ke")).await.unwrap(), None);
    for first in [true, false] {
        let (of, id) = (organization.clone(), key.id.clone());
        assert_eq!(write!(world, |tx| api_keys::revoke(tx, &of, &id, NOW)), first);
    }
    key.revoked = Some(NOW);
    let (caller, ..) = api_keys::caller(&world.db, &hashed("key")).await.unwrap().unwrap();
    assert_eq!(caller, key, "the rule decides");
    assert_eq!(read!(world, |tx| api_keys::list(tx, &organization)), [key]);
}

fn refusal(world: &World, at: Time, organization: Option<OrganizationId>) -> RecordedRefusal {
    RecordedRefusal {
        id: RefusalId::new(at, &world.chance),
        at,
        environment: SANDBOX,
        organization,
        code: "claim_invalid".to_owned(),
        status: 400,
        claim: Some("iat".to_owned()),
        message: "too old".to_owned(),
        seen: json!({"iat": 1, "aud": "a\0b"}),
        route: "/{org}/{connector}/auth".to_owned(),
    }
}

async fn refusals_are_read(world: World) {
    let organization = world.organization("acme").await;
    let (one, two) =
        (refusal(&world, NOW, Some(organization.clone())), refusal(&world, NOW.plus_seconds(1), None));
    let quoted = RecordedRefusal { message: "a\0b".to_owned(), ..refusal(&world, NOW.plus_seconds(2), None) };
    for new in [&one, &two, &quoted] {
        refusals::insert(&world.db, new).await.unwrap();
    }
    let of = organization.clone();
    assert_eq!(read!(world, |tx| refusals::list(tx, Some(&of), NOW, 10)), std::slice::from_ref(&one));
    let all = read!(world, |tx| refusals::list(tx, None, NOW, 2));
    assert_eq!(all, [RecordedRefusal { message: "ab".to_owned(), ..quoted }, two], "newest first");
    let id = one.id.clone();
    assert_eq!(read!(world, |tx| refusals::by_id(tx, &id)), Some(one));
    assert!(read!(world, |tx| refusals::list(tx, Some(&organization), NOW.plus_seconds(1), 10)).is_empty());
}

async fn the_audit_log_is_read(world: World) {
    let page = |descending, limit, skip| Page { sort: audit::Sort::Date, descending, limit, skip };
    let organization = world.organization("acme").await;
    let (of, action) = (organization.clone(), "tenant.connected");
    let event =
        Event::new(action, "7", Some(of.clone()), Actor::Gateway, NOW, &world.chance).with(json!({"a": 1}));
    let elsewhere =
        Event::new("gateway.started", "", None, Actor::Operator, NOW.plus_seconds(1), &world.chance);
    for new in [event.clone(), elsewhere] {
        write!(world, |tx| audit::insert(tx, &new));
    }
    let read = read!(world, |tx| audit::list(tx, Some(&of), NOW, page(true, 10, 0)));
    assert_eq!((read.rows.len(), read.total), (1, 1));
    let read = read.rows;
    assert_eq!(
        (read[0].action.as_str(), &read[0].actor, &read[0].detail),
        (action, &Actor::Gateway, &json!({"a": 1}))
    );
    let actions = |page| {
        let world = &world;
        async move {
            let all = read!(world, |tx| audit::list(tx, None, NOW, page));
            assert_eq!(all.total, 2);
            all.rows.into_iter().map(|entry| entry.action).collect::<Vec<_>>()
        }
    };
    assert_eq!(actions(page(true, 10, 0)).await, ["gateway.started", action]);
    assert_eq!(actions(page(false, 10, 0)).await, [action, "gateway.started"]);
    assert_eq!(actions(page(true, 10, 1)).await, [action]);
    assert_eq!(actions(Page { sort: audit::Sort::Action, ..page(true, 1, 0) }).await, [action]);
}

async fn what_is_over_is_swept(world: World) {
    let organization = world.organization("acme").await;
    let integration = world.integration(&organization, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let mut dialog = world.new_dialog(&organization, "bearer", "jti");
    dialog.replay_until = NOW.plus_seconds(REMEMBERED_S);
    world.open(&dialog).await;
    let attempt = world.new_attempt(&dialog, "ticket", "state");
    write!(world, |tx| attempts::insert(tx, &attempt));
    refusals::insert(&world.db, &refusal(&world, NOW, None)).await.unwrap();
    let event = Event::new("a", "", None, Actor::Gateway, NOW, &world.chance);
    write!(world, |tx| audit::insert(tx, &event));
    let webhook = world.new_webhook(&tenant, Some("hubspot"), "a");
    let (new, id) = (webhook.clone(), webhook.id.clone());
    write!(world, |tx| webhooks::insert(tx, &new));
    let of = organization.clone();
    write!(world, |tx| webhooks::end(tx, &of, &id, NOW));
    let delivery = |dedupe: &str| Delivery {
        id: DeliveryId::new(NOW, &world.chance),
        organization: organization.clone(),
        tenant: tenant.id,
        webhook: webhook.id.clone(),
        dedupe: Some(dedupe.to_owned()),
        headers: vec![],
        body: vec![],
        received: NOW,
    };
    let (taken, waiting) = (delivery("taken"), delivery("waiting"));
    for new in [taken.clone(), waiting.clone()] {
        write!(world, |tx| deliveries::insert(tx, &new));
    }
    let (of, id) = (organization.clone(), taken.id.clone());
    write!(world, |tx| deliveries::mark_taken(tx, &of, &id, NOW));

    assert_eq!(retention::sweep(&world.db, NOW).await.unwrap(), retention::Swept::default());
    // The dialog is over, but its token could still be sent again.
    let swept = retention::sweep(&world.db, NOW.plus_seconds(901)).await.unwrap();
    assert_eq!((swept.attempts, swept.dialogs), (0, 0), "what is pending may be confirmed in the grace");
    let swept = retention::sweep(&world.db, NOW.plus_seconds(901 + GRACE_S)).await.unwrap();
    assert_eq!((swept.attempts, swept.dialogs), (1, 0));
    assert!(!world.open(&world.new_dialog(&organization, "replay", "jti")).await);
    let swept = retention::sweep(&world.db, NOW.plus_seconds(REMEMBERED_S + 1)).await.unwrap();
    assert_eq!((swept.attempts, swept.dialogs), (0, 1));
    let swept = retention::sweep(&world.db, NOW.plus_seconds(2 * 365 * 86_400)).await.unwrap();
    assert_eq!((swept.refusals, swept.audit, swept.deliveries), (1, 1, 1));
    assert_eq!(swept.webhooks, 1);
    let of = organization.clone();
    let left = read!(world, |tx| deliveries::content_by_id(tx, &of, &waiting.id));
    assert_eq!(
        left.unwrap().source,
        "hubspot",
        "nothing received is lost, and it says at whose address it came"
    );
}

/// Habit 4: every finder takes the organization, and the one of somebody else finds nothing and changes nothing.
async fn nobody_sees_another_organizations_rows(world: World) {
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let integration = world.integration(&acme, "sync").await;
    let tenant = world.tenant(&integration, "anna").await;
    let dialog = world.new_dialog(&acme, "bearer", "jti");
    world.open(&dialog).await;
    let attempt = world.new_attempt(&dialog, "ticket", "state");
    let webhook = world.new_webhook(&tenant, None, "a");
    let new = NewConnection {
        id: ConnectionId::new(NOW, &world.chance),
        organization: acme,
        tenant: tenant.id,
        connector: slug("hubspot"),
        own: false,
    };
    let (a, w) = (attempt.clone(), webhook.clone());
    world
        .write(move |tx| {
            Box::pin(async move {
                attempts::insert(tx, &a).await?;
                webhooks::insert(tx, &w).await?;
                connections::ensure(tx, &new, NOW).await.map(drop)
            })
        })
        .await;
    world
        .write(move |tx| {
            Box::pin(async move {
                let (id, hubspot) = (tenant.id, slug("hubspot"));
                assert_eq!(integrations::by_id(tx, &other, SANDBOX, integration.id).await?, None);
                assert_eq!(integrations::by_name(tx, &other, SANDBOX, &integration.name).await?, None);
                assert_eq!(users::by_id(tx, &other, tenant.user).await?, None);
                assert_eq!(tenants::by_id(tx, &other, SANDBOX, id).await?, None);
                assert!(!tenants::set_paused(tx, &other, id, true, NOW).await?);
                assert!(!tenants::archive(tx, &other, id, NOW).await?);
                assert_eq!(connections::by_connector(tx, &other, id, &hubspot).await?, None);
                assert!(connections::of_tenant(tx, &other, id).await?.is_empty());
                assert!(connections::of_tenants(tx, &other, &[id]).await?.is_empty());
                assert_eq!(attempts::by_id(tx, &other, &attempt.id).await?, None);
                assert!(!attempts::claim(tx, &other, &attempt.id, NOW).await?);
                assert_eq!(webhooks::current(tx, &other, id, None).await?, None);
                assert!(!webhooks::end(tx, &other, &webhook.id, NOW).await?);
                assert!(triggers::list(tx, &other, id, 10).await?.is_empty());
                Ok(())
            })
        })
        .await;
}
