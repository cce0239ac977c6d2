//! Where settings come from: the file, the environment, flags.

use std::fmt;
use std::path::PathBuf;

/// Names the settings file; the one variable with our prefix that is not a setting.
pub const CONFIG_VARIABLE: &str = "VESTIBULE_CONFIG";
const DEFAULT_NAME: &str = "vestibule.toml";
/// Where settings come from, besides the defaults.
#[derive(Clone, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// The process's environment.
    pub variables: Vec<(String, String)>,
    /// `--set`, each `section.key=value`.
    pub flags: Vec<String>,
}

impl fmt::Debug for Sources {
    /// Variables and flags may carry secrets, so only the file is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sources {
    /// Of this process: its environment, and the file and flags that its command line gave.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<String>) -> Self {
        // A variable that is not UTF-8 is nobody's setting; its name alone is enough to refuse it later.
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { file, variables, flags }
    }

    /// The file to read, and whether somebody named it.
    pub(super) fn chosen_file(&self) -> (PathBuf, bool) {
        let variable =
            self.variables.iter().find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty());
        let named = self.file.clone().or_else(|| variable.map(|(_, value)| PathBuf::from(value)));
        named.map_or_else(|| (PathBuf::from(DEFAULT_NAME), false), |file| (file, true))
    }
}
