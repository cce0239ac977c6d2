//! `vestibule signing-key ..`

use super::{ACTOR, Desk, id};
use crate::verbs::secret_source::file_or_input;
use connect::signing_key::{Algorithm, Material, SigningKey};
use kernel::Time;
use kernel::ids::SigningKeyId;
use serde_json::{Value, json};
use service::admin::signing_keys::NewMaterial;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes a shared secret (HS256), shown this once, or registers a public key
    Create {
        /// What people call it
        #[arg(long, value_name = "TEXT", default_value = "main")]
        name: String,
        /// HS256, RS256, ES256 or EdDSA. Default: HS256, a shared secret that is made here
        #[arg(long, value_parser = algorithm)]
        algorithm: Option<Algorithm>,
        /// File with the public key as PEM or JWK (`-`: standard input)
        #[arg(long, value_name = "FILE", requires = "algorithm", conflicts_with = "jwks_url")]
        public_key: Option<PathBuf>,
        /// Where the organization publishes its keys (JWK set, https)
        #[arg(long, value_name = "URL", requires = "algorithm")]
        jwks_url: Option<String>,
    },
    /// All keys of both environments, without their secrets
    List,
    /// Makes a new shared secret, shown this once; the old one is accepted for the overlap
    Rotate {
        key: String,
        /// How long the old secret is still accepted
        #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds, default_value = "24h")]
        overlap: i64,
    },
    /// Ends a key at once: the next token signed with it is refused
    Revoke { key: String },
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::parse(text).ok_or_else(|| "expected HS256, RS256, ES256 or EdDSA".to_owned())
}

pub(super) fn record(key: &SigningKey, now: Time) -> Value {
    let state = match (key.revoked, key.retires) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "retired",
        (None, Some(_)) => "retiring",
        (None, None) => "live",
    };
    let (material, detail) = match &key.material {
        Material::Secret(_) => ("shared secret", None),
        Material::PublicJwk(_) => ("public key", None),
        Material::JwksUrl(url) => ("published keys", Some(url.as_str())),
    };
    json!({
        "id": key.id,
        "name": key.name,
        "environment": key.environment.as_str(),
        "algorithm": key.algorithm.as_str(),
        "material": material,
        "jwks_url": detail,
        "state": state,
        "created": key.created.iso_seconds(),
        "retires": key.retires.map(Time::iso_seconds),
        "revoked": key.revoked.map(Time::iso_seconds),
    })
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let organization = desk.organization().await?;
    let (slug, owner) = (&organization.slug, &organization.id);
    let now = desk.service.clock.now();
    match action {
        Action::Create { name, algorithm, public_key, jwks_url } => {
            let material = match (public_key, jwks_url) {
                (Some(file), _) => NewMaterial::PublicKey(file_or_input(&file)?.reveal().to_owned()),
                (None, Some(url)) => NewMaterial::JwksUrl(url),
                (None, None) => NewMaterial::Secret,
            };
            let environment = desk.environment()?;
            let algorithm = algorithm.unwrap_or(Algorithm::Hs256);
            let made =
                desk.service.add_signing_key(&ACTOR, owner, environment, algorithm, &name, material).await?;
            let (key, secret) = made;
            let record = record(&key, now);
            match secret {
                Some(secret) => {
                    let said = format!(
                        "{} signs for {slug} in {environment} (HS256). The secret is shown only this once; keep it in {slug}'s backend.",
                        key.id
                    );
                    desk.out.secret(record, &secret, &said)?;
                }
                None => desk.out.done(&record, &format!("{} is registered for {environment}", key.id))?,
            }
        }
        Action::List => {
            let keys = desk.service.signing_keys(owner).await?;
            let wanted = desk.scope.environment;
            let keys = keys.iter().filter(|key| wanted.is_none_or(|wanted| key.environment == wanted));
            let records: Vec<_> = keys.map(|key| record(key, now)).collect();
            let fields =
                ["id", "name", "environment", "algorithm", "material", "state", "created", "retires"];
            desk.out.list(&records, &fields)?;
        }
        Action::Rotate { key, overlap } => {
            let old = id(SigningKeyId::parse, &key, "signing-key list")?;
            let (new, secret) = desk.service.rotate_signing_key(&ACTOR, owner, &old, overlap).await?;
            let until = now.plus_seconds(overlap).iso_seconds();
            let said = format!(
                "{} follows {old}, which is accepted until {until}. The secret is shown only this once.",
                new.id
            );
            desk.out.secret(record(&new, now), &secret, &said)?;
        }
        Action::Revoke { key } => {
            let key = id(SigningKeyId::parse, &key, "signing-key list")?;
            desk.service.revoke_signing_key(&ACTOR, owner, &key).await?;
            desk.out.done(&json!({ "id": key, "state": "revoked" }), &format!("{key} is revoked"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_default_overlap_is_the_use_cases() {
        assert_eq!(crate::verbs::span::seconds("24h"), Ok(service::admin::signing_keys::OVERLAP_S));
    }
}
