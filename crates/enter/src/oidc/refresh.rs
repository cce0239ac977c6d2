//! Refresh tokens: rotation, one forgiven loss, and detection of reuse (contract `enter.md`, section 5).

use super::{Client, TokenKind};
use crate::ids::{ClientId, GrantId};
use kernel::{Chance, Hashed, Plain, Time};

/// Within how many seconds after its use a token whose answer was lost may be used again.
pub const FORGIVENESS_S: i64 = 30;

/// Where a refresh token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshState {
    Live,
    /// Used once: `successor` was given out for it.
    Rotated {
        at: Time,
        successor: Hashed,
    },
    /// Used twice, the first answer being lost: the first successor was revoked and another given out. `at` is
    /// still the time of the first use.
    Forgiven {
        at: Time,
        successor: Hashed,
    },
    Revoked,
}

/// A refresh token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    pub hash: Hashed,
    pub client: ClientId,
    /// The family.
    pub grant: GrantId,
    pub expires: Time,
    pub state: RefreshState,
}

/// What is to be stored for an accepted use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The presented token's next state. The store's update is guarded by the state that was read, so that of
    /// many uses at once one wins (lesson 10); the others decide again.
    pub token: RefreshToken,
    /// The first successor, which nobody has used, when a lost answer is forgiven.
    pub revoke: Option<Hashed>,
}

/// Why a use is no first use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reuse {
    #[error("the refresh token is unknown, expired, revoked or another client's")]
    Invalid,
    #[error("the refresh token was used already; use the one from the last answer")]
    Again,
    #[error("the refresh token was used again after its time; everything of this sign-in is revoked")]
    Stolen,
}

/// What the token endpoint does; each refusal is `invalid_grant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshUse {
    Rotate(Rotation),
    /// Nothing changes: the family lives on.
    Refuse(Reuse),
    RevokeFamily(GrantId, Reuse),
}

impl RefreshToken {
    /// A fresh token of a grant's family. It names its row, and opens it with the 256 random bits behind that.
    pub fn text(grant: &GrantId, number: i64, chance: &dyn Chance) -> Plain {
        let prefix = TokenKind::RefreshToken.prefix().unwrap_or_default();
        Plain::with_prefix(&format!("{prefix}{}{number}-", grant.selector()), chance)
    }

    /// The grant and the number in its family that a presented text names; what it is worth, its hash tells.
    pub fn place_of(text: &str) -> Option<(GrantId, i64)> {
        let named = text.strip_prefix(TokenKind::RefreshToken.prefix()?)?;
        let (grant, rest) = named.split_at_checked(GrantId::SELECTOR)?;
        let (number, _) = rest.split_once('-')?;
        let digits = (1..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        Some((GrantId::selected(grant)?, digits.then(|| number.parse().ok())??))
    }

    /// Decides a use of this token by a client that has proven itself. `next` is the hash of the successor that
    /// would be given out; `successor` is the stored successor, where there is one.
    ///
    /// Decision: a lost answer is forgiven once, within [`FORGIVENESS_S`] and only while the successor is unused,
    /// because a client on a bad line would otherwise be thrown out. A thief who uses the token first gains
    /// nothing: the owner's use then revokes the thief's successor, or, once that was used, the family.
    ///
    /// Decision: without forgiveness (public clients) such a use is refused, and the family lives on. The contract
    /// has it so for every use that is not forgiven within that time, and there is a reason: two tabs of a browser app
    /// refresh at the same moment, one of them must lose, and its user has done nothing wrong. The trade: a thief who is
    /// first, and whose victim comes within 30 seconds and while the thief has not refreshed again, is not noticed
    /// until the victim's token is used once more; whatever comes later, or after the successor was used, revokes
    /// the family as RFC 9700, section 4.14.2, has it.
    pub fn present(self, client: &Client, next: Hashed, successor: Option<&Self>, now: Time) -> RefreshUse {
        if self.client != client.id || client.disabled.is_some() || now >= self.expires {
            return RefreshUse::Refuse(Reuse::Invalid);
        }
        let grant = self.grant.clone();
        match self.state.clone() {
            RefreshState::Revoked => RefreshUse::Refuse(Reuse::Invalid),
            RefreshState::Live => self.rotated(RefreshState::Rotated { at: now, successor: next }, None),
            RefreshState::Rotated { at, successor: first } => {
                match (Self::may_be_lost(at, &first, successor, now), client.forgiveness) {
                    (true, true) => self.rotated(RefreshState::Forgiven { at, successor: next }, Some(first)),
                    (true, false) => RefreshUse::Refuse(Reuse::Again),
                    (false, _) => RefreshUse::RevokeFamily(grant, Reuse::Stolen),
                }
            }
            RefreshState::Forgiven { at, successor: second } => {
                if Self::may_be_lost(at, &second, successor, now) {
                    RefreshUse::Refuse(Reuse::Again)
                } else {
                    RefreshUse::RevokeFamily(grant, Reuse::Stolen)
                }
            }
        }
    }

    /// Whether an answer may have been lost: the time still runs and nobody has used the successor. A record that
    /// is not the one that the token names is no such sign.
    fn may_be_lost(at: Time, named: &Hashed, successor: Option<&Self>, now: Time) -> bool {
        let in_time = now < at.plus_seconds(FORGIVENESS_S);
        in_time && successor.is_some_and(|one| one.hash == *named && one.state == RefreshState::Live)
    }

    fn rotated(self, state: RefreshState, revoke: Option<Hashed>) -> RefreshUse {
        RefreshUse::Rotate(Rotation { token: Self { state, ..self }, revoke })
    }
}
