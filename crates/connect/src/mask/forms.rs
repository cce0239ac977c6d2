//! How a value may look where a program prints it.

use super::SHORTEST;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

/// Lines of a value that are masked by themselves are at least this long: a key in PEM has its secret in long ones.
const LINE: usize = 16;

/// Bytes besides letters and digits that percent-encoding leaves as they are: RFC 3986, JavaScript's
/// `encodeURIComponent`, Python's `quote`, forms.
const LEFT_AS_THEY_ARE: [&[u8]; 4] = [b"-._~", b"-._~!'()*", b"-._~/", b"-._*"];

/// All forms of a value; none of one that is too short.
pub fn of(value: &str) -> Vec<Vec<u8>> {
    let trimmed = value.trim();
    if trimmed.chars().count() < SHORTEST {
        return Vec::new();
    }
    let mut all = printed(value);
    all.extend(printed(trimmed));
    let lines = trimmed.lines().map(str::trim).filter(|line| line.len() >= LINE && *line != trimmed);
    all.extend(lines.flat_map(printed));
    all
}

fn printed(value: &str) -> Vec<Vec<u8>> {
    let mut all = vec![value.as_bytes().to_vec()];
    all.extend(in_json(value).into_iter().map(String::into_bytes));
    all.extend(percent_encoded(value.as_bytes()).into_iter().map(String::into_bytes));
    all.extend(in_base64(value.as_bytes()).into_iter().map(String::into_bytes));
    all
}

/// Inside the quotes of a JSON string: as this library writes it, with everything beyond ASCII escaped, and with the
/// slash escaped; and once more where JSON stands inside JSON.
fn in_json(value: &str) -> Vec<String> {
    let quoted = quoted(value);
    let ascii = ascii_only(&quoted);
    let slashes = |text: &str| text.replace('/', "\\/");
    let twice = [&quoted, &ascii].map(|once| self::quoted(once));
    let mut all = vec![slashes(&quoted), slashes(&ascii), quoted, ascii];
    all.extend(twice);
    all
}

fn quoted(value: &str) -> String {
    let text = serde_json::Value::from(value).to_string();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&text).to_owned()
}

fn ascii_only(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            escaped.push(letter);
        } else {
            let mut units = [0; 2];
            letter
                .encode_utf16(&mut units)
                .iter()
                .for_each(|unit| escaped.push_str(&format!("\\u{unit:04x}")));
        }
    }
    escaped
}

fn percent_encoded(value: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for kept in LEFT_AS_THEY_ARE {
        let upper = percent(value, kept);
        let lower = lower_escapes(&upper);
        all.extend([upper.replace("%20", "+"), lower.replace("%20", "+"), upper, lower]);
    }
    all
}

fn percent(value: &[u8], kept: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii_alphanumeric() || kept.contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn lower_escapes(text: &str) -> String {
    let mut since = 3;
    let lowered = text.chars().map(|letter| {
        since = if letter == '%' { 0 } else { since + 1 };
        if since <= 2 { letter.to_ascii_lowercase() } else { letter }
    });
    lowered.collect()
}

/// What of a base64 text depends on the value alone, wherever in the encoded bytes it begins, and the whole of its own.
fn in_base64(value: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    for alphabet in [&STANDARD, &URL_SAFE] {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        all.push(engine.encode(value));
        // Behind one byte the first two characters depend on that too, behind two the first three.
        for (before, shared) in [(0, 0), (1, 2), (2, 3)] {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(value);
            let own = (bytes.len() * 8) / 6;
            let text = engine.encode(&bytes);
            all.extend(text.get(shared..own).filter(|own| own.len() >= SHORTEST).map(str::to_owned));
        }
    }
    all
}
