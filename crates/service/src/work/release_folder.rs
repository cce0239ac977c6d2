//! A release's files on this machine: unpacked once, checked, shared by its runs.

use super::release_archive::{ArchiveRefused, unpack};
use crate::{Fault, Service};
use ::connect::release::{Archive, Release};
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
    #[error("release {0} has no files: it is not ready, or its runs are sent elsewhere")]
    NoFiles(ReleaseId),
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

impl Service {
    /// The folder with a release's files, unpacked where this machine does not have it yet. The files are checked
    /// against the release's hash before one of them is written, and the folder appears whole or not at all.
    ///
    /// # Errors
    /// [`FolderRefused`].
    pub async fn release_folder(&self, release: &Release) -> Result<ReleaseFolder, FolderRefused> {
        let archive = release.archive.as_ref().filter(|_| release.is_ready());
        let Some(archive) = archive else { return Err(FolderRefused::NoFiles(release.id)) };
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

/// Removes releases that nobody uses, those first that were not used for longest, until the rest fits.
fn make_room(machine: &Path, most: u64) -> io::Result<()> {
    let number = |path: PathBuf| fs::read_to_string(path).ok().and_then(|text| text.parse::<u64>().ok());
    let mut there = Vec::new();
    for entry in fs::read_dir(machine)? {
        let place = entry?.path();
        if place.join(FILES).is_dir() {
            let used = number(place.join(USED)).unwrap_or(0);
            there.push((used, number(place.join(BYTES)).unwrap_or(0), place));
        }
    }
    let mut bytes: u64 = there.iter().map(|(_, bytes, _)| bytes).sum();
    there.sort();
    for (_, size, place) in there {
        if bytes <= most {
            break;
        }
        let lock = File::open(&place)?;
        if lock.try_lock().is_err() {
            continue;
        }
        // Under another name first, so that nobody begins to use what is half gone.
        let gone = machine
            .join("incoming")
            .join(format!("gone-{}", place.file_name().unwrap_or_default().display()));
        fs::rename(&place, &gone)?;
        fs::remove_dir_all(&gone)?;
        bytes = bytes.saturating_sub(size);
    }
    Ok(())
}
