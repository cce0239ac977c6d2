//! The start ticket: what the page's button carries to the start of a sign-in.

use super::TICKET_LIFETIME_S;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Chance, Hashed, Plain, Time};

/// How far the clock of another node may be ahead of ours, in seconds.
const CLOCKS_S: i64 = 60;

/// A start ticket. It is not stored: the page gets a signed text, and the first attempt that uses it keeps its
/// hash, which is unique and so makes it single-use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The dialog's hashed id. The dialog's own secret is never given to the popup.
    pub dialog: Hashed,
    pub issued: Time,
    nonce: String,
}

/// What tickets are proven with: the master key's, derived for `start-ticket`. Made once, because that is half of what
/// a proof takes.
#[derive(Debug)]
pub struct TicketKey(hmac::Key);

impl TicketKey {
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

/// Why a start ticket is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefused {
    #[error("This link is incomplete. Go back to the page and press the button again.")]
    Malformed,
    #[error("This link was not made here. Go back to the page and press the button again.")]
    Forged,
    #[error("This link has expired. Go back to the page and press the button again.")]
    Late,
}

impl TicketRefused {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "ticket_malformed",
            Self::Forged => "ticket_forged",
            Self::Late => "ticket_late",
        }
    }
}

impl Ticket {
    /// A fresh ticket, accepted for [`TICKET_LIFETIME_S`] from `now`.
    pub fn new(dialog: Hashed, now: Time, chance: &dyn Chance) -> Self {
        Self { dialog, issued: now, nonce: URL_SAFE_NO_PAD.encode(chance.bytes::<16>()) }
    }

    /// `base64url(payload).base64url(HMAC-SHA-256)`.
    pub fn write(&self, key: &TicketKey) -> String {
        let payload = format!("1.{}.{}.{}", self.dialog.as_str(), self.issued.micros(), self.nonce);
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let tag = hmac::sign(&key.0, payload.as_bytes());
        format!("{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// Reads what [`Self::write`] wrote. The text has one spelling only, so its hash can stand for the ticket.
    ///
    /// # Errors
    /// [`TicketRefused`].
    pub fn read(text: &str, key: &TicketKey, now: Time) -> Result<Self, TicketRefused> {
        if text.len() > 512 {
            return Err(TicketRefused::Malformed);
        }
        let (payload, tag) = text.split_once('.').ok_or(TicketRefused::Malformed)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| TicketRefused::Malformed)?;
        // Compared in constant time, and before anything in the payload is read: nothing unproven is parsed.
        hmac::verify(&key.0, payload.as_bytes(), &tag).map_err(|_| TicketRefused::Forged)?;
        let ticket = Self::parse(payload).ok_or(TicketRefused::Malformed)?;
        let age = now.micros().saturating_sub(ticket.issued.micros());
        let fresh = (-CLOCKS_S * 1_000_000..TICKET_LIFETIME_S * 1_000_000).contains(&age);
        if fresh { Ok(ticket) } else { Err(TicketRefused::Late) }
    }

    fn parse(payload: &str) -> Option<Self> {
        let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let mut parts = payload.split('.');
        let (version, dialog, issued, nonce) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let whole = version == "1" && parts.next().is_none();
        let issued = Time::from_micros(issued.parse().ok()?);
        whole.then(|| Self { dialog: Hashed::from_stored(dialog), issued, nonce: nonce.to_owned() })
    }

    /// What the attempt keeps: SHA-256 of the ticket's text.
    pub fn hash_of(text: &str) -> Hashed {
        Plain::presented(text).hashed()
    }
}
