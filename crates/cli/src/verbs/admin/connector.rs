//! `vestibule connector ..`

use super::{ACTOR, Desk, Output};
use anyhow::Context as _;
use connect::connector::{Definition, Policy, Way};
use kernel::Environment;
use serde_json::{Value, json};
use service::admin::connectors::Listed;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Those that ship, those of the operator's folder and, with --organization, that organization's own
    List,
    /// What a connector asks for and does
    Show { connector: String },
    /// Reads connector files and says what is wrong in them, with file, line and field
    Check {
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Stores an organization's own connector for both environments, or a new version of it
    Add { file: PathBuf },
}

impl Action {
    /// The files of `connector check`, which needs no database.
    pub(super) fn files_to_check(&self) -> Option<&[PathBuf]> {
        match self {
            Self::Check { files } => Some(files),
            _ => None,
        }
    }
}

fn way(definition: &Definition) -> String {
    match definition.way() {
        Way::SignIn => "sign-in".to_owned(),
        Way::Form => "form".to_owned(),
        Way::Nothing => "nothing asked".to_owned(),
        Way::NotYet(what) => format!("not yet ({what})"),
    }
}

fn record(listed: &Listed) -> Value {
    let definition = &listed.definition;
    json!({
        "connector": definition.id,
        "name": definition.name,
        "kind": definition.kind.as_str(),
        "connects_by": way(definition),
        "needs_app": definition.needs_app(),
        "global": listed.global,
        "environment": listed.environment.map(Environment::as_str),
    })
}

fn detail(listed: &Listed) -> Value {
    let definition = &listed.definition;
    let mut record = record(listed);
    let Some(fields) = record.as_object_mut() else { return record };
    let inputs: Vec<_> = definition.inputs.iter().map(|input| input.key.clone()).collect();
    let scopes = definition.authorize.as_ref().map(|authorize| authorize.scope.default.clone());
    fields.insert("inputs".to_owned(), json!(inputs));
    fields.insert("scopes".to_owned(), json!(scopes.unwrap_or_default()));
    fields.insert("app_fields".to_owned(), json!(definition.app_fields));
    fields.insert("verified".to_owned(), json!(definition.verify.is_some()));
    fields.insert("revoked_outside".to_owned(), json!(definition.revoke.is_some()));
    fields.insert("webhook_scheme".to_owned(), json!(definition.webhook.is_some()));
    fields.insert("documentation".to_owned(), json!(definition.docs_url));
    record
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    match action {
        Action::List => {
            let listed = known(desk).await?;
            let records: Vec<_> = listed.iter().map(record).collect();
            desk.out.list(
                &records,
                &["connector", "name", "kind", "connects_by", "needs_app", "global", "environment"],
            )?;
        }
        Action::Show { connector } => {
            let listed = known(desk).await?;
            let found = listed.iter().find(|listed| listed.definition.id.as_str() == connector);
            let found = found.with_context(|| {
                format!("there is no connector `{connector}`; `vestibule connector list` shows them")
            })?;
            desk.out.one(&detail(found))?;
        }
        Action::Add { file } => {
            let organization = desk.organization().await?;
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file).with_context(|| format!("{name} cannot be read"))?;
            let stored = desk.service.put_connector(&ACTOR, &organization.id, &name, &text).await?;
            let record = json!({ "connector": stored.id, "organization": organization.slug });
            desk.out.done(&record, &format!("{} has the connector {}", organization.slug, stored.id))?;
        }
        Action::Check { .. } => {}
    }
    Ok(())
}

/// With an organization, its own connectors too; without one, the gateway's.
async fn known(desk: &Desk<'_>) -> anyhow::Result<Vec<Listed>> {
    let owner = match &desk.scope.organization {
        Some(_) => Some(desk.organization().await?.id),
        None => None,
    };
    // The sandbox sees what production sees, and its own.
    let environment = desk.scope.environment.unwrap_or(Environment::Sandbox);
    Ok(desk.service.connectors(owner.as_ref(), environment).await?)
}

/// # Errors
/// Where a file has problems; they were all told.
pub(super) fn check(files: &[PathBuf], policy: Policy, mut out: Output<'_>) -> anyhow::Result<()> {
    let (mut records, mut wrong) = (Vec::new(), 0);
    for file in files {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| format!("{name} cannot be read"))?;
        let (connector, problems) = match Definition::parse(&name, &text, policy) {
            Ok(definition) => (Some(definition.id), Vec::new()),
            Err(problems) => (None, problems),
        };
        if !out.is_json() {
            match &connector {
                Some(connector) => out.text(&format!("{name}: {connector} is without problems"))?,
                None => problems.iter().try_for_each(|problem| out.text(&problem.to_string()))?,
            }
        }
        wrong += usize::from(connector.is_none());
        let problem = |problem: &connect::connector::Problem| json!({ "line": problem.line, "field": problem.field, "text": problem.text });
        let problems: Vec<_> = problems.iter().map(problem).collect();
        records.push(json!({ "file": name, "connector": connector, "problems": problems }));
    }
    if out.is_json() {
        out.list(&records, &[])?;
    }
    anyhow::ensure!(wrong == 0, "{wrong} of {} files cannot be used", files.len());
    Ok(())
}
