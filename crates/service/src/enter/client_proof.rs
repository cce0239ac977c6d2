//! Which client asks, and whether it is (RFC 6749, section 2.3; RFC 7523; RFC 10070).

use super::oauth::{OAuthDenied, OAuthRefused};
use super::remembered::KnownClient;
use crate::{Place, Service};
use ::enter::ids::ClientId;
use ::enter::oidc::authorize::Parameters;
use ::enter::oidc::{
    Authentication, CLIENT_ASSERTION_TYPE, Client, ClientKeys, Presented, authenticate,
    judge_client_assertion,
};
use kernel::SecretText;
use kernel::jose::{Algorithm, Compact, strict_json};
use serde_json::Value;
use std::sync::Arc;
use store::standings::Revision;
use store::used_assertions;

/// The largest assertion that is taken apart to see whom it names, in bytes.
const ASSERTION_BYTES: usize = 8 * 1024;

/// Name and password of the `Authorization` header, form-decoded.
pub type Basic = (String, SecretText);

/// The client that an unproven assertion names.
fn named_by(assertion: &str) -> Option<String> {
    let compact = Compact::parse(assertion, ASSERTION_BYTES).ok()?;
    let claims = strict_json(&compact.payload).ok()?;
    claims.get("sub").and_then(Value::as_str).map(str::to_owned)
}

fn key_id(assertion: &str) -> Option<String> {
    let compact = Compact::parse(assertion, ASSERTION_BYTES).ok()?;
    compact.header.get("kid").and_then(Value::as_str).map(str::to_owned)
}

/// Who asks, and what was brought to prove it.
#[derive(Debug)]
struct Claim {
    name: Option<String>,
    presented: Presented,
    assertion: Option<String>,
}

impl Claim {
    fn read(form: &Parameters, basic: Option<Basic>) -> Result<Self, OAuthRefused> {
        let assertion = form.get("client_assertion");
        if assertion.is_some() != form.get("client_assertion_type").is_some()
            || form.get("client_assertion_type").is_some_and(|kind| kind != CLIENT_ASSERTION_TYPE)
        {
            let text = format!(
                "client_assertion and client_assertion_type go together; write {CLIENT_ASSERTION_TYPE}"
            );
            return Err(OAuthRefused::new("invalid_request", text));
        }
        let name = match (&basic, form.get("client_id"), assertion) {
            (Some((name, _)), _, _) => Some(name.clone()),
            (None, Some(name), _) => Some(name.to_owned()),
            (None, None, Some(assertion)) => named_by(assertion),
            (None, None, None) => None,
        };
        let presented = Presented {
            client_id: form.get("client_id").map(str::to_owned),
            basic,
            secret: form.get("client_secret").map(SecretText::new),
            assertion: assertion.is_some(),
        };
        Ok(Self { name, presented, assertion: assertion.map(str::to_owned) })
    }

    fn id(&self) -> Option<ClientId> {
        self.name.as_deref().and_then(|name| ClientId::parse(name).ok())
    }
}

/// A client that has proven itself, by what is known of it. It counts once it is confirmed.
#[derive(Debug)]
pub struct Claimed {
    pub(super) client: Arc<Client>,
    /// What it was proven by; `None` where that was the present state.
    unconfirmed: Option<(KnownClient, Claim)>,
}

impl Claimed {
    /// The client, where it is the one of this revision of everything; see [`store::revision`].
    pub(super) fn confirmed_at(&self, revision: i64) -> Option<&Client> {
        let (known, _) = self.unconfirmed.as_ref()?;
        known.is_of(revision).then_some(&*known.client)
    }
}

impl Service {
    /// The client that `form` and `basic` prove, as the database has it now.
    ///
    /// # Errors
    /// [`OAuthDenied`]: `invalid_client`, `invalid_request`.
    pub async fn prove_client(
        &self,
        place: &Place,
        form: &Parameters,
        basic: Option<Basic>,
    ) -> Result<Arc<Client>, OAuthDenied> {
        let claim = Claim::read(form, basic)?;
        self.proven_anew(place, &claim).await
    }

    /// The same by what is in memory, for those who read the client's revision together with what they need anyway:
    /// they let [`Self::confirmed`] judge before anything is answered.
    ///
    /// # Errors
    /// [`OAuthDenied`]: `invalid_client`, `invalid_request`.
    pub async fn claim_client(
        &self,
        place: &Place,
        form: &Parameters,
        basic: Option<Basic>,
    ) -> Result<Claimed, OAuthDenied> {
        let claim = Claim::read(form, basic)?;
        let known = claim.id().and_then(|id| self.client_in_memory(place.environment, &id));
        let fitting = known.filter(|known| authenticate(&known.client, &claim.presented) == Ok(false));
        if let Some(known) = fitting {
            return Ok(Claimed { client: Arc::clone(&known.client), unconfirmed: Some((known, claim)) });
        }
        Ok(Claimed { client: self.proven_anew(place, &claim).await?, unconfirmed: None })
    }

    /// The client of a claim. `seen` is the revision of a client that was just read, of whichever it is.
    ///
    /// # Errors
    /// [`OAuthDenied`]: `invalid_client`, `invalid_request`.
    pub(super) async fn confirmed(
        &self,
        place: &Place,
        claimed: Claimed,
        seen: Option<&Revision<ClientId>>,
    ) -> Result<Arc<Client>, OAuthDenied> {
        let Some((known, claim)) = claimed.unconfirmed else { return Ok(claimed.client) };
        if seen.is_some_and(|seen| known.is(seen)) {
            return Ok(known.client);
        }
        self.proven_anew(place, &claim).await
    }

    async fn proven_anew(&self, place: &Place, claim: &Claim) -> Result<Arc<Client>, OAuthDenied> {
        // An unknown client and a missing name look alike: nothing here tells which clients there are.
        let unknown =
            || OAuthRefused::new("invalid_client", "client_id is missing or unknown, or its proof is wrong");
        let id = claim.id().ok_or_else(unknown)?;
        let client = self.client_read(place.environment, &id).await?.ok_or_else(unknown)?.client;
        match (authenticate(&client, &claim.presented), &claim.assertion) {
            (Ok(false), _) => {}
            (Ok(true), Some(assertion)) => self.prove_assertion(place, &client, assertion).await?,
            (Ok(true), None) => {
                return Err(OAuthRefused::new("invalid_client", "client_assertion is missing").into());
            }
            (Err(why), _) => return Err(OAuthRefused::new(why.error(), why).of(&client).into()),
        }
        Ok(client)
    }

    async fn prove_assertion(
        &self,
        place: &Place,
        client: &Client,
        assertion: &str,
    ) -> Result<(), OAuthDenied> {
        let Authentication::PrivateKeyJwt { algorithm, keys } = &client.authentication else {
            return Err(OAuthRefused::new("invalid_client", "this client has no registered key")
                .of(client)
                .into());
        };
        let keys = self.client_keys(client, *algorithm, keys, assertion).await?;
        let now = self.clock.now();
        let judged = judge_client_assertion(assertion, client, *algorithm, &keys, place.url(), now);
        let proof = judged.map_err(|why| OAuthRefused::new("invalid_client", why).of(client))?;
        let principal = format!("client:{}", client.id);
        let write = self.db.write(move |tx| {
            Box::pin(async move { used_assertions::insert(tx, &principal, &proof.jti, proof.until).await })
        });
        // Lesson 12: the row that is written once, on whatever node and after whatever restart.
        if write.await? {
            return Ok(());
        }
        let text = "client_assertion was used already; write a fresh jti for each request";
        Err(OAuthRefused::new("invalid_client", text).of(client).into())
    }

    async fn client_keys(
        &self,
        client: &Client,
        algorithm: Algorithm,
        keys: &ClientKeys,
        assertion: &str,
    ) -> Result<Vec<String>, OAuthDenied> {
        let address = match keys {
            ClientKeys::Registered(keys) => return Ok(keys.clone()),
            ClientKeys::Published(address) => address,
        };
        let found = self.jwks.find(address, key_id(assertion).as_deref(), algorithm.as_str()).await;
        match found {
            Ok(found) => Ok(found.into_iter().map(|key| key.jwk).collect()),
            // The reason is the engineer's to know: the address is the client's own.
            Err(error) => {
                let text = format!("the key set of this client cannot be read ({})", error.code());
                Err(OAuthRefused::new("invalid_client", text).of(client).into())
            }
        }
    }
}
