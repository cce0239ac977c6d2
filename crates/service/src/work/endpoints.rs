//! Where an organization hears of events: made, changed, tried out, their secrets rotated.

use crate::Service;
use crate::admin::{AdminRefused, Holder};
use connect::notice::endpoint::{self, MOST, OVERLAP_S};
use connect::notice::{Disabled, Endpoint, EndpointSecret, EndpointUrl, EventType};
use kernel::ids::EndpointId;
use kernel::{Actor, SecretText};
use serde_json::json;
use store::{audit, notice_endpoints};

const WHAT: &str = "webhook endpoint";
/// The longest overlap of a rotation, in seconds.
const LONGEST_OVERLAP_S: i64 = 7 * 24 * 3600;

/// A new endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEndpoint {
    pub url: String,
    pub description: String,
    /// All of them where nothing is said.
    pub events: Option<Vec<String>>,
    /// In order per tenant.
    pub ordered: bool,
}

/// What changes; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointChange {
    pub url: Option<String>,
    pub description: Option<String>,
    pub events: Option<Vec<String>>,
    /// For messages that are written from now on.
    pub ordered: Option<bool>,
    pub disabled: Option<bool>,
}

impl Service {
    /// Makes an endpoint; its secret is shown this once.
    ///
    /// # Errors
    /// [`AdminRefused`], also for an address that is never called.
    pub async fn create_endpoint(
        &self,
        actor: &Actor,
        holder: &Holder,
        new: NewEndpoint,
    ) -> Result<(Endpoint, SecretText), AdminRefused> {
        let now = self.clock.now();
        let id = EndpointId::new(now, &*self.chance);
        let events = match &new.events {
            Some(names) => endpoint::chosen(names).map_err(AdminRefused::invalid)?,
            None => EventType::ALL.to_vec(),
        };
        let url = self.endpoint_url(&new.url).await?;
        let description = endpoint::description(&new.description).map_err(AdminRefused::invalid)?;
        let secret = EndpointSecret::new(&*self.chance).text();
        let sealed = self.sealed_secret(holder, &id, &secret).await?;
        let endpoint = Endpoint {
            id,
            organization: holder.organization.clone(),
            environment: holder.environment,
            url,
            description,
            events,
            ordered: new.ordered,
            disabled: None,
            failing: None,
            resume: None,
            secret: sealed,
            previous: None,
            created: now,
            modified: now,
        };
        let event = self.event(actor, "webhook_endpoint.created", endpoint.id.as_str(), &holder.organization);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let others = notice_endpoints::list(tx, &endpoint.organization, endpoint.environment).await?;
                if others.len() >= MOST {
                    return Err(AdminRefused::Conflict(format!(
                        "there are {MOST} endpoints; delete one first"
                    )));
                }
                notice_endpoints::insert(tx, &endpoint).await?;
                audit::insert(tx, &event).await?;
                Ok(endpoint)
            })
        });
        Ok((write.await?, secret))
    }

    /// The address is judged now; each call judges it again.
    async fn endpoint_url(&self, text: &str) -> Result<EndpointUrl, AdminRefused> {
        let url = EndpointUrl::parse(text).map_err(AdminRefused::invalid)?;
        self.outbound.judge(url.as_url()).await.map_err(AdminRefused::invalid)?;
        Ok(url)
    }

    async fn sealed_secret(
        &self,
        holder: &Holder,
        id: &EndpointId,
        secret: &SecretText,
    ) -> Result<kernel::Sealed, AdminRefused> {
        let place = Endpoint::place(id);
        Ok(self.vault.seal(&self.db, &holder.organization, &place, secret.reveal().as_bytes()).await?)
    }

    /// Oldest first.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn endpoints(&self, holder: &Holder) -> Result<Vec<Endpoint>, AdminRefused> {
        let Holder { organization, environment } = holder.clone();
        let read = self.db.read(move |tx| {
            Box::pin(async move { notice_endpoints::list(tx, &organization, environment).await })
        });
        Ok(read.await?)
    }

    /// # Errors
    /// [`AdminRefused::NotFound`].
    pub async fn endpoint(&self, holder: &Holder, id: &str) -> Result<Endpoint, AdminRefused> {
        let found = self.endpoints(holder).await?.into_iter().find(|endpoint| endpoint.id.as_str() == id);
        found.ok_or_else(|| AdminRefused::not_found(WHAT, id))
    }

    /// # Errors
    /// [`AdminRefused`].
    pub async fn change_endpoint(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &str,
        change: EndpointChange,
    ) -> Result<Endpoint, AdminRefused> {
        let mut endpoint = self.endpoint(holder, id).await?;
        let before = connect::notice::json::endpoint(&endpoint);
        if let Some(url) = &change.url {
            endpoint.url = self.endpoint_url(url).await?;
        }
        if let Some(text) = &change.description {
            endpoint.description = endpoint::description(text).map_err(AdminRefused::invalid)?;
        }
        if let Some(names) = &change.events {
            endpoint.events = endpoint::chosen(names).map_err(AdminRefused::invalid)?;
        }
        endpoint.ordered = change.ordered.unwrap_or(endpoint.ordered);
        match change.disabled {
            Some(true) => endpoint.disabled = endpoint.disabled.or(Some(Disabled::Asked)),
            // Whoever switches it on says that it is well again.
            Some(false) => (endpoint.disabled, endpoint.failing, endpoint.resume) = (None, None, None),
            None => {}
        }
        let detail = crate::admin::difference(Some(before), Some(connect::notice::json::endpoint(&endpoint)));
        self.save_endpoint(actor, "webhook_endpoint.changed", endpoint, detail).await
    }

    async fn save_endpoint(
        &self,
        actor: &Actor,
        action: &'static str,
        endpoint: Endpoint,
        detail: serde_json::Value,
    ) -> Result<Endpoint, AdminRefused> {
        let now = self.clock.now();
        let event = self.event(actor, action, endpoint.id.as_str(), &endpoint.organization).with(detail);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                let saved = notice_endpoints::update(tx, &endpoint, now).await?;
                let saved = saved.ok_or_else(|| AdminRefused::changed(WHAT, &endpoint.id))?;
                audit::insert(tx, &event).await?;
                Ok::<_, AdminRefused>(saved)
            })
        });
        write.await
    }

    /// What still waits for it is not delivered any more.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn delete_endpoint(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &str,
    ) -> Result<(), AdminRefused> {
        let (wanted, Holder { organization, environment }) =
            (self.endpoint(holder, id).await?.id, holder.clone());
        let now = self.clock.now();
        let event = self.event(actor, "webhook_endpoint.deleted", wanted.as_str(), &organization);
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if !notice_endpoints::delete(tx, &organization, environment, &wanted, now).await? {
                    return Err(AdminRefused::not_found(WHAT, wanted.as_str()));
                }
                Ok(audit::insert(tx, &event).await?)
            })
        });
        write.await
    }

    /// Makes a new secret, shown this once. The old one signs as well for `overlap_s` more (a day where nothing is said),
    /// so that a receiver can be changed over without a message that it cannot verify. One that is older still ends.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn rotate_endpoint_secret(
        &self,
        actor: &Actor,
        holder: &Holder,
        id: &str,
        overlap_s: Option<i64>,
    ) -> Result<(Endpoint, SecretText), AdminRefused> {
        let overlap_s = overlap_s.unwrap_or(OVERLAP_S);
        if !(0..=LONGEST_OVERLAP_S).contains(&overlap_s) {
            return Err(AdminRefused::invalid("the old secret may go on for at most 7 days"));
        }
        let mut endpoint = self.endpoint(holder, id).await?;
        let secret = EndpointSecret::new(&*self.chance).text();
        let sealed = self.sealed_secret(holder, &endpoint.id, &secret).await?;
        let old = std::mem::replace(&mut endpoint.secret, sealed);
        let until = self.clock.now().plus_seconds(overlap_s);
        endpoint.previous = (overlap_s > 0).then_some((old, until));
        let detail = json!({ "overlap_s": overlap_s });
        let saved = self.save_endpoint(actor, "webhook_endpoint.rotated", endpoint, detail).await?;
        Ok((saved, secret))
    }
}
