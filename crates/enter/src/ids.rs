//! The published ids of this door. They are texts that clients in the field already hold (`AG-..`, `MP-..`), so
//! any well-formed text is read; only those that we make ourselves have our shape.

use kernel::{Chance, Time};
use serde::{Deserialize, Serialize};

/// The longest published id, in bytes.
const LONGEST: usize = 64;

/// A text that cannot be a published id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} is 1 to 64 letters, digits, `-`, `_` or `.`, beginning with a letter or a digit")]
pub struct NotAnId {
    kind: &'static str,
}

/// Decision: no other characters, and none but a letter or digit in front, because these ids are filled into
/// paths of addresses, where `..` or `/` would lead elsewhere. The trade: exotic ids have to be renamed.
fn is_id(text: &str) -> bool {
    text.len() <= LONGEST
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// `bits` in Crockford's alphabet, the last five first.
fn crockford(mut bits: u128, digits: usize) -> impl Iterator<Item = char> {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    (0..digits).map(move |_| {
        let at = usize::try_from(bits & 31).unwrap_or(0);
        bits >>= 5;
        ALPHABET.get(at).copied().map_or('0', char::from)
    })
}

/// 130 bits' room for 128 random bits: 26 characters.
fn random_text(chance: &dyn Chance) -> String {
    crockford(u128::from_be_bytes(chance.bytes::<16>()), 26).collect()
}

/// The millisecond in 9 characters that sort as it does, and 85 random bits in 17. Rows whose keys begin with their
/// time lie together in an index, so that a commit of many of them writes few of its pages.
fn timed_text(now: Time, chance: &dyn Chance) -> String {
    let mut text = sortable(now);
    text.extend(crockford(u128::from_be_bytes(chance.bytes::<16>()), 17));
    text
}

/// The length of [`sortable`].
pub const SORTABLE: usize = 9;

/// The millisecond as 9 digits and capital letters, which sort as it does.
pub fn sortable(time: Time) -> String {
    let mut digits: Vec<char> = crockford(u128::try_from(time.millis()).unwrap_or(0), SORTABLE).collect();
    digits.reverse();
    digits.into_iter().collect()
}

macro_rules! published_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id of our own making.
            pub fn new(chance: &dyn Chance) -> Self {
                Self(format!(concat!($prefix, "-{}"), random_text(chance)))
            }

            /// # Errors
            /// [`NotAnId`] for a text that cannot stand in an address.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                if is_id(text) { Ok(Self(text.to_owned())) } else { Err(NotAnId { kind: $kind }) }
            }
        }

        kernel::id_of_text!($name, NotAnId);
    };
}

/// As `published_id`, with ids that begin with their time.
macro_rules! timed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// A new id of our own making; those that are made later sort behind it.
            pub fn new(now: Time, chance: &dyn Chance) -> Self {
                Self(format!(concat!($prefix, "-{}"), timed_text(now, chance)))
            }

            /// # Errors
            /// [`NotAnId`] for a text that cannot stand in an address.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                if is_id(text) { Ok(Self(text.to_owned())) } else { Err(NotAnId { kind: $kind }) }
            }
        }

        kernel::id_of_text!($name, NotAnId);
    };
}

published_id!(/** A partner: an organization that vouches for its users. */ PartnerId, "PT", "a partner's id");
published_id!(/** An app (service provider). */ AppId, "MP", "an app's id");
published_id!(/** An account: a business of a partner's. */ AccountId, "AG", "an account's id");
published_id!(/** A user of a partner, our own id: never what a partner calls its user. */ PersonId, "U", "a user's id");
published_id!(/** An OpenID Connect client of an app. */ ClientId, "client", "a client's id");
published_id!(/** A service account's key; what stands in an assertion's `kid`. */ ServiceKeyId, "sak", "a key's id");
timed_id!(/** A session of a browser with the gateway; not the cookie's secret. */ SessionId, "S", "a session's id");
timed_id!(/** What grew out of one authorization code: all its refresh tokens and access tokens. */ GrantId, "grant", "a grant's id");
published_id!(/** One of the gateway's own signing keys; the `kid` of what it signs. */ IssuerKeyId, "key", "a signing key's id");
published_id!(/** One access token, for revoking it by itself. */ TokenId, "tok", "a token's id");

impl GrantId {
    /// What [`Self::new`] writes behind the prefix: the part of a code and of a refresh token by which its row is found.
    pub const SELECTOR: usize = 26;

    /// The id without its prefix.
    pub fn selector(&self) -> &str {
        self.as_str().strip_prefix("grant-").unwrap_or_default()
    }

    /// The id that a selector of a presented token names; `None` for a text that is none.
    pub fn selected(text: &str) -> Option<Self> {
        let fits = text.len() == Self::SELECTOR && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        fits.then(|| Self(format!("grant-{text}")))
    }
}
