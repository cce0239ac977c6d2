//! What can go wrong between a caller and the database, by kind. No kind ever carries a bound value.

/// An error of the store. Cheap to copy: one failed commit answers many callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// A row with this key exists. `index` is the name of the unique index (`tenants_name`), or
    /// `{table}_pkey` for a primary key: the same on both databases.
    #[error("a row with the same key exists already ({index})")]
    Unique { index: String },
    /// A row that this one refers to does not exist, or one that is still referred to was to be deleted.
    #[error("a row that is referred to does not exist, or is still referred to")]
    Reference,
    /// Weather: the database is busy, restarting or not reachable. The same unit of work may be tried again.
    #[error("the database is not available at the moment: {0}")]
    Unavailable(String),
    /// No room left where the database lives.
    #[error("the disk of the database is full")]
    Full,
    /// The database file is damaged, or a row holds something that this version does not understand.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// The settings or the state of the database do not allow to work with it; the text says what to do.
    #[error("{0}")]
    Setup(String),
    /// A mistake in this program.
    #[error("a mistake in the program: {0}")]
    Bug(String),
}

impl DbError {
    /// Whether the same unit of work may succeed when it is tried again.
    pub const fn is_weather(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether it is a violation of the unique index called `name`.
    pub fn is_unique(&self, name: &str) -> bool {
        matches!(self, Self::Unique { index } if index == name)
    }

    pub(crate) fn bad_column(position: usize, expected: &str) -> Self {
        Self::Corrupt(format!("column {position} of a row is not {expected}"))
    }
}
