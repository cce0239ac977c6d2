//! A folder for one program, of which nothing stays.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static MADE: AtomicU64 = AtomicU64::new(0);

/// An empty folder that only this account can read. Removed when this is dropped, and by the supervisor of the program
/// that got it; what both could not, because the machine went down, [`sweep`] removes.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Held while anybody needs the folder, so that [`sweep`] leaves it alone.
    _lock: File,
}

impl Scratch {
    /// A new folder in `parent`, which is made where it is not there. `name` is for people who look, as a run's id.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new(parent: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{name}.{}.{number}", std::process::id()));
        make_private(&path)?;
        let lock = locked(&path)?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "a scratch folder stays");
        }
    }
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Opens the folder and takes a lock on it that others may share.
///
/// # Errors
/// Where it cannot be opened, or is being swept.
pub fn locked(path: &Path) -> io::Result<File> {
    let folder = File::open(path)?;
    folder.try_lock_shared().map_err(io::Error::from)?;
    Ok(folder)
}

/// Removes the folder with all that is in it, also where the program took its own right to do so away; fine where it
/// is not there. Links are removed and not followed.
///
/// # Errors
/// Where something of it stays.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(_) => {
            open_up(path);
            fs::remove_dir_all(path)
        }
    }
}

/// Gives the owner every right to every folder below. Nothing of the program runs any more, so nobody can put a link
/// in the place of a folder meanwhile.
fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut left = vec![path.to_owned()];
    while let Some(folder) = left.pop() {
        let _ = fs::set_permissions(&folder, fs::Permissions::from_mode(0o700));
        let inner = fs::read_dir(&folder).into_iter().flatten().flatten();
        left.extend(
            inner.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()),
        );
    }
}

/// Removes folders in `parent` that nobody uses any more: what a machine that went down has left. Returns how many.
///
/// # Errors
/// Where `parent` cannot be read. A folder that cannot be removed stays, and the log says so.
pub fn sweep(parent: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut removed = 0;
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let Ok(folder) = File::open(entry.path()) else { continue };
        if folder.try_lock().is_err() {
            continue;
        }
        match remove(&entry.path()) {
            Ok(()) => removed += 1,
            Err(error) => tracing::warn!(%error, folder = %entry.path().display(), "a scratch folder stays"),
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn nothing_of_it_stays_and_nothing_else_goes() {
        let parent = tempfile::tempdir().unwrap();
        let outside = parent.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        let scratch = Scratch::new(&parent.path().join("runs"), "run_1").unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/c"), "x").unwrap();
        symlink(&outside, path.join("a/link")).unwrap();
        fs::set_permissions(path.join("a/b"), fs::Permissions::from_mode(0o000)).unwrap();
        drop(scratch);
        assert!(!path.exists());
        assert!(outside.join("precious").exists());
    }

    #[test]
    fn what_is_in_use_is_not_swept() {
        let parent = tempfile::tempdir().unwrap();
        let used = Scratch::new(parent.path(), "used").unwrap();
        fs::create_dir_all(parent.path().join("left/behind")).unwrap();
        assert_eq!(sweep(parent.path()).unwrap(), 1);
        assert!(used.path().exists());
        assert!(!parent.path().join("left").exists());
        assert_eq!(sweep(&parent.path().join("none")).unwrap(), 0);
    }
}
