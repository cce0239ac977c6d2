//! A run as a program on this machine: what it is given, how it is watched, and what is made of its end.

use super::options::seconds;
use super::release_folder::{FolderRefused, ReleaseFolder};
use super::run::Task;
use super::run_end::{Done, End, Ended, Judged};
use super::run_log::RunLog;
use super::run_told::NotBegun;
use super::{Held, Why};
use crate::{Fault, Service};
use ::connect::run::environment::{Payload, Surroundings, ToldTrigger};
use ::connect::run::{Failure, Run, Trigger};
use runner::{Deadline, Happening, How, Limits, Program, Running, Scratch};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use store::runs;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Between two looks at whether somebody asked that the run end, and two parts of its log.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What a program that this process can't wait for gets to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// A program that is ready to be started, and what must stay until it has ended.
struct Ready {
    program: Program,
    secrets: Vec<String>,
    _files: ReleaseFolder,
}

/// How watching ended.
enum Watched {
    Ended(runner::Ended),
    /// The lease is another's: nothing may be written.
    Lost,
}

impl Service {
    /// Removes what programs have left on this machine that went down under them.
    pub(super) async fn sweep_scratch(&self) {
        let folder = self.machine.scratch();
        let swept = tokio::task::spawn_blocking(move || runner::sweep(&folder)).await;
        match swept {
            Ok(Ok(0)) => {}
            Ok(Ok(folders)) => tracing::info!(folders, "removed what programs had left behind"),
            Ok(Err(error)) => tracing::warn!(%error, "what programs left behind cannot be removed"),
            Err(error) => tracing::warn!(%error, "what programs left behind cannot be removed"),
        }
    }

    pub(super) async fn run_process(self: &Arc<Self>, held: &Held, mut task: Task) -> Result<Done, Fault> {
        let ready = match self.program_of(&mut task).await {
            Ok(ready) => ready,
            Err(NotBegun::Fault(fault)) => return Err(fault),
            Err(NotBegun::Failed { why, reason }) => {
                let end = End::Failed { why, reason };
                let ended = Ended { end, said: String::new(), exit_code: None, log: String::new() };
                return self.end_held(held, Judged::from(&task), ended).await;
            }
        };
        let mut log = RunLog::new(&task.run, &ready.secrets);
        if task.run.attempts > 1 {
            log.note(&format!("attempt {}", task.run.attempts));
        }
        let left = held.until().micros().saturating_sub(self.clock.now().micros());
        let deadline = Deadline::after(Duration::from_micros(u64::try_from(left).unwrap_or(0)));
        let grace = ready.program.limits.grace;
        let running = self.machine.runner.start(ready.program, deadline);
        let mut cancelled = false;
        let watched = self.watch_program(held, &task.run, running, &mut log, &mut cancelled).await?;
        let Watched::Ended(ended) = watched else { return Ok(self.lost_run().into()) };
        tracing::debug!(run = %task.run.id, how = ?ended.how, took = ?ended.took, ?grace, "a program ended");
        if ended.stdout_cut {
            log.note("standard output was longer than is kept; its end counts");
        }
        let Some(end) = end_of(&ended.how, cancelled) else { return Ok(self.lost_run().into()) };
        let exit_code = match ended.how {
            How::Exited(code) => Some(i64::from(code)),
            _ => None,
        };
        if let End::Failed { reason, .. } = &end {
            log.note(reason);
        }
        let said = String::from_utf8_lossy(&ended.stdout).replace('\0', "\u{fffd}");
        let ended = Ended { end, said, exit_code, log: log.finish() };
        self.end_held(held, Judged::from(&task), ended).await
    }

    /// Everything that a program needs: its files, what it is told, its limits.
    async fn program_of(self: &Arc<Self>, task: &mut Task) -> Result<Ready, NotBegun> {
        let Some(command) = task.release.manifest.run.clone() else {
            return Err(NotBegun::platform("its release says no command"));
        };
        let files = self.release_folder(&task.release).await.map_err(|refused| match refused {
            FolderRefused::Fault(fault) => NotBegun::Fault(fault),
            other => NotBegun::platform(other),
        })?;
        let connections = self.connections_of(&task.run.organization, task.run.tenant).await?;
        let secrets = self.run_secrets(task, &connections).await?;
        let surroundings = self.told_of_run(task).await?;
        let (parent, name) = (self.machine.scratch(), format!("run-{}", task.run.id));
        let scratch = Scratch::new(&parent, &name).map_err(NotBegun::platform)?;
        let place = Layout::of(scratch.path());
        let contents = std::mem::take(&mut task.contents);
        let bodies = self.lay_bodies(task, contents, &place.files).await?;
        let triggers: Vec<ToldTrigger> = task.triggers.iter().zip(bodies).map(told_trigger).collect();
        let made = surroundings.made(task, &secrets, &triggers, &place.files);
        place.fill(&files, &made).map_err(NotBegun::platform)?;
        let manifest = &task.release.manifest;
        let time = manifest.timeout_seconds.map_or(self.work.run_time, |s| Duration::from_secs(s.into()));
        let memory = manifest.memory_mib.map_or(self.work.run_memory, |mib| u64::from(mib) << 20);
        let limits = Limits { time, memory, ..Limits::default() };
        let mut environment = self.bare_environment(&place);
        environment.extend(made.variables);
        let masked = self.values_of(&connections).await?;
        let masked = masked
            .into_iter()
            .chain(secrets.into_iter().flat_map(|it| it.fields.into_iter().map(|(_, v)| v)));
        let program = Program {
            command,
            folder: place.work.into(),
            environment,
            scratch: Some(scratch),
            limits,
            user: self.machine.user,
        };
        Ok(Ready { program, secrets: masked.collect(), _files: files })
    }

    /// What every program has, whatever it is told.
    fn bare_environment(&self, place: &Layout) -> Vec<(String, String)> {
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            named("PATH", &self.machine.path),
            named("HOME", &place.home),
            named("TMPDIR", &place.home),
            named("LANG", "C.UTF-8"),
        ]
    }

    /// Watches a program to its end: keeps its log, extends the lease, hears who asks that it end.
    async fn watch_program(
        &self,
        held: &Held,
        run: &Run,
        mut running: Running,
        log: &mut RunLog,
        cancelled: &mut bool,
    ) -> Result<Watched, Fault> {
        let mut look = every(LOOK_EVERY);
        let mut extend = every(self.work.lease / 3);
        let mut stopping: Option<tokio::time::Instant> = None;
        loop {
            tokio::select! {
                happening = running.next() => match happening {
                    Some(Happening::Log(bytes)) => {
                        log.push(&bytes);
                        if log.is_full() && !self.keep_part(log).await {
                            return Ok(Watched::Lost);
                        }
                    }
                    Some(Happening::Ended(ended)) => return Ok(Watched::Ended(*ended)),
                    None => return Ok(Watched::Lost),
                },
                _ = look.tick() => {
                    if !self.keep_part(log).await {
                        return Ok(Watched::Lost);
                    }
                    if !*cancelled && self.is_to_end(run).await {
                        *cancelled = true;
                        running.cancel();
                    }
                    if stopping.is_some_and(|since| since.elapsed() >= PATIENCE) {
                        running.cancel();
                    }
                }
                _ = extend.tick() => {
                    // Taken before the lease is asked for, so that the program never outlives it.
                    let deadline = Deadline::after(self.work.lease);
                    match held.extend().await {
                        Ok(Some(_)) => running.extend(deadline),
                        Ok(None) => return Ok(Watched::Lost),
                        Err(error) => tracing::warn!(%error, run = %run.id, "a lease could not be extended"),
                    }
                }
                why = held.lost_or_stopping(), if stopping.is_none() => match why {
                    Why::Lost => return Ok(Watched::Lost),
                    Why::Stopping => stopping = Some(tokio::time::Instant::now()),
                },
            }
        }
    }

    /// Whether the log is still this attempt's. A database that does not answer is asked again with the next part.
    async fn keep_part(&self, log: &mut RunLog) -> bool {
        match self.keep_log(log).await {
            Ok(is_ours) => is_ours,
            Err(fault) => {
                tracing::warn!(%fault, "a part of a run's log could not be kept yet");
                true
            }
        }
    }

    pub(super) async fn is_to_end(&self, run: &Run) -> bool {
        match runs::is_to_end(&self.db, &run.organization, run.id).await {
            Ok(is_to_end) => is_to_end,
            Err(error) => {
                tracing::warn!(%error, run = %run.id, "whether a run shall end could not be looked up");
                false
            }
        }
    }
}

/// A tick at once is of no use: the first comes after the pause.
pub(super) fn every(pause: Duration) -> Interval {
    let mut interval = interval(pause);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.reset();
    interval
}

/// What the program's end means; `None` where the lease was lost with it.
fn end_of(how: &How, cancelled: bool) -> Option<End> {
    let failed = |why, reason: String| Some(End::Failed { why, reason });
    let own = Failure::Integration;
    match how {
        How::Exited(0) => Some(End::Well),
        How::Exited(code) => failed(own, format!("its exit code was {code}")),
        How::Signalled(signal) => failed(own, format!("signal {signal} ended it")),
        How::TimedOut => failed(Failure::Timeout, "it ran longer than it may".to_owned()),
        How::Expired => None,
        How::Cancelled if cancelled => Some(End::Cancelled),
        How::Cancelled => Some(End::GivenUp),
        How::OverMemory => failed(own, "it used more memory than it may".to_owned()),
        How::TooManyProcesses => failed(own, "it had more processes than it may".to_owned()),
        How::Lost(why) | How::NotStarted(why) => failed(Failure::Platform, why.clone()),
    }
}

fn told_trigger((trigger, payload): (&Trigger, Payload)) -> ToldTrigger {
    ToldTrigger { id: trigger.id, source: trigger.source, mode: trigger.mode, payload }
}

/// A run's own folder: where it starts, what it is told in files, and what is its home.
struct Layout {
    work: String,
    files: String,
    home: String,
}

impl Layout {
    fn of(scratch: &Path) -> Self {
        let absolute = std::path::absolute(scratch).unwrap_or_else(|_| scratch.to_owned());
        let inner = |name: &str| absolute.join(name).display().to_string();
        Self { work: inner("work"), files: inner("files"), home: inner("home") }
    }

    fn fill(&self, release: &ReleaseFolder, made: &Surroundings) -> std::io::Result<()> {
        for folder in [&self.work, &self.files, &self.home] {
            std::fs::create_dir_all(folder)?;
        }
        for (name, content) in &made.files {
            std::fs::write(Path::new(&self.files).join(name), content)?;
        }
        release.lay_out(Path::new(&self.work))
    }
}

/// How long the attempt may take, in whole seconds.
pub(super) fn time_of(task: &Task, default: Duration) -> i64 {
    task.release.manifest.timeout_seconds.map_or_else(|| seconds(default), i64::from)
}
