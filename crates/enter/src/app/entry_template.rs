//! An app's entry URL, with a place for the account.

use crate::domain::{Domain, ReturnRefused, ReturnUrl};
use crate::ids::AccountId;
use crate::percent;
use kernel::SafeUrl;
use kernel::jose::shortened;

/// The two spellings of the place.
const PLACES: [&str; 2] = ["<accountId>", "{{accountId}}"];
/// What the gateway writes into the query; an app's own must not stand beside it (lesson 5).
const ADDED: [&str; 2] = ["code", "nextUrl"];

/// An entry URL template, as it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryTemplate(String);

/// Why an entry URL is refused at registration, or cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateRefused {
    #[error("the entry URL: {0}")]
    Url(#[from] ReturnRefused),
    #[error("the account's place may stand in the path or the query of an entry URL, not in its host")]
    PlaceInHost,
    #[error("the entry URL has a place `{0}`; known is `{{{{accountId}}}}`, also written `<accountId>`")]
    UnknownPlace(String),
    #[error("the entry URL's query has `{0}`, which the gateway itself adds")]
    Reserved(&'static str),
    #[error("this app is entered for an account; name one")]
    NeedsAccount,
}

impl EntryTemplate {
    /// Checks a template for an app with these domains.
    ///
    /// # Errors
    /// [`TemplateRefused`].
    pub fn register(text: &str, domains: &[Domain]) -> Result<Self, TemplateRefused> {
        let template = Self(text.to_owned());
        let sample = template.with("a0");
        if let Some(at) = sample.find(['<', '>', '{', '}']) {
            return Err(TemplateRefused::UnknownPlace(shortened(sample.get(at..).unwrap_or_default())));
        }
        let url = ReturnUrl::parse(&sample, domains);
        // Filled with something else it must still be the same host.
        let other = ReturnUrl::parse(&template.with("b1"), domains);
        if url.is_ok() != other.is_ok() {
            return Err(TemplateRefused::PlaceInHost);
        }
        let (url, other) = (url?, other?);
        if url.url().origin() != other.url().origin() {
            return Err(TemplateRefused::PlaceInHost);
        }
        for (name, _) in url.url().as_url().query_pairs() {
            if let Some(taken) = ADDED.iter().find(|taken| **taken == name) {
                return Err(TemplateRefused::Reserved(taken));
            }
        }
        Ok(template)
    }

    /// What a column holds; it came from [`Self::register`].
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn with(&self, account: &str) -> String {
        PLACES.iter().fold(self.0.clone(), |text, place| text.replace(place, account))
    }

    fn has_place(&self) -> bool {
        PLACES.iter().any(|place| self.0.contains(place))
    }

    /// The entry URL for an account. Filled percent-encoded, parsed again, its origin compared with that of the
    /// template.
    ///
    /// # Errors
    /// [`TemplateRefused::NeedsAccount`] where the template has a place and there is no account.
    pub fn filled(&self, account: Option<&AccountId>) -> Result<SafeUrl, TemplateRefused> {
        if account.is_none() && self.has_place() {
            return Err(TemplateRefused::NeedsAccount);
        }
        let parse = |text: &str| SafeUrl::parse(text).map_err(|why| TemplateRefused::Url(why.into()));
        let url = parse(&self.with(&percent::encoded(account.map_or("", AccountId::as_str))))?;
        let same = parse(&self.with("a0"))?.origin() == url.origin();
        if same { Ok(url) } else { Err(TemplateRefused::PlaceInHost) }
    }
}

/// The entry URL that a browser is sent to: `url` with `code` as its first query parameter, then `nextUrl`, then
/// what it had (contract `enter.md`, section 2).
pub fn with_code(url: &SafeUrl, code: &str, next_url: Option<&str>) -> String {
    let (base, own) =
        url.as_str().split_once('?').map_or((url.as_str(), None), |(base, own)| (base, Some(own)));
    let next = next_url.map(|next| format!("&nextUrl={}", percent::encoded(next))).unwrap_or_default();
    let own = own.filter(|own| !own.is_empty()).map(|own| format!("&{own}")).unwrap_or_default();
    format!("{base}?code={}{next}{own}", percent::encoded(code))
}
