//! The claims, each as the contract's table has it (contract `connect.md`, section 1).

use super::extra::{Extra, masked};
use super::reader::Reader;
use super::{Marketplace, Verified, strict_json};
use crate::dialog::{self, Visitor};
use crate::refusal::{Code, Refusal};
use kernel::{SecretText, Slug, Time};
use serde_json::{Map, Value, json};

/// The longest life that a token may claim, in seconds from `iat` to `exp`.
pub const LIFE_S: i64 = 3600;
/// How far an organization may let `iat` lie ahead at most, in seconds.
pub const AHEAD_MOST_S: i64 = 300;
/// How long after a landing its token must be remembered at most, in seconds: [`Claims::replay_until`] is never later,
/// whatever an organization sets.
pub const REMEMBERED_S: i64 = 2 * AHEAD_MOST_S + LIFE_S + 1;

/// What a token is held against.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub now: Time,
    /// How old `iat` may be, in seconds: 300, settable per organization.
    pub max_age_s: i64,
    /// How far `iat` and `nbf` may lie ahead, in seconds: 60, settable per organization.
    pub ahead_s: i64,
    /// The gateway's public URL for this environment, as configured.
    pub audience: &'a str,
}

/// What the token says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub issued_at: i64,
    pub jti: String,
    /// The person, with `xti.token` masked.
    pub visitor: Visitor,
    extra: Option<Extra>,
    /// Until when the token's `jti` must be remembered. It is later than any moment at which the token could be
    /// accepted, also when the organization widens its limits to [`LIFE_S`] meanwhile, and later than the end
    /// of the dialog that it opens.
    pub replay_until: Time,
}

/// What the auth-only page needs beyond the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthOnly {
    /// The organization's own connector.
    pub connector_name: Slug,
    pub integration_name: Slug,
    /// The credential for the own connector.
    pub token: SecretText,
}

impl Claims {
    /// Reads the payload of a proven token.
    ///
    /// Decisions: `null` and the empty text count as absent. `exp` is exact, because a token's end is a promise
    /// of the one who signed; `nbf` and `iat` may lie `ahead_s` ahead, because clocks differ. The time claims
    /// are judged first, in the order `exp`, `nbf`, `iat`.
    ///
    /// # Errors
    /// `token_malformed`, `token_expired`, `token_not_yet_valid`, `token_stale`, `token_audience`,
    /// `claim_missing`, `claim_invalid`.
    pub fn read(payload: &Verified, rules: &Rules<'_>) -> Result<Self, Refusal> {
        let payload = strict_json(&payload.0).map_err(|error| {
            Refusal::new(Code::TokenMalformed, format!("The token's payload is refused: {error}."))
        })?;
        let Value::Object(mut payload) = payload else {
            return Err(Refusal::new(Code::TokenMalformed, "The token's payload must be a JSON object."));
        };
        let top = Reader::new("", &payload);
        let issued_at = read_times(&top, rules)?;
        read_audience(&top, rules)?;
        let Some(jti) = top.text("jti", 128)? else {
            return Err(top.missing(
                "jti",
                "Write a fresh UUID into it for each token: it makes the token single-use.",
            ));
        };
        let Some(username) = top.text("sub", 255)? else {
            return Err(top.missing(
                "sub",
                "Write the user's id in your system into it, an e-mail address or any text.",
            ));
        };
        let extra = read_extra(&payload, &top)?;
        let mut visitor = read_visitor(&top, username)?;
        let window = rules.max_age_s.max(LIFE_S);
        let last = Time::from_seconds(issued_at)
            .plus_seconds(window)
            .plus_seconds(rules.ahead_s.max(0))
            .plus_seconds(1);
        let open = rules.now.plus_seconds(dialog::LIFETIME_S + dialog::GRACE_S);
        let jti = jti.to_owned();
        // What is kept as it was sent is taken out, not copied.
        let mut taken = |path: &[&str]| {
            let (first, rest) = path.split_first()?;
            rest.iter()
                .try_fold(payload.get_mut(*first)?, |value, name| value.get_mut(*name))
                .map(Value::take)
        };
        visitor.meta = taken(&["meta"]).filter(|meta| *meta != "").unwrap_or_default();
        let xti = extra.as_ref().and_then(|extra| taken(&extra.path.split('.').collect::<Vec<_>>()));
        visitor.extra = xti.map(masked).unwrap_or_default();
        Ok(Self { issued_at, jti, visitor, extra, replay_until: last.max(open) })
    }

    /// `xti.token`, the credential for the own connector.
    pub fn own_token(&self) -> Option<SecretText> {
        self.extra.as_ref().and_then(|extra| extra.token.clone())
    }

    pub fn integration_name(&self) -> Option<&Slug> {
        self.extra.as_ref().and_then(|extra| extra.integration_name.as_ref())
    }

    pub fn connector_name(&self) -> Option<&Slug> {
        self.extra.as_ref().and_then(|extra| extra.connector_name.as_ref())
    }

    pub fn marketplace(&self) -> Marketplace {
        self.extra.as_ref().map(|extra| extra.marketplace.clone()).unwrap_or_default()
    }

    /// What the auth-only page requires: `xti` with the three names.
    ///
    /// # Errors
    /// `claim_missing` with the path as the token has it, `xti` where there is none at all.
    pub fn auth_only(&self) -> Result<AuthOnly, Refusal> {
        let Some(extra) = &self.extra else {
            let told = "The claim `xti` is missing. The auth-only page needs `connector_name`, `integration_name` and \
                        `token` in it, in `ti` or at the top level.";
            return Err(Refusal::new(Code::ClaimMissing, told).of_claim("xti"));
        };
        let missing = |name: &str, meaning: &str| {
            let object = self.visitor.extra.as_object().cloned().unwrap_or_default();
            Reader::new(extra.path, &object).missing(name, meaning)
        };
        let connector_name = extra.connector_name.clone().ok_or_else(|| {
            missing("connector_name", "It names your own connector, which `token` is the credential for.")
        })?;
        let integration_name = extra
            .integration_name
            .clone()
            .ok_or_else(|| missing("integration_name", "It names the integration to install."))?;
        let token = extra
            .token
            .clone()
            .ok_or_else(|| missing("token", "It is the credential for your own connector."))?;
        Ok(AuthOnly { connector_name, integration_name, token })
    }
}

/// `iat`, `exp` and `nbf`. The answer is `iat`.
fn read_times(top: &Reader<'_>, rules: &Rules<'_>) -> Result<i64, Refusal> {
    let now = rules.now.seconds();
    let (iat, exp, nbf) = (top.seconds("iat")?, top.seconds("exp")?, top.seconds("nbf")?);
    let Some(iat) = iat else {
        return Err(top.missing("iat", "Write the time of signing into it, in whole seconds since 1970."));
    };
    let refused = |code, claim: &str, value: i64, told: String| {
        Err(Refusal::new(code, told).of_claim(claim).seen(json!({ claim: value, "now": now })))
    };
    if let Some(exp) = exp.filter(|exp| now >= *exp) {
        let told = format!(
            "`exp` was {} ago. Sign a fresh token for each visit.",
            duration(now.saturating_sub(exp))
        );
        return refused(Code::TokenExpired, "exp", exp, told);
    }
    if let Some(nbf) = nbf.filter(|nbf| nbf.saturating_sub(now) > rules.ahead_s) {
        let told = format!("`nbf` is {} ahead. {}", duration(nbf.saturating_sub(now)), CLOCK);
        return refused(Code::TokenNotYetValid, "nbf", nbf, told);
    }
    if iat.saturating_sub(now) > rules.ahead_s {
        let told = format!(
            "`iat` is {} ahead; this organization accepts {} s. {CLOCK}",
            duration(iat.saturating_sub(now)),
            rules.ahead_s
        );
        return refused(Code::TokenNotYetValid, "iat", iat, told);
    }
    let age = now.saturating_sub(iat);
    if age > rules.max_age_s {
        let told = format!(
            "`iat` was {} ago; this organization accepts {} s. {CLOCK}",
            duration(age),
            rules.max_age_s
        );
        return refused(Code::TokenStale, "iat", iat, told);
    }
    if let Some(life) = exp.map(|exp| exp.saturating_sub(iat)).filter(|life| *life > LIFE_S || *life <= 0) {
        let why = if life > LIFE_S {
            format!("it is {} after `iat`; a token may live {LIFE_S} s", duration(life))
        } else {
            "it is not after `iat`".to_owned()
        };
        return Err(top.invalid("exp", &why));
    }
    Ok(iat)
}

const CLOCK: &str = "Check the clock of the machine that signs, and sign a fresh token for each visit.";

/// `12 minutes`, in the largest unit that fits at least twice.
fn duration(seconds: i64) -> String {
    let units = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let fitting = units.into_iter().find(|(size, _)| seconds >= 2 * size);
    fitting.map_or_else(|| format!("{seconds} s"), |(size, name)| format!("{} {name}", seconds / size))
}

/// Decision: one exact text. A list is refused, because a token for several readers can be presented by each of
/// them (lesson 13).
fn read_audience(top: &Reader<'_>, rules: &Rules<'_>) -> Result<(), Refusal> {
    match top.present("aud") {
        None => Ok(()),
        Some(Value::String(aud)) if aud == rules.audience => Ok(()),
        Some(Value::String(aud)) => {
            let told = format!("`aud` must be `{}`, this gateway's URL, or be left out.", rules.audience);
            let seen = json!({ "aud": super::shortened(aud), "expected": rules.audience });
            Err(Refusal::new(Code::TokenAudience, told).of_claim("aud").seen(seen))
        }
        Some(_) => {
            Err(top.invalid("aud", &format!("it must be the text `{}` or be left out", rules.audience)))
        }
    }
}

/// `xti`, in `ti` or at the top level: both are in the wild.
fn read_extra(payload: &Map<String, Value>, top: &Reader<'_>) -> Result<Option<Extra>, Refusal> {
    let inner = match top.object("ti")? {
        Some(ti) => Reader::new("ti", ti).object("xti")?,
        None => None,
    };
    let outer = Reader::new("", payload).object("xti")?;
    match (inner, outer) {
        (Some(inner), Some(outer)) if inner != outer => {
            let told = "The claims `ti.xti` and `xti` differ. Send one of them.";
            let [inner, outer] = [inner, outer].map(|object| masked(Value::Object(object.clone())));
            let seen = json!({ "ti.xti": inner, "xti": outer });
            Err(Refusal::new(Code::ClaimInvalid, told).of_claim("xti").seen(seen))
        }
        (Some(inner), _) => Extra::read("ti.xti", inner).map(Some),
        (None, Some(outer)) => Extra::read("xti", outer).map(Some),
        (None, None) => Ok(None),
    }
}

/// Without `meta` and `extra`, which are taken out of the payload at the end.
fn read_visitor(top: &Reader<'_>, username: &str) -> Result<Visitor, Refusal> {
    let empty = Map::new();
    let ti = Reader::new("ti", top.object("ti")?.unwrap_or(&empty));
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let email = match ti.text("uem", 255)? {
        Some(email) if looks_like_address(email) => Some(email),
        Some(_) => return Err(ti.invalid("uem", "it must be an e-mail address or be left out")),
        None => Some(username).filter(|sub| sub.contains('@')),
    };
    Ok(Visitor {
        username: username.to_owned(),
        email: owned(email),
        display_name: owned(ti.text("udn", 255)?),
        full_name: owned(ti.text("ufn", 255)?),
        external_id: owned(top.text("external_id", 255)?),
        meta: Value::Null,
        external_integrations: ti.texts("ili")?.unwrap_or_default(),
        acting_id: owned(ti.text("aid", 255)?),
        acting_name: owned(ti.text("adn", 255)?),
        extra: Value::Null,
    })
}

/// One `@` with something on both sides and no blank. The address is shown and kept, never used as an identity.
fn looks_like_address(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !text.contains(char::is_whitespace)
    })
}
