//! `[webhook]`: how deliveries of the outside system prove themselves.

use super::definition::Pointer;
use super::template::Variable;

/// `[webhook.verify] scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Hmac,
    Ed25519,
    Token,
    Jwt,
    Basic,
}

/// `[webhook.verify] alg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HmacAlgorithm {
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
    /// As they are: only for keys.
    Text,
}

/// A part of the text that is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedPart {
    Text(String),
    Id,
    Timestamp,
    Body,
    Method,
    /// The URL that was called.
    Url,
}

/// `[webhook.verify]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRules {
    pub scheme: Scheme,
    /// Lower-case name of the header that carries the signature or token.
    pub header: String,
    pub algorithm: HmacAlgorithm,
    pub encoding: Encoding,
    pub signed: Vec<SignedPart>,
    /// Before each signature: `sha256=`, `v0=`, `v1,`.
    pub prefix: String,
    /// Between several signatures in one header.
    pub separator: Option<char>,
    /// Where one header carries everything as `name=value` pairs (Stripe): the pairs' names.
    pub signature_field: Option<String>,
    pub timestamp_field: Option<String>,
    pub timestamp_header: Option<String>,
    pub timestamp_in_milliseconds: bool,
    pub id_header: Option<String>,
    /// In seconds, both ways.
    pub tolerance_s: i64,
    /// Where the key comes from.
    pub secret_from: Variable,
    pub secret_prefix: String,
    pub secret_encoding: Encoding,
}

/// Where a value is in a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveryPart {
    /// Lower-case header name.
    Header(String),
    Query(String),
    Body(Pointer),
}

/// What `[webhook.challenge] match` asks of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Text(String),
    /// `*`: present and not empty.
    Any,
    /// `{secret}`: the webhook's secret (Meta's `hub.verify_token`).
    Secret,
}

/// `[webhook.challenge] reply_as`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyAs {
    Text,
    /// An object with the value under this name.
    Json(String),
    /// The value in a header of this name, with an empty body.
    Header(String),
}

/// `[webhook.challenge]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub matches: Vec<(DeliveryPart, Expected)>,
    pub reply: DeliveryPart,
    pub reply_as: ReplyAs,
}

/// `[webhook] dedupe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dedupe {
    Part(DeliveryPart),
    /// SHA-256 of the body.
    Hash,
}

/// `[webhook]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookRules {
    pub verify: Option<VerifyRules>,
    pub challenge: Option<Challenge>,
    pub dedupe: Option<Dedupe>,
    pub event_type: Option<DeliveryPart>,
}
