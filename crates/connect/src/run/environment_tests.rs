use super::*;
use proptest::prelude::*;

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object") };
    map
}

fn told<'a>(configs: &'a Map<String, Value>, secrets: &'a [Secrets], metadata: &'a Value) -> Told<'a> {
    Told {
        integration: (IntegrationId::new(7).unwrap(), "orders"),
        tenant: (TenantId::new(12).unwrap(), "anna-orders"),
        mode: Mode::Normal,
        environment: Environment::Sandbox,
        configs,
        secrets,
        triggers: &[],
        metadata,
        last: None,
        last_successful: None,
        files: "/scratch",
    }
}

fn value<'a>(made: &'a Surroundings, name: &str) -> Option<&'a str> {
    made.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn the_published_form_of_a_time() {
    assert_eq!(shown_time(Time::from_seconds(1_627_157_061)), "2021-07-24 20:04:21 +0000 UTC");
}

#[test]
fn every_name_of_the_contract() {
    let configs = map(json!({
        "sync_products": true, "days": 30, "note": "a \"b\"", "Site-Name": "x", "list": ["a", 1], "none": null
    }));
    let secrets = [Secrets {
        connector: "my-crm".to_owned(),
        fields: vec![("ACCESS_TOKEN".to_owned(), "at-1".to_owned())],
    }];
    let metadata = json!({ "cursor": 4 });
    let started = Time::from_seconds(1_627_157_061);
    let past = |state: &str| Past {
        phase: "Succeeded",
        started: Some(started),
        completed: Some(started.plus_seconds(1)),
        state: Some(state.to_owned()),
    };
    let (last, good) = (past("{\"n\":2}"), past("{\"n\":1}"));
    let triggers = [
        ToldTrigger {
            id: TriggerId::new(3).unwrap(),
            source: Source::Webhook,
            mode: Mode::Webhook,
            payload: Payload::Delivery {
                source: "custom".to_owned(),
                file: "/scratch/trigger-3".to_owned(),
                headers: vec![("x-event".to_owned(), "a".to_owned()), ("x-event".to_owned(), "b".to_owned())],
            },
        },
        ToldTrigger {
            id: TriggerId::new(4).unwrap(),
            source: Source::Api,
            mode: Mode::Normal,
            payload: Payload::Nothing,
        },
    ];
    let told = Told {
        triggers: &triggers,
        last: Some(&last),
        last_successful: Some(&good),
        ..told(&configs, &secrets, &metadata)
    };
    let made = told.surroundings();
    let shown: Vec<String> = made.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    PAN_CTX_INTEGRATION_ID=7
    PAN_CTX_INTEGRATION_NAME=orders
    PAN_CTX_TENANT_ID=12
    PAN_CTX_TENANT_NAME=anna-orders
    PAN_CTX_RUN_MODE=normal
    PAN_CTX_ENV=sandbox
    PAN_CTX_RUN_TRIGGERS=[{"id":3,"source":"webhook","mode":"webhook","payload":{"file":"/scratch/trigger-3","headers":{"x-event":"a, b"},"source":"custom"}},{"id":4,"source":"api","mode":"normal","payload":{}}]
    PAN_CTX_TENANT_METADATA_FILE=/scratch/tenant-metadata.json
    PAN_CTX_LAST_RUN_PHASE=Succeeded
    PAN_CTX_LAST_RUN_START_TIME=2021-07-24 20:04:21 +0000 UTC
    PAN_CTX_LAST_RUN_COMPLETION_TIME=2021-07-24 20:04:22 +0000 UTC
    PAN_CTX_LAST_RUN_STD_OUT_FILE=/scratch/last-run.state
    PAN_CTX_LAST_RUN_STD_OUT={"n":2}
    PAN_CTX_LAST_RUN_STDOUT_FILE=/scratch/last-run.state
    PAN_CTX_LAST_RUN_STDOUT={"n":2}
    PAN_CTX_LAST_SUCCESSFUL_RUN_PHASE=Succeeded
    PAN_CTX_LAST_SUCCESSFUL_RUN_START_TIME=2021-07-24 20:04:21 +0000 UTC
    PAN_CTX_LAST_SUCCESSFUL_RUN_COMPLETION_TIME=2021-07-24 20:04:22 +0000 UTC
    PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT_FILE=/scratch/last-successful-run.state
    PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT={"n":1}
    PAN_CTX_LAST_SUCCESSFUL_RUN_STDOUT_FILE=/scratch/last-successful-run.state
    PAN_CTX_LAST_SUCCESSFUL_RUN_STDOUT={"n":1}
    PAN_CTX_LAST_SUCESSFUL_RUN_PHASE=Succeeded
    PAN_CTX_LAST_SUCESSFUL_RUN_START_TIME=2021-07-24 20:04:21 +0000 UTC
    PAN_CTX_LAST_SUCESSFUL_RUN_COMPLETION_TIME=2021-07-24 20:04:22 +0000 UTC
    PAN_CTX_LAST_SUCESSFUL_RUN_STD_OUT_FILE=/scratch/last-sucessful-run.state
    PAN_CTX_LAST_SUCESSFUL_RUN_STD_OUT={"n":1}
    PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT_FILE=/scratch/last-sucessful-run.state
    PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT={"n":1}
    PAN_CFG_SYNC_PRODUCTS=true
    PAN_CFG_DAYS=30
    PAN_CFG_NOTE=a "b"
    PAN_CFG_SITE_NAME=x
    PAN_CFG_LIST=["a",1]
    PAN_SEC_MY_CRM_ACCESS_TOKEN=at-1
    PAN_SEC_MY-CRM_ACCESS_TOKEN=at-1
    "#);
    let file = made.files.iter().find(|(name, _)| name == "tenant-metadata.json").unwrap();
    assert_eq!(file.1, "{\"cursor\":4}");
    assert!(!format!("{made:?}{secrets:?}").contains("at-1"), "secrets hide themselves");
}

#[test]
fn a_state_that_is_too_long_lies_in_its_file_alone() {
    let (configs, metadata) = (Map::new(), json!({}));
    let long = "x".repeat(LONGEST + 1);
    let past = Past { phase: "Succeeded", started: None, completed: None, state: Some(long.clone()) };
    let told = Told { last: Some(&past), ..told(&configs, &[], &metadata) };
    let made = told.surroundings();
    assert_eq!(value(&made, "PAN_CTX_LAST_RUN_STD_OUT"), None);
    assert_eq!(value(&made, "PAN_CTX_LAST_RUN_STD_OUT_FILE"), Some("/scratch/last-run.state"));
    assert!(made.files.contains(&("last-run.state".to_owned(), long)));
}

#[test]
fn of_two_names_that_become_one_the_first_counts() {
    let (configs, metadata) = (map(json!({ "a-b": 1, "a_b": 2 })), json!({}));
    assert_eq!(value(&told(&configs, &[], &metadata).surroundings(), "PAN_CFG_A_B"), Some("1"));
}

proptest! {
    /// Whatever is configured, the kernel takes it, and nothing is lost: each value is a variable or a file.
    #[test]
    fn the_kernel_takes_it(lengths in proptest::collection::vec(0usize..200_000, 0..30)) {
        let configs: Map<String, Value> = lengths.iter().enumerate()
            .map(|(at, length)| (format!("c{at}"), Value::String("v".repeat(*length)))).collect();
        let metadata = json!({});
        let made = told(&configs, &[], &metadata).surroundings();
        let all: usize = made.variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        prop_assert!(all <= ALL);
        prop_assert!(made.variables.iter().all(|(_, value)| value.len() <= LONGEST));
        for (at, length) in lengths.iter().enumerate() {
            let name = format!("PAN_CFG_C{at}");
            let found = match value(&made, &name) {
                Some(value) => value.len(),
                None => {
                    let path = value(&made, &format!("{name}_FILE")).unwrap();
                    made.files.iter().find(|(file, _)| path.ends_with(file.as_str())).unwrap().1.len()
                }
            };
            prop_assert_eq!(found, *length);
        }
    }
}

#[test]
fn a_payload_of_an_api_trigger_that_is_too_long_lies_in_a_file() {
    let long = json!({ "text": "x".repeat(LONGEST) });
    let triggers = [ToldTrigger {
        id: TriggerId::new(4).unwrap(),
        source: Source::Api,
        mode: Mode::Normal,
        payload: Payload::Given(long.clone()),
    }];
    let (configs, metadata) = (Map::new(), json!({}));
    let made = Told { triggers: &triggers, ..told(&configs, &[], &metadata) }.surroundings();
    let variable =
        |name: &str| made.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    assert_eq!(variable("PAN_CTX_RUN_TRIGGERS"), None, "half of it is worse than none");
    let path = variable("PAN_CTX_RUN_TRIGGERS_FILE").unwrap();
    let file = path.rsplit('/').next().unwrap();
    let (_, content) = made.files.iter().find(|(name, _)| name == file).unwrap();
    let told: Value = serde_json::from_str(content).unwrap();
    assert_eq!((&told[0]["payload"], &told[0]["source"]), (&long, &json!("api")));
}
