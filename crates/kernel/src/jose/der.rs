//! As much of DER as a public key in PEM needs (RFC 5280 SubjectPublicKeyInfo, RFC 8017 RSAPublicKey).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT: u8 = 0x06;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// What stands in a public key's PEM, unchecked as a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Spki {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { point: Vec<u8> },
    Ed25519 { x: Vec<u8> },
}

/// Reads `-----BEGIN PUBLIC KEY-----`. `None` for any other label, curve or form.
pub(super) fn read_pem(text: &str) -> Option<Spki> {
    let body =
        text.trim().strip_prefix("-----BEGIN PUBLIC KEY-----")?.strip_suffix("-----END PUBLIC KEY-----")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(body).ok()?;
    let mut whole = Reader(&bytes);
    let mut info = Reader(whole.take(SEQUENCE)?);
    whole.end()?;
    let mut kind = Reader(info.take(SEQUENCE)?);
    let key = info.take(BIT_STRING)?.strip_prefix(&[0])?;
    info.end()?;
    match kind.take(OBJECT)? {
        RSA => read_rsa(key),
        EC if kind.take(OBJECT)? == P256 => Some(Spki::P256 { point: key.to_vec() }),
        ED25519 => Some(Spki::Ed25519 { x: key.to_vec() }),
        _ => None,
    }
}

/// An `RSAPublicKey`: modulus and exponent without leading zeros.
pub(super) fn read_rsa(der: &[u8]) -> Option<Spki> {
    let mut whole = Reader(der);
    let mut key = Reader(whole.take(SEQUENCE)?);
    whole.end()?;
    let bare = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    let (n, e) = (bare(key.take(INTEGER)?), bare(key.take(INTEGER)?));
    key.end()?;
    Some(Spki::Rsa { n, e })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next value, which must have `tag`.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&seen, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (seen == tag).then_some(content)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
