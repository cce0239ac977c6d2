//! The partners that one browser came from lately, kept in a cookie of its own.

use crate::ids::PartnerId;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How many are remembered.
pub const RECENT_MOST: usize = 4;
/// How long, in seconds: half a year.
pub const RECENT_LIFETIME_S: i64 = 180 * 24 * 3600;

/// Newest first.
///
/// Decision: the cookie is signed. Attack: somebody tries out ids in it and is told the names of the partners that
/// exist here. Trade: none but the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecentPartners(Vec<PartnerId>);

impl RecentPartners {
    /// Reads the cookie's value; whatever is not ours counts as nothing.
    pub fn read(text: &str, key: &[u8]) -> Self {
        let read = || {
            let (ids, tag) = text.rsplit_once('~')?;
            let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
            verify(&Key::new(HMAC_SHA256, key), ids.as_bytes(), &tag).ok()?;
            ids.split('~').map(|id| PartnerId::parse(id).ok()).collect::<Option<Vec<_>>>()
        };
        let mut list = read().unwrap_or_default();
        list.truncate(RECENT_MOST);
        Self(list)
    }

    /// The cookie's value; ids hold no `~`.
    pub fn written(&self, key: &[u8]) -> String {
        let ids: Vec<&str> = self.0.iter().map(PartnerId::as_str).collect();
        let ids = ids.join("~");
        let tag = sign(&Key::new(HMAC_SHA256, key), ids.as_bytes());
        format!("{ids}~{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// With this one in front.
    #[must_use]
    pub fn with(mut self, partner: &PartnerId) -> Self {
        self.0.retain(|seen| seen != partner);
        self.0.insert(0, partner.clone());
        self.0.truncate(RECENT_MOST);
        self
    }

    pub fn ids(&self) -> &[PartnerId] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> PartnerId {
        PartnerId::parse(text).unwrap()
    }

    #[test]
    fn the_newest_stand_first_and_only_our_own_cookie_is_read() {
        let mut recent = RecentPartners::default();
        for one in ["a", "b", "c", "d", "e", "b"] {
            recent = recent.with(&id(one));
        }
        assert_eq!(recent.ids(), ["b", "e", "d", "c"].map(id));
        let text = recent.written(b"key");
        assert_eq!(RecentPartners::read(&text, b"key"), recent);
        assert_eq!(RecentPartners::read(&text, b"other"), RecentPartners::default());
        assert_eq!(RecentPartners::read(&text.replacen('e', "f", 1), b"key"), RecentPartners::default());
        for bad in ["", "~", "b~", "b~AAAA", "b"] {
            assert_eq!(RecentPartners::read(bad, b"key"), RecentPartners::default(), "{bad}");
        }
    }
}
