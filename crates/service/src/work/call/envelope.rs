//! A large JSON answer as the `data` of another JSON document, without ever holding the whole of it.

/// Follows a JSON text as it comes, as far as its outline goes: that it is exactly one value.
///
/// Decision: what is passed on inside `{"data": ..}` must not be able to end it. Attack: an outside system that answers
/// `1, "data": 2` would write members of our own answer. Trade: mistakes inside the value are left for the reader.
#[derive(Debug, Default)]
pub(super) struct OneValue {
    state: State,
    depth: usize,
    in_text: bool,
    escaped: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    Inside,
    After,
}

impl OneValue {
    /// Takes the next bytes; `false` where they can't belong to one object or list.
    pub(super) fn takes(&mut self, bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| self.takes_byte(*byte))
    }

    /// Whether the value is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.state == State::After
    }

    fn takes_byte(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return true;
        }
        match (self.state, byte) {
            (State::Before | State::After, b' ' | b'\t' | b'\r' | b'\n') => true,
            (State::Before | State::Inside, b'{' | b'[') => {
                self.state = State::Inside;
                self.depth += 1;
                true
            }
            (State::Inside, b'}' | b']') => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.state = State::After;
                }
                true
            }
            (State::Inside, b'"') => {
                self.in_text = true;
                true
            }
            (State::Inside, _) => true,
            (State::Before | State::After, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_one(text: &str) -> bool {
        let mut whole = OneValue::default();
        let taken = whole.takes(text.as_bytes()) && whole.is_whole();
        // However it is cut, the outcome is the same.
        for at in 0..=text.len() {
            let (first, rest) = text.as_bytes().split_at(at);
            let mut cut = OneValue::default();
            assert_eq!(cut.takes(first) && cut.takes(rest) && cut.is_whole(), taken, "{text} at {at}");
        }
        taken
    }

    #[test]
    fn one_object_or_list_and_nothing_else() {
        for good in [r#"{}"#, "[]", " \r\n[1, {\"a\": \"]}\\\"\"}] \n", r#"{"a":"\\"}"#, r#"["\\\"]"]"#] {
            assert!(is_one(good), "{good}");
        }
        for bad in [
            "",
            " ",
            "1",
            "\"x\"",
            "null",
            "{",
            "[1",
            r#"{"a":"}"#,
            "{}{}",
            "{},\"data\":1",
            "[]]",
            "}",
            "]",
            r#"{"a":"\"}"#,
            "[1] x",
            "// x\n{}",
        ] {
            assert!(!is_one(bad), "{bad}");
        }
    }
}
