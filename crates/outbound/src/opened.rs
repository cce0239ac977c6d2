//! An answer whose body has not been read yet: for what is passed on piece by piece.

use crate::call_error::CallError;
use crate::request::Method;
use bytes::Bytes;
use std::fmt;
use std::time::Duration;
use url::Url;

/// An answer of any status, of which the headers have arrived.
pub struct Opened {
    pub status: u16,
    /// Names in lower case, in the order of the answer; bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// Where the answer comes from.
    pub url: Url,
    pub(crate) body: OpenedBody,
}

/// The body on its way.
pub(crate) struct OpenedBody {
    pub(crate) answer: reqwest::Response,
    pub(crate) host: String,
    /// Bytes that may still come.
    pub(crate) left: usize,
    pub(crate) limit: usize,
    pub(crate) connect_timeout: Duration,
}

impl Opened {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The media type in lower case, without parameters: `application/json`.
    pub fn content_type(&self) -> Option<String> {
        let kind = self.header("content-type")?.split(';').next()?.trim();
        (!kind.is_empty()).then(|| kind.to_ascii_lowercase())
    }

    /// The next bytes of the body, unpacked where it was compressed; `None` at its end. It waits as long as the other
    /// side does: the caller bounds it.
    ///
    /// # Errors
    /// [`CallError::TooLarge`] beyond the request's bound, [`CallError::Unreachable`] where the connection ends early.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, CallError> {
        let body = &mut self.body;
        let failed = |error: reqwest::Error| CallError::from_driver(&body.host, &error, body.connect_timeout);
        let piece = body.answer.chunk().await.map_err(failed)?;
        if let Some(piece) = &piece {
            let left = body.left.checked_sub(piece.len());
            body.left =
                left.ok_or_else(|| CallError::TooLarge { host: body.host.clone(), limit: body.limit })?;
        }
        Ok(piece)
    }

    /// From now on at most so many bytes come; an answer that announces more is refused at once.
    pub(crate) fn limited_to(&mut self, limit: usize, method: Method) -> Result<(), CallError> {
        let announced = self.body.answer.content_length().and_then(|length| usize::try_from(length).ok());
        if announced.is_some_and(|announced| announced > limit) && method != Method::Head {
            return Err(CallError::TooLarge { host: self.body.host.clone(), limit });
        }
        (self.body.left, self.body.limit) = (limit, limit);
        Ok(())
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("status", &self.status)
            .field("host", &self.body.host)
            .field("headers", &self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
