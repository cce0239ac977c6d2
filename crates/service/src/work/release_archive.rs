//! A release's files as one packed file: tar and gzip, with nothing in it that leaves the folder.

use connect::release::{ARCHIVE_BYTES, Archive, FILES, UNPACKED_BYTES};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Why files are not packed, or a packed file is not unpacked. The texts are for whoever builds.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveRefused {
    #[error(
        "`{0}` is a link that leads out of the folder, or to nothing; make it a file (a Python environment: `python3 -m venv --copies`)"
    )]
    Link(PathBuf),
    #[error("`{0}` is neither a file, a folder nor a link")]
    Kind(PathBuf),
    #[error("`{0}` has a name that is no text")]
    Name(PathBuf),
    #[error("a release has at most {} MiB packed", ARCHIVE_BYTES >> 20)]
    Packed,
    #[error("a release has at most {} MiB unpacked", UNPACKED_BYTES >> 20)]
    Unpacked,
    #[error("a release has at most {FILES} files")]
    Files,
    #[error("the packed files are not what was stored")]
    Damaged,
    #[error("{path}: {cause}")]
    Disk { path: PathBuf, cause: io::Error },
}

fn disk(path: &Path) -> impl FnOnce(io::Error) -> ArchiveRefused {
    let path = path.to_owned();
    move |cause| match cause.kind() {
        io::ErrorKind::FileTooLarge => ArchiveRefused::Packed,
        _ => ArchiveRefused::Disk { path, cause },
    }
}

/// Packed files.
#[derive(Debug)]
pub struct Packed {
    pub bytes: Vec<u8>,
    pub archive: Archive,
}

/// Bytes in memory, up to a limit.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if u64::try_from(self.0.len() + bytes.len()).is_ok_and(|all| all <= ARCHIVE_BYTES) {
            self.0.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        Err(io::ErrorKind::FileTooLarge.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Packing {
    /// The folder without links in its own path.
    root: PathBuf,
    tar: Builder<GzEncoder<Bounded>>,
    files: u64,
    bytes: u64,
}

/// Packs a folder. `.git` stays out; times and owners are not kept, so that the same files make the same bytes.
///
/// # Errors
/// [`ArchiveRefused`] with the path, as seen from the folder, of what cannot be packed.
pub fn pack(folder: &Path) -> Result<Packed, ArchiveRefused> {
    let root = fs::canonicalize(folder).map_err(disk(folder))?;
    let tar = Builder::new(GzEncoder::new(Bounded(Vec::new()), Compression::default()));
    let mut packing = Packing { root, tar, files: 0, bytes: 0 };
    let mut left = vec![PathBuf::new()];
    while let Some(inner) = left.pop() {
        left.extend(packing.folder(&inner)?);
    }
    let packed = packing.tar.into_inner().and_then(GzEncoder::finish).map_err(disk(folder))?;
    let Bounded(bytes) = packed;
    let archive = archive_of(&bytes);
    Ok(Packed { bytes, archive })
}

fn archive_of(bytes: &[u8]) -> Archive {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    Archive { hash: kernel::secret::sha256_hex(bytes), bytes: length }
}

impl Packing {
    /// Packs what is in one folder, in the order of the names, and returns the folders in it.
    fn folder(&mut self, inner: &Path) -> Result<Vec<PathBuf>, ArchiveRefused> {
        let here = self.root.join(inner);
        let mut names = Vec::new();
        for entry in fs::read_dir(&here).map_err(disk(inner))? {
            names.push(inner.join(entry.map_err(disk(inner))?.file_name()));
        }
        names.sort();
        let mut folders = Vec::new();
        for path in names {
            if path.as_os_str() == ".git" {
                continue;
            }
            if path.to_str().is_none() {
                return Err(ArchiveRefused::Name(path));
            }
            let about = fs::symlink_metadata(self.root.join(&path)).map_err(disk(&path))?;
            self.files += 1;
            if self.files > FILES {
                return Err(ArchiveRefused::Files);
            }
            if about.is_symlink() {
                self.link(&path)?;
            } else if about.is_dir() {
                let mut header = header(&about, EntryType::Directory, 0);
                self.tar.append_data(&mut header, &path, io::empty()).map_err(disk(&path))?;
                folders.push(path);
            } else if about.is_file() {
                self.file(&path, &about)?;
            } else {
                return Err(ArchiveRefused::Kind(path));
            }
        }
        // The last of the list is packed next.
        folders.reverse();
        Ok(folders)
    }

    fn file(&mut self, path: &Path, about: &Metadata) -> Result<(), ArchiveRefused> {
        self.bytes = self.bytes.saturating_add(about.len());
        if self.bytes > UNPACKED_BYTES {
            return Err(ArchiveRefused::Unpacked);
        }
        let file = File::open(self.root.join(path)).map_err(disk(path))?;
        let mut header = header(about, EntryType::Regular, about.len());
        // What is appended meanwhile is not packed; where it became shorter, the error says so.
        self.tar.append_data(&mut header, path, file.take(about.len())).map_err(disk(path))
    }

    /// Decision: a link must lead to something inside the folder, seen by the file system and not only by its text.
    /// Attack: a release with `config -> /etc/shadow`, or two links that are harmless alone (`a -> sub/up`,
    /// `sub/up -> ..`), makes another machine's files readable or written. Trade: a link to nothing is refused too.
    fn link(&mut self, path: &Path) -> Result<(), ArchiveRefused> {
        let refused = || ArchiveRefused::Link(path.to_owned());
        let target = fs::read_link(self.root.join(path)).map_err(disk(path))?;
        let is_relative = target
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir | Component::ParentDir));
        let found = fs::canonicalize(self.root.join(path)).map_err(|_| refused())?;
        if !is_relative || !found.starts_with(&self.root) || found.starts_with(self.root.join(".git")) {
            return Err(refused());
        }
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        header.set_mtime(0);
        self.tar.append_link(&mut header, path, &target).map_err(disk(path))
    }
}

fn header(about: &Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(about.permissions().mode() & 0o777);
    header.set_mtime(0);
    header
}

/// Unpacks into a folder that is there and empty. How many bytes the files have.
///
/// # Errors
/// [`ArchiveRefused::Damaged`] before anything is written where the bytes are not those of `archive`.
pub fn unpack(bytes: &[u8], archive: &Archive, into: &Path) -> Result<u64, ArchiveRefused> {
    if archive_of(bytes) != *archive {
        return Err(ArchiveRefused::Damaged);
    }
    let mut files = 0;
    let mut written: u64 = 0;
    let mut tar = tar::Archive::new(GzDecoder::new(bytes));
    for entry in tar.entries().map_err(disk(into))? {
        let mut entry = entry.map_err(disk(into))?;
        files += 1;
        written = written.saturating_add(entry.size());
        if files > FILES {
            return Err(ArchiveRefused::Files);
        }
        if written > UNPACKED_BYTES {
            return Err(ArchiveRefused::Unpacked);
        }
        let is_known = matches!(
            entry.header().entry_type(),
            EntryType::Regular | EntryType::Directory | EntryType::Symlink
        );
        // `unpack_in` writes nothing outside the folder, and says so where it would have.
        if !is_known || !entry.unpack_in(into).map_err(disk(into))? {
            return Err(ArchiveRefused::Damaged);
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("src/deep")).unwrap();
        fs::create_dir_all(folder.path().join(".git")).unwrap();
        fs::write(folder.path().join(".git/config"), "secret").unwrap();
        fs::write(folder.path().join("run.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(folder.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("src/deep/ä b.txt"), "content").unwrap();
        folder
    }

    #[test]
    fn files_modes_and_links_inside_come_back() {
        let from = folder();
        symlink("../run.sh", from.path().join("src/start")).unwrap();
        symlink("deep", from.path().join("src/same")).unwrap();
        let packed = pack(from.path()).unwrap();
        let into = tempfile::tempdir().unwrap();
        assert_eq!(unpack(&packed.bytes, &packed.archive, into.path()).unwrap(), 17);
        let at = |path: &str| into.path().join(path);
        assert_eq!(fs::read_to_string(at("src/same/ä b.txt")).unwrap(), "content");
        assert_eq!(fs::metadata(at("run.sh")).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_link(at("src/start")).unwrap(), Path::new("../run.sh"));
        assert!(!at(".git").exists());
        let again = pack(into.path()).unwrap();
        assert_eq!(again.archive, packed.archive, "the same files make the same bytes");
    }

    #[test]
    fn what_leads_out_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("file"), "x").unwrap();
        let absolute = outside.path().join("file");
        for target in [absolute.to_str().unwrap(), "../..", "nothing", "src/../../..", ".git/config", "self"]
        {
            let from = folder();
            symlink(target, from.path().join("self")).unwrap();
            assert!(
                matches!(pack(from.path()), Err(ArchiveRefused::Link(path)) if path == Path::new("self")),
                "{target}"
            );
        }
        // Each is harmless by its text.
        let from = folder();
        symlink("..", from.path().join("src/up")).unwrap();
        symlink("src/up/..", from.path().join("two")).unwrap();
        assert!(matches!(pack(from.path()), Err(ArchiveRefused::Link(path)) if path == Path::new("two")));
    }

    #[test]
    fn what_was_changed_is_not_unpacked() {
        let packed = pack(folder().path()).unwrap();
        let into = tempfile::tempdir().unwrap();
        let mut changed = packed.bytes.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        assert!(matches!(unpack(&changed, &packed.archive, into.path()), Err(ArchiveRefused::Damaged)));
        assert_eq!(fs::read_dir(into.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_packed_file_that_writes_elsewhere_is_refused() {
        for (path, kind) in
            [("../out", EntryType::Regular), ("dev", EntryType::Char), ("hard", EntryType::Link)]
        {
            let mut tar = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
            let mut header = Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_mode(0o644);
            let name = &mut header.as_old_mut().name;
            name[..path.len()].copy_from_slice(path.as_bytes());
            if kind == EntryType::Link {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            tar.append(&header, io::empty()).unwrap();
            let bytes = tar.into_inner().unwrap().finish().unwrap();
            let parent = tempfile::tempdir().unwrap();
            let into = parent.path().join("into");
            fs::create_dir(&into).unwrap();
            assert!(
                matches!(unpack(&bytes, &archive_of(&bytes), &into), Err(ArchiveRefused::Damaged)),
                "{path}"
            );
            assert!(!parent.path().join("out").exists());
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let from = tempfile::tempdir().unwrap();
        let file = File::create(from.path().join("hole")).unwrap();
        file.set_len(UNPACKED_BYTES + 1).unwrap();
        assert!(matches!(pack(from.path()), Err(ArchiveRefused::Unpacked)));
    }
}
