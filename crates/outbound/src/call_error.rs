//! How a call can fail, as values.

use crate::guard::{Blocked, Rule};
use std::error::Error;
use std::io;
use std::time::Duration;

/// Why no connection came about, or why it ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreached {
    /// The name has no address.
    Name,
    /// Nobody took the connection.
    Connection,
    /// The certificate or the TLS handshake.
    Tls,
    /// The connection ended before the answer did.
    Interrupted,
}

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Not HTTP, too many headers, or a body that does not unpack.
    Http,
    /// A redirect without a readable target.
    Redirect,
    /// One redirect more than the caller follows.
    TooManyRedirects,
    /// Not JSON, or not of the expected shape.
    Json,
}

/// A call that gave no usable answer. The texts may be shown to a person: they name the host, never a path,
/// a query, a header or a body, because those may carry secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The guard's no. No connection was made.
    #[error("`{host}` is not called: {}", rule.text())]
    Refused { host: String, rule: Rule },
    #[error("`{host}` did not answer within {} ms", after.as_millis())]
    TimedOut { host: String, after: Duration },
    #[error("`{host}` answered with more than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    #[error("`{host}` cannot be reached: {}", unreached_text(*why))]
    Unreachable { host: String, why: Unreached },
    #[error("`{host}` gave an answer that cannot be read: {}", malformed_text(*why))]
    BadAnswer { host: String, why: Malformed },
    /// The caller's own mistake: a header's name or value that HTTP does not have.
    #[error("the request to `{host}` cannot be written: {what}")]
    BadRequest { host: String, what: &'static str },
}

const fn unreached_text(why: Unreached) -> &'static str {
    match why {
        Unreached::Name => "the name has no address",
        Unreached::Connection => "the connection was not accepted",
        Unreached::Tls => "no secure connection could be made",
        Unreached::Interrupted => "the connection ended early",
    }
}

const fn malformed_text(why: Malformed) -> &'static str {
    match why {
        Malformed::Http => "it is not valid HTTP",
        Malformed::Redirect => "it redirects to nowhere",
        Malformed::TooManyRedirects => "it redirects too often",
        Malformed::Json => "it is not the expected JSON",
    }
}

impl CallError {
    /// A stable code for programs, logs and metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "call_refused",
            Self::TimedOut { .. } => "call_timed_out",
            Self::TooLarge { .. } => "call_too_large",
            Self::Unreachable { .. } => "call_unreachable",
            Self::BadAnswer { .. } => "call_bad_answer",
            Self::BadRequest { .. } => "call_bad_request",
        }
    }

    /// Whether the same call may well succeed later, so that trying again with back-off makes sense.
    pub const fn is_weather(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Unreachable { .. })
    }

    /// Reads the driver's error, whose text is never shown: it contains the whole URL.
    pub(crate) fn from_driver(host: &str, error: &reqwest::Error, connect_timeout: Duration) -> Self {
        let host = host.to_owned();
        if let Some(Blocked(rule)) = causes(error).find_map(|cause| cause.downcast_ref::<Blocked>()) {
            return Self::Refused { host, rule: *rule };
        }
        if error.is_builder() {
            return Self::BadRequest { host, what: "the URL or a header is not valid" };
        }
        if error.is_timeout() {
            return Self::TimedOut { host, after: connect_timeout };
        }
        if causes(error).any(is_tls) {
            return Self::Unreachable { host, why: Unreached::Tls };
        }
        if error.is_dns() {
            return Self::Unreachable { host, why: Unreached::Name };
        }
        if error.is_connect() {
            return Self::Unreachable { host, why: Unreached::Connection };
        }
        let hyper = causes(error).find_map(|cause| cause.downcast_ref::<hyper::Error>());
        if error.is_decode() && hyper.is_none() || hyper.is_some_and(hyper::Error::is_parse) {
            return Self::BadAnswer { host, why: Malformed::Http };
        }
        Self::Unreachable { host, why: Unreached::Interrupted }
    }
}

/// An error, its cause, the cause of that.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (*cause).source())
}

/// An I/O error may wrap another one before the handshake's own.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    cause.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner))
}
