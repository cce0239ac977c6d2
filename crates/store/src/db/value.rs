//! Values on their way in and rows on their way out, in the three column types that both databases share.

use super::DbError;
use enter::account::PartnerUserId;
use enter::app::{EntryTemplate, RedirectUri};
use enter::domain::Domain;
use enter::ids::{AccountId, AppId, ClientId, GrantId, PartnerId, PersonId, ServiceKeyId, SessionId};
use kernel::ids::{
    ApiKeyId, AttemptId, AuditId, ConnectionId, DeliveryId, EndpointId, EventId, IntegrationId, JobId,
    MessageId, NoticeId, OrganizationId, RefusalId, ReleaseId, RunId, SigningKeyId, TenantId, TriggerId,
    UserId, WebhookId,
};
use kernel::jose::Algorithm;
use kernel::{Brand, Color, Environment, Hashed, Origin, SafeUrl, Sealed, Slug, Time};

/// A bound value. NULLs keep their type, because PostgreSQL wants to know it.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
}

impl std::fmt::Debug for Value {
    // Values may be secrets or personal data, so even the type that holds them does not print them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(..)",
            Self::Int(_) => "Int(..)",
            Self::Bool(_) => "Bool(..)",
        })
    }
}

/// What a column holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell {
    Null,
    Text(String),
    Int(i64),
    Bool(bool),
}

impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cell(..)")
    }
}

/// Something that can be bound to a placeholder.
pub trait IntoValue {
    fn into_value(self) -> Value;
}

/// Something that a column can be read into.
pub trait FromCell: Sized {
    /// What is expected, for the message when it is something else.
    const EXPECTED: &'static str;

    fn from_cell(cell: Cell) -> Option<Self>;
}

/// One row; columns are taken in the order of the SELECT list.
pub struct Row {
    cells: std::vec::IntoIter<Cell>,
    taken: usize,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Row({} columns left)", self.cells.len())
    }
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self { cells: cells.into_iter(), taken: 0 }
    }

    /// The next column.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] where it is of another type or there is none left.
    pub fn take<T: FromCell>(&mut self) -> Result<T, DbError> {
        self.taken += 1;
        let cell = self.cells.next().ok_or_else(|| DbError::bad_column(self.taken, "in the SELECT list"))?;
        T::from_cell(cell).ok_or_else(|| DbError::bad_column(self.taken, T::EXPECTED))
    }

    /// What stands in the next `columns`, the first of which is NULL where there is nothing.
    pub(crate) fn maybe<T>(
        &mut self,
        columns: usize,
        read: impl FnOnce(&mut Self) -> Result<T, DbError>,
    ) -> Result<Option<T>, DbError> {
        if let Some(Cell::Null) = self.cells.as_slice().first() {
            self.taken += columns;
            self.cells.by_ref().take(columns).for_each(drop);
            return Ok(None);
        }
        read(self).map(Some)
    }

    /// The next column, read by a function that knows the words it may hold.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] where `read` does not know the word.
    pub fn take_word<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Result<T, DbError> {
        let text = self.take::<String>()?;
        read(&text).ok_or_else(|| DbError::bad_column(self.taken, "one of the known words"))
    }

    /// The next column as JSON of a known shape.
    ///
    /// # Errors
    /// [`DbError::Corrupt`] where it is not.
    pub fn take_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, DbError> {
        let text = self.take::<String>()?;
        serde_json::from_str(&text).map_err(|_| DbError::bad_column(self.taken, "the expected JSON"))
    }

    /// As [`Self::take_json`]; `None` for NULL.
    ///
    /// # Errors
    /// [`DbError::Corrupt`].
    pub fn take_json_or_null<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, DbError> {
        let Some(text) = self.take::<Option<String>>()? else { return Ok(None) };
        let read = serde_json::from_str(&text).map(Some);
        read.map_err(|_| DbError::bad_column(self.taken, "the expected JSON"))
    }
}

/// The JSON text of `content` to bind.
///
/// # Errors
/// [`DbError::Bug`]: only a type that cannot be JSON fails.
pub fn json<T: serde::Serialize>(content: &T) -> Result<String, DbError> {
    serde_json::to_string(content).map_err(|_| DbError::Bug("a value has no JSON form".to_owned()))
}

impl IntoValue for Value {
    fn into_value(self) -> Value {
        self
    }
}

macro_rules! plain {
    ($type:ty, $variant:ident, $cell:pat => $read:expr, $expected:literal) => {
        impl IntoValue for $type {
            fn into_value(self) -> Value {
                Value::$variant(Some(self))
            }
        }
        impl IntoValue for Option<$type> {
            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
        impl FromCell for $type {
            const EXPECTED: &'static str = $expected;
            fn from_cell(cell: Cell) -> Option<Self> {
                match cell {
                    $cell => $read,
                    _ => None,
                }
            }
        }
    };
}

plain!(String, Text, Cell::Text(text) => Some(text), "a text");
plain!(i64, Int, Cell::Int(number) => Some(number), "a whole number");

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(Some(self))
    }
}

impl IntoValue for Option<bool> {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl FromCell for bool {
    const EXPECTED: &'static str = "a boolean";
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            // SQLite keeps booleans as 0 and 1.
            Cell::Bool(_) | Cell::Int(0 | 1) => Some(matches!(cell, Cell::Bool(true) | Cell::Int(1))),
            _ => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_cell(cell: Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::from_cell(cell).map(Some),
        }
    }
}

impl IntoValue for &str {
    fn into_value(self) -> Value {
        Value::Text(Some(self.to_owned()))
    }
}

impl IntoValue for Option<&str> {
    fn into_value(self) -> Value {
        Value::Text(self.map(str::to_owned))
    }
}

impl IntoValue for &String {
    fn into_value(self) -> Value {
        Value::Text(Some(self.clone()))
    }
}

impl IntoValue for &serde_json::Value {
    fn into_value(self) -> Value {
        Value::Text(Some(self.to_string()))
    }
}

impl FromCell for serde_json::Value {
    const EXPECTED: &'static str = "JSON";
    fn from_cell(cell: Cell) -> Option<Self> {
        String::from_cell(cell).and_then(|text| serde_json::from_str(&text).ok())
    }
}

/// A noun that is a text in its column: how it is written, how it is read.
macro_rules! text_noun {
    ($($type:ty, $write:expr, $read:expr, $expected:literal;)*) => {$(
        impl IntoValue for &$type {
            fn into_value(self) -> Value {
                Value::Text(Some($write(self)))
            }
        }
        impl IntoValue for Option<&$type> {
            fn into_value(self) -> Value {
                Value::Text(self.map($write))
            }
        }
        impl FromCell for $type {
            const EXPECTED: &'static str = $expected;
            fn from_cell(cell: Cell) -> Option<Self> {
                let text = String::from_cell(cell)?;
                $read(text)
            }
        }
    )*};
}

text_noun! {
    OrganizationId, |v: &OrganizationId| v.to_string(), |t: String| OrganizationId::parse(&t).ok(), "an organization's id";
    SigningKeyId, |v: &SigningKeyId| v.to_string(), |t: String| SigningKeyId::parse(&t).ok(), "a signing key's id";
    ApiKeyId, |v: &ApiKeyId| v.to_string(), |t: String| ApiKeyId::parse(&t).ok(), "an API key's id";
    RefusalId, |v: &RefusalId| v.to_string(), |t: String| RefusalId::parse(&t).ok(), "a refusal's id";
    ConnectionId, |v: &ConnectionId| v.to_string(), |t: String| ConnectionId::parse(&t).ok(), "a connection's id";
    WebhookId, |v: &WebhookId| v.to_string(), |t: String| WebhookId::parse(&t).ok(), "a webhook's id";
    DeliveryId, |v: &DeliveryId| v.to_string(), |t: String| DeliveryId::parse(&t).ok(), "a delivery's id";
    AttemptId, |v: &AttemptId| v.to_string(), |t: String| AttemptId::parse(&t).ok(), "an attempt's id";
    JobId, |v: &JobId| v.to_string(), |t: String| JobId::parse(&t).ok(), "a job's id";
    EventId, |v: &EventId| v.to_string(), |t: String| EventId::parse(&t).ok(), "an event's id";
    EndpointId, |v: &EndpointId| v.to_string(), |t: String| EndpointId::parse(&t).ok(), "an endpoint's id";
    MessageId, |v: &MessageId| v.to_string(), |t: String| MessageId::parse(&t).ok(), "a message's id";
    NoticeId, |v: &NoticeId| v.to_string(), |t: String| NoticeId::parse(&t).ok(), "a notice's id";
    AuditId, |v: &AuditId| v.to_string(), |t: String| AuditId::parse(&t).ok(), "an audit event's id";
    UserId, |v: &UserId| v.to_string(), |t: String| UserId::parse(&t).ok(), "a user's id";
    Slug, |v: &Slug| v.as_str().to_owned(), |t: String| Slug::parse(&t).ok(), "a name";
    Brand, |v: &Brand| v.as_str().to_owned(), |t: String| Brand::parse(&t).ok(), "a brand";
    Color, |v: &Color| v.to_string(), |t: String| Color::parse(&t).ok(), "a colour";
    Origin, |v: &Origin| v.as_str().to_owned(), |t: String| Origin::parse(&t).ok(), "an origin";
    SafeUrl, |v: &SafeUrl| v.as_str().to_owned(), |t: String| SafeUrl::parse(&t).ok(), "a URL";
    Hashed, |v: &Hashed| v.as_str().to_owned(), |t: String| Some(Hashed::from_stored(t)), "a hash";
    PartnerId, |v: &PartnerId| v.to_string(), |t: String| PartnerId::parse(&t).ok(), "a partner's id";
    AppId, |v: &AppId| v.to_string(), |t: String| AppId::parse(&t).ok(), "an app's id";
    AccountId, |v: &AccountId| v.to_string(), |t: String| AccountId::parse(&t).ok(), "an account's id";
    PersonId, |v: &PersonId| v.to_string(), |t: String| PersonId::parse(&t).ok(), "a person's id";
    ClientId, |v: &ClientId| v.to_string(), |t: String| ClientId::parse(&t).ok(), "a client's id";
    ServiceKeyId, |v: &ServiceKeyId| v.to_string(), |t: String| ServiceKeyId::parse(&t).ok(), "a service key's id";
    SessionId, |v: &SessionId| v.to_string(), |t: String| SessionId::parse(&t).ok(), "a session's id";
    GrantId, |v: &GrantId| v.to_string(), |t: String| GrantId::parse(&t).ok(), "a grant's id";
    Sealed, |v: &Sealed| v.as_str().to_owned(), |t: String| Some(Sealed::from_stored(t)), "a sealed text";
    PartnerUserId, |v: &PartnerUserId| v.as_str().to_owned(), |t: String| PartnerUserId::parse(&t).ok(), "a user's id at its partner";
    Domain, |v: &Domain| v.as_str().to_owned(), |t: String| Some(Domain::from_stored(t)), "a domain";
    EntryTemplate, |v: &EntryTemplate| v.as_str().to_owned(), |t: String| Some(EntryTemplate::from_stored(t)), "an entry URL";
    RedirectUri, |v: &RedirectUri| v.as_str().to_owned(), |t: String| Some(RedirectUri::from_stored(t)), "a redirect URI";
}

impl IntoValue for Environment {
    fn into_value(self) -> Value {
        Value::Text(Some(self.as_str().to_owned()))
    }
}

impl FromCell for Environment {
    const EXPECTED: &'static str = "an environment";
    fn from_cell(cell: Cell) -> Option<Self> {
        String::from_cell(cell).and_then(|text| Self::parse(&text))
    }
}

impl IntoValue for Algorithm {
    fn into_value(self) -> Value {
        Value::Text(Some(self.as_str().to_owned()))
    }
}

impl FromCell for Algorithm {
    const EXPECTED: &'static str = "an algorithm";
    fn from_cell(cell: Cell) -> Option<Self> {
        String::from_cell(cell).and_then(|text| Self::parse(&text))
    }
}

/// A noun that is a number in its column.
macro_rules! number_noun {
    ($($type:ty, $write:expr, $read:expr, $expected:literal;)*) => {$(
        impl IntoValue for $type {
            fn into_value(self) -> Value {
                Value::Int(Some($write(self)))
            }
        }
        impl IntoValue for Option<$type> {
            fn into_value(self) -> Value {
                Value::Int(self.map($write))
            }
        }
        impl FromCell for $type {
            const EXPECTED: &'static str = $expected;
            fn from_cell(cell: Cell) -> Option<Self> {
                i64::from_cell(cell).and_then($read)
            }
        }
    )*};
}

number_noun! {
    Time, Time::micros, |n| Some(Time::from_micros(n)), "a time";
    IntegrationId, IntegrationId::number, |n| IntegrationId::new(n).ok(), "an integration's id";
    ReleaseId, ReleaseId::number, |n| ReleaseId::new(n).ok(), "a release's id";
    TenantId, TenantId::number, |n| TenantId::new(n).ok(), "a tenant's id";
    TriggerId, TriggerId::number, |n| TriggerId::new(n).ok(), "a trigger's id";
    RunId, RunId::number, |n| RunId::new(n).ok(), "a run's id";
}
