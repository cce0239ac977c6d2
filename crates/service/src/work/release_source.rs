//! The source of a release: fetched into a folder of its own, its manifest read, its build command run.

use super::git::{self, Trust};
use super::release_archive::{pack, unpack};
use super::release_build::{BuildRefused, Log, Order, Source};
use crate::{Fault, Service};
use connect::manifest::{LARGEST, Manifest, NAME, OLDER_NAME};
use runner::{Deadline, Happening, How, Limits, Program, Scratch, User};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Source that was fetched and read.
pub(super) struct Ready {
    /// Removed with what is in it.
    pub(super) scratch: Scratch,
    /// The folder with the manifest.
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) branch: Option<String>,
    pub(super) revision: Option<String>,
}

impl Service {
    /// A folder for one build.
    pub(super) fn build_folder(&self, name: &str) -> Result<Scratch, BuildRefused> {
        Ok(Scratch::new(&self.machine.folder.join("builds"), name)?)
    }

    /// Fetches the source and reads its manifest.
    pub(super) async fn source_of(
        &self,
        order: &Order,
        source: &Source,
        trust: Trust,
        log: Log<'_>,
    ) -> Result<Ready, BuildRefused> {
        let _ = runner::sweep(&self.machine.folder.join("builds"));
        let scratch = self.build_folder(&format!("integration-{}", order.integration))?;
        let top = scratch.path().join("source");
        let (folder, branch, revision) = match source {
            Source::Folder(from) => {
                // A copy, so that a build command changes nothing of the folder itself, and what cannot be packed is
                // told before it runs.
                fs::create_dir_all(&top)?;
                let (from, into) = (from.clone(), top.clone());
                blocking(move || {
                    pack(&from).and_then(|packed| unpack(&packed.bytes, &packed.archive, &into))
                })
                .await??;
                (top, None, None)
            }
            Source::Git(repository, path) => {
                let fetched = self.fetch(repository, trust, scratch.path(), log).await?;
                let folder = inner(&top, path.as_deref())?;
                (folder, fetched.branch, Some(fetched.revision))
            }
        };
        let manifest = read_manifest(&folder)?;
        Ok(Ready { scratch, folder, manifest, branch, revision })
    }

    /// Runs the build command in the folder of the manifest.
    pub(super) async fn run_build(
        &self,
        build: &str,
        folder: &Path,
        scratch: &Scratch,
        log: Log<'_>,
    ) -> Result<(), BuildRefused> {
        // What builds is not ours: it runs as runs do, in files that belong to that account.
        let user = self.machine.user;
        if let Some(user) = user {
            let top = scratch.path().to_owned();
            blocking(move || give(&top, user)).await??;
        }
        // What it prints is for whoever waits, as what it complains of.
        let command = format!("exec 1>&2\n{build}");
        let environment = vec![("CI".to_owned(), "true".to_owned())];
        self.run_of_build(&command, folder, (environment, user), "the build", log).await.map(drop)
    }

    /// Runs a program of a build to its end. What it printed to stdout.
    pub(super) async fn run_of_build(
        &self,
        command: &str,
        folder: &Path,
        (mut environment, user): (Vec<(String, String)>, Option<User>),
        what: &str,
        log: Log<'_>,
    ) -> Result<Vec<u8>, BuildRefused> {
        let home = self.build_folder("home")?;
        let path = fs::canonicalize(home.path())?.to_string_lossy().into_owned();
        for name in ["HOME", "TMPDIR"] {
            environment.push((name.to_owned(), path.clone()));
        }
        environment.push(("PATH".to_owned(), self.machine.path.clone()));
        let time = self.machine.build_time;
        let limits =
            Limits { time, memory: self.machine.build_memory, open_files: 4096, ..Limits::default() };
        let program = Program {
            command: command.to_owned(),
            folder: fs::canonicalize(folder)?,
            environment,
            scratch: Some(home),
            limits,
            user,
        };
        let mut running = self.machine.runner.start(program, Deadline::after(time + Duration::from_secs(5)));
        let ended = loop {
            match running.next().await {
                Some(Happening::Log(piece)) => log(&piece),
                Some(Happening::Ended(ended)) => break ended,
                None => return Err(BuildRefused::Failed(format!("{what} was lost"))),
            }
        };
        let why = match ended.how {
            How::Exited(0) => return Ok(ended.stdout),
            How::Exited(code) => format!("{what} ended with exit code {code}"),
            How::Signalled(signal) => format!("{what} was ended by signal {signal}"),
            How::TimedOut | How::Expired => format!("{what} took longer than {} s", time.as_secs()),
            How::Cancelled => format!("{what} was cancelled"),
            How::OverMemory => format!("{what} took more memory than builds may have"),
            How::TooManyProcesses => format!("{what} started too many processes"),
            How::Lost(why) | How::NotStarted(why) => {
                return Err(Fault::broken(format!("{what}: {why}")).into());
            }
        };
        Err(BuildRefused::Failed(why))
    }
}

/// Gives a folder and all that is in it to an account. Links are given and not followed.
fn give(folder: &Path, user: User) -> io::Result<()> {
    std::os::unix::fs::lchown(folder, Some(user.user), Some(user.group))?;
    if fs::symlink_metadata(folder)?.is_dir() {
        for entry in fs::read_dir(folder)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}

/// Work on files, beside what waits for the network.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BuildRefused> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| Fault::broken(error.to_string()))?)
}

/// The folder inside the source, which must not be a link out of it.
fn inner(top: &Path, path: Option<&str>) -> Result<PathBuf, BuildRefused> {
    let Some(path) = path else { return Ok(top.to_owned()) };
    git::check_path(path).map_err(BuildRefused::Invalid)?;
    let whole = fs::canonicalize(top)?;
    let found = fs::canonicalize(whole.join(path)).ok();
    let found = found.filter(|found| found.starts_with(&whole) && found.is_dir());
    found.ok_or_else(|| BuildRefused::Source(format!("the repository has no folder `{path}`")))
}

fn read_manifest(folder: &Path) -> Result<Manifest, BuildRefused> {
    for name in [NAME, OLDER_NAME] {
        let path = folder.join(name);
        // Not through a link: what a mistake in a manifest is told with is shown to whoever ordered the build.
        if !fs::symlink_metadata(&path).is_ok_and(|about| about.is_file()) {
            continue;
        }
        let mut text = Vec::new();
        let most = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
        fs::File::open(&path)?.take(most).read_to_end(&mut text)?;
        let Ok(text) = String::from_utf8(text) else {
            return Err(BuildRefused::Source(format!("{name} is not UTF-8")));
        };
        return Manifest::parse(name, &text).map_err(BuildRefused::Manifest);
    }
    Err(BuildRefused::NoManifest)
}
