//! Signing keys: made (the secret is shown once), registered, rotated with overlap, revoked.

use super::AdminRefused;
use crate::Service;
use connect::signing_key::{Algorithm, Material, SigningKey, check_jwk};
use kernel::ids::{OrganizationId, SigningKeyId};
use kernel::{Actor, Environment, Plain, SafeUrl};
use store::{audit, signing_keys};

/// What a signing key is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewMaterial {
    /// A shared secret that we make, for HS256: shown once.
    Secret,
    /// A public key as JWK or PEM.
    PublicKey(String),
    /// Where the organization publishes its keys.
    JwksUrl(String),
}

/// How long a rotated key stays valid unless said otherwise, in seconds: a day.
pub const OVERLAP_S: i64 = 24 * 3600;

impl Service {
    /// # Errors
    /// [`AdminRefused`].
    pub async fn add_signing_key(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        environment: Environment,
        algorithm: Algorithm,
        name: &str,
        material: NewMaterial,
    ) -> Result<(SigningKey, Option<Plain>), AdminRefused> {
        let (key, secret) = self.new_key(organization, environment, algorithm, name, material).await?;
        let event = self.event(actor, "signing_key.created", key.id.to_string(), organization);
        let row = key.clone();
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                signing_keys::insert(tx, &row).await?;
                audit::insert(tx, &event).await
            })
        });
        write.await?;
        Ok((key, secret))
    }

    async fn new_key(
        &self,
        organization: &OrganizationId,
        environment: Environment,
        algorithm: Algorithm,
        name: &str,
        material: NewMaterial,
    ) -> Result<(SigningKey, Option<Plain>), AdminRefused> {
        let now = self.clock.now();
        let id = SigningKeyId::new(now, &*self.chance);
        let mut secret = None;
        let material = match (material, algorithm) {
            (NewMaterial::Secret, Algorithm::Hs256) => {
                let plain = Plain::new(&*self.chance);
                let place = format!("signing_key:{id}");
                let sealed =
                    self.vault.seal(&self.db, organization, &place, plain.reveal().as_bytes()).await?;
                secret = Some(plain);
                Material::Secret(sealed)
            }
            (NewMaterial::Secret, other) => {
                let text =
                    format!("{} needs a public key: --public-key FILE or --jwks-url URL", other.as_str());
                return Err(AdminRefused::Invalid(text));
            }
            (_, Algorithm::Hs256) => {
                return Err(AdminRefused::invalid(
                    "HS256 takes a shared secret that we make, not a public key",
                ));
            }
            (NewMaterial::PublicKey(text), algorithm) => {
                Material::PublicJwk(check_jwk(algorithm, &text).map_err(AdminRefused::invalid)?)
            }
            (NewMaterial::JwksUrl(text), _) => {
                Material::JwksUrl(SafeUrl::parse(&text).map_err(AdminRefused::invalid)?)
            }
        };
        let (organization, name) = (organization.clone(), name.to_owned());
        let key = SigningKey {
            id,
            organization,
            environment,
            algorithm,
            material,
            name,
            created: now,
            retires: None,
            revoked: None,
        };
        Ok((key, secret))
    }

    /// Makes a new shared secret; the old one is accepted for `overlap_s` more, so that the organization can
    /// change over without a gap.
    ///
    /// # Errors
    /// [`AdminRefused`], also for a key that has no secret of ours.
    pub async fn rotate_signing_key(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        id: &SigningKeyId,
        overlap_s: i64,
    ) -> Result<(SigningKey, Plain), AdminRefused> {
        let old = self.signing_key(organization, id).await?;
        if !matches!(old.material, Material::Secret(_)) {
            return Err(AdminRefused::invalid(
                "only shared secrets are rotated here; register the new public key instead",
            ));
        }
        let now = self.clock.now();
        if !old.is_live(now) {
            return Err(AdminRefused::Invalid(format!("{id} is retired or revoked; add a new key instead")));
        }
        if !(0..=90 * 24 * 3600).contains(&overlap_s) {
            return Err(AdminRefused::invalid("the overlap is 0 seconds to 90 days"));
        }
        let new = self
            .new_key(organization, old.environment, old.algorithm, &old.name, NewMaterial::Secret)
            .await?;
        let (Some(secret), key) = (new.1, new.0) else {
            return Err(AdminRefused::invalid("no secret was made"));
        };
        let event = self.event(actor, "signing_key.rotated", id.to_string(), organization);
        let event = event.with(serde_json::json!({ "new": key.id.as_str(), "overlap_s": overlap_s }));
        let (row, owner, old) = (key.clone(), organization.clone(), id.clone());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                signing_keys::insert(tx, &row).await?;
                signing_keys::retire(tx, &owner, &old, now.plus_seconds(overlap_s)).await?;
                audit::insert(tx, &event).await
            })
        });
        write.await?;
        Ok((key, secret))
    }

    /// Ends a key at once: the next token signed with it is refused.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn revoke_signing_key(
        &self,
        actor: &Actor,
        organization: &OrganizationId,
        id: &SigningKeyId,
    ) -> Result<(), AdminRefused> {
        self.signing_key(organization, id).await?;
        let event = self.event(actor, "signing_key.revoked", id.to_string(), organization);
        let (owner, id, now) = (organization.clone(), id.clone(), self.clock.now());
        let write = self.db.write(move |tx| {
            Box::pin(async move {
                if signing_keys::revoke(tx, &owner, &id, now).await? {
                    audit::insert(tx, &event).await?;
                }
                Ok(())
            })
        });
        write.await
    }

    /// All keys of both environments, also ended ones.
    ///
    /// # Errors
    /// [`AdminRefused`].
    pub async fn signing_keys(&self, organization: &OrganizationId) -> Result<Vec<SigningKey>, AdminRefused> {
        let owner = organization.clone();
        Ok(self.db.read(move |tx| Box::pin(async move { signing_keys::list(tx, &owner).await })).await?)
    }

    async fn signing_key(
        &self,
        organization: &OrganizationId,
        id: &SigningKeyId,
    ) -> Result<SigningKey, AdminRefused> {
        let (owner, wanted) = (organization.clone(), id.clone());
        let read =
            self.db.read(move |tx| Box::pin(async move { signing_keys::by_id(tx, &owner, &wanted).await }));
        let found: Option<SigningKey> = read.await.map_err(AdminRefused::from)?;
        found.ok_or_else(|| AdminRefused::not_found("signing key", id.as_str()))
    }
}
