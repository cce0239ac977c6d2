//! What partners' users have allowed apps of other companies.

use super::people::owned;
use super::{AdminRefused, Holder};
use crate::Service;
use enter::ids::{ClientId, PersonId};
use enter::oidc::consent::Consent;
use kernel::Actor;
use serde_json::json;
use store::{audit, consents, grants};

impl Service {
    /// Of a user of the holder's own; the newest first.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn consents(&self, holder: &Holder, person: &PersonId) -> Result<Vec<Consent>, AdminRefused> {
        let (holder, person) = (holder.clone(), person.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &person).await?;
                Ok(consents::of_person(tx, &person).await?)
            })
        });
        read.await
    }

    /// Takes a consent back in the user's name. What the app holds because of it ends at once; `false` where there was
    /// none.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn revoke_consent(
        &self,
        actor: &Actor,
        holder: &Holder,
        person: &PersonId,
        client: &ClientId,
    ) -> Result<bool, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, "consent.revoked", person.as_str(), &holder.organization);
        let event = event.with(json!({ "client": client }));
        let (holder, person, client) = (holder.clone(), person.clone(), client.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                owned(tx, &holder, &person).await?;
                let removed = consents::remove(tx, &person, &client).await?;
                if removed {
                    grants::revoke_of_person(tx, &person, &client, now).await?;
                    audit::insert(tx, &event).await?;
                }
                Ok(removed)
            })
        });
        write.await
    }
}
