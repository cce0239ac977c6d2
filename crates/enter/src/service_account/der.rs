//! As much of DER as private keys in PEM need: SEC 1 (RFC 5915) written, PKCS#1 taken out of PKCS#8 (RFC 5958).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// An `ECPrivateKey` of P-256 up to the scalar: SEQUENCE of 119 bytes, version 1, OCTET STRING of 32.
const BEFORE_SCALAR: [u8; 7] = [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20];
/// Between scalar and point: `[0]` with the OID of P-256, `[1]` with a BIT STRING of 65 bytes.
const BEFORE_POINT: [u8; 17] =
    [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0xa1, 0x44, 0x03, 0x42, 0x00];

/// The 121 bytes of a P-256 key with curve and public key, as SDKs in the field require them.
pub(super) fn sec1(scalar: &[u8; 32], point: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([BEFORE_SCALAR.as_slice(), scalar, &BEFORE_POINT, point].concat())
}

/// The `RSAPrivateKey` inside a PKCS#8 text.
pub(super) fn pkcs1_of(pkcs8: &[u8]) -> Option<&[u8]> {
    let (outer, _) = value(pkcs8, 0x30)?;
    let (_, rest) = value(outer, 0x02)?;
    let (_, rest) = value(rest, 0x30)?;
    value(rest, 0x04).map(|(key, _)| key)
}

/// The content of the value at the front, which must have `tag`, and what follows it.
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&seen, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (seen == tag).then(|| rest.split_at_checked(length))?
}

/// PEM with lines of 64 characters (RFC 7468).
pub(super) fn pem(label: &str, der: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(der));
    let mut text = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for (at, c) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    text
}

/// The content of a PEM with this label.
pub(super) fn unpem(label: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let body = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let body = body.strip_suffix(&format!("-----END {label}-----"))?;
    let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    STANDARD.decode(body.as_bytes()).ok().map(Zeroizing::new)
}
