//! When a credential is renewed, and what the answer to a renewal means (contract `connectors.md`, last paragraph).
//!
//! Decisions only. Who may renew is a lease in `store`; the request is `connector::flow::refresh_request`.

use crate::connector::flow::ProviderFailure;
use crate::connector::{Definition, Refresh, RefreshGrant};
use crate::credential::Credential;
use kernel::{Chance, SecretText, Time};

/// How long one node may take to renew a credential, in seconds. Longer than [`WITHIN_S`], so that whoever holds the
/// lease has an answer, or has none for good, before another one may begin.
pub const LEASE_S: i64 = 60;
/// How long the outside system may take to answer, in seconds.
pub const WITHIN_S: i64 = 25;
/// A token this near to its end, in seconds, is not handed out while a newer one can be had: the caller's own request
/// takes time, and clocks differ.
const MARGIN_S: i64 = 30;
/// The first pause after a renewal that failed, and the longest one, in seconds.
const FIRST_PAUSE_S: i64 = 5;
const LONGEST_PAUSE_S: i64 = 900;
/// However long a token endpoint asks to be left alone, no longer than this, in seconds: users wait for it.
const LONGEST_REST_S: i64 = 3600;
/// A token this young, in seconds, is not renewed because it was refused: its age was not the reason.
const YOUNG_S: i64 = 30;

/// What a credential is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing is to be done.
    Fresh,
    /// It is still good, and its time to be renewed has come.
    Due,
    /// It has ended, or is about to: it is not handed out while a newer one can be had.
    Stale,
}

/// A number from 0 to 255 that spreads renewals which would otherwise come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter(u8);

impl Jitter {
    pub fn new(chance: &dyn Chance) -> Self {
        let [byte] = chance.bytes::<1>();
        Self(byte)
    }

    /// Nothing of it.
    pub const NONE: Self = Self(0);

    /// Its part of `span` seconds.
    fn of(self, span: i64) -> i64 {
        span.max(0).saturating_mul(i64::from(self.0)) / 256
    }
}

/// Whether this credential can be renewed without the person.
pub fn can_renew(definition: &Definition, credential: &Credential) -> bool {
    definition.token.is_some() && rules(definition, credential).is_some()
}

fn rules<'d>(definition: &'d Definition, credential: &Credential) -> Option<&'d Refresh> {
    let refresh = definition.refresh.as_ref()?;
    let is_there = |secret: &Option<SecretText>| secret.as_ref().is_some_and(|secret| !secret.is_empty());
    let has = match refresh.grant {
        RefreshGrant::RefreshToken => is_there(&credential.refresh),
        RefreshGrant::AccessToken => is_there(&credential.access),
        RefreshGrant::Repeat => true,
    };
    has.then_some(refresh)
}

/// When the credential is renewed ahead of need; `None` where nothing makes it due: then only the outside system's
/// refusal does.
///
/// Never earlier than `lead_s` before the end, because there are systems that refuse to renew a younger token; nor
/// earlier than half of the token's life, because a lead of more than that would renew without end. Where the end is
/// not known, nine tenths of `max_age_s` count, and of `keepalive_h` in any case. Jitter only ever makes it later: by up
/// to a fifth of the lead, or a tenth of the age.
pub fn due(definition: &Definition, credential: &Credential, jitter: Jitter) -> Option<Time> {
    let refresh = rules(definition, credential)?;
    let by_life = match (credential.expires, credential.obtained, refresh.max_age_s) {
        (Some(end), _, _) => {
            let lead = lead_s(refresh, credential);
            Some(end.plus_seconds(-lead + jitter.of(lead / 5)))
        }
        (None, Some(obtained), Some(age)) => Some(obtained.plus_seconds(by_age_s(age, jitter))),
        (None, _, _) => None,
    };
    let kept_alive = credential
        .obtained
        .zip(refresh.keepalive_h)
        .map(|(obtained, hours)| obtained.plus_seconds(by_age_s(hours.saturating_mul(3600), jitter)));
    match (by_life, kept_alive) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The last tenth before this age, in seconds.
fn by_age_s(age: i64, jitter: Jitter) -> i64 {
    age - age / 10 + jitter.of(age / 10)
}

/// How long before its end it is renewed: `lead_s`, at most half of its life. Where its beginning is not known, the
/// life is not either.
fn lead_s(refresh: &Refresh, credential: &Credential) -> i64 {
    let life = credential.expires.zip(credential.obtained).map(|(end, begin)| end.seconds_since(begin));
    life.map_or(refresh.lead_s, |life| refresh.lead_s.min(life / 2)).max(0)
}

/// What the credential is worth at `now`.
pub fn freshness(definition: &Definition, credential: &Credential, now: Time) -> Freshness {
    let near_its_end = credential.expires.is_some_and(|end| now >= end.plus_seconds(-margin_s(credential)));
    if near_its_end {
        return Freshness::Stale;
    }
    match due(definition, credential, Jitter::NONE) {
        Some(at) if now >= at => Freshness::Due,
        _ => Freshness::Fresh,
    }
}

/// [`MARGIN_S`], and at most a tenth of the token's life.
fn margin_s(credential: &Credential) -> i64 {
    let life = credential.expires.zip(credential.obtained).map(|(end, begin)| end.seconds_since(begin));
    life.map_or(MARGIN_S, |life| (life / 10).clamp(0, MARGIN_S))
}

/// Whether the token may still be used where there is no newer one: it has not ended.
pub fn is_usable(credential: &Credential, now: Time) -> bool {
    credential.expires.is_none_or(|end| now < end)
}

/// Whether a token that the outside system refused shall be renewed: one that was given just now is refused for
/// another reason, and a caller could otherwise have it renewed without end.
pub fn is_old_enough(credential: &Credential, now: Time) -> bool {
    credential.obtained.is_none_or(|obtained| now.seconds_since(obtained) >= YOUNG_S)
}

/// What became of a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    Renewed(Box<Credential>),
    /// Only connecting again helps.
    Dead(ProviderFailure),
    /// Once more, after a pause; until it ends the old token stays in use.
    Again(ProviderFailure),
}

/// Judges what came back. `before` is what was renewed.
pub fn judge(before: &Credential, outcome: Result<Credential, ProviderFailure>) -> Renewal {
    match outcome {
        Ok(mut after) => {
            // An end that has passed already is no end that can be used.
            after.expires = after.expires.filter(|end| after.obtained.is_none_or(|now| *end > now));
            // An answer that names no life means the one that was named before (RFC 6749, section 5.1: it is told by
            // other means then).
            if after.expires.is_none()
                && let (Some(end), Some(begin), Some(now)) = (before.expires, before.obtained, after.obtained)
            {
                let life = end.seconds_since(begin);
                after.expires = (life > 0).then(|| now.plus_seconds(life));
            }
            Renewal::Renewed(Box::new(after))
        }
        Err(failure) if failure.reconnect && !failure.is_weather() => Renewal::Dead(failure),
        Err(failure) => Renewal::Again(failure),
    }
}

/// Seconds until the next try, where the token endpoint may have asked for `rest_s` seconds of rest: the later of that,
/// an hour at most, and [`pause_s`].
pub fn next_try_s(failures: i64, rest_s: Option<i64>, jitter: Jitter) -> i64 {
    pause_s(failures, jitter).max(rest_s.unwrap_or(0).min(LONGEST_REST_S))
}

/// Seconds until the next try after `failures` in a row (1 or more): doubled each time, from 5 seconds to a quarter of
/// an hour, of which jitter takes off up to a quarter.
pub fn pause_s(failures: i64, jitter: Jitter) -> i64 {
    let doublings = u32::try_from(failures.saturating_sub(1).clamp(0, 20)).unwrap_or_default();
    let pause = FIRST_PAUSE_S.saturating_mul(1_i64 << doublings).min(LONGEST_PAUSE_S);
    (pause - jitter.of(pause / 4)).max(1)
}

#[cfg(test)]
#[path = "refresh_tests.rs"]
mod tests;
