//! Telling apps that a session has ended: one notice per app, tried until it was heard or given up.

use crate::ids::{AppId, ClientId, PartnerId, PersonId, SessionId};
use kernel::ids::NoticeId;
use kernel::{Chance, SafeUrl, Time};

/// Seconds to wait after each failed try. After the last one the notice is given up: a day and a half in all, which
/// outlasts a bad night at the app. Its own sessions end by themselves meanwhile.
const PAUSES_S: [i64; 10] = [5, 30, 120, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 16 * 3600];

/// How long a worker has for one try, in seconds, before another one may take the notice up.
pub const LEASE_S: i64 = 60;

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// By a logout token (OpenID Connect Back-Channel Logout).
    Client(ClientId),
    /// An app of the older kind, by its webhook.
    App(AppId),
}

/// A notice as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    pub id: NoticeId,
    pub session: SessionId,
    pub listener: Listener,
    pub uri: SafeUrl,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next; `None` once it was told or given up.
    pub next: Option<Time>,
    pub told: Option<Time>,
    /// Why the last try failed.
    pub failure: Option<String>,
    pub created: Time,
}

/// What a notice says, beside to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSession {
    pub session: SessionId,
    pub person: PersonId,
    pub partner: PartnerId,
}

/// What becomes of a notice after a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    Told,
    Again(Time),
    GivenUp,
}

impl LogoutNotice {
    /// A fresh one, due at once.
    pub fn new(session: SessionId, listener: Listener, uri: SafeUrl, now: Time, chance: &dyn Chance) -> Self {
        let id = NoticeId::new(now, chance);
        Self {
            id,
            session,
            listener,
            uri,
            attempts: 0,
            next: Some(now),
            told: None,
            failure: None,
            created: now,
        }
    }

    /// Decides after try number [`Self::attempts`].
    ///
    /// Decision: every answer but a 2xx is tried again, also those that say that it makes no sense. A session that an
    /// app keeps open after a logout is worse than a few requests to an app that is being repaired. Pauses are spread
    /// by up to a quarter, so that what failed together does not come back together.
    pub fn after(&self, heard: bool, now: Time, chance: &dyn Chance) -> After {
        if heard {
            return After::Told;
        }
        let tried = usize::try_from(self.attempts).unwrap_or(usize::MAX);
        let Some(pause) = PAUSES_S.get(tried.saturating_sub(1)) else { return After::GivenUp };
        let [byte] = chance.bytes::<1>();
        let spread = pause.saturating_mul(250_000).saturating_mul(i64::from(byte)) / 255;
        After::Again(Time::from_micros(now.plus_seconds(*pause).micros().saturating_add(spread)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SeededChance;

    fn notice(attempts: u32) -> LogoutNotice {
        let (now, chance) = (Time::from_seconds(1_000), SeededChance::new(1));
        let uri = SafeUrl::parse("https://app.example.com/logout").unwrap();
        let listener = Listener::Client(ClientId::new(&chance));
        LogoutNotice {
            attempts,
            ..LogoutNotice::new(SessionId::new(now, &chance), listener, uri, now, &chance)
        }
    }

    #[test]
    fn what_was_heard_is_told_and_what_was_not_comes_again_later_and_later_until_it_is_given_up() {
        let (now, chance) = (Time::from_seconds(5_000), SeededChance::new(2));
        assert_eq!(notice(1).after(true, now, &chance), After::Told);
        let (mut tries, mut last) = (0, 0);
        for attempts in 1.. {
            match notice(attempts).after(false, now, &chance) {
                After::Again(at) => {
                    let pause = at.seconds_since(now);
                    assert!(pause > last, "try {attempts} waits {pause} s after {last} s");
                    (tries, last) = (attempts, pause);
                }
                After::GivenUp => break,
                After::Told => panic!("nobody heard it"),
            }
        }
        assert_eq!(tries, 10);
        assert!((16 * 3600..=20 * 3600).contains(&last));
    }

    #[test]
    fn notices_that_failed_together_do_not_come_back_together() {
        let (now, chance) = (Time::from_seconds(5_000), SeededChance::new(3));
        let times: std::collections::BTreeSet<_> = (0..50)
            .filter_map(|_| match notice(4).after(false, now, &chance) {
                After::Again(at) => Some(at),
                After::Told | After::GivenUp => None,
            })
            .collect();
        assert!(times.len() > 40);
    }
}
