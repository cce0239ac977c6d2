//! What a service account's tokens may do at `sso.v1`.

/// A scope of a service account. A token that lacks the one that a method needs is refused with code 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Entry URLs and session-transfer URLs: what a session-transfer endpoint needs.
    Entry,
    /// Ending sessions of the partner's own users.
    Logout,
    AppsRead,
    /// Apps of the own organization and their clients, with their secrets.
    AppsWrite,
    PartnerRead,
    /// The partner's own configuration.
    PartnerWrite,
}

impl Scope {
    pub const ALL: [Self; 6] =
        [Self::Entry, Self::Logout, Self::AppsRead, Self::AppsWrite, Self::PartnerRead, Self::PartnerWrite];

    /// What a new service account has unless somebody gives it more: enough to bring users in and out, and nothing
    /// of what changes how the gateway treats them.
    pub const DEFAULT: [Self; 2] = [Self::Entry, Self::Logout];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Logout => "logout",
            Self::AppsRead => "apps:read",
            Self::AppsWrite => "apps:write",
            Self::PartnerRead => "partner:read",
            Self::PartnerWrite => "partner:write",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }

    /// Whether one of `granted` is this scope. Writing includes reading.
    pub fn is_among(self, granted: &[String]) -> bool {
        let wider = match self {
            Self::AppsRead => Some(Self::AppsWrite),
            Self::PartnerRead => Some(Self::PartnerWrite),
            _ => None,
        };
        granted.iter().any(|one| one == self.as_str() || wider.is_some_and(|wider| one == wider.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written_and_writing_includes_reading() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            assert!(scope.is_among(&[scope.as_str().to_owned()]));
            assert!(!scope.is_among(&[]));
        }
        let granted = |text: &str| [text.to_owned()];
        assert!(Scope::AppsRead.is_among(&granted("apps:write")));
        assert!(!Scope::AppsWrite.is_among(&granted("apps:read")));
        assert!(!Scope::Entry.is_among(&granted("apps:write")));
        assert_eq!(Scope::parse("*"), None);
    }
}
