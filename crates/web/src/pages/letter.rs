//! A page of which few words differ from one visit to the next: written once with blanks, and filled in for each.
//!
//! What fills a blank is escaped as the templates escape it, and a test holds the two ways of writing a page against
//! each other.

use super::dialog::{DialogPage, DialogView};
use super::shell::{Person, Shell};
use askama::filters::{Escaper as _, Html};
use kernel::{Chance as _, SystemChance};
use std::sync::LazyLock;

/// What stands in a blank, as the page itself would hold it.
#[derive(Debug, Clone, Copy)]
pub struct Filling<'a> {
    pub path: &'a str,
    pub start_url: &'a str,
    pub nonce: &'a str,
    pub person: &'a Person,
    pub version: i64,
    pub expires_in: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blank {
    Path,
    StartUrl,
    Nonce,
    Name,
    Email,
    Version,
    ExpiresIn,
}

const TEXTS: [Blank; 5] = [Blank::Path, Blank::StartUrl, Blank::Nonce, Blank::Name, Blank::Email];
const NUMBERS: [Blank; 2] = [Blank::Version, Blank::ExpiresIn];

/// How blanks are marked. The marks are drawn at random when the process starts, so that nobody can have one stand in a
/// name, and hold nothing that is escaped.
static MARKS: LazyLock<Vec<(Blank, String)>> = LazyLock::new(|| {
    let mut bytes = [0; 16];
    SystemChance.fill(&mut bytes);
    let drawn = kernel::secret::hex(&bytes);
    let texts = TEXTS.iter().enumerate().map(|(at, blank)| (*blank, format!("blank{at}{drawn}")));
    // Of sixteen digits, and as a number below 2^53.
    let drawn = u128::from_be_bytes(bytes) % 100_000_000_000_000 * 10;
    let numbers = NUMBERS.iter().enumerate();
    let number = |at: usize| 8_000_000_000_000_000 + drawn + u128::try_from(at).unwrap_or(0);
    texts.chain(numbers.map(|(at, blank)| (*blank, number(at).to_string()))).collect()
});

fn mark(blank: Blank) -> &'static str {
    MARKS.iter().find(|(of, _)| *of == blank).map_or("", |(_, mark)| mark)
}

/// A text with blanks.
#[derive(Debug)]
pub struct Letter {
    /// What stands before each blank.
    pieces: Vec<(String, Blank)>,
    end: String,
}

impl Letter {
    /// The page of a dialog that is ready, with blanks for what [`Filling`] names.
    pub fn of_ready(page: DialogPage) -> Self {
        let text = |blank| mark(blank).to_owned();
        let number = |blank| mark(blank).parse().unwrap_or_default();
        let email = page.person.email.as_ref().map(|_| text(Blank::Email));
        let page = DialogPage {
            shell: Shell { nonce: text(Blank::Nonce), ..page.shell },
            person: Person { name: text(Blank::Name), email },
            path: text(Blank::Path),
            version: number(Blank::Version),
            expires_in: number(Blank::ExpiresIn),
            view: DialogView::Ready { start_url: text(Blank::StartUrl) },
            ..page
        };
        Self::of(&page.render())
    }

    /// A text that was made with [`Self::nonce_mark`] for its nonce.
    pub fn of(text: &str) -> Self {
        let (mut pieces, mut rest) = (Vec::new(), text);
        while let Some((at, blank, mark)) = first_mark(rest) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
            pieces.push((before.to_owned(), blank));
            rest = after.get(mark.len()..).unwrap_or_default();
        }
        Self { pieces, end: rest.to_owned() }
    }

    /// What stands for a nonce in a text that shall have a blank for it.
    pub fn nonce_mark() -> &'static str {
        mark(Blank::Nonce)
    }

    /// The whole text.
    pub fn fill(&self, with: &Filling<'_>) -> String {
        let known: usize = self.pieces.iter().map(|(piece, _)| piece.len() + 64).sum();
        let mut text = String::with_capacity(known + self.end.len());
        for (piece, blank) in &self.pieces {
            text.push_str(piece);
            match blank {
                Blank::Path => text.push_str(with.path),
                Blank::StartUrl => text.push_str(with.start_url),
                Blank::Nonce => text.push_str(with.nonce),
                Blank::Name => escape(&mut text, &with.person.name),
                Blank::Email => escape(&mut text, with.person.email.as_deref().unwrap_or_default()),
                Blank::Version => text.push_str(&with.version.to_string()),
                Blank::ExpiresIn => text.push_str(&with.expires_in.to_string()),
            }
        }
        text.push_str(&self.end);
        text
    }
}

fn first_mark(text: &str) -> Option<(usize, Blank, &'static str)> {
    let found =
        MARKS.iter().filter_map(|(blank, mark)| Some((text.find(mark.as_str())?, *blank, mark.as_str())));
    found.min_by_key(|(at, ..)| *at)
}

fn escape(text: &mut String, value: &str) {
    // Writing into a String does not fail.
    let _ = Html.write_escaped_str(text, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::Party;
    use crate::texts::Locale;
    use proptest::prelude::*;

    fn page(name: &str, email: Option<&str>, app: &str, locale: Locale) -> DialogPage {
        let mut page = DialogPage::sample(DialogView::Ready { start_url: "/start/a.b-c_d".to_owned() });
        page.person = Person::new(name, email.map(str::to_owned));
        page.organization = Party::new(app, Some("https://a.example/?a=1&b=<".to_owned()));
        page.shell = Shell::new(locale, kernel::Color::parse("#00AA77").ok(), "0123456789abcdef");
        page
    }

    fn filled(page: &DialogPage) -> String {
        let start_url = page.view.start_url().unwrap();
        let letter = Letter::of_ready(page.clone());
        letter.fill(&Filling {
            path: &page.path,
            start_url,
            nonce: &page.shell.nonce,
            person: &page.person,
            version: page.version,
            expires_in: page.expires_in,
        })
    }

    #[test]
    fn every_blank_is_in_the_page() {
        let letter = Letter::of_ready(page("Anna", Some("anna@acme.example"), "Acme", Locale::English));
        for blank in TEXTS.iter().chain(&NUMBERS) {
            assert!(letter.pieces.iter().any(|(_, found)| found == blank), "{blank:?}");
        }
        assert_ne!(mark(Blank::Version), mark(Blank::ExpiresIn));
        let policy = Letter::of(&format!("a 'nonce-{}' b", Letter::nonce_mark()));
        assert_eq!((policy.pieces.len(), policy.end.as_str()), (1, "' b"));
    }

    proptest! {
        #[test]
        fn a_letter_is_the_page_to_the_byte(
            name in "[ -~\\PC]{0,20}", email in proptest::option::of("[ -~\\PC]{0,20}"), app in "[ -~\\PC]{0,12}",
            locale in 0usize..3, version in 0i64..1000, expires_in in 0i64..900,
        ) {
            let locale = [Locale::English, Locale::German, Locale::Mirrored][locale];
            let mut page = page(&name, email.as_deref(), &app, locale);
            (page.version, page.expires_in) = (version, expires_in);
            prop_assert_eq!(filled(&page), page.render());
        }
    }
}
