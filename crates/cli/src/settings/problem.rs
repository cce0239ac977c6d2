//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One mistake: where it stands and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `vestibule.toml:12`, `VESTIBULE_LISTEN`, `--set listen`.
    pub place: String,
    pub text: String,
}

/// Settings with which the program does not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub Vec<Problem>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings are not usable:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {}: {}", problem.place, problem.text))
    }
}

impl std::error::Error for Refused {}
