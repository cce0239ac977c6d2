//! The first door: a signed-in user connects an outside system from an embedded page.
//!
//! Decisions only: no async, no SQL, no HTTP, no clock. The source is the contract `connect.md`; connectors
//! are declared as `connectors.md` says.

pub mod api_key;
pub mod attempt;
pub mod back_off;
pub mod config_schema;
pub mod connection;
pub mod connector;
pub mod credential;
pub mod dialog;
pub mod integration;
pub mod manifest;
pub mod mask;
pub mod message;
pub mod notice;
pub mod refresh;
pub mod refusal;
pub mod release;
pub mod run;
pub mod schedule;
pub mod signing_key;
pub mod tenant;
pub mod tenant_json;
pub mod token;
pub mod webhook;
pub mod webhook_verify;
