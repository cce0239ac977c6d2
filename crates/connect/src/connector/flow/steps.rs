//! Requests beyond the token: the check of a credential, the steps after connecting, the revocation, and the
//! credential on any call to the API.

use super::ProviderFailure;
use super::answer::{document, save, successful, text_at};
use super::callback::Captured;
use super::token::{basic, form};
use crate::connector::address::declares;
use crate::connector::definition::{
    BasicTemplate, BodyTemplate, Choose, Definition, JsonTemplate, RequestTemplate, Unit,
};
use crate::connector::request::{Answer, OutgoingRequest};
use crate::connector::template::{Escape, Template, TemplateFailed, Variable, Variables};
use crate::credential::Credential;
use crate::dialog::{Choice, Failure};
use kernel::Time;
use serde_json::Value;

/// The most that a person is offered to choose from.
const MOST_CHOICES: usize = 200;

/// The request that checks a credential; `None` where the definition has none.
///
/// # Errors
/// `server_error` where it cannot be built.
pub fn verify_request(
    definition: &Definition,
    variables: Variables<'_>,
) -> Option<Result<OutgoingRequest, ProviderFailure>> {
    let verify = definition.verify.as_ref()?;
    Some(request(definition, &verify.request, variables))
}

/// Judges the answer to `verify_request`, with what it brought to keep.
///
/// # Errors
/// `invalid_credentials` with the definition's `fail_text`; `capped`; `provider_down`.
pub fn read_verify_answer(
    definition: &Definition,
    answer: Answer<'_>,
    now: Time,
) -> Result<Captured, ProviderFailure> {
    let Some(verify) = &definition.verify else { return Ok(Captured::default()) };
    let reads = !verify.save.is_empty() || !verify.error.is_empty();
    let understand = |code: &str| match super::answer::token_error(code) {
        weather @ (Failure::ProviderDown | Failure::Capped) => weather,
        _ => Failure::InvalidCredentials,
    };
    let judged = if reads || document(answer).is_ok() {
        successful(answer, &verify.ok, &verify.error, understand)
    } else {
        // Nothing is read from the answer, so that only its status counts.
        let empty = Answer { body: b"{}", content_type: None, ..answer };
        successful(empty, &verify.ok, &[], understand)
    };
    let document = judged.map_err(|mut failure| {
        if failure.failure == Failure::InvalidCredentials {
            failure.text.clone_from(&verify.fail_text);
            failure.reconnect = true;
        }
        failure
    })?;
    save(&document, &verify.save, Unit::Seconds, now)
}

/// The request of step `index` of `[[after]]`; `None` past the last one.
///
/// # Errors
/// `server_error` where it cannot be built.
pub fn step_request(
    definition: &Definition,
    index: usize,
    variables: Variables<'_>,
) -> Option<Result<OutgoingRequest, ProviderFailure>> {
    let step = definition.after.get(index)?;
    Some(request(definition, &step.request, variables))
}

/// What a step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    Done(Captured),
    /// Several are offered. The step is run again with what the person chose, so that only what the outside
    /// system still offers can be taken.
    Choose(Vec<Choice>),
}

/// Judges the answer of step `index`. `chosen` is the `value` of a choice offered before.
///
/// # Errors
/// `missing_scopes` where there is nothing to choose from; `state_mismatch` where what was chosen is no longer
/// offered; else as for other requests.
pub fn read_step_answer(
    definition: &Definition,
    index: usize,
    answer: Answer<'_>,
    chosen: Option<&str>,
    now: Time,
) -> Result<StepOutcome, ProviderFailure> {
    let Some(step) = definition.after.get(index) else { return Ok(StepOutcome::Done(Captured::default())) };
    let understand = |code: &str| match super::answer::token_error(code) {
        Failure::UserDenied => Failure::MissingScopes,
        other => other,
    };
    let bodiless = step.save.is_empty() && step.choose.is_none() && step.error.is_empty();
    let answer =
        if bodiless && document(answer).is_err() { Answer { body: b"{}", ..answer } } else { answer };
    let mut document = successful(answer, &step.ok, &step.error, understand)?;
    if let Some(choose) = &step.choose {
        match choice(&mut document, choose, chosen)? {
            choices if choices.is_empty() => {}
            choices => return Ok(StepOutcome::Choose(choices)),
        }
    }
    save(&document, &step.save, Unit::Seconds, now).map(StepOutcome::Done)
}

/// Puts the chosen item, or the only one, first in its list; gives the choices where a person must decide.
fn choice(
    document: &mut Value,
    choose: &Choose,
    chosen: Option<&str>,
) -> Result<Vec<Choice>, ProviderFailure> {
    let nothing = || ProviderFailure::new(Failure::MissingScopes, "the account offers nothing to connect");
    let items =
        document.pointer_mut(choose.items.as_str()).and_then(Value::as_array_mut).ok_or_else(nothing)?;
    items.truncate(MOST_CHOICES);
    let choices: Vec<Choice> = items.iter().filter_map(|item| offered(item, choose)).collect();
    let wanted = match (chosen, choices.as_slice()) {
        (_, []) => return Err(nothing()),
        (Some(value), _) => value.to_owned(),
        (None, [only]) => only.value.clone(),
        (None, _) => return Ok(choices),
    };
    let at = items.iter().position(|item| text_at(item, &choose.value).is_some_and(|value| value == wanted));
    let at = at.ok_or_else(|| {
        ProviderFailure::new(Failure::StateMismatch, "what was chosen is no longer offered")
    })?;
    items.swap(0, at);
    Ok(Vec::new())
}

fn offered(item: &Value, choose: &Choose) -> Option<Choice> {
    let value = text_at(item, &choose.value).filter(|value| value.len() <= 512)?;
    let label = text_at(item, &choose.label).unwrap_or_else(|| value.clone());
    let label = label.chars().filter(|c| !c.is_control()).take(120).collect();
    Some(Choice { value, label })
}

/// The request that ends a credential at the outside system; `None` where it cannot be ended there.
///
/// # Errors
/// `server_error` where it cannot be built.
pub fn revoke_request(
    definition: &Definition,
    variables: Variables<'_>,
) -> Option<Result<OutgoingRequest, ProviderFailure>> {
    definition.revoke.as_ref().map(|template| request(definition, template, variables))
}

/// Judges the answer to `revoke_request`. A credential that is dead already counts as revoked.
///
/// # Errors
/// `provider_down`, `capped`: it may still work there.
pub fn read_revoke_answer(answer: Answer<'_>) -> Result<(), ProviderFailure> {
    match answer.status {
        200..300 | 400 | 401 | 404 | 410 => Ok(()),
        429 => Err(ProviderFailure::new(Failure::Capped, "status 429")),
        status => Err(ProviderFailure::new(Failure::ProviderDown, format!("status {status}"))),
    }
}

/// Adds the credential to a call: `[api]` headers, query and Basic. Headers that the call has stay.
///
/// Decision: only where the host is one that the connector declares. Attack: a definition's step, or a caller
/// of the pass-through, names a host of its own and is handed the token. Trade: every host must be declared.
///
/// # Errors
/// `server_error` for a host that is not declared, or where a variable is missing.
pub fn with_credential(
    definition: &Definition,
    variables: Variables<'_>,
    mut request: OutgoingRequest,
) -> Result<OutgoingRequest, ProviderFailure> {
    if !declares(definition.hosts(), &request.url, &variables) {
        let detail = "the host is not among those that the connector declares";
        return Err(ProviderFailure::new(Failure::ServerError, detail));
    }
    add_credential(definition, variables, &mut request, false)?;
    Ok(request)
}

/// `early`: what a later step captures is not there yet, so that headers with it are left out.
pub(super) fn add_credential(
    definition: &Definition,
    variables: Variables<'_>,
    request: &mut OutgoingRequest,
    early: bool,
) -> Result<(), ProviderFailure> {
    let Some(api) = &definition.api else { return Ok(()) };
    let skips =
        |failed: &TemplateFailed| early && matches!(failed, TemplateFailed::Missing(Variable::Capture(_)));
    for (name, template) in &api.headers {
        match template.render(&variables, Escape::Header) {
            Ok(value) => request.offer(name, value, template.as_literal().is_none()),
            Err(failed) if skips(&failed) => {}
            Err(failed) => return Err(failed.into()),
        }
    }
    offer_basic(request, api.basic.as_ref(), &variables)?;
    for (name, template) in &api.query {
        match template.render(&variables, Escape::Plain) {
            Ok(value) => {
                request.url.query_pairs_mut().append_pair(name, &value);
            }
            Err(failed) if skips(&failed) => {}
            Err(failed) => return Err(failed.into()),
        }
    }
    Ok(())
}

/// Who it is at the outside system, for people.
pub fn account_of(definition: &Definition, credential: &Credential) -> Option<String> {
    let text = definition.account.as_ref()?.render(&credential.variables(None, None), Escape::Plain).ok()?;
    let line: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

fn request(
    definition: &Definition,
    template: &RequestTemplate,
    variables: Variables<'_>,
) -> Result<OutgoingRequest, ProviderFailure> {
    let mut url = template.url.render(&variables, definition.hosts(), definition.loopback)?;
    for (name, value) in rendered(&template.query, &variables)? {
        url.query_pairs_mut().append_pair(&name, &value);
    }
    let mut request = OutgoingRequest::new(template.method, url);
    for (name, value) in &template.headers {
        request.offer(name, value.render(&variables, Escape::Header)?, value.as_literal().is_none());
    }
    offer_basic(&mut request, template.basic.as_ref(), &variables)?;
    write_body(&mut request, &template.body, &variables)?;
    if template.credential && declares(definition.hosts(), &request.url, &variables) {
        add_credential(definition, variables, &mut request, true)?;
    }
    request.offer("accept", "application/json", false);
    Ok(request)
}

fn offer_basic(
    request: &mut OutgoingRequest,
    template: Option<&BasicTemplate>,
    variables: &Variables<'_>,
) -> Result<(), ProviderFailure> {
    if let Some(template) = template {
        request.offer("authorization", basic_of(template, variables)?, true);
    }
    Ok(())
}

/// The value of an `Authorization` header.
pub(super) fn basic_of(
    template: &BasicTemplate,
    variables: &Variables<'_>,
) -> Result<String, TemplateFailed> {
    let user = template.user.render(variables, Escape::Plain)?;
    let password = template.password.render(variables, Escape::Plain)?;
    Ok(basic(&user, &password))
}

fn write_body(
    request: &mut OutgoingRequest,
    body: &BodyTemplate,
    variables: &Variables<'_>,
) -> Result<(), ProviderFailure> {
    match body {
        BodyTemplate::Empty => {}
        BodyTemplate::Json(template) => {
            let document = json(template, variables)?;
            request.set_body("application/json", document.to_string());
        }
        BodyTemplate::Form(fields) => {
            request.set_body("application/x-www-form-urlencoded", form(&rendered(fields, variables)?));
        }
        BodyTemplate::Text(template) => {
            let kind =
                request.header("content-type").unwrap_or("text/plain; charset=utf-8").to_ascii_lowercase();
            let escape = match () {
                () if kind.contains("json") => Escape::Json,
                () if kind.contains("xml") => Escape::Xml,
                () if kind.contains("x-www-form-urlencoded") => Escape::Form,
                () => Escape::Plain,
            };
            let text = template.render(variables, escape)?;
            request.set_body(&kind, text);
        }
    }
    Ok(())
}

fn rendered(
    pairs: &[(String, Template)],
    variables: &Variables<'_>,
) -> Result<Vec<(String, String)>, ProviderFailure> {
    pairs.iter().map(|(name, value)| Ok((name.clone(), value.render(variables, Escape::Plain)?))).collect()
}

fn json(template: &JsonTemplate, variables: &Variables<'_>) -> Result<Value, ProviderFailure> {
    Ok(match template {
        JsonTemplate::Fixed(value) => value.clone(),
        JsonTemplate::Text(text) => Value::String(text.render(variables, Escape::Plain)?),
        JsonTemplate::List(items) => {
            Value::Array(items.iter().map(|item| json(item, variables)).collect::<Result<_, _>>()?)
        }
        JsonTemplate::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), json(value, variables)?)));
            Value::Object(fields.collect::<Result<_, ProviderFailure>>()?)
        }
    })
}
