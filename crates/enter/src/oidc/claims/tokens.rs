//! The tokens' payloads.

use super::{Claim, Requested};
use crate::account::Person;
use crate::context::ServiceContext;
use crate::oidc::{Client, Grant, TokenKind};
use crate::service_account::ascii_json;
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

    fn value(&self, claim: Claim) -> Option<Value> {
        let text = |text: &Option<String>| text.clone().map(Value::String);
        match claim {
            Claim::Email => text(&self.person.email),
            Claim::EmailVerified => {
                self.person.email.as_ref().map(|_| Value::Bool(self.person.email_verified))
            }
            Claim::Name => text(&self.person.name()),
            Claim::GivenName => text(&self.person.given_name),
            Claim::FamilyName => text(&self.person.family_name),
            Claim::Locale => text(&self.person.locale),
            Claim::Picture => text(&self.person.picture),
            // A refreshed token must not tell a later sign-in as its own (OpenID Connect Core, section 12.2): where the
            // partner has vouched anew since, nothing is said.
            Claim::AuthTime => (self.session.authenticated <= self.grant.created)
                .then(|| json!(self.session.authenticated.seconds())),
            Claim::Acr => Some(json!(self.session.detail.acr)),
            Claim::Amr => Some(json!(self.session.detail.amr)),
        }
    }

    /// What is known of the person, by scope and by name; a claim without a value is left out (section 5.3.2).
    fn person_claims(&self, asked: &[Claim], into: &mut Map<String, Value>) {
        for claim in Claim::ALL {
            let by_scope = claim.scope() != "openid" && self.has(claim.scope());
            if (by_scope || self.asked(asked, claim))
                && let Some(value) = self.value(claim)
            {
                into.insert(claim.as_str().to_owned(), value);
            }
        }
    }

    /// What the entry was for. It is what every app of this door needs, so that it needs no scope.
    fn entry_claims(&self, into: &mut Map<String, Value>) {
        let partner = json!(self.session.partner);
        into.insert("partner_id".to_owned(), partner.clone());
        into.insert("namespace".to_owned(), partner);
        if let ServiceContext::Account(account) = self.grant.context(self.session) {
            into.insert("account_id".to_owned(), json!(account));
        }
        into.insert("roles".to_owned(), json!(self.roles));
        let back = self.entry.map(|entry| (&entry.back_url, &entry.back_url_text));
        if let Some((Some(url), text)) = back {
            into.insert("back_url".to_owned(), json!(url));
            if let Some(text) = text {
                into.insert("back_url_text".to_owned(), json!(text));
            }
        }
        let navbar = self.session.navbar_url(self.issuer, &self.client.app);
        into.insert("product_navbar_data_url".to_owned(), json!(navbar));
        into.insert("sid".to_owned(), json!(self.session.id));
        if let Some(impersonator) = &self.session.detail.impersonator {
            into.insert("act".to_owned(), json!({ "sub": impersonator }));
        }
    }

    fn times(&self, lifetime_s: i64, into: &mut Map<String, Value>) {
        let issued = self.now.seconds();
        into.insert("iat".to_owned(), json!(issued));
        into.insert("exp".to_owned(), json!(issued.saturating_add(lifetime_s)));
    }
}

/// An ID token's payload (OpenID Connect Core, section 2). `access_token` is the one that goes out beside it.
///
/// Decisions: what the scopes open stands here as well as in userinfo, because apps in the field read it here and
/// the token goes straight to the app; the trade is a longer token. No `azp`: there is one audience, the client.
pub fn id_token(issue: &Issue<'_>, nonce: Option<&str>, access_token: Option<&str>) -> String {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(issue.issuer()));
    claims.insert("sub".to_owned(), json!(issue.person.id));
    claims.insert("aud".to_owned(), json!(issue.client.id));
    issue.times(ID_TOKEN_LIFETIME_S, &mut claims);
    for claim in [Claim::AuthTime, Claim::Acr, Claim::Amr] {
        claims.extend(issue.value(claim).map(|value| (claim.as_str().to_owned(), value)));
    }
    claims.extend(nonce.map(|nonce| ("nonce".to_owned(), json!(nonce))));
    let hash = access_token.map(|token| at_hash(issue.client.id_token_algorithm, token));
    claims.extend(hash.map(|hash| ("at_hash".to_owned(), json!(hash))));
    issue.entry_claims(&mut claims);
    let requested = Requested::read(issue.grant.claims.as_ref());
    issue.person_claims(&requested.id_token, &mut claims);
    ascii_json(&Value::Object(claims))
}

/// Userinfo's answer (OpenID Connect Core, section 5.3.2).
pub fn userinfo(issue: &Issue<'_>) -> Value {
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), json!(issue.person.id));
    let requested = Requested::read(issue.grant.claims.as_ref());
    issue.person_claims(&requested.userinfo, &mut claims);
    issue.entry_claims(&mut claims);
    Value::Object(claims)
}

/// An access token's payload (RFC 9068, section 2.2), for the gateway's own endpoints and for apps that read it.
/// `jti` names the token for revocation by itself; `grant` is what it rests on.
pub fn access_token(issue: &Issue<'_>, jti: &str) -> String {
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(issue.issuer()));
    claims.insert("sub".to_owned(), json!(issue.person.id));
    claims.insert("aud".to_owned(), json!(issue.issuer()));
    issue.times(ACCESS_TOKEN_LIFETIME_S, &mut claims);
    claims.insert("jti".to_owned(), json!(jti));
    claims.insert("client_id".to_owned(), json!(issue.client.id));
    claims.insert("scope".to_owned(), json!(issue.grant.scopes.join(" ")));
    claims.insert("grant".to_owned(), json!(issue.grant.id));
    claims.insert("partner_id".to_owned(), json!(issue.session.partner));
    if let Some(account) = &issue.grant.account {
        claims.insert("account_id".to_owned(), json!(account));
    }
    claims.insert("sid".to_owned(), json!(issue.session.id));
    if let Some(impersonator) = &issue.session.detail.impersonator {
        claims.insert("act".to_owned(), json!({ "sub": impersonator }));
    }
    ascii_json(&Value::Object(claims))
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
