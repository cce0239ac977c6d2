//! Runs over the REST API, in the published shapes.

use super::scene::{Scene, until};
use serde_json::{Value, json};
use testkit::on_both;
use testkit::world::{Answer, Person};

const PROGRAM: &str = "import sys\nprint('one line', file=sys.stderr)\nprint('{\"n\": 1}')\n";
const SCOPES: [&str; 2] = ["runs:read", "runs:write"];

async fn posts(person: &Person, key: &str, to: &str, body: &str) -> Answer {
    let ask = person.ask(reqwest::Method::POST, to).json().header("x-api-key", key);
    ask.body("application/json", body).await
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

on_both! {
    async fn a_run_from_the_sync_to_the_log(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("", PROGRAM).await;
        let key = scene.acme.api_key(&SCOPES).await;
        let program = scene.world.person();
        let tenant = scene.tenant;
        let answer = posts(&program, &key, &format!("/v2/tenants/{tenant}/sync?mode=normal"), "{\"asked\": \"so\"}").await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(names(&answer.json()), ["trigger_id"]);
        let trigger = answer.json()["trigger_id"].as_str().unwrap().to_owned();
        let status = format!("/v2/runs/triggers/{trigger}/status");
        assert_eq!(program.calls(&key, &status).await.status, 404, "nobody works yet");
        scene.world.node.works();
        let found = until("the run to end", || async {
            let answer = program.calls(&key, &status).await;
            (answer.status == 200 && !answer.json()["completed_date"].is_null()).then(|| answer.json())
        }).await;
        assert_eq!(names(&found), ["status", "trigger_id", "run_id", "tenant_id", "started_date", "completed_date"]);
        assert_eq!((&found["status"], &found["trigger_id"]), (&json!("Succeeded"), &json!(trigger)));
        let run = program.calls(&key, &format!("/v2/runs/{}", found["run_id"])).await.json();
        assert_eq!(names(&run), ["id", "mode", "status", "triggers", "started_date", "completed_date", "tenant_id", "integration_id"]);
        assert_eq!(names(&run["status"]), ["phase", "startTime", "completionTime"]);
        assert_eq!(names(&run["triggers"][0]), ["id", "created_date", "mode", "source", "payload"]);
        assert_eq!((&run["triggers"][0]["source"], &run["triggers"][0]["payload"]), (&json!("API"), &json!({ "asked": "so" })));
        assert_eq!((&run["status"]["phase"], &run["mode"]), (&json!("Succeeded"), &json!("normal")));
        let list = program.calls(&key, &format!("/v2/tenants/{tenant}/runs?sort_by=id__DESC&limit=1")).await;
        assert_eq!((list.header("x-total-count"), list.json()[0]["id"].clone()), ("2", run["id"].clone()));
        assert!(list.header("link").contains("skip=1"), "{}", list.header("link"));

        let log = program.ask(reqwest::Method::GET, &format!("/v2/runs/{}/log", run["id"])).header("x-api-key", &key).await;
        assert_eq!((log.status, log.header("cache-control")), (302, "no-store"));
        let link = log.location().to_owned();
        let text = program.get(&link).await;
        assert_eq!((text.status, text.text().as_str()), (200, "one line\n"), "without a key");
        assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
        for forged in [link.replace("signature=", "signature=0"), link.replace("expires=", "expires=9"), link.replace(&format!("/runs/{}/", run["id"]), "/runs/1/"), link.split('?').next().unwrap().to_owned()] {
            if forged != link {
                assert_eq!(program.get(&forged).await.status, 403, "{forged}");
            }
        }
        scene.world.pass_seconds(901);
        assert_eq!(program.get(&link).await.status, 403, "after 15 minutes");
    }

    async fn what_is_asked_of_runs_is_answered_in_its_shape(engine: Engine) {
        let scene = Scene::new(engine).await;
        scene.python("", PROGRAM).await;
        scene.world.node.works();
        let init = scene.init_ended().await;
        let key = scene.acme.api_key(&SCOPES).await;
        let program = scene.world.person();
        let (tenant, integration) = (scene.tenant, scene.integration);
        let sync = |to: String| { let (program, key) = (program.clone(), key.clone()); async move { posts(&program, &key, &to, "").await } };
        for (to, wanted) in [
            (format!("/v2/tenants/{tenant}/sync"), 202),
            (format!("/v2/tenants/{tenant}/sync?mode=init"), 202),
            (format!("/v2/integrations/{integration}/sync?mode=normal&user_name=anna@example.com"), 202),
            (format!("/v2/integrations/{integration}/sync"), 202),
            (format!("/v2/tenants/{tenant}/sync?mode=webhook"), 422),
            (format!("/v2/tenants/{tenant}/sync?mode=other"), 422),
            ("/v2/tenants/x/sync".to_owned(), 422),
            ("/v2/tenants/999999/sync".to_owned(), 404),
            (format!("/v2/integrations/{integration}/sync?user_name=nobody"), 404),
            ("/v2/integrations/999999/sync".to_owned(), 404),
            ("/v2/runs/999999/cancel".to_owned(), 404),
            ("/v2/runs/999999/rerun".to_owned(), 404),
            (format!("/v2/runs/{}/cancel", init["id"]), 409),
        ] {
            let answer = sync(to.clone()).await;
            assert_eq!(answer.status, wanted, "{to}: {}", answer.text());
        }
        assert_eq!(posts(&program, &key, &format!("/v2/tenants/{tenant}/sync"), "[1]").await.status, 422);
        assert_eq!(posts(&program, &key, &format!("/v2/tenants/{tenant}/sync"), "null").await.status, 202);
        let again = posts(&program, &key, &format!("/v2/runs/{}/rerun", init["id"]), "{\"state\": {\"n\": 5}, \"configs\": {}}").await;
        assert_eq!(again.status, 202, "{}", again.text());
        let trigger = kernel::ids::TriggerId::parse(again.json()["trigger_id"].as_str().unwrap()).unwrap();
        assert_eq!(scene.ended(trigger).await["rerun_of"], init["id"]);
        for path in ["/v2/runs/999999", "/v2/runs/999999/log", "/v2/runs/triggers/999999/status", "/v2/tenants/999999/runs"] {
            assert_eq!(program.calls(&key, path).await.status, 404, "{path}");
        }
        // Another company sees nothing of it, and every route wants its scope.
        let other = scene.world.organization("other").await;
        let theirs = other.api_key(&SCOPES).await;
        let reading = scene.acme.api_key(&["runs:read"]).await;
        let writing = scene.acme.api_key(&["runs:write"]).await;
        for path in [format!("/v2/runs/{}", init["id"]), format!("/v2/runs/{}/log", init["id"]), format!("/v2/tenants/{tenant}/runs")] {
            assert_eq!(program.calls(&theirs, &path).await.status, 404, "{path}");
            assert_eq!(program.calls(&writing, &path).await.status, 403, "{path}");
        }
        for path in [format!("/v2/tenants/{tenant}/sync"), format!("/v2/integrations/{integration}/sync"), format!("/v2/runs/{}/cancel", init["id"]), format!("/v2/runs/{}/rerun", init["id"])] {
            assert_eq!(posts(&program, &theirs, &path, "").await.status, 404, "{path}");
            assert_eq!(posts(&program, &reading, &path, "").await.status, 403, "{path}");
        }
        assert_eq!(scene.world.count("audit WHERE action = 'run.rerun'").await, 1);
    }
}
