//! What all pages share: language, colours, and the two parties that are being connected.

use crate::assets;
use crate::texts::Locale;
use kernel::{Color, Organization};
use serde::Serialize;
use std::fmt::Write as _;

/// Light or dark by the browser's wish, unless the embedding page (or the gallery) asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Auto,
    Light,
    Dark,
}

impl Scheme {
    /// From a query parameter; anything else is [`Scheme::Auto`].
    pub fn parse(text: Option<&str>) -> Self {
        match text {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// The value of `data-scheme` on the root element; empty for [`Scheme::Auto`].
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Auto => "",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// The frame of every page.
#[derive(Debug, Clone)]
pub struct Shell {
    pub locale: Locale,
    pub scheme: Scheme,
    /// The organization's colour, where it has one.
    pub theme: Option<Theme>,
    /// The nonce of this answer's `style-src`; random per answer, base64.
    pub nonce: String,
}

impl Shell {
    pub fn new(locale: Locale, color: Option<Color>, nonce: impl Into<String>) -> Self {
        Self { locale, scheme: Scheme::Auto, theme: color.map(Theme::of), nonce: nonce.into() }
    }

    #[must_use]
    pub const fn scheme(mut self, scheme: Scheme) -> Self {
        self.scheme = scheme;
        self
    }

    /// The address of an asset under its content-hashed name.
    pub fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }

    /// As the gallery shows it.
    pub fn sample() -> Self {
        Self::new(Locale::English, None, "c2FtcGxlLW5vbmNl")
    }
}

/// The organization's colour worked out for both schemes, so that text on it and text in it stay readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub light: Accent,
    pub dark: Accent,
}

/// One scheme's colours around the accent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accent {
    /// The colour itself: the primary action's ground.
    pub fill: Color,
    /// Text on `fill`: at least 4.5:1.
    pub on_fill: Color,
    /// Where `fill` goes under the pointer: away from `on_fill`, so that contrast only grows.
    pub shade: Color,
    /// The colour as text on paper and surface: at least 4.5:1 on both.
    pub text: Color,
    /// Outlines of the action: at least 3:1 on both, so that its edge is seen.
    pub edge: Color,
}

impl Accent {
    fn of(fill: Color, nearest_ground: Color) -> Self {
        let on_fill = fill.ink();
        let shade = if on_fill == Color::WHITE { Color::BLACK } else { Color::WHITE };
        let text = fill.readable_on(nearest_ground, 4.5);
        let edge = fill.readable_on(nearest_ground, 3.0);
        Self { fill, on_fill, shade, text, edge }
    }
}

impl Theme {
    /// Works the colours out against that ground of each scheme which is nearer to the middle: what reads on
    /// light paper reads on white, what reads on the dark surface reads on the dark paper.
    pub fn of(color: Color) -> Self {
        let ground = |text: &str, otherwise: Color| Color::parse(text).unwrap_or(otherwise);
        Self {
            light: Accent::of(color, ground(LIGHT_PAPER, Color::WHITE)),
            dark: Accent::of(color, ground(DARK_SURFACE, Color::BLACK)),
        }
    }

    /// Custom properties only: this is all that stands in the page's one inline style.
    pub fn css(&self) -> String {
        let mut css = String::from(":root{");
        for (scheme, accent) in [("light", self.light), ("dark", self.dark)] {
            for (name, color) in [
                ("fill", accent.fill),
                ("on", accent.on_fill),
                ("shade", accent.shade),
                ("text", accent.text),
                ("edge", accent.edge),
            ] {
                // Writing into a String does not fail.
                let _ = write!(css, "--{name}-{scheme}:{color};");
            }
        }
        css.push('}');
        css
    }
}

/// The paper of the light scheme and the surface of the dark one, as `assets/vestibule.css` has them.
pub const LIGHT_PAPER: &str = "#FBFAF7";
pub const DARK_SURFACE: &str = "#1C2024";

/// One of the two that are being connected: the organization, or the outside system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    pub name: String,
    /// A `data:image/...` or https URL; without one the first letter stands in.
    pub logo: Option<String>,
}

impl Party {
    pub fn new(name: impl Into<String>, logo: Option<String>) -> Self {
        Self { name: name.into(), logo }
    }

    /// The first letter or digit of the name, upper-cased.
    pub fn monogram(&self) -> String {
        self.name
            .chars()
            .find(|c| c.is_alphanumeric())
            .map(|c| c.to_uppercase().collect())
            .unwrap_or_default()
    }
}

impl From<&Organization> for Party {
    fn from(organization: &Organization) -> Self {
        Self::new(organization.name.clone(), organization.logo.clone())
    }
}

/// Whom the organization vouched for. Shown on every page of the dialog, so that nobody connects an account
/// to somebody else's tenant without seeing it (design `browser.md`, connection fixation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Display name, else full name, else the token's `sub`.
    pub name: String,
    /// Shown beside the name where it differs from it.
    pub email: Option<String>,
}

impl Person {
    pub fn new(name: impl Into<String>, email: Option<String>) -> Self {
        let name = name.into();
        let email = email.filter(|email| *email != name);
        Self { name, email }
    }

    /// `Anna Schmidt (anna@acme.example)`.
    pub fn line(&self) -> String {
        match &self.email {
            Some(email) => format!("{} ({email})", self.name),
            None => self.name.clone(),
        }
    }

    pub fn sample() -> Self {
        Self::new("Anna Schmidt", Some("anna@acme.example".to_owned()))
    }
}
