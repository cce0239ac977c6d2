//! This machine: its settings, its clock, its files.

use super::finding::Findings;
use crate::settings::{Loaded, Settings};
use crate::tls::Certificates;
use kernel::{Environment, Time};
use std::collections::BTreeSet;
use std::path::Path;

/// Before it no release of this program existed: 2025-01-01.
const EARLIEST: Time = Time::from_seconds(1_735_689_600);
/// Nobody's clock is here: 2100-01-01.
const LATEST: Time = Time::from_seconds(4_102_444_800);
/// Settings whose value is a secret, or may hold one.
const SECRETS: [&str; 3] = ["keys.master_key", "keys.older_master_keys", "database.url"];

pub(super) fn settings_file(loaded: &Loaded, findings: &mut Findings) {
    let files: BTreeSet<&str> = loaded
        .entries
        .iter()
        .filter_map(|entry| entry.source.rsplit_once(':'))
        .map(|(file, _)| file)
        .collect();
    match files.first() {
        None => findings.good("settings", "no file is in force: defaults, variables and flags"),
        Some(file) => findings.good("settings", format!("{file} is in force")),
    }
    // A masked value is a secret that is set; one in a file is only as safe as the file.
    let kept = loaded
        .entries
        .iter()
        .filter(|entry| SECRETS.contains(&entry.key.as_str()) && entry.value.contains("********"));
    for entry in kept {
        let Some((file, _)) = entry.source.rsplit_once(':') else { continue };
        if is_open(Path::new(file)) {
            findings.warning(
                "settings",
                format!("{file} holds a secret (`{}`) and can be read by others", entry.key),
                format!("run `chmod 600 {file}`, or give the secret by variable"),
            );
        }
    }
}

pub(super) fn clock(now: Time, findings: &mut Findings) {
    if (EARLIEST..LATEST).contains(&now) {
        findings.good("clock", format!("it is {}", now.iso_seconds()));
    } else {
        findings.error(
            "clock",
            format!("this machine believes that it is {}", now.iso_seconds()),
            "set the clock and keep it right with NTP: tokens are judged by it",
        );
    }
}

pub(super) fn public_urls(settings: &Settings, findings: &mut Findings) {
    for environment in Environment::ALL {
        let Some(origin) = settings.environments.origin(environment) else { continue };
        let key = format!("environments.{environment}.public_url");
        if environment == Environment::Production && !origin.as_str().starts_with("https://") {
            findings.error(
                "public URL",
                format!("production is at {origin}, without TLS"),
                format!("set `{key}` to an https origin, and put a proxy or `[tls]` there"),
            );
        } else {
            findings.good("public URL", format!("{environment} is at {origin}"));
        }
    }
}

pub(super) fn certificate(settings: &Settings, findings: &mut Findings) {
    let Some(files) = &settings.tls else { return };
    match Certificates::read(files) {
        Ok(_) => findings.good("certificate", format!("{} and its key fit", files.certificate.display())),
        Err(refused) => findings.error(
            "certificate",
            refused.to_string(),
            "set `tls.certificate` and `tls.private_key` to PEM files that belong together",
        ),
    }
}

/// Whether group or others may read it. A file that cannot be looked at is not open.
#[cfg(unix)]
pub(super) fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_open(_path: &Path) -> bool {
    false
}
