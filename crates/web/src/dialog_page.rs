//! From what the service knows of a dialog to what its page shows.

use crate::Web;
use crate::answer;
use crate::headers::Framing;
use crate::messages;
use crate::pages::{
    Choosable, DialogPage, DialogView, FailureView, FieldKind, FieldOption, FieldView, FormPurpose, FormView,
    Party, Person,
};
use crate::texts::{Locale, Words};
use axum::http::HeaderMap;
use connect::connector::{Definition, Format, Input, Way};
use connect::dialog::{CODE_TRIES, Dialog, Failure, Stage, Visitor};
use kernel::{Environment, Plain};
use service::connect::view::{DialogContext, FormProblem};

/// Who may frame the dialog (contract `connect.md`, section 2).
pub fn framing(context: &DialogContext) -> Framing {
    match context.config.environment {
        Environment::Sandbox => Framing::Anyone,
        Environment::Production => {
            Framing::Origins(context.config.origins.iter().map(|origin| origin.as_str().to_owned()).collect())
        }
    }
}

/// The outside system as pages show it.
pub fn system(definition: &Definition) -> Party {
    Party::new(definition.name.clone(), definition.logo.clone())
}

/// The person the organization vouched for.
pub fn person(visitor: &Visitor) -> Person {
    let name = visitor.display_name.clone().or_else(|| visitor.full_name.clone());
    Person::new(name.unwrap_or_else(|| visitor.username.clone()), visitor.email.clone())
}

/// Whether the page first asks "Connect {System} to {person} in {App}?", whatever the dialog's stage.
///
/// Decision: it does where the page is opened by itself and not from a page of ours (`Sec-Fetch-Dest: document`
/// without `Sec-Fetch-Site: same-origin`). Attack: someone opens a dialog of his own in its frame and sends its
/// address to another person, who would connect *their* account to his tenant; that the dialog itself was asked
/// before says nothing, because he answered. Trade: who reloads such a page is asked again.
pub fn asks_first(context: &DialogContext, headers: &HeaderMap) -> bool {
    let says = |name: &str, value: &str| headers.get(name).is_some_and(|said| said == value);
    let can_begin = match context.dialog.stage {
        Stage::ConfirmIdentity | Stage::Connected { .. } | Stage::Form | Stage::Ready => true,
        Stage::Waiting { .. } | Stage::Arrived { code: Some(_), .. } => true,
        Stage::Choose { .. } | Stage::Failed { .. } => true,
        Stage::Arrived { code: None, .. } | Stage::Installing { .. } => false,
        Stage::Success { .. } | Stage::Cancelled => false,
    };
    can_begin && says("sec-fetch-dest", "document") && !says("sec-fetch-site", "same-origin")
}

/// Where the page is, by its bearer.
pub fn path(bearer: &Plain) -> String {
    format!("/dialogs/{}", bearer.reveal())
}

/// Where browsers report that they refused to frame the page.
pub fn report_to(context: &DialogContext) -> String {
    format!("/reports/frames/{}", context.config.organization.slug)
}

/// Seconds until the dialog ends.
pub fn expires_in(web: &Web, dialog: &Dialog) -> i64 {
    dialog.expires.seconds_since(web.service().clock.now()).max(0)
}

/// The page of a dialog in its present stage.
pub fn show(web: &Web, context: &DialogContext, bearer: &Plain, headers: &HeaderMap) -> DialogPage {
    let DialogContext { dialog, config, definition, .. } = context;
    let organization = &config.organization;
    let locale = Locale::parse(&dialog.locale).unwrap_or_else(|| answer::locale(headers, None));
    DialogPage {
        shell: answer::shell(web, locale, organization.color),
        organization: organization.into(),
        system: system(definition),
        person: person(&dialog.visitor),
        path: path(bearer),
        reference: context.reference(),
        version: dialog.version,
        expires_in: expires_in(web, dialog),
        brand: organization.brand.clone(),
        target_origins: messages::targets(config),
        auto_confirm: matches!(dialog.stage, Stage::Arrived { code: None, .. }),
        announce: context.has_announcement(),
        view: view(web, context, locale),
    }
}

fn view(web: &Web, context: &DialogContext, locale: Locale) -> DialogView {
    let start_url = || web.service().start_path(&context.dialog);
    match &context.dialog.stage {
        Stage::ConfirmIdentity => DialogView::ConfirmIdentity,
        Stage::Connected { .. } => {
            let connection = context.connection.as_ref();
            DialogView::Connected {
                account: connection.and_then(|connection| connection.account.clone()),
                since: connection.map(|connection| connection.last_change),
            }
        }
        Stage::Form => DialogView::Form(form(context, locale)),
        Stage::Ready => DialogView::Ready { start_url: start_url() },
        Stage::Waiting { .. } => DialogView::Waiting { start_url: Some(start_url()) },
        Stage::Arrived { code: Some(_), tries, .. } => {
            DialogView::Code { tries_left: (*tries > 0).then(|| CODE_TRIES.saturating_sub(*tries)) }
        }
        Stage::Arrived { code: None, .. } => DialogView::Checking,
        Stage::Choose { choices, .. } => DialogView::Choose {
            choices: choices
                .iter()
                .map(|choice| Choosable { value: choice.value.clone(), label: choice.label.clone() })
                .collect(),
        },
        Stage::Installing { .. } => DialogView::Installing,
        Stage::Success { .. } => DialogView::Success {
            account: context.connection.as_ref().and_then(|connection| connection.account.clone()),
        },
        Stage::Cancelled => DialogView::Cancelled,
        // A failure that belongs to what was typed is shown at the form, with the field in place.
        Stage::Failed { failure: Failure::InvalidCredentials, .. } if asks_inputs(&context.definition) => {
            DialogView::Form(form(context, locale))
        }
        Stage::Failed { failure, detail, .. } => DialogView::Failed(FailureView {
            failure: *failure,
            advice: advice(&context.definition, *failure),
            detail: detail.clone(),
            start_url: signs_in_at_once(&context.definition).then(start_url),
        }),
    }
}

/// Whether a sign-in at the outside system needs nothing typed first.
fn signs_in_at_once(definition: &Definition) -> bool {
    definition.way() == Way::SignIn && definition.inputs.is_empty()
}

fn asks_inputs(definition: &Definition) -> bool {
    !definition.inputs.is_empty()
}

/// The connector's own words for a person, where it has any for this failure.
fn advice(definition: &Definition, failure: Failure) -> Option<String> {
    let verify = definition.verify.as_ref().filter(|_| failure == Failure::InvalidCredentials)?;
    verify.fail_text.clone()
}

fn form(context: &DialogContext, locale: Locale) -> FormView {
    let words = Words::new(locale).with("system", &context.definition.name);
    let mut problem = None;
    let mut at_input = None;
    if let Stage::Failed { at_input: at, detail, .. } = &context.dialog.stage {
        let said = advice(&context.definition, Failure::InvalidCredentials);
        let said = said.unwrap_or_else(|| words.say("failed.invalid_credentials.text").into_owned());
        tracing::debug!(detail = detail.as_deref(), "shown at the form");
        match at {
            Some(key) => at_input = Some(FormProblem { key: key.clone(), text: said }),
            None => problem = Some(said),
        }
    }
    let problems: Vec<&FormProblem> = context.problems.iter().chain(&at_input).collect();
    let fields =
        context.definition.form_fields().iter().map(|input| field(input, context, &problems)).collect();
    let purpose = match context.definition.way() {
        Way::SignIn => FormPurpose::BeforeSignIn,
        _ => FormPurpose::Credentials,
    };
    FormView { purpose, fields, problem }
}

fn field(input: &Input, context: &DialogContext, problems: &[&FormProblem]) -> FieldView {
    let kind = match input.format {
        _ if !input.options.is_empty() => FieldKind::Select,
        _ if input.secret => FieldKind::Secret,
        Format::Email => FieldKind::Email,
        Format::Url => FieldKind::Url,
        Format::Integer => FieldKind::Number,
        _ => FieldKind::Text,
    };
    let mut field = FieldView::new(input.key.as_str(), input.label.as_str(), kind);
    field.help = input.help.clone();
    field.example = input.example.clone();
    // A field that another one brings up may be left empty as far as the browser is concerned.
    field.required = !input.optional && input.visible_when.is_empty();
    field.options = input
        .options
        .iter()
        .map(|option| FieldOption { value: option.value.clone(), label: option.label.clone() })
        .collect();
    field.prefix = input.prefix.clone();
    field.suffix = input.suffix.clone();
    field.value = context
        .entered
        .get(&input.key)
        .cloned()
        .or_else(|| input.default.as_ref()?.as_literal().map(str::to_owned));
    field.error =
        problems.iter().find(|problem| problem.key == input.key).map(|problem| problem.text.clone());
    field
}
