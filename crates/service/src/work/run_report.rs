//! What an integration at a URL of its own asks and tells with its run's token: credentials, and how the run stands.

use super::credential::{NoCredential, Which, Why};
use super::run_end::{Ended, Judged};
use super::run_http::end_of;
use crate::{Fault, Service};
use ::connect::release::Release;
use ::connect::run::Run;
use ::connect::run::environment::Secrets;
use ::connect::run::message::{Report, Reported};
use ::connect::tenant::Tenant;
use kernel::ids::RunId;
use kernel::{Environment, Plain, Slug};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use store::{releases, run_logs, runs, tenants};

/// What a report was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is kept.
    Kept,
    /// The token is none of an open run's, or another run's.
    Unknown,
}

/// What was asked with a run's token.
#[derive(Debug)]
pub enum Fetched {
    Credentials(Value),
    Unknown,
    No(NoCredential),
}

struct OpenRun {
    run: Run,
    tenant: Tenant,
    release: Option<Release>,
}

impl Service {
    /// The open run of this id in this environment whose token is presented.
    async fn run_of_token(
        &self,
        environment: Environment,
        id: RunId,
        token: &Plain,
    ) -> Result<Option<OpenRun>, Fault> {
        let hash = token.hashed();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let found = runs::by_token(tx, id, &hash).await?;
                let Some(run) = found.filter(|run| run.environment == environment) else {
                    return Ok(None);
                };
                let tenant = tenants::in_any_environment(tx, &run.organization, run.tenant).await?;
                let release = match run.release {
                    Some(release) => releases::by_id(tx, &run.organization, release).await?,
                    None => None,
                };
                Ok::<_, Fault>(tenant.map(|tenant| OpenRun { run, tenant, release }))
            })
        });
        read.await
    }

    /// How a run stands, from the integration itself: `Running` adds to its log, anything else ends it.
    ///
    /// # Errors
    /// [`Fault`]; nothing was kept then.
    pub async fn report_run(
        &self,
        environment: Environment,
        id: RunId,
        token: &Plain,
        report: Report,
    ) -> Result<Heard, Fault> {
        let Some(open) = self.run_of_token(environment, id, token).await? else { return Ok(Heard::Unknown) };
        let log = self.masked_log(&open.run, open.release.as_ref(), token, report.log.clone()).await?;
        if report.phase == Reported::Running {
            let run = open.run;
            let write =
                self.db.write(move |tx| Box::pin(async move { run_logs::append(tx, &run, &log).await }));
            return Ok(if write.await? { Heard::Kept } else { Heard::Unknown });
        }
        let (owner, tenant) = (open.run.organization.clone(), open.run.tenant);
        let end = end_of(&report);
        let said = report.state.unwrap_or_default().replace('\0', "\u{fffd}");
        let judged =
            Judged { run: &open.run, tenant: &open.tenant, release: open.release.as_ref(), task: None };
        let outcome = self.end_attempt(judged, Ended { end, said, exit_code: None, log }).await?;
        // The job waits for the report's deadline, or to begin the run again.
        self.move_run(owner, tenant, &outcome).await?;
        Ok(Heard::Kept)
    }

    /// The credentials of one connector, for an integration that runs at a URL of its own.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn run_credentials(
        self: &Arc<Self>,
        environment: Environment,
        id: RunId,
        token: &Plain,
        connector: &Slug,
    ) -> Result<Fetched, Fault> {
        let Some(open) = self.run_of_token(environment, id, token).await? else {
            return Ok(Fetched::Unknown);
        };
        let named = open.release.map(|release| release.manifest.connectors).unwrap_or_default();
        if !named.is_empty() && !named.iter().any(|name| name == connector.as_str()) {
            return Ok(Fetched::No(NoCredential::NotFound));
        }
        let which = Which::Of { tenant: open.run.tenant, connector: connector.clone(), environment: None };
        let found = self.known_fresh(&open.run.organization, which, Why::Run).await;
        let known = match found {
            Ok(known) => known,
            Err(NoCredential::Fault(fault)) => return Err(fault),
            Err(no) => return Ok(Fetched::No(no)),
        };
        let secrets = Secrets::of(connector.as_str(), &known.definition, &known.credential, known.app());
        let fields: Map<String, Value> =
            secrets.fields.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
        Ok(Fetched::Credentials(json!({
            "connector": connector,
            "credentials": fields,
            "expires_date": known.credential.expires.map(kernel::Time::iso_micros),
        })))
    }
}
