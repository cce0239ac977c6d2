//! What goes on after connecting, without anyone looking (decision 0012): the queue's worker, and one file per kind of
//! work and per use case around it.

pub mod call;
pub mod credential;
pub mod deliveries;
pub mod endpoints;
pub mod events;
pub mod git;
mod held;
pub mod jobs;
mod machine;
pub mod messages;
pub(crate) mod notice;
mod options;
pub mod refresh;
pub mod release_archive;
pub mod release_build;
mod release_choose;
pub mod release_folder;
mod release_keep;
mod release_source;
mod run;
pub mod run_control;
mod run_end;
mod run_http;
mod run_log;
pub mod run_look_up;
mod run_process;
pub mod run_report;
mod run_told;
pub mod schedule;
pub mod trigger;
mod worker;

pub use held::{Held, Why};
pub use machine::Machine;
pub use options::Options;
pub use release_folder::ReleaseFolder;
pub use store::jobs::Outcome;
