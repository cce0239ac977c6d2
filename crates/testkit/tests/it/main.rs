//! The kit tried on itself: one binary, so that its servers are started once.

mod browser;
mod packages;
mod postgres;
mod process;
mod provider;
