//! The end of a run, or of an attempt of it: one unit of work.

mod writing;

use self::writing::{NotWritten, Writing, Written};
use super::options::seconds;
use super::run::{Task, look_again};
use super::run_begin::Starting;
use super::{Held, Outcome};
use crate::{Fault, Service};
use ::connect::release::Release;
use ::connect::run::outcome::{self, Said};
use ::connect::run::{Attempt, Failure, Phase, Run, again};
use ::connect::tenant::Tenant;
use kernel::{Sealed, Time};
use metrics::counter;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use store::jobs::Kind;
use store::runs::ended::{self, By};

/// Between two tries to keep an end.
const PAUSE: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// By itself, and well.
    Well,
    Failed {
        why: Failure,
        reason: String,
    },
    Cancelled,
    /// This process stops: another begins it once more.
    GivenUp,
}

/// What there is to keep of an attempt.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) end: End,
    /// What it printed to stdout, or reported as its state.
    pub(super) said: String,
    pub(super) exit_code: Option<i64>,
    /// The rest of its log, masked.
    pub(super) log: String,
}

/// What is left to do with the job of an attempt that ended.
#[derive(Debug)]
pub(super) enum Done {
    /// What became of it is still to be kept.
    Left(Outcome),
    /// It was kept with the end of the run.
    Settled,
    /// Something waits that this holder shall begin with the same job.
    Again,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Self::Left(outcome)
    }
}

/// What an attempt is judged by.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) run: &'a Run,
    pub(super) tenant: &'a Tenant,
    pub(super) release: Option<&'a Release>,
    /// Where it was begun in this process.
    pub(super) task: Option<&'a Task>,
}

impl<'a> From<&'a Task> for Judged<'a> {
    fn from(task: &'a Task) -> Self {
        let tenant = &task.standing.tenant;
        Self { run: &task.run, tenant, release: Some(&task.release), task: Some(task) }
    }
}

impl Service {
    /// As [`Self::end_attempt`], as often as it takes while the lease holds: what was done once shall not be done again
    /// because the database was away for a moment.
    pub(super) async fn end_held(
        &self,
        held: &Held,
        judged: Judged<'_>,
        ended: Ended,
    ) -> Result<Done, Fault> {
        loop {
            match self.end_by(Some(held), judged, ended.clone()).await {
                Err(fault) if held.is_held() => {
                    tracing::warn!(run = %judged.run.id, %fault, "the end of a run could not be kept yet");
                    tokio::time::sleep(PAUSE).await;
                }
                kept => return kept,
            }
        }
    }

    /// The lease is over: whatever was started ends now, and another may begin the run once that is certain.
    pub(super) fn lost_run(&self) -> Outcome {
        let at = self.clock.now().plus_seconds(seconds(self.work.grace));
        Outcome::Again { at, failure: "the lease was lost".to_owned() }
    }

    /// Keeps what became of an attempt: a run that ended, or one that is begun again later. Where another has gone on
    /// with it meanwhile, nothing is written.
    pub(super) async fn end_attempt(&self, judged: Judged<'_>, ended: Ended) -> Result<Outcome, Fault> {
        match self.end_by(None, judged, ended).await? {
            Done::Left(outcome) => Ok(outcome),
            Done::Settled | Done::Again => Ok(Outcome::Done),
        }
    }

    async fn end_by(&self, held: Option<&Held>, judged: Judged<'_>, ended: Ended) -> Result<Done, Fault> {
        let now = self.clock.now();
        let Judged { run, tenant, release, .. } = judged;
        let mut writing = Writing::of(run.clone(), tenant, now, Arc::clone(&self.chance));
        writing.log = ended.log;
        writing.run.exit_code = ended.exit_code;
        writing.run.waits = None;
        let mut end = ended.end;
        let mut state = None;
        if !matches!(end, End::GivenUp) {
            let well = matches!(end, End::Well);
            let manifest = release.map(|release| &release.manifest);
            let said = Said {
                text: &ended.said,
                mode: run.mode,
                metadata_schema: manifest
                    .and_then(|it| it.metadata_schema.as_ref())
                    .map(|it| &it.schema)
                    .filter(|_| well),
                config_schema: manifest
                    .and_then(|it| it.configs.as_ref())
                    .map(|it| &it.schema)
                    .filter(|_| well),
            };
            match outcome::read(said) {
                Ok(outcome) => {
                    state = outcome
                        .state
                        .filter(|_| matches!(end, End::Well | End::Failed { why: Failure::Integration, .. }));
                    writing.metadata = outcome.metadata;
                    let filled = !outcome.dynamic_configs.is_empty();
                    writing.dynamic_configs = filled.then_some(Value::Object(outcome.dynamic_configs));
                    writing.disconnected = outcome.disconnected;
                    outcome.notes.iter().for_each(|note| note_in(&mut writing.log, note));
                }
                Err(unfit) => end = End::Failed { why: Failure::Metadata, reason: unfit.0 },
            }
        }
        if let Some(state) = state {
            writing.run.state = Some(self.seal_state(&writing.run, &state).await?);
        }
        self.write_end(held, writing, end, judged).await
    }

    async fn write_end(
        &self,
        held: Option<&Held>,
        mut writing: Writing,
        end: End,
        judged: Judged<'_>,
    ) -> Result<Done, Fault> {
        let (now, mut end) = (writing.now, end);
        loop {
            let outcome = self.settle(&mut writing, &end, judged.release, now)?;
            if let (Some(held), Outcome::Done) = (held, &outcome)
                && writing.is_bare()
            {
                return self.end_at_a_stroke(held, writing, judged.task).await;
            }
            let kept = writing.clone();
            let write = self.db.write(move |tx| Box::pin(async move { kept.write(tx).await }));
            let written = match write.await {
                Ok(written) => written,
                Err(NotWritten::Unfit(reason)) => Written::Unfit(reason),
                Err(NotWritten::Fault(fault)) => return Err(fault),
            };
            match written {
                Written::Overtaken => return Ok(Outcome::Done.into()),
                Written::Kept { rings } => {
                    count(&writing.run);
                    if rings {
                        self.ring_work();
                    }
                    return Ok(outcome.into());
                }
                Written::Unfit(reason) => {
                    (writing.metadata, writing.dynamic_configs, writing.run.state) = (None, None, None);
                    end = End::Failed { why: Failure::Metadata, reason };
                }
            }
        }
    }

    /// A run that has nothing to say but its state, and its job with it.
    async fn end_at_a_stroke(
        &self,
        held: &Held,
        writing: Writing,
        task: Option<&Task>,
    ) -> Result<Done, Fault> {
        let Writing { run, tenant, now, chance, .. } = writing;
        // Whoever waits for a slot goes before what this tenant asked for meanwhile.
        let stays = !self.stopping.has_begun() && !self.slots.somebody_waits(Kind::Run);
        let by = By { job: held.id(), holder: held.holder(), is_paused: tenant.paused, stays };
        let _ending = self.idle.ends(run.tenant);
        let end = ended::end(&self.db, &run, by).await?;
        if end != ended::End::Overtaken {
            count(&run);
        }
        match end {
            ended::End::Done => {
                let next = task.and_then(|task| Starting::after(task, &run));
                next.into_iter().for_each(|next| self.idle.learn(next));
                return Ok(Done::Settled);
            }
            ended::End::Again if stays => return Ok(Done::Again),
            ended::End::Again => {
                self.ring_work();
                return Ok(Done::Settled);
            }
            // Also where an answer was lost that said how it ended: what waits shall not be forgotten.
            ended::End::Kept | ended::End::Overtaken => {}
        }
        let write =
            self.db.write(move |tx| Box::pin(async move { look_again(tx, &tenant, now, &*chance).await }));
        write.await?;
        Ok(Outcome::Done.into())
    }

    /// The run's phase after this end, and what that makes of its job.
    fn settle(
        &self,
        writing: &mut Writing,
        end: &End,
        release: Option<&Release>,
        now: Time,
    ) -> Result<Outcome, Fault> {
        let before = Run { phase: open_phase(writing.run.phase, now), ..writing.run.clone() };
        let (phase, reason, outcome) = match end {
            End::Well => (before.phase.succeed(now), None, Outcome::Done),
            End::Cancelled => (before.phase.cancel(now), None, Outcome::Done),
            End::GivenUp => {
                let reason = "the node that ran it stopped".to_owned();
                (before.phase.put_off(), Some(reason), Outcome::HandBack)
            }
            End::Failed { why, reason } => {
                let own_retries = release.map_or(0, |release| i64::from(release.manifest.retries));
                let attempt = Attempt { why: *why, number: before.attempts, own_retries };
                match again(attempt, &*self.chance) {
                    Some(pause) => {
                        let failure = format!("{}: {reason}", why.phase());
                        let again = Outcome::Again { at: now.plus_seconds(pause), failure };
                        (before.phase.put_off(), Some(reason.clone()), again)
                    }
                    None => (before.phase.fail(*why, now), Some(reason.clone()), Outcome::Done),
                }
            }
        };
        writing.run.phase = phase.map_err(|wrong| Fault::broken(wrong.to_string()))?;
        writing.run.reason = reason;
        Ok(outcome)
    }

    /// Ends an open run without an attempt.
    pub(super) async fn end_run(&self, run: Run, tenant: &Tenant) -> Result<(), Fault> {
        let writing = Writing::of(run, tenant, self.clock.now(), Arc::clone(&self.chance));
        let run = writing.run.clone();
        let write = self.db.write(move |tx| Box::pin(async move { writing.write(tx).await }));
        match write.await {
            Ok(Written::Kept { rings }) => {
                count(&run);
                if rings {
                    self.ring_work();
                }
                Ok(())
            }
            Ok(_) | Err(NotWritten::Unfit(_)) => Ok(()),
            Err(NotWritten::Fault(fault)) => Err(fault),
        }
    }

    /// What is handed to the next run, sealed.
    async fn seal_state(&self, run: &Run, state: &str) -> Result<Sealed, Fault> {
        self.vault.seal(&self.db, &run.organization, &format!("run:{}", run.id), state.as_bytes()).await
    }
}

/// A phase that a step can be taken from: an attempt that is ended has run, whatever its copy says.
fn open_phase(phase: Phase, now: Time) -> Phase {
    match phase {
        Phase::Running { .. } => phase,
        _ => Phase::Running { started: now },
    }
}

/// A line of the gateway's own in a log.
pub(super) fn note_in(log: &mut String, text: &str) {
    if !log.is_empty() && !log.ends_with('\n') {
        log.push('\n');
    }
    log.push_str("[vestibule] ");
    log.push_str(text);
    log.push('\n');
}

fn count(run: &Run) {
    if !run.phase.is_open() {
        counter!("vestibule_runs_total", "phase" => run.phase.as_str()).increment(1);
    }
}
