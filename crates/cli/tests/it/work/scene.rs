//! A company with programs that run: what the tests of runs begin with.

use connect::integration::Integration;
use connect::release::Release;
use kernel::ids::{IntegrationId, RunId, TenantId, TriggerId};
use kernel::{Actor, Environment};
use serde_json::Value;
use service::admin::Holder;
use service::work::release_build::{Order, Source};
use service::work::run_control::{Asked, Desk, Synced};
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use testkit::world::{Company, Engine, World};

/// A real process does it, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_vestibule");

/// Asks until it is there.
pub(super) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Acme, whose integration `notion-sync` runs programs of a test's making, and Anna, who has it.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) acme: Company,
    pub(super) tenant: TenantId,
    pub(super) integration: IntegrationId,
    /// Files here are seen by the programs, too.
    pub(super) shared: tempfile::TempDir,
}

impl Scene {
    /// Anna has connected, and nothing has run yet: there is no release, and nobody works.
    pub(super) async fn new(engine: Engine) -> Self {
        Self::of(World::build(engine).programs(PROGRAM).start().await).await
    }

    pub(super) async fn of(world: World) -> Self {
        let acme = world.organization("acme").await;
        let connected = world.person().connects(&acme, "notion", &acme.token("notion").sign()).await;
        let tenant = TenantId::parse(&connected["id"].to_string()).unwrap();
        // A test that moves the clock shall not meet the schedule of its integration.
        world.change("DELETE FROM schedules").await;
        let all = world.service().all_integrations(&acme.id, acme.environment).await.unwrap();
        let found = all.iter().find(|it: &&Integration| it.name.as_str() == "notion-sync").unwrap();
        let integration = found.id;
        Self { world, acme, tenant, integration, shared: tempfile::tempdir().unwrap() }
    }

    pub(super) fn holder(&self) -> Holder {
        Holder { organization: self.acme.id.clone(), environment: Environment::Sandbox }
    }

    pub(super) fn desk(&self) -> Desk {
        let (organization, environment) = (self.acme.id.clone(), Environment::Sandbox);
        Desk { organization, environment, actor: Actor::Operator }
    }

    /// Builds a release of these files, `{shared}` filled in. The first becomes the one that is run.
    pub(super) async fn release(&self, tag: &str, files: &[(&str, &str)]) -> Release {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let content = content.replace("{shared}", &self.shared.path().display().to_string());
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let order = Order {
            organization: self.acme.id.clone(),
            environment: Environment::Sandbox,
            integration: self.integration,
            tag: tag.to_owned(),
        };
        let source = Source::Folder(folder.path().to_owned());
        let built = self.world.service().build_release(&Actor::Operator, &order, &source, &mut |_| {}).await;
        built.unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// What its runs are signed with.
    pub(super) async fn release_secret(&self, tag: &str) -> String {
        let service = self.world.service();
        let release = service.release_named(&self.holder(), self.integration, tag).await.unwrap();
        let secret = service.show_release_secret(&Actor::Operator, &release).await.unwrap();
        secret.unwrap().reveal().to_owned()
    }

    /// A release of one Python program under `manifest`, which says everything but `run`.
    pub(super) async fn python(&self, manifest: &str, program: &str) -> Release {
        let manifest = format!("version: 1\nrun: python3 main.py\n{manifest}");
        self.release("1.0", &[("vestibule.yaml", &manifest), ("main.py", program)]).await
    }

    pub(super) async fn sync(&self) -> TriggerId {
        self.asks(connect::run::Mode::Normal, None).await
    }

    pub(super) async fn asks(&self, mode: connect::run::Mode, payload: Option<Value>) -> TriggerId {
        let asked = Asked { source: connect::run::Source::Api, mode, payload };
        match self.world.service().sync_tenant(&self.desk(), self.tenant, asked).await.unwrap() {
            Synced::Triggered(trigger) => trigger,
            other => panic!("{other:?}"),
        }
    }

    /// The tenant's runs, newest first, in the published shape.
    pub(super) async fn runs(&self) -> Vec<Value> {
        let page = store::Page { sort: store::runs::Sort::Id, descending: true, limit: 500, skip: 0 };
        self.world.service().runs(&self.holder(), Some(self.tenant), page).await.unwrap().unwrap().0
    }

    /// The run of a trigger once it has ended, with what only the operator sees.
    pub(super) async fn ended(&self, trigger: TriggerId) -> Value {
        let id = until("a run to end", || async {
            let status = self.world.service().trigger_status(&self.holder(), trigger).await.unwrap()?;
            (!status["completed_date"].is_null()).then(|| status["run_id"].as_i64().unwrap())
        });
        self.in_full(id.await).await
    }

    /// Asks for a run and waits for its end.
    pub(super) async fn runs_once(&self) -> Value {
        let trigger = self.sync().await;
        self.ended(trigger).await
    }

    pub(super) async fn in_full(&self, id: i64) -> Value {
        let id = RunId::new(id).unwrap();
        self.world.service().run_in_full(&self.holder(), id).await.unwrap().unwrap()
    }

    /// The init run, which waits from the connecting on.
    pub(super) async fn init_ended(&self) -> Value {
        let id = until("the init run to end", || async {
            let run = self.runs().await.pop()?;
            (!run["status"]["completionTime"].is_null()).then(|| run["id"].as_i64().unwrap())
        });
        self.in_full(id.await).await
    }

    /// The newest run once it is in this phase.
    pub(super) async fn newest_in(&self, phase: &str) -> i64 {
        until(phase, || async {
            let run = self.runs().await.into_iter().next()?;
            (run["status"]["phase"] == phase).then(|| run["id"].as_i64().unwrap())
        })
        .await
    }

    pub(super) async fn log(&self, run: &Value) -> String {
        let id = RunId::new(run["id"].as_i64().unwrap()).unwrap();
        let parts = self.world.service().log_parts(id, 0).await.unwrap();
        parts.into_iter().map(|part| part.body).collect()
    }

    /// A line that a program wrote into the shared folder.
    pub(super) async fn line(&self, file: &str) -> String {
        let path = self.shared.path().join(file);
        until(file, || async { std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')) })
            .await
    }

    pub(super) fn write(&self, file: &str, content: &str) {
        std::fs::write(self.shared.path().join(file), content).unwrap();
    }

    pub(super) fn there(&self, file: &str) -> bool {
        Path::new(&self.shared.path().join(file)).exists()
    }
}

pub(super) fn phase(run: &Value) -> &str {
    run["status"]["phase"].as_str().unwrap()
}
