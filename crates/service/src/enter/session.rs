//! What one browser brings, and the session that its cookie opens.

use crate::{Fault, Place, Service};
use ::enter::account::Person;
use ::enter::entry::{Nonce, PENDING_MOST, RecentPartners, Trips};
use ::enter::ids::PartnerId;
use ::enter::partner::Partner;
use ::enter::session::Session;
use kernel::{Environment, Hashed, Plain, Time};
use std::sync::Arc;
use store::standings::Revision;
use store::{Tx, partners, people, sessions};

/// What a browser keeps for us, before a request and after it: the edge compares the two and sets what changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Browser {
    /// The session's secret.
    pub session: Option<Plain>,
    /// The nonces of its waiting requests, oldest first.
    pub waiting: Vec<Nonce>,
    pub trips: Trips,
    pub recent: RecentPartners,
    /// Binds an answer to the browser that was asked (lesson 20).
    pub binding: Option<Plain>,
    /// The language that it likes best, as a tag (RFC 9110, section 12.5.4); not kept.
    pub language: Option<String>,
}

impl Browser {
    /// With one more waiting request; the oldest beyond the bound goes.
    pub(super) fn waits_for(&mut self, nonce: &Nonce) {
        self.waiting.retain(|known| known != nonce);
        self.waiting.push(nonce.clone());
        let surplus = self.waiting.len().saturating_sub(PENDING_MOST);
        self.waiting.drain(..surplus);
    }

    pub(super) fn forgets(&mut self, nonce: &Nonce) {
        self.waiting.retain(|known| known != nonce);
    }
}

/// A session that opens something, with whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    pub session: Session,
    pub person: Person,
    pub partner: Arc<Partner>,
}

/// The live session of a cookie's secret. Decision (lesson 14): of a person or a partner that was switched off it
/// opens nothing, from the very next request on.
pub(super) async fn live(
    tx: &mut Tx,
    environment: Environment,
    secret: &Hashed,
    limits: ::enter::session::SessionLimits,
    now: Time,
) -> Result<Option<LiveSession>, store::DbError> {
    let found = sessions::by_cookie(tx, environment, secret).await?;
    let Some(session) = found.filter(|session| session.is_live(now, limits)) else { return Ok(None) };
    let person = people::find(tx, &session.person).await?.filter(|person| person.disabled.is_none());
    let partner = partners::find(tx, environment, &session.partner).await?;
    let partner = partner.filter(|partner| partner.disabled.is_none());
    Ok(person.zip(partner).map(|(person, partner)| LiveSession {
        session,
        person,
        partner: Arc::new(partner),
    }))
}

impl Service {
    /// The same of what was read together with something else.
    pub(super) async fn live_of(
        &self,
        environment: Environment,
        session: Option<Session>,
        person: Option<Person>,
        partner: Option<Revision<PartnerId>>,
    ) -> Result<Option<LiveSession>, Fault> {
        let now = self.clock.now();
        let session = session.filter(|session| session.is_live(now, self.enter.session));
        let person = person.filter(|person| person.disabled.is_none());
        let partner = partner.filter(|partner| partner.disabled.is_none());
        let (Some(session), Some(person), Some(partner)) = (session, person, partner) else {
            return Ok(None);
        };
        let partner = self.partner_at(environment, &partner).await?;
        let partner = partner.filter(|partner| partner.disabled.is_none());
        Ok(partner.map(|partner| LiveSession { session, person, partner }))
    }

    /// The session that this browser's cookie opens. It counts as seen; that is written at most once a minute.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn live_session(&self, place: &Place, browser: &Browser) -> Result<Option<LiveSession>, Fault> {
        let Some(secret) = browser.session.as_ref().map(Plain::hashed) else { return Ok(None) };
        let (environment, limits, now) = (place.environment, self.enter.session, self.clock.now());
        let read = self
            .db
            .read(move |tx| Box::pin(async move { live(tx, environment, &secret, limits, now).await }));
        let found = read.await?;
        if let Some(found) = &found {
            self.touch(&found.session).await?;
        }
        Ok(found)
    }

    /// Whether that was written.
    pub(super) async fn touch(&self, session: &Session) -> Result<bool, Fault> {
        let Some(now) = session.touch(self.clock.now()) else { return Ok(false) };
        let id = session.id.clone();
        let write = self.db.write(move |tx| Box::pin(async move { sessions::touch(tx, &id, now).await }));
        write.await?;
        Ok(true)
    }

    /// The key of the cookie that names the partners last used.
    pub fn recent_key(&self) -> &[u8] {
        self.recent_key.as_slice()
    }
}
