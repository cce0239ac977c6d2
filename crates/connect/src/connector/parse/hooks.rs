//! `[webhook]`.

use crate::connector::definition::Pointer;
use crate::connector::source::Section;
use crate::connector::template::Variable;
use crate::connector::webhook::{
    Challenge, Dedupe, DeliveryPart, Encoding, Expected, HmacAlgorithm, ReplyAs, Scheme, SignedPart,
    VerifyRules, WebhookRules,
};

const SCHEMES: [(&str, Scheme); 5] = [
    ("hmac", Scheme::Hmac),
    ("ed25519", Scheme::Ed25519),
    ("token", Scheme::Token),
    ("jwt", Scheme::Jwt),
    ("basic", Scheme::Basic),
];
const ALGORITHMS: [(&str, HmacAlgorithm); 3] =
    [("sha1", HmacAlgorithm::Sha1), ("sha256", HmacAlgorithm::Sha256), ("sha512", HmacAlgorithm::Sha512)];
const ENCODINGS: [(&str, Encoding); 2] = [("hex", Encoding::Hex), ("base64", Encoding::Base64)];
const KEY_ENCODINGS: [(&str, Encoding); 3] =
    [("text", Encoding::Text), ("hex", Encoding::Hex), ("base64", Encoding::Base64)];

#[derive(Clone, Copy)]
enum SecretFrom {
    App,
    Tenant,
    ClientSecret,
}

const SECRETS: [(&str, SecretFrom); 3] =
    [("app", SecretFrom::App), ("tenant", SecretFrom::Tenant), ("client_secret", SecretFrom::ClientSecret)];

pub(super) fn webhook(section: &Section<'_, '_>) -> WebhookRules {
    WebhookRules {
        verify: section.section("verify").and_then(|section| verify(&section)),
        challenge: section.section("challenge").and_then(|section| challenge(&section)),
        dedupe: section.text("dedupe").map(|text| match text.as_str() {
            "hash" => Dedupe::Hash,
            _ => Dedupe::Part(part(&text)),
        }),
        event_type: section.text("event_type").map(|text| part(&text)),
    }
}

/// `/pointer` into the body, `?parameter` of the query, else a header.
fn part(text: &str) -> DeliveryPart {
    if text.starts_with('/') {
        return DeliveryPart::Body(Pointer(text.to_owned()));
    }
    match text.strip_prefix('?') {
        Some(name) => DeliveryPart::Query(name.to_owned()),
        None => DeliveryPart::Header(text.to_ascii_lowercase()),
    }
}

fn verify(section: &Section<'_, '_>) -> Option<VerifyRules> {
    if section.get("scheme").is_none() {
        section.refuse(section.at, "scheme", "is needed: hmac, ed25519, token, jwt or basic");
    }
    let scheme = section.one_of("scheme", &SCHEMES);
    let header = section.text("header").map(|name| name.to_ascii_lowercase());
    let secret_from = section.one_of("secret_from", &SECRETS);
    let secret_name = section.text("secret_name").unwrap_or_else(|| "webhook_secret".to_owned());
    let fields = section.section("fields");
    let separator = section.text("separator");
    if section.get("secret_from").is_none() {
        section.refuse(section.at, "secret_from", "is needed: app, tenant or client_secret");
    }
    let rules = VerifyRules {
        header: header.clone().unwrap_or_else(|| "authorization".to_owned()),
        algorithm: section.one_of("alg", &ALGORITHMS).unwrap_or_default(),
        encoding: section.one_of("encoding", &ENCODINGS).unwrap_or_default(),
        signed: signed(section),
        prefix: section.text("prefix").unwrap_or_default(),
        separator: separator.as_ref().and_then(|text| text.chars().next()),
        signature_field: fields.as_ref().and_then(|fields| fields.text("signature")),
        timestamp_field: fields.as_ref().and_then(|fields| fields.text("ts")),
        timestamp_header: section.text("ts_header").map(|name| name.to_ascii_lowercase()),
        timestamp_in_milliseconds: section
            .one_of("ts_unit", &[("s", false), ("ms", true)])
            .unwrap_or_default(),
        id_header: section.text("id_header").map(|name| name.to_ascii_lowercase()),
        tolerance_s: section.number("tolerance_s", 1..=86_400).unwrap_or(300),
        secret_prefix: section.text("secret_prefix").unwrap_or_default(),
        secret_encoding: section.one_of("secret_encoding", &KEY_ENCODINGS).unwrap_or(match scheme {
            Some(Scheme::Ed25519) => Encoding::Hex,
            _ => Encoding::Text,
        }),
        secret_from: secret(secret_from?, secret_name),
        scheme: scheme?,
    };
    let needs_header = matches!(rules.scheme, Scheme::Hmac | Scheme::Ed25519 | Scheme::Token);
    if needs_header && header.is_none() {
        section.refuse(section.at, "header", "is needed: the header that carries the signature or the token");
    }
    if matches!((rules.scheme, rules.algorithm), (Scheme::Jwt, HmacAlgorithm::Sha1)) {
        section.refuse(section.place_of("alg"), "alg", "a JWT is signed with sha256 or sha512");
    }
    check_timestamp(section, &rules);
    Some(rules)
}

fn check_timestamp(section: &Section<'_, '_>, rules: &VerifyRules) {
    let given = rules.timestamp_header.is_some() || rules.timestamp_field.is_some();
    let signs = |wanted: &SignedPart| rules.signed.contains(wanted);
    if signs(&SignedPart::Timestamp) && !given {
        section.refuse(
            section.place_of("signed"),
            "signed",
            "uses {ts}; name its `ts_header`, or `fields.ts`",
        );
    }
    if given && !signs(&SignedPart::Timestamp) {
        section.refuse(section.at, "signed", "leaves {ts} unsigned, so that anybody could change it");
    }
    if signs(&SignedPart::Id) && rules.id_header.is_none() {
        section.refuse(section.place_of("signed"), "signed", "uses {id}; name its `id_header`");
    }
}

/// The variable that holds the key. For a tenant it is a capture or an input; `settle_secret` finds out which.
fn secret(from: SecretFrom, name: String) -> Variable {
    match from {
        SecretFrom::App => Variable::App(name),
        SecretFrom::Tenant => Variable::Capture(name),
        SecretFrom::ClientSecret => Variable::App("client_secret".to_owned()),
    }
}

fn signed(section: &Section<'_, '_>) -> Vec<SignedPart> {
    let text = section.text("signed").unwrap_or_else(|| "{body}".to_owned());
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        if !before.is_empty() {
            parts.push(SignedPart::Text(before.to_owned()));
        }
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        match name {
            "id" => parts.push(SignedPart::Id),
            "ts" => parts.push(SignedPart::Timestamp),
            "body" => parts.push(SignedPart::Body),
            "method" => parts.push(SignedPart::Method),
            "url" => parts.push(SignedPart::Url),
            _ => {
                let text =
                    format!("`{{{name}}}` is not one of {{id}}, {{ts}}, {{body}}, {{method}}, {{url}}");
                section.refuse(section.place_of("signed"), "signed", text);
            }
        }
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(SignedPart::Text(rest.to_owned()));
    }
    if !parts.contains(&SignedPart::Body) {
        section.refuse(
            section.place_of("signed"),
            "signed",
            "must hold {body}, or the body could be changed",
        );
    }
    parts
}

fn challenge(section: &Section<'_, '_>) -> Option<Challenge> {
    let mut matches = Vec::new();
    for (_, name, value) in section.pairs("match") {
        let expected = match value.as_str() {
            "*" => Expected::Any,
            "{secret}" => Expected::Secret,
            _ => Expected::Text(value),
        };
        matches.push((part(&name), expected));
    }
    if matches.is_empty() {
        section.refuse(section.at, "match", "is needed: what tells a challenge from a delivery");
    }
    let reply = section.needed("reply").map(|text| part(&text));
    let reply_as = section.text("reply_as").unwrap_or_else(|| "text".to_owned());
    let reply_as = match reply_as.split_once(':') {
        None if reply_as == "text" => Some(ReplyAs::Text),
        Some(("json", name)) if !name.is_empty() => Some(ReplyAs::Json(name.to_owned())),
        Some(("header", name)) if !name.is_empty() => Some(ReplyAs::Header(name.to_ascii_lowercase())),
        _ => {
            section.refuse(
                section.place_of("reply_as"),
                "reply_as",
                "must be text, json:<name> or header:<name>",
            );
            None
        }
    };
    Some(Challenge { matches, reply: reply?, reply_as: reply_as? })
}
