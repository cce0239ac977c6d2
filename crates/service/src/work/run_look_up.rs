//! Looking runs up: in their published shapes, and their logs by signed links (contract `connect.md`, section 6).

use crate::admin::Holder;
use crate::connect::look_up::Page;
use crate::{Fault, Service};
use ::connect::run::show;
use kernel::ids::{RunId, TenantId, TriggerId};
use kernel::secret::{hex, sha256_hex};
use kernel::{Environment, Hashed, Time};
use serde_json::{Value, json};
use store::run_logs::Part;
use store::{releases, run_logs, runs, tenants, triggers};

pub use store::runs::Sort as RunSort;

/// For how long a link to a log is good, in seconds (contract `connect.md`, section 6: 15 min).
pub const LINK_S: i64 = 15 * 60;
/// Parts of a log that are read together.
const PARTS: i64 = 64;

/// What a signed link to a log names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLink {
    pub run: RunId,
    /// Seconds since 1970.
    pub expires: i64,
    pub signature: String,
}

impl Service {
    /// One run with its triggers, in the published shape.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn run(&self, holder: &Holder, id: RunId) -> Result<Option<Value>, Fault> {
        let holder = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(run) = runs::by_id(tx, &holder.organization, holder.environment, id).await? else {
                    return Ok(None);
                };
                let triggers = triggers::of_run(tx, &holder.organization, id).await?;
                Ok::<_, Fault>(Some(show::run(&run, &triggers)))
            })
        });
        read.await
    }

    /// The same with what only the gateway's own tools show: release, attempts, exit code and why it ended so.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn run_in_full(&self, holder: &Holder, id: RunId) -> Result<Option<Value>, Fault> {
        let shown = self.run(holder, id).await?;
        let holder = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let Some(run) = runs::by_id(tx, &holder.organization, holder.environment, id).await? else {
                    return Ok(None);
                };
                let release = match run.release {
                    Some(release) => releases::by_id(tx, &holder.organization, release).await?,
                    None => None,
                };
                Ok::<_, Fault>(Some((run, release)))
            })
        });
        let (Some(mut shown), Some((run, release))) = (shown, read.await?) else { return Ok(None) };
        if let Some(members) = shown.as_object_mut() {
            members.insert("release".to_owned(), json!(release.map(|release| release.name)));
            members.insert("attempts".to_owned(), json!(run.attempts));
            members.insert("rerun_of".to_owned(), json!(run.rerun_of));
            members.insert("exit_code".to_owned(), json!(run.exit_code));
            members.insert("reason".to_owned(), json!(run.reason));
            members.insert("log_bytes".to_owned(), json!(run.log_bytes));
        }
        Ok(Some(shown))
    }

    /// A tenant's runs, or all of them, and how many there are; `None` where there is no such tenant.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn runs(
        &self,
        holder: &Holder,
        tenant: Option<TenantId>,
        page: Page<RunSort>,
    ) -> Result<Option<(Vec<Value>, i64)>, Fault> {
        let Holder { organization, environment } = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                if let Some(tenant) = tenant
                    && tenants::by_id(tx, &organization, environment, tenant).await?.is_none()
                {
                    return Ok(None);
                }
                let found = runs::list(tx, &organization, environment, tenant, page).await?;
                let mut shown = Vec::new();
                for run in &found.rows {
                    let triggers = triggers::of_run(tx, &organization, run.id).await?;
                    shown.push(show::run(run, &triggers));
                }
                Ok::<_, Fault>(Some((shown, found.total)))
            })
        });
        read.await
    }

    /// What a trigger became; `None` until it has a run.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn trigger_status(&self, holder: &Holder, id: TriggerId) -> Result<Option<Value>, Fault> {
        let Holder { organization, environment } = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                let trigger = triggers::by_id(tx, &organization, environment, id).await?;
                let run = runs::by_trigger(tx, &organization, environment, id).await?;
                Ok::<_, Fault>(trigger.zip(run).map(|(trigger, run)| show::trigger_status(&trigger, &run)))
            })
        });
        read.await
    }

    /// Where the log of this run can be read for a while, without a key; `None` where there is no such run.
    ///
    /// Decision: the link is signed, names the run and its end, and needs no key, because browsers follow it. Attack:
    /// whoever sees it reads this log until it ends. Trade: that is what a link is; secrets are masked in the log.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn log_link(&self, holder: &Holder, id: RunId) -> Result<Option<String>, Fault> {
        let Some(place) = self.places.of(holder.environment) else { return Ok(None) };
        let wanted = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move { runs::by_id(tx, &wanted.organization, wanted.environment, id).await })
        });
        let Some(run) = read.await? else { return Ok(None) };
        let expires = self.clock.now().plus_seconds(LINK_S).seconds();
        let signature = self.log_signature(holder.environment, run.id, expires);
        Ok(Some(place.link(&format!("/v1/runs/{id}/log?expires={expires}&signature={signature}"))))
    }

    /// Whether a link was made here, for this environment, and is still good.
    pub fn is_good(&self, environment: Environment, link: &LogLink) -> bool {
        let wanted = self.log_signature(environment, link.run, link.expires);
        // Compared as hashes, so that how long it takes tells nothing of the signature.
        let hashed = |text: &str| Hashed::from_stored(sha256_hex(text.as_bytes()));
        hashed(&wanted) == hashed(&link.signature) && self.clock.now() < Time::from_seconds(link.expires)
    }

    fn log_signature(&self, environment: Environment, run: RunId, expires: i64) -> String {
        let key = self.vault.masters().current().derive(&format!("run-log:{environment}:{run}:{expires}"));
        hex(&*key)
    }

    /// Parts of a run's log after part `after`, 0 for the first; empty at its end. Whoever asks has shown a good link
    /// or has found the run in its organization.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn log_parts(&self, run: RunId, after: i64) -> Result<Vec<Part>, Fault> {
        let read =
            self.db.read(move |tx| Box::pin(async move { run_logs::parts(tx, run, after, PARTS).await }));
        Ok(read.await?)
    }

    /// Whether a run has not ended.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn is_open(&self, holder: &Holder, id: RunId) -> Result<bool, Fault> {
        let holder = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move { runs::by_id(tx, &holder.organization, holder.environment, id).await })
        });
        Ok(read.await?.is_some_and(|run| run.phase.is_open()))
    }
}
