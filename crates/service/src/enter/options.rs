//! What the operator can choose for the second door.

use ::enter::session::SessionLimits;

/// The shipped values are in [`Options::default`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Audiences of the older exchange that are taken beside our own, from keys that were allowed to use them
    /// (contract `enter.md`, section 4).
    pub legacy_audiences: Vec<String>,
    /// How long the browser's sessions live.
    pub session: SessionLimits,
}

impl Default for Options {
    fn default() -> Self {
        Self { legacy_audiences: vec!["vendasta.com".to_owned()], session: SessionLimits::default() }
    }
}
