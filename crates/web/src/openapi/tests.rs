use super::*;
use connect::connection::{Connection, Status};
use connect::integration::{Channel, Integration};
use connect::run::show::Runs;
use connect::tenant::{Source, Tenant};
use connect::tenant_json::{TenantView, integration_v2, user_attributes, v1, v2};
use kernel::ids::{ConnectionId, IntegrationId, OrganizationId, TenantId, UserId};
use kernel::{Brand, Environment, SeededChance, Slug, Time, User};

fn shown() -> Value {
    document(&crate::routes(), "/")
}

#[test]
fn every_route_of_the_api_stands_in_it() {
    let document = shown();
    let mut count = 0;
    for route in crate::routes().iter().filter(|route| is_api(route)) {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.path][method];
        let responses = operation["responses"].as_object().unwrap();
        let good = responses.keys().any(|status| status.starts_with(['2', '3']));
        assert!(good, "{} {} has no answer: add it to `responses`", route.method, route.path);
        let secured = !operation["security"].as_array().unwrap().is_empty();
        assert_eq!(secured, matches!(route.proof, Proof::ApiKey(_)), "{}", route.path);
        count += 1;
    }
    let written = document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len());
    assert_eq!(written.sum::<usize>(), count);
    assert!(count > 5);
}

#[test]
fn every_reference_leads_somewhere_and_ids_are_unique() {
    let document = shown();
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let ids = text.split("\"operationId\":\"").skip(1).map(|part| part.split('"').next().unwrap());
    let mut ids: Vec<_> = ids.collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

/// Whether a value is what its schema says: the words of JSON Schema that the document uses, no others.
fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(pointer) => document.pointer(&pointer[1..]).unwrap(),
        None => schema,
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = match &schema["type"] {
        Value::String(wanted) => wanted == kind,
        Value::Array(wanted) => wanted.iter().any(|wanted| wanted == kind),
        other => panic!("{at}: type {other}"),
    };
    assert!(fits, "{at}: {value} is not {}", schema["type"]);
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value}");
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(object.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
        }
        for (name, inner) in object {
            let own = schema["properties"].get(name);
            let pattern = schema["patternProperties"].as_object().into_iter().flatten();
            let mut pattern = pattern.filter(|(end, _)| name.ends_with(end.trim_end_matches('$')));
            let found = own.or_else(|| pattern.next().map(|(_, inner)| inner));
            let found = found.or_else(|| schema.get("additionalProperties"));
            // An object without properties is one whose content is not ours.
            if let Some(found) = found {
                check(document, found, inner, &format!("{at}.{name}"));
            } else {
                assert!(schema.get("properties").is_none(), "{at}.{name} is not in the document");
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(document, &schema["items"], item, &format!("{at}[{index}]"));
    }
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

struct Sample {
    tenant: Tenant,
    user: User,
    connection: Connection,
    integration: Integration,
}

fn sample() -> Sample {
    let (now, chance) = (Time::from_seconds(1_700_000_000), SeededChance::new(1));
    let organization = OrganizationId::new(now, &chance);
    let environment = Environment::Sandbox;
    let visitor = serde_json::from_value(json!({
        "username": "anna", "email": "anna@example.com", "display_name": "Anna", "full_name": null,
        "external_id": null, "meta": null, "external_integrations": ["1", "2"], "acting_id": null,
        "acting_name": null, "extra": { "token": "***" }
    }));
    let attributes = user_attributes(&visitor.unwrap(), "sandbox-acme", "https://connect.example.com");
    let user = User {
        id: UserId::new(&chance),
        organization: organization.clone(),
        environment,
        username: "anna".into(),
        email: Some("anna@example.com".into()),
        external_id: None,
        meta: Value::Null,
        attributes,
        created: now,
        modified: now,
    };
    let integration = Integration {
        id: IntegrationId::new(7).unwrap(),
        organization: organization.clone(),
        environment,
        name: slug("orders"),
        long_name: "Orders".into(),
        external: false,
        own_connector: Some(slug("acme")),
        connectors: vec![slug("hubspot")],
        schedule: None,
        shift_all: false,
        channel: Channel::Default,
        default_release: None,
        repository: None,
        created: now,
        modified: now,
    };
    let tenant = Tenant {
        id: TenantId::new(12).unwrap(),
        organization: organization.clone(),
        environment,
        integration: integration.id,
        user: user.id,
        name: "anna-orders".into(),
        source: Source::Connect,
        paused: false,
        archived: None,
        user_schedule: Some("*/30 * * * *".into()),
        schedule: Some("8-59/30 * * * *".into()),
        time_zone: "UTC".into(),
        channel: Channel::Default,
        release: None,
        configs: json!({}),
        created: now,
        modified: now,
    };
    let connection = Connection {
        id: ConnectionId::new(now, &chance),
        organization,
        tenant: tenant.id,
        connector: slug("hubspot"),
        own: false,
        status: Status::Connected,
        credential: None,
        account: None,
        expires: None,
        version: 1,
        last_change: now,
        created: now,
    };
    Sample { tenant, user, connection, integration }
}

#[test]
fn what_is_sent_is_what_the_document_says() {
    let Sample { tenant, user, connection, integration } = sample();
    let view = TenantView {
        tenant: &tenant,
        integration: (integration.id, &integration.name),
        release: None,
        user: &user,
        connections: std::slice::from_ref(&connection),
        runs: &Runs::default(),
        namespace: "sandbox-acme",
        brand: &Brand::default(),
        issuer: "https://connect.example.com",
    };
    let document = shown();
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    check(&document, &schema("TenantV1"), &v1(&view), "v1");
    check(
        &document,
        &schema("TenantV2"),
        &v2(&tenant, std::slice::from_ref(&connection), &Runs::default(), None, "sandbox-acme"),
        "v2",
    );
    check(&document, &schema("Integration"), &integration_v2(&integration, |_| true), "integration");
}

#[test]
#[should_panic(expected = "v2.surprise is not in the document")]
fn a_field_that_the_document_lacks_is_told() {
    let Sample { tenant, .. } = sample();
    let mut value = v2(&tenant, &[], &Runs::default(), None, "sandbox-acme");
    value["surprise"] = json!(1);
    let document = shown();
    check(&document, &document["components"]["schemas"]["TenantV2"], &value, "v2");
}
