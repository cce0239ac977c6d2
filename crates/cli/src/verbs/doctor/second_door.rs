//! The second door: which keys were allowed to prove less.

use super::finding::Findings;
use service::admin::service_keys::switch_names;
use store::{Db, service_accounts};

pub(super) async fn examine(db: &Db, findings: &mut Findings) {
    let read = db.read(|tx| Box::pin(async move { service_accounts::lenient_keys(tx).await }));
    let keys = match read.await {
        Ok(keys) => keys,
        Err(error) => return findings.error("service keys", error.to_string(), "look into the database"),
    };
    // One that is off proves nothing, whatever it was allowed.
    for key in keys.iter().filter(|key| key.disabled.is_none()) {
        let switches = switch_names(key.switches()).join(", ");
        findings.warning(
            "service keys",
            format!("{} of {} is allowed {switches}: its proofs are weaker", key.id, key.account),
            format!(
                "once the partner's SDK does without, take it back with `vestibule service-key allow {}`",
                key.id
            ),
        );
    }
}
