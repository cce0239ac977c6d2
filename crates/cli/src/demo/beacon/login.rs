//! Beacon as a relying party: authorization code with PKCE, the ID token verified by the published keys.

use super::{Beacon, Guest, LOGIN};
use crate::demo::sites::{Site, redirect_with_cookie};
use crate::demo::story::{At, Line};
use aws_lc_rs::digest::{SHA256, digest};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kernel::jose::{Algorithm, Compact, PublicKey, strict_json};
use kernel::{Plain, SecretText};
use outbound::Request;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// The largest token that is read, in bytes.
const TOKEN_BYTES: usize = 16 * 1024;

/// A login on its way.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) account: String,
    verifier: Plain,
    nonce: String,
}

/// What came back in the redirect.
#[derive(Debug, Deserialize)]
pub(super) struct Back {
    code: Option<String>,
    pub(super) state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

/// What Beacon keeps of a person.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    pub(super) sub: String,
    pub(super) sid: String,
    pub(super) name: String,
    pub(super) account: String,
    pub(super) partner: String,
    pub(super) roles: Vec<String>,
    pub(super) back_url: Option<String>,
    pub(super) back_url_text: String,
}

impl Beacon {
    pub(super) fn issuer(&self) -> String {
        self.stage.addresses.origin(Site::Gateway)
    }

    fn redirect_uri(&self) -> String {
        format!("{}/callback", self.stage.addresses.origin(Site::Beacon))
    }

    /// Sends the browser to the gateway.
    pub(super) fn begin(&self, account: &str, login_hint: Option<&str>) -> Response {
        let chance = &*self.stage.service.chance;
        let [state, nonce] = [(); 2].map(|()| Plain::new(chance).reveal().to_owned());
        let verifier = Plain::new(chance);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.reveal().as_bytes()));
        let redirect_uri = self.redirect_uri();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("response_type", "code"),
            ("client_id", self.stage.given.entering.client.as_str()),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid profile email"),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("account_id", account),
        ]);
        if let Some(hint) = login_hint {
            query.append_pair("login_hint", hint);
        }
        let to = format!("{}/oauth2/auth?{}", self.issuer(), query.finish());
        self.memory().begun.insert(state.clone(), Begun { account: account.to_owned(), verifier, nonce });
        let text = "Nobody is signed in here, so Beacon asks the gateway, as any client of OpenID Connect does. The \
                    account says at whose door to ask.";
        let line = Line::new(At::Beacon, "Sent the browser to the gateway", text);
        self.stage.story.tell(line.shows("The parameter", format!("account_id={account}")));
        redirect_with_cookie(&to, LOGIN, &state)
    }

    /// Swaps the code for tokens and believes none of it unverified.
    pub(super) async fn finish(&self, begun: &Begun, back: &Back) -> Result<Guest, String> {
        if let Some(error) = &back.error {
            return Err(format!("{error}: {}", back.error_description.as_deref().unwrap_or_default()));
        }
        // RFC 9207: an answer of another issuer is not for us.
        if back.iss.as_deref() != Some(self.issuer().as_str()) {
            return Err("the answer comes from another issuer".to_owned());
        }
        let code = back.code.as_deref().ok_or("the answer has no code")?;
        let redirect_uri = self.redirect_uri();
        let given = &self.stage.given.entering;
        let basic = STANDARD.encode(format!("{}:{}", given.client, given.client_secret.reveal()));
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", begun.verifier.reveal()),
        ];
        let request = Request::post(self.at("/oauth2/token")?).form(form);
        let tokens = self
            .call(request.secret_header("authorization", SecretText::new(format!("Basic {basic}"))))
            .await?;
        let id_token = text_of(&tokens, "id_token").ok_or("the answer has no id_token")?.to_owned();
        let said = self.verified(&id_token, "JWT").await?;
        if text_of(&said, "nonce") != Some(begun.nonce.as_str()) {
            return Err("the ID token's nonce is that of another login".to_owned());
        }
        let access =
            SecretText::new(text_of(&tokens, "access_token").ok_or("the answer has no access_token")?);
        let person = self.call(Request::get(self.at("/oauth2/user-info")?).bearer(&access)).await?;
        if person.get("sub") != said.get("sub") {
            return Err("user-info speaks of somebody else".to_owned());
        }
        Ok(Guest { claims: read(&person, &said, &begun.account), id_token })
    }

    /// The claims of a token that the gateway signed for us just now.
    async fn verified(&self, token: &str, kind: &str) -> Result<Value, String> {
        let compact = Compact::parse(token, TOKEN_BYTES).map_err(|error| error.to_string())?;
        let header = Value::Object(compact.header.clone());
        if text_of(&header, "alg") != Some("RS256")
            || !text_of(&header, "typ").unwrap_or("JWT").eq_ignore_ascii_case(kind)
        {
            return Err("the token is of another kind".to_owned());
        }
        let keys = self.call(Request::get(self.at("/oauth2/v1/certs")?)).await?;
        let keys = keys.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        let key = keys
            .iter()
            .find(|key| key.get("kid") == header.get("kid"))
            .ok_or("the token's key is unknown")?;
        let key = PublicKey::parse(Algorithm::Rs256, &key.to_string()).map_err(|error| error.to_string())?;
        if !compact.proven_by(&key) {
            return Err("the token's signature is wrong".to_owned());
        }
        let claims = strict_json(&compact.payload).map_err(|error| error.to_string())?;
        let ours = text_of(&claims, "iss") == Some(self.issuer().as_str())
            && text_of(&claims, "aud") == Some(self.stage.given.entering.client.as_str());
        let ends = claims.get("exp").and_then(Value::as_i64).unwrap_or(0);
        if !ours || ends <= self.stage.service.clock.now().seconds() {
            return Err("the token is not for Beacon, or has expired".to_owned());
        }
        Ok(claims)
    }

    /// Which session a logout token ends.
    pub(super) async fn ended_session(&self, token: &str) -> Result<String, String> {
        let claims = self.verified(token, "logout+jwt").await?;
        let event = "http://schemas.openid.net/event/backchannel-logout";
        if claims.get("events").and_then(|events| events.get(event)).is_none()
            || claims.get("nonce").is_some()
        {
            return Err("this is no logout token".to_owned());
        }
        text_of(&claims, "sid")
            .map(str::to_owned)
            .ok_or_else(|| "the logout token names no session".to_owned())
    }

    pub(super) fn logout_url(&self, id_token: &str) -> String {
        let back = format!("{}/signed-out", self.stage.addresses.origin(Site::Beacon));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("id_token_hint", id_token), ("post_logout_redirect_uri", &back)]);
        format!("{}/oauth2/logout?{}", self.issuer(), query.finish())
    }

    fn at(&self, path: &str) -> Result<Url, String> {
        Url::parse(&format!("{}{path}", self.issuer())).map_err(|error| error.to_string())
    }

    async fn call(&self, request: Request) -> Result<Value, String> {
        let answer = self.stage.service.outbound.send(request.accept("application/json")).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let body: Value = answer.json().map_err(|error| error.to_string())?;
        if answer.is_success() { Ok(body) } else { Err(format!("{}: {body}", answer.status)) }
    }
}

fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn read(person: &Value, said: &Value, account: &str) -> Claims {
    let text = |value: &Value, name: &str| text_of(value, name).unwrap_or_default().to_owned();
    let either = |name: &str| text_of(person, name).or_else(|| text_of(said, name)).map(str::to_owned);
    let roles = person
        .get("roles")
        .or_else(|| said.get("roles"))
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let sub = text(said, "sub");
    Claims {
        sid: text(said, "sid"),
        name: either("name").or_else(|| either("email")).unwrap_or_else(|| sub.clone()),
        sub,
        account: either("account_id").unwrap_or_else(|| account.to_owned()),
        partner: either("partner_id").unwrap_or_default(),
        roles: roles.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        back_url: either("back_url"),
        back_url_text: either("back_url_text").unwrap_or_else(|| "Back".to_owned()),
    }
}
