//! A definition's text, section by section. Every section is read to its end before anything is given up, so
//! that several problems are told at once.

mod access;
mod calls;
mod hooks;

use super::address::Loopback;
use super::check;
use super::definition::{Definition, EnvironmentName, Kind, Retry};
use super::inputs::{Condition, Format, Input, InputOption, Pattern};
use super::source::{Phase, Place, Problem, Section, Source};
use super::template::Variable;
use kernel::Slug;
use toml::de::DeTable;

/// How strictly addresses are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    pub loopback: Loopback,
}

/// The longest definition that is read, in bytes.
const LONGEST_FILE: usize = 128 * 1024;

impl Definition {
    /// Reads and checks a definition. `file` is only what problems name.
    ///
    /// # Errors
    /// Every problem that was found, in the order of the file.
    pub fn parse(file: &str, text: &str, policy: Policy) -> Result<Self, Vec<Problem>> {
        let source = Source::new(file, text, policy.loopback);
        if text.len() > LONGEST_FILE {
            source.problem(0, "", "the file is longer than 128 KiB");
            return Err(source.problems.take());
        }
        let document = match DeTable::parse(text) {
            Ok(document) => document,
            Err(error) => {
                let at = error.span().map_or(0, |span| span.start);
                source.problem(at, "", format!("this is not TOML: {}", error.message()));
                return Err(source.problems.take());
            }
        };
        let definition = read(&Section::new(&source, String::new(), 0, document.get_ref()));
        if let Some(definition) = &definition {
            check::whole(&source, definition);
        }
        let mut problems = source.problems.take();
        problems.sort_by_key(|problem| problem.line);
        problems.dedup();
        match definition {
            Some(definition) if problems.is_empty() => Ok(definition),
            _ => Err(problems),
        }
    }
}

fn read(root: &Section<'_, '_>) -> Option<Definition> {
    let id = root.needed("id");
    let name = root.needed("name");
    let (categories, docs_url, logo) =
        (root.texts("categories"), plain_url(root, "docs_url"), root.text("logo"));
    let auth = root.section("auth");
    if auth.is_none() {
        root.refuse(root.at, "auth", "is needed: [auth] kind = \"oauth2\" or another kind");
    }
    let kind = auth.as_ref().and_then(kind);
    let app_fields = auth.as_ref().map(|auth| auth.texts("app")).unwrap_or_default();
    let account = auth.as_ref().and_then(|auth| auth.template("account", Phase::Later));
    let inputs = root.sections("inputs").iter().enumerate().filter_map(|(at, one)| input(one, at)).collect();
    let authorize = root.section("authorize").map(|section| access::authorize(&section));
    let token = root.section("token").map(|section| access::token(&section));
    let refresh = root.section("refresh").map(|section| access::refresh(&section));
    let capture = root.section("capture").map(|section| access::capture(&section)).unwrap_or_default();
    let steps = root.sections("after");
    let after: Vec<_> = steps.iter().enumerate().map(|(at, section)| calls::step(section, at)).collect();
    let verify = root.section("verify").map(|section| calls::verify(&section));
    let revoke = root.section("revoke").map(|section| calls::request_in(&section, Phase::Later, false));
    let api = root.section("api").map(|section| calls::api(&section, kind));
    let webhook = root.section("webhook").map(|section| hooks::webhook(&section));
    let env = root.sections("env").iter().filter_map(environment_name).collect();
    let id = id.and_then(|id| match Slug::for_connector(&id) {
        Ok(slug) => Some(slug),
        Err(refused) => {
            root.refuse(root.place_of("id"), "id", refused.to_string());
            None
        }
    });
    let definition = Definition {
        id: id?,
        name: name?,
        categories,
        docs_url,
        logo,
        kind: kind?,
        app_fields,
        account,
        inputs,
        authorize: all(authorize)?,
        token: all(token)?,
        refresh,
        capture,
        after: after.into_iter().collect::<Option<_>>()?,
        verify: all(verify)?,
        revoke: all(revoke)?,
        api: all(api)?,
        webhook,
        env,
        loopback: root.source.loopback,
    };
    Some(check::settle(definition))
}

/// A section that is absent is fine; one that could not be read is not.
#[expect(clippy::option_option, reason = "absent, unreadable and read are three different things here")]
fn all<T>(section: Option<Option<T>>) -> Option<Option<T>> {
    match section {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

fn kind(auth: &Section<'_, '_>) -> Option<Kind> {
    auth.needed("kind")?;
    auth.one_of("kind", &Kind::NAMES)
}

fn plain_url(section: &Section<'_, '_>, key: &'static str) -> Option<String> {
    let text = section.text(key)?;
    if let Err(refused) = kernel::SafeUrl::parse(&text) {
        section.refuse(section.place_of(key), key, refused.to_string());
    }
    Some(text)
}

/// Lower-case letters, digits and `_`, at most 40, a letter first.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn input(section: &Section<'_, '_>, index: usize) -> Option<Input> {
    let key = section.needed("key");
    if let Some(key) = key.as_ref().filter(|key| !is_name(key)) {
        let text = format!("`{key}` must be lower-case letters, digits and `_`, at most 40, a letter first");
        section.refuse(section.place_of("key"), "key", text);
    }
    let label = section.needed("label");
    let pattern = section.text("pattern").and_then(|text| match Pattern::parse(&text) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            section.refuse(
                section.place_of("pattern"),
                "pattern",
                format!("is not a regular expression: {why}"),
            );
            None
        }
    });
    let input = Input {
        key: key.unwrap_or_default(),
        label: label.unwrap_or_default(),
        help: section.text("help"),
        example: section.text("example"),
        pattern,
        format: section.one_of("format", &Format::NAMES).unwrap_or_default(),
        options: options(section),
        secret: section.flag("secret").unwrap_or_default(),
        optional: section.flag("optional").unwrap_or_default(),
        prefix: section.text("prefix"),
        suffix: section.text("suffix"),
        default: section.template("default", Phase::Input(index)),
        visible_when: conditions(section),
    };
    Some(input).filter(|input| !input.key.is_empty())
}

fn options(section: &Section<'_, '_>) -> Vec<InputOption> {
    let is_labelled = section
        .get("enum")
        .and_then(|value| value.get_ref().as_array())
        .is_some_and(|items| items.iter().any(|item| item.get_ref().is_table()));
    if is_labelled {
        let read = |one: &Section<'_, '_>| {
            Some(InputOption { value: one.needed("value")?, label: one.needed("label")? })
        };
        return section.sections("enum").iter().filter_map(read).collect();
    }
    section.texts("enum").into_iter().map(|value| InputOption { label: value.clone(), value }).collect()
}

fn conditions(section: &Section<'_, '_>) -> Vec<Condition> {
    let Some(value) = section.get("visible_when") else { return Vec::new() };
    let Some(table) = value.get_ref().as_table() else {
        section.refuse(value.span().start, "visible_when", "must be a table, as in { plan = [\"own\"] }");
        return Vec::new();
    };
    let mut conditions = Vec::new();
    for (key, value) in table {
        let texts: Option<Vec<String>> = match value.get_ref().as_array() {
            Some(items) => items.iter().map(|item| item.get_ref().as_str().map(ToOwned::to_owned)).collect(),
            None => value.get_ref().as_str().map(|text| vec![text.to_owned()]),
        };
        match texts {
            Some(values) => conditions.push(Condition { key: key.get_ref().to_string(), values }),
            None => {
                section.refuse(value.span().start, "visible_when", "must name a value or a list of values");
            }
        }
    }
    conditions
}

fn environment_name(section: &Section<'_, '_>) -> Option<EnvironmentName> {
    let (field, name) = (section.needed("field"), section.needed("name"));
    let at = section.place_of("field");
    let field = field?;
    let template = section.read_template(at, "field", &format!("{{{field}}}"), Phase::Later, Place::Other)?;
    let variable = template.variables().next().cloned();
    let name = name?;
    if !name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') {
        section.refuse(section.place_of("name"), "name", "must be upper-case letters, digits and `_`");
    }
    variable.map(|field: Variable| EnvironmentName { field, name })
}

/// `[api] retry`.
fn retry(section: &Section<'_, '_>) -> Retry {
    Retry {
        after: section.text("after"),
        remaining: section.text("remaining"),
        reset: section.text("reset"),
        in_body: section.one_pointer("in_body"),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
