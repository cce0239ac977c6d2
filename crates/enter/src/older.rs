//! Apps of the older kind (contract `enter.md`, sections 2 and 5): the gateway posts a signed token to the app's Session
//! URL, the app answers a code of its own, and the browser takes that to the entry URL.

use crate::app::with_code;
use crate::ids::{AppId, PartnerId, PersonId};
use crate::notice::EndedSession;
use crate::service_account::ascii_json;
use crate::session::Session;
use kernel::jose::{Algorithm, strict_json};
use kernel::secret::sha256_hex;
use kernel::{SafeUrl, Time};
use serde_json::{Value, json};

/// How long the token lives, in seconds.
pub const TOKEN_LIFETIME_S: i64 = 60;
/// With what it is signed, whatever other apps have.
pub const ALGORITHM: Algorithm = Algorithm::Rs256;
/// How long the app may take to answer, in seconds: a person waits for it.
pub const ANSWER_S: u64 = 10;
/// The longest answer, in bytes.
pub const ANSWER_BYTES: usize = 16 * 1024;
/// The longest code of an app's, in bytes; it goes into an address.
const CODE_MOST: usize = 1024;

/// What an app of this kind knows a session by, in the token as in the webhook: 64 hexadecimal digits of a hash over the
/// app's id and the session's. Such apps keep it as the key of their own sessions, so that it is another one for each
/// app, and nothing that stands in another app's log ends a session there.
pub fn session_hash(session: &crate::ids::SessionId, app: &AppId) -> String {
    sha256_hex(format!("{app}:{session}").as_bytes())
}

/// What the token says.
#[derive(Debug, Clone, Copy)]
pub struct SessionToken<'a> {
    pub issuer: &'a SafeUrl,
    pub app: &'a AppId,
    pub session: &'a Session,
    pub person: &'a PersonId,
    pub partner: &'a PartnerId,
    /// A language tag.
    pub lang: &'a str,
    /// Names the token, so that the app can see that it gets it once.
    pub jti: &'a str,
    pub now: Time,
}

impl SessionToken<'_> {
    /// The payload, ready to sign with [`ALGORITHM`].
    pub fn payload(&self) -> String {
        let issued = self.now.seconds();
        ascii_json(&json!({
            "iss": self.issuer.as_str().trim_end_matches('/'),
            "aud": self.app,
            "sub": self.person,
            "iat": issued,
            "exp": issued.saturating_add(TOKEN_LIFETIME_S),
            "jti": self.jti,
            "session_id": session_hash(&self.session.id, self.app),
            "user_id": self.person,
            "partner_id": self.partner,
            "lang": self.lang,
            "product_navbar_data_url": self.session.navbar_url(self.issuer, self.app),
        }))
    }

    /// What is posted to the Session URL, as JSON.
    pub fn body(signed: &str) -> Value {
        json!({ "token": signed })
    }
}

/// Why an app's answer is not taken; for the page that the person sees, and the app's entry in the Hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerRefused {
    #[error("the app's Session URL answered with status {0}; it must be 200")]
    Status(u16),
    #[error("the app's Session URL answered more than {ANSWER_BYTES} bytes")]
    TooLong,
    #[error("the app's Session URL did not answer JSON: {0}")]
    NotJson(String),
    #[error("the app's answer has no `code`: a text of 1 to {CODE_MOST} printable characters")]
    NoCode,
}

impl AnswerRefused {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Status(_) => "session_url_status",
            Self::TooLong | Self::NotJson(_) | Self::NoCode => "session_url_answer",
        }
    }
}

/// Reads `{"code": ".."}`. Other members are the app's own business.
///
/// # Errors
/// [`AnswerRefused`].
pub fn read_answer(status: u16, body: &[u8]) -> Result<String, AnswerRefused> {
    if status != 200 {
        return Err(AnswerRefused::Status(status));
    }
    if body.len() > ANSWER_BYTES {
        return Err(AnswerRefused::TooLong);
    }
    let answer = strict_json(body).map_err(|why| AnswerRefused::NotJson(why.to_string()))?;
    let code = answer.get("code").and_then(Value::as_str);
    let printable = |code: &&str| !code.chars().any(|c| c.is_control() || c.is_whitespace());
    let fits = |code: &&str| (1..=CODE_MOST).contains(&code.len());
    code.filter(fits).filter(printable).map(str::to_owned).ok_or(AnswerRefused::NoCode)
}

/// Where the browser goes with the app's code.
pub fn landing(entry_url: &SafeUrl, code: &str, next_url: Option<&str>) -> String {
    with_code(entry_url, code, next_url)
}

/// What the app's logout URL is told when a session ends.
pub fn logout_body(app: &AppId, ended: &EndedSession) -> Value {
    json!({
        "session_id": session_hash(&ended.session, app),
        "user_id": ended.person,
        "partner_id": ended.partner,
    })
}
