//! The page of a start link that our own framed page did not open.

use super::markup;
use super::shell::{Party, Person, Shell};
use crate::texts::Words;

/// Says for whom this connects, warns, and has one plain link onwards: no button, nothing that goes by itself.
///
/// Decision: whoever arrives here from elsewhere reads whose connection it is before going on, and must type
/// a code afterwards. Attack: a start link sent to another person, who would connect *their* account to the
/// sender's tenant. Trade: one more page for people whose browser does not tell where a click came from.
#[derive(Debug, Clone)]
pub struct StartPage {
    pub shell: Shell,
    pub organization: Party,
    pub system: Party,
    pub person: Person,
    /// Where the sign-in begins, with the same ticket.
    pub continue_url: String,
}

#[derive(askama::Template)]
#[template(path = "start.html")]
struct Whole<'a> {
    page: &'a StartPage,
    shell: &'a Shell,
    words: Words,
}

impl StartPage {
    pub fn render(&self) -> String {
        let words = Words::new(self.shell.locale)
            .with("app", &self.organization.name)
            .with("system", &self.system.name)
            .with("person", self.person.line());
        markup(&Whole { page: self, shell: &self.shell, words })
    }

    pub fn sample() -> Self {
        Self {
            shell: Shell::sample(),
            organization: Party::new("Acme", None),
            system: Party::new("HubSpot", None),
            person: Person::sample(),
            continue_url: "/start/sample?understood=1".to_owned(),
        }
    }
}
