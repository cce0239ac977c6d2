//! How a program's request is read: a form whose names stand once, and the proof in `Authorization`.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enter::oidc::authorize::Parameters;
use kernel::SecretText;
use service::enter::client_proof::Basic;
use service::enter::oauth::OAuthRefused;

const FORM: &str = "application/x-www-form-urlencoded";

/// The form of a POST.
///
/// # Errors
/// [`OAuthRefused`]: another media type, too large a body, or a name that stands twice.
pub fn form(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Parameters, OAuthRefused> {
    let refused = |text: &str| OAuthRefused::new("invalid_request", text);
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(FORM) {
        return Err(refused("the body must be a form: content-type application/x-www-form-urlencoded"));
    }
    let body = body.map_err(|_| refused("the body is too large"))?;
    let text = std::str::from_utf8(&body).map_err(|_| refused("the body is no text"))?;
    Parameters::parse(text).map_err(|_| refused("a parameter stands twice, or there are too many"))
}

/// The one `Authorization` header with its scheme in lower case.
fn authorization(headers: &HeaderMap) -> Result<Option<(String, &str)>, Unreadable> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else {
        return if headers.contains_key(header::AUTHORIZATION) { Err(Unreadable) } else { Ok(None) };
    };
    let (scheme, rest) = one.to_str().map_err(|_| Unreadable)?.split_once(' ').ok_or(Unreadable)?;
    Ok(Some((scheme.to_ascii_lowercase(), rest.trim())))
}

/// Name and password of `client_secret_basic`, each form-encoded before they were joined (RFC 6749, section 2.3.1).
///
/// # Errors
/// [`OAuthRefused`]: `invalid_client` for a header that is no such proof.
pub fn basic(headers: &HeaderMap) -> Result<Option<Basic>, OAuthRefused> {
    let refused = || OAuthRefused::new("invalid_client", "the Authorization header must be Basic, once");
    match authorization(headers) {
        Ok(None) => Ok(None),
        Ok(Some((scheme, rest))) if scheme == "basic" => {
            let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let decoded = decoded.ok_or_else(refused)?;
            let (name, password) = decoded.split_once(':').ok_or_else(refused)?;
            let name = form_decoded(name).ok_or_else(refused)?;
            Ok(Some((name, SecretText::new(form_decoded(password).ok_or_else(refused)?))))
        }
        _ => Err(refused()),
    }
}

/// One form-encoded value.
fn form_decoded(text: &str) -> Option<String> {
    // `&` and `=` would make it more than one value; encoded, they are decoded like the rest.
    if text.contains(['&', '=']) {
        return None;
    }
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    match (pairs.next(), pairs.next()) {
        (None, None) => Some(String::new()),
        (Some((name, _)), None) => Some(name.into_owned()),
        _ => None,
    }
}

/// An `Authorization` header that cannot be read: several of them, or another scheme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable;

/// The bearer token of `Authorization`.
///
/// # Errors
/// [`Unreadable`].
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Unreadable> {
    match authorization(headers)? {
        None => Ok(None),
        Some((scheme, token)) if scheme == "bearer" && !token.is_empty() && !token.contains(' ') => {
            Ok(Some(token))
        }
        Some(_) => Err(Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn basic_is_form_decoded_after_base64() {
        let header = format!("Basic {}", STANDARD.encode("client%2D1:a+b%3A%25"));
        let (name, password) = basic(&with(&[&header])).unwrap().unwrap();
        assert_eq!((name.as_str(), password.reveal()), ("client-1", "a b:%"));
        assert_eq!(basic(&with(&[])).unwrap(), None);
        let plain = format!("basic {}", STANDARD.encode("c:"));
        assert_eq!(basic(&with(&[&plain])).unwrap().unwrap().1.reveal(), "");
        for bad in
            ["Bearer x", "Basic", "Basic !!!", "Basic YWJj", &format!("Basic {}", STANDARD.encode("a:b&c"))]
        {
            assert_eq!(basic(&with(&[bad])).unwrap_err().error, "invalid_client", "{bad}");
        }
        assert!(basic(&with(&[&header, &header])).is_err());
    }

    #[test]
    fn a_bearer_token_stands_alone() {
        assert_eq!(bearer(&with(&["Bearer a.b.c"])), Ok(Some("a.b.c")));
        assert_eq!(bearer(&with(&[])), Ok(None));
        for bad in [&["Bearer a", "Bearer b"][..], &["Basic YTpi"], &["Bearer"], &["Bearer a b"]] {
            assert_eq!(bearer(&with(bad)), Err(Unreadable), "{bad:?}");
        }
    }

    #[test]
    fn a_form_has_each_name_once() {
        let read = |kind: &'static str, body: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            form(&headers, Ok(Bytes::from_static(body.as_bytes()))).map_err(|refused| refused.error)
        };
        assert_eq!(read(FORM, "a=1&b=2").unwrap().get("b"), Some("2"));
        assert!(read("application/x-www-form-urlencoded; charset=UTF-8", "a=1").is_ok());
        assert_eq!(read(FORM, "code=1&code=2"), Err("invalid_request"));
        assert_eq!(read("application/json", "{}"), Err("invalid_request"));
        assert_eq!(read("", "a=1"), Err("invalid_request"));
    }
}
