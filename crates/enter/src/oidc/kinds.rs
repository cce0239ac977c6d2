//! Kinds of secrets and tokens, and where each may be shown (lesson 8).

/// Every kind of secret that this door gives out. Each has its own prefix and its own table, so that a value of
/// one kind is never looked up among another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    EntryCode,
    AuthorizationCode,
    AccessToken,
    RefreshToken,
    IdToken,
    /// A pushed authorization request's reference (RFC 9126).
    RequestUri,
    LogoutToken,
    /// An assertion of a service account or a client.
    Assertion,
}

/// Where a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// `/enter?code=`
    Enter,
    /// `/oauth2/token`, `grant_type=authorization_code`, `code`.
    CodeGrant,
    /// `grant_type=refresh_token`, `refresh_token`.
    RefreshGrant,
    /// `grant_type=..jwt-bearer`, `assertion`; also `client_assertion`.
    AssertionGrant,
    /// `Authorization: Bearer` of userinfo, access-check and `sso.v1`.
    Bearer,
    /// `/oauth2/revoke` and `/oauth2/introspect`, `token`.
    Revoke,
    Introspect,
    /// `/oauth2/auth`, `request_uri`.
    Authorize,
    /// `/oauth2/logout`, `id_token_hint`.
    Logout,
}

impl TokenKind {
    pub const ALL: [Self; 8] = [
        Self::EntryCode,
        Self::AuthorizationCode,
        Self::AccessToken,
        Self::RefreshToken,
        Self::IdToken,
        Self::RequestUri,
        Self::LogoutToken,
        Self::Assertion,
    ];

    /// What an opaque secret of this kind begins with. `None` for JWTs, which are told apart by `typ`.
    pub const fn prefix(self) -> Option<&'static str> {
        match self {
            Self::EntryCode => Some(crate::entry::Codes::ENTRY),
            Self::AuthorizationCode => Some("vst_ac_"),
            Self::RefreshToken => Some("vst_rt_"),
            Self::RequestUri => Some("urn:ietf:params:oauth:request_uri:vst_"),
            Self::AccessToken | Self::IdToken | Self::LogoutToken | Self::Assertion => None,
        }
    }

    /// The header's `typ`, exact. Only an access token's and a logout token's say what they are; an ID token is a
    /// plain JWT, and is told from both by that (RFC 9068, section 2.1; back-channel logout, section 2.4).
    pub const fn header_type(self) -> Option<&'static str> {
        match self {
            Self::AccessToken => Some("at+jwt"),
            Self::LogoutToken => Some("logout+jwt"),
            Self::IdToken => Some("JWT"),
            _ => None,
        }
    }

    /// Whether a token of this kind may be presented there.
    pub const fn belongs(self, place: Place) -> bool {
        matches!(
            (self, place),
            (Self::EntryCode, Place::Enter)
                | (Self::AuthorizationCode, Place::CodeGrant)
                | (Self::AccessToken, Place::Bearer | Place::Revoke | Place::Introspect)
                | (Self::RefreshToken, Place::RefreshGrant | Place::Revoke | Place::Introspect)
                | (Self::IdToken, Place::Logout)
                | (Self::RequestUri, Place::Authorize)
                | (Self::Assertion, Place::AssertionGrant)
        )
    }

    /// The kind that an opaque text claims to be by its prefix.
    pub fn of_opaque(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.prefix().is_some_and(|prefix| text.starts_with(prefix)))
    }
}
