//! What an app is told of its user (OpenID Connect Core, section 5.3).

use super::grant::UserToken;
use crate::{Fault, Place, Service};
use ::enter::oidc::claims;
use kernel::SafeUrl;
use serde_json::Value;

impl Service {
    /// The claims of the token's user, as they are now, as far as the token's scopes and the grant's `claims` go.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn user_info(&self, place: &Place, token: &UserToken) -> Result<Value, Fault> {
        let issuer = SafeUrl::parse(place.url()).map_err(|_| Fault::broken("the issuer is no URL"))?;
        Ok(claims::userinfo(&token.loaded.issue(&issuer, self.clock.now())))
    }
}
