//! Organizations: whether their users can get in, and whether what they installed can be connected.

use super::finding::{Findings, Level};
use crate::gateway;
use crate::settings::Settings;
use connect::connector::{Catalogue, Definition, Way};
use connect::integration::Integration;
use connect::signing_key::SigningKey;
use kernel::{Environment, Organization, Origin, Slug, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::connector_apps::{self, ConnectorApp};
use store::{Db, DbError, integrations, organization_connectors, organizations, origins, signing_keys};

/// A retired key's end is told when it is so near, in seconds: a week.
const NEAR_S: i64 = 7 * 86_400;

/// An organization in one environment.
struct Seen {
    organization: Organization,
    environment: Environment,
    keys: Vec<SigningKey>,
    origins: Vec<Origin>,
    integrations: Vec<Integration>,
    apps: Vec<ConnectorApp>,
    own: Vec<(Slug, String)>,
}

pub(super) async fn examine(
    settings: &Settings,
    db: &Db,
    catalogue: &Catalogue,
    now: Time,
    findings: &mut Findings,
) {
    let environments: Vec<_> = Environment::ALL
        .into_iter()
        .filter(|environment| settings.environments.origin(*environment).is_some())
        .collect();
    let seen = match read(db, environments, now).await {
        Ok(seen) => seen,
        Err(error) => return findings.error("organizations", error.to_string(), "look into the database"),
    };
    if seen.is_empty() {
        findings.warning(
            "organizations",
            "there is none yet",
            "make one with `vestibule organization create NAME`",
        );
    }
    for seen in &seen {
        // Whoever has nothing in an environment does not use it.
        if seen.integrations.is_empty() && seen.keys.is_empty() && seen.origins.is_empty() {
            continue;
        }
        let told = findings.errors();
        entrance(seen, now, findings);
        let own = definitions(settings, seen, findings);
        for integration in &seen.integrations {
            connectors(seen, integration, catalogue, &own, findings);
        }
        if findings.errors() == told {
            let what = format!(
                "{} in {}: {} signing keys, {} integrations",
                seen.organization.slug,
                seen.environment,
                seen.keys.len(),
                seen.integrations.len()
            );
            findings.good("organizations", what);
        }
    }
}

impl Seen {
    /// In production people wait; in a sandbox it is still being built.
    fn level(&self) -> Level {
        match self.environment {
            Environment::Production => Level::Error,
            Environment::Sandbox => Level::Warning,
        }
    }

    fn flags(&self) -> String {
        format!("--organization {} --environment {}", self.organization.slug, self.environment)
    }
}

async fn read(db: &Db, environments: Vec<Environment>, now: Time) -> Result<Vec<Seen>, DbError> {
    db.read(move |tx| {
        Box::pin(async move {
            let mut seen = Vec::new();
            for found in organizations::list(tx).await? {
                let organization = found.organization;
                if organization.disabled {
                    continue;
                }
                let id = &organization.id;
                let apps = connector_apps::list(tx, id).await?;
                for environment in &environments {
                    let own = organization_connectors::list(tx, id, *environment).await?;
                    seen.push(Seen {
                        environment: *environment,
                        keys: signing_keys::live(tx, id, *environment, now).await?,
                        origins: origins::list(tx, id, *environment).await?,
                        integrations: integrations::all(tx, id, *environment).await?,
                        apps: apps.iter().filter(|app| app.environment == *environment).cloned().collect(),
                        own: own.into_iter().map(|row| (row.name, row.definition)).collect(),
                        organization: organization.clone(),
                    });
                }
            }
            Ok(seen)
        })
    })
    .await
}

/// Keys and origins.
fn entrance(seen: &Seen, now: Time, findings: &mut Findings) {
    let (name, environment) = (&seen.organization.slug, seen.environment);
    if seen.keys.is_empty() {
        let what = format!("{name} has no live signing key in {environment}; every visit is refused");
        let todo = format!("run `vestibule signing-key create {}`", seen.flags());
        findings.add(seen.level(), "signing keys", what, todo);
    }
    for key in &seen.keys {
        let Some(end) = key.retires.filter(|end| end.seconds_since(now) < NEAR_S) else { continue };
        findings.warning(
            "signing keys",
            format!("{name}'s key {} in {environment} ends at {}", key.id, end.iso_seconds()),
            "make sure that the organization signs with its successor",
        );
    }
    if seen.origins.is_empty() {
        let what = match environment {
            Environment::Production => {
                format!("{name} has no origin in production; no page of its may be framed")
            }
            Environment::Sandbox => {
                format!("{name} has no origin in the sandbox; anyone may frame its pages")
            }
        };
        let todo = format!("run `vestibule origin add https://... {}`", seen.flags());
        findings.add(seen.level(), "origins", what, todo);
    }
    if seen.integrations.is_empty() {
        let what = format!("{name} has no integration in {environment}; there is nothing to install");
        let todo = format!("run `vestibule integration create NAME --connector ... {}`", seen.flags());
        findings.warning("integrations", what, todo);
    }
}

/// The organization's own connectors, as far as this release can read them.
fn definitions(settings: &Settings, seen: &Seen, findings: &mut Findings) -> BTreeMap<Slug, Arc<Definition>> {
    let mut read = BTreeMap::new();
    for (name, text) in &seen.own {
        match Definition::parse(name.as_str(), text, gateway::policy(settings)) {
            Ok(definition) => {
                read.insert(name.clone(), Arc::new(definition));
            }
            Err(problems) => {
                let problem = problems.first().map(ToString::to_string).unwrap_or_default();
                findings.error(
                    "connectors",
                    format!("{}'s own connector {name} cannot be read: {problem}", seen.organization.slug),
                    format!("mend its file, then run `vestibule connector add FILE {}`", seen.flags()),
                );
            }
        }
    }
    read
}

fn connectors(
    seen: &Seen,
    integration: &Integration,
    catalogue: &Catalogue,
    own: &BTreeMap<Slug, Arc<Definition>>,
    findings: &mut Findings,
) {
    let (name, environment) = (&seen.organization.slug, seen.environment);
    for connector in integration.own_connector.iter().chain(&integration.connectors) {
        let Some(definition) = own.get(connector).cloned().or_else(|| catalogue.find(connector)) else {
            let what =
                format!("{name}'s integration {} needs {connector}, which is not there", integration.name);
            let todo = format!("run `vestibule connector add FILE {}`", seen.flags());
            findings.add(seen.level(), "connectors", what, todo);
            continue;
        };
        let connected_outside = integration.connectors.contains(connector);
        if let (Way::NotYet(kind), true) = (definition.way(), connected_outside) {
            findings.warning(
                "connectors",
                format!("{connector} ({kind}) is declared, but this release cannot connect it"),
                "use a newer release, or another way in if the outside system has one",
            );
        }
        let has_app = seen.apps.iter().any(|app| app.connector == *connector);
        if connected_outside && definition.needs_app() && !has_app {
            let what =
                format!("{name} has no app for {connector} in {environment}; nobody can sign in there");
            let todo = format!(
                "register one at {}, then run `vestibule app set {connector} --client-id ... --client-secret-file ... {}`",
                definition.name,
                seen.flags()
            );
            findings.add(seen.level(), "apps", what, todo);
        }
    }
}
