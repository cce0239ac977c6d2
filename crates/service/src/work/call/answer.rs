//! What an outside system answered, judged and made ready for the caller.

use super::envelope::OneValue;
use super::{CallFailed, Form, Verdict};
use ::connect::connector::Definition;
use ::connect::connector::flow::{Inside, Rate, fault_in, read_xml, said_inside};
use futures_util::Stream;
use outbound::{CallError, Opened};
use serde_json::Value;
use std::time::Duration;

/// An answer up to this size, in bytes, is looked at as a whole before anything is passed on.
const LOOKED_AT: usize = 1024 * 1024;
/// The largest answer in XML, in bytes: as a tree it takes many times that.
const XML_MOST: usize = 4 * 1024 * 1024;
/// What is told of an answer that is an error, in bytes.
const ERROR_MOST: usize = 64 * 1024;
/// How long the next piece of an answer may take.
const PIECE_WITHIN: Duration = Duration::from_secs(20);

/// A good answer.
#[derive(Debug)]
pub struct Answered {
    pub content: Content,
    /// What the outside system says of its limits.
    pub rate: Rate,
}

/// What a good answer holds.
#[derive(Debug)]
pub enum Content {
    /// For `{data}`.
    Data(Value),
    /// A large JSON document for `{data}`, piece by piece.
    LargeData(Pieces),
    /// The body as it is.
    Raw { content_type: Option<String>, pieces: Pieces },
}

/// A body on its way.
#[derive(Debug)]
pub struct Pieces {
    first: Option<Vec<u8>>,
    rest: Option<Opened>,
    /// Of a JSON document.
    outline: Option<OneValue>,
}

/// A body that did not come to its end, or is not what it was said to be. What was sent before can't be taken back, so
/// that the connection is cut.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the answer stopped for too long")]
    Stalled,
    #[error("the answer is not one JSON document")]
    NotOne,
}

impl Pieces {
    /// The pieces, each as soon as it is there. Ends with an error where the outside system's answer breaks off.
    pub fn stream(self) -> impl Stream<Item = Result<Vec<u8>, Broken>> + Send + 'static {
        futures_util::stream::unfold(Some(self), |pieces| async move {
            let mut pieces = pieces?;
            match pieces.next().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(pieces))),
                Ok(None) => None,
                Err(broken) => {
                    tracing::info!(%broken, "an answer that was passed on did not come to its end");
                    Some((Err(broken), None))
                }
            }
        })
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let piece = match (self.first.take(), &mut self.rest) {
            (Some(first), _) => Some(first),
            (None, Some(rest)) => {
                let piece = tokio::time::timeout(PIECE_WITHIN, rest.piece()).await;
                piece.map_err(|_| Broken::Stalled)??.map(|piece| piece.to_vec())
            }
            (None, None) => None,
        };
        let fits = match (&mut self.outline, &piece) {
            (Some(outline), Some(piece)) => outline.takes(piece),
            (Some(outline), None) => outline.is_whole(),
            (None, _) => true,
        };
        if fits { Ok(piece) } else { Err(Broken::NotOne) }
    }
}

/// The beginning of a body; `rest` where there is more.
struct Beginning {
    body: Vec<u8>,
    rest: Option<Opened>,
}

async fn beginning(mut opened: Opened, most: usize) -> Result<Beginning, CallError> {
    let mut body = Vec::new();
    loop {
        let host = opened.url.host_str().unwrap_or_default().to_owned();
        let piece = tokio::time::timeout(PIECE_WITHIN, opened.piece()).await;
        match piece.map_err(|_| CallError::TimedOut { host, after: PIECE_WITHIN })?? {
            None => return Ok(Beginning { body, rest: None }),
            Some(piece) => body.extend_from_slice(&piece),
        }
        if body.len() > most {
            return Ok(Beginning { body, rest: Some(opened) });
        }
    }
}

/// What is known where an answer is judged.
pub(super) struct Said<'a> {
    pub(super) definition: &'a Definition,
    pub(super) form: Form,
    pub(super) rate: Rate,
    /// What must not come back in an error, although the outside system repeated it.
    pub(super) secrets: &'a [String],
}

impl Said<'_> {
    /// An answer of a status from 200 to 299.
    pub(super) async fn good(&self, opened: Opened) -> Result<Verdict, CallFailed> {
        let (status, content_type) = (opened.status, opened.content_type());
        let full_type = opened.header("content-type").map(ToOwned::to_owned);
        match self.form {
            Form::Raw => {
                let pieces = Pieces { first: None, rest: Some(opened), outline: None };
                let content = Content::Raw { content_type: full_type, pieces };
                Ok(self.passed_on(content))
            }
            Form::Data => {
                let is_json = content_type.is_some_and(|kind| kind.contains("json"));
                let Beginning { body, rest } = beginning(opened, LOOKED_AT).await?;
                Ok(match (rest, is_json) {
                    (None, _) => self.whole(status, &body, is_json),
                    (Some(rest), true) => {
                        let outline = Some(OneValue::default());
                        let content =
                            Content::LargeData(Pieces { first: Some(body), rest: Some(rest), outline });
                        self.passed_on(content)
                    }
                    (Some(_), false) => {
                        unreadable(status, "is too large for text; ask for it with ?raw=true")
                    }
                })
            }
            Form::Soap | Form::Xml => {
                let Beginning { body, rest } = beginning(opened, XML_MOST).await?;
                Ok(match rest {
                    None => self.xml(status, &body),
                    Some(_) => {
                        unreadable(status, "is too large for XML; ask for it by `call` with ?raw=true")
                    }
                })
            }
        }
    }

    fn whole(&self, status: u16, body: &[u8], is_json: bool) -> Verdict {
        let blank = body.iter().all(u8::is_ascii_whitespace);
        let data = match (serde_json::from_slice::<Value>(body), std::str::from_utf8(body)) {
            (Ok(value), _) => value,
            _ if blank => Value::Null,
            (Err(_), _) if is_json => return unreadable(status, "says that it is JSON and is not"),
            (Err(_), Ok(text)) => Value::String(text.to_owned()),
            (Err(_), Err(_)) => return unreadable(status, "is not text; ask for it with ?raw=true"),
        };
        match said_inside(self.definition, &data) {
            None => self.passed_on(Content::Data(data)),
            Some(Inside::TooMany) => self.too_many(status, self.masked(data)),
            Some(Inside::TokenEnded) => {
                let body = self.masked(data);
                Verdict::TokenRefused(CallFailed::Status { status, wait_s: None, body })
            }
        }
    }

    fn xml(&self, status: u16, body: &[u8]) -> Verdict {
        if body.iter().all(u8::is_ascii_whitespace) {
            return self.passed_on(Content::Data(Value::Null));
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return unreadable(status, "is not XML in UTF-8");
        };
        match read_xml(text) {
            Err(_) => unreadable(status, "is not XML, declares a document type, or is too complex"),
            Ok(data) => self.soap_fault(status, &data).unwrap_or_else(|| self.passed_on(Content::Data(data))),
        }
    }

    /// An answer of any other status.
    pub(super) async fn bad(&self, opened: Opened) -> Verdict {
        let status = opened.status;
        let body = match beginning(opened, ERROR_MOST).await {
            Ok(beginning) => beginning.body,
            Err(error) => return Verdict::Failed(CallFailed::Unanswered(error)),
        };
        let text = String::from_utf8_lossy(&body);
        let as_xml = || read_xml(&text).ok().filter(|_| matches!(self.form, Form::Soap | Form::Xml));
        if let Some(fault) = as_xml().and_then(|data| self.soap_fault(status, &data)) {
            return fault;
        }
        let document = serde_json::from_str::<Value>(&text).ok().or_else(as_xml);
        let body = document.unwrap_or_else(|| {
            let text: String = text.chars().take(ERROR_MOST).collect();
            if text.trim().is_empty() { Value::Null } else { Value::String(text) }
        });
        let body = self.masked(body);
        if self.rate.is_refusal(status) {
            return self.too_many(status, body);
        }
        let failed = CallFailed::Status { status, wait_s: self.rate.after_s, body };
        if status == 401 { Verdict::TokenRefused(failed) } else { Verdict::Failed(failed) }
    }

    /// What is told of a fault is read when the secrets are taken out: systems repeat in it what they were sent.
    fn soap_fault(&self, status: u16, data: &Value) -> Option<Verdict> {
        fault_in(data).filter(|_| self.form == Form::Soap)?;
        let body = self.masked(data.clone());
        fault_in(&body).map(|fault| Verdict::Failed(CallFailed::SoapFault { status, fault, body }))
    }

    fn passed_on(&self, content: Content) -> Verdict {
        Verdict::Good(Box::new(Answered { content, rate: self.rate }))
    }

    fn too_many(&self, status: u16, body: Value) -> Verdict {
        let wait_s = self.rate.wait_s();
        Verdict::TooMany(CallFailed::TooMany { status, wait_s, body }, wait_s)
    }

    fn masked(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.masked_text(text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.masked(item)).collect()),
            Value::Object(members) => {
                let members = members.into_iter();
                Value::Object(
                    members.map(|(name, item)| (self.masked_text(name), self.masked(item))).collect(),
                )
            }
            other => other,
        }
    }

    fn masked_text(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), "[hidden]") } else { text }
        })
    }
}

fn unreadable(status: u16, why: &'static str) -> Verdict {
    Verdict::Failed(CallFailed::Unreadable { status, why })
}
