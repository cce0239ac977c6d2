//! Requests: `[[after]]`, `[verify]`, `[revoke]` and what `[api]` adds to each.

use super::access::saves;
use super::retry;
use crate::connector::address::{HostPattern, UrlTemplate};
use crate::connector::definition::{
    Api, BasicTemplate, BodyTemplate, Choose, JsonTemplate, Kind, Method, RequestTemplate, Step, Verify,
};
use crate::connector::source::{Phase, Place, Section};
use crate::connector::template::Template;
use toml::de::DeValue;

pub(super) fn needed_url(
    section: &Section<'_, '_>,
    key: &'static str,
    phase: Phase,
    query: Place,
) -> Option<UrlTemplate> {
    if section.get(key).is_none() {
        section.refuse(section.at, key, "is needed");
        return None;
    }
    section.url(key, phase, query)
}

/// Headers with names checked. A credential must never stand in a file.
pub(super) fn headers(section: &Section<'_, '_>, phase: Phase) -> Vec<(String, Template)> {
    let headers = section.templates("headers", phase, Place::Other);
    for (name, value) in &headers {
        let key = format!("headers.{name}");
        let at = section.place_of("headers");
        let lower = name.to_ascii_lowercase();
        let is_token = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c));
        if !is_token {
            section.refuse(at, &key, "is not a header's name");
        }
        let ours = [
            "host",
            "content-length",
            "connection",
            "transfer-encoding",
            "cookie",
            "te",
            "upgrade",
            "expect",
        ];
        if ours.contains(&lower.as_str()) {
            section.refuse(at, &key, "is set by the gateway itself; remove it");
        }
        match value.as_literal() {
            Some(text) if text.chars().any(char::is_control) => {
                section.refuse(at, &key, "holds a control character");
            }
            Some(_) if lower == "authorization" => {
                section.refuse(
                    at,
                    &key,
                    "holds a credential in the file; use a variable, as in `Bearer {token.access}`",
                );
            }
            _ => {}
        }
    }
    headers
}

fn basic(section: &Section<'_, '_>, phase: Phase) -> Option<BasicTemplate> {
    let section = section.section("basic")?;
    if section.get("user").is_none() {
        section.refuse(section.at, "user", "is needed");
    }
    let (user, password) = (section.template("user", phase), section.template("password", phase));
    Some(BasicTemplate { user: user?, password: password.unwrap_or_default() })
}

/// A request under the key `request`.
fn request(section: &Section<'_, '_>, phase: Phase, credential: bool) -> Option<RequestTemplate> {
    if section.get("request").is_none() {
        section.refuse(section.at, "request", "is needed, as in { method = \"GET\", url = \"https://..\" }");
    }
    request_of(&section.section("request")?, phase, credential)
}

/// `[revoke] request`.
pub(super) fn request_in(
    section: &Section<'_, '_>,
    phase: Phase,
    credential: bool,
) -> Option<RequestTemplate> {
    request(section, phase, credential)
}

fn request_of(section: &Section<'_, '_>, phase: Phase, credential: bool) -> Option<RequestTemplate> {
    let url = needed_url(section, "url", phase, Place::Query);
    let method = section.one_of("method", &Method::DECLARED).unwrap_or_default();
    let query = section.templates("query", phase, Place::Query);
    let headers = headers(section, phase);
    let basic = basic(section, phase);
    let form = section.templates("form", phase, Place::Other);
    let body = body(section, phase);
    let credential = section.flag("credential").unwrap_or(credential);
    let body = match body {
        Some(body) if form.is_empty() => body,
        Some(_) => {
            section.refuse(section.place_of("form"), "form", "stands beside `body`; keep one of them");
            return None;
        }
        None if form.is_empty() => BodyTemplate::Empty,
        None => BodyTemplate::Form(form),
    };
    if method == Method::Get && body != BodyTemplate::Empty {
        section.refuse(section.at, "body", "a GET request has no body");
    }
    Some(RequestTemplate { method, url: url?, query, headers, basic, body, credential })
}

fn body(section: &Section<'_, '_>, phase: Phase) -> Option<BodyTemplate> {
    let value = section.get("body")?;
    match value.get_ref() {
        DeValue::String(text) => {
            let template = section.read_template(value.span().start, "body", text, phase, Place::Other);
            template.map(BodyTemplate::Text)
        }
        other => json(section, value.span().start, other, phase).map(BodyTemplate::Json),
    }
}

fn json(section: &Section<'_, '_>, at: usize, value: &DeValue<'_>, phase: Phase) -> Option<JsonTemplate> {
    match value {
        DeValue::String(text) => {
            let template = section.read_template(at, "body", text, phase, Place::Other)?;
            Some(JsonTemplate::Text(template))
        }
        DeValue::Boolean(flag) => Some(JsonTemplate::Fixed((*flag).into())),
        DeValue::Integer(number) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok();
            number.map(|number| JsonTemplate::Fixed(number.into()))
        }
        DeValue::Float(number) => {
            number.as_str().parse::<f64>().ok().map(|number| JsonTemplate::Fixed(number.into()))
        }
        DeValue::Array(items) => {
            let items = items.iter().map(|item| json(section, item.span().start, item.get_ref(), phase));
            items.collect::<Option<_>>().map(JsonTemplate::List)
        }
        DeValue::Table(table) => {
            let field = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let value = json(section, value.span().start, value.get_ref(), phase)?;
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                Some((name.to_string(), value))
            };
            table.iter().map(field).collect::<Option<_>>().map(JsonTemplate::Object)
        }
        DeValue::Datetime(_) => {
            section.refuse(at, "body", "JSON has no dates; write it as text");
            None
        }
    }
}

pub(super) fn step(section: &Section<'_, '_>, index: usize) -> Option<Step> {
    let request = request(section, Phase::Step(index), true);
    let (ok, error) = (section.statuses("ok"), section.pointers("error").unwrap_or_default());
    let save = saves(section, "save", true);
    let choose = section.section("choose").and_then(|section| {
        let items = section.one_pointer("items").unwrap_or(super::access::root_pointer());
        let value = section.one_pointer("value");
        let label = section.one_pointer("label");
        if value.is_none() {
            section.refuse(section.at, "value", "is needed: the pointer to an item's value, as in \"/id\"");
        }
        let value = value?;
        Some(Choose { items, label: label.unwrap_or_else(|| value.clone()), value })
    });
    Some(Step { request: request?, ok, error, save, choose })
}

pub(super) fn verify(section: &Section<'_, '_>) -> Option<Verify> {
    let request = request(section, Phase::Verify, true);
    let verify = Verify {
        ok: section.statuses("ok"),
        error: section.pointers("error").unwrap_or_default(),
        fail_text: section.text("fail_text"),
        save: saves(section, "save", false),
        request: request?,
    };
    Some(verify)
}

pub(super) fn api(section: &Section<'_, '_>, kind: Option<Kind>) -> Option<Api> {
    let place = if kind == Some(Kind::ApiKey) { Place::SecretQuery } else { Place::Query };
    let base_url = needed_url(section, "base_url", Phase::Later, place);
    let mut hosts = section.hosts("hosts");
    let headers = headers(section, Phase::Later);
    let query = section.templates("query", Phase::Later, place);
    let basic = basic(section, Phase::Later);
    let retry = section.section("retry").map(|section| retry(&section)).unwrap_or_default();
    let base_url = base_url?;
    match base_url.literal_host() {
        Some(host) => {
            if let Ok(pattern) = HostPattern::parse(&base_url.authority(host), section.source.loopback) {
                hosts.push(pattern);
            }
        }
        None if hosts.is_empty() => {
            let text = "is needed where `base_url` has variables in its host: the hosts that may be given the credential";
            section.refuse(section.at, "hosts", text);
        }
        None => {}
    }
    Some(Api { base_url, hosts, headers, query, basic, retry })
}
