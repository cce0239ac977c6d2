//! Style sheets, scripts and pictures, embedded in the program and served under names that change with their
//! content, so that browsers may keep them for ever.

use flate2::Compression;
use flate2::write::GzEncoder;
use kernel::secret::sha256_hex;
use std::io::Write as _;
use std::sync::LazyLock;

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    pub name: &'static str,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
    /// The same, compressed once at first use; `None` where compression gains nothing.
    pub gzip: Option<Vec<u8>>,
    /// The first 12 hexadecimal digits of the content's SHA-256.
    pub hash: String,
    path: String,
}

/// What to send for a request of an asset.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// 200, or 304 without a body.
    pub status: u16,
    pub body: &'a [u8],
    pub content_type: &'static str,
    /// Set where the body is compressed. `Vary: Accept-Encoding` belongs on every answer.
    pub content_encoding: Option<&'static str>,
    pub cache_control: &'static str,
}

/// For `/static/{hash}/{name}`: another content has another address.
pub const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// For `/embed/v1.js` and `/embed/v1.d.ts`, which keep their address: embedding pages get a new one within the hour.
pub const FOR_AN_HOUR: &str = "public, max-age=3600, stale-while-revalidate=86400";

macro_rules! embedded {
    ($($name:literal: $content_type:literal,)*) => {
        const EMBEDDED: &[(&str, &str, &[u8])] = &[
            $(($name, $content_type, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/", $name)))),*
        ];
    };
}

embedded! {
    "vestibule.css": "text/css; charset=utf-8",
    "gallery.css": "text/css; charset=utf-8",
    "dialog.js": "text/javascript; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "embed/v1.js": "text/javascript; charset=utf-8",
    "embed/v1.d.ts": "text/plain; charset=utf-8",
}

static ASSETS: LazyLock<Vec<Asset>> =
    LazyLock::new(|| EMBEDDED.iter().map(|parts| Asset::new(*parts)).collect());

impl Asset {
    fn new((name, content_type, bytes): (&'static str, &'static str, &'static [u8])) -> Self {
        let hash: String = sha256_hex(bytes).chars().take(12).collect();
        let gzip = compressed(bytes).filter(|gzip| gzip.len() < bytes.len());
        let path = format!("/static/{hash}/{name}");
        Self { name, content_type, bytes, gzip, hash, path }
    }

    /// The strong entity tag, with its quotes.
    pub fn etag(&self) -> String {
        format!("\"{}\"", self.hash)
    }

    /// Chooses the body by the request's `Accept-Encoding` and `If-None-Match`.
    pub fn answer(
        &self,
        accept_encoding: Option<&str>,
        if_none_match: Option<&str>,
        cache_control: &'static str,
    ) -> Answer<'_> {
        let content_type = self.content_type;
        let known = if_none_match.is_some_and(|tags| tags.split(',').any(|tag| self.is_tagged(tag)));
        if known {
            return Answer { status: 304, body: &[], content_type, content_encoding: None, cache_control };
        }
        match self.gzip.as_deref().filter(|_| accept_encoding.is_some_and(takes_gzip)) {
            Some(gzip) => Answer {
                status: 200,
                body: gzip,
                content_type,
                content_encoding: Some("gzip"),
                cache_control,
            },
            None => {
                Answer { status: 200, body: self.bytes, content_type, content_encoding: None, cache_control }
            }
        }
    }

    fn is_tagged(&self, tag: &str) -> bool {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == self.hash
    }
}

/// The asset of a name, whatever its hash.
pub fn named(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// The asset behind `/static/{hash}/{name}`. Another hash is `None`: an old page must not get a new script.
pub fn hashed(hash: &str, name: &str) -> Option<&'static Asset> {
    named(name).filter(|asset| asset.hash == hash)
}

/// The address of an asset: `/static/{hash}/{name}`.
pub fn path(name: &str) -> &'static str {
    named(name).map_or("", |asset| &asset.path)
}

fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok()
}

/// Whether `Accept-Encoding` takes gzip: named with a weight above nought (RFC 9110, section 12.5.3).
fn takes_gzip(header: &str) -> bool {
    header.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let refused =
            weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0);
        matches!(name.trim(), "gzip" | "*") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_is_found_by_its_own_hash_only() {
        let path = path("vestibule.css");
        let (hash, name) = path.strip_prefix("/static/").and_then(|rest| rest.split_once('/')).unwrap();
        assert_eq!(hashed(hash, name).unwrap().content_type, "text/css; charset=utf-8");
        assert!(hashed("000000000000", name).is_none());
        assert!(hashed(hash, "nothing.css").is_none());
        assert!(hashed(hash, "../assets.rs").is_none());
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let asset = named("dialog.js").unwrap();
        let answer = asset.answer(Some("br, gzip;q=0.8"), None, FOR_EVER);
        assert_eq!((answer.status, answer.content_encoding), (200, Some("gzip")));
        assert!(answer.body.starts_with(&[0x1f, 0x8b]) && answer.body.len() < asset.bytes.len());
        for refused in [None, Some("br"), Some("gzip;q=0"), Some("gzip; q=0.0"), Some("identity")] {
            assert_eq!(asset.answer(refused, None, FOR_EVER).content_encoding, None, "{refused:?}");
        }
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        let asset = named("embed/v1.js").unwrap();
        let weak = format!("\"x\", W/{}", asset.etag());
        let answer = asset.answer(Some("gzip"), Some(&weak), FOR_AN_HOUR);
        assert_eq!((answer.status, answer.body.len()), (304, 0));
        assert_eq!(asset.answer(None, Some("\"other\""), FOR_AN_HOUR).status, 200);
    }

    #[test]
    fn the_embed_script_stays_under_6_kilobytes() {
        let asset = named("embed/v1.js").unwrap();
        assert!(asset.gzip.as_ref().unwrap().len() < 6_000);
    }
}
