//! The settings of what goes on after connecting: the worker, and programs on this machine.

use super::reader::Reader;
use super::{address, path, seconds};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What goes on after connecting.
#[derive(Debug, Clone)]
pub struct Work {
    /// Whether a serving process works too.
    pub enabled: bool,
    pub options: service::work::Options,
    /// A listener for health and metrics of a process that only works.
    pub listen: Option<SocketAddr>,
}

/// What this machine gives to programs.
#[derive(Debug, Clone)]
pub struct Programs {
    pub folder: PathBuf,
    pub path: String,
    /// User and group, by number.
    pub account: Option<(u32, u32)>,
    pub cache_bytes: u64,
    pub build_time: Duration,
    pub build_bytes: u64,
}

pub(super) fn work(reader: &mut Reader<'_>) -> Option<Work> {
    let enabled = reader.flag("work.enabled");
    let run_slots = reader.number("work.run_slots", 1..=10_000);
    let http_run_slots = reader.number("work.http_run_slots", 1..=100_000);
    let refresh_slots = reader.number("work.refresh_slots", 1..=10_000);
    let notice_slots = reader.number("work.notice_slots", 1..=10_000);
    let build_slots = reader.number("work.build_slots", 1..=10_000);
    // Shorter than a call to an outside system may take, a lease would end in the middle of one.
    let lease = reader.number("work.lease_seconds", 30..=3600).map(seconds);
    let run_time = reader.number("work.run_seconds", 1..=7 * 24 * 3600).map(seconds);
    let run_mib = reader.number("work.run_mib", 16..=1024 * 1024);
    let listen = reader.optional("work.listen", address);
    let size = |number: u32| usize::try_from(number).ok();
    let options = service::work::Options {
        run_slots: size(run_slots?)?,
        http_run_slots: size(http_run_slots?)?,
        refresh_slots: size(refresh_slots?)?,
        notice_slots: size(notice_slots?)?,
        build_slots: size(build_slots?)?,
        lease: lease?,
        run_time: run_time?,
        run_memory: u64::from(run_mib?) << 20,
        ..service::work::Options::default()
    };
    Some(Work { enabled: enabled?, options, listen: listen? })
}

pub(super) fn programs(reader: &mut Reader<'_>) -> Option<Programs> {
    let folder = reader.text("programs.folder", path);
    let search = reader.text("programs.path", |text| {
        let is_path = text.split(':').all(|one| one.starts_with('/'));
        if is_path { Ok(text.to_owned()) } else { Err("expected absolute folders with `:` between them") }
    });
    let account = reader.optional("programs.account", |text| {
        let numbers =
            text.split_once(':').and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
        numbers.ok_or("expected the numbers of a user and a group, as in \"990:990\"")
    });
    let cache_mib = reader.number("programs.cache_mib", 64..=16 * 1024 * 1024);
    let build_seconds = reader.number("programs.build_seconds", 1..=24 * 3600);
    let build_mib = reader.number("programs.build_mib", 64..=1024 * 1024);
    Some(Programs {
        folder: folder?,
        path: search?,
        account: account?,
        cache_bytes: u64::from(cache_mib?) << 20,
        build_time: seconds(build_seconds?),
        build_bytes: u64::from(build_mib?) << 20,
    })
}
