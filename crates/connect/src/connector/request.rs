//! A request to an outside system as a value, and the answer as one. Who sends it is `outbound`.

use super::definition::Method;
use kernel::SecretText;
use std::fmt;
use url::Url;

/// One header. Values filled from variables are taken for secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingHeader {
    pub name: String,
    pub value: SecretText,
    pub secret: bool,
}

impl fmt::Debug for OutgoingHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ..", self.name)
    }
}

/// A request to send. `Debug` shows the method and the origin only: path, query, headers and body may hold
/// secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct OutgoingRequest {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<OutgoingHeader>,
    pub body: Option<SecretText>,
}

impl OutgoingRequest {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: None }
    }

    /// The header's value, whatever the name's case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.reveal())
    }

    /// Sets a header unless it is there already.
    pub(super) fn offer(&mut self, name: &str, value: impl Into<String>, secret: bool) {
        if self.header(name).is_none() {
            self.headers.push(OutgoingHeader {
                name: name.to_owned(),
                value: SecretText::new(value),
                secret,
            });
        }
    }

    pub(super) fn set_body(&mut self, content_type: &str, body: impl Into<String>) {
        self.offer("content-type", content_type, false);
        self.body = Some(SecretText::new(body));
    }
}

impl fmt::Debug for OutgoingRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutgoingRequest({} {})", self.method.as_str(), self.url.origin().ascii_serialization())
    }
}

/// What came back. `Debug` shows no body.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    pub status: u16,
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {:?}, {} bytes)", self.status, self.content_type, self.body.len())
    }
}
