//! What gateway and supervisor say to each other over their socket: a JSON value on each line.

use crate::program::{How, Limits, User};
use crate::{Deadline, Program};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// From the gateway. The first is [`Order::Begin`]; the end of the stream means [`Order::Cancel`].
#[derive(Serialize, Deserialize)]
pub enum Order {
    Begin(Box<Task>),
    Deadline(Deadline),
    Cancel,
}

/// A [`Program`] on its way to the supervisor. It travels over the socket and not on a command line, because command
/// lines can be read by every account of the machine.
#[derive(Serialize, Deserialize)]
pub struct Task {
    pub command: String,
    pub folder: PathBuf,
    pub environment: Vec<(String, String)>,
    pub scratch: Option<PathBuf>,
    pub limits: Limits,
    pub user: Option<User>,
    pub deadline: Deadline,
}

impl Task {
    pub fn of(program: &Program, deadline: Deadline) -> Self {
        Self {
            command: program.command.clone(),
            folder: program.folder.clone(),
            environment: program.environment.clone(),
            scratch: program.scratch.as_ref().map(|scratch| scratch.path().to_owned()),
            limits: program.limits.clone(),
            user: program.user,
            deadline,
        }
    }
}

/// From the supervisor: first [`Report::Started`] unless that failed, last [`Report::Ended`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    Started,
    Ended { how: How, took_micros: u64, peak_memory: u64 },
}

/// One line, with its end.
///
/// # Errors
/// Where a path is not text.
pub fn line(message: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}
