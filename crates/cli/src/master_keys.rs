//! The master keys of this node: from the settings, from a program, or from a file that is made at the first start.

mod printed;

use self::printed::NotPrinted;
use crate::settings::{Keys, Settings};
use kernel::{Chance, MasterKey, MasterKeys};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Why there is no master key. The texts are for the operator and never repeat a key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeysRefused {
    #[error("`{0}` is not a master key: 32 bytes are needed, as 64 hexadecimal digits or in base64")]
    Setting(&'static str),
    #[error("{0} does not hold a master key: 32 bytes are needed, as 64 hexadecimal digits or in base64")]
    Content(PathBuf),
    #[error("{0} can be read by others; run `chmod 600 {0}` (a mounted secret needs mode 0400)")]
    Open(PathBuf),
    #[error("{path} cannot be {action}: {cause}")]
    File { path: PathBuf, action: &'static str, cause: io::Error },
    #[error("`keys.master_key` and `keys.master_key_command` are both set: keep the one that is meant")]
    Both,
    #[error("{} (`keys.master_key_command`, {})", .0, .0.code())]
    Command(NotPrinted),
}

impl From<NotPrinted> for MasterKeysRefused {
    /// Its text is in ours already; as a source it would be told twice.
    fn from(no: NotPrinted) -> Self {
        Self::Command(no)
    }
}

/// Where the present master key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Setting,
    Command,
    File,
}

/// Which of the settings counts.
///
/// # Errors
/// [`MasterKeysRefused::Both`].
pub fn origin(keys: &Keys) -> Result<Origin, MasterKeysRefused> {
    match (&keys.master_key, keys.master_key_command.is_empty()) {
        (Some(_), false) => Err(MasterKeysRefused::Both),
        (Some(_), true) => Ok(Origin::Setting),
        (None, false) => Ok(Origin::Command),
        (None, true) => Ok(Origin::File),
    }
}

/// Loads the master key (`keys.master_key`, else what `keys.master_key_command` prints, else
/// `keys.master_key_file`) and the older ones. Where the file is missing it is made, with mode 0600, and a warning says
/// so. Blocks on the file system, and on the program for 10 seconds at most.
///
/// # Errors
/// [`MasterKeysRefused`], also for a file that its group or others can read.
pub fn load_master_keys(settings: &Settings, chance: &dyn Chance) -> Result<MasterKeys, MasterKeysRefused> {
    let Keys { master_key, master_key_command, master_key_file, older_master_keys } = &settings.keys;
    let current = match (origin(&settings.keys)?, master_key) {
        (Origin::Setting, Some(text)) => {
            MasterKey::parse(text.reveal()).map_err(|_| MasterKeysRefused::Setting("keys.master_key"))?
        }
        (Origin::Command, _) => printed::by(master_key_command)?,
        (Origin::Setting | Origin::File, _) => from_file(master_key_file, chance)?,
    };
    let older = older_master_keys.iter().map(|text| MasterKey::parse(text.reveal()));
    let older = older.collect::<Result<Vec<_>, _>>();
    let older = older.map_err(|_| MasterKeysRefused::Setting("keys.older_master_keys"))?;
    Ok(MasterKeys::new(current, older))
}

fn from_file(path: &Path, chance: &dyn Chance) -> Result<MasterKey, MasterKeysRefused> {
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            let failed = |cause| MasterKeysRefused::File { path: path.to_owned(), action: "made", cause };
            make(path, chance).map_err(failed)?;
            // Read back, because another process may have been first.
            let failed = |cause| MasterKeysRefused::File { path: path.to_owned(), action: "read", cause };
            read(path, File::open(path).map_err(failed)?)
        }
        Err(cause) => Err(MasterKeysRefused::File { path: path.to_owned(), action: "read", cause }),
    }
}

fn read(path: &Path, file: File) -> Result<MasterKey, MasterKeysRefused> {
    let failed = |cause| MasterKeysRefused::File { path: path.to_owned(), action: "read", cause };
    // The open file is asked, not the path, so that it cannot be exchanged in between.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
            return Err(MasterKeysRefused::Open(path.to_owned()));
        }
    }
    let mut text = String::new();
    file.take(1024).read_to_string(&mut text).map_err(failed)?;
    let key = MasterKey::parse(&text).map_err(|_| MasterKeysRefused::Content(path.to_owned()));
    zeroize::Zeroize::zeroize(&mut text);
    key
}

/// Writes a new key beside the path and then gives it its name, so that nobody ever reads half a key and of
/// two processes that start at once one wins.
fn make(path: &Path, chance: &dyn Chance) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file has mode 0600 from its first moment.
    let mut file = tempfile::Builder::new().prefix(".vestibule-key").tempfile_in(folder)?;
    file.write_all(MasterKey::new(chance.bytes::<32>()).to_hex().as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(refused) => return Err(refused.error),
    }
    File::open(folder)?.sync_all()?;
    tracing::warn!(
        path = %path.display(),
        "a new master key was made; keep a copy in a safe place, without it no stored credential can be opened"
    );
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::settings::{Sources, load};
    use kernel::SystemChance;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    fn settings(flags: &[String]) -> Settings {
        load(&Sources { flags: flags.to_vec(), ..Sources::default() }).unwrap().settings
    }

    fn in_folder() -> (tempfile::TempDir, PathBuf, Settings) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let settings = settings(&[format!("keys.master_key_file={}", path.display())]);
        (folder, path, settings)
    }

    #[test]
    fn the_first_start_makes_a_key_that_stays() {
        let (folder, path, settings) = in_folder();
        let made = load_master_keys(&settings, &SystemChance).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let read = load_master_keys(&settings, &SystemChance).unwrap();
        assert_eq!(made.current().id(), read.current().id());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn many_first_starts_agree_on_one_key() {
        let (_folder, _path, settings) = in_folder();
        let ids = std::thread::scope(|scope| {
            let start = || load_master_keys(&settings, &SystemChance).unwrap().current().id().to_owned();
            let starts = (0..16).map(|_| scope.spawn(start)).collect::<Vec<_>>();
            starts.into_iter().map(|start| start.join().unwrap()).collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let (_folder, path, settings) = in_folder();
        load_master_keys(&settings, &SystemChance).unwrap();
        for mode in [0o640, 0o604, 0o620] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = load_master_keys(&settings, &SystemChance).unwrap_err();
            assert!(matches!(refused, MasterKeysRefused::Open(_)), "{mode:o}: {refused}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(load_master_keys(&settings, &SystemChance).is_ok());
    }

    #[test]
    fn a_damaged_file_is_refused_and_left_alone() {
        let (_folder, path, settings) = in_folder();
        load_master_keys(&settings, &SystemChance).unwrap();
        std::fs::write(&path, "half a key").unwrap();
        let refused = load_master_keys(&settings, &SystemChance).unwrap_err();
        assert!(matches!(refused, MasterKeysRefused::Content(_)) && !refused.to_string().contains("half"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "half a key");
    }

    #[test]
    fn settings_win_over_the_file_and_older_keys_still_open() {
        let old = settings(&[format!("keys.master_key={}", "1".repeat(64))]);
        let new = settings(&[
            format!("keys.master_key={}", "2".repeat(64)),
            format!("keys.older_master_keys={}", "1".repeat(64)),
        ]);
        let (_, wrapped) =
            load_master_keys(&old, &SystemChance).unwrap().new_data_key("k", "org", &SystemChance).unwrap();
        let keys = load_master_keys(&new, &SystemChance).unwrap();
        assert!(keys.unwrap_data_key("k", "org", &wrapped).is_ok());
        let bad =
            load_master_keys(&settings(&["keys.master_key=hunter2".to_owned()]), &SystemChance).unwrap_err();
        assert!(
            matches!(bad, MasterKeysRefused::Setting("keys.master_key"))
                && !bad.to_string().contains("hunter2")
        );
    }

    #[test]
    fn a_program_may_print_the_key_and_one_source_counts() {
        let command = |words: &str| format!("keys.master_key_command={words}");
        let key = "4".repeat(64);
        let by_program = settings(&[command(&format!("[\"/bin/echo\", \"{key}\"]"))]);
        let by_setting = settings(&[format!("keys.master_key={key}")]);
        let id = |settings: &Settings| {
            load_master_keys(settings, &SystemChance).unwrap().current().id().to_owned()
        };
        assert_eq!(id(&by_program), id(&by_setting));
        let both = settings(&[format!("keys.master_key={key}"), command("[\"/bin/echo\"]")]);
        assert!(matches!(load_master_keys(&both, &SystemChance), Err(MasterKeysRefused::Both)));
        let fails = settings(&[command("[\"/bin/false\"]")]);
        let refused = load_master_keys(&fails, &SystemChance).unwrap_err().to_string();
        assert!(refused.contains("master_key_command_failed"), "{refused}");
        // No folder of the search path decides what runs.
        let flags = vec![command("[\"echo\", \"x\"]")];
        assert!(
            load(&Sources { flags, ..Sources::default() }).unwrap_err().to_string().contains("absolute path")
        );
    }
}
