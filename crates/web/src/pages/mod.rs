//! Every page the gateway shows: its data, its rendering, and a `sample()` for the gallery and the tests.
//!
//! Nothing here knows HTTP. A route fills one of these structs and sends what `render()` gives, under the
//! policy `default-src 'none'; script-src 'self'; style-src 'self' 'nonce-…'; img-src 'self' data: https:;
//! connect-src 'self'; form-action 'self'; base-uri 'none'`.

pub mod callback;
pub mod dialog;
pub mod entry;
pub mod fields;
pub mod gallery;
pub mod home;
pub mod letter;
pub mod outcome;
pub mod refusal;
pub mod shell;
pub mod start;

#[cfg(test)]
mod tests;

pub use callback::{CallbackOutcome, CallbackPage};
pub use dialog::{Choosable, DialogPage, DialogState, DialogView, ParentMessage};
pub use entry::{AccountChoice, AllowedView, AskView, ConsentView, EntryPage, EntryView};
pub use fields::{FieldKind, FieldOption, FieldView, FormPurpose, FormView};
pub use gallery::{Gallery, Specimen};
pub use home::{HomeLink, HomePage};
pub use letter::{Filling, Letter};
pub use outcome::{FAILURES, FailureView, failure_code};
pub use refusal::{RefusalKind, RefusalPage};
pub use shell::{Party, Person, Scheme, Shell, Theme};
pub use start::StartPage;

/// The markup of a template. Rendering into memory fails only where a `Display` of ours does, and none does;
/// should one ever, the log says so and the page is empty rather than the process gone.
pub(crate) fn markup(template: &impl askama::Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page could not be rendered");
        String::new()
    })
}

/// JSON that may stand inside a `<script>` element.
///
/// Decision: `<`, `>` and `&` are written as escapes. Attack: a value with `</script>` would end the element
/// and become markup. Trade: a few more bytes.
pub(crate) fn script_json(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    if !json.contains(['<', '>', '&']) {
        return json;
    }
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}
