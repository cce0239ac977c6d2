//! The one integration-test binary: whole programs, real databases, real browsers.

mod command_line;
mod connect;
mod pages;
mod readme;
mod restart;
