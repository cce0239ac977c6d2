//! The entry code: 256 random bits, kept as a hash, good once and for 60 seconds.

use super::{EntryRefused, NextUrl};
use crate::account::{Identity, PartnerUserId};
use crate::app::{App, BackUrl};
use crate::context::ServiceContext;
use crate::ids::{AppId, SORTABLE, sortable};
use crate::partner::Partner;
use kernel::{Chance, Hashed, Plain, Time};

/// How long an entry code lives, in seconds.
pub const CODE_LIFETIME_S: i64 = 60;

/// Prefixes of the secrets of this door that a browser carries (lesson 8: no secret of one kind is ever looked
/// up among those of another, and a reader of a log sees which kind leaked).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes;

impl Codes {
    pub const ENTRY: &'static str = "vst_ec_";
}

/// What the partner ordered a code for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub identity: Identity,
    pub email: Option<String>,
    pub app: AppId,
    pub context: ServiceContext,
    /// The session's id at the partner, as the partner may later name it to end it.
    pub partner_session: String,
    pub next_url: NextUrl,
    pub back_url: BackUrl,
    pub back_url_text: Option<String>,
    pub federated_identity_provider: Option<String>,
    /// Who acts as the user: the partner's own id of that user.
    pub impersonator: Option<PartnerUserId>,
}

/// Where a code stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Issued,
    Redeemed { at: Time },
}

/// A code as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryCode {
    /// See [`Self::key`]; unique.
    pub hash: Hashed,
    pub order: Order,
    pub issued: Time,
    pub state: State,
}

/// A fresh code: what is shown once, and what is kept.
#[derive(Debug)]
pub struct Minted {
    pub plain: Plain,
    pub code: EntryCode,
}

impl EntryCode {
    /// Two calls make two codes: a partner's retried call has nothing to repeat, because nothing was redeemed.
    pub fn mint(order: Order, now: Time, chance: &dyn Chance) -> Minted {
        let plain = Plain::with_prefix(&format!("{}{}", Codes::ENTRY, sortable(now)), chance);
        let code = Self { hash: Self::key(plain.reveal()), order, issued: now, state: State::Issued };
        Minted { plain, code }
    }

    /// What a presented code is found by: the time that it names, and the hash of all of it.
    pub fn key(text: &str) -> Hashed {
        let time = text.get(Codes::ENTRY.len()..Codes::ENTRY.len() + SORTABLE).unwrap_or_default();
        let time = if time.bytes().all(|byte| byte.is_ascii_alphanumeric()) { time } else { "" };
        Hashed::from_stored(format!("{time}{}", Plain::presented(text).hashed().as_str()))
    }

    /// Uses the code up for `app`.
    ///
    /// The partner and the app are those of this moment: what was switched off after the code was made lets
    /// nobody in any more (lesson 14). What makes the code single-use under concurrency is the store's guarded
    /// update; this rule says which update may be tried.
    ///
    /// # Errors
    /// [`EntryRefused`].
    pub fn redeem(self, partner: &Partner, app: &App, now: Time) -> Result<Self, EntryRefused> {
        if matches!(self.state, State::Redeemed { .. }) {
            return Err(EntryRefused::CodeUsed);
        }
        if now >= self.issued.plus_seconds(CODE_LIFETIME_S) {
            return Err(EntryRefused::CodeLate);
        }
        if self.order.app != app.id {
            return Err(EntryRefused::CodeOtherApp);
        }
        if self.order.identity.partner != partner.id {
            return Err(EntryRefused::CodeUnknown);
        }
        if partner.disabled.is_some() {
            return Err(EntryRefused::PartnerDisabled);
        }
        if app.disabled.is_some() {
            return Err(EntryRefused::AppDisabled);
        }
        Ok(Self { state: State::Redeemed { at: now }, ..self })
    }
}
