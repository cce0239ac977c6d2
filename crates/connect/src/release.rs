//! A release: one version of an integration that can run, and which one a tenant's runs use (contracts `connect.md`,
//! section 6, and `runs.md`).

use crate::integration::{Channel, Integration};
use crate::manifest::Manifest;
use crate::tenant::Tenant;
use kernel::ids::{IntegrationId, OrganizationId, ReleaseId};
use kernel::{Sealed, Time};
use serde_json::{Value, json};

/// The largest release: 64 MiB packed.
pub const ARCHIVE_BYTES: u64 = 64 * 1024 * 1024;
/// The largest release unpacked, so that a small file cannot fill a disk: 1 GiB.
pub const UNPACKED_BYTES: u64 = 1024 * 1024 * 1024;
/// The most files of a release.
pub const FILES: u64 = 100_000;

/// How far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Its build command is still to run.
    Building,
    Ready(Time),
    /// Its build failed, with what there is to say about it.
    Failed(String),
    /// Its files were cleaned up then: nothing had led to it for long.
    Retired(Time),
}

impl Standing {
    /// The word for people and programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Ready(_) => "ready",
            Self::Failed(_) => "failed",
            Self::Retired(_) => "retired",
        }
    }
}

/// Why no run can use a release, which nothing may lead to then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("release `{0}` is still being built")]
    Building(String),
    #[error("the build of release `{0}` failed")]
    Failed(String),
    #[error(
        "the files of release `{0}` are gone: nothing had led to it for long; build it again under another tag"
    )]
    Retired(String),
}

impl Unusable {
    /// The stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Building(_) => "release_building",
            Self::Failed(_) => "release_failed",
            Self::Retired(_) => "release_retired",
        }
    }
}

/// A release's packed files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// SHA-256 as lower-case hexadecimal digits.
    pub hash: String,
    pub bytes: i64,
}

/// A release as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    pub id: ReleaseId,
    pub organization: OrganizationId,
    pub integration: IntegrationId,
    /// For people: integration and tag.
    pub name: String,
    /// What whoever built it called it; once per integration.
    pub tag: String,
    pub branch: Option<String>,
    /// The commit it was built from.
    pub revision: Option<String>,
    pub manifest: Manifest,
    /// The key that `http` runs are signed with, sealed for the place `release:{id}`.
    pub secret: Option<Sealed>,
    /// Of a `process` release; of an `http` one there is nothing to unpack.
    pub archive: Option<Archive>,
    pub standing: Standing,
    pub created: Time,
    pub modified: Time,
}

impl Release {
    /// Whether a run may use it.
    pub const fn is_ready(&self) -> bool {
        matches!(self.standing, Standing::Ready(_))
    }

    /// # Errors
    /// Why no run can use it.
    pub fn usable(&self) -> Result<(), Unusable> {
        let name = || self.name.clone();
        match self.standing {
            Standing::Ready(_) => Ok(()),
            Standing::Building => Err(Unusable::Building(name())),
            Standing::Failed(_) => Err(Unusable::Failed(name())),
            Standing::Retired(_) => Err(Unusable::Retired(name())),
        }
    }
}

/// What a tag may be: letters, digits, `.`, `_`, `+`, `-` and `/` inside, at most 100 of them.
///
/// # Errors
/// A sentence that says so.
pub fn check_tag(tag: &str) -> Result<(), String> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-/".contains(&byte);
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = tag.as_bytes();
    if bytes.len() <= 100 && bytes.iter().copied().all(inner) && ends(bytes.first()) && ends(bytes.last()) {
        return Ok(());
    }
    Err("a tag has 1 to 100 letters, digits and `.`, `_`, `+`, `-`, `/` inside, as in 1.4.0".to_owned())
}

/// Which release a tenant's runs use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// This one: chosen for the tenant, or the integration's default.
    Exactly(ReleaseId),
    /// The newest of the integration that is ready.
    Newest,
    /// There is none until somebody chooses the default.
    Nothing,
}

/// A release chosen for a tenant stands before its channel.
pub const fn wanted(tenant: &Tenant, integration: &Integration) -> Wanted {
    match (tenant.release, tenant.channel, integration.default_release) {
        (Some(own), _, _) => Wanted::Exactly(own),
        (None, Channel::Latest, _) => Wanted::Newest,
        (None, Channel::Default, Some(default)) => Wanted::Exactly(default),
        (None, Channel::Default, None) => Wanted::Nothing,
    }
}

/// The published shape.
pub fn release_v2(release: &Release) -> Value {
    let manifest = &release.manifest;
    json!({
        "id": release.id,
        "name": release.name,
        "repository_tracking_branch": release.branch,
        "run_command": manifest.run,
        "tag": release.tag,
        "config_schema": manifest.configs,
        "config_version": manifest.version,
        "metadata_schema": manifest.metadata_schema,
        "created_date": release.created.iso_micros(),
        "modified_date": release.modified.iso_micros(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_plain() {
        for good in ["1", "1.4.0", "v1.4.0-rc.1", "release/2026-11", "a+b", "A_b"] {
            assert_eq!(check_tag(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "-1", "1-", "a b", "a\n", "ä", "../x", "x/", &"a".repeat(101)] {
            assert!(check_tag(bad).is_err(), "{bad}");
        }
    }
}
