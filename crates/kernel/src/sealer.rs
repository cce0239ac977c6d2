//! Sealing at rest: AES-256-GCM under a data key per organization, itself wrapped by a master key.
//!
//! A sealed text is `v1.{key id}.{base64url(nonce ‖ ciphertext ‖ tag)}`. The *place* it is for (for example
//! `connection:con_01...`) is authenticated with it, so that a value copied into another row does not open.

use crate::Chance;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// Why a sealed text does not open. None of these says anything about the content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the sealed value is not in a form this version knows")]
    Form,
    #[error("the sealed value names key `{0}`, which is not loaded; add that master key to the settings")]
    UnknownKey(String),
    #[error("the sealed value does not open: it was changed, moved or sealed under another key")]
    DoesNotOpen,
    #[error("a master key is 32 bytes, as 64 hexadecimal digits or in base64")]
    KeyForm,
}

/// A sealed value as a column holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    pub fn from_stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which key opens it.
    ///
    /// # Errors
    /// [`SealError::Form`] where the text is no sealed value.
    pub fn key_id(&self) -> Result<&str, SealError> {
        parts(self).map(|(id, _)| id)
    }
}

/// A data key sealed under a master key, as a column holds it.
pub type WrappedKey = Sealed;

struct Key {
    id: String,
    key: LessSafeKey,
}

impl Key {
    fn new(id: &str, bytes: &[u8]) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| SealError::KeyForm)?;
        Ok(Self { id: id.to_owned(), key: LessSafeKey::new(key) })
    }

    fn seal(&self, place: &str, content: &[u8], chance: &dyn Chance) -> Sealed {
        let nonce = chance.bytes::<NONCE_LEN>();
        let mut body = content.to_vec();
        let aad = Aad::from(place.as_bytes());
        let sealed = self.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut body);
        if sealed.is_err() {
            // Only a content of more than 64 GiB fails. An empty body never opens, so nothing leaks.
            body.zeroize();
            body.clear();
        }
        let mut bytes = nonce.to_vec();
        bytes.append(&mut body);
        Sealed(format!("v1.{}.{}", self.id, URL_SAFE_NO_PAD.encode(bytes)))
    }

    fn open(&self, place: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (_, body) = parts(sealed)?;
        let mut bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| SealError::Form)?;
        if bytes.len() < NONCE_LEN {
            return Err(SealError::Form);
        }
        let mut body = bytes.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&bytes).map_err(|_| SealError::Form)?;
        let opened = self.key.open_in_place(nonce, Aad::from(place.as_bytes()), &mut body);
        let length = opened.map_err(|_| SealError::DoesNotOpen)?.len();
        body.truncate(length);
        Ok(Zeroizing::new(body))
    }
}

fn parts(sealed: &Sealed) -> Result<(&str, &str), SealError> {
    let rest = sealed.0.strip_prefix("v1.").ok_or(SealError::Form)?;
    rest.rsplit_once('.').ok_or(SealError::Form)
}

/// A 256-bit key from the operator that wraps data keys. Its id is the first 8 hexadecimal digits of the
/// SHA-256 of its bytes, so that two machines with the same key agree on it.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    bytes: Zeroizing<[u8; 32]>,
}

impl MasterKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        let id = crate::secret::sha256_hex(&bytes).chars().take(8).collect();
        Self { id, bytes: Zeroizing::new(bytes) }
    }

    /// Reads 64 hexadecimal digits or base64 (either alphabet) of 32 bytes; white space around is ignored.
    ///
    /// # Errors
    /// [`SealError::KeyForm`]; the message never repeats the text.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let text = text.trim();
        let hex = || {
            (text.len() == 64 && text.is_ascii()).then(|| {
                (0..32)
                    .map(|i| u8::from_str_radix(text.get(i * 2..i * 2 + 2)?, 16).ok())
                    .collect::<Option<Vec<u8>>>()
            })?
        };
        let plain = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
        let bytes = hex().or_else(|| URL_SAFE_NO_PAD.decode(plain).ok()).ok_or(SealError::KeyForm)?;
        Ok(Self::new(bytes.try_into().map_err(|_| SealError::KeyForm)?))
    }

    /// 64 hexadecimal digits: for the file that keeps it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(crate::secret::hex(&*self.bytes))
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    /// 32 bytes for one purpose (a MAC key for tickets, for example), independent of every other purpose:
    /// HMAC-SHA-256 of the purpose under the master key.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &*self.bytes);
        let tag = aws_lc_rs::hmac::sign(&key, purpose.as_bytes());
        let mut out = Zeroizing::new([0; 32]);
        for (to, from) in out.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        out
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// The master keys that are loaded: the first wraps, all unwrap. That is how a master key is rotated.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    current: MasterKey,
    older: Vec<MasterKey>,
}

impl MasterKeys {
    pub fn new(current: MasterKey, older: Vec<MasterKey>) -> Self {
        Self { current, older }
    }

    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// Seals `content` for `place` under the current master key itself: for the few secrets of the gateway's own,
    /// which belong to no organization and so to no data key.
    ///
    /// # Errors
    /// [`SealError::KeyForm`]; a master key of 32 bytes never fails.
    pub fn seal(&self, place: &str, content: &[u8], chance: &dyn Chance) -> Result<Sealed, SealError> {
        Ok(Key::new(&self.current.id, &*self.current.bytes)?.seal(&own_place(place), content, chance))
    }

    /// Opens what [`Self::seal`] sealed for the same place.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] where its master key is not loaded, [`SealError::DoesNotOpen`] where it was changed
    /// or moved.
    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let master = self.that_sealed(sealed)?;
        Key::new(&master.id, &*master.bytes)?.open(&own_place(place), sealed)
    }

    /// The same content sealed by the current master key; `None` where that has sealed it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn resealed(
        &self,
        place: &str,
        sealed: &Sealed,
        chance: &dyn Chance,
    ) -> Result<Option<Sealed>, SealError> {
        if self.that_sealed(sealed)?.id == self.current.id {
            return Ok(None);
        }
        self.seal(place, &self.open(place, sealed)?, chance).map(Some)
    }

    fn that_sealed(&self, sealed: &Sealed) -> Result<&MasterKey, SealError> {
        let (id, _) = parts(sealed)?;
        let found = std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id);
        found.ok_or_else(|| SealError::UnknownKey(id.to_owned()))
    }

    /// A fresh data key for `owner` (an organization's id) and its wrapped form to store.
    pub fn new_data_key(
        &self,
        id: &str,
        owner: &str,
        chance: &dyn Chance,
    ) -> Result<(DataKey, WrappedKey), SealError> {
        let bytes = Zeroizing::new(chance.bytes::<32>());
        let wrapped =
            Key::new(&self.current.id, &*self.current.bytes)?.seal(&wrap_place(id, owner), &*bytes, chance);
        Ok((DataKey(Key::new(id, &*bytes)?), wrapped))
    }

    /// The same data key wrapped by the current master key; `None` where that has wrapped it.
    ///
    /// # Errors
    /// As [`Self::unwrap_data_key`].
    pub fn rewrapped(
        &self,
        id: &str,
        owner: &str,
        wrapped: &WrappedKey,
        chance: &dyn Chance,
    ) -> Result<Option<WrappedKey>, SealError> {
        let found = self.that_sealed(wrapped)?;
        if found.id == self.current.id {
            return Ok(None);
        }
        let place = wrap_place(id, owner);
        let bytes = Key::new(&found.id, &*found.bytes)?.open(&place, wrapped)?;
        Ok(Some(Key::new(&self.current.id, &*self.current.bytes)?.seal(&place, &bytes, chance)))
    }

    /// # Errors
    /// [`SealError::UnknownKey`] where the master key that wrapped it is not loaded.
    pub fn unwrap_data_key(&self, id: &str, owner: &str, wrapped: &WrappedKey) -> Result<DataKey, SealError> {
        let found = self.that_sealed(wrapped)?;
        let bytes = Key::new(&found.id, &*found.bytes)?.open(&wrap_place(id, owner), wrapped)?;
        Ok(DataKey(Key::new(id, &bytes)?))
    }
}

/// Differs from every data key's, whatever `place` is.
fn own_place(place: &str) -> String {
    format!("gateway:{place}")
}

fn wrap_place(id: &str, owner: &str) -> String {
    format!("data-key:{owner}:{id}")
}

/// A data key of one organization, unwrapped. Seals and opens that organization's secrets.
pub struct DataKey(Key);

impl DataKey {
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Seals `content` for `place`; it opens only with the same place.
    pub fn seal(&self, place: &str, content: &[u8], chance: &dyn Chance) -> Sealed {
        self.0.seal(place, content, chance)
    }

    /// # Errors
    /// [`SealError::UnknownKey`] where it was sealed under another data key, [`SealError::DoesNotOpen`] where
    /// it was changed or moved.
    pub fn open(&self, place: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, _) = parts(sealed)?;
        if id == self.0.id { self.0.open(place, sealed) } else { Err(SealError::UnknownKey(id.to_owned())) }
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({})", self.0.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededChance;
    use proptest::prelude::*;

    fn keys(seed: u8) -> MasterKeys {
        MasterKeys::new(MasterKey::new([seed; 32]), vec![])
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place() {
        let chance = SeededChance::new(1);
        let (key, wrapped) = keys(1).new_data_key("k1", "org_a", &chance).unwrap();
        let sealed = key.seal("connection:1", b"token", &chance);
        assert!(!sealed.as_str().contains("token"));
        assert_eq!(&**key.open("connection:1", &sealed).unwrap(), b"token");
        assert_eq!(key.open("connection:2", &sealed).unwrap_err(), SealError::DoesNotOpen);
        let again = keys(1).unwrap_data_key("k1", "org_a", &wrapped).unwrap();
        assert_eq!(&**again.open("connection:1", &sealed).unwrap(), b"token");
        assert_eq!(keys(1).unwrap_data_key("k1", "org_b", &wrapped).unwrap_err(), SealError::DoesNotOpen);
        assert!(matches!(keys(2).unwrap_data_key("k1", "org_a", &wrapped), Err(SealError::UnknownKey(_))));
    }

    #[test]
    fn what_an_older_master_key_sealed_is_sealed_by_the_current_one_once() {
        let chance = SeededChance::new(1);
        let (data, wrapped) = keys(1).new_data_key("k1", "org_a", &chance).unwrap();
        let sealed = data.seal("connection:1", b"token", &chance);
        let own = keys(1).seal("issuer-key:1", b"private", &chance).unwrap();
        let rotated = MasterKeys::new(MasterKey::new([2; 32]), vec![MasterKey::new([1; 32])]);
        let rewrapped = rotated.rewrapped("k1", "org_a", &wrapped, &chance).unwrap().unwrap();
        let resealed = rotated.resealed("issuer-key:1", &own, &chance).unwrap().unwrap();
        assert_eq!(rotated.rewrapped("k1", "org_a", &rewrapped, &chance).unwrap(), None);
        assert_eq!(rotated.resealed("issuer-key:1", &resealed, &chance).unwrap(), None);
        // The older one is not needed any more, and what the data key has sealed opens as before.
        let alone = keys(2);
        let data = alone.unwrap_data_key("k1", "org_a", &rewrapped).unwrap();
        assert_eq!(&**data.open("connection:1", &sealed).unwrap(), b"token");
        assert_eq!(&**alone.open("issuer-key:1", &resealed).unwrap(), b"private");
        // Bound to their places as before, and closed to whoever does not have the older key.
        assert!(alone.unwrap_data_key("k1", "org_b", &rewrapped).is_err());
        assert!(rotated.resealed("issuer-key:2", &own, &chance).is_err());
        assert!(matches!(alone.rewrapped("k1", "org_a", &wrapped, &chance), Err(SealError::UnknownKey(_))));
        assert!(matches!(alone.resealed("issuer-key:1", &own, &chance), Err(SealError::UnknownKey(_))));
    }

    #[test]
    fn an_older_master_key_still_unwraps() {
        let chance = SeededChance::new(1);
        let (_, wrapped) = keys(1).new_data_key("k1", "org_a", &chance).unwrap();
        let rotated = MasterKeys::new(MasterKey::new([2; 32]), vec![MasterKey::new([1; 32])]);
        assert!(rotated.unwrap_data_key("k1", "org_a", &wrapped).is_ok());
    }

    #[test]
    fn the_gateways_own_secrets_open_in_their_place_and_with_an_older_master_key() {
        let chance = SeededChance::new(4);
        let sealed = keys(1).seal("issuer_key:k", b"der", &chance).unwrap();
        assert_eq!(&**keys(1).open("issuer_key:k", &sealed).unwrap(), b"der");
        assert_eq!(keys(1).open("issuer_key:other", &sealed).unwrap_err(), SealError::DoesNotOpen);
        assert!(matches!(keys(2).open("issuer_key:k", &sealed), Err(SealError::UnknownKey(_))));
        let rotated = MasterKeys::new(MasterKey::new([2; 32]), vec![MasterKey::new([1; 32])]);
        assert_eq!(&**rotated.open("issuer_key:k", &sealed).unwrap(), b"der");
        assert_ne!(rotated.seal("issuer_key:k", b"der", &chance).unwrap().key_id(), sealed.key_id());
    }

    #[test]
    fn a_master_key_reads_hex_and_base64() {
        let key = MasterKey::new([9; 32]);
        assert_eq!(MasterKey::parse(&key.to_hex()).unwrap().id(), key.id());
        let base64 = base64::engine::general_purpose::STANDARD.encode([9; 32]);
        assert_eq!(MasterKey::parse(&format!(" {base64}\n")).unwrap().id(), key.id());
        assert!(MasterKey::parse("short").is_err());
        assert_ne!(key.derive("a"), key.derive("b"));
    }

    proptest! {
        #[test]
        fn any_change_is_noticed(at in 0usize..60, flip in 1u8..=255) {
            let chance = SeededChance::new(3);
            let (key, _) = keys(1).new_data_key("k1", "o", &chance).unwrap();
            let sealed = key.seal("p", b"some secret content", &chance);
            let body = sealed.as_str().rsplit_once('.').unwrap().1;
            let mut bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let changed = Sealed::from_stored(format!("v1.k1.{}", URL_SAFE_NO_PAD.encode(bytes)));
            prop_assert_eq!(key.open("p", &changed).unwrap_err(), SealError::DoesNotOpen);
        }
    }
}
