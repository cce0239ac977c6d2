//! A company with tenants whose work leaves traces: what ran, what ran at the same time, what was told.

use super::{Dice, Nodes, Outside, eventually};
use connect::run::{Mode, Source};
use kernel::ids::TenantId;
use kernel::{Actor, Environment};
use service::admin::Holder;
use service::work::endpoints::NewEndpoint;
use service::work::run_control::{Asked, Desk, Synced};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testkit::standins::{CLIENT_ID, CLIENT_SECRET};
use testkit::world::{Company, Person, World};

/// Of a release whose runs read nothing of the outside system: they go on while its tokens are being renewed.
pub(super) const MANIFEST: &str = "version: 1\nrun: sh run.sh\nconnectors: [gwt]\n";

/// What every run does: holds a lock of its tenant as long as anything of it lives, and says when it could not have
/// it; then works for a moment.
pub(super) const PROGRAM: &str = r#"
exec 9>>"{folder}/lock-$PAN_CTX_TENANT_ID"
flock -n 9 || echo "$PAN_CTX_TENANT_ID" >> "{folder}/overlaps"
echo "$PAN_CTX_TENANT_ID" >> "{folder}/begun"
sleep 0.$(( $$ % 3 ))
sleep 0.05
echo a line of the log >&2
echo "$PAN_CTX_TENANT_ID" >> "{folder}/ended"
echo '{"at": 1}'
"#;

pub(super) struct Workshop {
    pub(super) world: World,
    pub(super) outside: Outside,
    pub(super) company: Company,
    pub(super) tenants: Vec<TenantId>,
    pub(super) nodes: Nodes,
    pub(super) person: Person,
    pub(super) webhooks: Vec<String>,
    pub(super) endpoint: String,
    pub(super) endpoint_secret: String,
    folder: tempfile::TempDir,
}

impl Workshop {
    /// Every tenant runs a manifest's program, a shell script in which `{folder}` is a folder that stays.
    pub(super) async fn open(
        world: World,
        outside: Outside,
        tenants: usize,
        (manifest, program): (&str, &str),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let company = world.organization("acme").await;
        company.add_connector(&outside.connector()).await;
        let app = connect::credential::App {
            client_id: CLIENT_ID.to_owned(),
            client_secret: Some(kernel::SecretText::new(CLIENT_SECRET)),
            ..connect::credential::App::default()
        };
        company.put_app("crm", &app).await;
        company.integrate(&["crm"]).await;
        let nodes = Nodes::of(&world, &outside, folder.path());
        build(&nodes, folder.path(), manifest, &program.replace("{folder}", folder.path().to_str().unwrap()));
        let (person, mut ids, mut webhooks) = (world.person(), Vec::new(), Vec::new());
        for number in 0..tenants {
            let token = company.token("crm").sub(&format!("user-{number}@example.com")).sign();
            let tenant = world.person().connects(&company, "crm", &token).await;
            let id = TenantId::parse(&tenant["id"].to_string()).unwrap();
            webhooks.push(world.service().webhook_url(&company.id, id, None).await.unwrap().unwrap());
            ids.push(id);
        }
        let holder = Holder { organization: company.id.clone(), environment: Environment::Sandbox };
        let new = NewEndpoint { url: outside.url("/notices"), ..NewEndpoint::default() };
        let made = world.service().create_endpoint(&Actor::Operator, &holder, new).await.unwrap();
        let (endpoint, endpoint_secret) = (made.0.id.to_string(), made.1.reveal().to_owned());
        Self {
            world,
            outside,
            company,
            tenants: ids,
            nodes,
            person,
            webhooks,
            endpoint,
            endpoint_secret,
            folder,
        }
    }

    pub(super) fn desk(&self) -> Desk {
        Desk {
            organization: self.company.id.clone(),
            environment: Environment::Sandbox,
            actor: Actor::Operator,
        }
    }

    /// Something comes in: a run is asked for, a delivery arrives, a notice is to be sent.
    pub(super) async fn something_happens(&self, dice: &mut Dice) {
        let tenant = usize::try_from(dice.below(self.tenants.len() as u64)).unwrap();
        match dice.below(3) {
            0 => {
                let asked = Asked { source: Source::Api, mode: Mode::Normal, payload: None };
                let synced =
                    self.world.service().sync_tenant(&self.desk(), self.tenants[tenant], asked).await;
                assert!(matches!(synced, Ok(Synced::Triggered(_))), "{synced:?}");
            }
            1 => {
                let id = format!("msg_{}", dice.below(u64::MAX));
                let delivery = self.person.post(&self.webhooks[tenant]).header("webhook-id", &id);
                let answer = delivery.body("text/plain", "delivered").await;
                assert_eq!(answer.status, 202, "{}", answer.text());
            }
            _ => {
                let holder =
                    Holder { organization: self.company.id.clone(), environment: Environment::Sandbox };
                let service = self.world.service();
                service.test_endpoint(&Actor::Operator, &holder, &self.endpoint, None).await.unwrap();
            }
        }
    }

    /// Waits until nothing is left to do. Nodes must be working.
    pub(super) async fn is_done(&self, within: Duration) {
        eventually(within, || self.what_is_left()).await;
    }

    async fn what_is_left(&self) -> Option<String> {
        for left in [
            "deliveries WHERE trigger_id IS NULL",
            "triggers WHERE claimed_at IS NULL",
            "runs WHERE completed_at IS NULL",
            "notices WHERE state = 'waiting'",
            "jobs WHERE kind = 'run'",
        ] {
            let count = self.world.count(left).await;
            if count > 0 {
                return Some(format!("{count} of {left}"));
            }
        }
        None
    }

    /// Nothing was lost, nothing ran twice at the same time, everything was told.
    pub(super) async fn all_is_well(&self) {
        let mut failed = Vec::new();
        for mut row in self.world.rows("SELECT phase, reason FROM runs WHERE phase <> 'Succeeded'").await {
            failed.push((row.take::<String>().unwrap(), row.take::<Option<String>>().unwrap()));
        }
        assert_eq!(failed, []);
        assert_eq!(self.world.count("triggers WHERE run_id IS NULL").await, 0);
        assert_eq!(self.world.count("notices WHERE state <> 'delivered'").await, 0);
        assert_eq!(self.world.count("jobs WHERE state = 'dead'").await, 0);
        assert_eq!(self.world.count("connections WHERE status <> 'Connected'").await, 0);
        let overlaps = fs::read_to_string(self.folder.path().join("overlaps")).unwrap_or_default();
        assert_eq!(overlaps, "", "tenants of which two programs ran at the same time");
        let (begun, ended) = (self.lines("begun"), self.lines("ended"));
        let runs = usize::try_from(self.world.count("runs").await).unwrap();
        assert!(ended >= runs && begun >= ended, "{begun} begun, {ended} ended, of {runs}");
        let told = {
            let memory = self.outside.memory();
            assert_eq!(memory.renewed_twice_at_once, Vec::<u64>::new());
            memory.notices.len()
        };
        assert_eq!(i64::try_from(told).unwrap(), self.world.count("notices").await);
    }

    pub(super) fn lines(&self, file: &str) -> usize {
        fs::read_to_string(self.folder.path().join(file)).unwrap_or_default().lines().count()
    }

    /// Runs that a process is carrying out: each has a folder with both their numbers, `run-{run}.{process}.{count}`.
    pub(super) fn runs_of(&self, process: u32) -> Vec<i64> {
        let Ok(folders) = fs::read_dir(self.folder.path().join("programs/scratch")) else {
            return Vec::new();
        };
        let names = folders.flatten().map(|folder| folder.file_name().into_string().unwrap());
        let run_of = |name: String| {
            let mut parts = name.strip_prefix("run-")?.split('.');
            let run = parts.next()?.parse().ok()?;
            (parts.next()? == process.to_string()).then_some(run)
        };
        names.filter_map(run_of).collect()
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

/// Builds the release that all tenants run, by the command line.
pub(super) fn build(nodes: &Nodes, folder: &Path, manifest: &str, program: &str) {
    let source = folder.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("vestibule.yaml"), manifest).unwrap();
    fs::write(source.join("run.sh"), program).unwrap();
    let source = source.to_str().unwrap();
    let words = ["release", "build", "--organization", "acme", "--integration", "crm-sync", "--from", source];
    let (status, output) = nodes.runs(&[&words[..], &["--tag", "first"]].concat());
    assert_eq!(status, "0", "{output}");
}
