//! Licences, banned packages and sources, by the rules of `deny.toml`: the file is one that cargo-deny reads too,
//! but a build of cargo-deny would take longer than all the tests.

use std::fs;

use anyhow::Context as _;
use serde::Deserialize;

use super::{Answer, expression};
use crate::commands;
use crate::dependencies::{self, Locked, Shipped};

#[derive(Debug, Deserialize)]
struct Rules {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Licences {
    allow: Vec<String>,
    #[serde(default)]
    exceptions: Vec<Exception>,
}

#[derive(Debug, Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    registries: Vec<String>,
}

pub(super) fn check() -> Answer {
    let text = fs::read_to_string(commands::root().join("deny.toml")).context("deny.toml")?;
    let rules: Rules = toml::from_str(&text).context("deny.toml")?;
    let mut complaints = shipping(&rules, &dependencies::shipped()?);
    complaints.extend(dependencies::locked()?.iter().filter_map(|package| source(&rules.sources, package)));
    Ok(complaints)
}

fn shipping(rules: &Rules, packages: &[Shipped]) -> Vec<String> {
    let complaint = |package| [banned(&rules.bans, package), licence(&rules.licenses, package)];
    packages.iter().flat_map(complaint).flatten().collect()
}

fn source(sources: &Sources, package: &Locked) -> Option<String> {
    let source = package.source.as_deref()?;
    let registry = source.strip_prefix("registry+").unwrap_or(source);
    let known = sources.registries.iter().any(|known| known == registry);
    (!known).then(|| format!("{} {} comes from {source}", package.name, package.version))
}

fn banned(bans: &Bans, package: &Shipped) -> Option<String> {
    let ban = bans.deny.iter().find(|ban| ban.name == package.name)?;
    Some(format!("{} is banned ({}); it comes by {}", ban.name, ban.reason, package.way.join(" > ")))
}

fn licence(licences: &Licences, package: &Shipped) -> Option<String> {
    let accepted = |name: &str| {
        let exceptions = licences.exceptions.iter().filter(|exception| exception.name == package.name);
        licences
            .allow
            .iter()
            .chain(exceptions.flat_map(|exception| &exception.allow))
            .any(|known| known == name)
    };
    let Shipped { name, version, licence, .. } = package;
    if licence.is_empty() {
        return Some(format!("{name} {version} states no licence"));
    }
    match expression::satisfied(licence, &accepted) {
        Ok(true) => None,
        Ok(false) => {
            Some(format!("{name} {version} is licensed `{licence}`, which deny.toml does not allow"))
        }
        Err(error) => Some(format!("{name} {version}: {error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [licenses]
        allow = ["MIT"]
        exceptions = [{ crate = "odd", allow = ["Zlib"] }]
        [bans]
        deny = [{ crate = "ring", reason = "aws-lc-rs does this here" }]
        [sources]
        allow-registry = ["https://known.example"]
    "#;

    fn rules() -> Rules {
        toml::from_str(RULES).unwrap()
    }

    fn found(name: &str, licence: &str) -> Vec<String> {
        let package = Shipped {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licence: licence.to_owned(),
            repository: String::new(),
            ours: false,
            way: vec!["vestibule".to_owned(), "between".to_owned(), name.to_owned()],
        };
        shipping(&rules(), &[package])
    }

    #[test]
    fn what_is_allowed_passes() {
        assert!(found("good", "MIT OR GPL-3.0").is_empty());
        assert!(found("odd", "Zlib").is_empty());
    }

    #[test]
    fn a_licence_that_is_not_allowed_and_none_at_all_are_told() {
        let told = ["bad 1.0.0 is licensed `GPL-3.0`, which deny.toml does not allow"];
        assert_eq!(found("bad", "GPL-3.0"), told);
        assert_eq!(found("even", "Zlib").len(), 1, "an exception is for one package");
        assert_eq!(found("bad", ""), ["bad 1.0.0 states no licence"]);
    }

    #[test]
    fn a_banned_package_is_told_with_its_way_in() {
        assert_eq!(
            found("ring", "MIT"),
            ["ring is banned (aws-lc-rs does this here); it comes by vestibule > between > ring"]
        );
    }

    #[test]
    fn another_source_is_told() {
        let from = |source: Option<&str>| {
            let package = Locked {
                name: "one".to_owned(),
                version: "1.0.0".to_owned(),
                source: source.map(str::to_owned),
            };
            super::source(&rules().sources, &package)
        };
        assert_eq!(from(None), None);
        assert_eq!(from(Some("registry+https://known.example")), None);
        let elsewhere = from(Some("git+https://elsewhere.example"));
        assert_eq!(elsewhere.as_deref(), Some("one 1.0.0 comes from git+https://elsewhere.example"));
    }

    #[test]
    fn the_rules_of_this_project_are_understood() {
        let text = fs::read_to_string(commands::root().join("deny.toml")).unwrap();
        let rules: Rules = toml::from_str(&text).unwrap();
        let banned: Vec<_> = rules.bans.deny.iter().map(|ban| &*ban.name).collect();
        assert_eq!(banned, ["ring", "openssl-sys", "native-tls", "rsa"]);
    }
}
