//! A call and its answer, in types of our own. `Debug` shows neither header values nor bodies.

use crate::call_error::{CallError, Malformed};
use bytes::Bytes;
pub use connect::connector::Method;
use kernel::SecretText;
use serde::de::DeserializeOwned;
use std::fmt;
use std::time::Duration;
use url::Url;

/// One header of a request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: SecretText,
    /// Sent to the first origin only, and kept out of HTTP/2's header tables.
    pub(crate) secret: bool,
}

/// One call. What is left out comes from the client's [`Limits`](crate::Limits).
#[derive(Clone)]
pub struct Request {
    pub method: Method,
    pub url: Url,
    pub(crate) headers: Vec<Header>,
    pub body: Option<Vec<u8>>,
    /// The whole call, with redirects and the reading of the body.
    pub timeout: Option<Duration>,
    /// Bytes of the answer's body, unpacked.
    pub max_body: Option<usize>,
    /// 0: a redirect is handed back as the answer it is.
    pub max_redirects: u8,
    /// The `Accept` header; every kind of content where it is absent.
    pub accept: Option<String>,
}

impl Request {
    pub const fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            timeout: None,
            max_body: None,
            max_redirects: 0,
            accept: None,
        }
    }

    pub const fn get(url: Url) -> Self {
        Self::new(Method::Get, url)
    }

    pub const fn post(url: Url) -> Self {
        Self::new(Method::Post, url)
    }

    /// Adds a header. A value that must not travel to another origin goes to [`Self::secret_header`];
    /// `Authorization` and `Cookie` count as secret in any case.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        let secret = ["authorization", "cookie", "proxy-authorization"];
        let secret = secret.iter().any(|known| name.eq_ignore_ascii_case(known));
        self.headers.push(Header { name, value: SecretText::new(value), secret });
        self
    }

    #[must_use]
    pub fn secret_header(mut self, name: impl Into<String>, value: SecretText) -> Self {
        self.headers.push(Header { name: name.into(), value, secret: true });
        self
    }

    /// `Authorization: Bearer ..`.
    #[must_use]
    pub fn bearer(self, token: &SecretText) -> Self {
        self.secret_header("authorization", SecretText::new(format!("Bearer {}", token.reveal())))
    }

    /// A body with its content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// A form as browsers send it: `application/x-www-form-urlencoded`.
    #[must_use]
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, fields: impl IntoIterator<Item = (K, V)>) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.body("application/x-www-form-urlencoded", text)
    }

    #[must_use]
    pub fn accept(mut self, kinds: impl Into<String>) -> Self {
        self.accept = Some(kinds.into());
        self
    }

    #[must_use]
    pub const fn timeout(mut self, whole_call: Duration) -> Self {
        self.timeout = Some(whole_call);
        self
    }

    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Follows up to this many redirects, each judged like the first address. Secret headers stay with the
    /// first origin.
    #[must_use]
    pub const fn max_redirects(mut self, redirects: u8) -> Self {
        self.max_redirects = redirects;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method.as_str())
            .field("host", &host_of(&self.url))
            .field("headers", &self.headers.iter().map(|header| header.name.as_str()).collect::<Vec<_>>())
            .field("body_bytes", &self.body.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// What error texts and logs call the other side: host and port, nothing else of the URL.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("(no host)");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An answer of any status, its body read to the end.
#[derive(Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case, in the order of the answer; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// Unpacked where the answer was compressed.
    pub body: Bytes,
    /// Where the answer came from: the last address after redirects.
    pub url: Url,
}

impl Response {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The media type in lower case, without parameters: `application/json`.
    pub fn content_type(&self) -> Option<String> {
        let kind = self.header("content-type")?.split(';').next()?.trim();
        (!kind.is_empty()).then(|| kind.to_ascii_lowercase())
    }

    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Whether this status says that the same call may succeed later: 408, 425, 429 and 5xx, except those
    /// which say that the server will never do it.
    pub const fn is_weather(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502..=504 | 506..=599)
    }

    /// # Errors
    /// [`CallError::BadAnswer`] where the body is not JSON of this shape. The status is not looked at.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| CallError::BadAnswer { host: host_of(&self.url), why: Malformed::Json })
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("host", &host_of(&self.url))
            .field("headers", &self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
