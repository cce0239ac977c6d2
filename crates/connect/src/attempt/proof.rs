//! What proves that the two ends of a sign-in belong together: PKCE and the short code.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Chance, Plain, SecretText};

/// A PKCE verifier: 256 random bits, 43 characters (RFC 7636, section 4.1).
pub fn pkce_verifier(chance: &dyn Chance) -> SecretText {
    SecretText::new(Plain::new(chance).reveal())
}

/// The S256 challenge of a PKCE verifier (RFC 7636, section 4.2).
pub fn pkce_challenge(verifier: &SecretText) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.reveal().as_bytes()))
}

/// Letters and digits that are not taken for each other: no 0, 1, I, L, O, U.
const ALPHABET: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The short code that a person carries from the outside system's window into the waiting page: six of 30
/// characters. It is no secret that stands alone: the attempt it belongs to takes five tries.
pub fn short_code(chance: &dyn Chance) -> String {
    // 64 random bits leave a bias of less than 2^-34 among 30^6 codes.
    let mut drawn = u64::from_be_bytes(chance.bytes::<8>());
    let mut code = String::with_capacity(6);
    for _ in 0..6 {
        let at = usize::try_from(drawn % 30).unwrap_or(0);
        code.push(ALPHABET.get(at).copied().map_or('2', char::from));
        drawn /= 30;
    }
    code
}

/// Whether `typed` is the code `expected`: in any case, blanks and dashes anywhere, compared in constant time.
pub fn code_matches(expected: &str, typed: &str) -> bool {
    let plain = |text: &str| -> Vec<u8> {
        let kept = text
            .chars()
            .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—' | '\u{2010}' | '\u{2011}'));
        kept.take(64).collect::<String>().to_ascii_uppercase().into_bytes()
    };
    let expected = plain(expected);
    !expected.is_empty() && verify_slices_are_equal(&expected, &plain(typed)).is_ok()
}
