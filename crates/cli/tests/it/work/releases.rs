//! Releases: built from folders and repositories, kept, unpacked, chosen.

use super::git_server::{GitServer, commit, repository, run_git};
use connect::release::{Release, Standing};
use kernel::{Actor, Environment};
use reqwest::Method;
use serde_json::{Value, json};
use service::admin::Holder;
use service::admin::releases::Which;
use service::work::git::Repository;
use service::work::release_build::{BuildRefused, Order, Source};
use service::work::release_folder::FolderRefused;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;
use testkit::on_both;
use testkit::world::{Answer, Company, Engine, World};

const EXECUTABLE: &str = env!("CARGO_BIN_EXE_vestibule");
const MANIFEST: &str = "version: 1\nrun: ./run.sh\n";

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

struct Scene {
    world: World,
    acme: Company,
    git: GitServer,
    key: String,
    integration: i64,
}

impl Scene {
    async fn on(engine: Engine) -> Self {
        let git = GitServer::start().await;
        let world = World::build(engine).reaching(git.address()).programs(EXECUTABLE).start().await;
        let acme = world.organization("acme").await;
        let key =
            acme.api_key(&["integrations:read", "integrations:write", "tenants:read", "tenants:write"]).await;
        let list = world.person().calls(&key, "/v2/integrations").await.json();
        let integration = list[0]["id"].as_i64().unwrap();
        Self { world, acme, git, key, integration }
    }

    fn order(&self, tag: &str) -> Order {
        Order {
            organization: self.acme.id.clone(),
            environment: Environment::Sandbox,
            integration: kernel::ids::IntegrationId::new(self.integration).unwrap(),
            tag: tag.to_owned(),
        }
    }

    fn holder(&self) -> Holder {
        Holder { organization: self.acme.id.clone(), environment: Environment::Sandbox }
    }

    async fn build(&self, tag: &str, source: Source) -> Result<Release, BuildRefused> {
        let mut log = Vec::new();
        let mut write = |piece: &[u8]| log.extend_from_slice(piece);
        self.world.service().build_release(&Actor::Operator, &self.order(tag), &source, &mut write).await
    }

    async fn asks(&self, method: Method, path: &str, body: &Value) -> Answer {
        let ask = self.world.person().ask(method, path).header("x-api-key", &self.key);
        ask.body("application/json", body.to_string()).await
    }

    async fn registers(&self, repository: &str) {
        let path = format!("/v2/integrations/{}", self.integration);
        let body = json!({ "repository_url": self.git.url(repository) });
        let answer = self.asks(Method::PATCH, &path, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    async fn orders(&self, tag: &str) -> Answer {
        let body = json!({ "tag": tag, "integration_id": self.integration });
        self.asks(Method::POST, "/v2/sourcecontrol/build?mode=x&source=anything", &body).await
    }

    async fn standing(&self, tag: &str) -> Standing {
        let id = self.order(tag).integration;
        self.world.service().release_named(&self.holder(), id, tag).await.unwrap().standing
    }

    async fn ends(&self, tag: &str) -> Standing {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let standing = self.standing(tag).await;
            if standing != Standing::Building {
                return standing;
            }
            assert!(tokio::time::Instant::now() < deadline, "{tag} is still being built");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

on_both! {
    async fn a_folder_becomes_a_release(engine: Engine) {
        let scene = Scene::on(engine).await;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[
            ("vestibule.yaml", "version: 3\nbuild: 'echo \"$HOME\" > home; printf built > out/result; pwd >&2; env | sort > environment'\nrun: ./run.sh\n"),
            ("run.sh", "#!/bin/sh\n"), ("out/keep", ""),
        ]);
        std::fs::set_permissions(folder.path().join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("out", folder.path().join("same")).unwrap();
        let release = scene.build("1.0.0", Source::Folder(folder.path().to_owned())).await.unwrap();
        assert!(release.is_ready());
        assert!(!folder.path().join("out/result").exists(), "the folder itself stays as it was");
        let service = scene.world.service();
        let unpacked = service.release_folder(&release).await.unwrap();
        let at = |path: &str| unpacked.path().join(path);
        assert_eq!(std::fs::read_to_string(at("same/result")).unwrap(), "built");
        assert_eq!(std::fs::metadata(at("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
        // A build sees what it is given and nothing of the gateway.
        let environment = std::fs::read_to_string(at("environment")).unwrap();
        let names: Vec<_> = environment.lines().filter_map(|line| line.split('=').next()).collect();
        assert_eq!(names.into_iter().filter(|name| !["_", "PWD", "OLDPWD", "SHLVL"].contains(name)).collect::<Vec<_>>(), ["CI", "HOME", "PATH", "TMPDIR"]);
        assert!(!Path::new(std::fs::read_to_string(at("home")).unwrap().trim()).exists(), "its home is gone");
        // What a run writes beside the release is its own.
        let scratch = tempfile::tempdir().unwrap();
        unpacked.lay_out(scratch.path()).unwrap();
        std::fs::write(scratch.path().join("mine"), "x").unwrap();
        assert_eq!(std::fs::read_to_string(scratch.path().join("out/result")).unwrap(), "built");
        assert!(!at("mine").exists());

        // The first one is what `Default` means, until somebody says otherwise; `Latest` moves on.
        std::fs::write(folder.path().join("run.sh"), "#!/bin/sh\necho 2\n").unwrap();
        let second = scene.build("1.1.0", Source::Folder(folder.path().to_owned())).await.unwrap();
        let id = scene.order("").integration;
        let which = async |which| service.release(&scene.holder(), id, which).await.unwrap().id;
        assert_eq!((which(Which::Default).await, which(Which::Latest).await), (release.id, second.id));
        assert!(matches!(scene.build("1.1.0", Source::Folder(folder.path().to_owned())).await, Err(BuildRefused::Taken(_))));
    }

    async fn many_at_once_unpack_a_release_once(engine: Engine) {
        let scene = Scene::on(engine).await;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("vestibule.yaml", MANIFEST), ("run.sh", "x")]);
        let release = scene.build("1", Source::Folder(folder.path().to_owned())).await.unwrap();
        let service = scene.world.service();
        let asked = (0..32).map(|_| { let (service, release) = (service.clone(), release.clone());
            tokio::spawn(async move { service.release_folder(&release).await.unwrap() }) });
        let mut folders = Vec::new();
        for one in asked.collect::<Vec<_>>() {
            folders.push(one.await.unwrap());
        }
        assert!(folders.iter().all(|one| one.path() == folders[0].path()));
        assert_eq!(std::fs::read_to_string(folders[0].path().join("run.sh")).unwrap(), "x");
        // What was changed in the database is not unpacked anywhere.
        let other = scene.build("2", Source::Folder(folder.path().to_owned())).await.unwrap();
        scene.world.change("UPDATE release_parts SET body = 'AAAA' WHERE release_id = (SELECT MAX(id) FROM releases)").await;
        let refused = service.release_folder(&other).await.unwrap_err().to_string();
        assert!(refused.contains("not what was stored"), "{refused}");
    }

    async fn what_cannot_be_a_release_is_said(engine: Engine) {
        let scene = Scene::on(engine).await;
        let table: [(&[(&str, &str)], &str); 5] = [
            (&[("run.sh", "")], "there is no vestibule.yaml"),
            (&[("vestibule.yaml", "version: 1\nrum: x\nrun: y\n")], "vestibule.yaml:2: rum: there is no such field; did you mean `run`?"),
            (&[("PANDIUM.yaml", "version: 1\n")], "PANDIUM.yaml:1: run: this must be there"),
            (&[("vestibule.yaml", "version: 1\nrun: x\nbuild: 'echo no luck >&2; exit 3'\n")], "the build ended with exit code 3"),
            (&[("vestibule.yaml", "version: 1\nrun: x\nbuild: ln -s /etc/passwd users\n")], "`users` is a link that leads out"),
        ];
        for (files, expected) in table {
            let folder = tempfile::tempdir().unwrap();
            write(folder.path(), files);
            let refused = scene.build("1", Source::Folder(folder.path().to_owned())).await.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        for tag in ["", "a b", "../x"] {
            assert!(matches!(scene.build(tag, Source::Folder(".".into())).await, Err(BuildRefused::Invalid(_))), "{tag}");
        }
        assert_eq!(scene.world.count("releases").await, 0);
    }

    async fn a_repository_is_built_from_the_command_line_by_file_too(engine: Engine) {
        let scene = Scene::on(engine).await;
        let path = scene.git.path("local");
        repository(&path, &[("apps/orders/vestibule.yaml", MANIFEST), ("apps/orders/run.sh", "main"), ("top", "")]);
        run_git(&path, &["checkout", "--quiet", "-b", "next"]);
        let revision = commit(&path, &[("apps/orders/run.sh", "next")]);
        let url = format!("file://{}", path.display());
        let source = |branch: Option<&str>, inner: &str| {
            Source::Git(Repository { url: url.clone(), branch: branch.map(str::to_owned) }, Some(inner.to_owned()))
        };
        let release = scene.build("1", source(Some("next"), "apps/orders")).await.unwrap();
        assert_eq!((release.branch.as_deref(), release.revision.as_ref()), (Some("next"), Some(&revision)));
        let unpacked = scene.world.service().release_folder(&release).await.unwrap();
        assert_eq!(std::fs::read_to_string(unpacked.path().join("run.sh")).unwrap(), "next");
        assert!(!unpacked.path().join("top").exists(), "only the folder of the manifest is kept");
        let main = scene.build("2", source(Some("main"), "apps/orders")).await.unwrap();
        assert_ne!(main.revision, release.revision);
        for (bad, expected) in [
            (source(Some("nothing"), "apps/orders"), "git ended with exit code"),
            (source(None, "apps/other"), "no folder `apps/other`"),
            (source(None, "../../etc"), "a path is folders"),
            (source(Some("--upload-pack=x"), "apps"), "no name of a branch"),
        ] {
            let refused = scene.build("3", bad).await.unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        symlink("/etc", path.join("out")).unwrap();
        commit(&path, &[]);
        let refused = scene.build("3", source(None, "out")).await.unwrap_err().to_string();
        assert!(refused.contains("no folder `out`"), "{refused}");
    }

    async fn a_program_orders_a_release(engine: Engine) {
        let scene = Scene::on(engine).await;
        let unregistered = scene.orders("1.0.0").await;
        assert_eq!(unregistered.status, 422);
        assert!(unregistered.json()["message"].as_str().unwrap().contains("has no repository"));
        let path = scene.git.path("orders.git");
        let manifest = "version: 7\nrun: ./run.sh\nconnectors: [hubspot]\nconfigs:\n  schema: {type: object, properties: {limit: {type: integer}}}\n";
        repository(&path, &[("vestibule.yaml", manifest), ("run.sh", "one")]);
        scene.registers("orders.git").await;
        let made = scene.orders("1.0.0").await;
        assert_eq!(made.status, 201, "{}", made.text());
        let release = made.json();
        assert_eq!(release["tag"], "1.0.0");
        assert_eq!(release["config_version"], "7");
        assert_eq!(release["run_command"], "./run.sh");
        assert_eq!(release["repository_tracking_branch"], "main");
        assert_eq!(release["config_schema"]["schema"]["properties"]["limit"]["type"], "integer");
        assert_eq!(release["metadata_schema"], Value::Null);
        let names: Vec<_> = release.as_object().unwrap().keys().collect();
        assert_eq!(names, ["id", "name", "repository_tracking_branch", "run_command", "tag", "config_schema", "config_version", "metadata_schema", "created_date", "modified_date"]);
        let base = format!("/v2/integrations/{}/releases", scene.integration);
        let program = scene.world.person();
        let read = async |path: String| program.calls(&scene.key, &path).await;
        for path in [format!("{base}/latest"), format!("{base}/default"), format!("{base}/{}", release["id"])] {
            assert_eq!(read(path.clone()).await.json()["id"], release["id"], "{path}");
        }
        let list = read(base.clone()).await;
        assert_eq!((list.header("x-total-count"), list.json()[0]["id"].clone()), ("1", release["id"].clone()));
        // What stands in the way is said, and nothing is left of it.
        assert_eq!(scene.orders("1.0.0").await.status, 409);
        let body = json!({ "tag": "2", "integration_id": 4711 });
        assert_eq!(scene.asks(Method::POST, "/v2/sourcecontrol/build", &body).await.status, 404);
        assert_eq!(scene.asks(Method::POST, "/v2/sourcecontrol/build", &json!({"tag": "2"})).await.status, 422);
        let body = json!({ "tag": "2", "integration_id": scene.integration, "branch": "nothing" });
        let refused = scene.asks(Method::POST, "/v2/sourcecontrol/build", &body).await;
        assert_eq!(refused.status, 422, "{}", refused.text());
        commit(&path, &[("vestibule.yaml", "version: 1\nrun: [x]\n")]);
        let refused = scene.orders("2").await;
        assert_eq!((refused.status, refused.json()), (422, json!({"message": "vestibule.yaml:2: run: expected a text, found a list"})));
        assert_eq!(scene.world.count("releases").await, 1);
        // Another company sees none of it.
        let stranger = scene.world.organization("other").await.api_key(&["integrations:read", "integrations:write"]).await;
        assert_eq!(program.calls(&stranger, &base).await.status, 404);
        assert_eq!(program.calls(&stranger, &format!("{base}/{}", release["id"])).await.status, 404);
        let reading = scene.acme.api_key(&["integrations:read"]).await;
        let ask = program.post("/v2/sourcecontrol/build").header("x-api-key", &reading);
        assert_eq!(ask.body("application/json", body.to_string()).await.status, 403);
    }

    async fn a_release_whose_files_are_gone_is_refused_with_a_code(engine: Engine) {
        let scene = Scene::on(engine).await;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &[("vestibule.yaml", MANIFEST), ("run.sh", "x")]);
        let built = async |tag: &str| scene.build(tag, Source::Folder(folder.path().to_owned())).await.unwrap();
        let (default, old) = (built("0").await, built("1").await);
        for number in 2..2 + store::releases::retirement::NEWEST {
            built(&number.to_string()).await;
        }
        let service = scene.world.service();
        let lies = service.release_folder(&old).await.unwrap().path().to_owned();
        assert!(lies.is_dir());
        let tenant = scene.asks(Method::POST, "/v2/tenants", &json!({"name": "anna", "integration_id": scene.integration})).await.json();
        let sweep = async || store::retention::sweep(&service.db, service.clock.now()).await.unwrap().work.release_parts;
        let one = json!({"integration_release_id": old.id});
        let (tenant, integration) = (format!("/v2/tenants/{}", tenant["id"]), format!("/v2/integrations/{}", scene.integration));
        // Whoever has chosen it keeps it, and has a while to go back to it.
        assert_eq!(scene.asks(Method::PATCH, &tenant, &one).await.status, 200);
        scene.world.pass_seconds(store::retention::RELEASES_S + 1);
        assert_eq!(sweep().await, 0);
        assert_eq!(scene.asks(Method::PATCH, &tenant, &json!({"integration_release_id": null})).await.status, 200);
        scene.world.pass_seconds(store::retention::RELEASES_S);
        assert_eq!(sweep().await, 0);
        assert_eq!(scene.asks(Method::PATCH, &tenant, &one).await.status, 200);
        assert_eq!(scene.asks(Method::PATCH, &tenant, &json!({"integration_release_channel": "Latest"})).await.status, 200);
        scene.world.pass_seconds(store::retention::RELEASES_S + 1);
        assert_eq!(sweep().await, 1);
        for (path, body) in [(&tenant, one), (&integration, json!({"default_release_id": old.id}))] {
            let refused = scene.asks(Method::PATCH, path, &body).await;
            assert_eq!((refused.status, &refused.json()["detail"][0]["type"]), (422, &json!("release_retired")), "{}", refused.text());
            assert!(refused.text().contains("are gone"), "{}", refused.text());
        }
        let program = scene.world.person();
        let base = format!("{integration}/releases");
        let list = program.calls(&scene.key, &base).await;
        let listed = list.json().as_array().unwrap().iter().any(|it| it["id"] == json!(old.id));
        assert_eq!((listed, list.header("x-total-count")), (false, "11"));
        // What ran once can still be told.
        assert_eq!(program.calls(&scene.key, &format!("{base}/{}", old.id)).await.json()["tag"], "1");
        let again = scene.build("1", Source::Folder(folder.path().to_owned())).await;
        assert!(matches!(again, Err(BuildRefused::Taken(_))));
        // The machine has not used it for as long.
        let now = service.release(&scene.holder(), scene.order("").integration, Which::Exactly(old.id)).await.unwrap();
        assert!(matches!(service.release_folder(&now).await, Err(FolderRefused::Unusable(_))));
        let used = service.release_folder(&default).await.unwrap();
        assert_eq!(service.sweep_release_folders().await.unwrap(), 1);
        assert!(!lies.exists() && used.path().join("run.sh").exists());
        // While it is in use it stays, however long that is.
        scene.world.pass_seconds(store::retention::RELEASES_S + 1);
        assert_eq!(service.sweep_release_folders().await.unwrap(), 0);
        drop(used);
        assert_eq!(service.sweep_release_folders().await.unwrap(), 1);
        assert!(service.release_folder(&default).await.unwrap().path().join("run.sh").exists(), "it is unpacked anew");
    }

    async fn a_build_command_runs_on_a_worker(engine: Engine) {
        let scene = Scene::on(engine).await;
        let path = scene.git.path("orders.git");
        repository(&path, &[("vestibule.yaml", "version: 1\nbuild: 'echo start >&2; cp run.sh built.sh'\nrun: ./built.sh\n"), ("run.sh", "one")]);
        scene.registers("orders.git").await;
        assert_eq!(scene.orders("1").await.status, 201);
        let latest = format!("/v2/integrations/{}/releases/latest", scene.integration);
        assert_eq!(scene.world.person().calls(&scene.key, &latest).await.status, 404, "nobody uses it yet");
        assert_eq!(scene.standing("1").await, Standing::Building);
        // What is built is what was seen when it was ordered.
        commit(&path, &[("run.sh", "two"), ("vestibule.yaml", "version: 1\nbuild: 'echo no luck >&2; exit 7'\nrun: x\n")]);
        scene.world.node.works();
        assert!(matches!(scene.ends("1").await, Standing::Ready(_)));
        let id = scene.order("").integration;
        let service = scene.world.service();
        let release = service.release(&scene.holder(), id, Which::Latest).await.unwrap();
        let unpacked = service.release_folder(&release).await.unwrap();
        assert_eq!(std::fs::read_to_string(unpacked.path().join("built.sh")).unwrap(), "one");
        assert_eq!(scene.world.count("release_parts WHERE part < 0").await, 0, "its source is gone");
        // One that fails says why, is nobody's, and leaves its tag to the next try.
        assert_eq!(scene.orders("2").await.status, 201);
        let Standing::Failed(why) = scene.ends("2").await else { panic!("it was built") };
        assert!(why.contains("exit code 7") && why.contains("no luck"), "{why}");
        assert_eq!(scene.world.person().calls(&scene.key, &latest).await.json()["id"], json!(release.id));
        commit(&path, &[("vestibule.yaml", MANIFEST)]);
        assert_eq!(scene.orders("2").await.status, 201);
        assert!(matches!(scene.ends("2").await, Standing::Ready(_)));
    }

    async fn a_repository_leads_nowhere_inside(engine: Engine) {
        let scene = Scene::on(engine).await;
        let path = format!("/v2/integrations/{}", scene.integration);
        for url in ["file:///etc", "ssh://git@127.0.0.1/x", "git@127.0.0.1:x", "ext::sh -c touch% /tmp/x", "https://user:pass@example.com/x", "/etc", "-u"] {
            let answer = scene.asks(Method::PATCH, &path, &json!({ "repository_url": url })).await;
            assert_eq!(answer.status, 422, "{url}");
        }
        // Registered, but not called: not on the operator's list.
        let inside = GitServer::start().await;
        repository(&inside.path("x"), &[("vestibule.yaml", MANIFEST)]);
        for url in [inside.url("x"), inside.url("x").replace("127.0.0.1", "localhost"), "https://169.254.169.254/x".to_owned()] {
            assert_eq!(scene.asks(Method::PATCH, &path, &json!({ "repository_url": url })).await.status, 200);
            let answer = scene.orders("1").await;
            assert_eq!(answer.status, 422, "{url}");
            assert!(answer.json()["message"].as_str().unwrap().contains("is not called"), "{}", answer.text());
        }
        assert_eq!(scene.world.count("releases").await, 0);
    }
}
