//! The one integration-test binary: whole programs, real databases, real browsers.

mod audit;
mod command_line;
mod connect;
mod demo;
mod pages;
mod readme;
mod restart;
