//! The order of a list of tenants.

/// What a list may be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Id,
    Name,
    Integration,
    Created,
    Modified,
}

impl Sort {
    pub const ALL: [Self; 5] = [Self::Id, Self::Name, Self::Integration, Self::Created, Self::Modified];

    /// The published field's name (contract `connect.md`, 6).
    pub const fn field(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Integration => "integration_id",
            Self::Created => "created_date",
            Self::Modified => "modified_date",
        }
    }

    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Integration => "integration_id",
            Self::Created => "created_at",
            Self::Modified => "modified_at",
        }
    }
}
