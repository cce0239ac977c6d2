//! `vestibule master-key ..`

use super::{ACTOR, Desk};
use anyhow::bail;
use serde_json::json;

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// After the master key was changed: what an older one sealed is sealed by the present one. Safe to do again
    Rewrap,
}

pub(super) async fn run(action: Action, desk: &mut Desk<'_>) -> anyhow::Result<()> {
    let Action::Rewrap = action;
    let done = desk.service.rewrap_keys(&ACTOR).await?;
    let master = desk.service.vault.masters().current().id().to_owned();
    let said = format!(
        "{master} seals {} data keys and {} signing keys more, and {} that it had sealed before",
        done.data_keys, done.issuer_keys, done.already
    );
    if let Some((what, why)) = done.closed.first() {
        bail!(
            "{said}; {} keys cannot be opened, the first is {what}: {why}; add the master key that sealed them to \
             `keys.older_master_keys`",
            done.closed.len()
        );
    }
    let record = json!({ "master_key": master, "data_keys": done.data_keys, "issuer_keys": done.issuer_keys,
        "already": done.already });
    desk.out.done(&record, &said)?;
    Ok(())
}
