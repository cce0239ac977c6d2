//! Languages, and how one is chosen.

use std::borrow::Cow;

/// A language the pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Locale {
    English,
    German,
    /// English set from right to left, for the gallery and the tests: it shows at a glance what does not
    /// mirror. Never negotiated.
    Mirrored,
}

impl Locale {
    /// Those that a person can get.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// BCP 47; `ar-XB` is the usual name of the mirrored one.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::Mirrored => "ar-XB",
        }
    }

    /// The value of `dir` on the root element.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::English | Self::German => "ltr",
            Self::Mirrored => "rtl",
        }
    }

    /// The language of a BCP 47 tag: its first part decides, `de-CH` is German.
    pub fn parse(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(language))
    }

    /// The first of `ui_locales` (separated by spaces, in the order of preference: OpenID Connect Core,
    /// section 3.1.2.1) that we have; else the best of `Accept-Language` (RFC 9110, section 12.5.4); else
    /// English.
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let asked = ui_locales.unwrap_or_default().split_whitespace().find_map(Self::parse);
        asked.or_else(|| Self::accepted(accept_language?)).unwrap_or(Self::English)
    }

    fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for range in header.split(',').take(32) {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1.0, weight);
            let locale = if tag == "*" { Some(Self::English) } else { Self::parse(tag) };
            // Strictly better only: of equals the first one stands.
            if let Some(locale) = locale.filter(|_| weight > best.map_or(0.0, |(seen, _)| seen)) {
                best = Some((weight, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }
}

fn weight(text: &str) -> f32 {
    text.trim().parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0)
}

/// A value as it may stand in a sentence: set apart from its surroundings where these run the other way.
pub fn isolated(locale: Locale, value: &str) -> Cow<'_, str> {
    if locale.direction() == "rtl" {
        Cow::Owned(format!("\u{2068}{value}\u{2069}"))
    } else {
        Cow::Borrowed(value)
    }
}

/// A text with each run between placeholders set from right to left.
pub(super) fn mirrored(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for (index, part) in text.split('{').enumerate() {
        let run = match part.split_once('}') {
            Some((name, run)) if index > 0 => {
                out.push('{');
                out.push_str(name);
                out.push('}');
                run
            }
            _ => part,
        };
        if !run.is_empty() {
            out.push('\u{202e}');
            out.push_str(run);
            out.push('\u{202c}');
        }
    }
    out
}
