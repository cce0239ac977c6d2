//! The REST API: keys, scopes, what belongs to another company, lists, and what is said to a bad request.

use kernel::Actor;
use serde_json::{Value, json};
use testkit::on_both;
use testkit::standins::ProviderKind;
use testkit::world::{Company, World};

const ALL: [&str; 3] = ["integrations:read", "tenants:read", "tenants:write"];

async fn five_tenants(world: &World, company: &Company) -> Vec<i64> {
    let mut ids = Vec::new();
    for name in ["berta", "anna", "carla", "emil", "dora"] {
        let person = world.person();
        let token = company.token("notion").sub(name).without("ti.uem");
        let tenant = person.connects(company, "notion", &token.sign()).await;
        ids.push(tenant["id"].as_i64().unwrap());
        world.pass_seconds(1);
    }
    ids
}

fn ids(list: &Value) -> Vec<i64> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()).collect()
}

on_both! {
    async fn only_a_live_key_with_the_scope_gets_an_answer(world: World) {
        let acme = world.organization("acme").await;
        let program = world.person();
        let id = five_tenants(&world, &acme).await[0];
        let routes = [
            ("tenants:read", format!("/v1/tenants/{id}")), ("tenants:read", format!("/v2/tenants/{id}")),
            ("tenants:read", "/v2/tenants".to_owned()), ("integrations:read", "/v2/integrations".to_owned()),
            ("integrations:read", "/v2/integrations/1".to_owned()),
        ];
        for (scope, route) in &routes {
            let right = acme.api_key(&[scope]).await;
            assert_ne!(program.calls(&right, route).await.status, 403, "{route}");
            let others: Vec<&str> = ALL.iter().filter(|own| *own != scope).copied().collect();
            let wrong = acme.api_key(&others).await;
            for answer in [
                program.calls(&wrong, route).await, program.get(route).json().await, program.calls("", route).await,
                program.calls("vst_test_guess", route).await, program.calls(&right[..right.len() - 1], route).await,
                program.calls(&right.to_lowercase(), route).await,
                program.get(route).header("authorization", &format!("Bearer {right}")).await,
                program.get(&format!("{route}?api_key={right}")).await,
            ] {
                assert_eq!((answer.status, answer.json()), (403, json!({"detail": "Not authorized"})), "{route}");
            }
        }
        let path = format!("/v2/tenants/{id}/connectors/notion/disconnect");
        let reading = acme.api_key(&["tenants:read", "integrations:read"]).await;
        let answer = program.ask(reqwest::Method::PATCH, &path).header("x-api-key", &reading).await;
        assert_eq!(answer.status, 403);
        assert!(!world.standin(ProviderKind::Notion).is_revoked());
    }

    async fn a_revoked_key_ends_with_the_next_request_on_every_node(world: World) {
        let acme = world.organization("acme").await;
        let node = world.another_node().await;
        let (here, there) = (world.person(), world.person_at(&node));
        let (key, secret) = world.service()
            .create_api_key(&Actor::Operator, &acme.id, acme.environment, "short", &["tenants:read".to_owned()]).await.unwrap();
        for person in [&here, &there] {
            assert_eq!(person.calls(secret.reveal(), "/v2/tenants").await.status, 200);
        }
        world.service().revoke_api_key(&Actor::Operator, &acme.id, &key.id).await.unwrap();
        for person in [&there, &here] {
            assert_eq!(person.calls(secret.reveal(), "/v2/tenants").await.status, 403);
        }
        // Stored hashed only.
        let mut rows = world.rows("SELECT hash FROM api_keys").await;
        let hash: String = rows[0].take().unwrap();
        assert_eq!(hash.len(), 64);
    }

    async fn what_belongs_to_another_company_or_environment_is_not_there(world: World) {
        let acme = world.organization("acme").await;
        let other = world.organization("other").await;
        let id = five_tenants(&world, &acme).await[0];
        let integration = {
            let key = acme.api_key(&ALL).await;
            ids(&world.person().calls(&key, "/v2/integrations").await.json())[0]
        };
        let key = other.api_key(&ALL).await;
        let program = world.person();
        for (route, its) in [("/v1/tenants/", id), ("/v2/tenants/", id), ("/v2/integrations/", integration)] {
            let answer = program.calls(&key, &format!("{route}{its}")).await;
            assert_eq!(answer.status, 404, "{route}");
            // As for one that does not exist at all.
            let nowhere = program.calls(&key, &format!("{route}999999")).await;
            assert_eq!(answer.text(), nowhere.text(), "{route}");
        }
        let path = format!("/v2/tenants/{id}/connectors/notion/disconnect");
        assert_eq!(program.ask(reqwest::Method::PATCH, &path).header("x-api-key", &key).await.status, 404);
        assert!(!world.standin(ProviderKind::Notion).is_revoked());
        assert_eq!(program.calls(&key, "/v2/tenants").await.json(), json!([]));
        // The sandbox's key is none in production.
        let mine = acme.api_key(&ALL).await;
        assert_eq!(world.person_in_production().calls(&mine, "/v2/tenants").await.status, 403);
        let real = world.organization("real").in_production().await;
        let productive = real.api_key(&ALL).await;
        assert_eq!(program.calls(&productive, "/v2/tenants").await.status, 403);
        assert_eq!(world.person_in_production().calls(&productive, "/v2/tenants").await.status, 200);
    }

    async fn lists_have_limit_skip_order_total_and_a_next_page(world: World) {
        let acme = world.organization("acme").await;
        let key = acme.api_key(&ALL).await;
        let program = world.person();
        let made = five_tenants(&world, &acme).await;
        let list = |query: &str| {
            let (program, key, to) = (program.clone(), key.clone(), format!("/v2/tenants{query}"));
            async move {
                let answer = program.calls(&key, &to).await;
                assert_eq!(answer.status, 200, "{to}: {}", answer.text());
                answer
            }
        };
        let whole = list("").await;
        assert_eq!((ids(&whole.json()), whole.header("x-total-count"), whole.header("link")), (made.clone(), "5", ""));
        let first = list("?limit=2").await;
        assert_eq!((ids(&first.json()), first.header("x-total-count")), (made[..2].to_vec(), "5"));
        // The link leads on until nothing is left.
        let mut seen = ids(&first.json());
        let mut link = first.header("link").to_owned();
        while !link.is_empty() {
            let to = link.strip_prefix('<').unwrap().split_once('>').unwrap();
            assert_eq!(to.1, "; rel=\"next\"");
            let page = program.calls(&key, to.0).await;
            seen.extend(ids(&page.json()));
            link = page.header("link").to_owned();
        }
        assert_eq!(seen, made);
        let mut backwards = made.clone();
        backwards.reverse();
        assert_eq!(ids(&list("?sort_by=id__DESC").await.json()), backwards);
        assert_eq!(ids(&list("?sort_by=created_date__DESC").await.json()), backwards);
        let names: Vec<String> = list("?sort_by=name__ASC").await.json().as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
        let mut sorted = names.clone();
        sorted.sort();
        assert_eq!(names, sorted);
        assert_eq!(ids(&list("?skip=4").await.json()), made[4..]);
        assert_eq!(ids(&list("?skip=500").await.json()), Vec::<i64>::new());
        assert_eq!(ids(&list("?limit=2&skip=1&unknown=x").await.json()), made[1..3]);
        world.change("UPDATE tenants SET archived_at = 1 WHERE id = (SELECT MIN(id) FROM tenants)").await;
        assert_eq!(ids(&list("").await.json()), made[1..], "those in use, unless the others are asked for");
        assert_eq!(ids(&list("?archived=True").await.json()), made[..1]);
        assert_eq!(ids(&list("?archived=true").await.json()), made[..1]);
        assert_eq!(ids(&list("?archived=false").await.json()), made[1..]);
        assert_eq!(list("?archived=true").await.header("x-total-count"), "1");

        let integrations = program.calls(&key, "/v2/integrations?limit=3&sort_by=name__ASC").await;
        assert_eq!(integrations.header("x-total-count"), "5");
        assert!(!integrations.header("link").is_empty());
        let names: Vec<_> = integrations.json().as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert_eq!(names, [json!("hubspot-sync"), json!("notion-sync"), json!("salesforce-sync")]);
    }

    async fn the_next_page_is_one_of_the_same_list(world: World) {
        let acme = world.organization("acme").await;
        let key = acme.api_key(&ALL).await;
        let program = world.person();
        let mut of_notion = Vec::new();
        for (name, outside) in [("anna", "notion"), ("berta", "slack"), ("carla", "notion")] {
            let person = world.person();
            let tenant = person.connects(&acme, outside, &acme.token(outside).sub(name).without("ti.uem").sign()).await;
            if outside == "notion" {
                of_notion.push(tenant["id"].as_i64().unwrap());
            }
        }
        let first = program.calls(&key, &format!("/v2/tenants/{}", of_notion[0])).await.json();
        let mut to = format!("/v2/tenants?limit=1&integration_id={}&user_name=", first["integration_id"]);
        let mut seen = Vec::new();
        while !to.is_empty() {
            let page = program.calls(&key, &to).await;
            assert_eq!((page.status, page.header("x-total-count")), (200, "2"), "{to}: {}", page.text());
            seen.extend(ids(&page.json()));
            let link = page.header("link").to_owned();
            to = link.strip_prefix('<').map_or(String::new(), |it| it.split_once('>').unwrap().0.to_owned());
        }
        assert_eq!(seen, of_notion);
        let archived = program.calls(&key, "/v2/integrations?archived=true").await;
        assert_eq!((archived.json(), archived.header("x-total-count")), (json!([]), "0"), "none is ever archived");
    }

    async fn a_bad_request_is_told_where_it_is_bad(world: World) {
        let acme = world.organization("acme").await;
        let key = acme.api_key(&ALL).await;
        let program = world.person();
        for (to, location) in [
            ("/v2/tenants?limit=0", json!(["query", "limit"])), ("/v2/tenants?limit=501", json!(["query", "limit"])),
            ("/v2/tenants?limit=ten", json!(["query", "limit"])), ("/v2/tenants?limit=", json!(["query", "limit"])),
            ("/v2/tenants?limit=99999999999999999999", json!(["query", "limit"])),
            ("/v2/tenants?skip=-1", json!(["query", "skip"])), ("/v2/tenants?archived=maybe", json!(["query", "archived"])),
            ("/v2/tenants?sort_by=id", json!(["query", "sort_by"])), ("/v2/tenants?sort_by=secret__ASC", json!(["query", "sort_by"])),
            ("/v2/tenants?sort_by=id__ASC%3B%20DROP%20TABLE%20tenants", json!(["query", "sort_by"])),
            ("/v2/tenants/abc", json!(["path", "tenant_id"])), ("/v2/tenants/1.5", json!(["path", "tenant_id"])),
            ("/v1/tenants/99999999999999999999", json!(["path", "tenant_id"])), ("/v1/tenants/-1", json!(["path", "tenant_id"])),
            ("/v2/integrations/x", json!(["path", "integration_id"])), ("/v2/integrations?limit=x", json!(["query", "limit"])),
        ] {
            let answer = program.calls(&key, to).await;
            assert_eq!(answer.status, 422, "{to}: {}", answer.text());
            let detail = &answer.json()["detail"];
            assert_eq!(detail.as_array().map(Vec::len), Some(1), "{to}");
            assert_eq!(detail[0]["loc"], location, "{to}");
            assert!(detail[0]["msg"].is_string() && detail[0]["type"].is_string(), "{to}");
            assert_eq!(detail[0].as_object().unwrap().len(), 3, "{to}");
        }
        let missing = program.calls(&key, "/v2/tenants/4711").await;
        assert_eq!(missing.status, 404);
        assert!(missing.json()["message"].is_string() && missing.json().as_object().unwrap().len() == 1);
        assert_eq!(program.calls(&key, "/v2/nothing").await.status, 404);
        let wrong = program.ask(reqwest::Method::DELETE, "/v2/tenants").json().header("x-api-key", &key).await;
        assert_eq!(wrong.status, 405);
        assert!(!wrong.header("allow").is_empty());
    }

    async fn an_integration_has_every_published_field(world: World) {
        let acme = world.organization("acme").await;
        let key = acme.api_key(&ALL).await;
        let program = world.person();
        let listed = program.calls(&key, "/v2/integrations").await.json();
        let first = &listed[0];
        let one = program.calls(&key, &format!("/v2/integrations/{}", first["id"])).await.json();
        assert_eq!(&one, first);
        let now = world.now().iso_micros();
        assert_eq!(one.to_string(), format!(
            concat!(
                r#"{{"id":{id},"name":"hubspot-sync","long_name":"hubspot for acme","type":"External","created_date":"{now}","#,
                r#""modified_date":"{now}","connectors":[{{"name":"gwt","isGlobal":false}},{{"name":"hubspot","isGlobal":true}}],"#,
                r#""repository_path":null,"repository_tracking_branch":null,"repository_url":null,"categories":[],"tags":[],"#,
                r#""flag":null,"default_release_id":null,"default_release_channel":"Default"}}"#,
            ),
            id = one["id"], now = now,
        ));
    }

    async fn disconnecting_by_the_api_revokes_and_tells_the_tenant(world: World) {
        let acme = world.organization("acme").await;
        let key = acme.api_key(&ALL).await;
        let program = world.person();
        let id = five_tenants(&world, &acme).await[0];
        let patch = |name: &str| {
            let path = format!("/v2/tenants/{id}/connectors/{name}/disconnect");
            program.ask(reqwest::Method::PATCH, &path).json().header("x-api-key", &key)
        };
        let answer = patch("notion").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let tenant = answer.json();
        assert_eq!(tenant["status"]["auth"]["connected"], false);
        let connectors = tenant["status"]["auth"]["connectors"].as_array().unwrap();
        let notion = connectors.iter().find(|it| it["name"] == "notion").unwrap();
        assert_eq!(notion["status"], "Disconnected");
        assert!(world.standin(ProviderKind::Notion).is_revoked());
        // Once more is no error, and asks nobody outside again.
        let calls = world.standin(ProviderKind::Notion).seen().len();
        assert_eq!(patch("notion").await.status, 200);
        assert_eq!(world.standin(ProviderKind::Notion).seen().len(), calls);
        assert_eq!(patch("slack").await.status, 404);
        assert_eq!(patch("..%2f").await.status, 404);
        assert_eq!(world.count("audit WHERE action = 'tenant.disconnected' AND actor LIKE '%api_key%'").await, 1);
    }
}
