//! What a use case answers when it could not be carried out for a reason that is not the caller's.

use kernel::sealer::SealError;
use store::DbError;

/// Not a refusal: the caller did nothing wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("the database does not answer or has no room: {0}")]
    Store(#[from] DbError),
    #[error("a stored secret cannot be opened: {0}")]
    Seal(#[from] SealError),
    #[error("{0}")]
    Broken(String),
}

impl Fault {
    /// Something that should be impossible, said for the log.
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken(what.into())
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken(format!("stored JSON cannot be read: {error}"))
    }
}
