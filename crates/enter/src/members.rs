//! JSON objects, member by member: as values, or written straight into a text that every client in the field decodes.

use serde_json::{Map, Value, json};

/// An object that grows.
pub(crate) trait Members {
    fn text(&mut self, name: &'static str, text: &str);
    fn number(&mut self, name: &'static str, number: i64);
    fn flag(&mut self, name: &'static str, flag: bool);
    fn texts(&mut self, name: &'static str, texts: &[String]);
    /// An object of one text.
    fn object(&mut self, name: &'static str, member: &'static str, text: &str);
}

impl Members for Map<String, Value> {
    fn text(&mut self, name: &'static str, text: &str) {
        self.insert(name.to_owned(), Value::String(text.to_owned()));
    }

    fn number(&mut self, name: &'static str, number: i64) {
        self.insert(name.to_owned(), json!(number));
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.insert(name.to_owned(), Value::Bool(flag));
    }

    fn texts(&mut self, name: &'static str, texts: &[String]) {
        self.insert(name.to_owned(), json!(texts));
    }

    fn object(&mut self, name: &'static str, member: &'static str, text: &str) {
        self.insert(name.to_owned(), json!({ member: text }));
    }
}

/// Compact JSON in ASCII without `>`, `?`, `~` and DEL, as it is written.
///
/// Some clients decode a token's payload as plain base64. Its alphabet differs from base64url's only in the
/// digits 62 and 63, which ASCII text yields only through these four characters.
#[derive(Debug)]
pub(crate) struct AsciiObject {
    text: String,
}

impl Default for AsciiObject {
    fn default() -> Self {
        Self { text: String::with_capacity(1024) }
    }
}

impl AsciiObject {
    /// The finished object.
    pub(crate) fn end(mut self) -> String {
        self.text.push_str(if self.text.is_empty() { "{}" } else { "}" });
        self.text
    }

    fn begin(&mut self, name: &str) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        quoted(name, &mut self.text);
        self.text.push(':');
    }
}

impl Members for AsciiObject {
    fn text(&mut self, name: &'static str, text: &str) {
        self.begin(name);
        quoted(text, &mut self.text);
    }

    fn number(&mut self, name: &'static str, number: i64) {
        self.begin(name);
        self.text.push_str(&number.to_string());
    }

    fn flag(&mut self, name: &'static str, flag: bool) {
        self.begin(name);
        self.text.push_str(if flag { "true" } else { "false" });
    }

    fn texts(&mut self, name: &'static str, texts: &[String]) {
        self.begin(name);
        self.text.push('[');
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            quoted(text, &mut self.text);
        }
        self.text.push(']');
    }

    fn object(&mut self, name: &'static str, member: &'static str, text: &str) {
        self.begin(name);
        self.text.push('{');
        quoted(member, &mut self.text);
        self.text.push(':');
        quoted(text, &mut self.text);
        self.text.push('}');
    }
}

/// Whether it stands in a text as it is.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'}') && !matches!(byte, b'"' | b'\\' | b'>' | b'?')
}

fn quoted(text: &str, into: &mut String) {
    into.push('"');
    if text.bytes().all(is_plain) {
        into.push_str(text);
    } else {
        for c in text.chars() {
            match c {
                '"' => into.push_str("\\\""),
                '\\' => into.push_str("\\\\"),
                c if u8::try_from(c).is_ok_and(is_plain) => into.push(c),
                c => escaped(c, into),
            }
        }
    }
    into.push('"');
}

/// `\u` and four digits, twice for what lies beyond the first plane.
pub(crate) fn escaped(c: char, into: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        into.push_str(&format!("\\u{unit:04x}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_values(
            texts in prop::collection::vec("[ -~\\PC\u{0}-\u{1f}\u{7f}]{0,20}", 3),
            number: i64,
            flag: bool,
        ) {
            let (mut written, mut values) = (AsciiObject::default(), Map::new());
            for into in [&mut written as &mut dyn Members, &mut values] {
                into.text("a", &texts[0]);
                into.number("b", number);
                into.flag("c", flag);
                into.texts("d", &texts);
                into.object("e", "sub", &texts[1]);
            }
            let text = written.end();
            let is_safe = text.bytes().all(|byte| matches!(byte, b' '..=b'}') && !matches!(byte, b'>' | b'?'));
            prop_assert!(is_safe, "{text}");
            prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), Value::Object(values));
        }
    }

    #[test]
    fn nothing_is_an_object_too() {
        assert_eq!(AsciiObject::default().end(), "{}");
    }
}
