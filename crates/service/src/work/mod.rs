//! What goes on after connecting, without anyone looking (decision 0012): the queue's worker, and one file per kind of
//! work and per use case around it.

mod births;
pub mod call;
pub mod credential;
pub mod deliveries;
mod depth;
pub(crate) mod desk;
pub mod endpoints;
pub mod events;
pub mod git;
mod held;
pub mod jobs;
mod machine;
pub mod messages;
pub(crate) mod notice;
mod options;
pub(crate) mod recalled;
pub mod refresh;
pub mod release_archive;
pub mod release_build;
mod release_choose;
pub mod release_folder;
mod release_keep;
mod release_source;
pub(crate) mod run;
pub(crate) mod run_begin;
pub mod run_control;
mod run_end;
mod run_http;
mod run_log;
pub mod run_look_up;
mod run_process;
pub mod run_report;
mod run_told;
pub mod schedule;
pub(crate) mod slots;
pub mod trigger;
mod unsure;
mod worker;

pub use births::Births;
pub use held::{Held, Why};
pub use machine::Machine;
pub use options::Options;
pub use release_folder::ReleaseFolder;
pub use store::jobs::Outcome;
