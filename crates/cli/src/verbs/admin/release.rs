//! `vestibule release ..`: versions of integrations that can run.

use super::{ACTOR, Desk};
use crate::verbs::output::note;
use anyhow::bail;
use connect::release::{Release, Standing};
use kernel::Plain;
use serde_json::{Value, json};
use service::work::git::Repository;
use service::work::release_build::{Order, Source};
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Builds a release from a folder or a git repository
    Build(Build),
    /// An integration's releases, the newest first
    List {
        /// Its name or id
        #[arg(long, value_name = "INTEGRATION")]
        integration: String,
    },
    /// One release with what its manifest says
    Show(One),
    /// The secret that the runs of an `http` release are signed with: the same for all releases of the integration
    Secret(One),
    /// Makes a release what the channel `Default` means
    Default(One),
    /// Deletes a release that nothing leads to
    Delete(One),
}

#[derive(Debug, clap::Args)]
pub struct One {
    /// Its tag or id
    #[arg(value_name = "RELEASE")]
    release: String,
    /// The integration's name or id
    #[arg(long, value_name = "INTEGRATION")]
    integration: String,
}

#[derive(Debug, clap::Args)]
pub struct Build {
    /// The integration's name or id
    #[arg(long, value_name = "INTEGRATION")]
    integration: String,
    /// What the release is called, as in 1.4.0
    #[arg(long, value_name = "TEXT")]
    tag: String,
    /// The folder with the manifest
    #[arg(long, value_name = "FOLDER", conflicts_with = "git")]
    from: Option<PathBuf>,
    /// A repository (https, ssh or file) instead of the one that the integration has
    #[arg(long, value_name = "URL")]
    git: Option<String>,
    /// The branch or tag of the repository
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    branch: Option<String>,
    /// The folder inside the repository
    #[arg(long, value_name = "PATH", conflicts_with = "from")]
    path: Option<String>,
}

fn record(release: &Release, is_default: bool) -> Value {
    let failure = match &release.standing {
        Standing::Failed(why) => Some(why),
        _ => None,
    };
    json!({
        "id": release.id,
        "release": release.name,
        "tag": release.tag,
        "state": release.standing.word(),
        "default": is_default,
        "branch": release.branch,
        "revision": release.revision,
        "run": release.manifest.run,
        "url": release.manifest.url,
        "version": release.manifest.version,
        "connectors": release.manifest.connectors,
        "bytes": release.archive.as_ref().map(|archive| archive.bytes),
        "sha256": release.archive.as_ref().map(|archive| &archive.hash),
        "failure": failure,
        "created": release.created.iso_seconds(),
    })
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Build(build) => self::build(build, desk).await,
        Action::List { integration } => {
            let integration = desk.service.integration_named(&holder, &integration).await?;
            let found = desk.service.newest_releases(&holder, integration.id).await?;
            let records: Vec<_> =
                found.iter().map(|it| record(it, integration.default_release == Some(it.id))).collect();
            let fields = ["id", "release", "state", "default", "branch", "run", "created"];
            Ok(desk.out.list(&records, &fields)?)
        }
        Action::Show(one) => {
            let integration = desk.service.integration_named(&holder, &one.integration).await?;
            let release = desk.service.release_named(&holder, integration.id, &one.release).await?;
            let mut shown = record(&release, integration.default_release == Some(release.id));
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("configs".to_owned(), json!(release.manifest.configs));
                fields.insert("metadata_schema".to_owned(), json!(release.manifest.metadata_schema));
            }
            Ok(desk.out.one(&shown)?)
        }
        Action::Secret(one) => {
            let integration = desk.service.integration_named(&holder, &one.integration).await?;
            let release = desk.service.release_named(&holder, integration.id, &one.release).await?;
            let Some(secret) = desk.service.show_release_secret(&ACTOR, &release).await? else {
                bail!("the runs of {} are programs of this machine; nothing is signed", release.name);
            };
            let said =
                format!("Give it to whatever answers at {}:", release.manifest.url.unwrap_or_default());
            let record = json!({ "id": release.id, "release": release.name });
            Ok(desk.out.secret(record, &Plain::presented(secret.reveal()), &said)?)
        }
        Action::Default(one) => {
            let integration = desk.service.integration_named(&holder, &one.integration).await?;
            let release = desk.service.release_named(&holder, integration.id, &one.release).await?;
            desk.service.set_default_release(&ACTOR, &holder, integration.id, release.id).await?;
            let said = format!("{} is the default of {} now", release.name, integration.name);
            Ok(desk.out.done(&record(&release, true), &said)?)
        }
        Action::Delete(one) => {
            let integration = desk.service.integration_named(&holder, &one.integration).await?;
            let release = desk.service.release_named(&holder, integration.id, &one.release).await?;
            desk.service.delete_release(&ACTOR, &holder, &release).await?;
            Ok(desk.out.done(&record(&release, false), &format!("{} is deleted", release.name))?)
        }
    }
}

async fn build(build: Build, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let integration = desk.service.integration_named(&holder, &build.integration).await?;
    let source = match (build.from, build.git, &integration.repository) {
        (Some(folder), _, _) => Source::Folder(folder),
        (None, Some(url), _) => Source::Git(Repository { url, branch: build.branch }, build.path),
        (None, None, Some(known)) => {
            let branch = build.branch.or_else(|| known.branch.clone());
            let path = build.path.or_else(|| known.path.clone());
            Source::Git(Repository { url: known.url.clone(), branch }, path)
        }
        (None, None, None) => bail!(
            "say --from FOLDER or --git URL; {} has no repository of its own (`vestibule integration set`)",
            integration.name
        ),
    };
    let order = Order {
        organization: holder.organization.clone(),
        environment: holder.environment,
        integration: integration.id,
        tag: build.tag,
    };
    let mut log = |piece: &[u8]| {
        // Where it cannot be written nobody reads it.
        let _ = std::io::stderr().write_all(piece);
    };
    let release = desk.service.build_release(&ACTOR, &order, &source, &mut log).await?;
    let is_default = integration.default_release.is_none();
    if !is_default {
        note(&format!(
            "tenants that follow `Default` go on with the old one; `vestibule release default {} --integration {}` changes that",
            release.tag, integration.name
        ));
    }
    Ok(desk.out.done(&record(&release, is_default), &format!("{} is ready", release.name))?)
}
