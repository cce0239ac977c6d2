//! Addresses in a definition: URL templates parsed into their parts, and the hosts that may be called.
//!
//! Decision: a URL template is split at load, and each value is written for the part it lands in. Attack: an
//! input such as `evil.example/#` would otherwise move the credential to another host. Trade: a value can
//! never bring a slash or a port along, except `{capture.base}` in the place of scheme and host, which is
//! checked against the declared hosts.

use super::template::{
    Escape, Expression, Piece, Template, TemplateFailed, TemplateRefused, Variable, Variables,
};
use url::{Host, Url};

/// Whether addresses of this machine are accepted: only for tests and the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loopback {
    #[default]
    Refused,
    Allowed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// `https://{inputs.shop}.myshopify.com`.
    Host { scheme: &'static str, host: Template, port: Option<u16>, text: String },
    /// `{capture.base}`: scheme and host come from the value.
    Value(Expression),
}

/// A URL with variables, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlTemplate {
    pub(super) base: Base,
    pub(super) path: Template,
    pub(super) query: Vec<(String, Template)>,
}

/// Why a text is no URL template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    #[error(transparent)]
    Template(#[from] TemplateRefused),
    #[error(
        "a URL here starts with https:// or with a variable that holds the whole base, as in {{capture.base}}/path"
    )]
    Scheme,
    #[error("the host `{0}` is not a public host name; addresses, localhost and internal names are refused")]
    Private(String),
    #[error("the host `{0}` is not a host name")]
    Host(String),
    #[error("a user name or password in a URL is refused; use `basic` or a header")]
    UserInfo,
    #[error("a fragment in a URL is never sent; remove it")]
    Fragment,
    #[error("the path must not contain `.` or `..` segments, blanks or backslashes")]
    Path,
}

impl UrlTemplate {
    /// # Errors
    /// [`AddressRefused`].
    pub fn parse(text: &str, loopback: Loopback) -> Result<Self, AddressRefused> {
        let (scheme, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (Some("https"), rest),
            (_, Some(rest)) if loopback == Loopback::Allowed => (Some("http"), rest),
            _ => (None, text),
        };
        let (authority, rest) = split_outside_braces(rest, &['/', '?', '#']);
        let base = match scheme {
            Some(scheme) => host_base(scheme, authority, loopback)?,
            None => value_base(authority)?,
        };
        let (path, query) = split_outside_braces(rest, &['?', '#']);
        if query.contains('#') && split_outside_braces(query, &['#']).1.starts_with('#') {
            return Err(AddressRefused::Fragment);
        }
        let path = Template::parse(path)?;
        check_path(&path)?;
        let query = query.strip_prefix('?').map_or(Ok(Vec::new()), query_pairs)?;
        Ok(Self { base, path, query })
    }

    /// The variables that decide which host is called.
    pub(super) fn host_variables(&self) -> Vec<&Variable> {
        match &self.base {
            Base::Host { host, .. } => host.variables().collect(),
            Base::Value(expression) => vec![&expression.variable],
        }
    }

    /// Whether the host ends in at least two literal labels (`{inputs.shop}.myshopify.com`), so that no value
    /// can choose another site.
    pub(super) fn has_fixed_site(&self) -> bool {
        let Base::Host { host, .. } = &self.base else { return false };
        match host.pieces.as_slice() {
            [Piece::Text(_)] => true,
            [.., Piece::Text(end)] => {
                end.strip_prefix('.').is_some_and(|rest| rest.contains('.') && !rest.starts_with('.'))
            }
            _ => false,
        }
    }

    /// The literal host, where there is one.
    pub fn literal_host(&self) -> Option<&str> {
        match &self.base {
            Base::Host { host, .. } => host.as_literal(),
            Base::Value(_) => None,
        }
    }

    /// The host with the port, as a host pattern writes it.
    pub(super) fn authority(&self, host: &str) -> String {
        match &self.base {
            Base::Host { port: Some(port), .. } => format!("{host}:{port}"),
            _ => host.to_owned(),
        }
    }

    /// Puts this machine's `origin` (`http://127.0.0.1:4000`) in the place of an origin, where `text` is that
    /// origin as the file writes it.
    pub(super) fn rebase(&mut self, text: &str, origin: &Url) {
        if let Base::Host { text: own, .. } = &self.base
            && own == text
        {
            let scheme = if origin.scheme() == "https" { "https" } else { "http" };
            let host = Template::literal(origin.host_str().unwrap_or_default());
            self.base = Base::Host { scheme, host, port: origin.port(), text: text.to_owned() };
        }
    }

    /// Fills it in. `hosts` are those that the connector declares; a host that a value chooses freely must be
    /// one of them.
    ///
    /// # Errors
    /// [`TemplateFailed`].
    pub(super) fn render(
        &self,
        variables: &Variables<'_>,
        hosts: &[HostPattern],
        loopback: Loopback,
    ) -> Result<Url, TemplateFailed> {
        let refused = |why: &str| TemplateFailed::Address(why.to_owned());
        let mut text = match &self.base {
            Base::Host { scheme, host, port, .. } => {
                let host = host.render(variables, Escape::Host)?;
                port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}"))
            }
            Base::Value(expression) => base_of(&expression.value(variables)?)?,
        };
        let path = self.path.render(variables, Escape::Path)?;
        if path.split('/').any(is_dots) {
            return Err(refused("a path segment is `.` or `..`"));
        }
        text.push_str(&path);
        let mut url = Url::parse(&text).map_err(|_| refused("it does not parse"))?;
        for (name, value) in &self.query {
            let value = value.render(variables, Escape::Plain)?;
            url.query_pairs_mut().append_pair(name, &value);
        }
        match (url.scheme(), loopback) {
            ("https", _) | ("http", Loopback::Allowed) => {}
            _ => return Err(refused("it is not https")),
        }
        let host = url.host_str().ok_or_else(|| refused("it has no host"))?;
        if loopback == Loopback::Refused && !is_public_name(&url) {
            return Err(TemplateFailed::Address(format!("`{host}` is not a public host name")));
        }
        if !self.has_fixed_site() && !declares(hosts, &url, variables) {
            return Err(TemplateFailed::Address(format!(
                "`{host}` is not among the hosts that the connector declares"
            )));
        }
        Ok(url)
    }
}

fn host_base(scheme: &'static str, authority: &str, loopback: Loopback) -> Result<Base, AddressRefused> {
    let (before, _) = split_outside_braces(authority, &['@']);
    if before.len() != authority.len() {
        return Err(AddressRefused::UserInfo);
    }
    let (host_text, port_text) = split_outside_braces(authority, &[':']);
    let invalid = || AddressRefused::Host(authority.to_owned());
    let port = match port_text.strip_prefix(':') {
        None => None,
        // A default port is none, as in a parsed URL.
        Some(digits) => {
            let port = digits.parse::<u16>().map_err(|_| invalid())?;
            Some(port).filter(|port| (scheme, *port) != ("https", 443) && (scheme, *port) != ("http", 80))
        }
    };
    let host = Template::parse(host_text)?;
    for piece in &host.pieces {
        if let Piece::Text(text) = piece {
            let fits = !text.contains("..")
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
            if !fits {
                return Err(invalid());
            }
        }
    }
    if let Some(literal) = host.as_literal() {
        let url = Url::parse(&format!("{scheme}://{literal}")).map_err(|_| invalid())?;
        if loopback == Loopback::Refused && !is_public_name(&url) {
            return Err(AddressRefused::Private(literal.to_owned()));
        }
    }
    let text = format!("{scheme}://{authority}");
    Ok(Base::Host { scheme, host, port, text })
}

fn value_base(authority: &str) -> Result<Base, AddressRefused> {
    let template = Template::parse(authority)?;
    match template.pieces.into_iter().next() {
        Some(Piece::Value(expression)) if authority.ends_with('}') && authority.matches('{').count() == 1 => {
            Ok(Base::Value(expression))
        }
        _ => Err(AddressRefused::Scheme),
    }
}

fn query_pairs(text: &str) -> Result<Vec<(String, Template)>, AddressRefused> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (pair, after) = split_outside_braces(rest, &['&']);
        let (name, value) = split_outside_braces(pair, &['=']);
        let value = Template::parse(value.strip_prefix('=').unwrap_or_default())?;
        pairs.push((name.to_owned(), value));
        rest = after.strip_prefix('&').unwrap_or_default();
    }
    Ok(pairs)
}

fn check_path(path: &Template) -> Result<(), AddressRefused> {
    for piece in &path.pieces {
        if let Piece::Text(text) = piece {
            let odd = text.contains(|c: char| c.is_control() || c == ' ' || c == '\\');
            if odd || text.split('/').any(is_dots) {
                return Err(AddressRefused::Path);
            }
        }
    }
    Ok(())
}

/// A segment that the URL parser would remove or climb with, in each of its spellings.
fn is_dots(segment: &str) -> bool {
    matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..")
}

/// A value that stands for scheme and host, perhaps with a path: without a slash at its end.
fn base_of(value: &str) -> Result<String, TemplateFailed> {
    let refused = |why: &str| TemplateFailed::Address(why.to_owned());
    if value.chars().any(|c| c.is_control() || c == '\\' || c == ' ') {
        return Err(refused("the base holds blanks or control characters"));
    }
    let url = Url::parse(value).map_err(|_| refused("the base is not an absolute URL"))?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare || !matches!(url.scheme(), "https" | "http") {
        return Err(refused("the base is more than scheme, host and path"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A name that other machines can be reached by: no address, no `localhost`, no internal suffix, at least
/// two labels. Names that resolve to private addresses are the guarded client's work (lesson 23).
pub(super) fn is_public_name(url: &Url) -> bool {
    let Some(Host::Domain(name)) = url.host() else { return false };
    let name = name.trim_end_matches('.');
    let internal =
        ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid", "arpa"];
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && !internal.contains(&last)
}

fn split_outside_braces<'a>(text: &'a str, at: &[char]) -> (&'a str, &'a str) {
    let mut depth = 0usize;
    for (index, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if depth == 0 && at.contains(&c) => return text.split_at(index),
            _ => {}
        }
    }
    (text, "")
}

/// A host that the connector may call: `api.example.com`, `*.example.com`, `{inputs.site}.example.com`, or
/// `*` for any public host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    pub(super) any_below: bool,
    /// Empty for `*` alone.
    pub(super) host: Template,
    pub(super) port: Option<u16>,
}

impl HostPattern {
    /// # Errors
    /// [`AddressRefused`].
    pub fn parse(text: &str, loopback: Loopback) -> Result<Self, AddressRefused> {
        if text == "*" {
            return Ok(Self { any_below: true, host: Template::default(), port: None });
        }
        let (any_below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        match host_base("https", rest, loopback)? {
            Base::Host { host, port, .. } if !rest.is_empty() => Ok(Self { any_below, host, port }),
            _ => Err(AddressRefused::Host(text.to_owned())),
        }
    }

    /// `*`: any public host.
    pub fn is_any(&self) -> bool {
        self.any_below && self.host.pieces.is_empty()
    }

    fn matches(&self, url: &Url, variables: &Variables<'_>) -> bool {
        if self.is_any() {
            return url.port().is_none();
        }
        let Ok(host) = self.host.render(variables, Escape::Host) else { return false };
        let (host, seen) = (host.to_ascii_lowercase(), url.host_str().unwrap_or_default());
        let below = self.any_below && seen.strip_suffix(&host).is_some_and(|before| before.ends_with('.'));
        (seen == host && !self.any_below || below) && url.port() == self.port
    }
}

/// Whether the URL's host is one that the connector declares.
pub fn declares(hosts: &[HostPattern], url: &Url, variables: &Variables<'_>) -> bool {
    hosts.iter().any(|pattern| pattern.matches(url, variables))
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
