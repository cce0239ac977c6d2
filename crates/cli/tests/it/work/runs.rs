//! Programs of integrations run: real ones in Python and Node, on both databases.

use super::scene::{Scene, phase, until};
use kernel::ids::RunId;
use kernel::{Actor, Slug};
use serde_json::{Value, json};
use service::admin::Holder;
use service::work::endpoints::NewEndpoint;
use service::work::run_control::{Chosen, Controlled};
use std::time::Duration;
use testkit::on_both;

/// An integration as they are written to this environment, without a word of ours.
const EXISTING_MANIFEST: &str = "\
version: 0.1
base: node:18
build: 'true'
run: node index.js
configs:
  schema:
    type: object
    properties:
      limit: {type: integer, default: 25}
      list: {$ref: '#/definitions/lists'}
    definitions:
      lists: {type: string, enum: []}
";
const EXISTING_PROGRAM: &str = r#"
const env = process.env;
console.error("mode " + env.PAN_CTX_RUN_MODE + " for " + env.PAN_CTX_TENANT_NAME + " of " + env.PAN_CTX_INTEGRATION_NAME);
console.error("token " + env.PAN_SEC_NOTION_ACCESS_TOKEN);
console.error("limit " + env.PAN_CFG_LIMIT + " env " + env.PAN_CTX_ENV);
console.error("only ours " + Object.keys(env).filter((name) => !name.startsWith("PAN_")).sort().join(","));
if (env.PAN_CTX_RUN_MODE === "init") {
  console.log(JSON.stringify({ lists: [{ const: "a", title: "List A" }] }));
} else {
  const before = env.PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT ? JSON.parse(env.PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT) : {};
  const same = env.PAN_CTX_LAST_SUCESSFUL_RUN_STDOUT === env.PAN_CTX_LAST_SUCCESSFUL_RUN_STD_OUT;
  console.error("the other spelling is the same: " + same + ", started " + env.PAN_CTX_LAST_RUN_START_TIME);
  console.log("working");
  console.log(JSON.stringify({ cursor: (before.cursor || 0) + 1 }));
}
"#;

/// Counts on from what the last run handed on, and does what a file in the shared folder says.
const COUNTING: &str = r#"
import json, os, pathlib, sys, time
shared = pathlib.Path("{shared}")
state = json.loads(os.environ.get("PAN_CTX_LAST_RUN_STD_OUT") or "{}")
count = state.get("count", 0) + 1
(shared / f"began-{count}").write_text("x\n")
print("count", count, file=sys.stderr, flush=True)
what = (shared / "what").read_text().strip() if (shared / "what").exists() else ""
if what == "wait":
    while not (shared / "go").exists():
        time.sleep(0.02)
if what == "sleep":
    time.sleep(600)
print(json.dumps({"count": count, "days": os.environ.get("PAN_CFG_DAYS")}))
if what == "fail":
    sys.exit(3)
"#;

async fn counted(scene: &Scene) -> Value {
    let run = scene.runs_once().await;
    assert_eq!(phase(&run), "Succeeded", "{run} {}", scene.log(&run).await);
    let log = scene.log(&run).await;
    json!(log.lines().find_map(|line| line.strip_prefix("count ")).unwrap().parse::<i64>().unwrap())
}

/// What arrived at the address of the tenant's connector, signed as it wants.
async fn delivered(scene: &Scene) -> connect::webhook::Delivery {
    let (owner, tenant) = (scene.acme.id.clone(), scene.tenant);
    let read = scene.world.db().read(move |tx| {
        Box::pin(async move {
            let notion = kernel::Slug::parse("notion").unwrap();
            store::webhooks::current(tx, &owner, tenant, Some(&notion)).await
        })
    });
    let webhook: Option<connect::webhook::Webhook> = read.await.unwrap();
    let service = scene.world.service();
    connect::webhook::Delivery {
        id: kernel::ids::DeliveryId::new(service.clock.now(), &*service.chance),
        organization: scene.acme.id.clone(),
        tenant: scene.tenant,
        webhook: webhook.unwrap().id,
        dedupe: None,
        headers: Vec::new(),
        body: Vec::new(),
        received: service.clock.now(),
    }
}

on_both! {
    async fn an_existing_integration_runs_unchanged(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.world.node.works();
        // Nothing runs without a release, and nothing that was asked for is lost.
        let first = scene.sync().await;
        assert_eq!(scene.world.count("triggers WHERE claimed_at IS NULL").await, 2);
        scene.release("1.0", &[("PANDIUM.yaml", EXISTING_MANIFEST), ("index.js", EXISTING_PROGRAM)]).await;
        scene.world.service().ring_work();
        let init = scene.init_ended().await;
        assert_eq!((phase(&init), init["mode"].as_str().unwrap()), ("Succeeded", "init"), "{init} {}", scene.log(&init).await);
        assert_eq!(init["triggers"][0]["source"], "Manual");
        let run = scene.ended(first).await;
        assert_eq!((phase(&run), run["mode"].as_str().unwrap()), ("Succeeded", "normal"), "{}", scene.log(&run).await);
        let log = scene.log(&run).await;
        assert!(log.contains("mode normal for anna-example-com-notion-sync of notion-sync"), "{log}");
        assert!(log.contains("token ***") && log.contains("limit 25 env sandbox"), "{log}");
        assert!(log.contains("the other spelling is the same: true, started 20"), "{log}");
        let ours = log.lines().find(|line| line.starts_with("only ours ")).unwrap();
        assert_eq!(ours, "only ours HOME,LANG,PATH,PWD,TMPDIR", "nothing of the gateway's");
        scene.runs_once().await;
        let tenant = scene.world.service();
        let config = tenant.config_of(&scene.acme.id, scene.acme.environment).await.unwrap().unwrap();
        let shape = service::connect::look_up::Shape::V2;
        let shown = tenant.tenant_of(&config, scene.tenant, shape).await.unwrap().unwrap();
        let status = &shown["status"];
        assert_eq!(status["dynamic_configs"], json!({ "lists": [{ "const": "a", "title": "List A" }] }));
        assert_eq!(status["last_run"]["status"]["phase"], "Succeeded");
        assert_eq!(status["last_run"]["id"], status["last_successful_run"]["id"]);
        assert_eq!(status["current_run"], json!({}));
        let before = scene.runs().await;
        assert_eq!(before.len(), 3);
        // Kept sealed, and nothing is left on the machine.
        let mut rows = scene.world.rows("SELECT state FROM runs ORDER BY id DESC").await;
        let state: String = rows[0].take().unwrap();
        assert!(!state.contains("cursor"), "{state}");
        let scratch = scene.world.service().machine.scratch();
        until("the scratch folder to be empty", || async {
            std::fs::read_dir(&scratch).map_or(Some(()), |mut left| left.next().is_none().then_some(()))
        }).await;
    }

    async fn a_hundred_triggers_while_one_runs_are_one_more_run(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.write("what", "wait");
        scene.python("", COUNTING).await;
        scene.world.node.works();
        scene.line("began-1").await;
        let mut asked = Vec::new();
        for _ in 0..100 {
            asked.push(scene.sync());
        }
        let asked = futures_util::future::join_all(asked).await;
        assert_eq!(scene.world.count("runs").await, 1, "one at a time");
        scene.write("go", "");
        let run = scene.ended(asked[99]).await;
        assert_eq!(scene.runs().await.len(), 2);
        assert_eq!(run["triggers"].as_array().unwrap().len(), 100);
        for trigger in asked {
            assert_eq!(scene.ended(trigger).await["id"], run["id"]);
        }
        assert!(scene.log(&run).await.contains("count 2"), "it was handed what the first one printed");
    }

    async fn its_own_failure_is_told_and_tried_again_only_where_the_release_asks(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("retries: 1\n", COUNTING).await;
        let holder = Holder { organization: scene.acme.id.clone(), environment: scene.acme.environment };
        let listener = NewEndpoint {
            url: "https://hooks.example.com/in".to_owned(),
            description: String::new(),
            events: Some(vec!["run.failed".to_owned()]),
            ordered: false,
        };
        scene.world.service().create_endpoint(&Actor::Operator, &holder, listener).await.unwrap();
        scene.world.node.works();
        scene.init_ended().await;
        scene.write("what", "fail");
        let trigger = scene.sync().await;
        scene.newest_in("Pending").await;
        let open = scene.runs().await.remove(0);
        assert_eq!(scene.in_full(open["id"].as_i64().unwrap()).await["reason"], "its exit code was 3");
        scene.world.pass_seconds(700);
        let run = scene.ended(trigger).await;
        assert_eq!((phase(&run), &run["exit_code"], &run["attempts"]), ("Failed (Integration Issue)", &json!(3), &json!(2)));
        let log = scene.log(&run).await;
        assert!(log.contains("[vestibule] attempt 2") && log.contains("[vestibule] its exit code was 3"), "{log}");
        let mut told = scene.world.rows("SELECT body FROM events WHERE event = 'run.failed'").await;
        assert_eq!(told.len(), 1, "told once, when it was over");
        let body: String = told[0].take().unwrap();
        assert!(body.contains("Failed (Integration Issue)") && body.contains("its exit code was 3"), "{body}");
        // What it printed is what the next run gets, also where it failed.
        std::fs::remove_file(scene.shared.path().join("what")).unwrap();
        assert_eq!(counted(&scene).await, 3);
    }

    async fn a_timed_out_run_keeps_the_state_of_the_last_successful_one(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("timeout_seconds: 2\n", COUNTING).await;
        scene.world.node.works();
        scene.init_ended().await;
        assert_eq!(counted(&scene).await, 2);
        scene.write("what", "sleep");
        let run = scene.runs_once().await;
        assert_eq!(phase(&run), "Failed (Timeout)", "{run}");
        std::fs::remove_file(scene.shared.path().join("what")).unwrap();
        assert_eq!(counted(&scene).await, 3, "the second one's state");
    }

    async fn a_run_is_cancelled_from_any_node(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("", COUNTING).await;
        scene.world.node.works();
        scene.init_ended().await;
        scene.write("what", "sleep");
        let trigger = scene.sync().await;
        scene.line("began-2").await;
        let id = RunId::new(scene.newest_in("Running").await).unwrap();
        let node = scene.world.another_node().await;
        assert_eq!(node.service().cancel_run(&scene.desk(), id).await.unwrap(), Controlled::Ending);
        let run = scene.ended(trigger).await;
        assert_eq!(phase(&run), "Cancelled");
        assert!(matches!(node.service().cancel_run(&scene.desk(), id).await.unwrap(), Controlled::Over(_)));
        std::fs::remove_file(scene.shared.path().join("what")).unwrap();
        assert_eq!(counted(&scene).await, 2, "it never came to its last word");
    }

    async fn without_its_credential_a_run_does_not_begin(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("connectors: [notion]\n", COUNTING).await;
        scene.world.node.works();
        scene.init_ended().await;
        scene.world.change("UPDATE connections SET status = 'Disconnected', credential = NULL WHERE connector = 'notion'").await;
        let run = scene.runs_once().await;
        assert_eq!(phase(&run), "Failed (Refresh)");
        assert!(!scene.there("began-2"));
    }

    async fn a_run_is_done_once_more_with_other_configs_and_state(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("configs:\n  schema:\n    type: object\n    properties:\n      days: {type: integer, default: 7}\n", COUNTING).await;
        scene.world.node.works();
        scene.init_ended().await;
        assert_eq!(counted(&scene).await, 2);
        let before = scene.runs().await.remove(0);
        let id = RunId::new(before["id"].as_i64().unwrap()).unwrap();
        let chosen = Chosen { configs: Some(json!({ "days": 30 })), state: Some("{\"count\": 40}".to_owned()) };
        let Controlled::Again(trigger) = scene.world.service().rerun(&scene.desk(), id, chosen).await.unwrap() else {
            panic!("it can be done once more")
        };
        let run = scene.ended(trigger).await;
        assert_eq!((phase(&run), &run["rerun_of"]), ("Succeeded", &before["id"]));
        assert!(scene.log(&run).await.contains("count 41"));
        assert_eq!(counted(&scene).await, 42, "what it handed on counts from then on");
        let other = scene.world.organization("other").await;
        let desk = service::work::run_control::Desk { organization: other.id, ..scene.desk() };
        assert_eq!(scene.world.service().rerun(&desk, id, Chosen::default()).await.unwrap(), Controlled::NoRun);
    }

    async fn a_delivery_is_a_file_of_its_run(engine: Engine) {
        let scene = Scene::new(engine).await;
        let program = r#"
import json, os, sys
for trigger in json.loads(os.environ["PAN_CTX_RUN_TRIGGERS"]):
    if trigger["source"] == "webhook":
        body = open(trigger["payload"]["file"], "rb").read()
        print("got", body, trigger["payload"]["headers"]["x-event"], os.environ["PAN_CTX_RUN_MODE"], trigger["payload"]["source"], file=sys.stderr)
"#;
        scene.python("", program).await;
        scene.world.node.works();
        scene.init_ended().await;
        let url = scene.world.service().webhook_url(&scene.acme.id, scene.tenant, None).await.unwrap().unwrap();
        let sender = scene.world.person();
        let ask = sender.ask(reqwest::Method::POST, &url).json().body("application/json", &b"\x00\xff raw"[..]);
        assert_eq!(ask.header("x-event", "created").await.status, 202);
        let id = until("a webhook run", || async {
            let run = scene.runs().await.into_iter().find(|run| run["mode"] == "webhook")?;
            (!run["status"]["completionTime"].is_null()).then(|| run["id"].as_i64().unwrap())
        }).await;
        let run = scene.in_full(id).await;
        let log = scene.log(&run).await;
        assert!(log.contains(r"got b'\x00\xff raw' created webhook custom"), "{log}");
        assert_eq!(scene.world.count("deliveries WHERE taken_at IS NOT NULL").await, 1);
    }

    async fn what_a_connectors_address_takes_says_so(engine: Engine) {
        let scene = Scene::new(engine).await;
        let program = r#"
import json, os, sys
for trigger in json.loads(os.environ["PAN_CTX_RUN_TRIGGERS"]):
    print("from", trigger["source"], trigger["payload"].get("source"), file=sys.stderr)
"#;
        scene.python("", program).await;
        // Also one that is too large to be read before its run begins.
        let small = connect::webhook::Delivery { body: b"{}".to_vec(), ..delivered(&scene).await };
        let large = connect::webhook::Delivery { body: vec![b'x'; 20_000], ..delivered(&scene).await };
        for delivery in [small, large] {
            let kept = scene.world.db().write(move |tx| Box::pin(async move { store::deliveries::insert(tx, &delivery).await }));
            assert!(kept.await.unwrap());
        }
        scene.world.node.works();
        scene.world.service().ring_work();
        let said = until("both deliveries to be taken", || async {
            let mut said = String::new();
            for run in scene.runs().await.iter().filter(|run| run["mode"] == "webhook") {
                said.push_str(&scene.log(run).await);
            }
            (said.matches("from webhook").count() == 2).then_some(said)
        }).await;
        assert_eq!(said.matches("from webhook notion").count(), 2, "{said}");
    }

    async fn a_run_has_its_limits_and_long_payloads_as_files(engine: Engine) {
        let scene = Scene::new(engine).await;
        let program = r#"
import json, os, resource, sys
name = "PAN_CTX_RUN_TRIGGERS"
laid_aside = name not in os.environ
triggers = json.load(open(os.environ[name + "_FILE"])) if laid_aside else json.loads(os.environ[name])
text = triggers[0]["payload"].get("text", "")
print(len(triggers), laid_aside, len(text), resource.getrlimit(resource.RLIMIT_NOFILE), file=sys.stderr)
"#;
        scene.python("", program).await;
        scene.world.node.works();
        scene.init_ended().await;
        let payload = Some(json!({ "text": "x".repeat(100 * 1024) }));
        let trigger = scene.asks(connect::run::Mode::Normal, payload).await;
        let run = scene.ended(trigger).await;
        let log = scene.log(&run).await;
        assert!(log.contains("1 True 102400 (1024, 1024)"), "{log}");
        let run = scene.runs_once().await;
        assert!(scene.log(&run).await.contains("1 False 0 (1024, 1024)"));
    }

    async fn five_hundred_triggers_are_few_runs(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("", "print(1)\n").await;
        let mut last = scene.sync().await;
        for _ in 1..501 {
            last = scene.sync().await;
        }
        scene.world.node.works();
        scene.world.service().ring_work();
        let run = scene.ended(last).await;
        assert_eq!(phase(&run), "Succeeded");
        let bundles = scene.runs().await;
        let bundles: Vec<i64> = bundles.iter().rev().map(|run| run["id"].as_i64().unwrap()).collect();
        let mut sizes = Vec::new();
        for id in bundles {
            sizes.push(scene.world.count(&format!("triggers WHERE run_id = {id}")).await);
        }
        // The init run is alone; how many of the others fit is told by the text that they take, too.
        let (first, others) = sizes.split_first().unwrap();
        assert_eq!((*first, others.iter().sum::<i64>()), (1, 501), "{sizes:?}");
        assert!(others.len() <= 3 && others.iter().all(|size| (1..=500).contains(size)), "{sizes:?}");
    }

    async fn what_a_run_prints_is_metadata_that_fits_its_schema(engine: Engine) {
        let scene = Scene::new(engine).await;
        let manifest = "metadata_schema:\n  schema:\n    type: object\n    properties:\n      n: {type: integer}\n      kept: {type: string}\n    additionalProperties: false\n";
        let program = r#"
import json, os, pathlib
metadata = json.load(open(os.environ["PAN_CTX_TENANT_METADATA_FILE"]))
said = pathlib.Path("{shared}/say").read_text()
print(said.replace("BEFORE", str(metadata.get("n", 0))))
"#;
        scene.write("say", "{\"n\": 1, \"kept\": \"x\"}");
        scene.python(manifest, program).await;
        scene.world.node.works();
        assert_eq!(phase(&scene.init_ended().await), "Succeeded");
        scene.write("say", "{\"n\": BEFORE7}");
        assert_eq!(phase(&scene.runs_once().await), "Succeeded");
        let mut rows = scene.world.rows("SELECT data FROM tenant_metadata").await;
        let data: Value = serde_json::from_str(&rows[0].take::<String>().unwrap()).unwrap();
        assert_eq!(data, json!({ "n": 17, "kept": "x" }), "merged member by member");
        scene.write("say", "{\"n\": \"seven\"}");
        let run = scene.runs_once().await;
        assert_eq!(phase(&run), "Failed (Metadata Validation)");
        let mut rows = scene.world.rows("SELECT data FROM tenant_metadata").await;
        assert!(rows[0].take::<String>().unwrap().contains("17"), "nothing of it was kept");
        // And a run may say that a credential was refused.
        scene.write("say", "{\"Pandium\": {\"Auth\": {\"NOTION_AUTH_STATUS\": \"Disconnected\"}}}");
        assert_eq!(phase(&scene.runs_once().await), "Succeeded");
        assert_eq!(scene.world.count("connections WHERE status = 'Disconnected' AND connector = 'notion'").await, 1);
        assert_eq!(scene.world.count("audit WHERE action = 'tenant.disconnected'").await, 1);
    }

    async fn a_run_whose_node_is_gone_is_begun_again_by_the_next(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.write("what", "wait");
        scene.python("", COUNTING).await;
        let lost = scene.world.another_node().await;
        lost.works();
        lost.service().ring_work();
        scene.line("began-1").await;
        let waiting = scene.sync().await;
        // Its task is cut off in the middle, as a node's that is killed.
        drop(lost);
        std::fs::remove_file(scene.shared.path().join("began-1")).unwrap();
        scene.world.node.works();
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(!scene.there("began-1"), "not as long as the lease and its grace hold");
        scene.world.pass_seconds(80);
        scene.line("began-1").await;
        scene.write("go", "");
        let init = scene.init_ended().await;
        assert_eq!((phase(&init), &init["attempts"]), ("Succeeded", &json!(2)), "{init}");
        assert_eq!(init["triggers"].as_array().unwrap().len(), 1, "with its triggers");
        assert_eq!(phase(&scene.ended(waiting).await), "Succeeded");
    }

    async fn a_paused_tenant_runs_for_those_who_ask_alone(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("", COUNTING).await;
        scene.world.node.works();
        scene.init_ended().await;
        scene.world.change("UPDATE tenants SET paused = TRUE").await;
        let (owner, tenant, now) = (scene.acme.id.clone(), scene.tenant, scene.world.now());
        let write = scene.world.db().write(move |tx| Box::pin(async move {
            let cause = service::work::trigger::Cause {
                organization: &owner, tenant, source: connect::run::Source::Cron, mode: connect::run::Mode::Normal,
                delivery: None, payload: None,
            };
            service::work::trigger::trigger(tx, &cause, now, &kernel::SystemChance).await
        }));
        let scheduled: Result<_, store::DbError> = write.await;
        let scheduled = scheduled.unwrap();
        assert_eq!(counted(&scene).await, 2);
        assert_eq!(scene.world.service().trigger_status(&scene.holder(), scheduled).await.unwrap(), None);
        scene.world.change("UPDATE tenants SET paused = FALSE").await;
        assert_eq!(counted(&scene).await, 4, "the schedule's was first, by itself");
        assert_eq!(scene.ended(scheduled).await["triggers"].as_array().unwrap().len(), 1);
    }

    async fn a_connector_with_a_hyphen_is_spelled_both_ways(engine: Engine) {
        let scene = Scene::new(engine).await;
        let definition = "id = \"my-crm\"\nname = \"My CRM\"\n[auth]\nkind = \"api_key\"\n[[inputs]]\nkey = \"key\"\nlabel = \"Key\"\nsecret = true\n[api]\nbase_url = \"{own}\"\n";
        scene.acme.add_connector(definition).await;
        let program = "import os, sys\nprint(sorted(n for n in os.environ if 'CRM' in n), os.environ.get('PAN_SEC_MY-CRM_KEY'), file=sys.stderr)\n";
        scene.python("connectors: [my-crm]\n", program).await;
        // The tenant has it as if it had been connected.
        let credential: connect::credential::Credential = serde_json::from_value(json!({ "inputs": { "key": "crm-key-1" } })).unwrap();
        let service = scene.world.service();
        let key = service.vault.current_key(&service.db, &scene.acme.id).await.unwrap();
        let new = store::connections::NewConnection {
            id: kernel::ids::ConnectionId::new(scene.world.now(), &kernel::SystemChance),
            organization: scene.acme.id.clone(),
            tenant: scene.tenant,
            connector: Slug::parse("my-crm").unwrap(),
            own: false,
        };
        let now = scene.world.now();
        let write = service.db.write(move |tx| Box::pin(async move {
            store::connections::upsert_connected(tx, &new, now, |id| Ok::<_, store::DbError>(store::connections::Connected {
                credential: key.seal(&format!("connection:{id}"), credential.to_json().as_bytes(), &kernel::SystemChance),
                account: None,
                expires: None,
            })).await
        }));
        write.await.unwrap();
        scene.world.node.works();
        let init = scene.init_ended().await;
        let log = scene.log(&init).await;
        assert!(log.contains("'PAN_SEC_MY-CRM_KEY', 'PAN_SEC_MY_CRM_KEY'") && log.contains("***"), "{log}");
    }
}
