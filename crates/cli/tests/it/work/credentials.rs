//! `GET .../credential`: who may fetch a credential, what it is made of, and what it never is.

use super::tide::{CLIENT_SECRET, Day, LIFE_S, Scene};
use serde_json::json;
use testkit::on_both;

on_both! {
    async fn a_program_fetches_the_fresh_credential(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.acme.api_key(&["credentials:read"]).await;
        let program = scene.world.person();
        let answer = program.calls(&key, &scene.path("credential")).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.text());
        let token = scene.tide.access_token();
        assert_eq!(answer.json(), json!({
            "connector": "tide", "kind": "oauth2", "account": null, "access_token": token, "token_type": "Bearer", "scopes": [],
            "expires_at": scene.world.now().plus_seconds(LIFE_S).iso_seconds(), "expires_in": LIFE_S,
            "api_base_url": scene.tide.url("/api"), "headers": {"Authorization": format!("Bearer {token}")}, "query_params": {},
        }));
        for secret in ["refresh-canary", CLIENT_SECRET] {
            assert!(!answer.text().contains(secret), "{secret}");
        }
        let log = format!("audit WHERE action = 'credential.read' AND subject = '{}' AND actor LIKE '%api_key%'", scene.tenant);
        assert_eq!(scene.world.count(&log).await, 1);
        // After its end it is another one.
        scene.world.pass_seconds(LIFE_S);
        let answer = program.calls(&key, &scene.path("credential")).await.json();
        assert_eq!(answer["access_token"], scene.tide.access_token());
        assert_ne!(answer["access_token"], token);
    }

    async fn only_its_own_scope_reads_it(engine: Engine) {
        let scene = Scene::on(engine).await;
        let program = scene.world.person();
        let path = scene.path("credential");
        let others = scene.acme.api_key(&["tenants:read", "tenants:write", "integrations:read", "connectors:call"]).await;
        assert_eq!(program.calls(&others, &path).await.status, 403);
        assert_eq!(program.get(&path).json().await.status, 403);
        let reading = scene.acme.api_key(&["credentials:read"]).await;
        for other in ["/v2/tenants", "/v2/integrations"] {
            assert_eq!(program.calls(&reading, other).await.status, 403);
        }
        let stranger = scene.world.organization("other").await.api_key(&["credentials:read"]).await;
        assert_eq!(program.calls(&stranger, &path).await.status, 404);
        for wrong in ["/v2/tenants/4711/connectors/tide/credential", "/v2/tenants/x/connectors/tide/credential",
                      &path.replace("tide", "slack"), &path.replace("tide", "..%2f")] {
            assert_eq!(program.calls(&reading, wrong).await.status, 404, "{wrong}");
        }
        assert_eq!(scene.world.count("audit WHERE action = 'credential.read'").await, 0);
    }

    async fn what_is_not_connected_or_not_fresh_is_said(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.acme.api_key(&["credentials:read"]).await;
        let program = scene.world.person();
        scene.tide.has(Day::Status(500));
        scene.world.pass_seconds(LIFE_S);
        let answer = program.calls(&key, &scene.path("credential")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("credential_not_fresh")));
        let wait: i64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=5).contains(&wait), "{wait}");
        scene.tide.has(Day::InvalidGrant);
        scene.world.pass_seconds(10);
        let answer = program.calls(&key, &scene.path("credential")).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("not_connected")));
    }

    async fn a_key_of_the_sandbox_reads_nothing_in_production(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.acme.api_key(&["credentials:read", "connectors:call"]).await;
        // The same tenant, as if it stood in the other environment: the key's own environment is what counts.
        scene.world.change("UPDATE tenants SET environment = 'production'").await;
        let program = scene.world.person();
        assert_eq!(program.calls(&key, &scene.path("credential")).await.status, 404);
        let body = json!({"target_url": "/echo"}).to_string();
        let call = program.post(&scene.path("call")).header("x-api-key", &key).body("application/json", body).await;
        assert_eq!(call.status, 404);
        assert!(scene.tide.calls().is_empty());
    }
}
