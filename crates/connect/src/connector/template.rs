//! Templates: text with `{variables}` and filters. No scripting: what data cannot say is a `builtin:`
//! (contract `connectors.md`).

use crate::credential::{App, Values};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kernel::SecretText;
use std::fmt;

/// A name that stands between braces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// `{inputs.x}`: what the person typed.
    Input(String),
    /// `{capture.x}`: what the callback, the token's answer or a step brought.
    Capture(String),
    /// `{app.client_id}`, `{app.client_secret}` and what `[auth] app` names.
    App(String),
    /// `{token.access}`.
    TokenAccess,
    /// `{token.refresh}`.
    TokenRefresh,
    /// `{webhook.url}`: the tenant's own address for this connector.
    WebhookUrl,
}

impl Variable {
    /// # Errors
    /// [`TemplateRefused::UnknownVariable`].
    pub fn parse(text: &str) -> Result<Self, TemplateRefused> {
        let unknown = || TemplateRefused::UnknownVariable(text.to_owned());
        let (root, name) = text.split_once('.').ok_or_else(unknown)?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match (root, name) {
            ("token", "access") => Ok(Self::TokenAccess),
            ("token", "refresh") => Ok(Self::TokenRefresh),
            ("webhook", "url") => Ok(Self::WebhookUrl),
            ("inputs", _) if is_name => Ok(Self::Input(name.to_owned())),
            ("capture", _) if is_name => Ok(Self::Capture(name.to_owned())),
            ("app", _) if is_name => Ok(Self::App(name.to_owned())),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(name) => write!(f, "inputs.{name}"),
            Self::Capture(name) => write!(f, "capture.{name}"),
            Self::App(name) => write!(f, "app.{name}"),
            Self::TokenAccess => f.write_str("token.access"),
            Self::TokenRefresh => f.write_str("token.refresh"),
            Self::WebhookUrl => f.write_str("webhook.url"),
        }
    }
}

/// What may be done to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    Base64,
    UrlEncode,
    Lower,
    /// Used where the variable is absent or empty.
    Default(String),
    /// A claim of the value read as a JWT. The signature is not checked: the value came from the provider
    /// over TLS, and the claim is used only to name things at that provider.
    JwtClaim(String),
}

impl Filter {
    fn parse(text: &str) -> Result<Self, TemplateRefused> {
        match text.split_once(':') {
            None if text == "base64" => Ok(Self::Base64),
            None if text == "urlencode" => Ok(Self::UrlEncode),
            None if text == "lower" => Ok(Self::Lower),
            Some(("default", value)) => Ok(Self::Default(value.to_owned())),
            Some(("jwt_claim", name)) if !name.is_empty() => Ok(Self::JwtClaim(name.to_owned())),
            _ => Err(TemplateRefused::UnknownFilter(text.to_owned())),
        }
    }
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateRefused {
    #[error("a `{{` is not closed; write `{{{{` for a brace itself")]
    NotClosed,
    #[error("a `}}` stands alone; write `}}}}` for a brace itself")]
    NotOpened,
    #[error(
        "`{{{0}}}` is not a variable; known are {{inputs.*}}, {{capture.*}}, {{app.client_id}}, {{app.client_secret}}, {{token.access}}, {{token.refresh}} and {{webhook.url}}"
    )]
    UnknownVariable(String),
    #[error("`{0}` is not a filter; known are base64, urlencode, lower, default:<text> and jwt_claim:<name>")]
    UnknownFilter(String),
}

/// Why a template could not be filled. Never carries a value, because a value may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateFailed {
    #[error("{{{0}}} is not known at this point")]
    Missing(Variable),
    #[error("{{{0}}} is not a JWT with the claim `{1}`")]
    NoClaim(Variable, String),
    #[error("{{{0}}} does not fit into {1}")]
    Unfit(Variable, &'static str),
    #[error("the address does not come out as a safe URL: {0}")]
    Address(String),
}

/// Where a value lands, which decides how it is written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// Raw; the surroundings have a structure of their own (a JSON string, a form field).
    Plain,
    /// A part of a host name: refused unless it is made of letters, digits, `-` and `.`.
    Host,
    /// A part of one path segment: everything but unreserved characters is percent-encoded.
    Path,
    /// A header's value: control characters are refused.
    Header,
    /// Inside a JSON text.
    Json,
    /// Inside an XML text.
    Xml,
    /// Inside a form-encoded text.
    Form,
}

/// One variable with its filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expression {
    pub(super) variable: Variable,
    pub(super) filters: Vec<Filter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Value(Expression),
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pub(super) pieces: Vec<Piece>,
}

impl Template {
    /// # Errors
    /// [`TemplateRefused`], for unknown variables and filters and for unbalanced braces.
    pub fn parse(text: &str) -> Result<Self, TemplateRefused> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                literal.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                literal.push('}');
                rest = after;
            } else if let Some(inside) = from.strip_prefix('{') {
                let (expression, after) = inside.split_once('}').ok_or(TemplateRefused::NotClosed)?;
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Value(Expression::parse(expression)?));
                rest = after;
            } else {
                return Err(TemplateRefused::NotOpened);
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self { pieces })
    }

    /// A template without variables.
    pub fn literal(text: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Text(text.into())] }
    }

    /// The text, where no variable is in it.
    pub fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The variables in it, in order.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Value(expression) => Some(&expression.variable),
        })
    }

    /// Fills it in.
    ///
    /// # Errors
    /// [`TemplateFailed`] where a variable is absent and has no default, or does not fit its place.
    pub(super) fn render(&self, variables: &Variables<'_>, escape: Escape) -> Result<String, TemplateFailed> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Value(expression) => {
                    let value = expression.value(variables)?;
                    push_escaped(&mut out, &value, escape, &expression.variable)?;
                }
            }
        }
        Ok(out)
    }
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, TemplateRefused> {
        let mut parts = text.split('|');
        let variable = Variable::parse(parts.next().unwrap_or_default().trim())?;
        let filters = parts.map(|part| Filter::parse(part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { variable, filters })
    }

    pub(super) fn value(&self, variables: &Variables<'_>) -> Result<String, TemplateFailed> {
        let mut value = variables.get(&self.variable).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
        for filter in &self.filters {
            value = match (filter, value) {
                (Filter::Default(text), None) => Some(text.clone()),
                (Filter::JwtClaim(name), Some(token)) => Some(
                    jwt_claim(&token, name)
                        .ok_or_else(|| TemplateFailed::NoClaim(self.variable.clone(), name.clone()))?,
                ),
                (Filter::Base64, Some(text)) => Some(STANDARD.encode(text)),
                (Filter::UrlEncode, Some(text)) => Some(percent_encoded(&text)),
                (Filter::Lower, Some(text)) => Some(text.to_lowercase()),
                (_, value) => value,
            };
        }
        value.ok_or_else(|| TemplateFailed::Missing(self.variable.clone()))
    }
}

fn push_escaped(out: &mut String, value: &str, escape: Escape, of: &Variable) -> Result<(), TemplateFailed> {
    match escape {
        Escape::Plain => out.push_str(value),
        Escape::Host if is_host_part(value) => out.push_str(value),
        Escape::Host => return Err(TemplateFailed::Unfit(of.clone(), "a host name")),
        Escape::Path => out.push_str(&percent_encoded(value)),
        Escape::Header if value.chars().any(|c| c.is_control()) => {
            return Err(TemplateFailed::Unfit(of.clone(), "a header"));
        }
        Escape::Header => out.push_str(value),
        Escape::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            out.push_str(quoted.trim_start_matches('"').strip_suffix('"').unwrap_or_default());
        }
        Escape::Xml => push_xml(out, value),
        Escape::Form => out.extend(url::form_urlencoded::byte_serialize(value.as_bytes())),
    }
    Ok(())
}

/// Letters, digits, `-` and `.` with a letter or digit at both ends, no empty label, at most 253 bytes.
pub(super) fn is_host_part(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.len() <= 253
        && edge(text.chars().next())
        && edge(text.chars().last())
        && !text.contains("..")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
}

/// Everything but the unreserved characters of RFC 3986, section 2.3, as `%XX`.
pub(super) fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Text for an XML element's content or attribute; characters that XML 1.0 forbids are left out.
pub(super) fn push_xml(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {}
            c => out.push(c),
        }
    }
}

fn jwt_claim(token: &str, name: &str) -> Option<String> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    match claims.get(name)? {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What templates are filled from. Absent parts are absent at that moment: before the sign-in there is no
/// token.
#[derive(Debug, Clone, Copy, Default)]
pub struct Variables<'a> {
    pub app: Option<&'a App>,
    pub inputs: Option<&'a Values>,
    pub captures: Option<&'a Values>,
    pub access: Option<&'a SecretText>,
    pub refresh: Option<&'a SecretText>,
    pub webhook_url: Option<&'a str>,
}

impl<'a> Variables<'a> {
    /// The value, where it is known.
    pub fn get(&self, variable: &Variable) -> Option<&'a str> {
        match variable {
            Variable::Input(key) => self.inputs?.get(key),
            Variable::Capture(name) => self.captures?.get(name),
            Variable::App(name) => self.app?.field(name),
            Variable::TokenAccess => self.access.map(SecretText::reveal),
            Variable::TokenRefresh => self.refresh.map(SecretText::reveal),
            Variable::WebhookUrl => self.webhook_url,
        }
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
