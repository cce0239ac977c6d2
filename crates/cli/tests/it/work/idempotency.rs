//! `Idempotency-Key`: a request is carried out once and answered the same each time.

use super::scene::Scene;
use futures_util::future::join_all;
use reqwest::Method;
use testkit::on_both;
use testkit::world::{Answer, Person};

async fn syncs(program: &Person, key: &str, once: &[&str], to: &str, body: &str) -> Answer {
    let ask = program.ask(Method::POST, to).json().header("x-api-key", key);
    let ask = once.iter().fold(ask, |ask, once| ask.and_header("idempotency-key", once));
    ask.body("application/json", body.to_owned()).await
}

on_both! {
    async fn the_same_request_is_answered_the_same(engine: Engine) {
        let scene = Scene::new(engine).await;
        let key = scene.acme.api_key(&["runs:write"]).await;
        let program = scene.world.person();
        let to = format!("/v2/tenants/{}/sync?mode=normal", scene.tenant);
        let before = scene.world.count("triggers").await;
        let first = syncs(&program, &key, &["k-1"], &to, "{\"n\": 1}").await;
        assert_eq!((first.status, first.header("idempotency-replayed")), (202, ""));
        let again = syncs(&program, &key, &["k-1"], &to, "{\"n\": 1}").await;
        assert_eq!((again.status, again.header("idempotency-replayed")), (202, "true"));
        assert_eq!((again.json(), again.header("content-type")), (first.json(), first.header("content-type")));
        assert_eq!(scene.world.count("triggers").await, before + 1);
        // What is kept is sealed.
        let sealed = "idempotency_keys WHERE status = 202 AND answer LIKE 'v1.%'";
        assert_eq!(scene.world.count(sealed).await, 1);

        let other = syncs(&program, &key, &["k-1"], &to, "{\"n\": 2}").await;
        assert_eq!(other.status, 422, "{}", other.text());
        let elsewhere = syncs(&program, &key, &["k-1"], "/v2/tenants/999999/sync", "{\"n\": 1}").await;
        assert_eq!(elsewhere.status, 422, "{}", elsewhere.text());
        // Another key of the organization learns nothing of what this one was answered.
        let weak = scene.acme.api_key(&["tenants:read"]).await;
        assert_eq!(syncs(&program, &weak, &["k-1"], &to, "{\"n\": 1}").await.status, 422);
        assert_eq!(syncs(&program, "vst_test_wrong", &["k-1"], &to, "{\"n\": 1}").await.status, 403);

        // A refusal that stays true is kept, too; without the header each request is carried out.
        for replayed in ["", "true"] {
            let missing = syncs(&program, &key, &["k-2"], "/v2/tenants/999999/sync", "").await;
            assert_eq!((missing.status, missing.header("idempotency-replayed")), (404, replayed));
        }
        assert_ne!(syncs(&program, &key, &[], &to, "").await.json(), syncs(&program, &key, &[], &to, "").await.json());

        // After a day the key is free.
        scene.world.pass_seconds(24 * 3600 + 1);
        store::retention::sweep(&scene.world.service().db, scene.world.service().clock.now()).await.unwrap();
        let fresh = syncs(&program, &key, &["k-1"], &to, "{\"n\": 2}").await;
        assert_eq!((fresh.status, fresh.header("idempotency-replayed")), (202, ""));
    }

    async fn of_a_hundred_at_once_one_is_carried_out(engine: Engine) {
        let scene = Scene::new(engine).await;
        let key = scene.acme.api_key(&["runs:write"]).await;
        let program = scene.world.person();
        let to = format!("/v2/tenants/{}/sync?mode=normal", scene.tenant);
        let before = scene.world.count("triggers").await;
        let all = join_all((0..100).map(|_| syncs(&program, &key, &["together"], &to, "{}"))).await;
        assert_eq!(scene.world.count("triggers").await, before + 1);
        let answered: Vec<_> = all.iter().filter(|answer| answer.status == 202).collect();
        assert!(!answered.is_empty());
        assert!(answered.iter().all(|answer| answer.json() == answered[0].json()));
        assert!(all.iter().all(|answer| [202, 409].contains(&answer.status)));
        let later = syncs(&program, &key, &["together"], &to, "{}").await;
        assert_eq!(later.json(), answered[0].json());
    }

    async fn a_key_that_is_none_is_refused(engine: Engine) {
        let scene = Scene::new(engine).await;
        let key = scene.acme.api_key(&["runs:write"]).await;
        let program = scene.world.person();
        let to = format!("/v2/tenants/{}/sync", scene.tenant);
        let before = scene.world.count("triggers").await;
        let long = "k".repeat(256);
        for bad in [vec![""], vec![long.as_str()], vec!["one", "two"]] {
            let answer = syncs(&program, &key, &bad, &to, "").await;
            assert_eq!(answer.status, 422, "{bad:?}");
            assert_eq!(answer.json()["detail"][0]["loc"], serde_json::json!(["header", "Idempotency-Key"]));
        }
        assert_eq!(scene.world.count("triggers").await, before);
        let large = format!("{{\"a\": \"{}\"}}", "x".repeat(300 * 1024));
        assert_eq!(syncs(&program, &key, &["large"], &to, &large).await.status, 413);
    }
}
