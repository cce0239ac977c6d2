//! A relying party: what is registered of it, and how it proves itself at the token endpoint.

use crate::app::RedirectUri;
use crate::ids::{AppId, ClientId};
use kernel::jose::Algorithm;
use kernel::{Hashed, Plain, SafeUrl, SecretText, Time};

/// How a client proves itself (`token_endpoint_auth_method`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// `none`: PKCE is all there is.
    None,
    /// `client_secret_basic` and `client_secret_post`: hashes of the secrets in force, two during a change.
    Secret(Vec<Hashed>),
    /// `private_key_jwt`, with this algorithm.
    PrivateKeyJwt { algorithm: Algorithm, keys: ClientKeys },
}

/// Where a client's public keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientKeys {
    /// As JSON text of a JWK each.
    Registered(Vec<String>),
    Published(SafeUrl),
}

/// Where a client runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientKind {
    Web,
    Browser,
    /// On a person's machine: the loopback port of its redirect URIs is free.
    Native,
}

impl ClientKind {
    pub const ALL: [Self; 3] = [Self::Web, Self::Browser, Self::Native];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Browser => "browser",
            Self::Native => "native",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A client as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    pub id: ClientId,
    pub app: AppId,
    pub kind: ClientKind,
    pub authentication: Authentication,
    pub redirect_uris: Vec<RedirectUri>,
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    pub scopes: Vec<String>,
    pub id_token_algorithm: Algorithm,
    /// Whether a lost answer to a refresh is forgiven; off for public clients unless turned on.
    pub forgiveness: bool,
    pub backchannel_logout_uri: Option<SafeUrl>,
    pub disabled: Option<Time>,
}

impl Client {
    pub const fn is_public(&self) -> bool {
        matches!(self.authentication, Authentication::None)
    }

    /// Byte for byte; the port is free only for public native clients.
    pub fn may_redirect_to(&self, uri: &str) -> bool {
        let native = self.is_public() && self.kind == ClientKind::Native;
        self.redirect_uris.iter().any(|registered| registered.matches(uri, native))
    }

    /// Byte for byte, without exceptions.
    pub fn may_return_to(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|registered| registered.matches(uri, false))
    }
}

/// What a request to the token endpoint brought to prove its client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presented {
    /// `client_id` of the form.
    pub client_id: Option<String>,
    /// Name and password of the `Authorization` header, form-decoded (RFC 6749, section 2.3.1).
    pub basic: Option<(String, SecretText)>,
    /// `client_secret` of the form.
    pub secret: Option<SecretText>,
    /// Whether `client_assertion` is there; it is judged by [`super::judge_client_assertion`].
    pub assertion: bool,
}

/// `invalid_client`, or `invalid_request` where the request contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClientRefused {
    #[error("send one proof of the client, not two")]
    SeveralProofs,
    #[error("client_id differs from the one in the proof")]
    OtherClient,
    #[error("the client's proof is missing or of another kind than it is registered for")]
    Method,
    #[error("the client's proof is wrong")]
    Wrong,
    #[error("the client is switched off")]
    Disabled,
}

impl ClientRefused {
    /// RFC 6749, section 5.2.
    pub const fn error(self) -> &'static str {
        match self {
            Self::SeveralProofs | Self::OtherClient => "invalid_request",
            Self::Method | Self::Wrong | Self::Disabled => "invalid_client",
        }
    }
}

/// Checks everything about the proof except an assertion itself. `Ok(true)`: an assertion must still be judged.
///
/// Secrets are 256 random bits, so that SHA-256 is enough to keep them by; they are compared in constant time.
///
/// # Errors
/// [`ClientRefused`].
pub fn authenticate(client: &Client, presented: &Presented) -> Result<bool, ClientRefused> {
    let proofs = [presented.basic.is_some(), presented.secret.is_some(), presented.assertion];
    if proofs.into_iter().filter(|there| *there).count() > 1 {
        return Err(ClientRefused::SeveralProofs);
    }
    let named = [presented.client_id.as_deref(), presented.basic.as_ref().map(|(name, _)| name.as_str())];
    if named.into_iter().flatten().any(|name| name != client.id.as_str()) {
        return Err(ClientRefused::OtherClient);
    }
    if client.disabled.is_some() {
        return Err(ClientRefused::Disabled);
    }
    let secret = presented.basic.as_ref().map(|(_, secret)| secret).or(presented.secret.as_ref());
    match (&client.authentication, secret, presented.assertion) {
        (Authentication::None, None, false) => Ok(false),
        (Authentication::PrivateKeyJwt { .. }, None, true) => Ok(true),
        (Authentication::Secret(known), Some(secret), false) => {
            let hash = Plain::presented(secret.reveal()).hashed();
            // All are compared, so that the time does not tell which one fits.
            let fits = known.iter().fold(false, |fits, one| fits | (*one == hash));
            if fits { Ok(false) } else { Err(ClientRefused::Wrong) }
        }
        _ => Err(ClientRefused::Method),
    }
}
