//! Secrets that are recognized wherever they show: none may show anywhere.

use super::{Outside, Workshop, eventually};
use connect::run::{Mode, Source};
use kernel::{Actor, Environment};
use serde_json::{Value, json};
use service::admin::Holder;
use service::work::run_control::{Asked, Synced};
use std::time::Duration;
use testkit::on_both;
use testkit::world::{Engine, OWN_TOKEN, World};

/// Begins every token that the outside system gives out.
const TOKENS: &str = "canary7yellow";
const RECOVERY: Duration = Duration::from_secs(90);

/// Says all that it knows, in all ways it can, and fails.
const INDISCREET: &str = r#"
env >&2
env
printf 'user:%s' "$PAN_SEC_CRM_ACCESS_TOKEN" | base64 -w0 >&2
echo "a long line with $PAN_SEC_CRM_ACCESS_TOKEN in it" >&2
echo "still here" >&2
echo "{\"token\": \"$PAN_SEC_CRM_ACCESS_TOKEN\"}"
[ -e "{folder}/fail" ] && exit 3
exit 0
"#;

/// Everything that the gateway said to anybody.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn add(&mut self, from: impl Into<String>, text: impl Into<String>) {
        self.0.push((from.into(), text.into()));
    }

    /// Fails where a secret shows, as it is or in base64.
    fn tells_nothing_of(&self, secrets: &[(&str, String)]) {
        for (what, secret) in secrets {
            assert!(secret.len() > 8, "{what}");
            for (from, text) in &self.0 {
                for shown in [secret.clone(), base64_core(secret)] {
                    if let Some(at) = text.find(&shown) {
                        let begin = text[..at].rfind('\n').map_or(0, |line| line + 1);
                        panic!(
                            "{what} shows in {from}: {}",
                            text[begin..].lines().next().unwrap_or_default()
                        );
                    }
                }
            }
        }
    }
}

fn base64_core(secret: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret);
    text[..text.len() - 2].to_owned()
}

/// Every row of every table, as text.
async fn whole_database(world: &World, engine: Engine) -> String {
    if engine == Engine::Sqlite {
        let file = world.database_url().trim_start_matches("sqlite:");
        let bytes =
            ["", "-wal"].map(|end| std::fs::read(format!("{file}{end}")).unwrap_or_default()).concat();
        return String::from_utf8_lossy(&bytes).into_owned();
    }
    let tables = world.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").await;
    let mut text = String::new();
    for mut table in tables {
        let name: String = table.take().unwrap();
        let query = format!("SELECT CAST(row_to_json(t) AS TEXT) FROM {name} AS t");
        let read = world.db().read(move |tx| Box::pin(async move { store::sql(query).all(tx).await }));
        let rows: Vec<store::Row> = read.await.map_err(|error: store::DbError| error).unwrap();
        for mut row in rows {
            text.push_str(&row.take::<String>().unwrap());
            text.push('\n');
        }
    }
    text
}

on_both! {
    async fn no_secret_shows_anywhere(engine: Engine) {
        let outside = Outside::start().await;
        outside.memory().token_word = Some(TOKENS.to_owned());
        outside.memory().life_s = Some(60);
        let world = World::build(engine).system_clock().reaching(outside.address()).start().await;
        let mut workshop = Workshop::open(world, outside, 2, ("version: 1\nrun: sh run.sh\n", INDISCREET)).await;
        let key = workshop.company.api_key(&SCOPES).await;
        let signed = function(&workshop).await;
        let mut secrets = vec![
            ("a token of an outside system", TOKENS.to_owned()),
            ("the token of the company's own system", OWN_TOKEN.to_owned()),
            ("the client secret at the outside system", testkit::standins::CLIENT_SECRET.to_owned()),
            ("the master key", workshop.world.master_key()),
            ("the secret that signs tokens", workshop.company.secret().to_owned()),
            ("the endpoint's secret", workshop.endpoint_secret.trim_start_matches("whsec_").to_owned()),
            ("an API key", key.clone()),
            ("the secret that runs are signed with", signed.trim_start_matches("whsec_").to_owned()),
        ];
        workshop.nodes = workshop.nodes.clone().set("log.filter=trace").set("log.format=json");
        let nodes = workshop.nodes.clone();
        let node = tokio::task::spawn_blocking(move || nodes.serve()).await.unwrap();
        let mut heard = Heard::default();
        drive(&workshop).await;
        workshop.outside.memory().echoes = true;
        std::fs::write(workshop.folder().join("fail"), "").unwrap();
        // Until renewals were tried, which is after half of a token's life.
        tokio::time::sleep(Duration::from_secs(40)).await;
        workshop.outside.memory().echoes = false;
        drive(&workshop).await;
        ask(&workshop, &node, &key, &mut heard).await;
        call(&workshop, &node, &key, &mut heard).await;
        secrets.push(("a run's token", runs_elsewhere(&workshop, &node, &key, &signed, &mut heard).await));
        commands(&workshop, &mut heard).await;
        heard.add("the database", whole_database(&workshop.world, engine).await);
        for seen in &workshop.outside.memory().seen {
            heard.add("a notice", seen);
        }
        let output = tokio::task::spawn_blocking(move || node.stop()).await.unwrap();
        assert!(output.contains("\"level\":\"DEBUG\""), "everything is logged: {output}");
        heard.add("the log", output);
        heard.tells_nothing_of(&secrets);
    }
}

const SCOPES: [&str; 8] = [
    "connectors:call",
    "integrations:read",
    "jobs:read",
    "runs:read",
    "runs:write",
    "tenants:read",
    "tenants:write",
    "webhooks:read",
];

/// Runs, notices, deliveries; until all of it is done.
async fn drive(workshop: &Workshop) {
    for tenant in &workshop.tenants {
        let asked = Asked { source: Source::Api, mode: Mode::Normal, payload: None };
        let synced = workshop.world.service().sync_tenant(&workshop.desk(), *tenant, asked).await.unwrap();
        assert!(matches!(synced, Synced::Triggered(_)));
    }
    let holder = Holder { organization: workshop.company.id.clone(), environment: Environment::Sandbox };
    let service = workshop.world.service();
    service.test_endpoint(&Actor::Operator, &holder, &workshop.endpoint, None).await.unwrap();
    workshop.is_done(RECOVERY).await;
}

/// Everything that the API shows, but for what hands credentials out.
async fn ask(workshop: &Workshop, node: &super::nodes::Node, key: &str, heard: &mut Heard) {
    let person = workshop.person.moved_to(node.address.parse().unwrap());
    let tenant = workshop.tenants[0];
    let mut paths: Vec<String> =
        ["/v2/tenants", "/v2/integrations", "/v2/webhooks", "/v2/jobs?state=dead", "/metrics"]
            .map(str::to_owned)
            .into();
    paths.push(format!("/v2/tenants/{tenant}"));
    paths.push(format!("/v2/tenants/{tenant}/runs"));
    paths.push(format!("/v2/tenants/{tenant}/metadata"));
    paths.push(format!("/v2/webhooks/{}/attempts", workshop.endpoint));
    paths.push(format!("/v2/webhooks/{}/messages", workshop.endpoint));
    for path in paths {
        heard.add(&path, person.calls(key, &path).await.text());
    }
    let mut runs = Vec::new();
    for mut run in workshop.world.rows("SELECT id, phase FROM runs").await {
        runs.push((run.take::<i64>().unwrap(), run.take::<String>().unwrap()));
    }
    assert!(runs.iter().any(|(_, phase)| phase == "Failed (Integration Issue)"), "{runs:?}");
    for (id, _) in runs {
        let path = format!("/v2/runs/{id}");
        heard.add(&path, person.calls(key, &path).await.text());
        let link = person.calls(key, &format!("{path}/log")).await;
        assert_eq!(link.status, 302, "{}", link.text());
        let log = person.get(link.location()).await.text();
        let is_whole = log.contains("PAN_CTX_TENANT_ID=") && log.contains("still here");
        assert!(is_whole && log.contains("PAN_SEC_CRM_ACCESS_TOKEN=***"), "{log}");
        heard.add(format!("{path}/log"), log);
    }
}

/// Through the gateway, as it goes well and as it fails; a system that fails repeats what it was called with.
async fn call(workshop: &Workshop, node: &super::nodes::Node, key: &str, heard: &mut Heard) {
    let person = workshop.person.moved_to(node.address.parse().unwrap());
    let base = format!("/v2/tenants/{}/connectors/crm", workshop.tenants[0]);
    let mut statuses = Vec::new();
    for (verb, target) in [
        ("call", "good"),
        ("call?raw=true", "good"),
        ("xml", "good-xml"),
        ("soap", "good-soap"),
        ("call", "bad"),
        ("call?raw=true", "bad"),
        ("call", "bad-token"),
        ("xml", "bad-xml"),
        ("soap", "bad-soap"),
        ("soap", "bad-soap-200"),
        ("call", "missing"),
    ] {
        let body = json!({ "method": "POST", "target_url": format!("/api/{target}"), "body": "<a/>" });
        let ask = person.post(&format!("{base}/{verb}")).header("x-api-key", key);
        let answer = ask.body("application/json", body.to_string()).await;
        let is_well = target.starts_with("good");
        assert_eq!(answer.status == 200, is_well, "{verb} {target}: {} {}", answer.status, answer.text());
        if target.starts_with("bad") {
            assert!(answer.text().contains("[hidden]"), "what was repeated is taken out: {}", answer.text());
        }
        statuses.push(answer.status);
        heard.add(format!("{verb} {target}"), answer.text());
    }
    // Where nobody answers, and where the call may not go.
    for target in ["http://127.0.0.1:1/api/good", "https://elsewhere.example/api/good"] {
        let ask = person.post(&format!("{base}/call")).header("x-api-key", key);
        let answer = ask.body("application/json", json!({ "target_url": target }).to_string()).await;
        assert_ne!(answer.status, 200, "{target}");
        heard.add(target, answer.text());
    }
    // The one that refused its token may have been called twice.
    assert!(workshop.outside.memory().called >= statuses.len(), "they carried the credential");
}

/// A release whose runs are messages to the outside system; the secret that they are signed with.
async fn function(workshop: &Workshop) -> String {
    let source = workshop.folder().join("function");
    std::fs::create_dir(&source).unwrap();
    let url = workshop.outside.url("/function");
    let manifest = format!("version: 1\nrunner: http\nurl: {url}\nconnectors: [crm]\ntimeout_seconds: 60\n");
    std::fs::write(source.join("vestibule.yaml"), manifest).unwrap();
    let of = ["--organization", "acme", "--integration", "crm-sync"];
    let build = ["release", "build", "--tag", "function", "--from", source.to_str().unwrap()];
    commanded(workshop, &[&build[..], &of].concat()).await;
    let told = commanded(workshop, &[&["release", "secret", "function"][..], &of].concat()).await;
    let secret = told.split(|c: char| c.is_whitespace() || c == '"').find(|word| word.starts_with("whsec_"));
    secret.unwrap_or_else(|| panic!("{told}")).to_owned()
}

async fn commanded(workshop: &Workshop, words: &[&str]) -> String {
    let nodes = workshop.nodes.clone();
    let (owned, said): (Vec<String>, _) =
        (words.iter().map(|&word| word.to_owned()).collect(), words.join(" "));
    let ran = tokio::task::spawn_blocking(move || {
        nodes.runs(&owned.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let (status, output) = ran.await.unwrap();
    assert_eq!(status, "0", "{said}: {output}");
    output
}

/// A run at the integration's own URL, which tells all that it knows in its log. The run's token.
async fn runs_elsewhere(
    workshop: &Workshop,
    node: &super::nodes::Node,
    key: &str,
    signed: &str,
    heard: &mut Heard,
) -> String {
    let of = ["--organization", "acme", "--integration", "crm-sync"];
    commanded(workshop, &[&["release", "default", "function"][..], &of].concat()).await;
    let asked = Asked { source: Source::Api, mode: Mode::Normal, payload: None };
    workshop.world.service().sync_tenant(&workshop.desk(), workshop.tenants[1], asked).await.unwrap();
    eventually(RECOVERY, || async {
        workshop.outside.memory().messages.is_empty().then(|| "the message of a run".to_owned())
    })
    .await;
    let (mut headers, body) = workshop.outside.memory().messages[0].clone();
    // The one header that may carry one.
    let token = headers.remove("run-token").unwrap().to_str().unwrap().to_owned();
    let mut message = serde_json::from_str::<Value>(&body).unwrap();
    let run = message["run_id"].as_i64().unwrap();
    // What the integration said itself comes back to it to the byte.
    message.as_object_mut().unwrap().remove("state").unwrap();
    heard.add("a run's message", format!("{headers:?} {message}"));
    let person = workshop.person.moved_to(node.address.parse().unwrap());
    let bearer = format!("Bearer {token}");
    let path = format!("/v1/runs/{run}/credentials/crm");
    let fetched = person.get(&path).json().header("authorization", &bearer).await;
    assert_eq!(fetched.status, 200, "{}", fetched.text());
    let credential = fetched.json()["credentials"]["ACCESS_TOKEN"].as_str().unwrap().to_owned();
    assert!(credential.starts_with(TOKENS), "{credential}");
    let log = format!("fetched {credential} with {token}, and checked by {signed}\nstill here");
    for report in [
        json!({ "phase": "Running", "log": log }),
        json!({ "phase": "Nonsense", "log": log }),
        json!({ "phase": "Failed", "log": log, "state": { "at": credential } }),
        json!({ "phase": "Failed", "log": log }),
    ] {
        let ask = person.post(&format!("/v1/runs/{run}/report")).json().header("authorization", &bearer);
        let answer = ask.body("application/json", report.to_string()).await;
        heard.add("a report", answer.text());
    }
    let link = person.calls(key, &format!("/v2/runs/{run}/log")).await;
    let log = person.get(link.location()).await.text();
    assert_eq!(log.matches("fetched *** with ***, and checked by ***\nstill here").count(), 2, "{log}");
    heard.add("the log of a run elsewhere", log);
    heard.add("a run elsewhere", person.calls(key, &format!("/v2/runs/{run}")).await.text());
    workshop.is_done(RECOVERY).await;
    token
}

/// What the command line shows.
async fn commands(workshop: &Workshop, heard: &mut Heard) {
    for words in [
        "settings",
        "doctor",
        "organization list",
        "tenant list --organization acme",
        "app list --organization acme",
        "connector list --organization acme",
        "signing-key list --organization acme",
        "api-key list --organization acme",
        "webhook-endpoint list --organization acme",
        "run list --organization acme",
        "run log --newest --organization acme",
        "release list --organization acme --integration crm-sync",
        "release show function --organization acme --integration crm-sync",
        "job list --organization acme",
        "audit list --organization acme",
    ] {
        let (nodes, split) = (workshop.nodes.clone(), words.split(' ').collect::<Vec<_>>());
        let (status, output) = tokio::task::spawn_blocking(move || nodes.runs(&split)).await.unwrap();
        assert!(status == "0" || words == "doctor", "{words}: {output}");
        heard.add(words, output);
    }
}
