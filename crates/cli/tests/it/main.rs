//! The one integration-test binary: whole programs, real databases, real browsers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking, also in what its tests share"
)]

mod audit;
mod command_line;
mod connect;
mod demo;
mod enter;
mod pages;
mod readme;
mod restart;
mod work;
