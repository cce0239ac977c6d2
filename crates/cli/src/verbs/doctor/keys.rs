//! Master keys and what they open.

use super::database::sqlite_file;
use super::finding::Findings;
use crate::master_keys::{MasterKeysRefused, Origin, load_master_keys, origin};
use crate::settings::Settings;
use kernel::{Environment, MasterKey, MasterKeys, SystemChance};
use service::enter::issuer::place_of;
use std::collections::BTreeMap;
use std::path::Path;
use store::data_keys::{self, DataKeyRecord};
use store::issuer_keys::{self, KeptKey};
use store::{Db, DbError, organizations};

/// The master keys, where they can be loaded. None is made.
pub(super) fn loaded(settings: &Settings, findings: &mut Findings) -> Option<MasterKeys> {
    let file = &settings.keys.master_key_file;
    let from = origin(&settings.keys);
    let from_file = matches!(from, Ok(Origin::File));
    if from_file && !file.exists() {
        findings.warning(
            "master key",
            format!("{} is not there yet", file.display()),
            "start `vestibule serve` once, which makes it; or set `keys.master_key_file` to where it is",
        );
        return None;
    }
    match load_master_keys(settings, &SystemChance) {
        Ok(masters) => {
            let from = match from {
                Ok(Origin::Command) => "`keys.master_key_command`".to_owned(),
                Ok(Origin::File) => file.display().to_string(),
                Ok(Origin::Setting) | Err(_) => "`keys.master_key`".to_owned(),
            };
            findings.good("master key", format!("{} from {from}", masters.current().id()));
            let production = settings.environments.production.is_some();
            if from_file && production && beside(file, sqlite_file(settings).as_deref()) {
                findings.warning(
                    "master key",
                    "it lies in the same folder as the database; who copies the folder can open every credential",
                    "move it elsewhere and set `keys.master_key_file`; back the two up apart",
                );
            }
            Some(masters)
        }
        Err(refused) => {
            let todo = match refused {
                MasterKeysRefused::Both => "take one of the two settings away",
                MasterKeysRefused::Command(_) => {
                    "run the program by hand, as the gateway's account; nothing stored can be opened without the key"
                }
                _ => "bring the key back from its copy; nothing stored can be opened without it",
            };
            findings.error("master key", refused.to_string(), todo);
            None
        }
    }
}

fn beside(key: &Path, database: Option<&Path>) -> bool {
    let folder = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).canonicalize().ok()
    };
    database.is_some_and(|database| folder(key).is_some() && folder(key) == folder(database))
}

/// Whether every organization's data keys and the gateway's own signing keys can be opened, and which older master
/// keys are still needed for it.
pub(super) async fn data_keys(
    settings: &Settings,
    db: &Db,
    masters: Option<&MasterKeys>,
    findings: &mut Findings,
) {
    let records = match all(db).await {
        Ok(records) => records,
        Err(error) => return findings.error("data keys", error.to_string(), "look into the database"),
    };
    let Some(masters) = masters else {
        if !records.is_empty() {
            findings.error(
                "data keys",
                format!("{} are stored, and there is no master key to open them", records.len()),
                "bring the master key back from its copy",
            );
        }
        return;
    };
    let mut needed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut opened = 0;
    for record in &records {
        if let Ok(master) = record.wrapped.key_id() {
            *needed.entry(master).or_default() += 1;
        }
        match masters.unwrap_data_key(&record.id, record.organization.as_str(), &record.wrapped) {
            Ok(_) => opened += 1,
            Err(error) => findings.error(
                "data keys",
                format!("{} of {} cannot be opened: {error}", record.id, record.organization),
                "add the master key that sealed it to `keys.older_master_keys`",
            ),
        }
    }
    if opened > 0 {
        findings.good("data keys", format!("{opened} of {} can be opened", records.len()));
    }
    let kept = match issuer_keys_of_all(db).await {
        Ok(kept) => kept,
        Err(error) => return findings.error("signing keys", error.to_string(), "look into the database"),
    };
    let mut opened = 0;
    for (environment, kept) in &kept {
        if let Ok(master) = kept.private_key.key_id() {
            *needed.entry(master).or_default() += 1;
        }
        match masters.open(&place_of(*environment, &kept.key.id), &kept.private_key) {
            Ok(_) => opened += 1,
            Err(error) => findings.error(
                "signing keys",
                format!("{} of the gateway in {environment} cannot be opened: {error}", kept.key.id),
                "add the master key that sealed it to `keys.older_master_keys`",
            ),
        }
    }
    if opened > 0 {
        findings.good("signing keys", format!("{opened} of {} of the gateway's can be opened", kept.len()));
    }
    older(settings, &needed, findings);
}

fn older(settings: &Settings, needed: &BTreeMap<&str, usize>, findings: &mut Findings) {
    let parsed =
        settings.keys.older_master_keys.iter().filter_map(|text| MasterKey::parse(text.reveal()).ok());
    for key in parsed {
        match needed.get(key.id()) {
            Some(count) => findings
                .good("master key", format!("the older {} is still needed for {count} of them; `vestibule master-key rewrap` changes that", key.id())),
            None => findings.warning(
                "master key",
                format!("the older {} seals nothing any more", key.id()),
                "take it out of `keys.older_master_keys`",
            ),
        }
    }
}

async fn issuer_keys_of_all(db: &Db) -> Result<Vec<(Environment, KeptKey)>, DbError> {
    db.read(|tx| {
        Box::pin(async move {
            let mut all = Vec::new();
            for environment in Environment::ALL {
                let kept = issuer_keys::kept(tx, environment).await?;
                all.extend(kept.into_iter().map(|kept| (environment, kept)));
            }
            Ok(all)
        })
    })
    .await
}

async fn all(db: &Db) -> Result<Vec<DataKeyRecord>, DbError> {
    db.read(|tx| {
        Box::pin(async move {
            let mut records = Vec::new();
            for found in organizations::list(tx).await? {
                records.extend(data_keys::list(tx, &found.organization.id).await?);
            }
            Ok(records)
        })
    })
    .await
}
