//! `vestibule demo`: the whole first door with stand-ins of everyone around it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on panics")]

mod program;
mod tour;
mod visit;
mod visitor;
