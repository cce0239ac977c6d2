//! Percent-encoding of one value inside an address (RFC 3986, section 2).

/// Everything except letters, digits and `-._~` becomes `%XX`: such a text means the same in a path segment, in
/// a query and in a form.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
