//! What goes on after connecting, without anyone looking (decision 0012): the queue's worker, and one file per kind of
//! work and per use case around it.

pub mod credential;
pub mod events;
mod held;
pub mod jobs;
mod options;
pub mod refresh;
pub mod trigger;
mod worker;

pub use held::{Held, Why};
pub use options::Options;
pub use store::jobs::Outcome;
