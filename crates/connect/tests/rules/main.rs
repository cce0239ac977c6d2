//! Tests of the first door's rules through their public functions.

mod attempt;
mod claims;
mod dialog;
mod keys;
mod schedule;
mod sign;
mod signature;
mod tenant_json;
