//! The secret of an endpoint: what messages to it are signed with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::{Chance, SecretText};
use std::fmt;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
/// Standard Webhooks, section "Signature scheme": between 24 and 64 bytes.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// What is made here.
const OWN_BYTES: usize = 32;

/// A text that is not an endpoint's secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint's secret is `whsec_` and the base64 of 24 to 64 bytes")]
pub struct NotASecret;

/// The key behind `whsec_..`.
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointSecret(Zeroizing<Vec<u8>>);

impl EndpointSecret {
    /// 32 random bytes.
    pub fn new(chance: &dyn Chance) -> Self {
        Self(Zeroizing::new(chance.bytes::<OWN_BYTES>().to_vec()))
    }

    /// Reads `whsec_` and standard base64, as the receiver's library takes it.
    ///
    /// # Errors
    /// [`NotASecret`].
    pub fn parse(text: &str) -> Result<Self, NotASecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotASecret)?;
        let key = STANDARD.decode(encoded).map(Zeroizing::new).map_err(|_| NotASecret)?;
        if BYTES.contains(&key.len()) { Ok(Self(key)) } else { Err(NotASecret) }
    }

    /// The form that people and libraries know: for the one answer that shows it, and for sealing.
    pub fn text(&self) -> SecretText {
        SecretText::new(format!("{PREFIX}{}", STANDARD.encode(&*self.0)))
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for EndpointSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;

    #[test]
    fn a_secret_reads_back_and_hides_itself() {
        let secret = EndpointSecret::new(&SeededChance::new(3));
        assert_eq!(EndpointSecret::parse(secret.text().reveal()), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "EndpointSecret(..)");
    }

    #[test]
    fn what_is_too_short_or_too_long_is_none() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for bytes in [24, 32, 64] {
            assert!(EndpointSecret::parse(&of(bytes)).is_ok(), "{bytes}");
        }
        for text in [of(23), of(65), of(0), of(32).replace("whsec_", "whsk_"), "whsec_ä".to_owned()] {
            assert_eq!(EndpointSecret::parse(&text), Err(NotASecret), "{text}");
        }
    }
}
