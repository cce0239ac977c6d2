//! Requests to the token endpoint: the exchange of a code, and the refresh.

use super::ProviderFailure;
use super::authorize::{rename, set};
use crate::connector::address::UrlTemplate;
use crate::connector::definition::{BodyForm, ClientAuth, Definition, RefreshGrant, TokenRules};
use crate::connector::request::OutgoingRequest;
use crate::connector::template::{Escape, Template, Variables, push_xml};
use crate::credential::{App, Credential, Values};
use crate::dialog::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::SecretText;

/// What is exchanged for a token.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    pub code: &'a SecretText,
    /// The PKCE verifier; `None` where the definition takes none.
    pub verifier: Option<&'a SecretText>,
    /// Byte for byte what the authorize URL carried.
    pub redirect_uri: &'a str,
}

/// The request that exchanges a code (RFC 6749, section 4.1.3). `captures` is what the callback brought.
///
/// # Errors
/// `server_error` where a variable is missing, the address is not safe or the client's proof is not executed
/// by this release.
pub fn token_request(
    definition: &Definition,
    app: &App,
    inputs: &Values,
    captures: &Values,
    exchange: Exchange<'_>,
) -> Result<OutgoingRequest, ProviderFailure> {
    let rules = rules_of(definition)?;
    let variables =
        Variables { app: Some(app), inputs: Some(inputs), captures: Some(captures), ..Variables::default() };
    let mut parameters = vec![
        pair("grant_type", "authorization_code"),
        pair("code", exchange.code.reveal()),
        pair("redirect_uri", exchange.redirect_uri),
    ];
    parameters.extend(exchange.verifier.map(|verifier| pair("code_verifier", verifier.reveal())));
    let call = Call { definition, rules, url: &rules.url, app, variables };
    call.build(parameters, &[&rules.params])
}

/// The request that renews a credential (RFC 6749, section 6, and the two other ways of `[refresh] grant`).
///
/// # Errors
/// `invalid_credentials` with `reconnect` where there is nothing to refresh with; else as [`token_request`].
pub fn refresh_request(
    definition: &Definition,
    app: &App,
    credential: &Credential,
) -> Result<OutgoingRequest, ProviderFailure> {
    let rules = rules_of(definition)?;
    let refresh = definition.refresh.as_ref().ok_or_else(|| {
        ProviderFailure::new(Failure::ServerError, "this connector's tokens are not refreshed")
    })?;
    let mut parameters = Vec::new();
    match refresh.grant {
        RefreshGrant::RefreshToken => {
            let token = credential.refresh.as_ref().ok_or_else(|| nothing_to_refresh("refresh token"))?;
            parameters.push(pair("grant_type", "refresh_token"));
            parameters.push(pair("refresh_token", token.reveal()));
        }
        RefreshGrant::AccessToken if credential.access.is_none() => {
            return Err(nothing_to_refresh("access token"));
        }
        RefreshGrant::AccessToken => {}
        RefreshGrant::Repeat => parameters.push(pair("grant_type", "client_credentials")),
    }
    let url = refresh.url.as_ref().unwrap_or(&rules.url);
    let call = Call { definition, rules, url, app, variables: credential.variables(Some(app), None) };
    match refresh.grant {
        RefreshGrant::Repeat => call.build(parameters, &[&rules.params, &refresh.params]),
        _ => call.build(parameters, &[&refresh.params]),
    }
}

fn rules_of(definition: &Definition) -> Result<&TokenRules, ProviderFailure> {
    let missing = || ProviderFailure::new(Failure::ServerError, "this connector has no token endpoint");
    definition.token.as_ref().ok_or_else(missing)
}

fn nothing_to_refresh(what: &str) -> ProviderFailure {
    let mut failure =
        ProviderFailure::new(Failure::InvalidCredentials, format!("there is no {what} to refresh with"));
    failure.reconnect = true;
    failure
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

struct Call<'a> {
    definition: &'a Definition,
    rules: &'a TokenRules,
    url: &'a UrlTemplate,
    app: &'a App,
    variables: Variables<'a>,
}

impl Call<'_> {
    fn build(
        &self,
        mut parameters: Vec<(String, String)>,
        more: &[&Vec<(String, Template)>],
    ) -> Result<OutgoingRequest, ProviderFailure> {
        let authorization = self.prove_client(&mut parameters)?;
        rename(&mut parameters, &self.rules.rename, &self.rules.drop);
        for (name, template) in more.iter().flat_map(|list| list.iter()) {
            set(&mut parameters, name, template.render(&self.variables, Escape::Plain)?);
        }
        let url = self.url.render(&self.variables, self.definition.hosts(), self.definition.loopback)?;
        let mut request = OutgoingRequest::new(self.rules.method, url);
        for (name, template) in &self.rules.headers {
            request.offer(
                name,
                template.render(&self.variables, Escape::Header)?,
                template.as_literal().is_none(),
            );
        }
        if let Some(authorization) = authorization {
            request.offer("authorization", authorization, true);
        }
        request.offer("accept", "application/json", false);
        self.write(&mut request, &parameters);
        Ok(request)
    }

    /// Adds the client to the parameters, or gives the `Authorization` header that proves it.
    fn prove_client(
        &self,
        parameters: &mut Vec<(String, String)>,
    ) -> Result<Option<String>, ProviderFailure> {
        let (id, secret) = (self.app.client_id.as_str(), self.app.secret());
        match self.rules.client_auth {
            ClientAuth::Body => {
                parameters.push(pair("client_id", id));
                if !secret.is_empty() {
                    parameters.push(pair("client_secret", secret));
                }
                Ok(None)
            }
            ClientAuth::None => {
                parameters.push(pair("client_id", id));
                Ok(None)
            }
            // RFC 6749, section 2.3.1: both are form-encoded before they are joined.
            ClientAuth::Basic => {
                let [id, secret] = [id, secret]
                    .map(|text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
                Ok(Some(basic(&id, &secret)))
            }
            ClientAuth::BasicKeyOnly => Ok(Some(basic(secret, ""))),
            ClientAuth::PrivateKeyJwt => Err(not_yet("private_key_jwt")),
            ClientAuth::Mtls => Err(not_yet("mtls")),
        }
    }

    fn write(&self, request: &mut OutgoingRequest, parameters: &[(String, String)]) {
        match self.rules.body {
            BodyForm::Form => request.set_body("application/x-www-form-urlencoded", form(parameters)),
            BodyForm::Json => {
                let object: serde_json::Map<_, _> =
                    parameters.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
                request.set_body("application/json", serde_json::Value::Object(object).to_string());
            }
            BodyForm::Query => {
                request.url.query_pairs_mut().extend_pairs(parameters);
            }
            BodyForm::Xml => request.set_body("application/xml", xml(parameters)),
        }
    }
}

/// The value of an `Authorization` header (RFC 7617).
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

pub(super) fn form(parameters: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

fn xml(parameters: &[(String, String)]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?><request>");
    for (name, value) in parameters {
        text.push_str(&format!("<{name}>"));
        push_xml(&mut text, value);
        text.push_str(&format!("</{name}>"));
    }
    text.push_str("</request>");
    text
}

fn not_yet(what: &str) -> ProviderFailure {
    ProviderFailure::new(Failure::ServerError, format!("client_auth {what} is declared but not executed yet"))
}
