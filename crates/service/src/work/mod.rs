//! What goes on after connecting, without anyone looking (decision 0012): the queue's worker, and one file per kind of
//! work and per use case around it.

pub mod credential;
pub mod endpoints;
pub mod events;
mod held;
pub mod jobs;
mod machine;
pub mod messages;
pub(crate) mod notice;
mod options;
pub mod refresh;
pub mod trigger;
pub mod release_archive;
mod release_choose;
pub mod release_folder;
mod worker;

pub use held::{Held, Why};
pub use machine::Machine;
pub use options::Options;
pub use release_folder::ReleaseFolder;
pub use store::jobs::Outcome;
