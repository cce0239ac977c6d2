//! How Meridian's backend talks to the gateway: as a service account, with an access token that it keeps while it
//! lasts. The SDKs do this for their users.

use super::Meridian;
use crate::demo::sites::Site;
use enter::service_account::KeyFile;
use kernel::{Plain, SecretText, Time};
use outbound::Request;
use serde_json::{Value, json};
use url::Url;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// How long an assertion is good, in seconds.
const ASSERTION_LIFETIME_S: i64 = 60;
/// How long before its end an access token is replaced, in seconds.
const EARLY_S: i64 = 60;

#[derive(Debug)]
pub(super) struct AccessToken {
    text: SecretText,
    until: Time,
}

impl Meridian {
    /// Calls `sso.v1.IdentityProvider`.
    pub(super) async fn ask(&self, method: &str, body: &Value) -> Result<Value, String> {
        let token = self.access_token().await?;
        let url = format!("{}/sso.v1.IdentityProvider/{method}", self.stage.addresses.origin(Site::Gateway));
        self.send(Request::post(parsed(&url)?).json(body).bearer(&token)).await
    }

    async fn access_token(&self) -> Result<SecretText, String> {
        let mut kept = self.token.lock().await;
        let now = self.stage.service.clock.now();
        if let Some(token) = kept.as_ref().filter(|token| now.plus_seconds(EARLY_S) < token.until) {
            return Ok(token.text.clone());
        }
        let file =
            KeyFile::read(self.stage.given.entering.key_file.reveal()).map_err(|error| error.to_string())?;
        let assertion = self.assertion(&file, now)?;
        let form = [("grant_type", GRANT), ("assertion", assertion.as_str())];
        let url = format!("{}/oauth2/token", self.stage.addresses.origin(Site::Gateway));
        let answer = self.send(Request::post(parsed(&url)?).form(form)).await?;
        let text =
            answer.get("access_token").and_then(Value::as_str).ok_or("the answer has no access_token")?;
        let lasts = answer.get("expires_in").and_then(Value::as_i64).unwrap_or(0);
        let text = SecretText::new(text);
        *kept = Some(AccessToken { text: text.clone(), until: now.plus_seconds(lasts) });
        Ok(text)
    }

    fn assertion(&self, file: &KeyFile, now: Time) -> Result<String, String> {
        let header = json!({ "alg": file.key.algorithm().as_str(), "kid": file.key_id, "typ": "JWT" });
        let issued = now.seconds();
        let claims = json!({
            "iss": file.client_email,
            "sub": file.client_email,
            "aud": self.stage.addresses.origin(Site::Gateway),
            "iat": issued,
            "exp": issued.saturating_add(ASSERTION_LIFETIME_S),
            "jti": Plain::new(&*self.stage.service.chance).reveal(),
        });
        file.key.sign(&header, &claims.to_string()).map_err(|error| error.to_string())
    }

    async fn send(&self, request: Request) -> Result<Value, String> {
        let answer = self.stage.service.outbound.send(request.accept("application/json")).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let body: Value = answer.json().map_err(|error| error.to_string())?;
        if answer.is_success() {
            return Ok(body);
        }
        let said = ["message", "error_description", "error"].iter().find_map(|name| body.get(name)?.as_str());
        Err(format!("{} {}", answer.status, said.unwrap_or("without a reason")))
    }
}

fn parsed(url: &str) -> Result<Url, String> {
    Url::parse(url).map_err(|error| error.to_string())
}
