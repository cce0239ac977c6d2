//! Secrets that are recognized wherever they show: none may show anywhere.

use super::{Outside, Workshop};
use connect::run::{Mode, Source};
use kernel::{Actor, Environment};
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
        let secrets = [
            ("a token of an outside system", TOKENS.to_owned()),
            ("the token of the company's own system", OWN_TOKEN.to_owned()),
            ("the client secret at the outside system", testkit::standins::CLIENT_SECRET.to_owned()),
            ("the master key", workshop.world.master_key()),
            ("the secret that signs tokens", workshop.company.secret().to_owned()),
            ("the endpoint's secret", workshop.endpoint_secret.trim_start_matches("whsec_").to_owned()),
            ("an API key", key.clone()),
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

const SCOPES: [&str; 7] = [
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
        "job list --organization acme",
        "audit list --organization acme",
    ] {
        let (nodes, split) = (workshop.nodes.clone(), words.split(' ').collect::<Vec<_>>());
        let (status, output) = tokio::task::spawn_blocking(move || nodes.runs(&split)).await.unwrap();
        assert!(status == "0" || words == "doctor", "{words}: {output}");
        heard.add(words, output);
    }
}
