//! `vestibule token sign`: a token as an organization's backend would sign it, for trying things out.

use super::output::note;
use super::secret_source::file_or_input;
use crate::gateway;
use crate::settings::Loaded;
use anyhow::{Context as _, bail};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kernel::{Chance, Clock as _, Environment, Plain, SystemChance, SystemClock, Time};
use serde_json::{Map, Value, json};
use service::Place;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Signs a tenant token (HS256) with a shared secret and prints it
    Sign(Box<Sign>),
}

#[derive(Debug, clap::Args)]
struct Sign {
    /// File with the organization's signing secret (`-`: standard input)
    #[arg(long, value_name = "FILE", default_value = "-")]
    secret_file: PathBuf,
    /// The user: `sub`
    #[arg(long, value_name = "ID")]
    user: String,
    /// The integration to install: `xti.integration_name`
    #[arg(long, value_name = "NAME")]
    integration: Option<String>,
    /// The organization's own connector: `xti.connector_name`
    #[arg(long, value_name = "NAME")]
    own_connector: Option<String>,
    /// The user's credential for the own connector: `xti.token`
    #[arg(long, value_name = "TEXT")]
    own_token: Option<String>,
    /// The signing key's id: `kid` in the header
    #[arg(long, value_name = "ID")]
    kid: Option<String>,
    /// Another claim, as JSON; takes the place of one above (may be repeated)
    #[arg(long, value_name = "NAME=JSON")]
    claim: Vec<String>,
    /// Prints the whole address of the auth-only page instead of the token alone
    #[arg(long, requires = "organization")]
    url: bool,
    /// The organization in the address
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// The outside connector in the address; `connector` means the integration's only one
    #[arg(long, value_name = "NAME", default_value = "connector")]
    connector: String,
    /// `sandbox` or `production`, for the address; may be left out where one only has a public URL
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
}

impl Sign {
    fn claims(&self, now: Time, chance: &dyn Chance) -> anyhow::Result<Value> {
        let mut claims = Map::new();
        claims.insert("iat".to_owned(), json!(now.seconds()));
        claims.insert("jti".to_owned(), json!(Plain::new(chance).reveal()));
        claims.insert("sub".to_owned(), json!(self.user));
        let mut extra = Map::new();
        for (name, value) in [
            ("connector_name", &self.own_connector),
            ("integration_name", &self.integration),
            ("token", &self.own_token),
        ] {
            if let Some(value) = value {
                extra.insert(name.to_owned(), json!(value));
            }
        }
        if !extra.is_empty() {
            claims.insert("xti".to_owned(), Value::Object(extra));
        }
        for claim in &self.claim {
            let Some((name, text)) = claim.split_once('=') else {
                bail!("--claim is written as NAME=JSON, not `{claim}`")
            };
            let value = serde_json::from_str(text)
                .with_context(|| format!("--claim {name}: a text needs quotes, as in {name}='\"text\"'"))?;
            claims.insert(name.to_owned(), value);
        }
        Ok(Value::Object(claims))
    }

    fn place(&self, loaded: &Loaded) -> anyhow::Result<Place> {
        let places = gateway::places(&loaded.settings.environments)?;
        let place = match (&self.environment, places.all()) {
            (Some(name), _) => Environment::parse(name).and_then(|environment| places.of(environment)),
            (None, [only]) => Some(only),
            (None, _) => bail!("which environment? say --environment sandbox or --environment production"),
        };
        place.cloned().context("this environment has no public URL; `vestibule settings` shows which have")
    }
}

/// A compact JWS with HMAC-SHA-256 (RFC 7515, section 7.1; RFC 7518, section 3.2).
fn signed(claims: &Value, kid: Option<&str>, secret: &[u8]) -> String {
    let mut header = json!({ "alg": "HS256", "typ": "JWT" });
    if let (Some(kid), Some(header)) = (kid, header.as_object_mut()) {
        header.insert("kid".to_owned(), json!(kid));
    }
    let message = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let signature = BASE64.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// # Errors
/// Where the secret cannot be read, or a claim is not JSON.
pub fn run(arguments: &Arguments, loaded: &Loaded, out: &mut dyn Write) -> anyhow::Result<()> {
    let Action::Sign(sign) = &arguments.action;
    let claims = sign.claims(SystemClock.now(), &SystemChance)?;
    let secret = file_or_input(&sign.secret_file)?;
    let token = signed(&claims, sign.kid.as_deref(), secret.reveal().as_bytes());
    if sign.url {
        let organization = sign.organization.as_deref().unwrap_or_default();
        let path = format!("/{organization}/{}/auth?tenant={token}", sign.connector);
        writeln!(out, "{}", sign.place(loaded)?.link(&path))?;
    } else {
        writeln!(out, "{token}")?;
    }
    note("it is good for one visit within the next minutes");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_rfc_7515() {
        // RFC 7515, appendix A.1: the same key and message give the same signature.
        let key = BASE64
            .decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
            .unwrap();
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), message.as_bytes());
        assert_eq!(BASE64.encode(signature), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let token = signed(&json!({ "sub": "anna" }), Some("key_1"), &key);
        let parts: Vec<_> = token.split('.').collect();
        let header: Value = serde_json::from_slice(&BASE64.decode(parts[0]).unwrap()).unwrap();
        assert_eq!(header, json!({ "alg": "HS256", "typ": "JWT", "kid": "key_1" }));
        assert_eq!(BASE64.decode(parts[1]).unwrap(), br#"{"sub":"anna"}"#);
        let proven = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &key),
            format!("{}.{}", parts[0], parts[1]).as_bytes(),
        );
        assert_eq!(BASE64.decode(parts[2]).unwrap(), proven.as_ref());
    }
}
