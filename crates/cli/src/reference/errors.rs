//! `docs/reference/errors.md`: every code that a program or a person can meet.

use connect::attempt::CallbackRefused;
use connect::refusal::Code;
use connect::release::Unusable;
use std::fmt::Write as _;
use web::pages::{FAILURES, RefusalKind, failure_code};
use web::texts::{Locale, Words};

/// The text of `docs/reference/errors.md`.
pub fn errors() -> String {
    let words = Words::new(Locale::English).with("app", "the app").with("system", "the outside system");
    let mut page = String::from(
        "# Codes\n\nMade from the program itself by `cargo xtask gen`. Codes are stable; texts are not.\n\n\
         ## Refused visits\n\nAs a page for people, and as `{\"message\", \"code\", \"claim\"?, \"reference\"}` for \
         `Accept: application/json`. `vestibule refusals` shows what was seen, by the reference.\n\n\
         | code | status | what the person reads |\n|---|---|---|\n",
    );
    let landing = Code::ALL.iter().map(|code| RefusalKind::Landing(*code));
    for kind in landing.chain(RefusalKind::OTHERS).chain(RefusalKind::ENTRY) {
        let told = words.say(format!("refused.{}.text", kind.code()));
        let _ = writeln!(page, "| `{}` | {} | {told} |", kind.code(), kind.status());
    }
    page.push_str(
        "\n## Failures in the dialog\n\n`code` of the message `{brand}-error` to the parent window. Each page offers a way to \
         try again.\n\n| code | what the person reads |\n|---|---|\n",
    );
    for failure in FAILURES {
        let key = format!("failed.{}", failure_code(failure));
        let told = format!("{}. {}", words.say_in(&key, "title"), words.say_in(&key, "text"));
        let _ = writeln!(page, "| `{}` | {told} |", failure_code(failure));
    }
    page.push_str(
        "\n## Refused callbacks\n\nWhat comes back to `/oauth2/callback` and is not taken; nothing is changed by it. The counter \
         `vestibule_callbacks_refused_total` has them by code.\n\n| code | meaning |\n|---|---|\n",
    );
    for refused in callbacks() {
        let _ = writeln!(page, "| `{}` | {refused} |", refused.code());
    }
    page.push_str(
        "\n## REST API\n\n`{\"message\"}` with 404, 409, 413 or 503; `{\"detail\": [{\"loc\", \"msg\", \"type\"}]}` with 422; \
         `{\"detail\": \"Not authorized\"}` with 403. `/openapi.json` says which operation answers what.\n\n\
         A release that no run can use cannot be chosen either; `type` of the 422 says why:\n\n| type | meaning |\n|---|---|\n",
    );
    for unusable in [Unusable::Building, Unusable::Failed, Unusable::Retired].map(|why| why("..".to_owned()))
    {
        let _ = writeln!(page, "| `{}` | {unusable} |", unusable.code());
    }
    page
}

fn callbacks() -> Vec<CallbackRefused> {
    vec![
        CallbackRefused::StateMissing,
        CallbackRefused::StateUnknown,
        CallbackRefused::StateUsed,
        CallbackRefused::OtherBrowser,
        CallbackRefused::Late,
        CallbackRefused::Duplicate("..".to_owned()),
        CallbackRefused::Both,
        CallbackRefused::Neither,
        CallbackRefused::TooLong,
        CallbackRefused::Characters(".."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_without_words() {
        let page = errors();
        for line in page.lines().filter(|line| line.starts_with("| `")) {
            assert!(!line.contains("refused.") && !line.contains("failed."), "{line}");
        }
        assert!(page.contains("| `token_replayed` | 401 |") && page.contains("| `dialog_expired` | 410 |"));
    }

    /// Fails to compile, or to pass, where a new kind of refused callback is not listed.
    #[test]
    fn every_refused_callback_is_listed() {
        let place = |refused: &CallbackRefused| match refused {
            CallbackRefused::StateMissing => 0,
            CallbackRefused::StateUnknown => 1,
            CallbackRefused::StateUsed => 2,
            CallbackRefused::OtherBrowser => 3,
            CallbackRefused::Late => 4,
            CallbackRefused::Duplicate(_) => 5,
            CallbackRefused::Both => 6,
            CallbackRefused::Neither => 7,
            CallbackRefused::TooLong => 8,
            CallbackRefused::Characters(_) => 9,
        };
        let places: Vec<_> = callbacks().iter().map(place).collect();
        assert_eq!(places, (0..=9).collect::<Vec<_>>());
    }
}
