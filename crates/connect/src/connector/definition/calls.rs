//! What a definition says of requests: `[[after]]`, `[verify]`, `[revoke]`, `[api]`, `[[env]]`.

use super::{Pointer, Save};
use crate::connector::address::{HostPattern, UrlTemplate};
use crate::connector::template::{Template, Variable};

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// What a program may call an outside system with.
    pub const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete];

    /// What a definition may say: it reads the answers, so that one without a body is of no use to it.
    pub(in crate::connector) const DECLARED: [(&'static str, Self); 5] = [
        ("GET", Self::Get),
        ("POST", Self::Post),
        ("PUT", Self::Put),
        ("PATCH", Self::Patch),
        ("DELETE", Self::Delete),
    ];

    /// Reads `GET`, `post` and so on; `None` for a method that is not called.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether a redirect with this status is followed by GET and without a body (RFC 9110, section 15.4, as browsers do
    /// it). Who asks for the head alone wants no more of what stands elsewhere.
    pub fn becomes_get(self, status: u16) -> bool {
        match status {
            303 => self != Self::Head,
            301 | 302 => self == Self::Post,
            _ => false,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A JSON document whose texts are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonTemplate {
    Fixed(serde_json::Value),
    Text(Template),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// A request's body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BodyTemplate {
    #[default]
    Empty,
    /// Values are escaped after the `Content-Type` header: JSON, XML or form; else they are written as they are.
    Text(Template),
    Json(JsonTemplate),
    Form(Vec<(String, Template)>),
}

/// User and password of HTTP Basic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicTemplate {
    pub user: Template,
    pub password: Template,
}

/// A request as a definition writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestTemplate {
    pub method: Method,
    pub url: UrlTemplate,
    pub query: Vec<(String, Template)>,
    pub headers: Vec<(String, Template)>,
    pub basic: Option<BasicTemplate>,
    pub body: BodyTemplate,
    /// Whether `[api]` headers and query are added where the host is one that the connector declares.
    pub credential: bool,
}

/// `[after] choose`: the answer is a list and the person chooses one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choose {
    /// Where the list is.
    pub items: Pointer,
    /// Inside one item.
    pub value: Pointer,
    pub label: Pointer,
}

/// `[[after]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub request: RequestTemplate,
    /// Statuses that mean success; empty for 200 to 299.
    pub ok: Vec<u16>,
    pub error: Vec<Pointer>,
    pub save: Vec<Save<Pointer>>,
    pub choose: Option<Choose>,
}

/// `[verify]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    pub request: RequestTemplate,
    pub ok: Vec<u16>,
    pub error: Vec<Pointer>,
    /// What the person is told where the credential is refused.
    pub fail_text: Option<String>,
    pub save: Vec<Save<Pointer>>,
}

/// `[api] retry`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retry {
    pub after: Option<String>,
    pub remaining: Option<String>,
    pub reset: Option<String>,
    pub in_body: Option<Pointer>,
}

/// `[api]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    pub base_url: UrlTemplate,
    pub hosts: Vec<HostPattern>,
    pub headers: Vec<(String, Template)>,
    pub query: Vec<(String, Template)>,
    pub basic: Option<BasicTemplate>,
    pub retry: Retry,
}

/// `[[env]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentName {
    pub field: Variable,
    /// What follows `PAN_SEC_<CONNECTOR>_`.
    pub name: String,
}
