//! One test for each row of the table of quirks in `connectors.md`, and for answers as they really come.

mod answers;
mod calls;
mod quirks;

use super::*;
use crate::connector::{Answer, Definition, OutgoingRequest, Policy, Variables};
use crate::credential::{App, Credential, Values};
use kernel::{SecretText, Time};
use std::collections::BTreeMap;
use url::Url;

const NOW: Time = Time::from_seconds(1_700_000_000);
const REDIRECT: &str = "https://gateway.example/oauth2/callback";

#[track_caller]
fn define(text: &str) -> Definition {
    let whole = format!("id = \"acme\"\nname = \"Acme\"\n{text}");
    Definition::parse("acme.toml", &whole, Policy::default())
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn app() -> App {
    App { client_id: "id-1".to_owned(), client_secret: Some(SecretText::new("secret-1")), ..App::default() }
}

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().copied().collect()
}

fn query(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

#[track_caller]
fn page(definition: &Definition, inputs: &Values) -> Url {
    authorize_url(definition, &app(), inputs, "state-1", Some("challenge-1"), REDIRECT).unwrap()
}

#[track_caller]
fn token(definition: &Definition, inputs: &Values, captures: &Values) -> OutgoingRequest {
    let (code, verifier) = (SecretText::new("code-1"), SecretText::new("verifier-1"));
    let exchange = Exchange { code: &code, verifier: Some(&verifier), redirect_uri: REDIRECT };
    token_request(definition, &app(), inputs, captures, exchange).unwrap()
}

fn body(request: &OutgoingRequest) -> &str {
    request.body.as_ref().map_or("", SecretText::reveal)
}

fn form(request: &OutgoingRequest) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(body(request).as_bytes()).into_owned().collect()
}

fn json(text: &str) -> Answer<'_> {
    Answer { status: 200, content_type: Some("application/json"), body: text.as_bytes() }
}

fn answered(definition: &Definition, text: &str) -> Result<Credential, ProviderFailure> {
    read_token_answer(definition, &definition.scopes_for(&app()), json(text), NOW)
}

fn access(credential: &Credential) -> &str {
    credential.access.as_ref().map_or("", SecretText::reveal)
}
