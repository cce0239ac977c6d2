//! `vestibule consent ..`

use super::{ACTOR, Desk, id};
use enter::ids::{ClientId, PersonId};
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// What a user has allowed, the newest first
    List {
        /// The user's id, as `vestibule user list` shows it
        user: String,
    },
    /// Takes a consent back; what the app holds because of it ends at once
    Revoke {
        user: String,
        /// The app's client
        client: String,
    },
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let holder = desk.holder().await?;
    let user = |text: &str| id(PersonId::parse, text, "user list");
    match action {
        Action::List { user: text } => {
            let all = desk.service.consents(&holder, &user(&text)?).await?;
            let records: Vec<_> = all
                .iter()
                .map(|one| {
                    json!({ "user": one.person, "client": one.client, "scopes": one.scopes,
                        "given": one.given.iso_seconds() })
                })
                .collect();
            desk.out.list(&records, &["client", "scopes", "given"])?;
        }
        Action::Revoke { user: text, client } => {
            let (user, client) = (user(&text)?, id(ClientId::parse, &client, "consent list USER")?);
            let revoked = desk.service.revoke_consent(&ACTOR, &holder, &user, &client).await?;
            let word = if revoked { "is taken back" } else { "was not given" };
            let record = json!({ "user": user, "client": client, "revoked": revoked });
            desk.out.done(&record, &format!("{user}'s consent for {client} {word}"))?;
        }
    }
    Ok(())
}
