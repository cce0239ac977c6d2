//! `vestibule client ..`

use super::{ACTOR, Desk, service_provider};
use crate::verbs::secret_source::file_or_input;
use clap::builder::BoolishValueParser;
use enter::ids::{AppId, ClientId};
use enter::sso::ClientConfiguration;
use serde_json::{Value, json};
use service::admin::clients::{OldSecrets, secrets};
use std::path::PathBuf;
use store::Kept;
use store::clients::ClientRecord;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Registers a client of an app; its secret, where it has one, is shown this once
    Create {
        /// Its id (`client_id`). Made here where none is given
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// Of which app; may be left out where there is one only
        #[arg(long, value_name = "ID")]
        service_provider: Option<String>,
        #[command(flatten)]
        change: Box<Change>,
    },
    /// An app's clients
    List {
        /// Of which app; may be left out where there is one only
        #[arg(long, value_name = "ID")]
        service_provider: Option<String>,
    },
    /// One client
    Show { client: String },
    /// Changes what is given and leaves the rest
    Set {
        client: String,
        #[command(flatten)]
        change: Box<Change>,
        /// Refuses the client and its tokens from now on
        #[arg(long, conflicts_with = "enable")]
        disable: bool,
        /// Takes --disable back
        #[arg(long)]
        enable: bool,
    },
    /// Makes a new secret, shown this once; the old ones are accepted for the overlap
    RotateSecret {
        client: String,
        /// How long the old secrets are still accepted
        #[arg(long, value_name = "SPAN", value_parser = crate::verbs::span::seconds, default_value = "24h")]
        overlap: i64,
    },
    /// Ends all secrets but the latest at once
    EndOldSecrets { client: String },
    /// Deletes a client with its tokens
    Delete { client: String },
}

#[derive(Debug, clap::Args)]
pub struct Change {
    /// What people read. Where none is given at first: the id
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Where it runs: web (with a backend; the default), browser, native
    #[arg(long = "type", value_name = "TYPE")]
    application_type: Option<String>,
    /// How it proves itself: client_secret_basic (or client_secret_post; both are taken), private_key_jwt, none
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Where codes are sent, byte for byte (may be repeated; replaces all)
    #[arg(long = "redirect-uri", value_name = "URL")]
    redirect_uris: Option<Vec<String>>,
    /// Where it may send browsers after a logout (may be repeated; replaces all; '' for none)
    #[arg(long = "post-logout-redirect-uri", value_name = "URL")]
    post_logout_redirect_uris: Option<Vec<String>>,
    /// A scope that it may ask for: openid, profile, email, offline_access (may be repeated; replaces all)
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Option<Vec<String>>,
    /// File with its public keys as a JWK set, for private_key_jwt (`-`: standard input)
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks_file: Option<PathBuf>,
    /// Where it publishes its keys, for private_key_jwt
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// With what it signs for private_key_jwt: RS256, ES256 or EdDSA. Default: as its first key
    #[arg(long, value_name = "NAME")]
    assertion_algorithm: Option<String>,
    /// With what its ID tokens are signed: RS256 (the default), ES256 or EdDSA
    #[arg(long, value_name = "NAME")]
    id_token_algorithm: Option<String>,
    /// Where it is told that a session has ended ('' for nowhere)
    #[arg(long, value_name = "URL")]
    backchannel_logout_uri: Option<String>,
    /// Whether a refresh token whose answer was lost may be used once more within 30 seconds
    #[arg(long, value_name = "YES|NO", value_parser = BoolishValueParser::new(), hide_possible_values = true)]
    forgive_lost_answers: Option<bool>,
}

impl Change {
    fn apply(self, new: &mut ClientConfiguration) -> anyhow::Result<()> {
        let text = |field: &mut String, given: Option<String>| {
            if let Some(given) = given {
                *field = given;
            }
        };
        let list = |field: &mut Vec<String>, given: Option<Vec<String>>| {
            if let Some(given) = given {
                *field = super::listed(given);
            }
        };
        text(&mut new.name, self.name);
        text(&mut new.application_type, self.application_type);
        if let Some(method) = self.method {
            if method != new.token_endpoint_auth_method && method != "private_key_jwt" {
                new.jwks.clear();
                new.jwks_uri.clear();
                new.token_endpoint_auth_signing_alg.clear();
            }
            new.token_endpoint_auth_method = method;
        }
        list(&mut new.redirect_uris, self.redirect_uris);
        list(&mut new.post_logout_redirect_uris, self.post_logout_redirect_uris);
        list(&mut new.scopes, self.scopes);
        if let Some(file) = self.jwks_file {
            file_or_input(&file)?.reveal().clone_into(&mut new.jwks);
            new.jwks_uri.clear();
            new.token_endpoint_auth_signing_alg.clear();
        }
        if let Some(url) = self.jwks_uri {
            new.jwks_uri = url;
            new.jwks.clear();
        }
        text(&mut new.token_endpoint_auth_signing_alg, self.assertion_algorithm);
        text(&mut new.id_token_signed_response_alg, self.id_token_algorithm);
        text(&mut new.backchannel_logout_uri, self.backchannel_logout_uri);
        new.refresh_forgiveness = self.forgive_lost_answers.or(new.refresh_forgiveness);
        Ok(())
    }
}

fn record(kept: &Kept<ClientRecord>) -> Value {
    let ClientRecord { client, name, created } = &kept.noun;
    let shown = ClientConfiguration::of(client, name, kept.revision);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    json!({
        "client": client.id,
        "name": name,
        "service_provider": client.app,
        "type": shown.application_type,
        "method": shown.token_endpoint_auth_method,
        "secrets": secrets(client).map(<[_]>::len),
        "assertion_algorithm": some(&shown.token_endpoint_auth_signing_alg),
        "jwks": some(&shown.jwks),
        "jwks_uri": some(&shown.jwks_uri),
        "redirect_uris": shown.redirect_uris,
        "post_logout_redirect_uris": shown.post_logout_redirect_uris,
        "scopes": shown.scopes,
        "id_token_algorithm": shown.id_token_signed_response_alg,
        "backchannel_logout_uri": some(&shown.backchannel_logout_uri),
        "forgive_lost_answers": client.forgiveness,
        "created": created.iso_seconds(),
        "disabled": client.disabled.map(kernel::Time::iso_seconds),
    })
}

fn id(text: &str) -> anyhow::Result<ClientId> {
    super::id(ClientId::parse, text, "client list")
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    match action {
        Action::Create { id, service_provider, change } => {
            create(desk, id, service_provider, *change).await?;
        }
        Action::List { service_provider } => {
            let app = app(desk, service_provider).await?;
            let all = desk.service.clients(&holder, &app).await?;
            let records: Vec<_> = all.iter().map(record).collect();
            let fields = ["client", "name", "type", "method", "secrets", "redirect_uris", "disabled"];
            desk.out.list(&records, &fields)?;
        }
        Action::Show { client } => {
            desk.out.one(&record(&desk.service.client(&holder, &id(&client)?).await?))?;
        }
        Action::Set { client, change, disable, enable } => {
            let id = id(&client)?;
            let kept = desk.service.client(&holder, &id).await?;
            let mut new = ClientConfiguration::of(&kept.noun.client, &kept.noun.name, kept.revision);
            change.apply(&mut new)?;
            new.disabled = (new.disabled || disable) && !enable;
            let changed = desk.service.change_client(&ACTOR, &holder, &id, new).await?;
            if secrets(&changed.noun.client).is_some_and(<[_]>::is_empty) {
                crate::verbs::output::note(&format!("next: `vestibule client rotate-secret {id}`"));
            }
            desk.out.one(&record(&changed))?;
        }
        Action::RotateSecret { client, overlap } => {
            let id = id(&client)?;
            let old = OldSecrets::EndAfter(overlap);
            let secret = desk.service.create_client_secret(&ACTOR, &holder, &id, old).await?;
            let until = desk.service.clock.now().plus_seconds(overlap).iso_seconds();
            let said =
                format!("Old secrets of {id} are accepted until {until}. This one is shown only this once.");
            desk.out.secret(json!({ "client": id, "old_secrets_end": until }), &secret, &said)?;
        }
        Action::EndOldSecrets { client } => {
            let id = id(&client)?;
            let ended = desk.service.end_old_client_secrets(&ACTOR, &holder, &id).await?;
            let said = format!("{ended} secrets of {id} ended; the latest is in force");
            desk.out.done(&json!({ "client": id, "ended": ended }), &said)?;
        }
        Action::Delete { client } => {
            let id = id(&client)?;
            desk.service.delete_client(&ACTOR, &holder, &id).await?;
            desk.out.done(&json!({ "client": id, "deleted": true }), &format!("{id} is deleted"))?;
        }
    }
    Ok(())
}

async fn create(
    desk: &mut Desk<'_>,
    id: Option<String>,
    service_provider: Option<String>,
    change: Change,
) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let id = id.map(|text| ClientId::parse(&text)).transpose()?;
    let app = app(desk, service_provider).await?;
    let mut new = ClientConfiguration::default();
    change.apply(&mut new)?;
    let (made, secret) = desk.service.create_client(&ACTOR, &holder, &app, id, &new).await?;
    let id = &made.noun.client.id;
    match secret {
        Some(secret) => {
            let said = format!("{id} is registered for {app}. Its secret is shown only this once.");
            desk.out.secret(record(&made), &secret, &said)?;
        }
        None => desk.out.done(&record(&made), &format!("{id} is registered for {app}"))?,
    }
    Ok(())
}

/// The app that is meant: the one that is named, else the only one.
async fn app(desk: &Desk<'_>, named: Option<String>) -> anyhow::Result<AppId> {
    if let Some(text) = named {
        return service_provider::id(&text);
    }
    let all = desk.service.all_apps(&desk.holder().await?, None, 2).await?;
    match all.as_slice() {
        [only] => Ok(only.noun.id.clone()),
        [] => anyhow::bail!("there is no app yet; make one with `vestibule service-provider create`"),
        _ => anyhow::bail!("which app? say --service-provider; `vestibule service-provider list` shows them"),
    }
}
