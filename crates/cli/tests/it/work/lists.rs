//! Every list of the REST API has `limit`, `skip`, `sort_by`, the total and the next page (contract `connect.md`,
//! section 6). Which lists there are, and by what they are sorted, the OpenAPI document says.

use super::scene::Scene;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::on_both;
use testkit::world::{Answer, Person};

const SCOPES: &[&str] = &[
    "tenants:read",
    "tenants:write",
    "integrations:read",
    "runs:read",
    "users:read",
    "connectors:read",
    "settings:read",
    "settings:write",
    "audit:read",
    "webhooks:read",
    "webhooks:write",
    "jobs:read",
];
/// A key sees its own organization and no other.
const ALWAYS_ONE: &str = "/v2/organizations";

struct Program {
    person: Person,
    key: String,
}

impl Program {
    async fn gets(&self, path: &str) -> Answer {
        self.person.calls(&self.key, path).await
    }

    async fn page(&self, path: &str) -> (Answer, Vec<Value>) {
        let answer = self.gets(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let items = answer.json().as_array().unwrap().clone();
        (answer, items)
    }

    async fn posts(&self, path: &str, body: &Value) -> Value {
        let ask = self.person.ask(Method::POST, path).header("x-api-key", &self.key).json();
        let answer = ask.body("application/json", body.to_string()).await;
        assert!((200..300).contains(&answer.status), "{path}: {}", answer.text());
        answer.json()
    }
}

/// A list as the document says it.
struct List {
    path: String,
    fields: Vec<String>,
}

/// Every GET that answers an array.
fn lists(document: &Value, endpoint: &str, scene: &Scene) -> Vec<List> {
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let list = &operations["get"];
        let answer = &list["responses"]["200"];
        if answer["content"]["application/json"]["schema"]["type"] != "array" {
            continue;
        }
        assert!(
            answer["headers"]["X-Total-Count"].is_object() && answer["headers"]["Link"].is_object(),
            "{path}"
        );
        let parameters = list["parameters"].as_array().unwrap();
        let named = |name: &str| {
            parameters.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{path}: {name}"))
        };
        assert_eq!(
            (&named("limit")["schema"]["maximum"], &named("skip")["in"]),
            (&json!(500), &json!("query"))
        );
        let orders = named("sort_by")["schema"]["enum"].as_array().unwrap();
        let fields = orders.iter().filter_map(|it| it.as_str().unwrap().strip_suffix("__ASC"));
        let id = match path.split('/').nth(2).unwrap() {
            "tenants" => scene.tenant.to_string(),
            "integrations" => scene.integration.to_string(),
            "webhooks" => endpoint.to_owned(),
            _ => "{id}".to_owned(),
        };
        let path = path.replace("{id}", &id);
        assert!(!path.contains('{'), "{path}: this test must know what stands for this");
        found.push(List { path, fields: fields.map(str::to_owned).collect() });
    }
    found
}

/// At least two of everything that is listed, except organizations.
async fn many_of_all(scene: &Scene, program: &Program) -> String {
    for tag in ["1.0", "1.1"] {
        scene
            .release(tag, &[("vestibule.yaml", "version: 1\nrun: python3 main.py\n"), ("main.py", "")])
            .await;
    }
    let berta = scene.acme.token("notion").sub("berta").without("ti.uem").sign();
    scene.world.person().connects(&scene.acme, "notion", &berta).await;
    for path in ["/v2/origins", "/v2/signing-keys", "/v2/api-keys"] {
        for name in ["a", "b"] {
            let origin = format!("https://{name}.example.com");
            program.posts(path, &json!({ "origin": origin, "name": name, "scopes": ["tenants:read"] })).await;
        }
    }
    let rotate = format!("/v2/tenants/{}/webhooks/rotate", scene.tenant);
    program.posts(&rotate, &json!({})).await;
    let url = scene.world.own_system.url("/hook");
    program.posts("/v2/webhooks", &json!({ "url": url })).await;
    let endpoint =
        program.posts("/v2/webhooks", &json!({ "url": url })).await["id"].as_str().unwrap().to_owned();
    for _ in 0..4 {
        program.posts(&format!("/v2/webhooks/{endpoint}/test"), &json!({})).await;
        scene.world.pass_seconds(1);
    }
    // Nobody works here: what work would have left behind.
    let world = &scene.world;
    world.change("UPDATE jobs SET state = 'dead', died_at = 1, failure = 'nobody could'").await;
    world.change("UPDATE notices SET state = 'delivered', attempts = 1, took_us = 5, status = 200 WHERE id IN (SELECT MIN(id) FROM notices UNION ALL SELECT MAX(id) FROM notices)").await;
    world
        .change(
            "INSERT INTO notice_attempts (notice_id, number, endpoint_id, at, took_us, status, failure)
        SELECT id, 1, endpoint_id, since + 5, 5, 500, 'it answered 500' FROM notices WHERE state = 'waiting'",
        )
        .await;
    world.change("INSERT INTO runs (id, organization_id, environment, tenant_id, integration_id, mode, phase, attempts,
            log_bytes, created_at, started_at, completed_at)
        SELECT t.id * 1000 + n.n, t.organization_id, t.environment, t.id, t.integration_id, 'normal', 'Succeeded', 1, 0, 1,
            n.n, 4 - n.n FROM tenants AS t CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) AS n").await;
    endpoint
}

/// The address of the next page.
fn next(page: &Answer) -> Option<String> {
    let (to, rel) = page.header("link").strip_prefix('<')?.split_once('>').unwrap();
    assert_eq!(rel, "; rel=\"next\"");
    Some(to.to_owned())
}

async fn has_pages(program: &Program, path: &str) {
    let (whole, all) = program.page(&format!("{path}?limit=500")).await;
    let total = all.len().to_string();
    assert_eq!((whole.header("x-total-count"), whole.header("link")), (total.as_str(), ""), "{path}");
    assert_eq!(program.page(path).await.1, all[..all.len().min(100)], "{path}");
    assert!(all.len() > 1 || path == ALWAYS_ONE, "{path} has one only: say more of it above");
    // One by one, as the links lead.
    let (mut seen, mut to) = (Vec::new(), Some(format!("{path}?limit=1")));
    while let Some(at) = to {
        let (page, items) = program.page(&at).await;
        assert_eq!((page.header("x-total-count"), items.len()), (total.as_str(), 1), "{at}");
        seen.extend(items);
        to = next(&page);
    }
    assert_eq!(seen, all, "{path}");
    let (rest, items) = program.page(&format!("{path}?skip=1")).await;
    assert_eq!(
        (rest.header("x-total-count"), items),
        (total.as_str(), all[1..all.len().min(101)].to_vec()),
        "{path}"
    );
    let (beyond, none) = program.page(&format!("{path}?skip={total}")).await;
    assert_eq!(
        (beyond.header("x-total-count"), beyond.header("link"), none.len()),
        (total.as_str(), "", 0),
        "{path}"
    );
}

async fn has_orders(program: &Program, list: &List) {
    let path = &list.path;
    assert!(!list.fields.is_empty(), "{path}");
    for field in &list.fields {
        let (_, up) = program.page(&format!("{path}?limit=500&sort_by={field}__ASC")).await;
        let (_, mut down) = program.page(&format!("{path}?limit=500&sort_by={field}__DESC")).await;
        down.reverse();
        assert_eq!(up, down, "{path} by {field}");
        // Where nothing stands in the field the two databases place it differently.
        let known: Vec<&Value> = up.iter().map(|it| &it[field]).filter(|it| !it.is_null()).collect();
        let sorted = known.is_sorted_by(|one, other| match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one <= other,
            _ => one.as_str().unwrap() <= other.as_str().unwrap(),
        });
        assert!(sorted && up.iter().all(|it| it.get(field).is_some()), "{path} by {field}: {known:?}");
        let second = program.page(&format!("{path}?limit=1&skip=1&sort_by={field}__DESC")).await.1;
        assert_eq!(
            second,
            down.iter().rev().skip(1).take(1).cloned().collect::<Vec<_>>(),
            "{path} by {field}"
        );
    }
}

async fn names_what_does_not_fit(program: &Program, path: &str) {
    for (name, value) in [
        ("sort_by", "nothing__ASC"),
        ("sort_by", "id"),
        ("sort_by", "__ASC"),
        ("limit", "0"),
        ("limit", "501"),
        ("skip", "-1"),
        ("archived", "perhaps"),
    ] {
        let answer = program.gets(&format!("{path}?{name}={value}")).await;
        let detail = answer.json()["detail"][0].clone();
        assert_eq!(
            (answer.status, &detail["loc"]),
            (422, &json!(["query", name])),
            "{path}?{name}={value}: {}",
            answer.text()
        );
        assert!(detail["msg"].is_string() && detail["type"].is_string(), "{path}: {detail}");
    }
}

on_both! {
    async fn every_list_has_pages_a_total_and_orders(engine: Engine) {
        let scene = Scene::new(engine).await;
        let program = Program { person: scene.world.person(), key: scene.acme.api_key(SCOPES).await };
        let endpoint = many_of_all(&scene, &program).await;
        let document = program.gets("/openapi.json").await.json();
        let lists = lists(&document, &endpoint, &scene);
        assert!(lists.len() >= 15, "{}", lists.len());
        for list in &lists {
            has_pages(&program, &list.path).await;
            has_orders(&program, list).await;
            names_what_does_not_fit(&program, &list.path).await;
            // What is archived is shown by itself; of most things nothing ever is.
            let (archived, none) = program.page(&format!("{}?archived=true", list.path)).await;
            assert_eq!((archived.header("x-total-count"), none.len()), ("0", 0), "{}", list.path);
        }
    }

    async fn tries_and_messages_go_on_behind_a_place(engine: Engine) {
        let scene = Scene::new(engine).await;
        let program = Program { person: scene.world.person(), key: scene.acme.api_key(SCOPES).await };
        let endpoint = many_of_all(&scene, &program).await;
        for (list, member) in [("messages", "id"), ("attempts", "at")] {
            let path = format!("/v2/webhooks/{endpoint}/{list}");
            let all = program.page(&path).await.1;
            let before = all[1][member].as_str().unwrap();
            let (page, behind) = program.page(&format!("{path}?limit=1&before={before}")).await;
            assert_eq!((page.header("x-total-count"), &behind[..]), ("4", &all[2..3]), "{list}: the total is of the whole");
            let (last, behind) = program.page(&next(&page).unwrap()).await;
            assert_eq!(behind, all[3..], "{list}");
            assert_eq!(next(&last), None, "{list}");
            let oldest = program.gets(&format!("{path}?before={before}&sort_by={}__ASC", if list == "messages" { "id" } else { "at" })).await;
            assert_eq!((oldest.status, &oldest.json()["detail"][0]["loc"]), (422, &json!(["query", "before"])));
        }
        let failed = program.page(&format!("/v2/webhooks/{endpoint}/attempts?failed=true&limit=1")).await;
        assert_eq!((failed.0.header("x-total-count"), &failed.1[0]["status"]), ("2", &json!(500)));
        let (_, last) = program.page(&next(&failed.0).unwrap()).await;
        assert_eq!((last.len(), &last[0]["status"]), (1, &json!(500)), "of the same list");
        let waiting = program.page(&format!("/v2/webhooks/{endpoint}/messages?state=waiting&sort_by=id__ASC&limit=1")).await.0;
        assert_eq!(waiting.header("x-total-count"), "2");
        assert!(next(&waiting).unwrap().contains("skip=1&sort_by=id__ASC&state=waiting"));
        let far = program.gets(&format!("/v2/webhooks/{endpoint}/attempts?skip=100001")).await;
        assert_eq!(far.status, 422, "`before` leads there");
    }
}
