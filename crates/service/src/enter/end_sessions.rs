//! The end of sessions: one fan-out for every way in which one ends (contract `enter.md`, section 6).

use crate::work::events::{NewEvent, emit};
use crate::{Fault, Service};
use ::enter::notice::{EndedSession, LogoutNotice};
use kernel::{Chance, Environment, Time};
use std::sync::Arc;
use store::logout_notices::{self, Ending, Withdrawn};
use store::{DbError, Tx, partners};

/// Ends sessions in the caller's unit of work: they are closed, what was granted in them is revoked, and a notice is
/// written for every app that took part. All of it is kept, or nothing; afterwards [`Service::tell_soon`] saves the
/// notices a wait.
///
/// # Errors
/// [`DbError`].
pub async fn end_sessions(
    tx: &mut Tx,
    environment: Environment,
    which: &Ending,
    now: Time,
    chance: &dyn Chance,
) -> Result<Vec<EndedSession>, DbError> {
    let ended = logout_notices::end_sessions(tx, environment, which, now).await?;
    for one in &ended {
        let EndedSession { session, person, partner } = one;
        for (listener, uri) in logout_notices::to_tell(tx, session).await? {
            let notice = LogoutNotice::new(session.clone(), listener, uri, now, chance);
            logout_notices::insert(tx, environment, one, &notice).await?;
        }
        if let Some(partner) = partners::find(tx, environment, partner).await? {
            let whose = (partner.organization, environment);
            let new = NewEvent::session_ended(whose, partner.id.as_str(), person.as_str(), session.as_str());
            emit(tx, &new, now, chance).await?;
        }
    }
    Ok(ended)
}

/// Tells those who hold something for an account or an app that is taken away, in the caller's unit of work. Sessions
/// go on, because their people may have others; at the app, which knows no more than the session, they are over.
///
/// # Errors
/// [`DbError`].
pub async fn tell_withdrawn(
    tx: &mut Tx,
    environment: Environment,
    which: &Withdrawn,
    now: Time,
    chance: &dyn Chance,
) -> Result<(), DbError> {
    for (session, listener, uri) in logout_notices::holders(tx, environment, which, now).await? {
        let notice = LogoutNotice::new(session.session.clone(), listener, uri, now, chance);
        logout_notices::insert(tx, environment, &session, &notice).await?;
    }
    Ok(())
}

impl Service {
    /// The same in a unit of work of its own.
    ///
    /// # Errors
    /// [`Fault`].
    pub async fn end_sessions(
        &self,
        environment: Environment,
        which: Ending,
    ) -> Result<Vec<EndedSession>, Fault> {
        let (now, chance) = (self.clock.now(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move { end_sessions(tx, environment, &which, now, &*chance).await })
        });
        let ended = write.await?;
        self.tell_soon();
        Ok(ended)
    }

    /// Wakes those that tell apps, and the organization, of what was just written.
    pub fn tell_soon(&self) {
        self.notices.notify_one();
        self.ring_work();
    }
}
