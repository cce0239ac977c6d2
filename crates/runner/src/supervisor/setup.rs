//! What a process does to become a supervisor, and what its program gets on its way.

use super::tree;
use crate::program::{Limits, User};
use crate::wire::Task;
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, geteuid, getpid, getrlimit, set_child_subreaper,
    set_dumpable_behavior, setpriority_pgrp, setrlimit, setsid,
};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tokio::signal::unix::{SignalKind, signal};

/// Room that is left to the account besides the program, for what starts meanwhile.
const SLACK: u64 = 64;

/// Makes this process a supervisor and returns the socket to the gateway.
///
/// # Errors
/// Where the kernel refuses any of it: then nothing is run.
pub fn become_supervisor() -> io::Result<UnixStream> {
    close_inherited()?;
    // A session of its own: signals that a terminal sends to the gateway are for the gateway to handle.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    // Decision: no program gains rights by what it executes. Attack: a program with a set-user-id helper leaves the
    // account whose processes we may signal. Trade: `sudo` and `ping` of old systems do not work in runs.
    rustix::thread::set_no_new_privs(true)?;
    // The task holds credentials; programs of the same account shall not read them from this process.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    outlive_signals()?;
    let socket = UnixStream::from(rustix::stdio::stdin().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket)
}

/// Closes every descriptor besides the first three: whoever started the gateway may have left some open for it, and no
/// program shall find them.
fn close_inherited() -> io::Result<()> {
    let listed = fs::read_dir("/proc/self/fd")?;
    let open: Vec<i32> =
        listed.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // Among them is the one of the folder that was just read, which is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// A service's stop sends SIGTERM to all its processes. This one must stay until its program has ended, so it takes
/// such signals and does nothing. They are not set to be ignored, because its program would inherit that.
fn outlive_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    for kind in [
        SignalKind::terminate(),
        SignalKind::interrupt(),
        SignalKind::hangup(),
        SignalKind::quit(),
        SignalKind::alarm(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ] {
        // Tokio leaves its handler in place for the life of the process, also when this is dropped.
        drop(signal(kind)?);
    }
    Ok(())
}

/// Starts the program in a process group of its own and returns its id.
///
/// # Errors
/// Where it cannot be started, as without its folder; then nothing of it ran.
pub fn start(task: &Task) -> io::Result<Pid> {
    limit(&task.limits, task.user)?;
    if let (Some(scratch), Some(user)) = (&task.scratch, task.user) {
        give(scratch, user)?;
    }
    let mut command = Command::new(shell(&task.environment));
    command.arg("-c").arg(&task.command);
    command
        .current_dir(&task.folder)
        .env_clear()
        .envs(task.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).process_group(0);
    if let Some(user) = task.user {
        command.uid(user.user).gid(user.group);
    }
    let program = command.spawn()?;
    let id = i32::try_from(program.id()).ok().and_then(Pid::from_raw);
    let id = id.ok_or_else(|| io::Error::other("the program has no process id"))?;
    // From here on only the program holds what leads to the gateway, so that its end is the end of the output.
    let nowhere = File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    let _ = setpriority_pgrp(Some(id), task.limits.niceness);
    // Where memory of the machine runs out, the kernel shall choose a program and not the gateway.
    let _ = fs::write(format!("/proc/{id}/oom_score_adj"), "500");
    Ok(id)
}

/// The shell that hands this environment on. `sh` is often one that drops every variable whose name is no name of its
/// own, as `PAN_SEC_MY-CRM_TOKEN`; `bash` keeps them. Where there is no `bash`, they are lost.
fn shell(environment: &[(String, String)]) -> &'static str {
    const BASH: &str = "/bin/bash";
    let is_own = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let keeps_all = environment.iter().all(|(name, _)| is_own(name));
    if keeps_all || !Path::new(BASH).exists() { "/bin/sh" } else { BASH }
}

/// Sets what the kernel counts for each process. Memory is not among it: address space is not memory.
fn limit(limits: &Limits, user: Option<User>) -> io::Result<()> {
    set(Resource::Core, 0)?;
    set(Resource::Nofile, limits.open_files)?;
    // The kernel counts processes by account, over the whole machine, and does not count those of root.
    let account = user.map_or_else(|| geteuid().as_raw(), |user| user.user);
    if account != 0 {
        let taken = tree::threads_of(account);
        set(Resource::Nproc, taken.saturating_add(u64::from(limits.processes)).saturating_add(SLACK))?;
    }
    Ok(())
}

fn set(resource: Resource, wanted: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum;
    let value = most.map_or(wanted, |most| most.min(wanted));
    Ok(setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })?)
}

/// Gives the folder and what the gateway put into it to the program's account. Nothing runs in it yet.
fn give(folder: &Path, user: User) -> io::Result<()> {
    lchown(folder, Some(user.user), Some(user.group))?;
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if fs::symlink_metadata(&path)?.nlink() > 1 && !path.is_dir() {
            return Err(io::Error::other("a file of the scratch folder has another name elsewhere"));
        }
        give(&path, user)?;
    }
    Ok(())
}
