//! The tokens' payloads.

use super::{Claim, Requested};
use crate::account::Person;
use crate::context::ServiceContext;
use crate::members::{AsciiObject, Members};
use crate::oidc::{Client, Grant, TokenKind};
use crate::session::{Session, SessionApp};
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::jose::Algorithm;
use kernel::{SafeUrl, Time};
use serde_json::{Map, Value, json};

/// In seconds (contract `enter.md`, section 5).
pub const ID_TOKEN_LIFETIME_S: i64 = 10 * 60;
/// In seconds (contract `enter.md`, section 5).
pub const ACCESS_TOKEN_LIFETIME_S: i64 = 30 * 60;

/// What tokens and userinfo are made from.
#[derive(Debug, Clone, Copy)]
pub struct Issue<'a> {
    pub issuer: &'a SafeUrl,
    pub client: &'a Client,
    pub grant: &'a Grant,
    pub person: &'a Person,
    pub session: &'a Session,
    /// What the entry for this app said; `None` where the app was opened in a session that another began.
    pub entry: Option<&'a SessionApp>,
    /// The person's roles at the grant's account, as they are now.
    pub roles: &'a [String],
    pub now: Time,
}

impl Issue<'_> {
    /// The issuer as it stands in `iss`: without a slash at its end.
    fn issuer(&self) -> &str {
        self.issuer.as_str().trim_end_matches('/')
    }

    fn has(&self, scope: &str) -> bool {
        self.grant.scopes.iter().any(|own| own == scope)
    }

    /// A claim asked for by name counts only where the client may have its scope.
    fn asked(&self, list: &[Claim], claim: Claim) -> bool {
        let scope = claim.scope();
        list.contains(&claim) && (scope == "openid" || self.client.scopes.iter().any(|own| own == scope))
    }

    fn put(&self, claim: Claim, into: &mut impl Members) {
        let name = claim.as_str();
        let text = |text: &Option<String>, into: &mut dyn Members| {
            if let Some(text) = text {
                into.text(name, text);
            }
        };
        match claim {
            Claim::Email => text(&self.person.email, into),
            Claim::EmailVerified => {
                if self.person.email.is_some() {
                    into.flag(name, self.person.email_verified);
                }
            }
            Claim::Name => text(&self.person.name(), into),
            Claim::GivenName => text(&self.person.given_name, into),
            Claim::FamilyName => text(&self.person.family_name, into),
            Claim::Locale => text(&self.person.locale, into),
            Claim::Picture => text(&self.person.picture, into),
            // A refreshed token must not tell a later sign-in as its own (OpenID Connect Core, section 12.2): where the
            // partner has vouched anew since, nothing is said.
            Claim::AuthTime => {
                if self.session.authenticated <= self.grant.created {
                    into.number(name, self.session.authenticated.seconds());
                }
            }
            Claim::Acr => into.text(name, &self.session.detail.acr),
            Claim::Amr => into.texts(name, &self.session.detail.amr),
        }
    }

    /// What is known of the person, by scope and by name; a claim without a value is left out (section 5.3.2), and one of
    /// `told` is there already.
    fn person_claims(&self, asked: &[Claim], told: &[Claim], into: &mut impl Members) {
        for claim in Claim::ALL {
            let by_scope = claim.scope() != "openid" && self.has(claim.scope());
            if !told.contains(&claim) && (by_scope || self.asked(asked, claim)) {
                self.put(claim, into);
            }
        }
    }

    /// What the entry was for. It is what every app of this door needs, so that it needs no scope.
    fn entry_claims(&self, into: &mut impl Members) {
        let partner = self.session.partner.as_str();
        into.text("partner_id", partner);
        into.text("namespace", partner);
        if let ServiceContext::Account(account) = self.grant.context(self.session) {
            into.text("account_id", account.as_str());
        }
        into.texts("roles", self.roles);
        let back = self.entry.map(|entry| (&entry.back_url, &entry.back_url_text));
        if let Some((Some(url), text)) = back {
            into.text("back_url", url);
            if let Some(text) = text {
                into.text("back_url_text", text);
            }
        }
        into.text("product_navbar_data_url", &self.session.navbar_url(self.issuer, &self.client.app));
        into.text("sid", self.session.id.as_str());
        self.actor(into);
    }

    /// Who acts as the person.
    fn actor(&self, into: &mut impl Members) {
        if let Some(impersonator) = &self.session.detail.impersonator {
            into.object("act", "sub", impersonator.as_str());
        }
    }

    fn times(&self, lifetime_s: i64, into: &mut impl Members) {
        let issued = self.now.seconds();
        into.number("iat", issued);
        into.number("exp", issued.saturating_add(lifetime_s));
    }
}

/// An ID token's payload (OpenID Connect Core, section 2). `access_token` is the one that goes out beside it.
///
/// Decisions: what the scopes open stands here as well as in userinfo, because apps in the field read it here and
/// the token goes straight to the app; the trade is a longer token. No `azp`: there is one audience, the client.
pub fn id_token(issue: &Issue<'_>, nonce: Option<&str>, access_token: Option<&str>) -> String {
    const ALWAYS: [Claim; 3] = [Claim::AuthTime, Claim::Acr, Claim::Amr];
    let mut claims = AsciiObject::default();
    claims.text("iss", issue.issuer());
    claims.text("sub", issue.person.id.as_str());
    claims.text("aud", issue.client.id.as_str());
    issue.times(ID_TOKEN_LIFETIME_S, &mut claims);
    for claim in ALWAYS {
        issue.put(claim, &mut claims);
    }
    if let Some(nonce) = nonce {
        claims.text("nonce", nonce);
    }
    if let Some(token) = access_token {
        claims.text("at_hash", &at_hash(issue.client.id_token_algorithm, token));
    }
    issue.entry_claims(&mut claims);
    let requested = Requested::read(issue.grant.claims.as_ref());
    issue.person_claims(&requested.id_token, &ALWAYS, &mut claims);
    claims.end()
}

/// Userinfo's answer (OpenID Connect Core, section 5.3.2).
pub fn userinfo(issue: &Issue<'_>) -> Value {
    let mut claims = Map::new();
    claims.text("sub", issue.person.id.as_str());
    let requested = Requested::read(issue.grant.claims.as_ref());
    issue.person_claims(&requested.userinfo, &[], &mut claims);
    issue.entry_claims(&mut claims);
    Value::Object(claims)
}

/// An access token's payload (RFC 9068, section 2.2), for the gateway's own endpoints and for apps that read it.
/// `jti` names the token for revocation by itself; `grant` is what it rests on.
pub fn access_token(issue: &Issue<'_>, jti: &str) -> String {
    let mut claims = AsciiObject::default();
    claims.text("iss", issue.issuer());
    claims.text("sub", issue.person.id.as_str());
    claims.text("aud", issue.issuer());
    issue.times(ACCESS_TOKEN_LIFETIME_S, &mut claims);
    claims.text("jti", jti);
    claims.text("client_id", issue.client.id.as_str());
    claims.text("scope", &issue.grant.scopes.join(" "));
    claims.text("grant", issue.grant.id.as_str());
    claims.text("partner_id", issue.session.partner.as_str());
    if let Some(account) = &issue.grant.account {
        claims.text("account_id", account.as_str());
    }
    claims.text("sid", issue.session.id.as_str());
    issue.actor(&mut claims);
    claims.end()
}

/// A JOSE header for a token of `kind`, signed by the key `kid`.
pub fn header(kind: TokenKind, algorithm: Algorithm, kid: &str) -> Value {
    json!({ "alg": algorithm.as_str(), "typ": kind.header_type().unwrap_or("JWT"), "kid": kid })
}

/// The left half of the access token's hash, by the hash of the ID token's algorithm (OpenID Connect Core, section
/// 3.1.3.6); for Ed25519 that is SHA-512.
pub fn at_hash(algorithm: Algorithm, access_token: &str) -> String {
    let hash = match algorithm {
        Algorithm::EdDsa => digest(&SHA512, access_token.as_bytes()),
        Algorithm::Hs256 | Algorithm::Rs256 | Algorithm::Es256 => digest(&SHA256, access_token.as_bytes()),
    };
    let half = hash.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..half).unwrap_or_default())
}
