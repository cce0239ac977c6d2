//! The authorization code, from the redirect to the token endpoint.

use super::{Client, TokenKind};
use crate::ids::{ClientId, GrantId};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Chance, Hashed, Plain, Time};

/// How long a code lives, in seconds.
pub const CODE_LIFETIME_S: i64 = 60;

/// Where a code stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeState {
    Issued,
    /// Used up, whether or not it brought tokens.
    Redeemed {
        at: Time,
    },
}

/// An authorization code as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    pub hash: Hashed,
    pub client: ClientId,
    /// What its tokens belong to, so that a replay can revoke them.
    pub grant: GrantId,
    /// As the authorize request had it, byte for byte.
    pub redirect_uri: String,
    /// S256; `None` where the request had none.
    pub challenge: Option<String>,
    pub nonce: Option<String>,
    pub scopes: Vec<String>,
    pub issued: Time,
    pub state: CodeState,
}

/// Always `invalid_grant`; what to do with the code and its tokens is [`Redemption`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeRefused {
    #[error("the code was used already; its tokens are revoked")]
    Replayed,
    #[error("the code has expired")]
    Late,
    #[error("the code belongs to another client")]
    OtherClient,
    #[error("redirect_uri must be the one of the authorize request, byte for byte")]
    RedirectUri,
    #[error("code_verifier is missing, wrong, or was not announced by code_challenge")]
    Pkce,
}

/// What the token endpoint does with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redemption {
    /// The code is used up and brings tokens.
    Tokens(AuthorizationCode),
    /// The code is used up and brings nothing: whoever shows it to the wrong client or without the verifier
    /// has stolen it, or has lost it (lesson 7).
    Burnt(AuthorizationCode, CodeRefused),
    /// A replay: nothing to use up, but everything of the grant is to be revoked (RFC 6749, section 4.1.2).
    RevokeGrant(GrantId, CodeRefused),
}

impl AuthorizationCode {
    /// A fresh code of a grant. It names the grant's row, and opens it with the 256 random bits behind that.
    pub fn text(grant: &GrantId, chance: &dyn Chance) -> Plain {
        let prefix = TokenKind::AuthorizationCode.prefix().unwrap_or_default();
        Plain::with_prefix(&format!("{prefix}{}", grant.selector()), chance)
    }

    /// The grant that a presented text names; what it is worth, its hash tells.
    pub fn grant_of(text: &str) -> Option<GrantId> {
        let named = text.strip_prefix(TokenKind::AuthorizationCode.prefix()?)?;
        GrantId::selected(named.get(..GrantId::SELECTOR)?)
    }

    /// Decides a redemption by a client that has proven itself.
    pub fn redeem(
        self,
        client: &Client,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        now: Time,
    ) -> Redemption {
        if matches!(self.state, CodeState::Redeemed { .. }) {
            return Redemption::RevokeGrant(self.grant, CodeRefused::Replayed);
        }
        let refused = self.check(client, redirect_uri, verifier, now).err();
        let used = Self { state: CodeState::Redeemed { at: now }, ..self };
        match refused {
            None => Redemption::Tokens(used),
            Some(why) => Redemption::Burnt(used, why),
        }
    }

    fn check(
        &self,
        client: &Client,
        redirect_uri: Option<&str>,
        verifier: Option<&str>,
        now: Time,
    ) -> Result<(), CodeRefused> {
        if self.client != client.id {
            return Err(CodeRefused::OtherClient);
        }
        if now >= self.issued.plus_seconds(CODE_LIFETIME_S) {
            return Err(CodeRefused::Late);
        }
        if redirect_uri != Some(&self.redirect_uri) {
            return Err(CodeRefused::RedirectUri);
        }
        // A verifier without a challenge is refused as well: somebody took the challenge out (lesson 6).
        match (&self.challenge, verifier) {
            (None, None) if !client.is_public() => Ok(()),
            (Some(challenge), Some(verifier)) if pkce_matches(challenge, verifier) => Ok(()),
            _ => Err(CodeRefused::Pkce),
        }
    }
}

/// Whether `challenge` is the S256 of `verifier` (RFC 7636, sections 4.1 and 4.6), compared in constant time.
pub fn pkce_matches(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let form = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    let made = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    form && verify_slices_are_equal(made.as_bytes(), challenge.as_bytes()).is_ok()
}
