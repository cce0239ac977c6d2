//! What a client may register (RFC 7591, section 2; OpenID Connect Dynamic Client Registration, section 2; RFC 9700).

use super::{Authentication, Client, ClientKeys, ClientKind};
use crate::app::RedirectUri;
use crate::ids::{AppId, ClientId};
use crate::signing::ALGORITHMS;
use kernel::jose::{Algorithm, PublicKey, shortened, strict_json};
use kernel::{Hashed, SafeUrl, Time};
use serde_json::Value;

/// The scopes that a client may have. `openid` is every client's; `offline_access` is taken because many libraries
/// ask for it, and changes nothing: refresh tokens live as long as the session.
pub const SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// How many addresses of one kind, and how many keys, a client may have.
pub const LIST_MOST: usize = 50;

/// Metadata as they were sent; empty texts and lists are unset.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    pub application_type: String,
    pub token_endpoint_auth_method: String,
    pub token_endpoint_auth_signing_alg: String,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub scopes: Vec<String>,
    /// A JWK set, as JSON text.
    pub jwks: String,
    pub jwks_uri: String,
    pub id_token_signed_response_alg: String,
    pub backchannel_logout_uri: String,
    pub refresh_forgiveness: Option<bool>,
}

/// Which field is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct MetadataRefused {
    /// As in the metadata.
    pub field: &'static str,
    pub what: String,
}

impl MetadataRefused {
    /// RFC 7591, section 3.2.2.
    pub fn error(&self) -> &'static str {
        if self.field == "redirect_uris" { "invalid_redirect_uri" } else { "invalid_client_metadata" }
    }
}

fn refused(field: &'static str, what: impl std::fmt::Display) -> MetadataRefused {
    MetadataRefused { field, what: what.to_string() }
}

/// How the client will prove itself, before its secret is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    None,
    Secret,
    PrivateKeyJwt { algorithm: Algorithm, keys: ClientKeys },
}

impl Method {
    /// The name in metadata. Both ways to send a secret are taken of every client that has one.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret => "client_secret_basic",
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
        }
    }
}

/// Metadata that may be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    pub kind: ClientKind,
    pub method: Method,
    pub redirect_uris: Vec<RedirectUri>,
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    pub scopes: Vec<String>,
    pub id_token_algorithm: Algorithm,
    pub backchannel_logout_uri: Option<SafeUrl>,
    pub forgiveness: bool,
}

impl Registered {
    /// The client, with the secrets that are in force; they count only for [`Method::Secret`].
    pub fn into_client(
        self,
        id: ClientId,
        app: AppId,
        secrets: Vec<Hashed>,
        disabled: Option<Time>,
    ) -> Client {
        let authentication = match self.method {
            Method::None => Authentication::None,
            Method::Secret => Authentication::Secret(secrets),
            Method::PrivateKeyJwt { algorithm, keys } => Authentication::PrivateKeyJwt { algorithm, keys },
        };
        Client {
            id,
            app,
            kind: self.kind,
            authentication,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            scopes: self.scopes,
            id_token_algorithm: self.id_token_algorithm,
            forgiveness: self.forgiveness,
            backchannel_logout_uri: self.backchannel_logout_uri,
            disabled,
        }
    }
}

impl Metadata {
    /// Checks metadata, one field after another.
    ///
    /// # Errors
    /// [`MetadataRefused`], the first in the order below.
    pub fn check(&self) -> Result<Registered, MetadataRefused> {
        let kind = self.check_kind()?;
        let method = self.check_method(kind)?;
        let public = method == Method::None;
        Ok(Registered {
            kind,
            redirect_uris: check_uris("redirect_uris", &self.redirect_uris, true)?,
            post_logout_redirect_uris: check_uris(
                "post_logout_redirect_uris",
                &self.post_logout_redirect_uris,
                false,
            )?,
            scopes: self.check_scopes()?,
            id_token_algorithm: self.check_id_token_algorithm()?,
            backchannel_logout_uri: self.check_backchannel()?,
            // A public client's refresh token is all that a thief needs, so that losing one is not forgiven unless
            // somebody decides so.
            forgiveness: self.refresh_forgiveness.unwrap_or(!public),
            method,
        })
    }

    fn check_kind(&self) -> Result<ClientKind, MetadataRefused> {
        let field = "application_type";
        if self.application_type.is_empty() {
            return Ok(ClientKind::Web);
        }
        ClientKind::parse(&self.application_type)
            .ok_or_else(|| refused(field, "must be web, browser or native"))
    }

    /// Decision: a browser or native client has no secret, because everybody who has the app would have it.
    fn check_method(&self, kind: ClientKind) -> Result<Method, MetadataRefused> {
        let field = "token_endpoint_auth_method";
        let asked = match (self.token_endpoint_auth_method.as_str(), kind) {
            ("", ClientKind::Web) => "client_secret_basic",
            ("", ClientKind::Browser | ClientKind::Native) => "none",
            (method, _) => method,
        };
        let keys = !self.jwks.is_empty() || !self.jwks_uri.is_empty();
        if keys && asked != "private_key_jwt" {
            let which = if self.jwks.is_empty() { "jwks_uri" } else { "jwks" };
            return Err(refused(which, "is only for token_endpoint_auth_method private_key_jwt"));
        }
        match asked {
            "none" => Ok(Method::None),
            "client_secret_basic" | "client_secret_post" | "private_key_jwt" if kind != ClientKind::Web => {
                Err(refused(field, "must be none for browser and native clients, which keep no secret"))
            }
            "client_secret_basic" | "client_secret_post" => Ok(Method::Secret),
            "private_key_jwt" => self.check_keys(),
            _ => Err(refused(
                field,
                "must be client_secret_basic, client_secret_post, private_key_jwt or none",
            )),
        }
    }

    fn check_keys(&self) -> Result<Method, MetadataRefused> {
        let algorithm = algorithm("token_endpoint_auth_signing_alg", &self.token_endpoint_auth_signing_alg)?;
        let keys = match (self.jwks.is_empty(), self.jwks_uri.is_empty()) {
            (true, true) => return Err(refused("jwks", "missing; send jwks or jwks_uri")),
            (false, false) => return Err(refused("jwks", "send jwks or jwks_uri, not both")),
            (true, false) => {
                let url = SafeUrl::parse(&self.jwks_uri).map_err(|why| refused("jwks_uri", why))?;
                let algorithm = algorithm.unwrap_or(Algorithm::Es256);
                return Ok(Method::PrivateKeyJwt { algorithm, keys: ClientKeys::Published(url) });
            }
            (false, true) => jwk_set(&self.jwks)?,
        };
        let algorithm = algorithm.or_else(|| keys.first().and_then(algorithm_of)).unwrap_or(Algorithm::Es256);
        let checked = keys.iter().map(|jwk| PublicKey::parse(algorithm, &jwk.to_string()));
        let checked: Result<Vec<PublicKey>, _> = checked.collect();
        let checked = checked.map_err(|why| refused("jwks", why))?;
        let texts = checked.iter().map(|key| key.to_jwk().to_string()).collect();
        Ok(Method::PrivateKeyJwt { algorithm, keys: ClientKeys::Registered(texts) })
    }

    fn check_scopes(&self) -> Result<Vec<String>, MetadataRefused> {
        let mut scopes: Vec<String> = Vec::new();
        for scope in &self.scopes {
            if !SCOPES.contains(&scope.as_str()) {
                let what = format!("`{}` is unknown; known are {}", shortened(scope), SCOPES.join(", "));
                return Err(refused("scopes", what));
            }
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        if scopes.is_empty() {
            scopes.push("openid".to_owned());
        }
        Ok(scopes)
    }

    fn check_id_token_algorithm(&self) -> Result<Algorithm, MetadataRefused> {
        let field = "id_token_signed_response_alg";
        Ok(algorithm(field, &self.id_token_signed_response_alg)?.unwrap_or(Algorithm::Rs256))
    }

    fn check_backchannel(&self) -> Result<Option<SafeUrl>, MetadataRefused> {
        let given = Some(&self.backchannel_logout_uri).filter(|uri| !uri.is_empty());
        let url = given.map(|uri| SafeUrl::parse(uri)).transpose();
        url.map_err(|why| refused("backchannel_logout_uri", why))
    }
}

/// Neither `none` nor HS256: the first proves nothing, and a shared secret is one that we keep only as a hash.
fn algorithm(field: &'static str, text: &str) -> Result<Option<Algorithm>, MetadataRefused> {
    if text.is_empty() {
        return Ok(None);
    }
    let known = Algorithm::parse(text).filter(|algorithm| ALGORITHMS.contains(algorithm));
    known.map(Some).ok_or_else(|| refused(field, "must be RS256, ES256 or EdDSA"))
}

fn algorithm_of(jwk: &Value) -> Option<Algorithm> {
    match jwk.get("kty").and_then(Value::as_str) {
        Some("RSA") => Some(Algorithm::Rs256),
        Some("EC") => Some(Algorithm::Es256),
        Some("OKP") => Some(Algorithm::EdDsa),
        _ => None,
    }
}

fn jwk_set(text: &str) -> Result<Vec<Value>, MetadataRefused> {
    let set = strict_json(text.as_bytes()).map_err(|why| refused("jwks", why))?;
    match set.get("keys").and_then(Value::as_array) {
        Some(keys) if (1..=LIST_MOST).contains(&keys.len()) => Ok(keys.clone()),
        _ => Err(refused("jwks", format!("must be a JWK set with 1 to {LIST_MOST} keys"))),
    }
}

fn check_uris(
    field: &'static str,
    texts: &[String],
    required: bool,
) -> Result<Vec<RedirectUri>, MetadataRefused> {
    if (required && texts.is_empty()) || texts.len() > LIST_MOST {
        let least = usize::from(required);
        return Err(refused(field, format!("send {least} to {LIST_MOST} addresses")));
    }
    let checked = texts.iter().map(|text| {
        let shown = shortened(text);
        RedirectUri::register(text).map_err(|why| refused(field, format!("`{shown}`: {why}")))
    });
    checked.collect()
}
