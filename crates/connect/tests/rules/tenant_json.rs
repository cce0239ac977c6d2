//! The published shapes, byte for byte.

use crate::sign::{NOW, proven};
use connect::connection::{Connection, Status};
use connect::integration::{Channel, Integration};
use connect::message;
use connect::run::show::Runs;
use connect::tenant::{Source, Tenant};
use connect::tenant_json::{TenantView, integration_v2, tenant_name, user_attributes, v1, v2, variable};
use connect::token::{Claims, Rules};
use kernel::ids::{ConnectionId, IntegrationId, OrganizationId, ReleaseId, TenantId, UserId};
use kernel::{Brand, Environment, SeededChance, Slug, Time, User};
use proptest::prelude::*;
use serde_json::{Value, json};

const NAMESPACE: &str = "staging-gwt";
const ISSUER: &str = "authz.nc.pandium.io";

fn organization() -> OrganizationId {
    OrganizationId::new(NOW, &SeededChance::new(1))
}

fn tenant() -> Tenant {
    Tenant {
        id: TenantId::new(11).unwrap(),
        organization: organization(),
        environment: Environment::Production,
        integration: IntegrationId::new(1).unwrap(),
        user: user().id,
        name: "test-tenant".into(),
        source: Source::Admin,
        paused: false,
        archived: None,
        user_schedule: Some("*/30 * * * *".into()),
        schedule: Some("8-59/30 * * * *".into()),
        time_zone: "UTC".into(),
        channel: Channel::Default,
        release: None,
        configs: json!({}),
        created: Time::from_micros(1_710_182_741_532_727),
        modified: Time::from_micros(1_710_182_741_532_729),
    }
}

/// The user as the token of the example makes it.
fn user() -> User {
    let payload = json!({
        "iat": NOW.seconds(), "jti": "j", "sub": "test-pandium-com",
        "ti": {
            "udn": "Pandium Test", "ufn": "Important Person", "uem": "test@pandium.com", "ili": ["some-int"],
            "aid": "1800", "adn": "Auditable Person",
            "xti": {
                "extraProp": "extra value", "extraList": ["one", "listVal"], "connector_name": "test-connector",
                "integration_name": "test-integration", "token": "some-token"
            }
        }
    });
    let rules = Rules { now: NOW, max_age_s: 300, ahead_s: 60, audience: "https://g.example" };
    let visitor = Claims::read(&proven(&payload.to_string()), &rules).unwrap().visitor;
    User {
        id: UserId::parse("112fd91d-e197-4910-8da3-8c7174934d2f").unwrap(),
        organization: organization(),
        environment: Environment::Production,
        username: visitor.username.clone(),
        email: visitor.email.clone(),
        external_id: None,
        meta: Value::Null,
        attributes: user_attributes(&visitor, "an older namespace", "https://an-older-issuer.example"),
        created: Time::from_micros(1_709_151_776_419_000),
        modified: NOW,
    }
}

fn connection(name: &str, status: Status, micros: i64) -> Connection {
    Connection {
        id: ConnectionId::new(NOW, &SeededChance::new(1)),
        organization: organization(),
        tenant: TenantId::new(11).unwrap(),
        connector: Slug::parse(name).unwrap(),
        own: name == "gwt",
        status,
        credential: None,
        account: None,
        expires: None,
        version: 1,
        last_change: Time::from_micros(micros),
        created: NOW,
    }
}

fn connections() -> Vec<Connection> {
    vec![
        connection("test", Status::Connected, 1_710_511_442_960_000),
        connection("gwt", Status::Connected, 1_710_511_442_059_999),
    ]
}

/// Calls `with` with the view of the example, after `change` had its way with it.
fn viewed(connections: &[Connection], tenant: &Tenant, with: impl Fn(&TenantView<'_>) -> Value) -> Value {
    let (user, brand, name) =
        (user(), Brand::parse("pandium").unwrap(), Slug::parse("test-integration").unwrap());
    with(&TenantView {
        tenant,
        integration: (IntegrationId::new(1).unwrap(), &name),
        release: tenant.release.map(|id| (id, "1.2.0")),
        user: &user,
        connections,
        runs: &Runs::default(),
        namespace: NAMESPACE,
        brand: &brand,
        issuer: ISSUER,
    })
}

#[test]
fn the_published_message_is_rebuilt_byte_for_byte() {
    let published = include_str!("published-message.json");
    // The contract masks the token; everything else, the order of the fields included, is as published.
    let published = published.replace("some-token", "********");
    let published: Value = serde_json::from_str(&published).unwrap();
    let tenant = viewed(&connections(), &tenant(), v1);
    let url = "https://api.pandium.io/v1/webhooks/{tenant specific webhook hash}";
    let brand = Brand::parse("pandium").unwrap();
    let built = message::success(&brand, &["https://app.example.com".into()], url, tenant);
    assert_eq!(
        serde_json::to_string_pretty(&built).unwrap(),
        serde_json::to_string_pretty(&published).unwrap()
    );
}

#[test]
fn one_disconnected_connector_disconnects_the_tenant() {
    let mut list = connections();
    list[0].status = Status::Disconnected;
    let shown = viewed(&list, &tenant(), v1);
    assert_eq!(shown["status"]["auth"]["connected"], false);
    assert_eq!(shown["status"]["auth"]["TEST_AUTH_STATUS"], "Disconnected");
    assert_eq!(shown["status"]["auth"]["GWT_AUTH_STATUS"], "Connected");
    assert_eq!(viewed(&[], &tenant(), v1)["status"]["auth"], json!({ "connected": false }));
    assert_eq!(variable("my-crm_2"), "MY_CRM_2");
}

#[test]
fn the_v2_shape_is_flat() {
    let mut tenant = tenant();
    let release = ReleaseId::new(5).unwrap();
    tenant.channel = Channel::Latest;
    tenant.source = Source::Connect;
    tenant.archived = Some(NOW);
    insta::assert_snapshot!(v2(&tenant, &connections(), &Runs::default(), Some(release), NAMESPACE).to_string(), @r#"{"id":11,"name":"test-tenant","namespace":"staging-gwt","archived":true,"integration_id":1,"integration_release_id":5,"integration_release_channel":"Latest","source":"connect","paused":false,"user_schedule":"*/30 * * * *","schedule":"8-59/30 * * * *","configs":{},"created_date":"2024-03-11T18:45:41.532727","modified_date":"2024-03-11T18:45:41.532729","status":{"tenant_id":11,"last_run":{},"current_run":{},"last_successful_run":{},"dynamic_configs":{},"auth":{"connected":true,"connectors":[{"name":"test","status":"Connected","last_change":"2024-03-15T14:04:02.96Z"},{"name":"gwt","status":"Connected","last_change":"2024-03-15T14:04:02.05Z"}]}},"time_zone":"UTC"}"#);
    // A release of its own, and no channel then.
    tenant.release = Some(release);
    let own = v2(&tenant, &connections(), &Runs::default(), Some(release), NAMESPACE);
    assert_eq!(own["integration_release_channel"], json!(null));
    let shown = viewed(&connections(), &tenant, v1);
    assert_eq!(shown["integration_release"], json!({ "id": 5, "name": "1.2.0" }));
    assert_eq!(shown["integration_release_channel"], json!(null));
}

#[test]
fn a_user_who_said_little_has_every_field_all_the_same() {
    let payload = json!({ "iat": NOW.seconds(), "jti": "j", "sub": "anna" });
    let rules = Rules { now: NOW, max_age_s: 300, ahead_s: 60, audience: "https://g.example" };
    let visitor = Claims::read(&proven(&payload.to_string()), &rules).unwrap().visitor;
    insta::assert_snapshot!(user_attributes(&visitor, "production-acme", "https://g.example").to_string(), @r#"{"display_name":null,"full_name":null,"external_integrations":"","auditable_uid":null,"auditable_display_name":null,"extra_tenant_info":null,"namespace":"production-acme","keycloak_uri":"https://g.example"}"#);
}

#[test]
fn an_integration_has_the_published_fields() {
    let integration = Integration {
        id: IntegrationId::new(3).unwrap(),
        organization: organization(),
        environment: Environment::Production,
        name: Slug::parse("acme2hubspot").unwrap(),
        long_name: "Acme to HubSpot".into(),
        external: true,
        own_connector: Some(Slug::parse("acme").unwrap()),
        connectors: vec![Slug::parse("hubspot").unwrap()],
        schedule: None,
        shift_all: false,
        channel: Channel::Default,
        default_release: None,
        repository: None,
        created: Time::from_seconds(0),
        modified: Time::from_seconds(0),
    };
    let shown = integration_v2(&integration, |name| name.as_str() == "hubspot");
    insta::assert_snapshot!(shown.to_string(), @r#"{"id":3,"name":"acme2hubspot","long_name":"Acme to HubSpot","type":"External","created_date":"1970-01-01T00:00:00.000000","modified_date":"1970-01-01T00:00:00.000000","connectors":[{"name":"acme","isGlobal":false},{"name":"hubspot","isGlobal":true}],"repository_path":null,"repository_tracking_branch":null,"repository_url":null,"categories":[],"tags":[],"flag":null,"default_release_id":null,"default_release_channel":"Default"}"#);
}

#[test]
fn a_tenant_is_named_after_user_and_integration() {
    let name = |user: &str, integration: &str| tenant_name(user, &Slug::parse(integration).unwrap(), None);
    assert_eq!(name("test-pandium-com", "gwt2hs"), "test-pandium-com-gwt2hs");
    assert_eq!(name("Anna.Smith+x@Example.com", "a_b"), "anna-smith-x-example-com-a-b");
    assert_eq!(name("名前", "gwt2hs"), "user-gwt2hs");
    let taken = tenant_name("anna", &Slug::parse("gwt2hs").unwrap(), Some(TenantId::new(42).unwrap()));
    assert_eq!(taken, "anna-gwt2hs-42");
}

proptest! {
    #[test]
    fn every_tenant_name_keeps_the_rule(user in "\\PC{0,300}", integration in "[a-z]([a-z0-9_-]{0,61}[a-z0-9])?", taken in prop::option::of(1i64..(1 << 53))) {
        let id = taken.map(|number| TenantId::new(number).unwrap());
        let name = tenant_name(&user, &Slug::parse(&integration).unwrap(), id);
        let parts: Vec<&str> = name.split('-').collect();
        prop_assert!((1..=63).contains(&name.len()), "{}", name);
        prop_assert!(parts.iter().all(|part| !part.is_empty()), "{}", name);
        prop_assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{}", name);
        prop_assert!(id.is_none_or(|id| name.ends_with(&format!("-{id}"))), "{}", name);
    }
}
