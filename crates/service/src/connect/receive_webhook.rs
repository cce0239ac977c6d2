//! A delivery at a webhook address: verified where its connector says how, stored durably, acknowledged
//! (contract `connect.md`, section 7).

use crate::{Fault, Service};
use ::connect::connector::{Dedupe, Scheme, WebhookRules};
use ::connect::credential::Credential;
use ::connect::webhook::{Delivery, Webhook};
use ::connect::webhook_verify::{self, ChallengeReply};
use kernel::ids::{DeliveryId, TenantId};
use kernel::{Environment, Hashed, Plain, SecretText, Slug, Time};
use metrics::counter;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use store::deliveries::OwnDelivery;
use store::{connections, deliveries, webhooks};

/// Within which a repeated body is the same delivery, in seconds, where the connector tells deliveries by hash.
const HASH_WINDOW_S: i64 = 24 * 3600;
/// What never belongs to a stored delivery.
const NOT_KEPT: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// A request at a webhook address.
#[derive(Debug)]
pub struct Arrival {
    pub environment: Environment,
    /// The address's secret, from its path.
    pub secret: Plain,
    pub is_get: bool,
    /// The raw query.
    pub query: String,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Arrival {
    fn delivered<'a>(
        &'a self,
        id: &'a DeliveryId,
        secret: &'a Hashed,
        dedupe: Option<String>,
        headers: &'a [&'a (String, String)],
        received: Time,
    ) -> OwnDelivery<'a> {
        OwnDelivery { id, secret, environment: self.environment, dedupe, headers, body: &self.body, received }
    }
}

/// What it is answered with.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    Accepted {
        delivery: DeliveryId,
    },
    /// It was stored before: acknowledged again, kept once.
    Repeated,
    Challenge(ChallengeReply),
    /// No such address, or one that has ended.
    Unknown,
    /// The tenant is archived.
    Archived,
    NotVerified {
        reason: String,
    },
}

/// What a connector's address checks with.
struct Check {
    rules: WebhookRules,
    secret: Option<SecretText>,
}

impl Service {
    /// Receives a delivery. When this returns `Accepted`, it survives whatever comes.
    ///
    /// # Errors
    /// [`Fault`]; then nothing was stored and the sender should try again.
    pub async fn receive_webhook(&self, arrival: Arrival) -> Result<Received, Fault> {
        let received = self.receive(arrival).await?;
        // Each with its own words, so that no key has to be put together for a delivery.
        let counter = match received {
            Received::Accepted { .. } => counter!("vestibule_webhooks_total", "outcome" => "accepted"),
            Received::Repeated => counter!("vestibule_webhooks_total", "outcome" => "repeated"),
            Received::Challenge(_) => counter!("vestibule_webhooks_total", "outcome" => "challenge"),
            Received::Unknown => counter!("vestibule_webhooks_total", "outcome" => "unknown"),
            Received::Archived => counter!("vestibule_webhooks_total", "outcome" => "archived"),
            Received::NotVerified { .. } => counter!("vestibule_webhooks_total", "outcome" => "not_verified"),
        };
        counter.increment(1);
        Ok(received)
    }

    async fn receive(&self, mut arrival: Arrival) -> Result<Received, Fault> {
        let now = self.clock.now();
        let hash = arrival.secret.hashed();
        if !arrival.is_get
            && let Some(tenant) = self.own_addresses.tenant_of(&hash)
            && let Some(delivery) = self.keep_at_once(&hash, tenant, &arrival, now).await?
        {
            return Ok(Received::Accepted { delivery });
        }
        let found = webhooks::by_secret_hash(&self.db, &hash).await?.filter(|address| {
            address.webhook.environment == arrival.environment
                && address.webhook.ends.is_none_or(|end| now < end)
        });
        let Some(address) = found else { return Ok(Received::Unknown) };
        if address.tenant_archived {
            return Ok(Received::Archived);
        }
        let webhook = address.webhook;
        let dedupe = match &webhook.connector {
            Some(connector) => match self.checked(&webhook, connector, &mut arrival, now).await? {
                Ok(dedupe) => dedupe,
                Err(answer) => return Ok(answer),
            },
            // The tenant's own address takes anything; a sender that follows Standard Webhooks names its
            // deliveries, and a repeated name is a repeated delivery.
            None if arrival.is_get => return Ok(Received::Unknown),
            None => {
                self.own_addresses.learn(hash.clone(), webhook.tenant);
                own_dedupe(&arrival.headers)
            }
        };
        self.keep(&webhook, &hash, arrival, dedupe, now).await
    }

    /// One statement for an address that was a tenant's own when it was looked up before: it never becomes another's,
    /// and whether it takes deliveries now is asked by the statement. `None` where that did not keep it.
    async fn keep_at_once(
        &self,
        secret: &Hashed,
        tenant: TenantId,
        arrival: &Arrival,
        now: Time,
    ) -> Result<Option<DeliveryId>, Fault> {
        let id = DeliveryId::new(now, &*self.chance);
        let headers: Vec<_> = arrival.headers.iter().filter(|header| is_kept(header)).collect();
        let dedupe = own_dedupe(&arrival.headers);
        let delivery = arrival.delivered(&id, secret, dedupe, &headers, now);
        let kept = match self.begin_with(tenant, None, &delivery).await? {
            Some(kept) => kept,
            None => {
                let kept = deliveries::receive_own(&self.db, &delivery).await?;
                if kept {
                    self.ring_deliveries();
                }
                kept
            }
        };
        Ok(kept.then_some(id))
    }

    async fn keep(
        &self,
        webhook: &Webhook,
        secret: &Hashed,
        arrival: Arrival,
        dedupe: Option<String>,
        now: Time,
    ) -> Result<Received, Fault> {
        let id = DeliveryId::new(now, &*self.chance);
        let headers: Vec<_> = arrival.headers.iter().filter(|header| is_kept(header)).collect();
        let first = arrival.delivered(&id, secret, dedupe.clone(), &headers, now);
        if let Some(true) = self.begin_with(webhook.tenant, webhook.connector.as_ref(), &first).await? {
            return Ok(Received::Accepted { delivery: id });
        }
        let delivery = Delivery {
            id,
            organization: webhook.organization.clone(),
            tenant: webhook.tenant,
            webhook: webhook.id.clone(),
            dedupe,
            headers: arrival.headers.into_iter().filter(is_kept).collect(),
            body: arrival.body,
            received: now,
        };
        if deliveries::receive(&self.db, &delivery).await? {
            self.ring_deliveries();
            Ok(Received::Accepted { delivery: delivery.id })
        } else {
            Ok(Received::Repeated)
        }
    }

    /// Where a connector declares a scheme it is mandatory. The inner error is an answer: a challenge, a
    /// repetition, or a refusal.
    async fn checked(
        &self,
        webhook: &Webhook,
        connector: &Slug,
        arrival: &mut Arrival,
        now: Time,
    ) -> Result<Result<Option<String>, Received>, Fault> {
        let Some(check) = self.check_of(webhook, connector).await? else {
            return Ok(if arrival.is_get {
                Err(Received::Unknown)
            } else {
                Ok(own_dedupe(&arrival.headers))
            });
        };
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(arrival.query.as_bytes()).into_owned().collect();
        let url = self.webhook_link(arrival.environment, arrival.secret.reveal());
        let seen = webhook_verify::Arrival {
            method: if arrival.is_get { "GET" } else { "POST" },
            url: &url,
            headers: &arrival.headers,
            query: &query,
            body: &arrival.body,
        };
        if let Some(reply) = webhook_verify::challenge(&check.rules, check.secret.as_ref(), &seen) {
            return Ok(Err(Received::Challenge(reply)));
        }
        if arrival.is_get {
            return Ok(Err(Received::Unknown));
        }
        if let Err(refused) = webhook_verify::verify(&check.rules, check.secret.as_ref(), &seen, now) {
            tracing::info!(webhook = %webhook.id, reason = %refused, "a delivery was not verified");
            return Ok(Err(Received::NotVerified { reason: refused.to_string() }));
        }
        let dedupe = webhook_verify::dedupe_key(&check.rules, &seen);
        // A signature is worth nothing later; a header that is the secret itself would lie in the database in clear.
        if let Some(rules) = &check.rules.verify
            && matches!(rules.scheme, Scheme::Token | Scheme::Basic | Scheme::Jwt)
        {
            arrival.headers.retain(|(name, _)| *name != rules.header);
        }
        match (&check.rules.dedupe, dedupe) {
            (Some(Dedupe::Hash), Some(key)) => self.hash_dedupe(webhook, &key, now).await,
            (_, dedupe) => Ok(Ok(dedupe)),
        }
    }

    /// A body's hash tells deliveries apart for 24 h only: the key carries its day, and the day before is looked
    /// up for what crossed midnight.
    async fn hash_dedupe(
        &self,
        webhook: &Webhook,
        key: &str,
        now: Time,
    ) -> Result<Result<Option<String>, Received>, Fault> {
        let day = now.seconds().div_euclid(HASH_WINDOW_S);
        let (owner, id) = (webhook.organization.clone(), webhook.id.clone());
        let yesterday = format!("{key}:{}", day - 1);
        let since = now.plus_seconds(-HASH_WINDOW_S);
        let read = self.db.read(move |tx| {
            Box::pin(async move { deliveries::was_received(tx, &owner, &id, &yesterday, since).await })
        });
        Ok(if read.await? { Err(Received::Repeated) } else { Ok(Some(format!("{key}:{day}"))) })
    }

    /// The connector's rules and its secret, where it declares any.
    async fn check_of(&self, webhook: &Webhook, connector: &Slug) -> Result<Option<Check>, Fault> {
        let config = self.config_of(&webhook.organization, webhook.environment).await?;
        let config = config.ok_or_else(|| Fault::broken("the organization was disabled just now"))?;
        let definition = self.definition(&config, connector);
        let definition =
            definition.ok_or_else(|| Fault::broken(format!("connector {connector} is not loaded")))?;
        let Some(rules) = definition.webhook.clone() else { return Ok(None) };
        let secret = match &rules.verify {
            Some(verify) => {
                let credential = self.webhook_credential(webhook, connector).await?.unwrap_or_default();
                let variables = credential.variables(config.apps.get(connector), None);
                variables.get(&verify.secret_from).map(SecretText::new)
            }
            None => None,
        };
        Ok(Some(Check { rules, secret }))
    }

    async fn webhook_credential(
        &self,
        webhook: &Webhook,
        connector: &Slug,
    ) -> Result<Option<Credential>, Fault> {
        let (owner, tenant, connector) = (webhook.organization.clone(), webhook.tenant, connector.clone());
        let read = self.db.read(move |tx| {
            Box::pin(async move { connections::by_connector(tx, &owner, tenant, &connector).await })
        });
        match read.await? {
            Some(connection) => self.credential(&connection).await,
            None => Ok(None),
        }
    }
}

/// Addresses that belong to a tenant and no connector, by their hashes, and whose they are: those that deliveries came
/// to. The memory is bounded, and begins anew when it is full.
#[derive(Debug, Default)]
pub(crate) struct OwnAddresses(RwLock<HashMap<Hashed, TenantId>>);

impl OwnAddresses {
    const MOST: usize = 10_000;

    fn tenant_of(&self, secret: &Hashed) -> Option<TenantId> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(secret).copied()
    }

    fn learn(&self, secret: Hashed, tenant: TenantId) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(secret, tenant);
    }
}

fn is_kept((name, _): &(String, String)) -> bool {
    !NOT_KEPT.contains(&name.as_str())
}

/// The delivery id of Standard Webhooks.
fn own_dedupe(headers: &[(String, String)]) -> Option<String> {
    let id = headers.iter().find(|(name, _)| name == "webhook-id").map(|(_, value)| value.as_str());
    id.filter(|id| !id.is_empty() && id.len() <= 200).map(|id| format!("id:{id}"))
}
