//! The headers that every answer carries, and the content security policy of pages.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use kernel::Chance;

/// Who may frame a page (design `browser.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// Nobody: every page that is not made to be embedded.
    Nobody,
    /// Exactly these origins.
    Origins(Vec<String>),
    /// Anyone: embeds in a sandbox without registered origins, and refusal pages of embeds, which hold no
    /// action and no data of anybody. Otherwise the browser would show its own blank error in the frame.
    Anyone,
}

impl Framing {
    fn directive(&self) -> String {
        match self {
            Self::Nobody => "'none'".to_owned(),
            Self::Anyone => "*".to_owned(),
            Self::Origins(origins) if origins.is_empty() => "'none'".to_owned(),
            Self::Origins(origins) => origins.join(" "),
        }
    }
}

/// A nonce for the page's one `<style>` element: 128 random bits.
pub fn nonce(chance: &dyn Chance) -> String {
    kernel::secret::hex(&chance.bytes::<16>())
}

/// The policy of a page. `form-action 'self'` is safe here because no form of ours is answered with a
/// redirect to another origin, which Chromium would block.
pub fn content_security_policy(framing: &Framing, nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data: https:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {}",
        framing.directive()
    )
}

/// Nobody on the way keeps what says nothing else of itself: it may show a secret, or lead to something private.
const FIXED: &[(HeaderName, &str)] = &[
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// How many headers an answer is given at most beside its handler's: the fixed ones, a policy, the request id, and the
/// one of https.
pub const ADDED: usize = FIXED.len() + 3;

/// Adds the headers that no answer goes without, where the handler did not choose its own.
pub fn add_fixed(headers: &mut HeaderMap) {
    for (name, value) in FIXED {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), HeaderValue::from_static(value));
        }
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
        headers.insert(header::CONTENT_SECURITY_POLICY, nothing);
    }
}

/// For an answer of a place that is https, whoever ends TLS there.
///
/// Decision: for a year this host is asked by https alone. Attack: somebody on the way answers the first request,
/// made by http, in our place. Trade: of its domain's other hosts and of preloading nothing is said, because they
/// are the operator's to decide.
pub fn add_only_https(headers: &mut HeaderMap) {
    headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
}

/// The policy of a page that only registered origins may frame, and whose refusals browsers report to `report_to`.
pub fn framed_policy(framing: &Framing, nonce: &str, report_to: &str) -> String {
    format!("{}; report-uri {report_to}", content_security_policy(framing, nonce))
}

/// A page with this policy. `html` was rendered with its nonce.
pub fn page_under(html: String, policy: &str) -> Response {
    under(StatusCode::OK, html, policy)
}

/// A page with its policy. `html` was rendered with the same nonce.
pub fn page(status: u16, html: String, framing: &Framing, nonce: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    under(status, html, &content_security_policy(framing, nonce))
}

fn under(status: StatusCode, html: String, policy: &str) -> Response {
    let mut response = (status, Html(html)).into_response();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_named_exactly() {
        let origins = Framing::Origins(vec!["https://a.example".into(), "https://b.example".into()]);
        let policy = content_security_policy(&origins, "n");
        assert!(policy.ends_with("frame-ancestors https://a.example https://b.example"));
        assert!(content_security_policy(&Framing::Origins(vec![]), "n").ends_with("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
    }
}
