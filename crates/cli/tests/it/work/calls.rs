//! Calls through the gateway: what is sent, where it may go, what comes back, and what is told of bad days.

use super::tide::{CLIENT_SECRET, Day, LIFE_S, Scene, Tide};
use serde_json::{Value, json};
use testkit::on_both;
use testkit::world::Answer;

impl Scene {
    async fn key(&self) -> String {
        self.acme.api_key(&["connectors:call"]).await
    }

    async fn asks(&self, key: &str, what: &str, body: &Value) -> Answer {
        let ask = self.world.person().post(&self.path(what)).json().header("x-api-key", key);
        ask.body("application/json", body.to_string()).await
    }
}

on_both! {
    async fn a_call_carries_the_credential_and_not_the_callers_key(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        let answer = scene.asks(&key, "call", &json!({
            "method": "POST", "target_url": "/echo?a=1", "query_params": {"b": "x y", "c": [1, 2]},
            "headers": {"Authorization": "Bearer evil", "Cookie": "a=b", "X-API-KEY": key, "Connection": "close", "X-Mine": "yes"},
            "body": {"k": [1, null, "v"]},
        })).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json(), json!({"data": {"method": "POST", "uri": "/api/echo?a=1&b=x+y&c=1&c=2"}}));
        assert_eq!(answer.header("cache-control"), "no-store");
        let seen = scene.tide.last_call();
        assert_eq!(seen.headers["authorization"], format!("Bearer {}", scene.tide.access_token()));
        assert_eq!((seen.headers["x-mine"].as_str(), seen.body.as_str()), ("yes", r#"{"k":[1,null,"v"]}"#));
        for gone in ["cookie", "x-api-key", "x-forwarded-for", "origin"] {
            assert!(!seen.headers.contains_key(gone), "{gone}");
        }
        assert!(!format!("{seen:?}").contains(&key));
        // `data` says the same; forms are forms; text is text.
        for (headers, data, expected) in [
            (json!({}), json!({"a": 1}), r#"{"a":1}"#),
            (json!({"Content-Type": "application/x-www-form-urlencoded"}), json!({"a": "x y", "b": 2}), "a=x+y&b=2"),
            (json!({"content-type": "text/csv"}), json!("a,b\n"), "a,b\n"),
        ] {
            let body = json!({"method": "PUT", "target_url": "/echo", "headers": headers, "data": data});
            assert_eq!(scene.asks(&key, "call", &body).await.status, 200);
            assert_eq!(scene.tide.last_call().body, expected);
        }
    }

    async fn what_comes_back_is_json_text_or_nothing(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        let data = |path: &'static str| {
            let (scene, key) = (&scene, &key);
            async move { scene.asks(key, "call", &json!({"target_url": path})).await }
        };
        assert_eq!(data("text").await.json(), json!({"data": "gr\u{fc}n"}));
        assert_eq!(data("/nothing").await.json(), json!({"data": null}));
        let binary = data("/bytes").await;
        assert_eq!((binary.status, &binary.json()["code"]), (502, &json!("outside_unreadable")));
        let raw = scene.asks(&key, "call?raw=true", &json!({"target_url": "/bytes"})).await;
        assert_eq!((raw.status, raw.header("content-type"), &raw.body[..]), (200, "application/pdf", &[0xff, 0x00, 0xfe, b'%'][..]));
        // Another one's page is no page of ours.
        let page = scene.asks(&key, "call?raw=true", &json!({"target_url": "/page"})).await;
        assert_eq!((page.header("content-disposition"), page.header("x-content-type-options")), ("attachment", "nosniff"));
        assert!(page.header("content-security-policy").contains("sandbox"));
    }

    async fn a_head_is_asked_for_and_answered_without_a_body(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        // Also where the answer to a GET says that it is JSON, or has 8 MiB.
        for (path, text) in [("/echo", "HEAD"), ("/big", "head"), ("/bytes", "HEAD"), ("/redirects?to=%2Fapi%2Fecho", "HEAD")] {
            let body = json!({"method": text, "target_url": path});
            let answer = scene.asks(&key, "call", &body).await;
            assert_eq!((answer.status, answer.json()), (200, json!({"data": null})), "{path}: {}", answer.text());
            let seen = scene.tide.last_call();
            assert_eq!((seen.method.as_str(), seen.headers["authorization"].contains(&scene.tide.access_token())), ("HEAD", true), "{path}");
            let raw = scene.asks(&key, "call?raw=true", &body).await;
            assert_eq!((raw.status, raw.body.len()), (200, 0), "{path}");
        }
        for form in ["xml", "soap"] {
            let answer = scene.asks(&key, form, &json!({"method": "HEAD", "target_url": "/soap"})).await;
            assert_eq!((answer.status, answer.json()), (200, json!({"data": null})), "{form}: {}", answer.text());
        }
        let missing = scene.asks(&key, "call", &json!({"method": "HEAD", "target_url": "/missing"})).await;
        let told = missing.json();
        assert_eq!((missing.status, &told["code"], &told["status"], &told["body"]), (502, &json!("outside_status"), &json!(404), &Value::Null), "{told}");
    }

    async fn large_answers_pass_through_and_cannot_write_members_of_ours(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        let answer = scene.asks(&key, "call", &json!({"target_url": "/big"})).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
        assert!(answer.body.len() > 8 << 20);
        let document = answer.json();
        assert_eq!(document.as_object().unwrap().len(), 1);
        assert_eq!(document["data"].as_array().unwrap().len(), 64 * 128 + 1);
        let raw = scene.asks(&key, "call?raw=true", &json!({"target_url": "/big"})).await;
        assert_eq!(raw.body.len() + "{\"data\":}".len(), answer.body.len());
        for bad in ["/escapes", "/breaks"] {
            let ask = scene.world.person().post(&scene.path("call")).header("x-api-key", &key);
            let body = json!({"target_url": bad}).to_string();
            // It is cut off, so that nobody takes half of it for the whole.
            assert!(ask.body("application/json", body).try_send().await.is_err(), "{bad}");
        }
    }

    async fn only_declared_hosts_are_called(engine: Engine) {
        let other = Tide::start().await;
        let scene = Scene::with(engine, "", &[&other.address]).await;
        let key = scene.key().await;
        let port = scene.tide.address.rsplit(':').next().unwrap().to_owned();
        let targets = [
            other.url("/elsewhere"), format!("http://user:pass@{}/api/echo", scene.tide.address),
            format!("http://{}@{}/elsewhere", scene.tide.address, other.address), "https://evil.example/".to_owned(),
            "http://127.0.0.1/api/echo".to_owned(), format!("http://127.1.1.1:{port}/api/echo"), format!("http://[::1]:{port}/api"),
            format!("http://[::ffff:127.0.0.1]:{port}/api"), format!("http://localhost:{port}/api/echo"),
            format!("https://{}/api/echo", scene.tide.address), "http://169.254.169.254/latest/meta-data/".to_owned(),
            format!("//{}/elsewhere", other.address), format!("\\\\{}/elsewhere", other.address), "file:///etc/passwd".to_owned(),
            "ftp://127.0.0.1/".to_owned(), "/echo\r\nHost: evil".to_owned(), "http://".to_owned(),
        ];
        for target in targets {
            let answer = scene.asks(&key, "call", &json!({"target_url": target})).await;
            // An address of this machine over TLS is declared in no other way than as a host and port: nobody answers there.
            let is_refused = answer.status == 422 || target.starts_with("https://127") && answer.status == 502;
            assert!(is_refused, "{target}: {} {}", answer.status, answer.text());
            assert!(!answer.text().contains("canary"), "{target}");
        }
        assert!(scene.tide.calls().is_empty() && other.calls().is_empty(), "{:?}", other.calls());
    }

    async fn a_redirect_is_followed_at_home_and_told_elsewhere(engine: Engine) {
        let other = Tide::start().await;
        let scene = Scene::with(engine, "", &[&other.address]).await;
        let key = scene.key().await;
        let go = |to: String| {
            let (scene, key) = (&scene, &key);
            async move { scene.asks(key, "call", &json!({"target_url": "/redirects", "query_params": {"to": to}})).await }
        };
        let home = go("/api/echo".to_owned()).await;
        assert_eq!(home.json(), json!({"data": {"method": "GET", "uri": "/api/echo"}}));
        assert!(scene.tide.last_call().headers.contains_key("authorization"));
        for away in [other.url("/elsewhere"), "http://169.254.169.254/".to_owned(), "file:///etc/passwd".to_owned()] {
            let answer = go(away.clone()).await;
            assert_eq!((answer.status, &answer.json()["code"]), (502, &json!("outside_redirect")), "{away}");
            assert_eq!(answer.json()["location"], away);
        }
        assert!(other.calls().is_empty());
        let round = go("/api/redirects?to=%2Fapi%2Fredirects%3Fto%3D%252Fapi%252Fecho".to_owned()).await;
        assert_eq!(round.status, 200, "three are followed: {}", round.text());
        // An empty target leads back to itself.
        let endless = scene.asks(&key, "call", &json!({"target_url": "/redirects?to="})).await;
        assert_eq!((endless.status, &endless.json()["code"]), (502, &json!("outside_unreadable")));
    }

    async fn a_token_that_is_refused_is_renewed_once_and_the_call_made_again(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        scene.tide.keeps_refresh_tokens();
        // Just given: what refuses it now has another reason.
        scene.tide.forgets_tokens();
        let answer = scene.asks(&key, "call", &json!({"target_url": "/echo"})).await;
        assert_eq!((answer.status, &answer.json()["status"]), (502, &json!(401)));
        assert_eq!(scene.tide.renewals(), 0);
        scene.world.pass_seconds(60);
        let answer = scene.asks(&key, "call", &json!({"method": "POST", "target_url": "/echo", "body": {"n": 1}})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(scene.tide.renewals(), 1);
        assert_eq!(scene.tide.last_call().body, r#"{"n":1}"#);
        // Where it can't be renewed the refusal is told, without what it repeats.
        scene.tide.forgets_tokens();
        scene.tide.has(Day::Status(500));
        scene.world.pass_seconds(60);
        let answer = scene.asks(&key, "call", &json!({"target_url": "/echo"})).await;
        assert_eq!((answer.status, &answer.json()["status"], &answer.json()["code"]), (502, &json!(401), &json!("outside_status")));
        assert!(!answer.text().contains("canary"), "{}", answer.text());
        scene.tide.has(Day::InvalidGrant);
        scene.world.pass_seconds(60);
        let answer = scene.asks(&key, "call", &json!({"target_url": "/echo"})).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("not_connected")));
    }

    async fn limits_are_told_and_short_waits_kept(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        let limited = scene.asks(&key, "call", &json!({"target_url": "/limited"})).await;
        assert_eq!((limited.status, limited.header("retry-after")), (429, "77"));
        assert_eq!(limited.json(), json!({
            "message": "the outside system wants fewer calls", "code": "outside_rate_limited", "status": 429, "retry_after": 77,
            "body": {"error": "slow down"},
        }));
        let shortly = scene.asks(&key, "call", &json!({"target_url": "/shortly"})).await;
        assert_eq!((shortly.status, shortly.json()), (200, json!({"data": {"ok": true}})));
        assert_eq!((shortly.header("x-ratelimit-remaining"), shortly.header("x-ratelimit-reset")), ("41", "60"));
        let inside = scene.asks(&key, "call", &json!({"target_url": "/inside"})).await;
        assert_eq!((inside.status, &inside.json()["status"]), (429, &json!(200)));
    }

    async fn outside_errors_are_told_plainly_and_repeat_no_secret(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        let missing = scene.asks(&key, "call", &json!({"target_url": "/missing"})).await;
        assert_eq!(missing.status, 502);
        assert_eq!(missing.json(), json!({
            "message": "the outside system answered with status 404", "code": "outside_status", "status": 404, "retry_after": null,
            "body": {"error": {"text": "no such thing"}},
        }));
        let repeats = scene.asks(&key, "call", &json!({"target_url": "/repeats"})).await;
        assert_eq!(repeats.json()["body"], json!({"sent": "[hidden]", "app": "[hidden]"}));
        let gone = scene.world.count("connections WHERE credential LIKE '%canary%'").await;
        assert_eq!(gone, 0);
        assert!(!repeats.text().contains(CLIENT_SECRET));
    }

    async fn soap_and_xml_become_json(engine: Engine) {
        let scene = Scene::on(engine).await;
        let key = scene.key().await;
        let envelope = "<s:Envelope xmlns:s='u'><s:Body><GetOrders/></s:Body></s:Envelope>";
        let answer = scene.asks(&key, "soap", &json!({
            "target_url": "/soap", "headers": {"SOAPAction": "\"GetOrders\""}, "body": envelope,
        })).await;
        assert_eq!(answer.json(), json!({"data": {"Envelope": {"Body": {"Orders": {"Order": [
            {"@id": "1", "#text": "A"}, {"@id": "2", "#text": "B"},
        ]}}}}}), "{}", answer.text());
        let seen = scene.tide.last_call();
        assert_eq!((seen.method.as_str(), seen.body.as_str()), ("POST", envelope));
        assert_eq!((seen.headers["content-type"].as_str(), seen.headers["soapaction"].as_str()), ("text/xml; charset=utf-8", "\"GetOrders\""));
        let fault = scene.asks(&key, "soap", &json!({"target_url": "/fault", "data": envelope})).await;
        assert_eq!((fault.status, &fault.json()["code"], &fault.json()["status"]), (502, &json!("soap_fault"), &json!(500)));
        assert_eq!(fault.json()["fault"], json!({"code": "s:Client", "text": "No order"}));
        let bomb = scene.asks(&key, "xml", &json!({"method": "GET", "target_url": "/bomb"})).await;
        assert_eq!((bomb.status, &bomb.json()["code"]), (502, &json!("outside_unreadable")));
        assert!(!bomb.text().contains("root:"));
    }

    async fn an_operator_tries_a_call_by_hand(engine: Engine) {
        let scene = Scene::on(engine).await;
        let (settings, tenant) = (tempfile::tempdir().unwrap(), scene.tenant.to_string());
        let run = |more: &[&str]| {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_vestibule"));
            command.current_dir(settings.path()).env_clear().env("VESTIBULE_KEYS__MASTER_KEY", scene.world.master_key());
            for setting in [
                format!("database.url={}", scene.world.database_url()), format!("outbound.allow=[\"{}\"]", scene.tide.address),
                "environments.sandbox.public_url=http://sandbox.localhost:1".to_owned(),
            ] {
                command.args(["--set", &setting]);
            }
            command.args(["tenant", "call", &tenant, "tide"]).args(more);
            async move {
                let output = command.output().await.unwrap();
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                (output.status.code(), text(&output.stdout), text(&output.stderr))
            }
        };
        let (code, out, said) = run(&["/echo", "--method", "post", "--query", "a=b c", "--header", "X-Mine: 1", "--body", "{\"k\":1}", "--json"]).await;
        assert_eq!(code, Some(0), "{said}");
        let out: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(out, json!({"data": {"method": "POST", "uri": "/api/echo?a=b+c"}}));
        let seen = scene.tide.last_call();
        assert_eq!((seen.body.as_str(), seen.headers["x-mine"].as_str()), (r#"{"k":1}"#, "1"));
        for (more, expected) in [
            (["https://evil.example/", "--json"], "host_not_declared"), (["/repeats", "--json"], "outside_status"),
            (["/limited", "--json"], "outside_rate_limited"),
        ] {
            let (code, out, said) = run(&more).await;
            assert_eq!((code, out.as_str()), (Some(1), ""), "{more:?}");
            assert!(said.contains(expected) && !said.contains("canary"), "{more:?}: {said}");
        }
    }

    async fn the_scope_and_the_request_are_looked_at_first(engine: Engine) {
        let scene = Scene::on(engine).await;
        let reading = scene.acme.api_key(&["credentials:read", "tenants:read", "tenants:write"]).await;
        let body = json!({"target_url": "/echo"});
        for what in ["call", "soap", "xml"] {
            assert_eq!(scene.asks(&reading, what, &body).await.status, 403);
            assert_eq!(scene.asks("", what, &body).await.status, 403);
        }
        let key = scene.key().await;
        for (body, field) in [
            (json!({}), json!(["body", "target_url"])), (json!({"target_url": "/x", "method": "TRACE"}), json!(["body", "method"])),
            (json!({"target_url": "/x", "headers": {"a b": "c"}}), json!(["body", "headers"])),
            (json!({"target_url": "/x", "body": 1, "data": 1}), json!(["body", "data"])), (json!([]), json!(["body"])),
        ] {
            let answer = scene.asks(&key, "call", &body).await;
            assert_eq!((answer.status, &answer.json()["detail"][0]["loc"]), (422, &field), "{body}");
        }
        let large = json!({"method": "POST", "target_url": "/echo", "body": "x".repeat(9 << 20)});
        assert_eq!(scene.asks(&key, "call", &large).await.status, 413);
        let fits = json!({"method": "POST", "target_url": "/echo", "body": "x".repeat(4 << 20)});
        assert_eq!(scene.asks(&key, "call", &fits).await.status, 200);
        assert_eq!(scene.tide.calls().len(), 1);
        assert_eq!(scene.asks(&scene.world.organization("other").await.api_key(&["connectors:call"]).await, "call", &body).await.status, 404);
        scene.world.pass_seconds(LIFE_S);
        scene.tide.has(Day::Status(500));
        let stale = scene.asks(&key, "call", &body).await;
        assert_eq!((stale.status, &stale.json()["code"]), (503, &json!("credential_not_fresh")));
    }
}
