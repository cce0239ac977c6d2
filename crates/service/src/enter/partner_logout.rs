//! A partner ends sessions of its own users (`IdentityProvider.Logout`).

use super::end_sessions::end_sessions;
use super::partner_api::{CallFailed, PartnerCaller};
use crate::Service;
use ::enter::account::Identity;
use ::enter::sso::{Empty, Leaving, LogoutRequest};
use std::sync::Arc;
use store::logout_notices::Ending;
use store::people;

impl Service {
    /// Ends the partner's session of this name, or all of a user's. One that has ended already, or never was, is no
    /// error: the partner wants it to be over, and it is.
    ///
    /// # Errors
    /// [`CallFailed`].
    pub async fn partner_logout(
        &self,
        caller: &PartnerCaller,
        request: &LogoutRequest,
    ) -> Result<Empty, CallFailed> {
        let leaving = request.check()?;
        let (partner, environment) = (caller.partner.id.clone(), caller.place.environment);
        let (now, chance) = (self.clock.now(), Arc::clone(&self.chance));
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let which = match leaving {
                    Leaving::Session(session) => Ending::PartnerSession { partner, session },
                    Leaving::User(partner_user) => {
                        let identity = Identity { partner: partner.clone(), partner_user };
                        let Some(person) = people::by_identity(tx, &identity).await? else {
                            return Ok(Vec::new());
                        };
                        Ending::Person { partner, person: person.id }
                    }
                };
                Ok::<_, CallFailed>(end_sessions(tx, environment, &which, now, &*chance).await?)
            })
        });
        if !write.await?.is_empty() {
            self.tell_soon();
        }
        Ok(Empty {})
    }
}
