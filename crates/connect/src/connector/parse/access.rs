//! `[authorize]`, `[token]`, `[refresh]` and `[capture]`.

use super::is_name;
use crate::connector::definition::{
    Authorize, BodyForm, CallbackSignature, Capture, ClientAuth, Extract, Method, Pkce, Pointer, Refresh,
    RefreshGrant, Save, SaveTo, Scopes, TokenRules, Unit,
};
use crate::connector::parse::calls::{headers, needed_url};
use crate::connector::source::{Phase, Place, Section};

const PKCE: [(&str, Pkce); 3] = [("s256", Pkce::S256), ("plain", Pkce::Plain), ("off", Pkce::Off)];
const CLIENT_AUTH: [(&str, ClientAuth); 6] = [
    ("body", ClientAuth::Body),
    ("basic", ClientAuth::Basic),
    ("basic_key_only", ClientAuth::BasicKeyOnly),
    ("private_key_jwt", ClientAuth::PrivateKeyJwt),
    ("mtls", ClientAuth::Mtls),
    ("none", ClientAuth::None),
];
const BODY: [(&str, BodyForm); 4] =
    [("form", BodyForm::Form), ("json", BodyForm::Json), ("query", BodyForm::Query), ("xml", BodyForm::Xml)];
const UNIT: [(&str, Unit); 3] = [("s", Unit::Seconds), ("ms", Unit::Milliseconds), ("min", Unit::Minutes)];
const GRANT: [(&str, RefreshGrant); 3] = [
    ("refresh_token", RefreshGrant::RefreshToken),
    ("access_token", RefreshGrant::AccessToken),
    ("repeat", RefreshGrant::Repeat),
];

pub(super) fn authorize(section: &Section<'_, '_>) -> Option<Authorize> {
    let url = needed_url(section, "url", Phase::Authorize, Place::Query);
    let scope = section.section("scope");
    let authorize = Authorize {
        params: section.templates("params", Phase::Authorize, Place::Query),
        rename: section.names("rename"),
        drop: section.texts("drop"),
        scope: scope.map_or_else(no_scopes, |scope| scopes(&scope)),
        pkce: section.one_of("pkce", &PKCE).unwrap_or_default(),
        code_param: section.text("code_param").unwrap_or_else(|| "code".to_owned()),
        state_param: section.text("state_param").unwrap_or_else(|| "state".to_owned()),
        issuer: section.text("issuer"),
        signature: section
            .section("signature")
            .and_then(|section| section.needed("param").map(|param| CallbackSignature { param })),
        url: url?,
    };
    Some(authorize)
}

fn no_scopes() -> Scopes {
    Scopes {
        separator: " ".to_owned(),
        default: Vec::new(),
        user_param: None,
        user_default: Vec::new(),
        aliases: Vec::new(),
        unlisted: Vec::new(),
    }
}

fn scopes(section: &Section<'_, '_>) -> Scopes {
    let scopes = Scopes {
        separator: section.text("separator").unwrap_or_else(|| " ".to_owned()),
        default: section.texts("default"),
        user_param: section.text("user_param"),
        user_default: section.texts("user_default"),
        aliases: section.names("aliases"),
        unlisted: section.texts("unlisted"),
    };
    if scopes.user_param.is_none() && !scopes.user_default.is_empty() {
        section.refuse(section.place_of("user_default"), "user_default", "is sent only with `user_param`");
    }
    scopes
}

pub(super) fn token(section: &Section<'_, '_>) -> Option<TokenRules> {
    let body = section.one_of("body", &BODY).unwrap_or_default();
    let secrets = if body == BodyForm::Query { Place::SecretQuery } else { Place::Query };
    let url = needed_url(section, "url", Phase::Token, secrets);
    let parts = section.section("extract");
    let rules = TokenRules {
        method: section.one_of("method", &Method::DECLARED).unwrap_or(Method::Post),
        client_auth: section.one_of("client_auth", &CLIENT_AUTH).unwrap_or_default(),
        body,
        params: section.templates("params", Phase::Token, Place::Other),
        rename: section.names("rename"),
        drop: section.texts("drop"),
        headers: headers(section, Phase::Token),
        extract: parts.map_or_else(standard_extract, |parts| extract(&parts)),
        url: url?,
    };
    if rules.body == BodyForm::Xml {
        for (name, _) in &rules.params {
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                section.refuse(
                    section.place_of("params"),
                    "params",
                    format!("`{name}` is no XML element's name"),
                );
            }
        }
    }
    Some(rules)
}

fn standard_extract() -> Extract {
    let one = |text: &str| vec![Pointer(text.to_owned())];
    Extract {
        access: one("/access_token"),
        refresh: one("/refresh_token"),
        expires_in: one("/expires_in"),
        expires_at: Vec::new(),
        unit: Unit::Seconds,
        scope: Vec::new(),
        error: one("/error"),
    }
}

fn extract(section: &Section<'_, '_>) -> Extract {
    let standard = standard_extract();
    let expires_at = section.pointers("expires_at");
    let expires_in = section.pointers("expires_in");
    let expires_in = match (&expires_in, &expires_at) {
        (None, Some(_)) => Vec::new(),
        _ => expires_in.unwrap_or(standard.expires_in),
    };
    Extract {
        access: section.pointers("access").unwrap_or(standard.access),
        refresh: section.pointers("refresh").unwrap_or(standard.refresh),
        expires_in,
        expires_at: expires_at.unwrap_or_default(),
        unit: section.one_of("unit", &UNIT).unwrap_or_default(),
        scope: section.pointers("scope").unwrap_or_default(),
        error: section.pointers("error").unwrap_or(standard.error),
    }
}

pub(super) fn refresh(section: &Section<'_, '_>) -> Refresh {
    Refresh {
        url: section.url("url", Phase::Later, Place::Query),
        grant: section.one_of("grant", &GRANT).unwrap_or_default(),
        params: section.templates("params", Phase::Later, Place::Other),
        rotates: section.flag("rotates").unwrap_or_default(),
        lead_s: section.number("lead_s", 0..=86_400).unwrap_or(300),
        max_age_s: section.number("max_age_s", 30..=31_536_000),
        keepalive_h: section.number("keepalive_h", 1..=8_760),
    }
}

pub(super) fn capture(section: &Section<'_, '_>) -> Capture {
    let mut callback = Vec::new();
    for (at, from, to) in section.pairs("callback") {
        let (from, optional) = optional(&from);
        let field = format!("callback.{from}");
        if let Some(to) = target(section, at, &field, &to, false) {
            callback.push(Save { from, to, optional });
        }
    }
    Capture { callback, token: saves(section, "token", false), secret: section.texts("secret") }
}

/// A table of pointers and names. `tokens` lets a step replace parts of the token.
pub(super) fn saves(section: &Section<'_, '_>, key: &'static str, tokens: bool) -> Vec<Save<Pointer>> {
    let mut saves = Vec::new();
    for (at, from, to) in section.pairs(key) {
        let (from, optional) = optional(&from);
        let field = format!("{key}.{from}");
        let pointer = section.pointer(at, &field, &from);
        let to = target(section, at, &field, &to, tokens);
        if let (Some(from), Some(to)) = (pointer, to) {
            saves.push(Save { from, to, optional });
        }
    }
    saves
}

fn optional(from: &str) -> (String, bool) {
    from.strip_suffix('?').map_or_else(|| (from.to_owned(), false), |bare| (bare.to_owned(), true))
}

fn target(section: &Section<'_, '_>, at: usize, field: &str, name: &str, tokens: bool) -> Option<SaveTo> {
    match name {
        "token.access" if tokens => Some(SaveTo::Access),
        "token.refresh" if tokens => Some(SaveTo::Refresh),
        "token.expires_in" if tokens => Some(SaveTo::ExpiresIn),
        name if is_name(name) => Some(SaveTo::Capture(name.to_owned())),
        _ => {
            let text =
                format!("`{name}` must be lower-case letters, digits and `_`, at most 40, a letter first");
            section.refuse(at, field, text);
            None
        }
    }
}

pub(super) const fn root_pointer() -> Pointer {
    Pointer(String::new())
}
