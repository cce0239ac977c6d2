//! A release's files on this machine: unpacked once, checked, shared by its runs.

use super::release_archive::{ArchiveRefused, unpack};
use crate::{Fault, Service};
use ::connect::release::{Archive, Release, Unusable};
use kernel::Time;
use kernel::ids::ReleaseId;
use runner::Scratch;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use store::releases::{self, Files};

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderRefused {
    #[error("release {0} has no files: its runs are sent elsewhere")]
    NoFiles(ReleaseId),
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("release {id} cannot be unpacked: {cause}")]
    Archive { id: ReleaseId, cause: ArchiveRefused },
    #[error("{path}: {cause}")]
    Disk { path: PathBuf, cause: io::Error },
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> FolderRefused {
    let path = path.to_owned();
    move |cause| FolderRefused::Disk { path, cause }
}

/// An unpacked release, which stays as long as this is held.
#[derive(Debug)]
pub struct ReleaseFolder {
    path: PathBuf,
    /// Shared by everybody who uses the folder, over all processes; who removes it needs it alone.
    _lock: File,
}

impl ReleaseFolder {
    /// The release's own files. They are every run's: what a run writes belongs into a folder of its own.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes `into`, which is there, look like the release: a link for each of its files and folders at the top. A
    /// program that starts there finds everything, and what it writes beside them is its own.
    ///
    /// # Errors
    /// Where a link cannot be made.
    pub fn lay_out(&self, into: &Path) -> io::Result<()> {
        let path = fs::canonicalize(&self.path)?;
        for entry in fs::read_dir(&path)? {
            let name = entry?.file_name();
            std::os::unix::fs::symlink(path.join(&name), into.join(&name))?;
        }
        Ok(())
    }
}

const FILES: &str = "files";
/// When it was used last, and how many bytes it has: what the clean-up goes by.
const USED: &str = "used";
const BYTES: &str = "bytes";
/// How long a release stays on a machine where no run uses it, in seconds.
const UNUSED_S: i64 = 30 * 24 * 60 * 60;

impl Service {
    /// The folder with a release's files, unpacked where this machine does not have it yet. The files are checked
    /// against the release's hash before one of them is written, and the folder appears whole or not at all.
    ///
    /// # Errors
    /// [`FolderRefused`].
    pub async fn release_folder(&self, release: &Release) -> Result<ReleaseFolder, FolderRefused> {
        release.usable()?;
        let Some(archive) = &release.archive else { return Err(FolderRefused::NoFiles(release.id)) };
        let short: String = archive.hash.chars().take(16).collect();
        let place = self.machine.releases().join(format!("{}-{short}", release.id));
        let now = self.clock.now();
        if let Some(there) = use_of(&place, now) {
            return Ok(there);
        }
        // One at a time: many runs of a new release at once unpack it once.
        let _turn = self.unpacking.lock().await;
        if let Some(there) = use_of(&place, now) {
            return Ok(there);
        }
        let packed = self.packed(release.id, Files::Built).await?;
        let (machine, id, archive) = (self.machine.releases(), release.id, archive.clone());
        let most = self.machine.cache_bytes;
        let unpacked = tokio::task::spawn_blocking(move || {
            place_files(&machine, &place, id, &packed, &archive)?;
            let there = use_of(&place, now);
            if let Err(error) = make_room(&machine, most) {
                tracing::warn!(%error, "unpacked releases that are not used any more stay");
            }
            there.ok_or(FolderRefused::NoFiles(id))
        });
        unpacked.await.map_err(|error| Fault::broken(error.to_string()))?
    }

    /// Removes releases from this machine that no run has used for long: those that nothing leads to any more are never
    /// asked for again. Whoever asks later gets them unpacked anew. How many.
    ///
    /// # Errors
    /// Where a folder cannot be read or removed.
    pub async fn sweep_release_folders(&self) -> io::Result<usize> {
        let machine = self.machine.releases();
        let before = self.clock.now().plus_seconds(-UNUSED_S);
        let listed = machine.clone();
        let there = tokio::task::spawn_blocking(move || unused(&listed, before)).await;
        let mut removed = 0;
        for place in there.map_err(io::Error::other)?? {
            // One at a time, so that no run waits longer for its files than one takes.
            let _turn = self.unpacking.lock().await;
            let machine = machine.clone();
            let gone = tokio::task::spawn_blocking(move || remove(&machine, &place)).await;
            removed += usize::from(gone.map_err(io::Error::other)??);
        }
        Ok(removed)
    }

    /// A release's packed files, all of them.
    pub(super) async fn packed(&self, id: ReleaseId, files: Files) -> Result<Vec<u8>, Fault> {
        let mut packed = Vec::new();
        for number in 0_i64.. {
            let read =
                self.db.read(move |tx| Box::pin(async move { releases::part(tx, id, files, number).await }));
            match read.await? {
                Some(part) => packed.extend_from_slice(&part),
                None => break,
            }
        }
        Ok(packed)
    }
}

/// The folder where it is there: used from now on.
fn use_of(place: &Path, now: Time) -> Option<ReleaseFolder> {
    let lock = File::open(place).ok()?;
    lock.try_lock_shared().ok()?;
    // Whoever removes it takes the name away first.
    if !place.join(FILES).is_dir() {
        return None;
    }
    let _ = fs::write(place.join(USED), now.micros().to_string());
    Some(ReleaseFolder { path: place.join(FILES), _lock: lock })
}

fn place_files(
    machine: &Path,
    place: &Path,
    id: ReleaseId,
    packed: &[u8],
    archive: &Archive,
) -> Result<(), FolderRefused> {
    fs::create_dir_all(machine).map_err(disk(machine))?;
    let incoming = machine.join("incoming");
    // What a process has left that ended in the middle.
    let _ = runner::sweep(&incoming);
    let scratch = Scratch::new(&incoming, &id.to_string()).map_err(disk(&incoming))?;
    let whole = scratch.path().join("whole");
    let files = whole.join(FILES);
    fs::create_dir_all(&files).map_err(disk(&files))?;
    let bytes = unpack(packed, archive, &files).map_err(|cause| FolderRefused::Archive { id, cause })?;
    fs::write(whole.join(BYTES), bytes.to_string()).map_err(disk(&whole))?;
    match fs::rename(&whole, place) {
        Ok(()) => Ok(()),
        // Another process was quicker.
        Err(_) if place.join(FILES).is_dir() => Ok(()),
        Err(cause) => Err(FolderRefused::Disk { path: place.to_owned(), cause }),
    }
}

/// A release that is unpacked here.
struct There {
    place: PathBuf,
    /// When a run began with it last.
    used: Time,
    bytes: u64,
}

/// Those that were not used for longest first.
fn unpacked(machine: &Path) -> io::Result<Vec<There>> {
    let number = |path: PathBuf| fs::read_to_string(path).ok().and_then(|text| text.parse::<u64>().ok());
    let mut there = Vec::new();
    for entry in fs::read_dir(machine)? {
        let place = entry?.path();
        if place.join(FILES).is_dir() {
            let used = number(place.join(USED)).and_then(|micros| i64::try_from(micros).ok());
            let used = Time::from_micros(used.unwrap_or(0));
            there.push(There { used, bytes: number(place.join(BYTES)).unwrap_or(0), place });
        }
    }
    there.sort_by_key(|it| it.used);
    Ok(there)
}

/// `false` where somebody uses it, or where another process was quicker.
fn remove(machine: &Path, place: &Path) -> io::Result<bool> {
    let lock = match File::open(place) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if lock.try_lock().is_err() || !place.join(FILES).is_dir() {
        return Ok(false);
    }
    // Under another name first, so that nobody begins to use what is half gone.
    let incoming = machine.join("incoming");
    fs::create_dir_all(&incoming)?;
    let gone = incoming.join(format!("gone-{}", place.file_name().unwrap_or_default().display()));
    fs::rename(place, &gone)?;
    fs::remove_dir_all(&gone)?;
    Ok(true)
}

/// Removes releases that nobody uses, those first that were not used for longest, until the rest fits.
fn make_room(machine: &Path, most: u64) -> io::Result<()> {
    let there = unpacked(machine)?;
    let mut bytes: u64 = there.iter().map(|it| it.bytes).sum();
    for it in there {
        if bytes <= most {
            break;
        }
        if remove(machine, &it.place)? {
            bytes = bytes.saturating_sub(it.bytes);
        }
    }
    Ok(())
}

/// Releases that were used before `before` for the last time.
fn unused(machine: &Path, before: Time) -> io::Result<Vec<PathBuf>> {
    if !machine.is_dir() {
        return Ok(Vec::new());
    }
    let there = unpacked(machine)?.into_iter().take_while(|it| it.used < before);
    Ok(there.map(|it| it.place).collect())
}
