//! `vestibule api-key ..`

use super::{ACTOR, Desk, id};
use connect::api_key::ApiKey;
use kernel::Time;
use kernel::ids::ApiKeyId;
use serde_json::{Value, json};

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Makes a key, shown this once
    Create {
        /// What people call it
        #[arg(long, value_name = "TEXT", default_value = "main")]
        name: String,
        /// What the key may do: as in tenants:read (may be repeated; an unknown one is refused with all there are)
        #[arg(long = "scope", required = true, value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<String>,
    },
    /// All keys of both environments
    List,
    /// Ends a key at once
    Revoke { key: String },
}

fn record(key: &ApiKey) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "environment": key.environment.as_str(),
        "scopes": key.scopes,
        "created": key.created.iso_seconds(),
        "revoked": key.revoked.map(Time::iso_seconds),
    })
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let organization = desk.organization().await?;
    let owner = &organization.id;
    match action {
        Action::Create { name, scopes } => {
            let environment = desk.environment()?;
            let made = desk.service.create_api_key(&ACTOR, owner, environment, &name, &scopes).await?;
            let (key, secret) = made;
            let said = format!(
                "{} may {} in {environment} for {}. The key is shown only this once.",
                key.id,
                key.scopes.join(", "),
                organization.slug
            );
            desk.out.secret(record(&key), &secret, &said)?;
        }
        Action::List => {
            let keys = desk.service.api_keys(owner).await?;
            let wanted = desk.scope.environment;
            let keys = keys.iter().filter(|key| wanted.is_none_or(|wanted| key.environment == wanted));
            let records: Vec<_> = keys.map(record).collect();
            desk.out.list(&records, &["id", "name", "environment", "scopes", "created", "revoked"])?;
        }
        Action::Revoke { key } => {
            let key = id(ApiKeyId::parse, &key, "api-key list")?;
            desk.service.revoke_api_key(&ACTOR, owner, &key).await?;
            desk.out.done(&json!({ "id": key, "revoked": true }), &format!("{key} is revoked"))?;
        }
    }
    Ok(())
}
