//! The second door set up by hand: partners, accounts, users, apps, clients, service accounts and their keys.

mod keys;
mod refused;
mod registry;

use super::Shell;
use serde_json::Value;
use testkit::world::Engine;

/// An organization with a partner and an account, and an app with a domain of its own.
async fn shell(engine: Engine) -> Shell {
    let shell = Shell::on(engine).await;
    shell.good(&["organization", "create", "meridian"]);
    let transfer = "https://login.meridian.example/session-transfer";
    shell.good(&["partner", "create", "--id", "PT-1", "--transfer-url", transfer]);
    shell.good(&["account", "create", "--id", "AG-123", "--name", "Bakery"]);
    let entry = "https://app.beacon.example/a/{{accountId}}";
    shell.good(&["service-provider", "create", "--id", "MP-1", "--name", "Beacon", "--entry-url", entry]);
    shell
}

/// The actions of the audit log, the oldest first, after those of [`shell`].
fn audited(shell: &Shell) -> Vec<Value> {
    let log = shell.json(&["audit", "list", "--limit", "100"]);
    let mut entries: Vec<_> = log.as_array().unwrap().clone();
    entries.reverse();
    entries.split_off(4)
}
