//! An organization: a company that embeds our pages (first door) or vouches for its users (second door).

use crate::Time;
use crate::ids::OrganizationId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where things live: each environment has its own public URL, keys, origins and tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    Production,
    Sandbox,
}

impl Environment {
    pub const ALL: [Self; 2] = [Self::Production, Self::Sandbox];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Sandbox => "sandbox",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| environment.as_str() == text)
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no slug, brand or colour.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameRefused {
    #[error("`{0}` must be 1 to 63 lower-case letters and digits, with `-` or `_` inside")]
    Form(String),
    #[error("`{0}` is taken by a path of the gateway itself; choose another name")]
    Reserved(String),
    #[error("`{0}` is not a colour; write it as #rrggbb")]
    Color(String),
}

/// First segments of the gateway's own paths: no organization may be called like one of them, or its pages
/// could not be reached (contract `connect.md`, section 2). A test holds this list against the route table.
pub const RESERVED: &[&str] = &[
    "admin",
    "api",
    "assets",
    "callback",
    "connect",
    "connector",
    "connectors",
    "dashboard",
    "demo",
    "dialogs",
    "docs",
    "embed",
    "enter",
    "favicon.ico",
    "gallery",
    "health",
    "hub",
    "iam.v1.useriam",
    "link",
    "login",
    "logout",
    "metrics",
    "oauth2",
    "openapi.json",
    "reports",
    "robots.txt",
    "service-gateway",
    "session",
    "sso",
    "start",
    "static",
    "tenants",
    "v1",
    "v2",
    "webhooks",
    "well-known",
];

fn is_slug(text: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    (1..=63).contains(&text.len())
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_')
}

fn shortened(text: &str) -> String {
    text.chars().take(63).collect()
}

/// A name in a URL: of an organization, a connector or an integration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// # Errors
    /// [`NameRefused::Form`].
    pub fn parse(text: &str) -> Result<Self, NameRefused> {
        if is_slug(text) { Ok(Self(text.to_owned())) } else { Err(NameRefused::Form(shortened(text))) }
    }

    /// A slug for an organization: the gateway's own first path segments are refused.
    ///
    /// # Errors
    /// [`NameRefused::Form`], [`NameRefused::Reserved`].
    pub fn for_organization(text: &str) -> Result<Self, NameRefused> {
        let slug = Self::parse(text)?;
        let reserved = RESERVED.contains(&text) || text.starts_with("sso.");
        if reserved { Err(NameRefused::Reserved(text.to_owned())) } else { Ok(slug) }
    }

    /// A connector's name: `connector` is the literal path segment that means "the one outside connector".
    ///
    /// # Errors
    /// [`NameRefused::Form`], [`NameRefused::Reserved`].
    pub fn for_connector(text: &str) -> Result<Self, NameRefused> {
        let slug = Self::parse(text)?;
        if text == "connector" { Err(NameRefused::Reserved(text.to_owned())) } else { Ok(slug) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl TryFrom<String> for Slug {
    type Error = NameRefused;
    fn try_from(text: String) -> Result<Self, NameRefused> {
        Self::parse(&text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> String {
        slug.0
    }
}

/// The word before messages to the parent window (`{brand}-success`); `vestibule` unless the organization
/// chooses another. With `pandium` the published names come out byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Brand(String);

impl Brand {
    /// # Errors
    /// [`NameRefused::Form`].
    pub fn parse(text: &str) -> Result<Self, NameRefused> {
        Slug::parse(text).map(|slug| Self(slug.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Brand {
    fn default() -> Self {
        Self("vestibule".to_owned())
    }
}

/// An sRGB colour, `#rrggbb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    red: u8,
    green: u8,
    blue: u8,
}

impl Color {
    pub const WHITE: Self = Self { red: 255, green: 255, blue: 255 };
    pub const BLACK: Self = Self { red: 0, green: 0, blue: 0 };

    /// # Errors
    /// [`NameRefused::Color`].
    pub fn parse(text: &str) -> Result<Self, NameRefused> {
        let refused = || NameRefused::Color(shortened(text));
        let digits = text.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii()).ok_or_else(refused)?;
        let part = |at: usize| {
            digits.get(at..at + 2).and_then(|d| u8::from_str_radix(d, 16).ok()).ok_or_else(refused)
        };
        Ok(Self { red: part(0)?, green: part(2)?, blue: part(4)? })
    }

    /// Relative luminance, 0 (black) to 1 (white): WCAG 2.2, "relative luminance".
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// Contrast ratio from 1 to 21: WCAG 2.2, "contrast ratio".
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Black or white, whichever reads better on this colour. One of them always has at least 4.58.
    pub fn ink(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// This colour moved towards black or white just so far that it has `ratio` on `paper`: for text and
    /// outlines in the organization's colour.
    #[must_use]
    pub fn readable_on(self, paper: Self, ratio: f64) -> Self {
        let goal = paper.ink();
        let mix = |step: u16| {
            let blend = |from: u8, to: u8| {
                let value = (u32::from(from) * u32::from(32 - step) + u32::from(to) * u32::from(step)) / 32;
                u8::try_from(value).unwrap_or(u8::MAX)
            };
            Self {
                red: blend(self.red, goal.red),
                green: blend(self.green, goal.green),
                blue: blend(self.blue, goal.blue),
            }
        };
        (0..=32).map(mix).find(|color| color.contrast(paper) >= ratio).unwrap_or(goal)
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// An organization as both doors see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    pub id: OrganizationId,
    pub slug: Slug,
    /// What people read: "Acme".
    pub name: String,
    pub brand: Brand,
    pub color: Option<Color>,
    /// A `data:image/...` URL or an https URL; at most 32 KiB.
    pub logo: Option<String>,
    /// Moves with every change of anything that belongs to the organization's configuration, so that a cache
    /// can tell whether it is still true.
    pub config_version: i64,
    pub created: Time,
    pub disabled: bool,
}

impl Organization {
    /// `production-acme`: the published `namespace` and `realm_id` (contract `connect.md`, section 5).
    pub fn namespace(&self, environment: Environment) -> String {
        format!("{environment}-{}", self.slug)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_organization_cannot_take_our_own_paths() {
        for taken in ["static", "v1", "v2", "oauth2", "embed", "health", "metrics", "sso.v1"] {
            assert!(Slug::for_organization(taken).is_err(), "{taken}");
        }
        assert!(Slug::for_organization("acme").is_ok());
        assert!(matches!(Slug::for_connector("connector"), Err(NameRefused::Reserved(_))));
        for bad in ["", "-a", "a-", "A", "a b", "a/b", "ä", "..", &"x".repeat(64)] {
            assert!(Slug::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn contrast_as_wcag_has_it() {
        assert!((Color::BLACK.contrast(Color::WHITE) - 21.0).abs() < 0.01);
        assert_eq!(Color::parse("#0F6B5C").unwrap().ink(), Color::WHITE);
        assert_eq!(Color::parse("#ffdd00").unwrap().ink(), Color::BLACK);
        assert!(
            Color::parse("red").is_err()
                && Color::parse("#12345").is_err()
                && Color::parse("#1é345").is_err()
        );
    }

    proptest! {
        #[test]
        fn ink_is_always_readable(red: u8, green: u8, blue: u8) {
            let color = Color { red, green, blue };
            prop_assert!(color.contrast(color.ink()) >= 4.5);
            for paper in [Color::WHITE, Color::parse("#1C2024").unwrap()] {
                prop_assert!(color.readable_on(paper, 4.5).contrast(paper) >= 4.5);
            }
        }
    }
}
