//! Inputs: the fields of a form, which are template variables too, and the check of what was typed.

use super::definition::Definition;
use super::template::{Escape, Template, Variables};
use crate::credential::Values;
use std::collections::BTreeMap;
use std::fmt;

/// What one field may hold, in bytes.
pub const LONGEST_INPUT: usize = 4096;

/// A regular expression that the whole value must match. The engine's time is linear in the text, so that no
/// pattern of an organization can hold a thread.
#[derive(Clone)]
pub struct Pattern(regex::Regex);

impl Pattern {
    /// # Errors
    /// What the engine says, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let whole = format!("^(?:{text})$");
        let built = regex::RegexBuilder::new(&whole).size_limit(1 << 20).build();
        built.map(Self).map_err(|error| error.to_string().lines().last().unwrap_or_default().to_owned())
    }

    pub fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// For an HTML `pattern` attribute.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_start_matches("^(?:").strip_suffix(")$").unwrap_or_default()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

/// `format`: what kind of text a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    #[default]
    Text,
    Email,
    /// An absolute https URL.
    Url,
    /// A host name.
    Host,
    /// One label of a host name.
    Subdomain,
    Integer,
    Uuid,
    /// Several lines, kept as typed (a PEM key).
    Multiline,
}

impl Format {
    pub(super) const NAMES: [(&'static str, Self); 8] = [
        ("text", Self::Text),
        ("email", Self::Email),
        ("url", Self::Url),
        ("host", Self::Host),
        ("subdomain", Self::Subdomain),
        ("integer", Self::Integer),
        ("uuid", Self::Uuid),
        ("multiline", Self::Multiline),
    ];
}

/// One of a closed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputOption {
    pub value: String,
    pub label: String,
}

/// A field is shown only where another holds one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub key: String,
    pub values: Vec<String>,
}

/// `[[inputs]]`: a field of the form and the variable `{inputs.<key>}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    pub key: String,
    pub label: String,
    pub help: Option<String>,
    pub example: Option<String>,
    pub pattern: Option<Pattern>,
    pub format: Format,
    /// `enum`.
    pub options: Vec<InputOption>,
    pub secret: bool,
    pub optional: bool,
    /// Shown before the field, and taken off where it is typed or pasted along.
    pub prefix: Option<String>,
    pub suffix: Option<String>,
    pub default: Option<Template>,
    /// All must hold.
    pub visible_when: Vec<Condition>,
}

/// What is wrong with a field, in a sentence for the person. Never shows what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    pub key: String,
    /// For the catalogue of texts: `required`, `too_long`, `characters`, `not_an_option`, `format`, `pattern`, `unknown`.
    pub code: &'static str,
    pub text: String,
}

impl Definition {
    /// Reads a submitted form: trims, takes prefix and suffix off, fills in defaults and checks each field.
    /// Fields that `visible_when` hides are left out, whatever was sent.
    ///
    /// # Errors
    /// Every field that is wrong.
    pub fn check_inputs(&self, typed: &BTreeMap<String, String>) -> Result<Values, Vec<FieldProblem>> {
        let mut values = Values::new();
        let mut problems = Vec::new();
        for key in typed.keys().filter(|key| !self.inputs.iter().any(|input| input.key == **key)) {
            let key: String = key.chars().filter(|c| !c.is_control()).take(63).collect();
            let text = "This form has no such field.".to_owned();
            problems.push(FieldProblem { key, code: "unknown", text });
        }
        for input in &self.inputs {
            if !input.is_visible(&values) {
                continue;
            }
            match input.check(typed.get(&input.key).map(String::as_str), &values) {
                Ok(Some(value)) => values.set(&input.key, value),
                Ok(None) => {}
                Err((code, text)) => problems.push(FieldProblem { key: input.key.clone(), code, text }),
            }
        }
        if problems.is_empty() { Ok(values) } else { Err(problems) }
    }

    /// The fields whose values must be masked wherever they could be shown.
    pub fn secret_inputs(&self) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(|input| input.secret)
    }
}

type Checked = Result<Option<String>, (&'static str, String)>;

impl Input {
    fn is_visible(&self, values: &Values) -> bool {
        self.visible_when.iter().all(|condition| {
            let seen = values.get(&condition.key).unwrap_or_default();
            condition.values.iter().any(|value| value == seen)
        })
    }

    fn check(&self, typed: Option<&str>, before: &Values) -> Checked {
        let typed = typed.unwrap_or_default();
        if typed.len() > LONGEST_INPUT {
            return Err(("too_long", format!("{} is too long.", self.label)));
        }
        let value = self.bare(typed);
        if value.is_empty() {
            return self.fallback(before);
        }
        let multiline = self.format == Format::Multiline;
        let odd = |c: char| c.is_control() && !(multiline && matches!(c, '\n' | '\r' | '\t'));
        if value.chars().any(odd) {
            return Err((
                "characters",
                format!("{} holds characters that cannot be typed; paste it again.", self.label),
            ));
        }
        if !self.options.is_empty() && !self.options.iter().any(|option| option.value == value) {
            return Err(("not_an_option", format!("Choose one of the values for {}.", self.label)));
        }
        if let Some(wanted) = self.format.refuses(value) {
            return Err(("format", format!("{} must be {wanted}{}.", self.label, self.such_as())));
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.matches(value)) {
            return Err(("pattern", format!("{} does not look right{}.", self.label, self.such_as())));
        }
        Ok(Some(value.to_owned()))
    }

    fn such_as(&self) -> String {
        self.example.as_ref().map(|example| format!(", for example {example}")).unwrap_or_default()
    }

    fn fallback(&self, before: &Values) -> Checked {
        let variables = Variables { inputs: Some(before), ..Variables::default() };
        let default =
            self.default.as_ref().and_then(|template| template.render(&variables, Escape::Plain).ok());
        match default.filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some(text)),
            None if self.optional => Ok(None),
            None => Err(("required", format!("{} is needed.", self.label))),
        }
    }

    /// Without blanks around it and without prefix and suffix, which people paste along.
    fn bare<'a>(&self, typed: &'a str) -> &'a str {
        let mut value = typed.trim();
        if let Some(prefix) = &self.prefix {
            value = without(value, prefix.len(), |head, _| head.eq_ignore_ascii_case(prefix), false);
        }
        if let Some(suffix) = &self.suffix {
            let whole = value.trim_end_matches('/');
            let shorter = without(whole, suffix.len(), |_, tail| tail.eq_ignore_ascii_case(suffix), true);
            if shorter.len() < whole.len() {
                value = shorter;
            }
        }
        value
    }
}

fn without(text: &str, length: usize, fits: impl Fn(&str, &str) -> bool, at_end: bool) -> &str {
    let at = if at_end { text.len().checked_sub(length) } else { Some(length) };
    match at.and_then(|at| text.split_at_checked(at)) {
        Some((head, tail)) if fits(head, tail) => {
            if at_end {
                head
            } else {
                tail
            }
        }
        _ => text,
    }
}

impl Format {
    /// What the text should have been, where it is not.
    fn refuses(self, text: &str) -> Option<&'static str> {
        let (fits, wanted) = match self {
            Self::Text | Self::Multiline => return None,
            Self::Email => (is_address(text), "an e-mail address"),
            Self::Url => (kernel::SafeUrl::parse(text).is_ok(), "an address that starts with https://"),
            Self::Host => (is_host(text), "a host name without https:// and without a path"),
            Self::Subdomain => {
                (is_host(text) && !text.contains('.'), "one word of letters, digits and hyphens")
            }
            Self::Integer => (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()), "a whole number"),
            Self::Uuid => (is_uuid(text), "an id of the form 00000000-0000-0000-0000-000000000000"),
        };
        (!fits).then_some(wanted)
    }
}

fn is_host(text: &str) -> bool {
    super::template::is_host_part(text)
}

fn is_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split('@').collect();
    matches!(parts.as_slice(), [local, domain] if !local.is_empty() && is_host(domain) && !text.contains(' '))
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[cfg(test)]
#[path = "inputs_tests.rs"]
mod tests;
