//! The first door over HTTP, on both databases: what people, programs and attackers see of it.

mod callback;
mod connecting;
mod fixation;
mod keys;
mod refusals;
mod replay;
