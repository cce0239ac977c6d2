//! `vestibule demo`: the whole first door with stand-ins of everyone around it.

mod program;
mod tour;
mod visit;
mod visitor;
