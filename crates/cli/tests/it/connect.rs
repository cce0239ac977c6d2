//! The first door over HTTP, on both databases: what people, programs and attackers see of it.

mod access;
mod api;
mod callback;
mod connecting;
mod fixation;
mod hostile;
mod keys;
mod lessons;
mod refusals;
mod replay;
mod webhooks;
