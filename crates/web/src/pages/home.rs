//! The page at `/`: what this is, for whoever came here by chance, and the operator's links.

use super::markup;
use super::shell::Shell;
use crate::texts::Words;

/// One link of the operator's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeLink {
    pub href: String,
    /// A key under `home.link` in the texts: `ready`, `embed`, `types`, `openapi`, `gallery`, `metrics`.
    pub name: &'static str,
}

impl HomeLink {
    pub fn new(href: impl Into<String>, name: &'static str) -> Self {
        Self { href: href.into(), name }
    }

    /// The link's words in the texts.
    pub fn key(&self) -> String {
        format!("home.link.{}", self.name)
    }
}

/// The page. Nothing secret is on it: it names no organization and no version.
#[derive(Debug, Clone)]
pub struct HomePage {
    pub shell: Shell,
    pub links: Vec<HomeLink>,
}

#[derive(askama::Template)]
#[template(path = "home.html")]
struct Whole<'a> {
    page: &'a HomePage,
    shell: &'a Shell,
    words: Words,
}

impl HomePage {
    pub fn render(&self) -> String {
        markup(&Whole { page: self, shell: &self.shell, words: Words::new(self.shell.locale) })
    }

    pub fn sample() -> Self {
        Self {
            shell: Shell::sample(),
            links: vec![
                HomeLink::new("/health/ready", "ready"),
                HomeLink::new("/embed/v1.js", "embed"),
                HomeLink::new("/embed/v1.d.ts", "types"),
                HomeLink::new("/gallery", "gallery"),
            ],
        }
    }
}
